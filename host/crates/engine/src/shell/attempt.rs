//! An attempt from its place to its outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;

use super::Parts;
use super::cache::Cache;
use super::places::Queues;
use crate::core::StartAttempt;
use crate::event::{Bill, Failure};
use crate::ports::{Callable, Invocation, JournalError, Outcome, Question};

/// How an attempt's own task ended.
pub(super) enum Done {
    Outcome(Box<Outcome>),
    /// The store does not go on with the run that it stands for.
    Lost(JournalError),
    /// It got a place when nothing was to start any more.
    NotBegun,
}

/// An attempt that waits for its places.
pub(super) struct Ready {
    pub(super) work: Work,
    pub(super) cache: Option<Cache>,
    pub(super) queues: Queues,
    /// Shut: it does not begin.
    pub(super) gate: Arc<AtomicBool>,
}

impl Ready {
    /// Asks the cache, else waits for the places and does the work.
    pub(super) async fn run(self, parts: &Parts) -> Done {
        let said = match &self.cache {
            Some(_) if self.gate.load(Ordering::Relaxed) => return Done::NotBegun,
            Some(cache) => match cache.look_up().await {
                Ok(outcome) => return Done::Outcome(Box::new(outcome)),
                Err(why) => Some(why),
            },
            None => None,
        };
        let Some(place) = self.queues.wait().await else { return Done::NotBegun };
        if self.gate.load(Ordering::Relaxed) {
            return Done::NotBegun;
        }
        let mut outcome = self.work.run(parts).await;
        drop(place);
        if let Some(cache) = self.cache {
            outcome.cache = said;
            cache.keep(&outcome);
        }
        Done::Outcome(Box::new(outcome))
    }
}

/// What an attempt does.
pub(super) enum Work {
    /// Runs in the sandbox.
    Step(Box<Invocation>),
    /// Is answered by whoever has the role.
    Question(Box<Question>),
}

impl Work {
    /// None for the run of a plan, which is no attempt of its own.
    pub(super) fn of(parts: &Parts, start: StartAttempt) -> Option<Self> {
        let limits = parts.config.limits_of(start.wishes, start.class.as_ref());
        let StartAttempt { args, grants, idempotency_key, number, previous_failure, .. } = start;
        Some(match start.target {
            Callable::Function(function) => {
                Self::Step(Box::new(Invocation { function, args, grants, limits, idempotency_key, number, previous_failure }))
            }
            Callable::Role(role) => {
                Self::Question(Box::new(Question { role, args, limits, idempotency_key, number, previous_failure }))
            }
            Callable::Plan(_) => return None,
        })
    }

    fn run(self, parts: &Parts) -> BoxFuture<'static, Outcome> {
        match self {
            Self::Step(invocation) => parts.invoker.invoke(*invocation),
            Self::Question(question) => parts.bus.ask(*question),
        }
    }
}

/// What an attempt gives whose task panicked.
pub(super) fn host_failed() -> Outcome {
    let message = "the host failed while it ran the step".to_owned();
    let failure = Failure { kind: catalog::FailureKind::Internal, message, details: None, retry_after: None };
    Outcome { result: Err(failure), bill: Bill::default(), denials: Vec::new(), log: Vec::new(), cache: None }
}
