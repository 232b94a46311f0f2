//! The timers of a run by their times.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{TimerId, Timestamp};

/// The timers.
#[derive(Default)]
pub(super) struct Timers {
    by_id: BTreeMap<TimerId, Timestamp>,
    by_time: BTreeSet<(Timestamp, TimerId)>,
}

impl Timers {
    /// Sets a timer, or sets it again.
    pub(super) fn set(&mut self, id: TimerId, at: Timestamp) {
        self.clear(id);
        self.by_id.insert(id, at);
        self.by_time.insert((at, id));
    }

    /// Takes a timer off.
    pub(super) fn clear(&mut self, id: TimerId) {
        if let Some(at) = self.by_id.remove(&id) {
            self.by_time.remove(&(at, id));
        }
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes one that is due.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<TimerId> {
        let (at, id) = *self.by_time.first()?;
        if at > now {
            return None;
        }
        self.clear(id);
        Some(id)
    }
}
