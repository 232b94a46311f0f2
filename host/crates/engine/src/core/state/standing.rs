//! What each thing in a run waits for, read off the state.

use std::collections::BTreeSet;
use std::sync::Arc;

use lang::plan::{NodeId, NodeKind, RegionId};

use super::State;
use super::model::{ActivityId, Form, InstanceId, ScopeId, Status, Stop, Subject, Task};
use super::region::push_role;
use crate::core::action::{Blocked, BlockedBy};
use crate::core::explain::{Condition, Explained};
use crate::event::{Failure, TaskId};

/// So many things that take time are looked at in one answer.
const MOST_LOOKED_AT: usize = 10_000;

/// So many nodes that are not done are followed from one that waits for them.
const MOST_FOLLOWED: usize = 64;

impl State {
    /// The region of the entry flow, while it is open.
    pub(crate) fn root_instance(&self) -> Option<InstanceId> {
        self.activities.get(self.root?)?.children.first().copied()
    }

    /// The region that an open one is an instance of.
    pub(crate) fn region_of(&self, id: InstanceId) -> Option<RegionId> {
        self.instances.get(id).map(|instance| instance.region)
    }

    /// The region that a node has open in this role, as its path says it.
    pub(crate) fn open_child_of(&self, id: InstanceId, node: NodeId, role: &str) -> Option<InstanceId> {
        let forms = self.activities_at(id, node);
        let children = forms.filter_map(|id| self.activities.get(id)).flat_map(|activity| activity.children.iter().copied());
        children.into_iter().find(|child| {
            let mut text = String::new();
            if let Some(instance) = self.instances.get(*child) {
                push_role(&mut text, instance.role);
            }
            text == role
        })
    }

    /// What has begun for a node and takes time.
    fn activities_at(&self, id: InstanceId, node: NodeId) -> impl Iterator<Item = ActivityId> + '_ {
        let active = self.instances.get(id).map_or(&[][..], |instance| &instance.active);
        active
            .iter()
            .copied()
            .filter(move |id| self.activities.get(*id).is_some_and(|activity| activity.place.is_some_and(|(_, at)| at == node)))
    }

    /// The node of a step that is open.
    pub(crate) fn node_of_task(&self, id: TaskId) -> Option<NodeId> {
        self.activities.get(self.tasks.get(&id)?.activity)?.place.map(|(_, node)| node)
    }

    /// The paths of what is under way.
    pub(crate) fn open_paths(&self, most: usize) -> Vec<Arc<str>> {
        let path = |(id, activity): (ActivityId, &super::model::Activity)| match &activity.form {
            Form::Hook(form) => self.tasks.get(&form.task).map_or_else(|| "".into(), |task| Arc::clone(&task.path)),
            Form::Undo(path) => [path, ".undo"].concat().into(),
            _ => self.path_of_activity(id),
        };
        self.activities.iter().take(most).map(path).collect()
    }

    /// What the run as a whole waits for.
    pub(crate) fn standing_of_run(&self) -> Explained {
        let name = self.plan().flows.get(self.plan().entry).map_or_else(|| "".into(), |flow| Arc::clone(&flow.name));
        if self.outcome.is_some() {
            return Explained::of(name, Condition::Done);
        }
        let all = self.activities.iter().map(|(id, _)| id).take(MOST_LOOKED_AT).filter(|id| self.takes_time_itself(*id));
        let condition = if self.cancelled {
            Condition::Stopping { failure: None }
        } else {
            Condition::Inside { form: "flow", progress: None }
        };
        Explained::of(name, condition).with_causes(all.map(|id| self.standing_of(id)).collect())
    }

    /// A node of an open region.
    pub(crate) fn standing_of_node(&self, id: InstanceId, node: NodeId) -> Explained {
        self.follow(id, node, &mut BTreeSet::new())
    }

    fn follow(&self, id: InstanceId, node: NodeId, seen: &mut BTreeSet<u32>) -> Explained {
        seen.insert(node.as_u32());
        let begun = self.activities_at(id, node).filter(|id| {
            !self.activities.get(*id).is_some_and(|activity| matches!(activity.form, Form::Undo(_) | Form::Hook(_)))
        });
        if let Some(activity) = begun.into_iter().next() {
            return self.standing_of(activity);
        }
        let path = self.path(id, node);
        let plan = self.plan();
        let Some(instance) = self.instances.get(id) else { return Explained::of(path, Condition::Absent) };
        let Some(shape) = plan.regions.get(instance.region) else { return Explained::of(path, Condition::Absent) };
        let index = node.as_u32().saturating_sub(shape.nodes.start);
        let is_done = |index: u32| instance.frame.get((shape.inputs + index) as usize).is_some_and(Option::is_some);
        if is_done(index) {
            return Explained::of(path, Condition::Done);
        }
        if instance.closing.is_some() {
            return Explained::of(path, Condition::Absent).with_causes(vec![self.standing_of(instance.owner)]);
        }
        let before = shape.nodes.clone().filter(|other| {
            let successors = plan.nodes.get(NodeId::from_u32(*other)).map(|node| node.successors.clone()).unwrap_or_default();
            let successors = plan.successors.get(successors.start as usize..successors.end as usize).unwrap_or_default();
            !is_done(other - shape.nodes.start) && successors.contains(&node)
        });
        let mut causes = Vec::new();
        for other in before {
            if seen.len() < MOST_FOLLOWED && !seen.contains(&other) {
                causes.push(self.follow(id, NodeId::from_u32(other), seen));
            }
        }
        let condition = if causes.is_empty() { Condition::Starting } else { Condition::Dependencies };
        Explained::of(path, condition).with_causes(causes)
    }

    /// An open region, at this path.
    pub(crate) fn standing_of_region(&self, id: InstanceId, path: &str) -> Explained {
        let mut leaves = Vec::new();
        self.leaves_of(id, &mut leaves);
        let causes = leaves.into_iter().map(|id| self.standing_of(id)).collect();
        Explained::of(path.into(), Condition::Inside { form: "part", progress: None }).with_causes(causes)
    }

    /// Something that has begun.
    fn standing_of(&self, id: ActivityId) -> Explained {
        let path = self.path_of_activity(id);
        let Some(activity) = self.activities.get(id) else { return Explained::of(path, Condition::Done) };
        let mut inside = Vec::new();
        activity.children.iter().for_each(|child| self.leaves_of(*child, &mut inside));
        let causes = || inside.iter().map(|id| self.standing_of(*id)).collect::<Vec<_>>();
        if let Some(stopping) = &activity.stopping {
            let failure = match stopping {
                Stop::Failed(failed) => Some(failed.failure.clone()),
                Stop::Unwanted => None,
            };
            let task = match &activity.form {
                Form::Call(task) => Some(*task),
                Form::Hook(form) => Some(form.task),
                _ => None,
            };
            let mut causes = causes();
            causes.extend(task.and_then(|task| self.running_task(task)));
            return Explained::of(path, Condition::Stopping { failure }).with_causes(causes);
        }
        match &activity.form {
            Form::Call(task) => self.standing_of_task(*task),
            Form::Hook(form) => self.standing_of_task(form.task),
            Form::Wait(_) => self.waiting(id).map_or(Explained::of(path.clone(), Condition::Starting), |waiting| {
                Explained::of(path, Condition::Waits(waiting))
            }),
            Form::Emit(task) => self.standing_of_emit(*task, path),
            Form::Undo(of) => Explained::of([of, ".undo"].concat().into(), Condition::Undoing).with_causes(causes()),
            form => {
                let (form, progress) = shape_of(form, || self.kind_name(id));
                Explained::of(path, Condition::Inside { form, progress }).with_causes(causes())
            }
        }
    }

    /// What a node that opens one region is, in the words of the language.
    fn kind_name(&self, id: ActivityId) -> &'static str {
        let plan = self.plan();
        let node = self.activities.get(id).and_then(|activity| activity.place).and_then(|(_, node)| plan.nodes.get(node));
        match node.map(|node| &node.kind) {
            Some(NodeKind::If { .. }) => "if",
            Some(NodeKind::Match { .. }) => "match",
            _ => "block",
        }
    }

    /// Whether a thing has begun that itself is run or waited for, and not what is in it.
    fn takes_time_itself(&self, id: ActivityId) -> bool {
        let form = self.activities.get(id).map(|activity| &activity.form);
        matches!(form, Some(Form::Call(_) | Form::Hook(_) | Form::Wait(_) | Form::Emit(_)))
    }

    /// What is run or waited for in a region and below.
    fn leaves_of(&self, id: InstanceId, found: &mut Vec<ActivityId>) {
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            let active = self.instances.get(id).map_or(&[][..], |instance| &instance.active);
            for id in active {
                if found.len() >= MOST_LOOKED_AT {
                    return;
                }
                if self.takes_time_itself(*id) {
                    found.push(*id);
                }
                open.extend(self.activities.get(*id).map_or(&[][..], |activity| &activity.children));
            }
        }
    }

    fn running_task(&self, id: TaskId) -> Option<Explained> {
        let task = self.tasks.get(&id).filter(|task| task.status == Status::Running)?;
        Some(Explained::of(Arc::clone(&task.path), Condition::Running { task: id, number: task.number }))
    }

    fn standing_of_task(&self, id: TaskId) -> Explained {
        let Some(task) = self.tasks.get(&id) else { return Explained::of("".into(), Condition::Done) };
        let mut causes = Vec::new();
        let condition = match task.status {
            Status::Ready | Status::Refused => Condition::Starting,
            Status::Running => Condition::Running { task: id, number: task.number },
            Status::Sending => Condition::Sending { topic: self.topic_of_outbox(id).unwrap_or_else(|| "".into()) },
            Status::Queued(scope) => {
                let (around, limit) = self.around(scope);
                let placed = self.tasks.iter().filter(|(_, task)| task.placed && self.is_within(task.scope, scope));
                causes.extend(placed.take(MOST_FOLLOWED).map(|(id, _)| self.standing_of_task(*id)));
                Condition::Places { around, limit }
            }
            Status::Held => self.held_by(),
            Status::Locked => {
                let (key, holder) = self.locked_by(id);
                causes.extend(holder.map(|holder| self.standing_of_task(holder)));
                let holder =
                    holder.and_then(|holder| self.tasks.get(&holder)).map_or_else(|| "".into(), |task| task.path.clone());
                Condition::Key { key, holder }
            }
            Status::Paced(node, _) => self.paced_by(node),
            Status::Fused => {
                let trial = self.trial_of(id).and_then(|trial| self.tasks.get(&trial));
                Condition::Trial { trial: trial.map(|task| Arc::clone(&task.path)) }
            }
            Status::Asking => {
                causes.extend(self.asked_about(id).map(|handler| self.standing_of(handler)));
                Condition::Asking
            }
            Status::Backoff(timer) => Condition::Backoff {
                until: self.timer(timer).unwrap_or_default(),
                number: task.number,
                failure: task.previous.clone(),
                breaker: self.open_breaker(id),
            },
            Status::Unknown => Condition::Decision(self.blocked_of(id)),
        };
        Explained::of(Arc::clone(&task.path), condition).with_causes(causes)
    }

    fn standing_of_emit(&self, id: TaskId, path: Arc<str>) -> Explained {
        let Some(emit) = self.emits.get(&id) else { return Explained::of(path, Condition::Done) };
        let condition = if emit.sending {
            Condition::Sending { topic: Arc::clone(&emit.message.topic) }
        } else if self.starts() {
            Condition::Asking
        } else {
            self.held_by()
        };
        Explained::of(path, condition)
    }

    /// Why nothing starts.
    fn held_by(&self) -> Condition {
        match (&self.paused, self.unknown.iter().find_map(|id| self.tasks.get(id))) {
            (_, Some(task)) => Condition::Undecided { about: Arc::clone(&task.path) },
            (Some(reason), None) => Condition::Paused { reason: reason.clone() },
            (None, None) => Condition::Starting,
        }
    }

    /// The handler that is asked about a step.
    fn asked_about(&self, id: TaskId) -> Option<ActivityId> {
        let asks = |form: &Form| matches!(form, Form::Hook(form) if matches!(form.subject, Subject::Step(step) if step == id));
        self.activities.iter().find(|(_, activity)| asks(&activity.form)).map(|(id, _)| id)
    }

    /// The node that a limit belongs to, and the limit.
    fn around(&self, scope: ScopeId) -> (Arc<str>, u32) {
        let owner = self.activities.iter().find(|(_, activity)| activity.own_scopes.contains(&scope));
        let limit = self.scopes.get(scope).map_or(0, |scope| scope.limit);
        (owner.map_or_else(|| "".into(), |(id, _)| self.path_of_activity(id)), limit)
    }

    /// Whether a scope is this one or in it.
    fn is_within(&self, mut inner: Option<ScopeId>, scope: ScopeId) -> bool {
        while let Some(id) = inner {
            if id == scope {
                return true;
            }
            inner = self.scopes.get(id).and_then(|scope| scope.parent);
        }
        false
    }

    /// A step that waits for an operator.
    pub(crate) fn blocked_of(&self, id: TaskId) -> Blocked {
        let task = self.tasks.get(&id);
        let asked = |task: &Task| task.is_exhausted() || task.escalated().is_some();
        let by = match task.and_then(|task| task.previous.as_ref().filter(|_| asked(task))) {
            Some(Failure { kind, message, .. }) if task.is_some_and(|task| task.escalated().is_some()) => {
                BlockedBy::Escalated { kind: *kind, message: message.clone() }
            }
            Some(Failure { kind, message, .. }) => BlockedBy::Exhausted { kind: *kind, message: message.clone() },
            None if task.is_some_and(|task| !task.started) => BlockedBy::Repeats,
            None => BlockedBy::Unknown,
        };
        let (path, number) = task.map_or_else(|| ("".into(), 0), |task| (Arc::clone(&task.path), task.number));
        Blocked { task: id, path, number, by }
    }
}

/// What a structured node is, and how far it has come.
fn shape_of(form: &Form, single: impl FnOnce() -> &'static str) -> (&'static str, Option<(usize, usize)>) {
    match form {
        Form::Flow => ("flow", None),
        Form::Map(map) => ("map", Some((map.done, map.results.len()))),
        Form::Fold(fold) => ("reduce", Some((fold.next.saturating_sub(1), fold.items.len()))),
        Form::Tree(_) => ("reduce", None),
        Form::Loop(of) => ("loop", Some((of.iteration as usize, of.max as usize))),
        Form::Try => ("try", None),
        Form::Race(race) => ("race", Some((race.winners as usize, race.wanted as usize))),
        _ => (single(), None),
    }
}
