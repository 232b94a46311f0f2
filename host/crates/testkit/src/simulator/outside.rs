//! What survives a crash: the journal, the witness of what really ran, and the rules that both must keep.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::{FailureKind, Value};
use engine::core::{Bug, StartAttempt};
use engine::event::{CacheNote, Decision, Event, EventBody, Origin, Payload, RunId, RunOutcome, TaskId};
use engine::ports::Control;
use engine::recovery::{Measure, Recovery, Row};
use lang::plan::{HookEvent, HookPhase};

use super::features::Features;
use super::generate::escalates;
use super::mail::{self, Inbox};
use super::operator::Changes;
use super::rules::Limits;
use super::steps::is_handler;
use super::undone::Undone;
use super::versions::Versions;

/// The world around the processes that own a run.
pub(super) struct Outside {
    pub(super) seed: u64,
    pub(super) versions: Versions,
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
    asked_in_letters: BTreeMap<TaskId, (Arc<str>, bool)>,
    /// What was done and taken back.
    pub(super) undone: Undone,
    /// What was used of the engine.
    pub(super) features: Features,
    /// What its operator has changed.
    pub(super) changes: Changes,
    /// Results that its operator may supply or change the settings of: those of the undisturbed run.
    pub(super) wishes: Vec<(Arc<str>, Value)>,
    /// The orders that were given in letters.
    pub(super) letters: Vec<Control>,
    /// The ids of the letters that the journal has.
    taken: BTreeSet<Arc<str>>,
    /// The second parameter of the entry flow.
    pub(super) input: u64,
    /// The run that it retries.
    pub(super) origin: Option<Origin>,
    /// The runs of plans, by path and failures before.
    children: BTreeMap<(Arc<str>, u32), RunId>,
}

/// What is known of a path.
#[derive(Default)]
struct Facts {
    /// Durable.
    failed: u32,
    /// Durable.
    succeeded: bool,
    /// Its own attempt succeeded: nobody gave its result.
    ran: bool,
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
    escalates(seed).then(|| Arc::new(table))
}

impl Outside {
    pub(super) fn new(seed: u64, versions: Versions) -> Self {
        let plan = versions.plan();
        let mut features = Features::default();
        features.note_plan(&plan);
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
            versions,
            facts: BTreeMap::new(),
            asked: BTreeMap::new(),
            asked_in_letters: BTreeMap::new(),
            undone: Undone::default(),
            features,
            changes: Changes::default(),
            wishes: Vec::new(),
            letters: Vec::new(),
            taken: BTreeSet::new(),
            input: seed % 97,
            origin: None,
            children: BTreeMap::new(),
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
            self.features.note_event(event);
            match &event.body {
                EventBody::Changed(change) => self.changed(change)?,
                EventBody::ControlTaken { id, .. } if !self.taken.insert(Arc::clone(id)) => {
                    return Err(format!("the order `{id}` was carried out twice"));
                }
                EventBody::AttemptStarted { attempt, .. } => {
                    self.facts_of(&attempt.path).started.insert(attempt.number);
                }
                EventBody::AttemptSucceeded { attempt, cache, .. } => {
                    let facts = self.facts_of(&attempt.path);
                    facts.ran = !matches!(cache, Some(CacheNote::Reused | CacheNote::Supplied));
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
                self.check_posted()?;
                // Whoever cancels a run wants nothing new to start, so nobody need be told.
                if !matches!(outcome, RunOutcome::Cancelled) {
                    self.check_told_after()?;
                }
            }
        }
        Ok(())
    }

    fn facts_of(&mut self, path: &Arc<str>) -> &mut Facts {
        self.facts.entry(Arc::clone(path)).or_default()
    }

    /// Whether a path has succeeded, durably.
    pub(super) fn has_succeeded(&self, path: &str) -> bool {
        self.facts.get(path).is_some_and(|facts| facts.succeeded)
    }

    /// How often a path has failed, durably.
    pub(super) fn failures(&self, path: &str) -> u32 {
        self.facts.get(path).map_or(0, |facts| facts.failed)
    }

    /// An attempt begins. Here the rules are checked.
    pub(super) fn begin(&mut self, start: &StartAttempt, repeatable: bool, pure_step: bool, now: u64) -> Result<(), String> {
        self.check_woken(&start.path, now)?;
        self.check_changes(&start.path, &start.args, start.wishes.fuel)?;
        self.check_handlers(&start.path, start.number)?;
        self.check_child(start)?;
        let taken_over = |origin: &Origin| origin.results.iter().any(|result| result.path == start.path);
        if self.origin.as_ref().is_some_and(taken_over) && !start.path.contains("racy") {
            return Err(format!("`{}` runs though the run that is retried has its result", start.path));
        }
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

    /// Whether a step has really run.
    pub(super) fn has_run(&self, path: &str) -> bool {
        self.facts.get(path).is_some_and(|facts| !facts.begun.is_empty())
    }

    /// An attempt that runs a plan has a run of its own, which is the same when it is begun again.
    fn check_child(&mut self, start: &StartAttempt) -> Result<(), String> {
        let Some(child) = &start.child else { return Ok(()) };
        let key = (Arc::clone(&start.path), self.failures(&start.path));
        if self.children.iter().any(|(of, id)| (*of == key) != (*id == child.id)) {
            return Err(format!("`{}` after {} failures has a wrong run: {}", start.path, key.1, child.id));
        }
        self.children.insert(key, child.id.clone());
        let within = &child.within;
        if within.depth == 1 && within.steps.is_some_and(|steps| steps <= 5) {
            Ok(())
        } else {
            Err(format!("the run of `{}` is held to {within:?}", start.path))
        }
    }

    /// All handlers that are asked before a step, or an attempt, have agreed.
    fn check_handlers(&self, path: &str, number: u32) -> Result<(), String> {
        if is_handler(path) {
            return Ok(());
        }
        for (place, hook) in (0..).zip(&self.versions.plan().hooks) {
            let before = match (hook.phase, hook.event) {
                (HookPhase::Before, HookEvent::Step) => format!("{path}.before[{place}]"),
                (HookPhase::Before, HookEvent::Attempt) => format!("{path}.before[{place}.{number}]"),
                _ => continue,
            };
            if !self.has_succeeded(&before) {
                return Err(format!("`{path}` began before `{before}` had agreed"));
            }
        }
        Ok(())
    }

    /// All handlers were told of the steps that ran, but for those that were not wanted any more when they ended.
    fn check_told_after(&self) -> Result<(), String> {
        for (place, hook) in (0..).zip(&self.versions.plan().hooks) {
            if (hook.phase, hook.event) != (HookPhase::After, HookEvent::Step) {
                continue;
            }
            for (path, _) in self.facts.iter().filter(|(path, facts)| facts.ran && !is_handler(path) && !path.contains("racy")) {
                let after = format!("{path}.after[{place}]");
                if !self.has_succeeded(&after) {
                    return Err(format!("the run ended before `{after}` was told"));
                }
            }
        }
        Ok(())
    }

    /// A human is only asked about what is written down.
    pub(super) fn check_told(&self, task: TaskId, path: &str) -> Result<(), String> {
        let told = self.durable.iter().rev().any(|event| match &event.body {
            EventBody::Escalated(escalation) => *escalation.attempt.path == *path,
            _ => false,
        });
        if told { Ok(()) } else { Err(format!("a human is asked about step {}, `{path}`, and nothing says so", task.0)) }
    }

    /// A new owner begins: decisions that are not durable are gone, unless they wait in a letter.
    pub(super) fn forget_asked(&mut self) {
        self.asked.clear();
        self.asked.clone_from(&self.asked_in_letters);
    }

    /// The operator is about to decide about a step.
    pub(super) fn asked(&mut self, task: TaskId, path: &Arc<str>, began: bool) {
        self.decisions += 1;
        self.asked.insert(task, (Arc::clone(path), began));
    }

    /// The same in a letter, which outlives the owner.
    pub(super) fn asked_in_a_letter(&mut self, task: TaskId, path: &Arc<str>) {
        self.asked(task, path, true);
        self.asked_in_letters.insert(task, (Arc::clone(path), true));
    }

    /// A decision is durable: a supplied value counts, a step that may have run may run again.
    fn decided(&mut self, task: TaskId, decision: &Decision) {
        self.asked_in_letters.remove(&task);
        let Some((path, began)) = self.asked.remove(&task) else { return };
        match decision {
            Decision::Supply(Payload::Value(value)) => self.supplied.push((path, value.clone())),
            Decision::Retry(_) if began => self.facts_of(&path).excused += 1,
            _ => {}
        }
    }
}
