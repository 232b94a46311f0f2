//! Large books, and what dividing them brings.

use std::ops::Range;

use crate::decimal::Decimal;
use crate::entity::{Entity, Kind};

/// `n` entities of which number `i`, from 1, spends `i` each month: together `n (n + 1) / 2` (Gauss).
#[must_use]
pub fn staff(n: u32, months: u32) -> Vec<Entity> {
    let entity = |i: u32| Entity {
        kind: Kind::Facility,
        name: format!("place {i}"),
        amount: Decimal::whole(i64::from(i)),
        rate: Decimal::ZERO,
        first: 1,
        last: months,
    };
    (1..=n).map(entity).collect()
}

/// `n` items in so many parts in a row, whose sizes differ by one at most.
#[must_use]
pub fn divide(n: usize, parts: usize) -> Vec<Range<usize>> {
    let parts = parts.max(1);
    (0..parts).map(|part| part * n / parts..(part + 1) * n / parts).collect()
}

/// Amdahl's law: the speedup of `workers` when the share `serial` cannot be divided, `1 / (s + (1 − s) / n)` (Amdahl, *Validity of the
/// single processor approach*, 1967).
#[must_use]
pub fn amdahl(serial: f64, workers: f64) -> f64 {
    1.0 / (serial + (1.0 - serial) / workers)
}

/// Gustafson's law: the speedup when the work grows with the workers, `n + (1 − n) s` (Gustafson, *Reevaluating Amdahl's law*, 1988).
pub(crate) fn gustafson(serial: f64, workers: f64) -> f64 {
    workers + (1.0 - workers) * serial
}

#[cfg(test)]
mod tests {
    use super::{divide, staff};
    use crate::forecast::forecast;

    #[test]
    fn the_sum_is_the_closed_form() {
        let ledger = forecast(0, &staff(100, 6), 1..=6).unwrap();
        assert!(ledger.lines.iter().all(|line| line.outflow == 505_000));
        assert_eq!(ledger.work, 600);
    }

    #[test]
    fn parts_cover_everything_once() {
        for (n, parts) in [(10, 3), (2, 4), (0, 2), (7, 7), (5, 0)] {
            let ranges = divide(n, parts);
            let all: Vec<usize> = ranges.iter().cloned().flatten().collect();
            assert_eq!(all, (0..n).collect::<Vec<_>>());
            let sizes = || ranges.iter().map(ExactSizeIterator::len);
            assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1);
        }
    }
}
