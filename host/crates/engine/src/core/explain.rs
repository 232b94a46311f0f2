//! Why a run, or a node of it, does not go on: the exact condition, down to what all the others wait for.
//!
//! It is read off the state, so whoever has the events of a run can ask. What only the run's owner knows (that an attempt
//! waits for a place of its host) is not here.

mod find;
mod paths;

use std::sync::Arc;

pub use find::Missing;
pub use paths::plan_paths;

use lang::plan::NodeId;

use super::action::{Blocked, Waiting};
use super::driver::Run;
use crate::event::{Failure, TaskId, Timestamp};

/// So many causes of one thing are told; further ones are counted.
const MOST_CAUSES: usize = 5;

/// How it stands with a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The node's path; the flow's name for the run itself.
    pub path: Arc<str>,
    /// What it waits for.
    pub condition: Condition,
    /// What the condition itself waits for, the gravest first.
    pub because: Vec<Explained>,
    /// So many more causes there are.
    pub more: usize,
}

/// What a node waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// It has ended, whatever became of it.
    Done,
    /// The way of the run does not lead there by now: a branch that was not taken, an item or iteration that is not there (yet).
    Absent,
    /// What follows at once.
    Starting,
    /// Other nodes have to be done first.
    Dependencies,
    /// A structured node: what is in it has to be done first.
    Inside {
        /// What it is, such as `map`.
        form: &'static str,
        /// Of items or arms: how many are done, of how many.
        progress: Option<(usize, usize)>,
    },
    /// It is being ended, and what is in it has to end first.
    Stopping {
        /// The failure that it ends with; none when nobody wants its value.
        failure: Option<Failure>,
    },
    /// What a node did is being taken back.
    Undoing,
    /// An attempt was handed out to be run.
    Running {
        /// The step.
        task: TaskId,
        /// Counted from 1.
        number: u32,
    },
    /// Another step of the run has its key.
    Key {
        /// The key.
        key: Arc<str>,
        /// The path of the step that has it.
        holder: Arc<str>,
    },
    /// So many steps run in the node around it already.
    Places {
        /// The node whose `parallel` it is.
        around: Arc<str>,
        /// How many may run.
        limit: u32,
    },
    /// So many attempts have started lately.
    Rate {
        /// How many may start.
        count: u32,
        /// In so many nanoseconds.
        per: u64,
        /// When the next one may.
        until: Option<Timestamp>,
    },
    /// Its breaker is open, and one attempt is the trial.
    Trial {
        /// The path of the step that is tried.
        trial: Option<Arc<str>>,
    },
    /// It is tried again later.
    Backoff {
        /// When.
        until: Timestamp,
        /// The attempt that follows.
        number: u32,
        /// What the last one failed with.
        failure: Option<Failure>,
        /// Its breaker is open until then.
        breaker: Option<Timestamp>,
    },
    /// The run is paused.
    Paused {
        /// Why.
        reason: String,
    },
    /// Nothing starts while an operator has to decide about a step.
    Undecided {
        /// The path of that step.
        about: Arc<str>,
    },
    /// A handler is asked first.
    Asking,
    /// An operator has to decide.
    Decision(Blocked),
    /// A `wait` is open.
    Waits(Waiting),
    /// The bus has not taken its message yet.
    Sending {
        /// The message's topic.
        topic: Arc<str>,
    },
}

impl Condition {
    /// Whether only an operator can move it.
    #[must_use]
    pub fn needs_operator(&self) -> bool {
        match self {
            Self::Decision(_) | Self::Paused { .. } | Self::Undecided { .. } => true,
            Self::Waits(waiting) => waiting.until.is_none() && matches!(waiting.what, super::action::Awaited::Signal { .. }),
            _ => false,
        }
    }

    /// The higher, the more likely it is what somebody wants to know of.
    pub(crate) fn weight(&self) -> u32 {
        match self {
            Self::Decision(_) => 9,
            Self::Waits(_) if self.needs_operator() => 8,
            Self::Paused { .. } | Self::Undecided { .. } => 7,
            Self::Waits(_) => 6,
            Self::Backoff { .. } | Self::Trial { .. } | Self::Rate { .. } => 5,
            Self::Running { .. } | Self::Sending { .. } | Self::Stopping { .. } | Self::Undoing => 4,
            _ => 3,
        }
    }
}

impl Explained {
    pub(crate) const fn of(path: Arc<str>, condition: Condition) -> Self {
        Self { path, condition, because: Vec::new(), more: 0 }
    }

    /// The same with the gravest of these causes.
    pub(crate) fn with_causes(mut self, mut causes: Vec<Self>) -> Self {
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.condition.weight()));
        self.more = causes.len().saturating_sub(MOST_CAUSES);
        causes.truncate(MOST_CAUSES);
        self.because = causes;
        self
    }

    /// Whether only an operator can move it: all that it waits for in the end is of that kind.
    #[must_use]
    pub fn needs_operator(&self) -> bool {
        if self.because.is_empty() || self.condition.needs_operator() {
            self.condition.needs_operator()
        } else {
            self.more == 0 && self.because.iter().all(Self::needs_operator)
        }
    }
}

impl Run {
    /// What the run as a whole waits for.
    #[must_use]
    pub fn explain(&self) -> Explained {
        self.state.standing_of_run()
    }

    /// How it stands with the node at this path.
    ///
    /// # Errors
    /// When the plan has no such node: how far the path leads, and what is there.
    pub fn explain_node(&self, path: &str) -> Result<Explained, Missing> {
        self.state.standing_at(path)
    }

    /// The path of the node that takes a failure of the node at this path, and what it takes it with.
    #[must_use]
    pub fn catcher(&self, path: &str) -> Option<(String, &'static str)> {
        self.state.catcher(path)
    }

    /// The node that a path leads to, whether it is open or not; none for the run itself and for what is not in the plan.
    #[must_use]
    pub fn node_at(&self, path: &str) -> Option<NodeId> {
        self.state.node_at(path)
    }

    /// The paths of all that is under way, at most so many.
    #[must_use]
    pub fn open_paths(&self, most: usize) -> Vec<Arc<str>> {
        self.state.open_paths(most)
    }
}
