//! Limits on the steps that run at once: places are taken by priority, then in the order of asking.

use super::State;
use super::model::{ActivityId, Scope, ScopeId, Status};
use crate::core::bugs::Bug;
use crate::core::line::Line;
use crate::event::TaskId;

impl State {
    /// Limits the steps in a node, inside the limits around it.
    pub(super) fn add_scope(&mut self, id: ActivityId, limit: u32) {
        let Some(activity) = self.activities.get_mut(id) else { return };
        let (limit, parent) = (limit.max(1), activity.scope);
        let scope = self.scopes.insert(Scope { limit, running: 0, parent, queue: Line::new(), budget: None });
        activity.scope = Some(scope);
        activity.own_scopes.push(scope);
    }

    /// Takes a place in all scopes around a step, or queues it at the innermost full one.
    pub(super) fn take_place(&mut self, task: TaskId, innermost: Option<ScopeId>) -> bool {
        let mut at = innermost;
        while let Some(id) = at {
            let Some(scope) = self.scopes.get_mut(id) else { break };
            if scope.running >= scope.limit {
                if let Some(of) = self.tasks.get_mut(&task) {
                    scope.queue.push(of.priority(), task);
                    of.status = Status::Queued(id);
                }
                return false;
            }
            at = scope.parent;
        }
        let mut at = innermost;
        while let Some(scope) = at.and_then(|id| self.scopes.get_mut(id)) {
            scope.running += 1;
            at = scope.parent;
        }
        true
    }

    /// Gives a step's place back and starts those that waited for one.
    pub(super) fn give_place(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        if !std::mem::take(&mut task.placed) {
            return;
        }
        if task.failures > 0 && self.bugs.0.has(Bug::PlaceLeaked) {
            return;
        }
        let innermost = task.scope;
        let mut at = innermost;
        while let Some(scope) = at.and_then(|id| self.scopes.get_mut(id)) {
            scope.running = scope.running.saturating_sub(1);
            at = scope.parent;
        }
        at = innermost;
        while let Some(id) = at {
            self.fill_places(id);
            at = self.scopes.get(id).and_then(|scope| scope.parent);
        }
    }

    /// Starts steps that wait for a place while there is one. A step that finds an outer scope full waits there.
    fn fill_places(&mut self, id: ScopeId) {
        while let Some(scope) = self.scopes.get_mut(id) {
            if scope.running >= scope.limit {
                return;
            }
            let Some(next) = scope.queue.pop() else { return };
            if self.tasks.get(&next).is_some_and(|task| task.status == Status::Queued(id)) {
                self.start(next);
            }
        }
    }
}
