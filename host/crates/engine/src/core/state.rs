//! The state of a run: a function of the plan and the events applied so far, and of nothing else.
//!
//! # Steps
//!
//! 1. [`State::apply`] takes one durable event to the step, timer or run that it is about.
//! 2. What follows from it is done from a queue of work, so that no chain of nodes is deep on the stack:
//!    `region` opens and closes regions, `node` begins nodes, `form` goes on with structured ones,
//!    `race` lets arms compete, `task` runs steps, `outbox` sends what they have sent, `wait` waits and sends, `mail` takes what comes,
//!    `stop` ends what is no longer wanted, `undo` takes back what was done, `recovery` does what it can about a
//!    failure that nothing takes, `timer` keeps deadlines. What a step may
//!    have to wait for is in `keys`, `breaker`, `rate` and `scope`, in this order; `budget` ends what has used too much,
//!    `planned` says what the run of a plan may use, `vault` keeps what is collected out of memory. What need not be computed is in `given`, what an operator wants in
//!    `control` and `change`, what somebody asks about in `standing`.
//! 3. What the outside has to do comes out as [`Command`]s, in an order that follows from the events.

mod breaker;
mod budget;
mod change;
mod control;
mod form;
mod given;
mod hooks;
mod keys;
mod mail;
mod model;
mod node;
mod outbox;
mod planned;
mod race;
mod rate;
mod recovery;
mod region;
mod scope;
mod standing;
mod stop;
mod task;
mod timer;
mod twin;
mod undo;
mod vault;
mod view;
mod wait;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use catalog::{Digest, FailureKind, Type, Value};
use lang::plan::{Node, NodeId, NodeKind, Plan, Target};

use crate::core::bugs::Bugs;
use crate::core::line::Line;
use crate::core::slab::Slab;
use crate::core::values::{decode, failure};
use crate::event::{
    Attempt, CacheNote, Event, EventBody, Failure, Payload, Posting, RunId, RunOutcome, RunStarted, Settings, TaskId, TimerId,
    Timestamp, Trace, Within,
};
use crate::permit::Permit;
use crate::ports::{Message, Vault};
use crate::recovery::Recovery;
use breaker::{Fuse, FuseId, Verdict};
use given::Given;
pub(crate) use given::History;
use hooks::Hooks;
use keys::Key;
use mail::{Address, Mailbox};
use model::{Activity, ActivityId, Emit, Instance, Scope, Timer, Work};
pub(crate) use model::{InstanceId, Role, Status, Task};
use outbox::Outbox;
use rate::Pace;
pub(crate) use twin::Open;
use vault::Shelf;

/// So many things may follow from one event before the run fails: it bounds loops without steps.
const MAX_WORK: u64 = 10_000_000;

/// What the outside has to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// Run an attempt.
    Start(TaskId, u32),
    /// Stop an attempt and say when it has ended.
    Stop(TaskId, u32),
    /// Let an attempt not begin; one that has begun goes on. Say when it has ended.
    Withdraw(TaskId, u32),
    /// An attempt at this path failed without being started.
    Refused(TaskId, Arc<str>, Failure),
    /// Say when this time has come.
    SetTimer(TimerId, Timestamp),
    /// Nobody waits for it any more.
    ClearTimer(TimerId),
    /// Hand a message to the bus.
    Publish(TaskId),
    /// Give an attempt a message that it takes.
    Hand(TaskId, u32, Option<Message>),
    /// A wait on a computed topic is open.
    Listen(Arc<str>),
    /// None is any more.
    Unlisten(Arc<str>),
    /// Something to tell.
    Note(String),
    /// Write down that a human is asked about a step.
    Escalate(TaskId),
    /// Write down that nobody is any more.
    GiveUp(TaskId),
    /// The run has ended.
    End(RunOutcome),
}

/// The plan, left out of what is compared.
#[derive(Clone)]
struct Program(Arc<Plan>);

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("plan")
    }
}

/// The recovery table, left out of what is compared: it never changes.
#[derive(Clone, Default)]
struct Table(Option<Arc<Recovery>>);

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "table" } else { "-" })
    }
}

/// Everything about a run that matters. Two states with the same `Debug` text are the same.
#[derive(Debug)]
pub(crate) struct State {
    program: Program,
    id: RunId,
    now: Timestamp,
    instances: Slab<Instance>,
    activities: Slab<Activity>,
    scopes: Slab<Scope>,
    tasks: BTreeMap<TaskId, Task>,
    timers: BTreeMap<TimerId, Timer>,
    next_task: u64,
    next_timer: u64,
    hooks: Hooks,
    next_undo: u64,
    /// The run itself, while it has not ended.
    root: Option<ActivityId>,
    /// Messages that are to be sent.
    emits: BTreeMap<TaskId, Emit>,
    /// What attempts have sent whose outcome is not applied yet.
    posted: BTreeMap<TaskId, Arc<[Posting]>>,
    /// Steps that have their result, and whose messages leave.
    outboxes: BTreeMap<TaskId, Outbox>,
    mail: Mailbox,
    /// Whether some step has a priority.
    prioritized: bool,
    /// Steps that became ready by the event that is being applied, when some step has a priority.
    soon: Line,
    /// Steps and messages that are not started because nothing starts now.
    held: Line,
    keys: BTreeMap<Arc<str>, Key>,
    rates: BTreeMap<NodeId, Pace>,
    fuses: BTreeMap<FuseId, Fuse>,
    /// Steps whose outcome is not known and that must not simply run again.
    unknown: BTreeSet<TaskId>,
    /// Failed steps about which a human was asked; the others go on.
    escalated: BTreeSet<TaskId>,
    /// Compensations that failed for good, with their paths.
    not_undone: Vec<(Arc<str>, Failure)>,
    /// What is done about failures that the flow does not take.
    recovery: Table,
    paused: Option<String>,
    /// So many steps may start though the run is paused.
    credit: u64,
    cancelled: bool,
    /// What still runs after a cancellation has been told to stop.
    hurried: bool,
    /// While the run is being cancelled gently: attempts that have begun are not stopped.
    gently: bool,
    /// The control letters that were read.
    controls: BTreeSet<Arc<str>>,
    outcome: Option<RunOutcome>,
    work: VecDeque<Work>,
    worked: u64,
    most_work: u64,
    commands: Vec<Command>,
    /// What the run was started with.
    program_digest: Digest,
    /// What it is held to when another run started it.
    within: Option<Box<Within>>,
    permits: Vec<Permit>,
    trace: Option<Trace>,
    consented: Vec<Arc<str>>,
    given: Given,
    /// What an operator set for steps, by their paths.
    settings: BTreeMap<Arc<str>, Settings>,
    history: Option<Box<History>>,
    vault: Shelf,
    bugs: BugsField,
}

/// Bugs, left out of what is compared.
#[derive(Clone, Copy, Default)]
struct BugsField(Bugs);

impl fmt::Debug for BugsField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("-")
    }
}

/// Why an event cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit(pub(crate) String);

impl State {
    /// Nothing has happened.
    pub(crate) fn new(plan: Arc<Plan>, id: RunId, bugs: Bugs) -> Self {
        let mail = Mailbox::new(&plan);
        let has_priority = |node: &Node| matches!(&node.kind, NodeKind::Call(call) if call.rules.priority.is_some());
        Self {
            prioritized: plan.nodes.values().any(has_priority),
            program: Program(plan),
            id,
            now: Timestamp(0),
            instances: Slab::default(),
            activities: Slab::default(),
            scopes: Slab::default(),
            tasks: BTreeMap::new(),
            timers: BTreeMap::new(),
            next_task: 0,
            next_timer: 0,
            hooks: Hooks::default(),
            next_undo: 0,
            root: None,
            emits: BTreeMap::new(),
            posted: BTreeMap::new(),
            outboxes: BTreeMap::new(),
            mail,
            soon: Line::new(),
            held: Line::new(),
            keys: BTreeMap::new(),
            rates: BTreeMap::new(),
            fuses: BTreeMap::new(),
            unknown: BTreeSet::new(),
            escalated: BTreeSet::new(),
            not_undone: Vec::new(),
            recovery: Table::default(),
            paused: None,
            credit: 0,
            cancelled: false,
            hurried: false,
            gently: false,
            controls: BTreeSet::new(),
            outcome: None,
            work: VecDeque::new(),
            worked: 0,
            most_work: MAX_WORK,
            commands: Vec::new(),
            program_digest: Digest([0; 32]),
            within: None,
            permits: Vec::new(),
            trace: None,
            consented: Vec::new(),
            given: Given::default(),
            settings: BTreeMap::new(),
            history: None,
            vault: Shelf::default(),
            bugs: BugsField(bugs),
        }
    }

    /// Plants a bug.
    #[cfg(feature = "planted-bugs")]
    pub(crate) fn plant(&mut self, bugs: Bugs) {
        self.bugs = BugsField(bugs);
    }

    /// Puts large values that are collected there from now on.
    pub(crate) fn hold_in(&mut self, vault: Arc<dyn Vault>) {
        self.vault = Shelf::over(vault);
    }

    /// Why values that were put away cannot be had back.
    pub(crate) fn lost_values(&self) -> Option<String> {
        self.vault.trouble()
    }

    /// Changes how many things may follow from one event.
    pub(crate) const fn bound_work(&mut self, most: u64) {
        self.most_work = most;
    }

    /// The plan; a copy of the pointer, so that it can be read while the state changes.
    pub(crate) fn plan(&self) -> Arc<Plan> {
        Arc::clone(&self.program.0)
    }

    /// The steps that are ready, running, waiting for a retry or for an operator.
    pub(crate) const fn tasks(&self) -> &BTreeMap<TaskId, Task> {
        &self.tasks
    }

    /// What runs out when.
    pub(crate) fn timers(&self) -> impl Iterator<Item = (TimerId, Timestamp)> + '_ {
        self.timers.iter().map(|(id, timer)| (*id, timer.at))
    }

    /// When a timer is due.
    pub(crate) fn timer(&self, id: TimerId) -> Option<Timestamp> {
        self.timers.get(&id).map(|timer| timer.at)
    }

    /// Why nothing starts, when somebody asked for that.
    pub(crate) fn paused(&self) -> Option<&str> {
        self.paused.as_deref()
    }

    /// How the run ended.
    pub(crate) const fn outcome(&self) -> Option<&RunOutcome> {
        self.outcome.as_ref()
    }

    /// The steps that an operator has to decide about.
    pub(crate) fn undecided(&self) -> impl Iterator<Item = (TaskId, &Task)> {
        self.unknown.iter().chain(&self.escalated).filter_map(|id| Some((*id, self.tasks.get(id)?)))
    }

    /// What the operator permitted, and the folders that the input names.
    pub(crate) fn permissions(&self) -> (&[Permit], &[Arc<str>]) {
        (&self.permits, &self.consented)
    }

    /// The trace that the run belongs to, where somebody said one.
    pub(crate) const fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// How many regions are open.
    pub(crate) fn open_regions(&self) -> usize {
        self.instances.len()
    }

    /// Takes what the outside has to do.
    pub(crate) fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// What the outside had to do is not done.
    pub(crate) fn forget_commands(&mut self) {
        self.commands.clear();
    }

    /// Applies one event.
    pub(crate) fn apply(&mut self, event: &Event) -> Result<(), Misfit> {
        self.now = event.at;
        self.worked = 0;
        match &event.body {
            EventBody::RunStarted(started) => self.begin(started)?,
            EventBody::AttemptStarted { attempt, .. } => {
                self.running(attempt)?.started = true;
            }
            EventBody::Denied { attempt, .. } => {
                self.running(attempt)?.denied = true;
            }
            EventBody::Taken { attempt, topic } => {
                self.running(attempt)?;
                self.lend(attempt, topic);
            }
            EventBody::Posted { attempt, messages } => {
                self.running(attempt)?;
                self.posted(attempt.task, messages);
            }
            EventBody::AttemptSucceeded { attempt, output, bill, cache, .. } => {
                let target = self.running(attempt)?.target;
                let value = self.output(target, output)?;
                let ran = !matches!(cache, Some(CacheNote::Reused | CacheNote::Supplied));
                if ran {
                    self.bill(attempt.task, bill);
                    self.judge(attempt.task, Verdict::Works);
                }
                self.attempt_gave(attempt.task, value, ran);
            }
            EventBody::AttemptFailed { attempt, failure, bill, .. } => {
                self.running(attempt)?;
                self.bill(attempt.task, bill);
                self.judge(attempt.task, Verdict::of(failure, bill));
                self.unpost(attempt.task);
                self.attempt_failed(attempt.task, failure.clone());
            }
            EventBody::AttemptCancelled { attempt, .. } => {
                self.running(attempt)?;
                self.judge(attempt.task, Verdict::Unknown);
                self.unpost(attempt.task);
                self.attempt_cancelled(attempt.task);
            }
            EventBody::OutcomeUnknown { attempt, .. } => {
                self.running(attempt)?;
                self.judge(attempt.task, Verdict::Unknown);
                self.unpost(attempt.task);
                self.outcome_unknown(attempt.task);
            }
            EventBody::SignalReceived { name, id, payload } => {
                self.mail_received(&Address::Signal(name.clone()), id, payload)?;
            }
            EventBody::MessageReceived { topic, id, payload } => {
                self.mail_received(&Address::Message(topic.clone()), id, payload)?;
            }
            EventBody::MessageSent { attempt } => self.sent(attempt)?,
            EventBody::TimerFired { timer } => self.timer_fired(*timer)?,
            EventBody::Escalated(escalation) => self.escalation_told(&escalation.attempt)?,
            EventBody::OperatorDecision { task, decision } => self.decided(*task, decision)?,
            EventBody::Paused { reason } => self.paused = Some(reason.clone()),
            EventBody::Resumed => self.resume(),
            EventBody::CancelRequested { gently, .. } => self.cancel(*gently),
            EventBody::Advanced { steps } => self.advance(*steps),
            EventBody::ControlTaken { id, .. } => drop(self.controls.insert(Arc::clone(id))),
            EventBody::OwnerChanged { .. } => self.owner_changed(),
            EventBody::Changed(change) => self.change(change),
            // What came before was made to fit this plan.
            EventBody::Migrated(_) => {}
            EventBody::RunEnded { outcome } => self.check_end(outcome)?,
        }
        self.run_work();
        // What was made with a value that is lost must not get out.
        self.vault.trouble().map_or(Ok(()), |what| Err(Misfit(what)))
    }

    fn begin(&mut self, started: &RunStarted) -> Result<(), Misfit> {
        let plan = self.plan();
        let flow = plan.flows.get(plan.entry).ok_or_else(|| Misfit("the plan has no entry flow".into()))?;
        if started.semantics != lang::plan::SEMANTICS_VERSION {
            return Err(Misfit(format!(
                "it was written by version {} of the semantics, this is version {}",
                started.semantics,
                lang::plan::SEMANTICS_VERSION
            )));
        }
        if *started.flow != *flow.name || started.input.len() != flow.params.len() {
            return Err(Misfit(format!("it starts the flow `{}`, the plan starts `{}`", started.flow, flow.name)));
        }
        let mut inputs = Vec::with_capacity(flow.params.len());
        for ((name, payload), param) in started.input.iter().zip(&flow.params) {
            let value =
                decode(payload, &param.ty).map_err(|error| Misfit(format!("the input `{name}` does not fit: {error}")))?;
            if let (Type::Dir, Value::Dir(path)) = (&param.ty, &value) {
                self.consented.push(Arc::clone(path));
            }
            inputs.push(value);
        }
        (self.program_digest, self.within) = (started.program, started.within.clone());
        self.trace.clone_from(&started.trace);
        for text in &started.permitted {
            self.permits.push(text.parse().map_err(|error: crate::permit::PermitError| Misfit(error.to_string()))?);
        }
        if let Some(origin) = &started.origin {
            self.take_over(origin);
        }
        self.recovery = Table(started.recovery.clone());
        self.begin_run(inputs);
        Ok(())
    }

    /// The task of an attempt that is running; the attempt must be the one that the state expects.
    fn running(&mut self, attempt: &Attempt) -> Result<&mut Task, Misfit> {
        let Some(task) = self.tasks.get_mut(&attempt.task) else {
            return Err(Misfit(format!("step {} (`{}`) is not open", attempt.task.0, attempt.path)));
        };
        if task.path != attempt.path {
            return Err(Misfit(format!("step {} is `{}`, the event says `{}`", attempt.task.0, task.path, attempt.path)));
        }
        if task.number != attempt.number || task.status != Status::Running {
            return Err(Misfit(format!("attempt {} of `{}` is not running", attempt.number, attempt.path)));
        }
        Ok(task)
    }

    /// A step's value from its stored form.
    fn output(&self, target: Target, payload: &Payload) -> Result<Value, Misfit> {
        match self.program.0.output_of(target) {
            Some(output) => decode(payload, output).map_err(|error| Misfit(format!("the result does not fit: {error}"))),
            None => Err(Misfit("the plan lacks the function".into())),
        }
    }

    fn check_end(&self, outcome: &RunOutcome) -> Result<(), Misfit> {
        let Some(derived) = &self.outcome else {
            return Err(Misfit("the run is not at its end".into()));
        };
        // A value may be stored as text, so only the manner is compared.
        if std::mem::discriminant(derived) == std::mem::discriminant(outcome) {
            Ok(())
        } else {
            Err(Misfit("the run ends in another way".into()))
        }
    }

    /// Does everything that follows.
    fn run_work(&mut self) {
        loop {
            let Some(work) = self.work.pop_front() else {
                let Some(task) = self.soon.pop() else { return };
                self.start(task);
                continue;
            };
            self.worked += 1;
            if self.worked.is_multiple_of(self.most_work) {
                self.too_much_work();
            }
            match work {
                Work::Ready(instance, node) => self.begin_node(instance, node),
                Work::Finish(instance) => self.finish_region(instance),
                Work::Settle(instance) => self.settle_region(instance),
                Work::Stopped(activity) => self.activity_stopped(activity),
                Work::Refuse(task, left) => self.refuse(task, left),
                Work::Unlock(key) => self.unlock(&key),
            }
        }
    }

    fn too_much_work(&mut self) {
        let name = self.plan().flows.get(self.plan().entry).map_or_else(|| "flow".into(), |flow| Arc::clone(&flow.name));
        let message = format!("one event led to {} operations without a step in between", self.most_work);
        let failure = failure(FailureKind::Resource, message);
        self.fail_undos(&failure);
        self.fail_root(failure, name);
    }
}
