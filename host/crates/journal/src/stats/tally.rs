//! What the attempts of a node come to.

use engine::event::{Attempt, Bill, CacheNote, EventBody};

use super::histogram::Histogram;

/// What attempts come to. Attempts count when they end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Gave a result.
    pub succeeded: u64,
    /// Failed.
    pub failed: u64,
    /// Were stopped.
    pub cancelled: u64,
    /// Had begun when their host died.
    pub unknown: u64,
    /// Those of all that were not the first of their step.
    pub retries: u64,
    /// Results out of the cache.
    pub hits: u64,
    /// Units of fuel, summed.
    pub fuel: u64,
    /// The most memory of one attempt, in bytes.
    pub memory: u64,
    /// Wall time in microseconds, summed.
    pub wall: u64,
    /// Wall times in microseconds of the attempts that gave a result or failed, without what came out of the cache.
    pub walls: Histogram,
}

impl Tally {
    /// All that ended.
    #[must_use]
    pub const fn attempts(&self) -> u64 {
        self.succeeded + self.failed + self.cancelled + self.unknown
    }

    /// Adds what another one has.
    pub fn merge(&mut self, other: &Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.cancelled += other.cancelled;
        self.unknown += other.unknown;
        self.retries += other.retries;
        self.hits += other.hits;
        self.fuel = self.fuel.saturating_add(other.fuel);
        self.memory = self.memory.max(other.memory);
        self.wall = self.wall.saturating_add(other.wall);
        self.walls.merge(&other.walls);
    }

    /// Adds the end of an attempt.
    pub(super) fn add(&mut self, body: &EventBody) {
        match body {
            EventBody::AttemptSucceeded { attempt, bill, cache, .. } => {
                self.succeeded += 1;
                self.ended(attempt);
                if *cache == Some(CacheNote::Hit) {
                    self.hits += 1;
                } else {
                    self.bill(bill);
                }
            }
            EventBody::AttemptFailed { attempt, bill, .. } => {
                self.failed += 1;
                self.ended(attempt);
                self.bill(bill);
            }
            EventBody::AttemptCancelled { attempt, .. } => {
                self.cancelled += 1;
                self.ended(attempt);
            }
            EventBody::OutcomeUnknown { attempt, .. } => {
                self.unknown += 1;
                self.ended(attempt);
            }
            _ => {}
        }
    }

    fn ended(&mut self, attempt: &Attempt) {
        self.retries += u64::from(attempt.number > 1);
    }

    fn bill(&mut self, bill: &Bill) {
        self.fuel = self.fuel.saturating_add(bill.fuel);
        self.memory = self.memory.max(bill.peak_memory);
        self.wall = self.wall.saturating_add(bill.wall);
        self.walls.add(bill.wall);
    }
}

/// The node of a path: `research/findings[3]/search.find` and `research/findings[]/search.find` are the same one.
pub(super) fn node_of(path: &str) -> String {
    let mut node = String::with_capacity(path.len());
    let mut inside = false;
    for letter in path.chars() {
        match letter {
            '[' => inside = true,
            ']' => {
                inside = false;
                node.push_str("[]");
            }
            _ if inside => {}
            _ => node.push(letter),
        }
    }
    node
}

#[cfg(test)]
mod tests {
    use super::node_of;

    #[test]
    fn items_and_iterations_of_a_node_are_one() {
        for (path, node) in [
            ("main/a", "main/a"),
            ("main/a[0]/b", "main/a[]/b"),
            ("main/tree[1.20]/join", "main/tree[]/join"),
            ("main/x.until[3]/score", "main/x.until[]/score"),
            ("", ""),
        ] {
            assert_eq!(node_of(path), node);
        }
    }
}
