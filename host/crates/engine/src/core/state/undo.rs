//! Taking back what was done: when a region fails or is cancelled, the compensations of its completed nodes run, the
//! last one first and one at a time, before the region ends. On success they go to the region around it.

use std::sync::Arc;

use catalog::{FailureKind, Value};
use lang::plan::{FlowId, NodeId, NodeKind};

use super::State;
use super::model::{ActivityId, Failed, Form, InstanceId, Role, Undo, Undos};
use crate::core::bugs::Bug;
use crate::core::values::failure;
use crate::event::Failure;

/// So many compensations that failed are named.
const MOST_NAMED: usize = 3;

impl Undos {
    /// A failure that says which compensations failed before it could be told.
    pub(super) fn tell(&mut self, mut failed: Box<Failed>) -> Box<Failed> {
        let lost = std::mem::take(&mut self.failed);
        for (path, failure) in lost.iter().take(MOST_NAMED) {
            failed.failure.message.push_str(&format!("; `{path}` failed to undo what was done: {}", failure.message));
        }
        if lost.len() > MOST_NAMED {
            failed.failure.message.push_str(&format!("; {} more failed to undo what was done", lost.len() - MOST_NAMED));
        }
        failed
    }

    /// Takes in those of another region; the longer list stays where it is.
    fn join(&mut self, mut other: Self) {
        if other.kept.len() > self.kept.len() {
            std::mem::swap(&mut self.kept, &mut other.kept);
        }
        self.kept.extend(other.kept);
        self.failed.append(&mut other.failed);
    }
}

impl State {
    /// A node has ended: with a value, or otherwise after it had begun. Keeps what takes it back, with the values that
    /// this needs, because its region may be gone by then.
    pub(super) fn keep_undo(&mut self, id: InstanceId, node: NodeId, value: Option<&Value>) {
        let plan = self.plan();
        let Some(undo) = plan.nodes.get(node).and_then(|node| node.undo.as_ref()) else { return };
        if value.is_none() && !undo.always {
            return;
        }
        let path = self.path(id, node);
        let Some(instance) = self.instances.get_mut(id) else { return };
        let mut frame: Vec<Option<Value>> = if undo.always { Vec::new() } else { vec![value.cloned()] };
        frame.extend(undo.child.captures.iter().map(|slot| instance.frame.get(slot.0 as usize).cloned().flatten()));
        instance.undos.kept.insert(self.next_undo, Undo { path, node, frame });
        self.next_undo += 1;
    }

    /// The same of a node that has begun, by its activity, and did not end by itself.
    pub(super) fn keep_interrupted(&mut self, id: ActivityId, value: Option<&Value>) {
        let Some(activity) = self.activities.get(id) else { return };
        // These two are not what the node itself does.
        let beside = matches!(activity.form, Form::Undo(_) | Form::Hook(_));
        if let (Some((instance, node)), false) = (activity.place, beside) {
            self.keep_undo(instance, node, value);
        }
    }

    /// Begins the next compensation of a region that is ending without success. False when there is none.
    pub(super) fn undo_next(&mut self, id: InstanceId) -> bool {
        let plan = self.plan();
        let in_order = self.bugs.0.has(Bug::UndoInOrder);
        let Some(instance) = self.instances.get_mut(id) else { return false };
        if !instance.closing.as_ref().is_some_and(super::model::Cause::takes_back) {
            return false;
        }
        let kept = &mut instance.undos.kept;
        let next = if in_order { kept.pop_first() } else { kept.pop_last() };
        let Some((_, Undo { path, node, frame })) = next else { return false };
        let Some(undo) = plan.nodes.get(node).and_then(|node| node.undo.as_ref()) else { return false };
        self.note_undo(&path, false);
        let Some(activity) = self.add_activity(id, node, Form::Undo(path)) else { return false };
        self.open_region(activity, Role::Undo, undo.child.region, frame);
        true
    }

    /// A compensation failed: the others run all the same.
    pub(super) fn undo_failed(&mut self, id: InstanceId, failed: Failed) {
        self.not_undone.push((Arc::clone(&failed.path), failed.failure.clone()));
        if let Some(instance) = self.instances.get_mut(id) {
            instance.undos.failed.push((failed.path, failed.failure));
        }
    }

    /// A region has ended: on success what it did belongs to the region around it, and is final in a compensation or
    /// when the run has ended. Compensations that failed are told by the next region that fails.
    pub(super) fn hand_over(&mut self, owner: ActivityId, undos: Undos, success: bool) {
        if success && self.bugs.0.has(Bug::UndoForgotten) {
            return;
        }
        let Some(owner) = self.activities.get(owner) else { return };
        if let (Some((around, _)), false) = (owner.place, matches!(owner.form, Form::Undo(_)))
            && let Some(around) = self.instances.get_mut(around)
        {
            around.undos.join(undos);
        }
    }

    /// Fails the compensations that run: nothing else can stop one.
    pub(super) fn fail_undos(&mut self, failure: &Failure) {
        let running = self.activities.iter().filter_map(|(id, activity)| match &activity.form {
            Form::Undo(path) => Some((id, [path, ".undo"].concat())),
            _ => None,
        });
        for (id, path) in running.collect::<Vec<_>>() {
            self.stop_and_fail(id, failure.clone(), path.into());
        }
    }

    /// A `return` ends the regions between it and its flow with success: what they did belongs to the flow.
    pub(super) fn keep_for_flow(&mut self, mut id: InstanceId, flow: InstanceId) {
        while id != flow {
            let Some(instance) = self.instances.get_mut(id) else { return };
            let (undos, owner) = (std::mem::take(&mut instance.undos), instance.owner);
            self.hand_over(owner, undos, true);
            let Some((around, _)) = self.activities.get(owner).and_then(|owner| owner.place) else { return };
            id = around;
        }
    }

    /// Fails the call of a flow that is open as often as it may be.
    pub(super) fn check_recursion(&self, mut id: InstanceId, called: FlowId) -> Result<(), Failure> {
        let plan = self.plan();
        let Some((flow, bound)) = plan.flows.get(called).and_then(|flow| Some((flow, flow.recursion?))) else { return Ok(()) };
        let mut open = u32::from(called == plan.entry);
        while let Some(owner) = self.instances.get(id).and_then(|instance| self.activities.get(instance.owner)) {
            let Some((around, node)) = owner.place else { break };
            let node = plan.nodes.get(node).filter(|_| matches!(owner.form, Form::Flow));
            open += u32::from(matches!(node.map(|node| &node.kind), Some(NodeKind::Flow { flow, .. }) if *flow == called));
            id = around;
        }
        if open < bound {
            return Ok(());
        }
        let message =
            format!("`{}` is called inside itself more often than its bound allows: `recursive max {bound}`", flow.name);
        Err(failure(FailureKind::Resource, message))
    }
}
