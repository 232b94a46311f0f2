//! Whether what a run has done fits another plan, and its events as that plan would have numbered them.
//!
//! # Steps
//!
//! 1. Two states go through the journal side by side, one over each plan.
//! 2. Before an event is applied, the old state says what it is about: the path of a step, what a timer is for. The new state
//!    must have the same open, with the same function and arguments; the event gets the new state's number for it.
//! 3. Both apply it. When one of them cannot, or the new one would have ended there, the run does not fit.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{Type, Value};
use lang::plan::Plan;

use super::action::ReplayError;
use super::bugs::{Bug, Bugs};
use super::lineage::Lineage;
use super::place::Place;
use super::state::{Open, State};
use crate::event::{Attempt, Event, EventBody, Payload, RunId, RunStarted, Seq, TaskId, TimerId};

/// A run that fits another plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fit {
    /// The first thing that is open and not the same under the other plan: it begins anew there. None: all that has
    /// begun is the same.
    pub from: Option<Arc<str>>,
}

/// Why a run does not fit another plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("event {seq}: {reason}")]
pub struct Incompatible {
    /// The first event that does not fit.
    pub seq: Seq,
    /// The step that it is about.
    pub path: Option<Arc<str>>,
    /// What does not fit.
    pub reason: String,
}

/// Says whether a run can go on with another plan.
///
/// # Errors
/// [`ReplayError`] when the journal does not fit its own plans; within, why it does not fit the other one.
pub fn check_migration(
    lineage: &Lineage,
    id: &RunId,
    events: &[Event],
    plan: &Arc<Plan>,
) -> Result<Result<Fit, Incompatible>, ReplayError> {
    let events = current_events(lineage, id, events)?;
    let mut twins = Twins::new(lineage, (lineage.current(), plan), id);
    match twins.read(&events) {
        Ok(_) => Ok(Ok(Fit { from: twins.first_difference() })),
        Err(Problem::Other(_)) if lineage.bugs.has(Bug::FitUnchecked) => Ok(Ok(Fit { from: None })),
        Err(Problem::Other(incompatible)) => Ok(Err(incompatible)),
        Err(Problem::Own(error)) => Err(error),
    }
}

/// The events of a run as its last plan numbers them.
///
/// # Errors
/// There is not one plan more than there are migrations, or what came before one does not fit the plan after it.
pub fn current_events<'e>(lineage: &Lineage, id: &RunId, events: &'e [Event]) -> Result<Cow<'e, [Event]>, ReplayError> {
    let migrations = events.iter().enumerate().filter(|(_, event)| matches!(event.body, EventBody::Migrated(_)));
    let places: Vec<usize> = migrations.map(|(place, _)| place).collect();
    let plans: Vec<&Arc<Plan>> = lineage.plans().collect();
    if plans.len() != places.len() + 1 {
        let reason = format!("the run was migrated {} times, and {} plans are known", places.len(), plans.len());
        let seq = places.first().and_then(|place| events.get(*place)).map_or(1, |event| event.seq);
        return Err(ReplayError::Misfit { seq, reason });
    }
    let mut read = Cow::Borrowed(events);
    for (pair, place) in plans.windows(2).zip(places) {
        let [old, new] = pair else { continue };
        let prefix = read.get(..place).unwrap_or_default();
        let mut fitted = Twins::new(lineage, (old, new), id).read(prefix).map_err(|problem| match problem {
            Problem::Own(error) => error,
            Problem::Other(Incompatible { seq, reason, .. }) => ReplayError::Misfit { seq, reason },
        })?;
        fitted.extend(read.get(place..).unwrap_or_default().iter().cloned());
        read = Cow::Owned(fitted);
    }
    Ok(read)
}

enum Problem {
    /// The journal does not fit its own plan.
    Own(ReplayError),
    /// It does not fit the other one.
    Other(Incompatible),
}

/// The same run over two plans.
struct Twins {
    old: State,
    new: State,
    /// The steps and messages of the new one, by path.
    opened: BTreeMap<Arc<str>, TaskId>,
    seen: TaskId,
    bugs: Bugs,
}

impl Twins {
    fn new(lineage: &Lineage, (old, new): (&Arc<Plan>, &Arc<Plan>), id: &RunId) -> Self {
        let state = |plan: &Arc<Plan>| State::new(Arc::clone(plan), id.clone(), Bugs::default());
        Self { old: state(old), new: state(new), opened: BTreeMap::new(), seen: TaskId(0), bugs: lineage.bugs }
    }

    /// Goes through a journal and gives it as the new plan numbers it.
    fn read(&mut self, events: &[Event]) -> Result<Vec<Event>, Problem> {
        let mut fitted = Vec::with_capacity(events.len());
        for event in events {
            let seq = event.seq;
            let path = event.body.path().cloned();
            let other = |reason: String| Problem::Other(Incompatible { seq, path: path.clone(), reason });
            let body = self.body(&event.body).map_err(&other)?;
            let new = Event { body, ..*event };
            self.old.apply(event).map_err(|misfit| Problem::Own(ReplayError::Misfit { seq, reason: misfit.0 }))?;
            self.new.apply(&new).map_err(|misfit| other(misfit.0))?;
            drop((self.old.take_commands(), self.new.take_commands()));
            if self.new.outcome().is_some() && self.old.outcome().is_none() {
                return Err(other("the new flow ends there".to_owned()));
            }
            let seen = self.new.next_task();
            self.opened.extend(self.new.opened_from(self.seen).map(|(id, path)| (Arc::clone(path), id)));
            self.seen = seen;
            fitted.push(if self.bugs.has(Bug::NumbersKept) { event.clone() } else { new });
        }
        Ok(fitted)
    }

    /// The event as the new plan numbers it.
    fn body(&self, body: &EventBody) -> Result<EventBody, String> {
        let mut body = body.clone();
        match &mut body {
            EventBody::RunStarted(started) => self.started(started)?,
            EventBody::AttemptStarted { attempt, .. }
            | EventBody::Denied { attempt, .. }
            | EventBody::Posted { attempt, .. }
            | EventBody::Taken { attempt, .. }
            | EventBody::AttemptSucceeded { attempt, .. }
            | EventBody::AttemptFailed { attempt, .. }
            | EventBody::AttemptCancelled { attempt, .. }
            | EventBody::OutcomeUnknown { attempt, .. }
            | EventBody::MessageSent { attempt } => self.attempt(attempt)?,
            EventBody::Escalated(escalation) => {
                let attempt = &mut escalation.attempt;
                // The step may not have been wanted any more when its report was written.
                let open = self.old.open(attempt.task).is_some();
                attempt.task = if open { self.step(attempt.task, &attempt.path)? } else { TaskId::NONE };
            }
            EventBody::TimerFired { timer } => *timer = self.timer(*timer)?,
            EventBody::OperatorDecision { task, .. } => {
                let path = self.old.tasks().get(task).map(|task| &task.path);
                *task = match path {
                    Some(path) => self.step(*task, path)?,
                    None => TaskId::NONE,
                };
            }
            EventBody::Changed(change) => {
                let (old, new) = (self.old.check_change(change), self.new.check_change(change));
                if old.is_ok() {
                    new.map_err(|reason| format!("what an operator changed cannot be changed in the new flow: {reason}"))?;
                }
            }
            EventBody::SignalReceived { .. }
            | EventBody::MessageReceived { .. }
            | EventBody::Paused { .. }
            | EventBody::Resumed
            | EventBody::CancelRequested { .. }
            | EventBody::Advanced { .. }
            | EventBody::ControlTaken { .. }
            | EventBody::OwnerChanged { .. }
            | EventBody::Migrated(_)
            | EventBody::RunEnded { .. } => {}
        }
        Ok(body)
    }

    /// The input by the names of the new flow's parameters; one that is new has its default.
    fn started(&self, started: &mut RunStarted) -> Result<(), String> {
        let plan = self.new.plan();
        let Some(flow) = plan.flows.get(plan.entry) else { return Ok(()) };
        let mut input = Vec::with_capacity(flow.params.len());
        for param in &flow.params {
            let given = started.input.iter().find(|(name, _)| **name == *param.name).map(|(_, payload)| payload.clone());
            let payload = match (given, &param.default) {
                (Some(payload), _) => payload,
                (None, Some(default)) => {
                    let value = lang::eval::eval(default, &[]).map_err(|error| error.message)?;
                    Payload::Value(value)
                }
                (None, None) if matches!(param.ty, Type::Option(_)) => Payload::Value(Value::none()),
                (None, None) => return Err(format!("the parameter `{}` is new and has no default", param.name)),
            };
            input.push((param.name.to_string(), payload));
        }
        started.input = input;
        Ok(())
    }

    fn attempt(&self, attempt: &mut Attempt) -> Result<(), String> {
        // An event about what was no longer wanted means as little here as there.
        attempt.task = match self.old.open(attempt.task) {
            Some(_) => self.step(attempt.task, &attempt.path)?,
            None => return Err(format!("`{}` was not open when this happened", attempt.path)),
        };
        Ok(())
    }

    /// The new number of a step or message that has begun: it must call the same with the same arguments.
    fn step(&self, old: TaskId, path: &Arc<str>) -> Result<TaskId, String> {
        let found = self.opened.get(path).copied().filter(|id| self.new.open(*id).is_some());
        let Some(found) = found else {
            let plan = self.new.plan();
            return Err(if Place::find(&plan, path).is_empty() {
                format!("`{path}` has begun or ended, and the new flow has no such step")
            } else {
                format!(
                    "`{path}` has begun or ended, and the new flow comes to it only after something that this run has not done"
                )
            });
        };
        match (self.old.open(old), self.new.open(found)) {
            (Some(before), Some(after)) if before == after => Ok(found),
            (Some(Open::Step(before, _)), Some(Open::Step(after, _))) if before != after => {
                Err(format!("`{path}` called `{before}`, and the new flow calls `{after}` there"))
            }
            (Some(Open::Emit(..)), Some(Open::Emit(..))) => Err(format!("`{path}` sends another message in the new flow")),
            _ => Err(format!("`{path}` has other arguments in the new flow")),
        }
    }

    fn timer(&self, timer: TimerId) -> Result<TimerId, String> {
        let Some(alarm) = self.old.alarm(timer) else { return Ok(TimerId::NONE) };
        self.new.timer_for(&alarm).ok_or_else(|| format!("a timer fired that the new flow does not set: {alarm}"))
    }

    /// The path of the first thing that is open in the new state and not, or otherwise, in the old one.
    fn first_difference(&self) -> Option<Arc<str>> {
        let before: BTreeMap<&Arc<str>, TaskId> = self.old.opened_from(TaskId(0)).map(|(id, path)| (path, id)).collect();
        let mut steps: Vec<(TaskId, &Arc<str>)> = self.new.opened_from(TaskId(0)).collect();
        steps.sort();
        let differs =
            |(id, path): &(TaskId, &Arc<str>)| before.get(path).is_none_or(|old| self.old.open(*old) != self.new.open(*id));
        let waits = self.old.open_waits();
        let other_wait = self.new.open_waits().into_iter().find(|wait| !waits.contains(wait)).map(|wait| wait.path);
        steps.into_iter().find(differs).map(|(_, path)| Arc::clone(path)).or(other_wait)
    }
}
