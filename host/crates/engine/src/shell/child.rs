//! The run of a plan: one attempt of `run plan`.
//!
//! # Steps
//!
//! 1. The text is compiled ([`Compiler`](crate::ports::Compiler)), and what the plan may do is compared with what the
//!    step allows (`allowed`).
//! 2. A run that the store does not have is started; any other is gone on with where its last owner left it.
//! 3. It is followed to its end, paused and cancelled with the run whose step it is. One that waits for somebody is left,
//!    and gone on with when there is mail for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{FailureKind, Value};
use lang::plan::{PlanRef, SEMANTICS_VERSION};
use tokio::sync::mpsc;

use super::allowed;
use super::attempt::Done;
use super::handle::{RunEnd, RunHandle, RunReport, Update};
use super::{Engine, EngineError, NewRun, Parts};
use crate::core::{ChildRun, StartAttempt};
use crate::event::{Bill, Failure, Payload, RunOutcome, TaskId};
use crate::ports::{Callable, CompiledPlan, JournalError, Outcome, PlanError, PlanSource};

/// Longer texts are no plans, in bytes.
const LONGEST: usize = 256 << 10;

const _: () = assert!(SEMANTICS_VERSION == 1, "whether a plan may mean something else to its parent has to be decided");

/// What a run tells the run of its plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Steer {
    Pause,
    Resume,
    Cancel,
}

/// What the run of a plan tells.
pub(super) enum Word {
    /// It waits for somebody, or goes on again.
    Stalled { task: TaskId, number: u32, what: Option<Arc<str>> },
    /// For people.
    Update(Update),
}

/// The runs of a run's plans.
pub(super) struct Children {
    steers: BTreeMap<TaskId, (u32, mpsc::UnboundedSender<Steer>)>,
    sender: mpsc::UnboundedSender<Word>,
    words: mpsc::UnboundedReceiver<Word>,
    paused: bool,
}

impl Children {
    pub(super) fn new() -> Self {
        let (sender, words) = mpsc::unbounded_channel();
        Self { steers: BTreeMap::new(), sender, words, paused: false }
    }

    /// The run of an attempt's plan, to be run; none when the attempt runs no plan.
    pub(super) fn begin(&mut self, parts: &Arc<Parts>, start: StartAttempt) -> Result<Child, Box<StartAttempt>> {
        let (Some(order), Callable::Plan(of)) = (start.child.clone(), start.target.clone()) else { return Err(Box::new(start)) };
        let (sender, steers) = mpsc::unbounded_channel();
        self.steers.insert(start.task, (start.number, sender));
        let engine = Engine { parts: Arc::clone(parts) };
        Ok(Child { engine, order: *order, of, start, steers, words: self.sender.clone(), pausing: false, cancelled: false })
    }

    /// Tells the run of an attempt's plan to end. False when the attempt runs none.
    pub(super) fn cancel(&self, task: TaskId, number: u32) -> bool {
        let steers = self.steers.get(&task).filter(|(running, _)| *running == number);
        steers.is_some_and(|(_, steers)| steers.send(Steer::Cancel).is_ok())
    }

    /// Whether their parent is paused.
    pub(super) fn follow(&mut self, paused: bool) {
        if std::mem::replace(&mut self.paused, paused) != paused {
            let steer = if paused { Steer::Pause } else { Steer::Resume };
            for (_, steers) in self.steers.values() {
                // One that is over is about to be forgotten.
                let _ = steers.send(steer);
            }
        }
    }

    pub(super) fn forget(&mut self, task: TaskId) {
        self.steers.remove(&task);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.steers.is_empty()
    }

    pub(super) async fn next(&mut self) -> Option<Word> {
        self.words.recv().await
    }
}

/// The run of an attempt's plan.
pub(super) struct Child {
    engine: Engine,
    order: ChildRun,
    of: Arc<PlanRef>,
    start: StartAttempt,
    steers: mpsc::UnboundedReceiver<Steer>,
    words: mpsc::UnboundedSender<Word>,
    pausing: bool,
    cancelled: bool,
}

/// A plan with what its run is given.
struct Ready {
    plan: CompiledPlan,
    input: Vec<(String, Value)>,
}

impl Child {
    /// Runs it to its end.
    pub(super) async fn run(mut self) -> Done {
        let ready = match self.prepare().await {
            Ok(ready) => ready,
            Err(PlanError::Refused(failure)) => return over(Err(failure), Bill::default()),
            Err(PlanError::Store(error)) => return Done::Lost(error),
        };
        let mut exists = match self.engine.parts.journal.load(&self.order.id) {
            Ok(_) => true,
            Err(JournalError::NoSuchRun(_)) => false,
            Err(error) => return Done::Lost(error),
        };
        loop {
            while let Ok(steer) = self.steers.try_recv() {
                self.note(steer);
            }
            if (self.cancelled && !exists) || (self.pausing && !self.cancelled) {
                return Done::NotBegun;
            }
            let handle = match self.begin(&ready, exists).await {
                Ok(handle) => handle,
                Err(EngineError::Input(message)) => {
                    return over(Err(failure(FailureKind::InvalidInput, message)), Bill::default());
                }
                Err(EngineError::NeverFits(message)) => {
                    return over(Err(failure(FailureKind::Resource, message)), Bill::default());
                }
                Err(EngineError::Journal(error)) => return Done::Lost(error),
                Err(error) => return Done::Lost(JournalError::Unavailable(error.to_string())),
            };
            exists = true;
            let report = self.follow(handle).await;
            if let Some(done) = self.end(report).await {
                return done;
            }
        }
    }

    /// Makes the plan, and what its run is given.
    async fn prepare(&self) -> Result<Ready, PlanError> {
        let Some(Value::String(text)) = self.start.args.first() else {
            return Err(PlanError::Refused(failure(FailureKind::Internal, "the plan promises a text of a plan")));
        };
        if text.len() > LONGEST {
            let message = format!("the text of the plan has {} bytes, at most {LONGEST} are compiled", text.len());
            return Err(PlanError::Refused(failure(FailureKind::InvalidInput, message)));
        }
        let source = PlanSource { program: self.order.program, from: self.of.from.clone(), text: Arc::clone(text) };
        let plan = self.engine.parts.compiler.compile(source).await?;
        let names = self.of.params.iter().map(|(name, _)| name);
        let given: Vec<_> = names.zip(&self.start.args).skip(1).collect();
        let input = allowed::check(&plan.plan, plan.adopted, &self.start.grants)
            .and_then(|()| allowed::input(&plan.plan, &given, &self.start.grants))
            .map_err(PlanError::Refused)?;
        Ok(Ready { plan, input })
    }

    async fn begin(&self, ready: &Ready, exists: bool) -> Result<RunHandle, EngineError> {
        let (id, plan) = (self.order.id.clone(), Arc::clone(&ready.plan.plan));
        if exists {
            return self.engine.resume(id, plan).await;
        }
        let labels = [("parent", self.order.parent.to_string()), ("parent-step", self.start.path.to_string())];
        let new = NewRun {
            id,
            plan,
            program: ready.plan.program,
            input: ready.input.clone(),
            labels: labels.map(|(key, value)| (key.to_owned(), value)).to_vec(),
            permitted: self.order.permitted.clone(),
            origin: None,
            trace: self.order.trace.clone(),
        };
        self.engine.start_within(new, self.order.within).await
    }

    fn note(&mut self, steer: Steer) {
        match steer {
            Steer::Pause => self.pausing = true,
            Steer::Resume => self.pausing = false,
            Steer::Cancel => self.cancelled = true,
        }
    }

    /// Follows the run until its task is over.
    async fn follow(&mut self, mut handle: RunHandle) -> RunReport {
        if self.cancelled {
            handle.cancel("the step that runs this plan is not wanted any more");
        }
        loop {
            tokio::select! {
                update = handle.next_update() => match update {
                    Some(update) => self.tell(update),
                    None => return handle.wait().await,
                },
                Some(steer) = self.steers.recv() => {
                    self.note(steer);
                    match steer {
                        Steer::Pause => handle.pause("the run whose plan this is was paused"),
                        Steer::Resume => handle.resume(),
                        Steer::Cancel => handle.cancel("the step that runs this plan is not wanted any more"),
                    }
                }
            }
        }
    }

    /// What people should know of it, with the path of the step.
    fn tell(&self, update: Update) {
        let below = |path: Arc<str>| [&*self.start.path, " > ", &path].concat().into();
        let update = match update {
            Update::Denied { path, denial } => Update::Denied { path: below(path), denial },
            Update::Log { path, line } => Update::Log { path: below(path), line },
            Update::Note { line } => Update::Note { line },
            _ => return,
        };
        // Nobody reads it when the parent's task is over.
        let _ = self.words.send(Word::Update(update));
    }

    /// How the attempt ended; none when the run goes on.
    async fn end(&mut self, report: RunReport) -> Option<Done> {
        let mut bill = report.bill;
        bill.attempts = bill.attempts.saturating_add(report.attempts);
        let id = &report.id;
        Some(match report.outcome {
            RunEnd::Finished(RunOutcome::Succeeded(payload)) => over(document(&payload), bill),
            RunEnd::Finished(RunOutcome::Failed { failure, path }) => {
                let message = format!("{} (at `{path}` of the plan, run {id})", failure.message);
                over(Err(Failure { message, ..failure }), bill)
            }
            RunEnd::Finished(RunOutcome::Cancelled) if self.cancelled => Done::NotBegun,
            RunEnd::Finished(RunOutcome::Cancelled) => {
                over(Err(failure(FailureKind::Error, format!("the run {id} of the plan was cancelled"))), bill)
            }
            RunEnd::StoreFailed(error) => Done::Lost(error),
            // Nobody migrates the run of a plan; it is gone on with from its journal.
            RunEnd::Leaves(_) => Done::NotBegun,
            RunEnd::Paused { .. } if self.pausing && !self.cancelled => Done::NotBegun,
            RunEnd::Paused { blocked, waiting } => {
                let decisions = blocked.iter().map(|step| format!("a decision about step {}, `{}`", step.task.0, step.path));
                let waits = waiting.iter().map(|waiting| format!("{} ({})", waiting.what, waiting.path));
                let what: Vec<String> = decisions.chain(waits).collect();
                self.stall(Some(what.join("; ").into()));
                let error = self.wait_for_mail().await;
                self.stall(None);
                return error.map(Done::Lost);
            }
        })
    }

    fn stall(&self, what: Option<Arc<str>>) {
        let _ = self.words.send(Word::Stalled { task: self.start.task, number: self.start.number, what });
    }

    /// Waits until there is mail that the run has not looked at, or it is told something.
    async fn wait_for_mail(&mut self) -> Option<JournalError> {
        let bus = Arc::clone(&self.engine.parts.bus);
        let mut seen = 0;
        let mut looked = false;
        loop {
            match bus.mail(&self.order.id, seen) {
                Err(error) => return Some(error),
                Ok(letters) => match letters.last() {
                    Some(_) if looked => return None,
                    Some(last) => seen = last.no,
                    None => looked = true,
                },
            }
            if !looked {
                continue;
            }
            tokio::select! {
                () = bus.arrival(&self.order.id) => {}
                Some(steer) = self.steers.recv() => {
                    self.note(steer);
                    if steer != Steer::Resume {
                        return None;
                    }
                }
            }
        }
    }
}

/// What the run of a plan gave, in its JSON form.
fn document(payload: &Payload) -> Result<Value, Failure> {
    let document = match payload {
        Payload::Value(value) => Ok(Arc::new(catalog::json::to_json(value))),
        Payload::Text(text) => catalog::json::parse_document(text).map_err(|error| error.to_string()),
    };
    document
        .map(Value::Json)
        .map_err(|error| failure(FailureKind::Internal, format!("what the plan gave cannot be read: {error}")))
}

fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { kind, message: message.into(), details: None, retry_after: None }
}

fn over(result: Result<Value, Failure>, bill: Bill) -> Done {
    Done::Outcome(Box::new(Outcome { bill, ..Outcome::new(result) }))
}
