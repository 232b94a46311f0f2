//! What survives a crash: the journal, the witness of what really ran, and the rules that both must keep.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::{FailureKind, Value};
use engine::core::{Bug, StartAttempt};
use engine::event::{Decision, Event, EventBody, Payload, RunOutcome, TaskId};
use engine::recovery::{Measure, Recovery, Row};
use lang::plan::Plan;

use super::mail::{self, Inbox};
use super::rules::Limits;
use super::undone::Undone;

/// The world around the processes that own a run.
pub(super) struct Outside {
    pub(super) seed: u64,
    pub(super) plan: Arc<Plan>,
    pub(super) bug: Option<Bug>,
    /// The journal.
    pub(super) durable: Vec<Event>,
    /// Values that the operator supplied, by path.
    pub(super) supplied: Vec<(Arc<str>, Value)>,
    pub(super) decisions: usize,
    pub(super) most_open: usize,
    /// What is sent to the run, by where it goes.
    pub(super) inboxes: Vec<Inbox>,
    /// What the run has sent, by id: topic and payload.
    pub(super) published: BTreeMap<Arc<str>, (Arc<str>, Arc<str>)>,
    /// Rates and budgets, over all processes.
    pub(super) limits: Limits,
    /// What is done about failures that the flow does not take.
    pub(super) recovery: Option<Arc<Recovery>>,
    facts: BTreeMap<Arc<str>, Facts>,
    /// Steps about which the operator decided, and whether their attempt had begun; the decision may get lost.
    asked: BTreeMap<TaskId, (Arc<str>, bool)>,
    /// What was done and taken back.
    pub(super) undone: Undone,
}

/// What is known of a path.
#[derive(Default)]
struct Facts {
    /// Durable.
    failed: u32,
    /// Durable.
    succeeded: bool,
    /// Durable `attempt-started`s.
    started: BTreeSet<u32>,
    /// The witness: attempts that began, whether or not anybody remembers.
    begun: BTreeSet<u32>,
    /// Attempts that may begin: the first, and one for each failure or decision.
    excused: usize,
    args: Vec<Value>,
    function: String,
}

/// Every second run has a table, which tries once more and then asks a human.
fn recovery(seed: u64) -> Option<Arc<Recovery>> {
    let agent = Measure { retry: 1, backoff: 5, ..Measure::default() };
    let row = Row { agent, human: true, ..Row::default() };
    let table = Recovery { escalates: true, patience: None, rows: [(FailureKind::Error, row)].into(), ..Recovery::default() };
    seed.is_multiple_of(2).then(|| Arc::new(table))
}

impl Outside {
    pub(super) fn new(seed: u64, plan: Arc<Plan>) -> Self {
        Self {
            seed,
            bug: None,
            durable: Vec::new(),
            supplied: Vec::new(),
            decisions: 0,
            most_open: 0,
            limits: Limits::default(),
            inboxes: mail::inboxes(&plan),
            published: BTreeMap::new(),
            recovery: recovery(seed),
            plan,
            facts: BTreeMap::new(),
            asked: BTreeMap::new(),
            undone: Undone::default(),
        }
    }

    /// How the run ended, durably.
    pub(super) fn outcome(&self) -> Option<&RunOutcome> {
        match self.durable.last().map(|event| &event.body) {
            Some(EventBody::RunEnded { outcome }) => Some(outcome),
            _ => None,
        }
    }

    /// A batch becomes durable.
    pub(super) fn store(&mut self, batch: &[Event]) -> Result<(), String> {
        for event in batch {
            let next = self.durable.len() as u64 + 1;
            if event.seq != next {
                return Err(format!("event {} was appended where {next} belongs", event.seq));
            }
            if self.outcome().is_some() {
                return Err("something was appended after the end".to_owned());
            }
            self.undone.note(event, &self.asked);
            match &event.body {
                EventBody::AttemptStarted { attempt, .. } => {
                    self.facts_of(&attempt.path).started.insert(attempt.number);
                }
                EventBody::AttemptSucceeded { attempt, .. } => {
                    let facts = self.facts_of(&attempt.path);
                    if std::mem::replace(&mut facts.succeeded, true) {
                        return Err(format!("`{}` succeeded twice", attempt.path));
                    }
                }
                EventBody::AttemptFailed { attempt, .. } => {
                    let facts = self.facts_of(&attempt.path);
                    facts.failed += 1;
                    facts.excused += 1;
                }
                EventBody::OperatorDecision { task, decision } => self.decided(*task, decision),
                EventBody::MessageSent { attempt } => {
                    let facts = self.facts_of(&attempt.path);
                    if std::mem::replace(&mut facts.succeeded, true) {
                        return Err(format!("`{}` was sent twice", attempt.path));
                    }
                    if !self.published.keys().any(|id| id.ends_with(&*attempt.path)) {
                        return Err(format!("`{}` is said to be sent and was not", attempt.path));
                    }
                }
                _ => {}
            }
            self.durable.push(event.clone());
            if let EventBody::RunEnded { outcome } = &event.body {
                self.undone.check_end(matches!(outcome, RunOutcome::Succeeded(_)))?;
            }
        }
        Ok(())
    }

    fn facts_of(&mut self, path: &Arc<str>) -> &mut Facts {
        self.facts.entry(Arc::clone(path)).or_default()
    }

    /// How often a path has failed, durably.
    pub(super) fn failures(&self, path: &str) -> u32 {
        self.facts.get(path).map_or(0, |facts| facts.failed)
    }

    /// An attempt begins. Here the rules are checked.
    pub(super) fn begin(&mut self, start: &StartAttempt, repeatable: bool, pure_step: bool, now: u64) -> Result<(), String> {
        self.check_woken(&start.path, now)?;
        let facts = self.facts_of(&start.path);
        if facts.succeeded {
            return Err(format!("`{}` runs again though its result is durable", start.path));
        }
        if !pure_step && !facts.started.contains(&start.number) {
            return Err(format!("`{}` was invoked before its attempt-started was durable", start.path));
        }
        facts.begun.insert(start.number);
        if !repeatable && facts.begun.len() > facts.excused + 1 {
            return Err(format!("the effect of `{}` may have happened twice", start.path));
        }
        facts.args.clone_from(&start.args);
        start.target.name().clone_into(&mut facts.function);
        Ok(())
    }

    /// Whether an attempt really began, and with what.
    pub(super) fn witness(&self, path: &str, number: u32) -> Option<(&str, &[Value])> {
        let facts = self.facts.get(path).filter(|facts| facts.begun.contains(&number))?;
        Some((&facts.function, &facts.args))
    }

    /// The operator is about to decide about a step.
    pub(super) fn asked(&mut self, task: TaskId, path: &Arc<str>, began: bool) {
        self.decisions += 1;
        self.asked.insert(task, (Arc::clone(path), began));
    }

    /// A decision is durable: a supplied value counts, a step that may have run may run again.
    fn decided(&mut self, task: TaskId, decision: &Decision) {
        let Some((path, began)) = self.asked.remove(&task) else { return };
        match decision {
            Decision::Supply(Payload::Value(value)) => self.supplied.push((path, value.clone())),
            Decision::Retry(_) if began => self.facts_of(&path).excused += 1,
            _ => {}
        }
    }
}
