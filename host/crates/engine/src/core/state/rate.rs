//! Rates: so many attempts of a node start in any stretch of time of a length.
//!
//! Time is that of the event that lets an attempt start, so a replay counts the same. What then waits for a place of
//! the host or of a class begins later.

use std::collections::VecDeque;

use lang::plan::{NodeId, Rate};

use super::State;
use super::model::{Due, Status};
use crate::core::bugs::Bug;
use crate::core::explain::Condition;
use crate::core::line::{Line, Ticket};
use crate::core::values::milliseconds;
use crate::event::{TaskId, TimerId, Timestamp};

/// The starts of a node's attempts.
#[derive(Debug)]
pub(super) struct Pace {
    rate: Rate,
    /// Those that still count, oldest first; at most as many as the rate permits.
    starts: VecDeque<Timestamp>,
    line: Line,
    timer: Option<TimerId>,
}

impl Pace {
    const fn new(rate: Rate) -> Self {
        Self { rate, starts: VecDeque::new(), line: Line::new(), timer: None }
    }

    /// When the oldest start does not count any more.
    fn next(&self) -> Option<Timestamp> {
        self.starts.front().map(|start| Timestamp(start.0.saturating_add(milliseconds(self.rate.per))))
    }

    fn has_room(&mut self, now: Timestamp) -> bool {
        while self.next().is_some_and(|next| next <= now) {
            self.starts.pop_front();
        }
        self.starts.len() < self.rate.count as usize
    }
}

impl State {
    /// Whether an attempt may start now; if not, the step waits until it may.
    pub(super) fn within_rate(&mut self, id: TaskId) -> bool {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(&id) else { return false };
        let Some((node, rate)) = task.rate() else { return true };
        let pace = self.rates.entry(node).or_insert_with(|| Pace::new(rate));
        if pace.has_room(now) || self.bugs.0.has(Bug::RateIgnored) {
            return true;
        }
        task.status = Status::Paced(node, pace.line.push(task.priority(), id));
        self.set_pace_timer(node);
        false
    }

    /// An attempt starts.
    pub(super) fn count_start(&mut self, id: TaskId) {
        let Some((node, _)) = self.tasks.get(&id).and_then(super::model::Task::rate) else { return };
        if let Some(pace) = self.rates.get_mut(&node) {
            pace.starts.push_back(self.now);
        }
    }

    fn set_pace_timer(&mut self, node: NodeId) {
        let Some(pace) = self.rates.get(&node) else { return };
        let (None, false, Some(next)) = (pace.timer, pace.line.is_empty(), pace.next()) else { return };
        let timer = self.set_timer(next.0.saturating_sub(self.now.0), Due::Rate(node));
        if let Some(pace) = self.rates.get_mut(&node) {
            pace.timer = Some(timer);
        }
    }

    /// The oldest start of a node does not count any more: those that wait start while they may.
    pub(super) fn rate_due(&mut self, node: NodeId) {
        let now = self.now;
        if let Some(pace) = self.rates.get_mut(&node) {
            pace.timer = None;
        }
        while let Some(pace) = self.rates.get_mut(&node) {
            if !pace.has_room(now) {
                break;
            }
            let Some(next) = pace.line.pop() else { break };
            if self.tasks.get(&next).is_some_and(|task| matches!(task.status, Status::Paced(..))) {
                self.start(next);
            }
        }
        self.set_pace_timer(node);
    }

    /// What a step that its rate holds waits for.
    pub(super) fn paced_by(&self, node: NodeId) -> Condition {
        let pace = self.rates.get(&node);
        let (count, per) = pace.map_or((0, 0), |pace| (pace.rate.count, pace.rate.per));
        Condition::Rate { count, per, until: pace.and_then(Pace::next) }
    }

    /// A step does not wait any more.
    pub(super) fn leave_rate(&mut self, node: NodeId, ticket: Ticket) {
        let Some(pace) = self.rates.get_mut(&node) else { return };
        pace.line.leave(ticket);
        if pace.line.is_empty()
            && let Some(timer) = pace.timer.take()
        {
            self.clear_timer(timer);
        }
    }
}
