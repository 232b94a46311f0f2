//! Counts of lengths of time, from which percentiles are read.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Each power of two is cut into so many parts: what is read is wrong by at most a thirty-second of it.
const PARTS: u64 = 32;

/// How often which length of time was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: BTreeMap<u16, u64>,
    largest: u64,
}

impl Histogram {
    /// Adds one.
    pub fn add(&mut self, value: u64) {
        *self.counts.entry(part_of(value)).or_default() += 1;
        self.largest = self.largest.max(value);
    }

    /// Adds all that another one has.
    pub fn merge(&mut self, other: &Self) {
        for (part, count) in &other.counts {
            *self.counts.entry(*part).or_default() += count;
        }
        self.largest = self.largest.max(other.largest);
    }

    /// How many were added.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The largest one, exactly.
    #[must_use]
    pub const fn largest(&self) -> u64 {
        self.largest
    }

    /// What so many of a hundred do not exceed, to about three of a hundred; none of nothing.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<u64> {
        let rank = (self.count().saturating_mul(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        let part = self.counts.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        });
        part.map(|(part, _)| last_of(*part).min(self.largest))
    }

    /// As it is stored, beside the largest one: `part:count` with blanks between.
    pub(super) fn to_text(&self) -> String {
        let mut text = String::new();
        for (part, count) in &self.counts {
            let separator = if text.is_empty() { "" } else { " " };
            let _ = write!(text, "{separator}{part}:{count}");
        }
        text
    }

    /// Reads what [`Histogram::to_text`] wrote.
    pub(super) fn from_text(text: &str, largest: u64) -> Option<Self> {
        let pair = |pair: &str| {
            let (part, count) = pair.split_once(':')?;
            Some((part.parse().ok()?, count.parse().ok()?))
        };
        let counts = text.split_whitespace().map(pair).collect::<Option<_>>()?;
        Some(Self { counts, largest })
    }
}

/// Small values have a part each; above, a power of two has [`PARTS`].
fn part_of(value: u64) -> u16 {
    let bits = u64::BITS - value.leading_zeros();
    let shift = u64::from(bits.saturating_sub(6));
    let part = if shift == 0 { value } else { (shift * PARTS) + (value >> shift) };
    u16::try_from(part).unwrap_or(u16::MAX)
}

/// The largest value of a part.
fn last_of(part: u16) -> u64 {
    let part = u64::from(part);
    if part < 2 * PARTS {
        return part;
    }
    let shift = part / PARTS - 1;
    let first = (part - shift * PARTS) << shift;
    first + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::{Histogram, last_of, part_of};

    #[test]
    fn each_value_is_in_a_part_that_ends_close_above_it() {
        let values = (0..5_000).chain((6..64).flat_map(|bits| {
            let first = 1_u64 << bits;
            [first - 1, first, first + 1, first + first / 3]
        }));
        let mut before = 0;
        for value in values {
            let last = last_of(part_of(value));
            assert!(last >= value && last - value <= value / 32, "{value} is in a part that ends at {last}");
            assert!(part_of(value) >= before || value < 5_000, "{value}");
            before = part_of(value);
        }
        assert!(part_of(u64::MAX) < u16::MAX);
    }

    #[test]
    fn percentiles_are_those_of_what_was_added() {
        let mut all = Histogram::default();
        assert_eq!((all.percentile(50), all.count(), all.largest()), (None, 0, 0));
        (1..=1000).for_each(|value| all.add(value * 100));
        let close = |found: u64, exact: u64| found >= exact && found <= exact + exact / 32;
        for (percent, exact) in [(50, 50_000), (90, 90_000), (99, 99_000), (1, 1_000)] {
            assert!(close(all.percentile(percent).unwrap(), exact), "{percent}");
        }
        assert_eq!(all.percentile(100), Some(100_000));
        let mut twice = Histogram::from_text(&all.to_text(), all.largest()).unwrap();
        assert_eq!(twice, all);
        twice.merge(&all);
        assert_eq!((twice.count(), twice.percentile(50)), (2000, all.percentile(50)));
    }

    #[test]
    fn what_is_not_a_stored_histogram_is_refused() {
        for text in ["1", "a:1", "1:b", "1:1,2:2", "-1:3"] {
            assert_eq!(Histogram::from_text(text, 1), None, "{text}");
        }
    }
}
