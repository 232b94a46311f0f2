//! Regions: opening, counting down, closing, paths.

use std::fmt::Write;
use std::sync::Arc;

use catalog::Value;
use lang::plan::{Child, NodeId, RegionId};

use super::State;
use super::model::{Activity, ActivityId, Cause, Failed, Form, Instance, InstanceId, Role, Undos, Work};
use crate::core::bugs::Bug;
use crate::core::values::evaluate_held;
use crate::event::{Failure, Payload, RunOutcome};

/// What a region gave.
pub(super) type RegionResult = Result<Value, Box<Failed>>;

impl State {
    /// Opens the entry flow.
    pub(super) fn open_root(&mut self, inputs: Vec<Value>) {
        let plan = self.plan();
        let root = self.activities.insert(Activity::loose(Form::Flow));
        self.root = Some(root);
        self.hold_within(root);
        let Some(flow) = plan.flows.get(plan.entry) else { return };
        self.open_flow(root, plan.entry, flow.body, inputs);
    }

    /// Opens a child of a node with its parameters, then what it captures.
    pub(super) fn open_child(&mut self, owner: ActivityId, role: Role, child: &Child, params: impl IntoIterator<Item = Value>) {
        let Some(activity) = self.activities.get(owner) else { return };
        let around = activity.place.and_then(|(instance, _)| self.instances.get(instance));
        let mut frame: Vec<Option<Value>> = params.into_iter().map(Some).collect();
        if let Some(around) = around {
            frame.extend(child.captures.iter().map(|slot| around.frame.get(slot.0 as usize).cloned().flatten()));
        }
        self.open_region(owner, role, child.region, frame);
    }

    /// Opens a region whose frame begins with these values.
    pub(super) fn open_region(&mut self, owner: ActivityId, role: Role, region: RegionId, mut frame: Vec<Option<Value>>) {
        let plan = self.plan();
        let (Some(shape), Some(activity)) = (plan.regions.get(region), self.activities.get_mut(owner)) else { return };
        let count = shape.nodes.end.saturating_sub(shape.nodes.start);
        frame.resize(shape.inputs as usize + count as usize, None);
        let skip = u32::from(self.bugs.0.has(Bug::GateSkipped));
        let waits_of = |node| plan.nodes.get(node).map_or(0, |node| if node.waits > 1 { node.waits - skip } else { node.waits });
        let nodes = || shape.nodes.clone().map(NodeId::from_u32);
        let id = self.instances.insert(Instance {
            region,
            owner,
            role,
            at: activity.children.len(),
            frame,
            waits: nodes().map(waits_of).collect(),
            remaining: count,
            active: Vec::new(),
            scope: activity.scope,
            closing: None,
            undos: Undos::default(),
        });
        activity.children.push(id);
        if count == 0 {
            self.work.push_back(Work::Finish(id));
            return;
        }
        self.work.extend(nodes().filter(|node| waits_of(*node) == 0).map(|node| Work::Ready(id, node)));
    }

    /// A node's value is there: those that wait for it count down.
    pub(super) fn node_done(&mut self, id: InstanceId, node: NodeId, value: Value) {
        let plan = self.plan();
        self.keep_undo(id, node, Some(&value));
        self.note_result(id, node, &value);
        let Some(instance) = self.instances.get_mut(id) else { return };
        if instance.closing.is_some() {
            return;
        }
        let Some(shape) = plan.regions.get(instance.region) else { return };
        let index = node.as_u32().saturating_sub(shape.nodes.start);
        if let Some(slot) = instance.frame.get_mut((shape.inputs + index) as usize) {
            *slot = Some(value);
        }
        instance.remaining = instance.remaining.saturating_sub(1);
        if instance.remaining == 0 {
            self.work.push_back(Work::Finish(id));
            return;
        }
        let Some(range) = plan.nodes.get(node).map(|node| node.successors.start as usize..node.successors.end as usize) else {
            return;
        };
        for successor in plan.successors.get(range).unwrap_or_default() {
            let index = successor.as_u32().saturating_sub(shape.nodes.start) as usize;
            let Some(waits) = instance.waits.get_mut(index) else { continue };
            if *waits == 0 {
                continue;
            }
            *waits -= 1;
            if *waits == 0 {
                self.work.push_back(Work::Ready(id, *successor));
            }
        }
    }

    /// All nodes are done: the region's value goes to its owner.
    pub(super) fn finish_region(&mut self, id: InstanceId) {
        let plan = self.plan();
        let Some(instance) = self.instances.get(id) else { return };
        if instance.closing.is_some() {
            return;
        }
        let Some(shape) = plan.regions.get(instance.region) else { return };
        match evaluate_held(&shape.result, &instance.frame) {
            Ok(value) => self.close_region(id, Ok(value)),
            Err(failure) => {
                let failed = Box::new(Failed { failure, path: self.path_of_region(id) });
                let Some(instance) = self.instances.get_mut(id) else { return };
                if instance.undos.kept.is_empty() {
                    let failed = instance.undos.tell(failed);
                    self.close_region(id, Err(failed));
                } else {
                    self.close(vec![(id, Cause::Failed(failed))]);
                }
            }
        }
    }

    /// Nothing runs in it any more.
    pub(super) fn settle_region(&mut self, id: InstanceId) {
        if self.instances.get(id).is_none_or(|instance| !instance.active.is_empty()) || self.undo_next(id) {
            return;
        }
        let Some(instance) = self.instances.get_mut(id) else { return };
        let result = match instance.closing.take() {
            None => return,
            Some(Cause::Failed(failed)) => Err(instance.undos.tell(failed)),
            Some(Cause::Returned(value)) => Ok(value),
            Some(Cause::Unwanted) => Ok(Value::Unit),
        };
        self.close_region(id, result);
    }

    fn close_region(&mut self, id: InstanceId, result: RegionResult) {
        let Some(mut instance) = self.instances.remove(id) else { return };
        self.hand_over(instance.owner, std::mem::take(&mut instance.undos), result.is_ok());
        let Some(owner) = self.activities.get_mut(instance.owner) else { return };
        owner.children.swap_remove(instance.at);
        if let Some(moved) = owner.children.get(instance.at).copied()
            && let Some(moved) = self.instances.get_mut(moved)
        {
            moved.at = instance.at;
        }
        self.child_done(instance.owner, instance.role, result);
    }

    /// A node has begun and takes time.
    pub(super) fn add_activity(&mut self, id: InstanceId, node: NodeId, form: Form) -> Option<ActivityId> {
        let instance = self.instances.get_mut(id)?;
        let activity = self.activities.insert(Activity {
            place: Some((id, node)),
            at: instance.active.len(),
            form,
            children: Vec::new(),
            deadline: None,
            own_scopes: Vec::new(),
            scope: instance.scope,
            stopping: None,
        });
        instance.active.push(activity);
        Some(activity)
    }

    /// Takes a node off that has ended; its region settles when it was the last one there.
    pub(super) fn remove_activity(&mut self, id: ActivityId) -> Option<Activity> {
        let activity = self.activities.remove(id)?;
        if let Some(timer) = activity.deadline {
            self.clear_timer(timer);
        }
        for scope in &activity.own_scopes {
            let budget = self.scopes.remove(*scope).and_then(|scope| scope.budget);
            if let Some(timer) = budget.and_then(|budget| budget.timer) {
                self.clear_timer(timer);
            }
        }
        if let Some((place, _)) = activity.place
            && let Some(instance) = self.instances.get_mut(place)
        {
            instance.active.swap_remove(activity.at);
            if let Some(moved) = instance.active.get(activity.at).copied()
                && let Some(moved) = self.activities.get_mut(moved)
            {
                moved.at = activity.at;
            }
            if instance.closing.is_some() && instance.active.is_empty() {
                self.work.push_back(Work::Settle(place));
            }
        }
        Some(activity)
    }

    /// A node that has begun gives its value.
    pub(super) fn complete(&mut self, id: ActivityId, value: Value) {
        let Some(activity) = self.remove_activity(id) else { return };
        match (&activity.form, activity.place) {
            (Form::Hook(form), _) => self.hook_done(id, form, Ok(value)),
            // Its region settles, with the next one.
            (Form::Undo(path), _) => self.note_undo(path, true),
            (_, Some((instance, node))) => self.node_done(instance, node, value),
            (_, None) => self.end(RunOutcome::Succeeded(Payload::Value(value.whole()))),
        }
    }

    /// A node that has begun fails.
    pub(super) fn fail(&mut self, id: ActivityId, failed: Box<Failed>) {
        self.keep_interrupted(id, None);
        self.fail_kept(id, failed);
    }

    /// The same when it is settled whether there is something to take back.
    pub(super) fn fail_kept(&mut self, id: ActivityId, failed: Box<Failed>) {
        let Some(activity) = self.remove_activity(id) else { return };
        match (&activity.form, activity.place) {
            (Form::Hook(form), _) => self.hook_done(id, form, Err(failed)),
            (Form::Undo(_), Some((instance, _))) => self.undo_failed(instance, *failed),
            (_, Some((instance, _))) => self.fail_region(instance, failed),
            (_, None) => self.end(RunOutcome::Failed { failure: failed.failure, path: failed.path }),
        }
    }

    /// A node fails that has not begun, or at its end.
    pub(super) fn fail_node(&mut self, instance: InstanceId, node: NodeId, failure: Failure) {
        let path = self.path(instance, node);
        self.fail_region(instance, Box::new(Failed { failure, path }));
    }

    /// The path of a node, such as `digest/profiles[3]/text.profile`.
    pub(super) fn path(&self, instance: InstanceId, node: NodeId) -> Arc<str> {
        let plan = self.plan();
        let mut parts = Vec::new();
        let mut place = Some((instance, node));
        let mut role = Role::Body;
        let mut undone = None;
        while let Some((instance, node)) = place {
            parts.push((node, role));
            let Some(instance) = self.instances.get(instance) else { break };
            role = instance.role;
            let owner = self.activities.get(instance.owner);
            if let Some(Form::Undo(path)) = owner.map(|owner| &owner.form) {
                undone = Some(path);
                break;
            }
            place = owner.and_then(|owner| owner.place);
        }
        let mut text = String::with_capacity(16 * (parts.len() + 1));
        if let Some(path) = undone {
            text.push_str(path);
            push_role(&mut text, role);
        } else {
            text.push_str(plan.flows.get(plan.entry).map_or("", |flow| &flow.name));
        }
        for (node, role) in parts.into_iter().rev() {
            text.push('/');
            text.push_str(plan.nodes.get(node).map_or("", |node| &node.name));
            push_role(&mut text, role);
        }
        text.into()
    }

    /// The path of the node that opened a region.
    pub(super) fn path_of_region(&self, id: InstanceId) -> Arc<str> {
        let owner = self.instances.get(id).and_then(|instance| self.activities.get(instance.owner));
        if let Some(Form::Undo(path)) = owner.map(|owner| &owner.form) {
            return [path, ".undo"].concat().into();
        }
        match owner.and_then(|owner| owner.place) {
            Some((instance, node)) => self.path(instance, node),
            None => self.plan().flows.get(self.plan().entry).map_or_else(|| "".into(), |flow| Arc::clone(&flow.name)),
        }
    }

    /// The region of the flow around a region: where a `return` goes.
    pub(super) fn flow_around(&self, mut id: InstanceId) -> Option<InstanceId> {
        loop {
            let owner = self.activities.get(self.instances.get(id)?.owner)?;
            if matches!(owner.form, Form::Flow) {
                return Some(id);
            }
            id = owner.place?.0;
        }
    }
}

/// Appends what tells the children of a node apart.
pub(super) fn push_role(text: &mut String, role: Role) {
    // Writing to a `String` cannot fail.
    let _ = match role {
        Role::Body => Ok(()),
        Role::Index(index) => write!(text, "[{index}]"),
        Role::Test(index) => write!(text, ".until[{index}]"),
        Role::Handler => write!(text, ".catch"),
        Role::Exhausted => write!(text, ".else"),
        Role::Undo => write!(text, ".undo"),
        Role::Pair { level, index } => write!(text, "[{level}.{index}]"),
    };
}
