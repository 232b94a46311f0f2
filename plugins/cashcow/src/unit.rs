//! A1 to A3: the parts of the model, each by itself.

use finance::{Book, CALCULATORS, Entity, RULES, Rule, vectors};

use crate::bench::{Attempt, Bench};
use crate::bindings::exports::flowhost::cashcow::agents::{Assignment, Results};
use crate::bindings::flowhost::plugin::failure::Failure;
use crate::invalid_input;

/// Rows of the model and the rule that each of them breaks.
pub(crate) fn models(order: &Assignment, attempt: &Attempt) -> Result<Results, Failure> {
    let mut bench = Bench::new(order, attempt)?;
    for row in bench.rows(vectors::ROWS)? {
        let [test, expected, fields @ ..] = row.as_slice() else { return Err(invalid_input(&"a row of the vectors is short")) };
        let got = Entity::read(fields).map_or_else(|rule| rule.to_string(), |_| "none".to_owned());
        bench.equal(test, expected, &got);
        bench.exercise(expected);
    }
    bench.progress(60, "rows");
    let short = Entity::read(&["grant".to_owned(), "a".to_owned()]);
    bench.equal("a row of two fields", "columns", &short.map_or_else(|rule| rule.to_string(), |_| "none".to_owned()));
    bench.exercise("columns");
    let twice = format!("{}revenue,subscriptions,1.00,0,1,1\n", vectors::COMPANY);
    let twice = matches!(Book::read(&twice), Err(finance::BookError::Broken { row: 10, rule: Rule::Unique }));
    bench.holds("a revenue of the same name", twice);
    bench.exercise("unique");
    let book = Book::read(vectors::COMPANY).map_err(|error| invalid_input(&error))?;
    bench.equal("rows of the company", "8", &book.entities.len().to_string());
    bench.figure("rules", RULES.len().to_string());
    bench.results(RULES.map(|(_, name)| name))
}

/// Every calculator against its vectors.
pub(crate) fn calculators(order: &Assignment, attempt: &Attempt) -> Result<Results, Failure> {
    let mut bench = Bench::new(order, attempt)?;
    let rows = bench.rows(vectors::CALCULATORS)?;
    for row in &rows {
        let [test, function, arguments, expected, places, _source] = row.as_slice() else {
            return Err(invalid_input(&"a row of the vectors is short"));
        };
        let places = places.parse().map_err(|_| invalid_input(&format!("`{places}` is no number of places")))?;
        let got = finance::calculate(function, arguments, places).unwrap_or_else(|error| error);
        bench.equal(test, expected, &got);
        bench.exercise(function);
    }
    bench.progress(80, "vectors");
    for (test, function, arguments) in [
        ("a price that covers nothing", "break_even", "100 5 5"),
        ("values that never change their sign", "internal_rate", "1 2 3"),
        ("a runway without burn", "runway", "100 0"),
    ] {
        bench.holds(test, finance::calculate(function, arguments, 2).is_err());
    }
    bench.figure("calculators", CALCULATORS.len().to_string());
    bench.results(CALCULATORS.map(|(name, _)| name))
}

/// What [`storage`] looks after.
const STORAGE: [&str; 13] = [
    "fields",
    "ending",
    "head",
    "blanks",
    "quotes",
    "escapes",
    "mark",
    "width",
    "open",
    "bare",
    "checksum",
    "round trip",
    "damage",
];

/// Tables as text, and the company's book as a table.
pub(crate) fn storage(order: &Assignment, attempt: &Attempt) -> Result<Results, Failure> {
    let mut bench = Bench::new(order, attempt)?;
    for row in bench.rows(vectors::TABLES)? {
        let [test, rule, text, expected] = row.as_slice() else { return Err(invalid_input(&"a row of the vectors is short")) };
        let got = finance::read(&unescaped(text)).map_or_else(|error| error.to_string(), |rows| shown(&rows));
        bench.equal(test, &unescaped(expected), &got);
        bench.exercise(rule);
    }
    bench.progress(50, "tables");
    bench.equal("the check value of CRC-32", "cbf43926", &format!("{:08x}", finance::checksum(b"123456789")));
    bench.exercise("checksum");
    let book = Book::read(vectors::COMPANY).map_err(|error| invalid_input(&error))?;
    let written = book.write();
    let again = Book::read(&written).map_err(|error| invalid_input(&error))?;
    bench.holds("a book that is written is read again", again == book);
    bench.holds("it is written the same way again", again.write() == written);
    bench.exercise("round trip");
    bench.holds("every flipped bit is noticed", every_bit_counts(written.as_bytes()));
    bench.exercise("damage");
    bench.figure("checksum of the company's book", format!("{:08x}", finance::checksum(written.as_bytes())));
    bench.results(STORAGE)
}

fn every_bit_counts(bytes: &[u8]) -> bool {
    let whole = finance::checksum(bytes);
    let mut bytes = bytes.to_vec();
    (0..bytes.len()).all(|at| {
        let mut flip = || bytes.get_mut(at).map(|byte| *byte ^= 1 << (at % 8));
        flip();
        let noticed = finance::checksum(&bytes) != whole;
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1 << (at % 8);
        }
        noticed
    })
}

fn shown(rows: &[Vec<String>]) -> String {
    rows.iter().map(|row| row.join("|")).collect::<Vec<_>>().join(" / ")
}

fn unescaped(text: &str) -> String {
    text.replace("\\r", "\r").replace("\\n", "\n").replace("\\u{feff}", "\u{feff}")
}

#[cfg(test)]
mod tests {
    use super::{calculators, models, storage};
    use crate::bench::Attempt;
    use crate::bindings::exports::flowhost::cashcow::agents::{Assignment, Injection, Results};
    use crate::bindings::flowhost::plugin::failure::{Failure, FailureKind};

    fn order(task: &str, kinds: &[FailureKind]) -> Assignment {
        let inject = kinds.iter().map(|kind| Injection { task: task.into(), kind: *kind, times: 1 }).collect();
        Assignment { task: task.into(), expert: "tester".into(), inject }
    }

    type Agent = fn(&Assignment, &Attempt) -> Result<Results, Failure>;
    const AGENTS: [(&str, Agent); 3] = [("A1", models), ("A2", calculators), ("A3", storage)];

    #[test]
    fn all_checks_hold_and_cover_everything() {
        for (task, agent) in AGENTS {
            let results = agent(&order(task, &[]), &Attempt::first()).unwrap();
            assert_eq!(results.failed, []);
            assert_eq!((results.pass_rate, results.coverage), (1.0, 1.0), "{task}");
            assert!(results.total >= 15, "{task} has {} checks", results.total);
        }
    }

    #[test]
    fn injected_faults_are_found() {
        for (task, agent) in AGENTS {
            for kind in [FailureKind::Calculation, FailureKind::Logic, FailureKind::InvalidInput] {
                let failure = agent(&order(task, &[kind]), &Attempt::first()).unwrap_err();
                assert_eq!(failure.kind, kind, "{task}: {}", failure.message);
            }
            let results = agent(&order(task, &[FailureKind::Error]), &Attempt::first()).unwrap();
            assert_eq!(results.passed, results.total - 1);
            assert_eq!(results.failed.len(), 1);
        }
    }

    #[test]
    fn a_wrong_cent_is_named() {
        let failure = calculators(&order("A2", &[FailureKind::Calculation]), &Attempt::first()).unwrap_err();
        assert_eq!(failure.message, "A2: `npv of a purchase a year from now`: expected 1188.44, got 1188.45");
        assert!(failure.details.unwrap().contains("\"error_type\":\"calculation_error\""));
    }
}
