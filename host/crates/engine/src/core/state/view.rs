//! What is open, for people.

use std::sync::Arc;

use catalog::{Name, Type, Value};
use lang::plan::{NodeId, NodeKind};

use super::State;
use super::model::{Activity, ActivityId, Form, HookForm, Instance, InstanceId, Role, Status};
use super::region::push_role;
use crate::core::view::{DoneNode, OpenNode, OpenRegion, Standing, StepStatus};
use crate::event::{TaskId, Timestamp};

impl State {
    /// When the last event was appended.
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// The name under which people find what a step gives, and the type of that.
    pub(crate) fn artifact_of(&self, id: TaskId) -> Option<(Arc<str>, Type)> {
        let task = self.tasks.get(&id)?;
        let name = task.rules.as_ref()?.artifact.as_ref()?;
        Some((Arc::clone(name), self.plan().output_of(task.target)?.clone()))
    }

    /// The node of the open step or message with this path.
    pub(crate) fn node_of(&self, path: &str) -> Option<NodeId> {
        let task = self.tasks.values().find(|task| *task.path == *path).map(|task| task.activity);
        let emit = || self.emits.values().find(|emit| *emit.path == *path).map(|emit| emit.activity);
        let (_, node) = self.activities.get(task.or_else(emit)?)?.place?;
        Some(node)
    }

    /// Open regions by their paths, at most so many, and what belongs to none of them.
    pub(crate) fn view_regions(&self, most: usize) -> Vec<OpenRegion> {
        let mut regions: Vec<OpenRegion> =
            self.instances.iter().take(most).map(|(id, instance)| self.view_region(id, instance)).collect();
        regions.sort_by(|one, other| one.path.cmp(&other.path));
        let hooks: Vec<OpenNode> =
            self.activities.iter().filter_map(|(_, activity)| self.view_hook(activity)).take(most).collect();
        if !hooks.is_empty() {
            let path = "hooks".into();
            let (inputs, done, waiting) = (Vec::new(), Vec::new(), Vec::new());
            regions.push(OpenRegion { path, inputs, done, open: hooks, waiting, closing: false });
        }
        regions
    }

    fn view_region(&self, id: InstanceId, instance: &Instance) -> OpenRegion {
        let plan = self.plan();
        let mut path = self.path_of_region(id).to_string();
        if instance.role != Role::Undo {
            push_role(&mut path, instance.role);
        }
        let shape = plan.regions.get(instance.region);
        let first = shape.map_or(0, |shape| shape.inputs as usize);
        let nodes = shape.map_or(0..0, |shape| shape.nodes.clone()).map(NodeId::from_u32);
        let value = |slot: usize| instance.frame.get(slot).cloned().flatten();
        let results = nodes.clone().zip(first..).filter_map(|(node, slot)| Some((node, value(slot)?)));
        let done = results.map(|(node, value)| DoneNode { node, path: self.path(id, node), value }).collect();
        let waits = nodes.zip(&instance.waits).filter(|(_, waits)| **waits > 0);
        OpenRegion {
            path: path.into(),
            inputs: self.inputs_of(instance),
            done,
            open: instance.active.iter().filter_map(|active| self.view_node(*active)).collect(),
            waiting: waits.map(|(node, _)| node).collect(),
            closing: instance.closing.is_some(),
        }
    }

    /// The parameters of a flow's region.
    fn inputs_of(&self, instance: &Instance) -> Vec<(Name, Value)> {
        let plan = self.plan();
        let Some(owner) = self.activities.get(instance.owner) else { return Vec::new() };
        let flow = match (&owner.form, owner.place) {
            (Form::Flow, None) => Some(plan.entry),
            (Form::Flow, Some((_, node))) => match plan.nodes.get(node).map(|node| &node.kind) {
                Some(NodeKind::Flow { flow, .. }) => Some(*flow),
                _ => None,
            },
            _ => None,
        };
        let params = flow.and_then(|flow| plan.flows.get(flow)).map(|flow| flow.params.as_slice()).unwrap_or_default();
        let values = params.iter().zip(&instance.frame);
        values.filter_map(|(param, value)| Some((Arc::clone(&param.name), value.clone()?))).collect()
    }

    fn view_node(&self, id: ActivityId) -> Option<OpenNode> {
        let activity = self.activities.get(id)?;
        let (instance, node) = activity.place?;
        let path = match &activity.form {
            Form::Undo(of) => [of, ".undo"].concat().into(),
            _ => self.path(instance, node),
        };
        let deadline = activity.deadline.and_then(|timer| self.timer(timer));
        let stopping = activity.stopping.is_some();
        Some(OpenNode { node: Some(node), path, standing: self.standing(id, activity), stopping, deadline })
    }

    /// A handler that is called.
    fn view_hook(&self, activity: &Activity) -> Option<OpenNode> {
        let Form::Hook(form) = &activity.form else { return None };
        let HookForm { task, .. } = **form;
        let path = Arc::clone(&self.tasks.get(&task)?.path);
        Some(OpenNode { node: None, path, standing: self.step(task), stopping: false, deadline: None })
    }

    fn standing(&self, id: ActivityId, activity: &Activity) -> Standing {
        match &activity.form {
            Form::Call(task) => self.step(*task),
            Form::Hook(form) => self.step(form.task),
            Form::Wait(_) => Standing::Wait(self.waiting(id)),
            Form::Emit(task) => self.emits.get(task).map_or(Standing::Inside, |emit| Standing::Emit {
                topic: Arc::clone(&emit.message.topic),
                sending: emit.sending,
            }),
            Form::Map(form) => Standing::Items { done: form.done, of: form.items.len() },
            Form::Fold(form) => Standing::Items { done: form.next, of: form.items.len() },
            Form::Loop(form) => Standing::Iteration { number: form.iteration, max: form.max, value: form.value.clone() },
            Form::Race(form) => Standing::Arms { won: form.winners, wanted: form.wanted, failed: form.failures },
            Form::Flow | Form::Single | Form::Tree(_) | Form::Try | Form::Undo(_) => Standing::Inside,
        }
    }

    fn step(&self, id: TaskId) -> Standing {
        let Some(task) = self.tasks.get(&id) else { return Standing::Inside };
        let status = match task.status {
            Status::Ready => StepStatus::Ready,
            Status::Queued(_) => StepStatus::Place,
            Status::Held => StepStatus::Held,
            Status::Locked => StepStatus::Key,
            Status::Paced(..) => StepStatus::Rate,
            Status::Refused | Status::Fused => StepStatus::Breaker,
            Status::Asking => StepStatus::Hook,
            Status::Running | Status::Sending => StepStatus::Running,
            Status::Backoff(timer) => StepStatus::Retry { until: self.timer(timer) },
            Status::Unknown => StepStatus::Operator,
        };
        Standing::Step { task: id, number: task.number, status, args: task.args.clone() }
    }
}
