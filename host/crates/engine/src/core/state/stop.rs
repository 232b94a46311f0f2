//! Ending what is no longer wanted: first nothing new starts in it, then what runs is stopped, then it settles.

use std::sync::Arc;

use catalog::Value;

use super::State;
use super::model::{ActivityId, Cause, Failed, Form, InstanceId, Status, Stop, Work};
use crate::core::bugs::Bug;
use crate::event::{Failure, RunOutcome, TaskId};

impl State {
    /// A node of the region failed: all others in it are stopped, then the region fails.
    pub(super) fn fail_region(&mut self, id: InstanceId, failed: Box<Failed>) {
        if self.bugs.0.has(Bug::FailedWithoutStopping)
            && let Some(instance) = self.instances.get(id)
            && instance.closing.is_none()
            && !instance.active.is_empty()
        {
            self.bypass_stop(id, failed);
            return;
        }
        self.close(vec![(id, Cause::Failed(failed))]);
    }

    /// The planted form of [`Self::fail_region`]: the owner goes on at once.
    fn bypass_stop(&mut self, id: InstanceId, failed: Box<Failed>) {
        let Some(owner) = self.instances.get(id).map(|instance| instance.owner) else { return };
        self.fail(owner, failed);
    }

    /// Ends regions; what is in them is not wanted any more.
    pub(super) fn close(&mut self, mut stack: Vec<(InstanceId, Cause)>) {
        while let Some((id, cause)) = stack.pop() {
            let Some(instance) = self.instances.get_mut(id) else { continue };
            if instance.closing.is_some() {
                // All in it is being stopped already; only its own outcome may have become unwanted.
                if matches!(cause, Cause::Unwanted) {
                    instance.closing = Some(cause);
                }
                continue;
            }
            instance.closing = Some(cause);
            if instance.active.is_empty() {
                self.work.push_back(Work::Settle(id));
                continue;
            }
            for activity in instance.active.clone() {
                self.stop(activity, Stop::Unwanted, &mut stack);
            }
        }
    }

    /// Ends a node: children go onto the stack, an attempt is told to stop.
    fn stop(&mut self, id: ActivityId, why: Stop, stack: &mut Vec<(InstanceId, Cause)>) {
        let Some(activity) = self.activities.get_mut(id) else { return };
        if activity.stopping.is_some() {
            if matches!(why, Stop::Unwanted) {
                activity.stopping = Some(why);
            }
            return;
        }
        activity.stopping = Some(why);
        stack.extend(activity.children.iter().map(|child| (*child, Cause::Unwanted)));
        let waits_for_children = !activity.children.is_empty();
        let waits_for_attempt = match activity.form {
            Form::Call(task) => self.stop_task(task),
            Form::Hook(ref form) => {
                let task = form.task;
                self.stop_task(task)
            }
            Form::Wait(_) => {
                self.close_wait(id);
                false
            }
            Form::Emit(task) => {
                self.emits.remove(&task);
                false
            }
            _ => false,
        };
        if !waits_for_children && !waits_for_attempt {
            self.work.push_back(Work::Stopped(id));
        }
    }

    /// Stops a step. Gives whether an attempt has to end first.
    fn stop_task(&mut self, id: TaskId) -> bool {
        let Some(task) = self.tasks.get(&id) else { return false };
        match task.status {
            Status::Running => {
                let number = task.number;
                self.stop_attempt(id, number);
                true
            }
            Status::Sending => self.stop_sending(id),
            Status::Backoff(timer) => {
                self.clear_timer(timer);
                false
            }
            Status::Paced(node, ticket) => {
                self.leave_rate(node, ticket);
                false
            }
            // INVARIANT: queues skip a step that is not in the state in which it was queued, or is being stopped, or is gone.
            Status::Ready | Status::Queued(_) | Status::Held | Status::Asking | Status::Unknown => false,
            Status::Locked | Status::Refused | Status::Fused => false,
        }
    }

    /// A node fails, but all in it is stopped first.
    pub(super) fn stop_and_fail(&mut self, id: ActivityId, failure: Failure, path: Arc<str>) {
        let mut stack = Vec::new();
        self.stop(id, Stop::Failed(Box::new(Failed { failure, path })), &mut stack);
        self.close(stack);
    }

    /// All in a node that was told to stop has ended.
    pub(super) fn activity_stopped(&mut self, id: ActivityId) {
        self.activity_stopped_with(id, None);
    }

    /// The same of a step that gave a value all the same, which is to be taken back.
    pub(super) fn activity_stopped_with(&mut self, id: ActivityId, value: Option<&Value>) {
        let Some(activity) = self.activities.get_mut(id) else { return };
        if !activity.children.is_empty() {
            return;
        }
        let Some(stopping) = activity.stopping.take() else { return };
        let task = match &activity.form {
            Form::Call(task) => Some(*task),
            Form::Hook(form) => Some(form.task),
            _ => None,
        };
        let unsent = task.and_then(|task| self.unsent(task));
        let value = value.or(unsent.as_ref());
        self.note_late_result(id, value, unsent.is_none());
        if task.is_none_or(|task| self.has_begun(task)) {
            self.keep_interrupted(id, value);
        }
        if let Some(task) = task {
            self.forget_task(task);
        }
        match stopping {
            Stop::Failed(failed) => self.fail_kept(id, failed),
            Stop::Unwanted => {
                let was_root = self.root == Some(id);
                self.remove_activity(id);
                if was_root {
                    self.end(RunOutcome::Cancelled);
                }
            }
        }
    }

    /// Stops everything.
    pub(super) fn stop_root(&mut self) {
        if self.stop_asking() {
            self.end(RunOutcome::Cancelled);
        }
        let Some(root) = self.root else { return };
        let mut stack = Vec::new();
        self.stop(root, Stop::Unwanted, &mut stack);
        self.close(stack);
        self.release_held();
    }

    /// Stops something that no region waits for.
    pub(super) fn stop_loose(&mut self, id: ActivityId) {
        let mut stack = Vec::new();
        self.stop(id, Stop::Unwanted, &mut stack);
        self.close(stack);
    }

    /// Stops everything and fails the run.
    pub(super) fn fail_root(&mut self, failure: Failure, path: Arc<str>) {
        let Some(root) = self.root else { return };
        self.stop_and_fail(root, failure, path);
    }
}
