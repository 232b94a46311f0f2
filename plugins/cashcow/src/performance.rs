//! C1 to C3: what large books cost. Work is counted, not timed, so that the figures are the same on every machine.

use std::time::Instant;

use finance::{Decimal, Ledger, Line, amdahl, divide, forecast, staff};

use crate::bench::{Attempt, Bench};
use crate::bindings::exports::flowhost::cashcow::agents::{Assignment, Benchmark, Profile, Scale};
use crate::bindings::flowhost::plugin::failure::Failure;
use crate::{calculation, invalid_input};

/// The most entities of a book.
const MOST: u32 = 1_000_000;
/// How often the memory profile does the same again.
const ROUNDS: u32 = 4;

/// A large book, against the closed form of its sum.
pub(crate) fn large(order: &Assignment, attempt: &Attempt, entities: u32, months: u32) -> Result<Scale, Failure> {
    let mut bench = Bench::new(order, attempt)?;
    // What a whole book does not fit into, half of it may.
    let entities = within(if attempt.was_out_of_memory { entities / 2 } else { entities }, months)?;
    let started = Instant::now();
    let (small, ledger) = (year(entities / 2, months)?, year(entities, months)?);
    let seconds = started.elapsed().as_secs_f64();
    let monthly = monthly_sum(entities);
    for line in &ledger.lines {
        bench.equal(&format!("outflow of month {}", line.month), &monthly.to_string(), &line.outflow.to_string());
    }
    bench.equal("closing balance", &(-monthly * i64::from(months)).to_string(), &ledger.closing().to_string());
    let expected = u64::from(entities) * u64::from(months);
    bench.equal("work is entities times months", &expected.to_string(), &ledger.work.to_string());
    bench.holds("work grows with the entities and not faster", small.work * 2 <= ledger.work);
    bench.exercise("sum");
    bench.exercise("work");
    bench.figure("entities", entities.to_string());
    bench.figure("work", ledger.work.to_string());
    bench.figure("outflow of a month", Decimal::cents(monthly).show(2));
    let results = bench.results(["sum", "work"])?;
    Ok(Scale { results, entities, work: ledger.work, memory: (attempt.memory)(), seconds })
}

/// `n (n + 1) / 2` in cents.
fn monthly_sum(entities: u32) -> i64 {
    let n = i64::from(entities);
    n * (n + 1) / 2 * 100
}

fn year(entities: u32, months: u32) -> Result<Ledger, Failure> {
    forecast(0, &staff(entities, months), 1..=months).map_err(|error| calculation(&error))
}

fn within(entities: u32, months: u32) -> Result<u32, Failure> {
    if entities == 0 || entities > MOST || months == 0 || months > finance::MAX_MONTHS {
        let bounds = format!("1 to {MOST} entities and 1 to {} months", finance::MAX_MONTHS);
        return Err(invalid_input(&format!("{entities} entities over {months} months are not within {bounds}")));
    }
    Ok(entities)
}

/// The same work in parts. The speedup is work over span (Cormen and others, *Introduction to Algorithms*, chapter on multithreaded
/// algorithms): the parts run at once, their sums are joined one after the other.
pub(crate) fn divided(
    order: &Assignment,
    attempt: &Attempt,
    entities: u32,
    months: u32,
    workers: u32,
) -> Result<Benchmark, Failure> {
    let mut bench = Bench::new(order, attempt)?;
    let all = staff(within(entities, months)?, months);
    if !(1..=entities.min(1_000)).contains(&workers) {
        return Err(invalid_input(&format!("{workers} workers are not within 1 and the entities, at most 1000")));
    }
    let whole = forecast(0, &all, 1..=months).map_err(|error| calculation(&error))?;
    let mut joined = Ledger {
        lines: whole.lines.iter().map(|line| Line { month: line.month, ..Line::default() }).collect(),
        ..Ledger::default()
    };
    let mut longest = 0;
    for range in divide(all.len(), workers as usize) {
        let part = forecast(0, all.get(range).unwrap_or_default(), 1..=months).map_err(|error| calculation(&error))?;
        longest = longest.max(part.work);
        joined = joined.join(&part).ok_or_else(|| calculation(&"the sum of the parts is out of range"))?;
    }
    bench.holds("the parts make the whole", joined.lines == whole.lines);
    bench.equal("no work is done twice", &whole.work.to_string(), &joined.work.to_string());
    let joins = u64::from(months) * u64::from(workers - 1);
    let speedup = (whole.work + joins) as f64 / (longest + joins) as f64;
    let bound = amdahl(joins as f64 / (whole.work + joins) as f64, f64::from(workers));
    bench.holds("not above the number of workers", speedup <= f64::from(workers));
    bench.holds("not above Amdahl's bound", speedup <= bound * (1.0 + 1e-12));
    bench.equal("Amdahl's law", "10.2564", &format!("{:.4}", amdahl(0.05, 20.0)));
    bench.exercise("speedup");
    bench.figure("workers", workers.to_string());
    bench.figure("speedup", format!("{speedup:.3}"));
    bench.figure("Amdahl's bound", format!("{bound:.3}"));
    Ok(Benchmark { results: bench.results(["speedup"])?, speedup, bound })
}

/// How much of the memory holds data, and whether it comes back.
pub(crate) fn memory(order: &Assignment, attempt: &Attempt, entities: u32, months: u32) -> Result<Profile, Failure> {
    let mut bench = Bench::new(order, attempt)?;
    let entities = within(if attempt.was_out_of_memory { entities / 2 } else { entities }, months)?;
    let before = (attempt.memory)();
    let lines = matrix(entities, months);
    let grown = (attempt.memory)().saturating_sub(before);
    let live = (lines.len() * size_of::<Line>()) as u64;
    let efficiency = if grown == 0 { 1.0 } else { (live as f64 / grown as f64).min(1.0) };
    let sum: i64 = lines.iter().map(|line| line.outflow).sum();
    bench.equal("sum of all lines", &(monthly_sum(entities) * i64::from(months)).to_string(), &sum.to_string());
    drop(lines);
    bench.progress(50, "efficiency");
    year(entities, months)?;
    let settled = (attempt.memory)();
    for _ in 1..ROUNDS {
        year(entities, months)?;
    }
    let leaked = (attempt.memory)().saturating_sub(settled);
    bench.equal("bytes that did not come back", "0", &leaked.to_string());
    bench.exercise("efficiency");
    bench.exercise("leaks");
    bench.figure("bytes of data", live.to_string());
    bench.figure("memory efficiency", format!("{efficiency:.3}"));
    Ok(Profile { results: bench.results(["efficiency", "leaks"])?, efficiency, leaked })
}

/// A line for each entity and month, in one piece of memory.
fn matrix(entities: u32, months: u32) -> Vec<Line> {
    let mut lines = Vec::with_capacity(entities as usize * months as usize);
    for entity in 1..=entities {
        lines.extend((1..=months).map(|month| Line { month, inflow: 0, outflow: i64::from(entity) * 100 }));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{divided, large, memory};
    use crate::bench::Attempt;
    use crate::bindings::exports::flowhost::cashcow::agents::Assignment;
    use crate::bindings::flowhost::plugin::failure::FailureKind;

    fn order(task: &str) -> Assignment {
        Assignment { task: task.into(), expert: "tester".into(), inject: Vec::new() }
    }

    #[test]
    fn a_large_book_has_the_closed_form() {
        let scale = large(&order("C1"), &Attempt::first(), 100, 12).unwrap();
        assert_eq!(scale.results.failed, []);
        assert_eq!((scale.entities, scale.work), (100, 1200));
        let after = Attempt { was_out_of_memory: true, ..Attempt::first() };
        assert_eq!(large(&order("C1"), &after, 100, 12).unwrap().entities, 50);
        assert_eq!(large(&order("C1"), &Attempt::first(), 0, 12).unwrap_err().kind, FailureKind::InvalidInput);
    }

    #[test]
    fn four_workers_are_nearly_four_times_as_fast() {
        let bench = divided(&order("C2"), &Attempt::first(), 1000, 12, 4).unwrap();
        assert_eq!(bench.results.failed, []);
        // (12000 + 36) / (3000 + 36)
        assert!((bench.speedup - 3.9644).abs() < 1e-4, "{}", bench.speedup);
        let one = divided(&order("C2"), &Attempt::first(), 10, 12, 1).unwrap();
        assert_eq!((one.speedup, one.bound), (1.0, 1.0));
        assert_eq!(divided(&order("C2"), &Attempt::first(), 10, 12, 11).unwrap_err().kind, FailureKind::InvalidInput);
    }

    #[test]
    fn memory_that_does_not_come_back_is_a_failed_check() {
        let profile = memory(&order("C3"), &Attempt::first(), 100, 12).unwrap();
        assert_eq!((profile.results.failed.len(), profile.efficiency, profile.leaked), (0, 1.0, 0));
        thread_local!(static SIZE: Cell<u64> = const { Cell::new(0) });
        let growing = Attempt { memory: || SIZE.replace(SIZE.get() + 57_600), ..Attempt::first() };
        let profile = memory(&order("C3"), &growing, 100, 12).unwrap();
        assert_eq!((profile.efficiency, profile.leaked), (0.5, 57_600));
        assert_eq!(profile.results.failed[0].test, "bytes that did not come back");
    }
}
