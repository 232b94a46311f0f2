//! Keys: of the steps of a run with an equal key one runs at a time.
//!
//! A step takes its key before anything else and holds it until it is over, waits and retries included. What comes
//! after it (breaker, rate, place) is never held while a step waits for something, so there is no circle.

use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::State;
use super::model::{Status, Work};
use crate::core::bugs::Bug;
use crate::core::line::Line;
use crate::event::TaskId;

/// A key that a step holds.
#[derive(Debug)]
pub(super) struct Key {
    holder: TaskId,
    line: Line,
}

impl State {
    /// Takes the key of a step, or lets it wait for it.
    pub(super) fn take_key(&mut self, id: TaskId) -> bool {
        let Some(task) = self.tasks.get_mut(&id) else { return false };
        let Some(name) = task.key().map(Arc::clone) else { return true };
        match self.keys.entry(name) {
            Entry::Vacant(place) => {
                place.insert(Key { holder: id, line: Line::default() });
                true
            }
            Entry::Occupied(key) if key.get().holder == id => true,
            Entry::Occupied(mut key) => {
                key.get_mut().line.push(task.priority(), id);
                task.status = Status::Locked;
                false
            }
        }
    }

    /// The key of a step, and who has it.
    pub(super) fn locked_by(&self, id: TaskId) -> (Arc<str>, Option<TaskId>) {
        let key = self.tasks.get(&id).and_then(|task| task.key().cloned()).unwrap_or_default();
        let holder = self.keys.get(&key).map(|key| key.holder);
        (key, holder)
    }

    /// A step is over. Who has its key next is decided when what follows from its end has been done: a failure may end those that wait.
    pub(super) fn give_key(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get(&id) else { return };
        let Some(name) = task.key().map(Arc::clone) else { return };
        if task.failures > 0 && self.bugs.0.has(Bug::KeyNotReleased) {
            return;
        }
        if self.keys.get(&name).is_some_and(|key| key.holder == id) {
            self.work.push_back(Work::Unlock(name));
        }
    }

    /// The first of those that wait for a key has it now.
    pub(super) fn unlock(&mut self, name: &Arc<str>) {
        while let Some(next) = self.keys.get_mut(name).and_then(|key| key.line.pop()) {
            if !self.waits_as(next, Status::Locked) {
                continue;
            }
            if let Some(key) = self.keys.get_mut(name) {
                key.holder = next;
            }
            self.start(next);
            return;
        }
        self.keys.remove(name);
    }
}
