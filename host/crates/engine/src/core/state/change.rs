//! Changes that an operator makes in a run that goes on: settings and results of steps that have not begun, and input that
//! nothing has used.

use std::sync::Arc;

use catalog::{Type, Value};
use lang::plan::{NodeId, NodeKind, Plan, Slot, Target};

use super::State;
use super::model::{Activity, ActivityId, Backoff, Form, Instance, InstanceId, Role, Rules, Status, Task};
use crate::core::bugs::Bug;
use crate::core::place::{Place, opens_after};
use crate::core::values::decode;
use crate::event::{Change, Payload, Settings, TaskId};

/// Whether a node has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    NotYet,
    Begun,
    /// It has ended, or will not begin any more.
    Over,
}

impl State {
    /// Whether a change can be made now.
    ///
    /// # Errors
    /// Says why not, for people.
    pub(crate) fn check_change(&self, change: &Change) -> Result<(), String> {
        if self.cancelled || self.outcome.is_some() || self.is_ending() {
            return Err("the run is ending".to_owned());
        }
        match change {
            Change::Policy { path, .. } => self.unbegun(path).map(drop),
            Change::Result { path, output } => {
                let plan = self.plan();
                self.unbegun(path)?
                    .into_iter()
                    .filter_map(|target| plan.output_of(target))
                    .try_for_each(|ty| decode(output, ty).map(drop).map_err(|error| format!("`{path}` gives `{ty}`: {error}")))
            }
            Change::Input { name, value } => self.input_slot(name, value).map(drop),
        }
    }

    /// Makes a change. One that has come too late means nothing.
    pub(super) fn change(&mut self, change: &Change) {
        if self.check_change(change).is_err() {
            return;
        }
        match change {
            Change::Policy { path, settings } => {
                if self.bugs.0.has(Bug::SettingForgotten) {
                    return;
                }
                self.settings.entry(Arc::clone(path)).or_default().join(settings);
                if let Some(id) = self.task_at(path) {
                    self.set_open(id, settings);
                    self.start_anew(id);
                }
            }
            Change::Result { path, output } => {
                self.supply(path, output);
                if let Some(id) = self.task_at(path) {
                    self.start_anew(id);
                }
            }
            Change::Input { name, value } => {
                let Ok((instance, slot, value)) = self.input_slot(name, value) else { return };
                let frame = self.instances.get_mut(instance).map(|instance| &mut instance.frame);
                if let Some(place) = frame.and_then(|frame| frame.get_mut(slot.0 as usize)) {
                    *place = Some(value);
                }
            }
        }
    }

    /// What an operator set for the step at this path.
    pub(super) fn settings_of(&self, path: &str) -> Option<&Settings> {
        self.settings.get(path)
    }

    /// Changes a step that is ready and has not begun.
    fn set_open(&mut self, id: TaskId, settings: &Settings) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let node = self.activities.get(task.activity).and_then(|activity| activity.place).map(|(_, node)| node);
        if let Some(node) = node {
            set(task, node, settings);
        }
        let activity = task.activity;
        if let Some(deadline) = settings.deadline {
            if let Some(timer) = self.activities.get_mut(activity).and_then(|activity| activity.deadline.take()) {
                self.clear_timer(timer);
            }
            self.set_deadline(activity, deadline);
        }
    }

    /// Starts a step that waits for something as if it had become ready now. Lines skip it where it stood before.
    fn start_anew(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let before = std::mem::replace(&mut task.status, Status::Ready);
        if let Status::Paced(node, ticket) = before {
            self.leave_rate(node, ticket);
        }
        self.start(id);
    }

    fn task_at(&self, path: &str) -> Option<TaskId> {
        self.tasks.iter().find(|(_, task)| *task.path == *path).map(|(id, _)| *id)
    }

    /// What a step calls that has not begun.
    fn unbegun(&self, path: &str) -> Result<Vec<Target>, String> {
        let plan = self.plan();
        let places = Place::find(&plan, path);
        if places.is_empty() {
            return Err(format!("the flow has no step `{path}`"));
        }
        let targets: Option<Vec<Target>> = places.iter().map(|place| target(&plan, place)).collect();
        let Some(targets) = targets else { return Err(format!("`{path}` is not a step")) };
        if let Some((id, task)) = self.task_at(path).and_then(|id| Some((id, self.tasks.get(&id)?))) {
            return match task.status {
                Status::Asking => Err(format!("a handler is being asked about `{path}`")),
                _ if self.has_begun(id) || self.is_stopping(task.activity) => Err(format!("`{path}` has begun")),
                Status::Running | Status::Sending | Status::Unknown | Status::Refused | Status::Backoff(_) => {
                    Err(format!("`{path}` has begun"))
                }
                _ => Ok(targets),
            };
        }
        if places.iter().any(|place| self.stage(place) == Stage::NotYet) {
            Ok(targets)
        } else {
            Err(format!("`{path}` has ended, or does not come any more"))
        }
    }

    /// How far a node is that is no open step.
    fn stage(&self, place: &Place) -> Stage {
        let plan = self.plan();
        let Some(root) = self.root else { return if self.is_asking() { Stage::NotYet } else { Stage::Over } };
        let mut open = self.child(root, Role::Body, place.parts().next().map(|(node, _)| node));
        let mut parts = place.parts().peekable();
        while let Some((node, role)) = parts.next() {
            let Some(instance) = open.and_then(|id| self.instances.get(id)).filter(|open| open.closing.is_none()) else {
                return Stage::Over;
            };
            if waits(&plan, instance, node) > 0 {
                return Stage::NotYet;
            }
            let at = |id: &&ActivityId| self.activities.get(**id).is_some_and(|of| of.place.is_some_and(|place| place.1 == node));
            let Some(activity) = instance.active.iter().find(at) else { return Stage::Over };
            let Some(role) = role else { return Stage::Begun };
            open = self.child(*activity, role, parts.peek().map(|(node, _)| *node));
            if open.is_none() {
                let comes = self.activities.get(*activity).is_some_and(|activity| self.opens_later(activity, role));
                return if comes { Stage::NotYet } else { Stage::Over };
            }
        }
        Stage::Begun
    }

    /// The open region of a node in this role, in which this other node is.
    fn child(&self, id: ActivityId, role: Role, node: Option<NodeId>) -> Option<InstanceId> {
        let plan = self.plan();
        let region = node.and_then(|node| plan.nodes.get(node)).map(|node| node.region);
        let fits = |id: &&InstanceId| {
            let instance = self.instances.get(**id);
            instance.is_some_and(|instance| instance.role == role && Some(instance.region) == region)
        };
        self.activities.get(id)?.children.iter().find(fits).copied()
    }

    /// Whether a node that has begun may still open a region in this role.
    fn opens_later(&self, activity: &Activity, role: Role) -> bool {
        match (&activity.form, role) {
            (Form::Map(form), Role::Index(index)) => index as usize >= form.next,
            (Form::Fold(form), Role::Index(index)) => index as usize >= form.next,
            (Form::Tree(form), Role::Pair { level, index }) => {
                let value = form.levels.get(level as usize).and_then(|values| values.get(index as usize));
                value.is_some_and(Option::is_none)
            }
            (Form::Loop(_), _) | (Form::Try, Role::Handler) => {
                let plan = self.plan();
                let kind = activity.place.and_then(|(_, node)| plan.nodes.get(node)).map(|node| &node.kind);
                let open = activity.children.iter().filter_map(|child| self.instances.get(*child));
                open.into_iter().any(|open| opens_after(kind, open.role, role))
            }
            _ => false,
        }
    }

    /// Where a parameter of the entry flow stands that nothing has used, and its new value.
    fn input_slot(&self, name: &str, value: &Payload) -> Result<(InstanceId, Slot, Value), String> {
        let plan = self.plan();
        let flow = plan.flows.get(plan.entry).ok_or("the plan has no entry flow")?;
        let param = flow.params.iter().zip(0..).find(|(param, _)| *param.name == *name);
        let (param, slot) = param.ok_or_else(|| format!("the flow `{}` has no parameter `{name}`", flow.name))?;
        if param.ty == Type::Dir {
            return Err(format!("`{name}` names a folder; which one is granted was decided when the run was started"));
        }
        let value = decode(value, &param.ty).map_err(|error| format!("the input `{name}` does not fit: {error}"))?;
        let slot = Slot(slot);
        let body = self.root.and_then(|root| self.activities.get(root)).and_then(|root| root.children.first().copied());
        let (id, instance) = body.and_then(|id| Some((id, self.instances.get(id)?))).ok_or("the flow is not open")?;
        let used = plan
            .nodes_of(instance.region)
            .map(|(node, _)| node)
            .find(|node| waits(&plan, instance, *node) == 0 && plan.reads(*node).contains(&slot));
        match used {
            Some(node) => Err(format!("`{}` uses `{name}`, and has begun or is ready", self.path(id, node))),
            None => Ok((id, slot, value)),
        }
    }
}

/// How many nodes a node still waits for.
fn waits(plan: &Plan, instance: &Instance, node: NodeId) -> u32 {
    let first = plan.regions.get(instance.region).map_or(0, |region| region.nodes.start);
    let index = node.as_u32().checked_sub(first).map(|index| index as usize);
    index.and_then(|index| instance.waits.get(index)).copied().unwrap_or(0)
}

/// What a place calls, if it is a step.
fn target(plan: &Plan, place: &Place) -> Option<Target> {
    match (place.parts().last()?, place) {
        ((node, None), _) => match &plan.nodes.get(node)?.kind {
            NodeKind::Call(call) => Some(call.target),
            _ => None,
        },
        _ => None,
    }
}

/// Changes a step that has not begun.
pub(super) fn set(task: &mut Task, node: NodeId, settings: &Settings) {
    let Settings { retry, backoff, timeout, deadline: _, priority, class, memory, fuel } = settings;
    task.retries_left = retry.unwrap_or(task.retries_left);
    if let Some(wait) = backoff {
        task.backoff = Backoff::Constant(*wait);
    }
    task.wishes.timeout = timeout.or(task.wishes.timeout);
    task.wishes.memory = memory.or(task.wishes.memory);
    task.wishes.fuel = fuel.or(task.wishes.fuel);
    task.class = class.clone().or(task.class.take());
    if let Some(priority) = priority {
        task.rules.get_or_insert_with(|| Box::new(Rules::none(node))).priority = *priority;
    }
}
