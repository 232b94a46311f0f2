//! Those who wait for the same: the highest priority goes first, then the highest rank, among equals who came first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::event::TaskId;

/// A place in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(Reverse<i32>, Reverse<u32>, u64);

/// A line of steps.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: BTreeMap<Ticket, TaskId>,
    next: u64,
}

impl Line {
    /// Nobody waits.
    pub(crate) const fn new() -> Self {
        Self { waiting: BTreeMap::new(), next: 0 }
    }

    /// Comes in behind all of this or a higher priority.
    pub(crate) fn push(&mut self, priority: i32, task: TaskId) -> Ticket {
        self.push_ranked(priority, 0, task)
    }

    /// Comes in behind all of a higher priority, of the same and a higher rank, and of the same of both.
    pub(crate) fn push_ranked(&mut self, priority: i32, rank: u32, task: TaskId) -> Ticket {
        let ticket = Ticket(Reverse(priority), Reverse(rank), self.next);
        self.next += 1;
        self.waiting.insert(ticket, task);
        ticket
    }

    /// Takes the first one.
    pub(crate) fn pop(&mut self) -> Option<TaskId> {
        self.waiting.pop_first().map(|(_, task)| task)
    }

    /// The priority and the rank of the first one.
    pub(crate) fn first(&self) -> Option<(i32, u32)> {
        self.waiting.first_key_value().map(|(Ticket(Reverse(priority), Reverse(rank), _), _)| (*priority, *rank))
    }

    /// Takes one out that does not wait any more.
    pub(crate) fn leave(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Line;
    use crate::event::TaskId;

    #[test]
    fn the_highest_priority_goes_first_and_equals_keep_their_order() {
        let mut line = Line::default();
        for (task, priority) in [(0, 0), (1, 5), (2, -1), (3, 5), (4, 0)] {
            line.push(priority, TaskId(task));
        }
        let gone = line.push(9, TaskId(5));
        line.leave(gone);
        assert_eq!(line.first(), Some((5, 0)));
        let order: Vec<u64> = std::iter::from_fn(|| line.pop()).map(|task| task.0).collect();
        assert_eq!(order, [1, 3, 0, 4, 2]);
        for (task, rank) in [(0, 1), (1, 4), (2, 4)] {
            line.push_ranked(0, rank, TaskId(task));
        }
        line.push(1, TaskId(3));
        let order: Vec<u64> = std::iter::from_fn(|| line.pop()).map(|task| task.0).collect();
        assert_eq!(order, [3, 1, 2, 0]);
    }
}
