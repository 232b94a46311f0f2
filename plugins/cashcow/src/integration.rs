//! B1 to B3: the parts of the model together.

use finance::{Book, Decimal, Entity, Kind, Ledger, Line, Scenario, Statement, forecast, vectors};

use crate::bench::{Attempt, Bench};
use crate::bindings::exports::flowhost::cashcow::agents as api;
use crate::bindings::exports::flowhost::cashcow::agents::{Assignment, Results};
use crate::bindings::flowhost::plugin::failure::Failure;
use crate::{calculation, invalid_input};

/// Months of a year.
const YEAR: u32 = 12;

fn company() -> Result<Book, Failure> {
    Book::read(vectors::COMPANY).map_err(|error| invalid_input(&error))
}

fn lowered(ledger: Ledger) -> api::Ledger {
    let line = |line: Line| api::Line { month: line.month, inflow: line.inflow, outflow: line.outflow };
    api::Ledger { opening: ledger.opening, lines: ledger.lines.into_iter().map(line).collect(), work: ledger.work }
}

fn lifted(ledger: &api::Ledger) -> Ledger {
    let line = |line: &api::Line| Line { month: line.month, inflow: line.inflow, outflow: line.outflow };
    Ledger { opening: ledger.opening, lines: ledger.lines.iter().map(line).collect(), work: ledger.work }
}

/// The company at once.
pub(crate) fn whole(months: u32) -> Result<api::Ledger, Failure> {
    let book = company()?;
    forecast(book.opening, &book.entities, 1..=months).map(lowered).map_err(|error| calculation(&error))
}

/// Before the first month.
pub(crate) fn begin() -> Result<api::Ledger, Failure> {
    Ok(lowered(Ledger { opening: company()?.opening, ..Ledger::default() }))
}

/// The months after those that there are.
pub(crate) fn advance(sofar: &api::Ledger, months: u32) -> Result<api::Ledger, Failure> {
    let sofar = lifted(sofar);
    let last = sofar.lines.last().map_or(0, |line| line.month);
    let next = forecast(0, &company()?.entities, last.saturating_add(1)..=last.saturating_add(months));
    next.map(|next| lowered(sofar.followed_by(next))).map_err(|error| calculation(&error))
}

/// Kinds that the company has.
pub(crate) fn kinds() -> Result<Vec<String>, Failure> {
    let book = company()?;
    let used = Kind::ALL.into_iter().filter(|kind| book.entities.iter().any(|entity| entity.kind == *kind));
    Ok(used.map(|kind| kind.name().to_owned()).collect())
}

/// One kind alone.
pub(crate) fn part(kind: &str, months: u32) -> Result<api::Ledger, Failure> {
    let kind = Kind::named(kind).ok_or_else(|| invalid_input(&format!("there is no kind `{kind}`")))?;
    forecast(0, &company()?.only(kind).entities, 1..=months).map(lowered).map_err(|error| calculation(&error))
}

/// Both together.
pub(crate) fn join(a: &api::Ledger, b: &api::Ledger) -> Result<api::Ledger, Failure> {
    let joined = lifted(a).join(&lifted(b));
    joined.map(lowered).ok_or_else(|| invalid_input(&"the ledgers are not of the same months, or their sum is out of range"))
}

/// A year against the one that was derived by hand.
pub(crate) fn compare(order: &Assignment, attempt: &Attempt, year: &api::Ledger) -> Result<Results, Failure> {
    let mut bench = Bench::new(order, attempt)?;
    let year = lifted(year);
    let lines: Vec<(Line, i64)> = year.lines.iter().copied().zip(year.balances()).collect();
    let rows = bench.rows(vectors::FORECAST)?;
    for (index, row) in rows.iter().enumerate() {
        let [month, inflow, outflow, balance] = row.as_slice() else {
            return Err(invalid_input(&"a row of the vectors is short"));
        };
        let found = lines.get(index).map(|(line, balance)| [line.inflow, line.outflow, *balance].map(|cents| cents.to_string()));
        let found = found.unwrap_or_else(|| std::array::from_fn(|_| "nothing".to_owned()));
        for ((what, expected), got) in [("inflow", inflow), ("outflow", outflow), ("balance", balance)].into_iter().zip(&found) {
            bench.equal(&format!("{what} of month {month}"), expected, got);
        }
        bench.exercise(month);
    }
    bench.equal("months", &rows.len().to_string(), &lines.len().to_string());
    let (inflow, outflow) = lines.iter().fold((0_i64, 0_i64), |(i, o), (line, _)| (i + line.inflow, o + line.outflow));
    bench.equal(
        "nothing is lost between the months",
        &(year.opening + inflow - outflow).to_string(),
        &year.closing().to_string(),
    );
    bench.figure("closing balance", Decimal::cents(year.closing()).show(2));
    let months: Vec<String> = (1..=YEAR).map(|month| month.to_string()).collect();
    bench.results(months.iter().map(String::as_str))
}

/// The company under other circumstances.
pub(crate) fn scenarios(order: &Assignment, attempt: &Attempt) -> Result<Results, Failure> {
    let mut bench = Bench::new(order, attempt)?;
    let book = company()?;
    let base = year_of(&book, &scenario("base", ["1", "1", "0"])?)?;
    let mut balances: Vec<(String, Vec<i64>)> = Vec::new();
    for row in bench.rows(vectors::SCENARIOS)? {
        let [name, income, costs, delay, closing, lowest] = row.as_slice() else {
            return Err(invalid_input(&"a row of the vectors is short"));
        };
        let year = year_of(&book, &scenario(name, [income, costs, delay])?)?;
        bench.equal(&format!("closing balance, {name}"), closing, &year.closing().to_string());
        bench.equal(&format!("lowest balance, {name}"), lowest, &year.balances().min().unwrap_or_default().to_string());
        for (what, value, same) in [("income", income, "1"), ("costs", costs, "1"), ("delay", delay, "0")] {
            if value != same {
                bench.exercise(what);
            }
        }
        bench.figure(&format!("closing balance, {name}"), Decimal::cents(year.closing()).show(2));
        balances.push((name.clone(), year.balances().collect()));
    }
    bench.progress(60, "scenarios");
    order_of_balances(&mut bench, &balances);
    bench.holds("nothing changed is the base", balances.iter().any(|(_, months)| base.balances().eq(months.iter().copied())));
    sensitivities(&mut bench, &book, &base)?;
    bench.results(["income", "costs", "delay"])
}

/// In every month, who earns more and spends less has more.
fn order_of_balances(bench: &mut Bench<'_>, balances: &[(String, Vec<i64>)]) {
    let of =
        |name: &str| balances.iter().find(|(known, _)| known == name).map(|(_, months)| months.as_slice()).unwrap_or_default();
    for (better, worse) in [("optimistic", "baseline"), ("baseline", "conservative")] {
        let (a, b) = (of(better), of(worse));
        let holds = !a.is_empty() && a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a >= b);
        bench.holds(&format!("{better} is never below {worse}"), holds);
    }
}

/// One parameter at a time, ten per cent up (Saltelli and others, *Global Sensitivity Analysis*, 2008, chapter 1): the effect on the
/// closing balance is a tenth of what the parameter scales, to a cent for each amount that is rounded.
fn sensitivities(bench: &mut Bench<'_>, book: &Book, base: &Ledger) -> Result<(), Failure> {
    let scaled = |costs: bool| -> i64 {
        let of = |entity: &&Entity| match entity.kind {
            Kind::Revenue | Kind::Grant => !costs,
            Kind::Employee | Kind::Facility | Kind::Software => costs,
            Kind::Opening | Kind::Equipment | Kind::Loan => false,
        };
        let entities: Vec<Entity> = book.entities.iter().filter(of).cloned().collect();
        let year = forecast(0, &entities, 1..=YEAR).map(|year| year.closing());
        year.unwrap_or_default()
    };
    let rounded = i64::from(YEAR) * i64::try_from(book.entities.len()).unwrap_or(i64::MAX);
    for (name, changed, costs) in [("income", ["1.1", "1", "0"], false), ("costs", ["1", "1.1", "0"], true)] {
        let effect = year_of(book, &scenario(name, changed)?)?.closing() - base.closing();
        let close = (effect * 10 - scaled(costs)).abs() <= rounded * 10;
        bench.holds(&format!("the effect of ten per cent more {name}"), close);
        bench.figure(&format!("effect of ten per cent more {name}"), Decimal::cents(effect).show(2));
    }
    Ok(())
}

fn scenario(name: &str, [income, costs, delay]: [&str; 3]) -> Result<Scenario, Failure> {
    let number = |text| Decimal::parse(text).map_err(|error| invalid_input(&error));
    let delay = delay.parse().map_err(|_| invalid_input(&format!("`{delay}` is no number of months")))?;
    Ok(Scenario { name: name.to_owned(), income: number(income)?, costs: number(costs)?, delay })
}

fn year_of(book: &Book, scenario: &Scenario) -> Result<Ledger, Failure> {
    let changed = scenario.apply(book).map_err(|error| calculation(&error))?;
    forecast(changed.opening, &changed.entities, 1..=YEAR).map_err(|error| calculation(&error))
}

/// Figures and how they are written down.
pub(crate) fn reports(order: &Assignment, attempt: &Attempt) -> Result<Results, Failure> {
    let mut bench = Bench::new(order, attempt)?;
    let statement = Statement::of(&company()?, YEAR).map_err(|error| calculation(&error))?;
    let figures = statement.figures().map_err(|error| calculation(&error))?;
    for row in bench.rows(vectors::FIGURES)? {
        let [name, expected] = row.as_slice() else { return Err(invalid_input(&"a row of the vectors is short")) };
        let got = figures.iter().find(|(known, _)| known == name).map_or("nothing", |(_, value)| value);
        bench.equal(name, expected, got);
        bench.exercise(name);
    }
    bench.progress(50, "figures");
    let rows = finance::read(&statement.csv()).map_err(|error| invalid_input(&error))?;
    bench.equal("lines of the report", "14", &rows.len().to_string());
    let total = |column: usize| {
        let cells = rows.iter().skip(1).take(YEAR as usize).filter_map(|row| row.get(column));
        let cells = cells.filter_map(|cell| Decimal::parse(cell).ok()).filter_map(|cell| cell.to_cents().ok());
        Decimal::cents(cells.sum()).show(2)
    };
    for (column, name) in [(1, "inflow"), (2, "outflow")] {
        let last = rows.last().and_then(|row| row.get(column)).map_or("nothing", String::as_str);
        bench.equal(&format!("the total of the {name} is its sum"), &total(column), last);
    }
    let by_kind = statement.kinds.iter().fold(0, |sum, (_, inflow, outflow)| sum + inflow - outflow);
    let change = statement.ledger.closing() - statement.ledger.opening;
    bench.equal("kinds add up to the change of the balance", &change.to_string(), &by_kind.to_string());
    for (test, text, expected) in [
        ("a formula is text", "=SUM(A1:A9)", "'=SUM(A1:A9)"),
        ("a negative amount is a number", "-12.50", "-12.50"),
        ("a name with an at sign is text", "@office", "'@office"),
    ] {
        bench.equal(test, expected, &finance::cell(text));
    }
    bench.equal("a pipe does not divide a cell", "| a\\|b | c |", &finance::markdown_row(&["a|b", "c"]));
    for (name, value) in &figures {
        bench.figure(name, value.clone());
    }
    bench.results(figures.iter().map(|(name, _)| *name))
}

#[cfg(test)]
mod tests {
    use super::{advance, begin, compare, join, kinds, part, reports, scenarios, whole};
    use crate::bench::Attempt;
    use crate::bindings::exports::flowhost::cashcow::agents::{Assignment, Ledger};
    use crate::bindings::flowhost::plugin::failure::FailureKind;

    fn order(task: &str) -> Assignment {
        Assignment { task: task.into(), expert: "tester".into(), inject: Vec::new() }
    }

    #[test]
    fn three_ways_to_the_same_year() {
        let at_once = whole(12).unwrap();
        let mut step = begin().unwrap();
        for _ in 0..4 {
            step = advance(&step, 3).unwrap();
        }
        let parts = kinds().unwrap().into_iter().map(|kind| part(&kind, 12).unwrap());
        let joined = parts.reduce(|a, b| join(&a, &b).unwrap()).unwrap();
        let joined = Ledger { opening: at_once.opening, ..joined };
        assert_eq!((&step, &joined), (&at_once, &at_once));
        let results = compare(&order("B1a"), &Attempt::first(), &at_once).unwrap();
        assert_eq!((results.failed.len(), results.total, results.coverage), (0, 38, 1.0));
    }

    #[test]
    fn another_year_is_not_accepted() {
        let mut year = whole(12).unwrap();
        year.lines[5].inflow += 1;
        let results = compare(&order("B1a"), &Attempt::first(), &year).unwrap();
        // The inflow of the month, and its balance with all that follow.
        assert_eq!(results.failed.len(), 8);
        assert_eq!(results.failed[0].test, "inflow of month 6");
        let results = compare(&order("B1a"), &Attempt::first(), &whole(11).unwrap()).unwrap();
        assert_eq!(results.failed.len(), 4);
        assert_eq!(part("donation", 12).unwrap_err().kind, FailureKind::InvalidInput);
        assert_eq!(whole(601).unwrap_err().kind, FailureKind::Calculation);
    }

    #[test]
    fn scenarios_and_reports_hold() {
        for results in [scenarios(&order("B2"), &Attempt::first()), reports(&order("B3"), &Attempt::first())] {
            let results = results.unwrap();
            assert_eq!(results.failed, []);
            assert_eq!(results.coverage, 1.0);
            assert!(results.total >= 13, "{}", results.total);
        }
    }
}
