//! The events of a run: everything that is stored, because the core cannot derive it.
//!
//! Ready, branch taken, item opened, retry scheduled and the like are not here: replaying these events
//! derives them again. How events are written to disk is for the `journal` crate.

mod change;
mod migrated;
mod origin;
mod refusal;
mod trace;

use std::sync::Arc;

use catalog::{Digest, FailureKind, Name, Value};

pub use change::{Change, Settings};
pub use migrated::{Migrated, Version};
pub use origin::{Origin, Reusable};
pub use trace::Trace;

use crate::recovery::Recovery;

/// Milliseconds since the Unix epoch, by the clock of the run's owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// The position of an event in its run, from 1 without a gap.
pub type Seq = u64;

/// A run's id: short, lower case, unique in its store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub Arc<str>);

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A step of a run: the n-th that became ready, from 0. The order follows from the events, so replay gives the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

impl TaskId {
    /// No step: of an event that another plan gives no meaning.
    pub(crate) const NONE: Self = Self(u64::MAX);
}

/// A timer of a run, numbered like tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(pub u64);

impl TimerId {
    /// No timer: of an event that another plan gives no meaning.
    pub(crate) const NONE: Self = Self(u64::MAX);
}

/// An attempt of a step.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The step.
    pub task: TaskId,
    /// Counted from 1.
    pub number: u32,
    /// The step's path, such as `digest/profiles[3]/text.profile`. Checked at replay.
    pub path: Arc<str>,
}

/// A value that is stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// In memory.
    Value(Value),
    /// As it was read from the journal: the JSON form, to be read against its type when it is used.
    Text(Arc<str>),
}

impl Payload {
    /// Its JSON form. Numbers beyond what JSON readers keep stay as they are.
    #[must_use]
    pub fn json(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Value(value) => {
                let mut text = String::new();
                catalog::json::write_json(value, &mut text);
                text
            }
        }
    }
}

/// A stored event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its position.
    pub seq: Seq,
    /// When it was appended.
    pub at: Timestamp,
    /// What happened.
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum EventBody {
    /// Always the first event.
    RunStarted(Box<RunStarted>),
    /// Durable before a step that is not pure is invoked.
    AttemptStarted {
        /// Which.
        attempt: Attempt,
        /// The run's owner, who lets it begin: another host may run it, which is then said with how it ended.
        host: Arc<str>,
        /// What it may use where that is more than the flow asks for.
        limits: Option<Amounts>,
    },
    /// A capability was asked for and denied; stands before the attempt's outcome.
    Denied {
        /// Whose.
        attempt: Attempt,
        /// What.
        denial: Denial,
    },
    /// An attempt takes the first message on a topic that nothing has taken; it is back when the attempt does not succeed.
    Taken {
        /// Whose.
        attempt: Attempt,
        /// The topic.
        topic: Arc<str>,
    },
    /// What an attempt has sent; stands before its [`EventBody::AttemptSucceeded`], in the same append, and leaves after it.
    Posted {
        /// Whose.
        attempt: Attempt,
        /// In the order of sending.
        messages: Arc<[Posting]>,
    },
    /// An attempt gave a result.
    AttemptSucceeded {
        /// Which.
        attempt: Attempt,
        /// The step's value, unwrapped.
        output: Payload,
        /// What it used; nothing when the value comes out of the cache.
        bill: Bill,
        /// What the cache said, where it was asked.
        cache: Option<CacheNote>,
        /// The host that ran it; none: the run's owner, if anybody did.
        host: Option<Arc<str>>,
    },
    /// An attempt failed.
    AttemptFailed {
        /// Which.
        attempt: Attempt,
        /// Why.
        failure: Failure,
        /// What it used.
        bill: Bill,
        /// The host that ran it; none: the run's owner, if anybody did.
        host: Option<Arc<str>>,
    },
    /// An attempt was stopped because its result is no longer wanted.
    AttemptCancelled {
        /// Which.
        attempt: Attempt,
        /// The host that ran it; none: the run's owner, if anybody did.
        host: Option<Arc<str>>,
    },
    /// After a crash: the attempt had started and nothing says how it ended.
    OutcomeUnknown {
        /// Which.
        attempt: Attempt,
        /// The host that ran it, where it is that one which was lost; none: the run's owner.
        host: Option<Arc<str>>,
    },
    /// A signal came; it is taken by a wait, now or later.
    SignalReceived {
        /// Its name.
        name: Name,
        /// Tells the same signal when it comes again; empty where it comes once only.
        id: Arc<str>,
        /// What it carries.
        payload: Payload,
    },
    /// A message came; it is taken by a wait, now or later, or skipped when it does not fit.
    MessageReceived {
        /// Its topic.
        topic: Arc<str>,
        /// Tells the same message when it comes again.
        id: Arc<str>,
        /// What it carries.
        payload: Payload,
    },
    /// The bus has a message of the run.
    MessageSent {
        /// The `emit`, or one of the messages that a step has sent.
        attempt: Attempt,
    },
    /// A timer that the core had set is due.
    TimerFired {
        /// Which.
        timer: TimerId,
    },
    /// A step failed and a human has to decide: what depends on it waits, all else goes on.
    Escalated(Box<Escalation>),
    /// An operator decided about a step whose outcome is not known, whose attempts are used up, or that was escalated.
    OperatorDecision {
        /// Which step.
        task: TaskId,
        /// What.
        decision: Decision,
    },
    /// Nothing new starts.
    Paused {
        /// Why, for people.
        reason: String,
    },
    /// Goes on.
    Resumed,
    /// The run is to end as cancelled: nothing new starts but what takes effects back.
    CancelRequested {
        /// Why, for people.
        reason: String,
        /// Attempts that run may come to their end; else they are stopped at once. A second request that is not gentle
        /// stops what the first one let run.
        gently: bool,
    },
    /// So many more steps of a paused run may start.
    Advanced {
        /// How many, beside those that are left of earlier ones.
        steps: u32,
    },
    /// A control letter was read; what it leads to stands after it.
    ControlTaken {
        /// Tells the same letter when it comes again.
        id: Arc<str>,
        /// Why nothing follows from it, for people.
        refusal: Option<String>,
    },
    /// Another process took the run over.
    OwnerChanged {
        /// Its host name and process.
        host: Arc<str>,
    },
    /// An operator changed something that has not begun.
    Changed(Box<Change>),
    /// The run has another program; only appended while nobody owns it.
    Migrated(Box<Migrated>),
    /// Always the last event.
    RunEnded {
        /// How.
        outcome: RunOutcome,
    },
}

impl EventBody {
    /// The path of the step that it is about, if it is about one.
    #[must_use]
    pub const fn path(&self) -> Option<&Arc<str>> {
        match self {
            Self::AttemptStarted { attempt, .. }
            | Self::Denied { attempt, .. }
            | Self::Posted { attempt, .. }
            | Self::Taken { attempt, .. }
            | Self::AttemptSucceeded { attempt, .. }
            | Self::AttemptFailed { attempt, .. }
            | Self::AttemptCancelled { attempt, .. }
            | Self::OutcomeUnknown { attempt, .. }
            | Self::MessageSent { attempt } => Some(&attempt.path),
            Self::Escalated(escalation) => Some(&escalation.attempt.path),
            _ => None,
        }
    }
}

/// What a run was started with.
#[derive(Clone, Debug, PartialEq)]
pub struct RunStarted {
    /// The name of the entry flow.
    pub flow: String,
    /// The digest of the plan ([`lang::plan::Plan`]).
    pub plan: Digest,
    /// The blob that holds sources and component digests, from which the plan is made again.
    pub program: Digest,
    /// One value for each parameter of the flow, in order, by name.
    pub input: Vec<(String, Payload)>,
    /// Chosen by whoever submitted the run.
    pub labels: Vec<(String, String)>,
    /// The meaning of the events that follow ([`lang::plan::SEMANTICS_VERSION`]).
    pub semantics: u32,
    /// What the operator permitted, in the text form of grants; never asked again for this run.
    pub permitted: Vec<String>,
    /// What is done about failures that the flow does not take; none: the run fails with them.
    pub recovery: Option<Arc<Recovery>>,
    /// The host that owns the run.
    pub host: Arc<str>,
    /// The run that this one retries, with the results that it takes from there.
    pub origin: Option<Box<Origin>>,
    /// What it is held to when a step of another run started it.
    pub within: Option<Box<Within>>,
    /// The trace that whoever started it gave with it: all that leaves the run is in it. None: a trace of the run's own.
    pub trace: Option<Trace>,
}

/// What the run of a plan is held to, which a step of another run made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Within {
    /// So many runs are around it.
    pub depth: u32,
    /// Attempts that it may start.
    pub steps: Option<u64>,
    /// Units of fuel that it may be billed.
    pub fuel: Option<u64>,
    /// From its beginning, in nanoseconds; beyond it the budget is used up.
    pub time: Option<u64>,
    /// From its beginning, in nanoseconds; beyond it the run fails with kind `timeout`.
    pub deadline: Option<u64>,
    /// Most memory of one of its attempts in bytes.
    pub attempt_memory: Option<u64>,
    /// Most fuel of one of its attempts.
    pub attempt_fuel: Option<u64>,
}

/// What an operator decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Run the step again, with these limits where they are said.
    Retry(Amounts),
    /// Go on as if the step had given this.
    Supply(Payload),
    /// Let the step fail.
    Fail(String),
}

/// A report for a human.
#[derive(Clone, Debug, PartialEq)]
pub struct Escalation {
    /// The last attempt of the step.
    pub attempt: Attempt,
    /// Why it failed.
    pub failure: Failure,
    /// What was tried, in order; of many attempts the last ones.
    pub tried: Vec<Tried>,
    /// The paths of what waits for the step; of many the nearest.
    pub paused: Vec<Arc<str>>,
}

/// An attempt that was made before a human was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Which.
    pub number: u32,
    /// Who wanted it.
    pub by: Level,
    /// How it failed.
    pub kind: FailureKind,
    /// The message of that; cut when it is long.
    pub message: String,
    /// What it might use, where that was more than the flow asks for.
    pub limits: Amounts,
}

/// Who wants an attempt of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The flow.
    Flow,
    /// The first level of the recovery table.
    Agent,
    /// The second level.
    Orchestrator,
    /// The third level: somebody decided so.
    Human,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Flow, Self::Agent, Self::Orchestrator, Self::Human];

    /// Its name in stored events, in the configuration and for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Agent => "agent",
            Self::Orchestrator => "orchestrator",
            Self::Human => "human",
        }
    }

    /// The level with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// What an attempt may use, as far as something is said about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// Wall time in nanoseconds.
    pub timeout: Option<u64>,
    /// Linear memory in bytes.
    pub memory: Option<u64>,
    /// Units of fuel.
    pub fuel: Option<u64>,
}

impl Amounts {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// These, and what another says where they say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self { timeout: self.timeout.or(other.timeout), memory: self.memory.or(other.memory), fuel: self.fuel.or(other.fuel) }
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum RunOutcome {
    /// With the flow's value.
    Succeeded(Payload),
    /// With a failure that nothing caught.
    Failed {
        /// The failure.
        failure: Failure,
        /// The path of the node it came from.
        path: Arc<str>,
    },
    /// Because it was asked to.
    Cancelled,
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The kind.
    pub kind: FailureKind,
    /// For people; lower case, no full stop.
    pub message: String,
    /// A plugin's own error as JSON.
    pub details: Option<Arc<serde_json::Value>>,
    /// How long the plugin asks to wait before another attempt, in milliseconds.
    pub retry_after: Option<u64>,
}

/// A message that an attempt has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Exactly one topic.
    pub topic: Arc<str>,
    /// The JSON form of what it carries.
    pub payload: Arc<str>,
}

/// A capability that was asked for and not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// `files`, `network`, `env`, …
    pub capability: String,
    /// The path, host or name that was asked for, where known.
    pub subject: String,
}

/// What the store's cache said before an attempt, or where else its value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheNote {
    /// It had the result, and nothing was run.
    Hit,
    /// It had none.
    NoEntry,
    /// What it had was too old.
    Expired,
    /// The value is that of the run that this one retries ([`Origin`]), and nothing was run.
    Reused,
    /// An operator gave the value before the step began ([`Change::Result`]), and nothing was run.
    Supplied,
}

impl CacheNote {
    /// Its name in stored events and for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::NoEntry => "no-entry",
            Self::Expired => "expired",
            Self::Reused => "reused",
            Self::Supplied => "supplied",
        }
    }

    /// The note with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Hit, Self::NoEntry, Self::Expired, Self::Reused, Self::Supplied].into_iter().find(|note| note.name() == name)
    }
}

/// What an attempt used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bill {
    /// Units of fuel.
    pub fuel: u64,
    /// Most linear memory at one time, in bytes.
    pub peak_memory: u64,
    /// Wall time in microseconds.
    pub wall: u64,
    /// Calls of imported host functions.
    pub host_calls: u64,
    /// Size of the arguments in bytes.
    pub bytes_in: u64,
    /// Size of the result in bytes.
    pub bytes_out: u64,
    /// Attempts of the run that it stands for; 0 for a call of a component.
    pub attempts: u64,
}
