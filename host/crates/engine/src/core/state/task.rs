//! Steps: ready, running, tried again, decided about.

use std::sync::Arc;

use lang::plan::{self, CallPlan, Effect, NodeId};
use sha2::{Digest as _, Sha256};

use catalog::{FailureKind, Value};

use super::breaker::Verdict;
use super::model::{Activity, ActivityId, Asked, Backoff, Due, Form, InstanceId, Rules, Status, Task};
use super::recovery::After;
use super::{Command, Misfit, State};
use crate::core::bugs::Bug;
use crate::core::values::{
    Frame, decode, evaluate, evaluate_duration, evaluate_s32, evaluate_text, evaluate_u32, evaluate_u64, failure, milliseconds,
};
use crate::event::{Amounts, Decision, Failure, Level, TaskId};
use crate::ports::GrantedCapability;

/// A failure may ask for so many milliseconds before the next attempt at most: nobody waits for ever because a component says so.
const LONGEST_REQUEST: u64 = 24 * 60 * 60 * 1000;

impl State {
    /// A step is ready.
    pub(super) fn begin_call(&mut self, id: InstanceId, node: NodeId, call: &CallPlan) -> Result<(), Failure> {
        let plan = self.plan();
        let Some(instance) = self.instances.get(id) else { return Ok(()) };
        let frame = &instance.frame;
        let shape = plan.nodes.get(node);
        let deadline = evaluate_duration(shape.and_then(|node| node.deadline.as_ref()), frame)?;
        let args = call.args.iter().map(|arg| evaluate(arg, frame)).collect::<Result<_, _>>()?;
        // The activity is replaced when it exists.
        let task = Task {
            scope: instance.scope,
            rules: rules(&call.rules, node, frame)?,
            planned: self.planned(call, shape, frame)?,
            ..self.task_of(call, frame, args, (instance.owner, self.path(id, node)))?
        };
        let (mut task, mut deadline) = (task, deadline);
        if let Some(settings) = self.settings_of(&task.path) {
            super::change::set(&mut task, node, settings);
            deadline = settings.deadline.or(deadline);
        }
        self.add_task(id, node, task, deadline);
        Ok(())
    }

    /// A call whose policy is over this frame.
    pub(super) fn task_of(
        &self,
        call: &CallPlan,
        frame: &Frame,
        args: Vec<Value>,
        (activity, path): (ActivityId, Arc<str>),
    ) -> Result<Task, Failure> {
        let plan = self.plan();
        let class = call.class.as_ref().and_then(|name| plan.classes.iter().find(|class| class.name == *name));
        let wishes = Amounts {
            timeout: evaluate_duration(call.timeout.as_ref(), frame)?.or(class.and_then(|class| class.timeout)),
            memory: evaluate_u64(call.memory.as_ref(), frame)?.or(class.and_then(|class| class.memory)),
            fuel: evaluate_u64(call.fuel.as_ref(), frame)?.or(class.and_then(|class| class.fuel)),
        };
        Ok(Task {
            activity,
            scope: None,
            path,
            name: Arc::clone(&call.name),
            target: call.target,
            number: 1,
            status: Status::Ready,
            placed: false,
            started: false,
            pure_step: call.effect() == Effect::Pure,
            repeatable: call.repeatable(),
            args,
            grants: call.grants.iter().map(|grant| capability(grant, frame)).collect::<Result<_, _>>()?,
            wishes,
            class: call.class.clone(),
            retries_left: evaluate_u32(call.retry.as_ref(), frame)?.unwrap_or(0),
            failures: 0,
            backoff: backoff(&call.backoff, frame)?,
            previous: None,
            rules: None,
            is_hook: false,
            asked: Asked::default(),
            planned: None,
            denied: false,
            recovering: None,
        })
    }

    fn add_task(&mut self, instance: InstanceId, node: NodeId, mut task: Task, deadline: Option<u64>) {
        let id = TaskId(self.next_task);
        let Some(activity) = self.add_activity(instance, node, Form::Call(id)) else { return };
        self.next_task += 1;
        task.activity = activity;
        self.tasks.insert(id, task);
        if let Some(deadline) = deadline {
            self.set_deadline(activity, deadline);
        }
        if self.prioritized {
            let priority = self.tasks.get(&id).map_or(0, Task::priority);
            self.soon.push(priority, id);
        } else {
            self.start(id);
        }
    }

    /// Starts an attempt, or lets it wait: for the end of a pause, its key, its breaker, its rate, a place.
    ///
    /// Only the key is held while it waits for something else; when it need not wait any more, all the others are asked again.
    pub(super) fn start(&mut self, id: TaskId) {
        let starts = self.starts();
        let Some(task) = self.tasks.get_mut(&id) else { return };
        if self.activities.get(task.activity).is_none_or(|activity| activity.stopping.is_some()) {
            return;
        }
        if !starts {
            task.status = Status::Held;
            self.held.push(task.priority(), id);
            return;
        }
        let (placed, scope) = (task.placed, task.scope);
        if self.starts_given(id) {
            return;
        }
        if !self.ask_before(id) {
            return;
        }
        if !self.take_key(id) || !self.pass_breaker(id) || !self.within_rate(id) {
            // It still has its place when it runs again after a crash.
            self.give_place(id);
            return;
        }
        if !placed && !self.take_place(id, scope) {
            return;
        }
        if let Some(task) = self.tasks.get_mut(&id) {
            task.placed = true;
        }
        if !self.within_budget(id) {
            return;
        }
        self.set_aside(id);
        self.count_start(id);
        self.begin_trial(id);
        let Some(task) = self.tasks.get_mut(&id) else { return };
        // Handlers belong to the step that they are called about.
        if !task.is_hook {
            self.spend();
        }
        let Some(task) = self.tasks.get_mut(&id) else { return };
        (task.started, task.denied) = (false, false);
        task.status = Status::Running;
        self.commands.push(Command::Start(id, task.number));
    }

    /// Steps may start again.
    pub(super) fn release_held(&mut self) {
        if !self.starts() {
            return;
        }
        let mut held = std::mem::take(&mut self.held);
        while let Some(id) = held.pop() {
            if self.tasks.get(&id).is_some_and(|task| task.status == Status::Held) {
                self.start(id);
            } else if self.emits.contains_key(&id) {
                self.send_or_hold(id);
            }
        }
    }

    /// Whether a step still waits in this way, and is wanted.
    pub(super) fn waits_as(&self, id: TaskId, status: Status) -> bool {
        self.tasks.get(&id).is_some_and(|task| task.status == status && !self.is_stopping(task.activity))
    }

    /// Whether a step is being stopped.
    pub(super) fn is_stopping(&self, activity: ActivityId) -> bool {
        self.activities.get(activity).is_none_or(|Activity { stopping, .. }| stopping.is_some())
    }

    /// A step has its value; `ran` says that it was run for that.
    pub(super) fn attempt_succeeded(&mut self, id: TaskId, value: Value, ran: bool) {
        let Some(activity) = self.tasks.get(&id).map(|task| task.activity) else { return };
        if self.is_stopping(activity) {
            self.activity_stopped_with(activity, Some(&value));
        } else {
            if ran {
                self.tell_step(id, Ok(&value), true);
            }
            self.forget_task(id);
            self.complete(activity, value);
        }
    }

    pub(super) fn attempt_failed(&mut self, id: TaskId, failure: Failure) {
        let Some(task) = self.tasks.get(&id) else { return };
        let activity = task.activity;
        if self.is_stopping(activity) {
            self.activity_stopped(activity);
            return;
        }
        self.remember_attempt(id, &failure);
        let after = self.after_failure(id, &failure);
        self.tell_step(id, Err(&failure), matches!(after, After::Fail));
        match after {
            After::Retry(wait) => self.try_again(id, failure, wait),
            After::Pause => self.exhaust(id, failure),
            After::Escalate => self.escalate(id, failure),
            After::Fail => {
                let path = self.tasks.get(&id).map_or_else(|| "".into(), |task| Arc::clone(&task.path));
                self.forget_task(id);
                self.fail(activity, Box::new(super::model::Failed { failure, path }));
            }
        }
    }

    /// What the flow says about a failed attempt, and where it says nothing, the recovery table.
    fn after_failure(&mut self, id: TaskId, failure: &Failure) -> After {
        let run = self.id.clone();
        let counts = !self.bugs.0.has(Bug::RetryNotCounted);
        let Some(task) = self.tasks.get_mut(&id) else { return After::Fail };
        if task.retries_left > 0 {
            if counts {
                task.retries_left -= 1;
            }
            return After::Retry(delay(task.backoff, task.failures + 1, &run.0, &task.path));
        }
        match &task.rules {
            Some(rules) if rules.pauses => After::Pause,
            Some(rules) if rules.fails => After::Fail,
            _ => self.ask_table(id, failure),
        }
    }

    /// A further attempt, so many milliseconds from now or when the failure asks for it.
    fn try_again(&mut self, id: TaskId, failure: Failure, wait: u64) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.failures += 1;
        task.number += 1;
        task.status = Status::Ready;
        let wait = wait.max(failure.retry_after.unwrap_or(0).min(LONGEST_REQUEST));
        task.previous = Some(failure);
        self.give_place(id);
        if wait == 0 {
            self.start(id);
            return;
        }
        let timer = self.set_timer(wait, Due::Retry(id));
        if let Some(task) = self.tasks.get_mut(&id) {
            task.status = Status::Backoff(timer);
        }
    }

    /// The attempts of a step are used up, and an operator is to decide about it.
    fn exhaust(&mut self, id: TaskId, failure: Failure) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.status = Status::Unknown;
        task.failures += 1;
        task.previous = Some(failure);
        if let Some(rules) = &mut task.rules {
            rules.exhausted = true;
        }
        self.unknown.insert(id);
        self.give_place(id);
    }

    pub(super) fn attempt_cancelled(&mut self, id: TaskId) {
        let Some(activity) = self.tasks.get(&id).map(|task| task.activity) else { return };
        if self.is_stopping(activity) {
            self.activity_stopped(activity);
        } else {
            // Stopped, but wanted: it runs again.
            self.give_back(id, 0);
            self.again(id);
        }
    }

    /// Runs a step again without counting it as a retry.
    fn again(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.number += 1;
        task.status = Status::Ready;
        if let Some(rules) = &mut task.rules {
            rules.exhausted = false;
        }
        self.start(id);
    }

    pub(super) fn outcome_unknown(&mut self, id: TaskId) {
        let run_again = self.bugs.0.has(Bug::UnknownRunAgain);
        let Some(task) = self.tasks.get(&id) else { return };
        if self.is_stopping(task.activity) {
            let activity = task.activity;
            self.activity_stopped(activity);
        } else if task.repeatable || run_again {
            self.again(id);
        } else {
            if let Some(task) = self.tasks.get_mut(&id) {
                task.status = Status::Unknown;
            }
            self.unknown.insert(id);
            self.give_place(id);
        }
    }

    /// Another process owns the run: what ran in the old one and left no trace starts again, or is at its end.
    pub(super) fn owner_changed(&mut self) {
        let lost: Vec<TaskId> =
            self.tasks.iter().filter(|(_, task)| task.status == Status::Running && !task.started).map(|(id, _)| *id).collect();
        for id in lost {
            let Some(task) = self.tasks.get_mut(&id) else { continue };
            let activity = task.activity;
            task.status = Status::Ready;
            if self.is_stopping(activity) {
                self.activity_stopped(activity);
            } else {
                self.start(id);
            }
        }
        self.send_again();
    }

    /// An operator decided about a step whose outcome is not known, whose attempts are used up, or that was escalated.
    pub(super) fn decided(&mut self, id: TaskId, decision: &Decision) -> Result<(), Misfit> {
        if id.0 >= self.next_task && id != TaskId::NONE {
            return Err(Misfit(format!("step {} was never open", id.0)));
        }
        if !self.unknown.contains(&id) && !self.escalated.contains(&id) {
            // Between the decision and its commit the step stopped being wanted.
            return Ok(());
        }
        let Some(task) = self.tasks.get(&id) else { return Ok(()) };
        let (activity, path, target) = (task.activity, Arc::clone(&task.path), task.target);
        match decision {
            Decision::Retry(_) if task.escalated().is_some() && self.bugs.0.has(Bug::EscalationDecision) => {
                let failure = task.previous.clone().unwrap_or_else(|| failure(FailureKind::Error, "forgotten"));
                self.forget_task(id);
                self.fail(activity, Box::new(super::model::Failed { failure, path }));
            }
            Decision::Retry(limits) => {
                self.unknown.remove(&id);
                self.close_escalation(id);
                self.wanted_by(id, Level::Human, *limits);
                self.again(id);
            }
            Decision::Supply(payload) => {
                let value = self.output(target, payload)?;
                self.forget_task(id);
                self.complete(activity, value);
            }
            Decision::Fail(message) => {
                // What used up the attempts goes its way; of an unknown outcome only the operator can tell.
                let own = task.previous.clone().filter(|_| task.is_exhausted() || task.escalated().is_some());
                let failure = own.unwrap_or_else(|| failure(FailureKind::Error, message.clone()));
                self.forget_task(id);
                self.fail(activity, Box::new(super::model::Failed { failure, path }));
            }
        }
        self.release_held();
        Ok(())
    }

    /// Whether an attempt of a step was begun.
    pub(super) fn has_begun(&self, id: TaskId) -> bool {
        self.tasks.get(&id).is_some_and(|task| {
            let runs = matches!(task.status, Status::Running | Status::Backoff(_) | Status::Unknown);
            task.number > 1 || task.status == Status::Sending || (runs && (task.pure_step || task.started))
        })
    }

    /// A step is over.
    pub(super) fn forget_task(&mut self, id: TaskId) {
        self.give_place(id);
        self.judge(id, Verdict::Unknown);
        self.give_key(id);
        self.close_escalation(id);
        self.tasks.remove(&id);
        if self.unknown.remove(&id) {
            self.release_held();
        }
    }

    /// Whether a supplied value fits a step.
    pub(crate) fn check_supply(&self, id: TaskId, payload: &crate::event::Payload) -> Result<(), String> {
        let plan = self.plan();
        let output = self.tasks.get(&id).and_then(|task| plan.output_of(task.target));
        let output = output.ok_or_else(|| format!("step {} is not open", id.0))?;
        decode(payload, output).map(|_| ())
    }
}

/// A grant of the plan with its folder.
fn capability(grant: &plan::Grant, frame: &[Option<Value>]) -> Result<GrantedCapability, Failure> {
    Ok(match grant {
        plan::Grant::Folder(access, expr) => match evaluate(expr, frame)? {
            Value::Dir(host_path) => GrantedCapability::Folder { host_path, access: *access },
            _ => return Err(failure(FailureKind::Internal, "the plan promises a folder for a grant")),
        },
        plan::Grant::Http(host) => GrantedCapability::Http(host.clone()),
        plan::Grant::Env(name) => GrantedCapability::Env(name.clone()),
        plan::Grant::Clock => GrantedCapability::Clock,
        plan::Grant::Random => GrantedCapability::Random,
        plan::Grant::Mail(of, subject) => GrantedCapability::Mail(*of, subject.clone()),
    })
}

fn rules(plan: &plan::Rules, node: NodeId, frame: &[Option<Value>]) -> Result<Option<Box<Rules>>, Failure> {
    if plan.is_empty() && !plan.fails {
        return Ok(None);
    }
    Ok(Some(Box::new(Rules {
        node,
        priority: evaluate_s32(plan.priority.as_ref(), frame)?.unwrap_or(0),
        key: evaluate_text(plan.key.as_ref(), frame)?,
        rate: plan.rate,
        breaker: plan.breaker,
        cache: match &plan.cache {
            Some(cache) => Some(evaluate_duration(cache.ttl.as_ref(), frame)?),
            None => None,
        },
        pauses: plan.pauses,
        artifact: evaluate_text(plan.artifact.as_ref(), frame)?,
        fails: plan.fails,
        exhausted: false,
    })))
}

fn backoff(plan: &plan::Backoff, frame: &[Option<Value>]) -> Result<Backoff, Failure> {
    Ok(match plan {
        plan::Backoff::None => Backoff::None,
        plan::Backoff::Constant(wait) => Backoff::Constant(evaluate_duration(Some(wait), frame)?.unwrap_or(0)),
        plan::Backoff::Exponential { first, max } => Backoff::Exponential {
            first: evaluate_duration(Some(first), frame)?.unwrap_or(0),
            max: evaluate_duration(max.as_ref(), frame)?,
        },
    })
}

/// The milliseconds to wait after so many failures. Up to a quarter is taken off by chance that only depends on the step.
pub(super) fn delay(backoff: Backoff, failures: u32, run: &str, path: &str) -> u64 {
    match backoff {
        Backoff::None => 0,
        Backoff::Constant(wait) => milliseconds(wait),
        Backoff::Exponential { first, max } => {
            let doubled = first.saturating_mul(1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX));
            let wait = doubled.min(max.unwrap_or(u64::MAX));
            let mut hash = Sha256::new();
            hash.update(run.as_bytes());
            hash.update([0]);
            hash.update(path.as_bytes());
            hash.update(failures.to_le_bytes());
            let chance = hash.finalize().iter().take(2).fold(0_u64, |sum, byte| sum * 256 + u64::from(*byte));
            milliseconds(wait - (wait / 4 / 65_536).saturating_mul(chance).min(wait / 4))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, delay};

    #[test]
    fn waits_double_up_to_the_most_and_lose_at_most_a_quarter() {
        let backoff = Backoff::Exponential { first: 1_000_000_000, max: Some(10_000_000_000) };
        for (failures, most) in [(1, 1000), (2, 2000), (4, 8000), (5, 10_000), (80, 10_000)] {
            let wait = delay(backoff, failures, "run", "flow/step");
            assert!((most * 3 / 4..=most).contains(&wait), "{failures}: {wait}");
            assert_eq!(wait, delay(backoff, failures, "run", "flow/step"), "the same again");
        }
        assert_ne!(delay(backoff, 5, "run", "flow/step"), delay(backoff, 5, "run", "flow/other"));
        assert_eq!(delay(Backoff::Constant(1_500_001), 3, "", ""), 2, "rounded up: never early");
    }
}
