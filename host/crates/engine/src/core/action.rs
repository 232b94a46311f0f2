//! What goes into a run and what comes out.

use std::fmt;
use std::sync::Arc;

use catalog::{Digest, FailureKind, Name, Type, Value};
use lang::plan::{Breaker, Rate};

use crate::event::{
    Bill, CacheNote, Change, Decision, Denial, Event, EventBody, Failure, RunId, RunOutcome, RunStarted, Seq, TaskId, TimerId,
    Timestamp, Trace, Within,
};
use crate::ports::{Callable, GrantedCapability, Mail, Message, Outcome};

/// What happens to a run.
#[derive(Clone, Debug)]
pub enum Input {
    /// It begins. Only once, and not after a replay.
    Start(Box<RunStarted>),
    /// An attempt ended.
    Outcome {
        /// Which step.
        task: TaskId,
        /// Which attempt.
        number: u32,
        /// How.
        outcome: Box<Outcome>,
    },
    /// Whoever ran an attempt is gone, and nothing says how it ended.
    Unknown {
        /// Which step.
        task: TaskId,
        /// Which attempt.
        number: u32,
        /// The host that ran it, where that is known.
        host: Option<Arc<str>>,
    },
    /// An attempt ended because of [`Action::Stop`].
    Stopped {
        /// Which step.
        task: TaskId,
        /// Which attempt.
        number: u32,
        /// The host that ran it, where that is not the run's owner.
        host: Option<Arc<str>>,
    },
    /// The shell has all that an [`Action::Admit`] asked for.
    Admitted {
        /// Which step.
        task: TaskId,
        /// Which attempt.
        number: u32,
    },
    /// All events up to this one are durable.
    Committed {
        /// The last one.
        through: Seq,
    },
    /// A timer's time has come.
    TimerDue(TimerId),
    /// Nothing new is to start.
    Pause {
        /// Why, for people.
        reason: String,
    },
    /// Goes on after a pause.
    Resume,
    /// The run is to end.
    Cancel {
        /// Why, for people.
        reason: String,
    },
    /// A signal or a message came.
    Mail(Mail),
    /// The run of a plan waits for somebody, or goes on again.
    Stalled {
        /// Which step.
        task: TaskId,
        /// Which attempt.
        number: u32,
        /// What its run waits for; none: it goes on.
        what: Option<Arc<str>>,
    },
    /// An attempt wants the next message on a topic that nothing has taken.
    Receive {
        /// Which step.
        task: TaskId,
        /// Which attempt.
        number: u32,
        /// The topic.
        topic: Arc<str>,
    },
    /// The bus has the message of an [`Action::Publish`].
    Published(TaskId),
    /// An operator changes what has not begun; see [`crate::core::Run::check_change`].
    Change(Box<Change>),
    /// An operator decided about a step; see [`crate::core::Run::check_decision`].
    Decide {
        /// Which step.
        task: TaskId,
        /// What.
        decision: Decision,
    },
}

/// What a run asks for.
#[derive(Clone, Debug)]
pub enum Action {
    /// Make these events durable, all or none, after those appended before, then say [`Input::Committed`].
    Append(Arc<[Event]>),
    /// An attempt that is not pure is to be run. Get all that it has to wait for, then say [`Input::Admitted`]; or say
    /// [`Input::Outcome`] with a failure where it cannot be run. See [`Admission`](crate::core::Admission).
    Admit(Box<StartAttempt>),
    /// Run an attempt, then say [`Input::Outcome`].
    Invoke(Box<StartAttempt>),
    /// Stop an attempt, then say [`Input::Stopped`].
    Stop {
        /// Which step.
        task: TaskId,
        /// Which attempt.
        number: u32,
    },
    /// Say [`Input::TimerDue`] at this time or later.
    SetTimer {
        /// Which.
        timer: TimerId,
        /// When.
        at: Timestamp,
    },
    /// A timer is not needed any more.
    ClearTimer {
        /// Which.
        timer: TimerId,
    },
    /// Hand a message to the bus, then say [`Input::Published`].
    Publish {
        /// The `emit`.
        task: TaskId,
        /// The message.
        message: Box<Message>,
    },
    /// Give an attempt what its open [`Input::Receive`] asked for.
    Hand {
        /// Which step.
        task: TaskId,
        /// Which attempt.
        number: u32,
        /// None: there is none.
        message: Option<Box<Message>>,
    },
    /// From now on messages on this topic are waited for; those on literal topics of the plan always are.
    Listen {
        /// The topic.
        topic: Arc<str>,
    },
    /// Messages on this topic are not waited for any more.
    Unlisten {
        /// The topic.
        topic: Arc<str>,
    },
    /// Something to show.
    Progress(Progress),
    /// Nothing runs; somebody has to resume, decide or send something, or time has to pass.
    Idle(Idle),
    /// The run has ended, durably.
    Ended(RunOutcome),
    /// The core was told what cannot be: a mistake of its caller or its own.
    Broken(String),
}

/// An attempt to be run.
#[derive(Clone, Debug)]
pub struct StartAttempt {
    /// The step.
    pub task: TaskId,
    /// Counted from 1.
    pub number: u32,
    /// The step's path.
    pub path: Arc<str>,
    /// What is called.
    pub target: Callable,
    /// One for each parameter.
    pub args: Vec<Value>,
    /// What flow and operator agree on.
    pub grants: Vec<GrantedCapability>,
    /// What is asked of its limits: by the plan itself or through a class that it declares, or what they were raised to.
    pub wishes: Wishes,
    /// Those with a higher one get a place first.
    pub priority: i32,
    /// Among equals, those first that more steps follow: so many on the longest way from here to the end of the run.
    pub rank: u32,
    /// Whether its result may come out of the cache.
    pub cache: Option<CacheUse>,
    /// Its class.
    pub class: Option<Name>,
    /// What it asks of that which all runs of a process share.
    pub shared: Option<Box<Shared>>,
    /// Whether it may run a second time when nobody knows how the first time ended.
    pub repeatable: bool,
    /// The run and the path.
    pub idempotency_key: Arc<str>,
    /// Why the attempt before it failed.
    pub previous_failure: Option<Failure>,
    /// The run that it stands for, when it runs a plan.
    pub child: Option<Box<ChildRun>>,
}

/// The run of a plan, for which an attempt of a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildRun {
    /// The same whenever the attempt is begun again after a crash or a pause.
    pub id: RunId,
    /// Whose step it is.
    pub parent: RunId,
    /// What it is held to.
    pub within: Within,
    /// What the parent was started with.
    pub program: Digest,
    /// What the operator permitted the parent.
    pub permitted: Vec<String>,
    /// The trace that the parent belongs to, where somebody said one.
    pub trace: Option<Trace>,
}

/// What a step asks of that which all runs of a process share. At least one of them is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Of the attempts with an equal key one runs at a time.
    pub key: Option<Arc<str>>,
    /// How often what it calls is started.
    pub rate: Option<Rate>,
    /// When what it calls is not called any more for a while.
    pub breaker: Option<Breaker>,
}

/// How an attempt may use the cache.
#[derive(Clone, Debug, PartialEq)]
pub struct CacheUse {
    /// How old an entry may be in nanoseconds; none: of any age.
    pub ttl: Option<u64>,
    /// The type of the step's value.
    pub output: Type,
}

/// What the plan asks of the limits of an attempt, itself or through a class that it declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// In nanoseconds.
    pub timeout: Option<u64>,
    /// In bytes.
    pub memory: Option<u64>,
    /// Units of fuel.
    pub fuel: Option<u64>,
    /// Bytes that it never gets more of, whatever it asks for.
    pub most_memory: Option<u64>,
    /// Units of fuel; likewise.
    pub most_fuel: Option<u64>,
}

/// Something that happened, for people.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// An attempt is handed out to be run.
    Started {
        /// The step.
        task: TaskId,
        /// Its path.
        path: Arc<str>,
        /// The attempt.
        number: u32,
    },
    /// An attempt gave a result, durably.
    Succeeded {
        /// The step.
        task: TaskId,
        /// Its path.
        path: Arc<str>,
        /// What it used.
        bill: Bill,
        /// What the cache said, where it was asked.
        cache: Option<CacheNote>,
    },
    /// An attempt failed, durably.
    Failed {
        /// The step.
        task: TaskId,
        /// Its path.
        path: Arc<str>,
        /// Why.
        failure: Failure,
        /// The attempt that follows, if one does.
        next: Option<Following>,
    },
    /// An attempt was stopped because nobody wants its result.
    Cancelled {
        /// The step.
        task: TaskId,
        /// Its path.
        path: Arc<str>,
    },
    /// A capability was denied.
    Denied {
        /// The step's path.
        path: Arc<str>,
        /// What.
        denial: Denial,
    },
    /// A line about a signal or message that was not taken, and why.
    Note(String),
}

/// The attempt that follows a failed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Following {
    /// Its number.
    pub number: u32,
    /// The number of the last one that may follow, for failures of this kind.
    pub last: u32,
    /// Milliseconds before it may start.
    pub wait: u64,
}

/// Why nothing goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idle {
    /// Somebody paused the run, for this reason.
    pub paused: Option<String>,
    /// Steps that an operator has to decide about.
    pub blocked: Vec<Blocked>,
    /// What the flow waits for.
    pub waiting: Vec<Waiting>,
    /// Whether a timer will move the run by itself.
    pub timers: bool,
    /// Whether a message may.
    pub messages: bool,
    /// Whether more steps may start though the run is paused.
    pub advancing: bool,
}

impl Idle {
    /// Whether the run goes on without its operator: a timer is due some time, or a message may come.
    #[must_use]
    pub fn moves(&self) -> bool {
        // Beside an escalated step the others go on; nothing does beside an unknown outcome.
        let holds = |blocked: &Blocked| !matches!(blocked.by, BlockedBy::Escalated { .. });
        (self.paused.is_none() || self.advancing) && !self.blocked.iter().any(holds) && (self.timers || self.messages)
    }
}

/// A `wait` that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its path.
    pub path: Arc<str>,
    /// What it waits for.
    pub what: Awaited,
    /// When it fails or, of a time, when it is over.
    pub until: Option<Timestamp>,
}

/// What a `wait` waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// Time.
    Time,
    /// A signal.
    Signal {
        /// Its name.
        name: Name,
        /// What it carries.
        ty: Type,
    },
    /// A message.
    Message {
        /// Its topic.
        topic: Arc<str>,
        /// What it carries.
        ty: Type,
    },
    /// The run of a plan.
    Run {
        /// Which.
        run: RunId,
        /// What it waits for itself.
        what: Arc<str>,
    },
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time => f.write_str("time"),
            Self::Signal { name, ty: Type::Unit } => write!(f, "signal {name}"),
            Self::Signal { name, ty } => write!(f, "signal {name}: {ty}"),
            Self::Message { topic, ty: Type::Unit } => write!(f, "message \"{topic}\""),
            Self::Message { topic, ty } => write!(f, "message \"{topic}\": {ty}"),
            Self::Run { run, what } => write!(f, "run {run}, which waits for {what}"),
        }
    }
}

/// A step about which an operator has to decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The step.
    pub task: TaskId,
    /// Its path.
    pub path: Arc<str>,
    /// Its last attempt.
    pub number: u32,
    /// Why it waits.
    pub by: BlockedBy,
}

/// Why an operator has to decide about a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockedBy {
    /// The last attempt began and left no trace of its end, and the step must not simply run again.
    Unknown,
    /// The run that this one retries did it with other arguments, and it must not simply be done once more.
    Repeats,
    /// All its attempts failed, and the flow asks for a pause then.
    Exhausted {
        /// Of the last failure.
        kind: FailureKind,
        /// Of the last failure.
        message: String,
    },
    /// It failed, and the recovery table asks a human; what does not depend on it goes on.
    Escalated {
        /// Of the last failure.
        kind: FailureKind,
        /// Of the last failure.
        message: String,
    },
}

impl fmt::Display for BlockedBy {
    /// As the end of a sentence, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("whether it had its effect is not known"),
            Self::Repeats => f.write_str("the run that is retried did it already, with other arguments"),
            Self::Exhausted { kind, message } => write!(f, "its attempts are used up, the last one failed ({kind}): {message}"),
            Self::Escalated { kind, message } => write!(f, "it was escalated, the last attempt failed ({kind}): {message}"),
        }
    }
}

/// What a run has used so far, over all its owners.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Fuel, host calls, bytes and wall time summed; of memory the most.
    pub bill: Bill,
    /// Steps that gave a result.
    pub steps: u64,
    /// Attempts that ended, however.
    pub attempts: u64,
}

impl Totals {
    /// Adds what an event of the run says of its attempts.
    pub fn count(&mut self, event: &EventBody) {
        match event {
            EventBody::AttemptSucceeded { bill, .. } => self.add(bill, true),
            EventBody::AttemptFailed { bill, .. } => self.add(bill, false),
            EventBody::AttemptCancelled { .. } | EventBody::OutcomeUnknown { .. } => self.attempts += 1,
            _ => {}
        }
    }

    fn add(&mut self, bill: &Bill, succeeded: bool) {
        self.attempts += 1;
        self.steps += u64::from(succeeded);
        let sum = &mut self.bill;
        sum.fuel = sum.fuel.saturating_add(bill.fuel);
        sum.peak_memory = sum.peak_memory.max(bill.peak_memory);
        sum.wall = sum.wall.saturating_add(bill.wall);
        sum.host_calls = sum.host_calls.saturating_add(bill.host_calls);
        sum.bytes_in = sum.bytes_in.saturating_add(bill.bytes_in);
        sum.bytes_out = sum.bytes_out.saturating_add(bill.bytes_out);
        sum.attempts = sum.attempts.saturating_add(bill.attempts);
    }
}

/// Why a run cannot be made from its events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// There are none.
    #[error("the journal has no events")]
    Empty,
    /// Positions have a gap.
    #[error("the journal goes from event {before} to event {after}")]
    Gap {
        /// The last one that fits.
        before: Seq,
        /// The next one.
        after: Seq,
    },
    /// The plan is another one, or the journal was written by another version.
    #[error("the journal does not fit this plan at event {seq}: {reason}")]
    Misfit {
        /// The event.
        seq: Seq,
        /// What does not fit.
        reason: String,
    },
}
