//! The state of a run for people: what is open, what it has, what it waits for. Made by replaying a part of its journal.

use std::sync::Arc;

use catalog::{Name, Type, Value};
use lang::plan::NodeId;

use super::action::{Blocked, Totals, Waiting};
use super::driver::Run;
use crate::event::{RunOutcome, Seq, TaskId, Timestamp};

/// How it stands with a run after an event.
#[derive(Clone, Debug)]
pub struct View {
    /// The last event that is in it.
    pub seq: Seq,
    /// When that was appended.
    pub at: Timestamp,
    /// Why nothing starts, when somebody asked for that.
    pub paused: Option<String>,
    /// Whether somebody asked for the end.
    pub cancelling: bool,
    /// How it ended, as far as the events say; also before its last event.
    pub outcome: Option<RunOutcome>,
    /// The first regions that are open, by their paths.
    pub regions: Vec<OpenRegion>,
    /// How many are open.
    pub open_regions: usize,
    /// Steps that an operator has to decide about.
    pub blocked: Vec<Blocked>,
    /// What the flow waits for.
    pub waiting: Vec<Waiting>,
    /// What it has used.
    pub totals: Totals,
}

/// A region that is open: a flow, an item, an iteration, a branch.
#[derive(Clone, Debug)]
pub struct OpenRegion {
    /// Its path, such as `digest/profiles[3]`.
    pub path: Arc<str>,
    /// The parameters of a flow with what it was given.
    pub inputs: Vec<(Name, Value)>,
    /// Nodes that are done, with what they gave.
    pub done: Vec<DoneNode>,
    /// Nodes that have begun.
    pub open: Vec<OpenNode>,
    /// Nodes that wait for others of the region.
    pub waiting: Vec<NodeId>,
    /// Whether it ends before its nodes are done.
    pub closing: bool,
}

/// A node that is done.
#[derive(Clone, Debug)]
pub struct DoneNode {
    /// Which.
    pub node: NodeId,
    /// Its path.
    pub path: Arc<str>,
    /// What it gave.
    pub value: Value,
}

/// A node that has begun.
#[derive(Clone, Debug)]
pub struct OpenNode {
    /// Which; none for what belongs to no node, such as a handler.
    pub node: Option<NodeId>,
    /// Its path.
    pub path: Arc<str>,
    /// How far it is.
    pub standing: Standing,
    /// Whether it is being stopped.
    pub stopping: bool,
    /// When it fails unless it is done.
    pub deadline: Option<Timestamp>,
}

/// How far a node is.
#[derive(Clone, Debug)]
pub enum Standing {
    /// A step.
    Step {
        /// Which.
        task: TaskId,
        /// Its attempt, from 1.
        number: u32,
        /// Where that stands.
        status: StepStatus,
        /// What it is called with.
        args: Vec<Value>,
    },
    /// A `wait`.
    Wait(Option<Waiting>),
    /// An `emit`.
    Emit {
        /// The topic.
        topic: Arc<str>,
        /// Whether the bus was given the message.
        sending: bool,
    },
    /// A `map` or an ordered `reduce`.
    Items {
        /// Items that are done, or begun in a `reduce`.
        done: usize,
        /// All.
        of: usize,
    },
    /// A `loop`.
    Iteration {
        /// Bodies that have begun.
        number: u32,
        /// At most.
        max: u32,
        /// What it has now.
        value: Value,
    },
    /// A `race` or `any`.
    Arms {
        /// Arms that succeeded.
        won: u32,
        /// So many decide it.
        wanted: u32,
        /// Arms that failed.
        failed: u32,
    },
    /// What is inside of it has begun.
    Inside,
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepStatus {
    /// Is to be started.
    Ready,
    /// Waits for a place in a block, flow or node with `parallel`.
    Place,
    /// Nothing starts now.
    Held,
    /// Waits for its `key`.
    Key,
    /// Waits for its `rate`.
    Rate,
    /// Waits for the trial of its breaker, or is refused by it.
    Breaker,
    /// Waits for a hook.
    Hook,
    /// Runs, or has run in a host that died.
    Running,
    /// Waits for its next attempt.
    Retry {
        /// Until then.
        until: Option<Timestamp>,
    },
    /// Waits for an operator.
    Operator,
}

impl StepStatus {
    /// Its name for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Place => "waits for a place",
            Self::Held => "held",
            Self::Key => "waits for its key",
            Self::Rate => "waits for its rate",
            Self::Breaker => "waits for its breaker",
            Self::Hook => "waits for a hook",
            Self::Running => "running",
            Self::Retry { .. } => "waits for its next attempt",
            Self::Operator => "waits for an operator",
        }
    }
}

impl Run {
    /// How it stands, with at most so many open regions.
    #[must_use]
    pub fn view(&self, most: usize) -> View {
        View {
            seq: self.applied,
            at: self.state.now(),
            paused: self.state.paused().map(str::to_owned),
            cancelling: self.state.cancelled(),
            outcome: self.state.outcome().cloned(),
            regions: self.state.view_regions(most),
            open_regions: self.state.open_regions(),
            blocked: self.blocked(),
            waiting: self.state.open_waits(),
            totals: self.totals,
        }
    }

    /// The name under which people find what an open step gives, and the type of that; none for most steps.
    #[must_use]
    pub fn artifact_of(&self, task: TaskId) -> Option<(Arc<str>, Type)> {
        self.state.artifact_of(task)
    }

    /// The node of the open step or message with this path.
    #[must_use]
    pub fn node_of(&self, path: &str) -> Option<NodeId> {
        self.state.node_of(path)
    }
}
