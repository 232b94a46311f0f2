//! An attempt from its place to its outcome.

use futures::future::BoxFuture;
use std::sync::Arc;

use super::Parts;
use super::cache::Cache;
use super::gates::{Line, Permit, Went};
use super::valve::Valve;
use crate::core::StartAttempt;
use crate::event::{Failure, Trace};
use crate::ports::{Asking, Callable, Invocation, JournalError, Limits, Outcome, Question};

/// How an attempt's own task ended.
pub(super) enum Done {
    Outcome(Box<Outcome>),
    /// It has all that it needs to begin.
    Admitted(Permit),
    /// The store does not go on with the run that it stands for.
    Lost(JournalError),
    /// It did not begin: nothing was to start any more.
    NotBegun,
    /// It ran on another host, and nobody wanted its result any more.
    Stopped(Arc<str>),
    /// Another host had begun it, and nothing says how it ended.
    Unknown(Option<Arc<str>>),
}

/// What an attempt needs before it begins.
pub(super) enum Entry {
    /// It waits for it.
    Line(Line),
    /// It has it.
    Permit(Permit),
}

/// An attempt that is about to begin.
pub(super) struct Ready {
    pub(super) work: Work,
    pub(super) cache: Option<Cache>,
    pub(super) entry: Entry,
    /// Shut: it does not begin.
    pub(super) valve: Arc<Valve>,
}

impl Ready {
    /// Asks the cache, else waits for what it needs and does the work.
    pub(super) async fn run(self, parts: &Parts) -> Done {
        let said = match &self.cache {
            Some(_) if self.valve.is_shut() => return Done::NotBegun,
            Some(cache) => match cache.look_up().await {
                Ok(outcome) => return Done::Outcome(Box::new(outcome)),
                Err(why) => Some(why),
            },
            None => None,
        };
        let permit = match self.entry {
            Entry::Permit(permit) => permit,
            Entry::Line(line) => match enter(line, &self.valve, parts).await {
                Ok(permit) => permit,
                Err(done) => return done,
            },
        };
        if self.valve.is_shut() {
            return Done::NotBegun;
        }
        let (mut outcome, permit) = match self.work.run(parts, &self.valve, permit).await {
            Ok(done) => done,
            Err(done) => return done,
        };
        permit.end(&outcome);
        if let Some(cache) = self.cache {
            outcome.cache = said;
            cache.keep(&outcome);
        }
        Done::Outcome(Box::new(outcome))
    }
}

/// Waits for what an attempt needs that begins when it has it.
pub(super) async fn admit(line: Line, valve: &Valve, parts: &Parts) -> Done {
    match enter(line, valve, parts).await {
        Ok(_) if valve.is_shut() => Done::NotBegun,
        Ok(permit) => Done::Admitted(permit),
        Err(done) => done,
    }
}

/// Waits in a line, at most until the valve is shut.
async fn enter(line: Line, valve: &Valve, parts: &Parts) -> Result<Permit, Done> {
    let passed = tokio::select! {
        biased;
        passed = line.wait(parts) => passed,
        () = valve.closes() => return Err(Done::NotBegun),
    };
    match passed {
        Ok(Some(permit)) => Ok(permit),
        Ok(None) => Err(Done::NotBegun),
        Err(failure) => Err(Done::Outcome(Box::new(Outcome::new(Err(failure))))),
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
    /// `trace` is that of the run. None for the run of a plan, which is no attempt of its own.
    pub(super) fn of(start: StartAttempt, asking: Option<Arc<dyn Asking>>, trace: Option<&Trace>) -> Option<Self> {
        // What bounds it is known when it begins.
        let limits = Limits::default();
        let StartAttempt { args, grants, idempotency_key, number, previous_failure, .. } = start;
        Some(match start.target {
            Callable::Function(function) => Self::Step(Box::new(Invocation {
                function,
                args,
                grants,
                limits,
                idempotency_key,
                number,
                previous_failure,
                asking,
            })),
            Callable::Role(role) => Self::Question(Box::new(Question {
                role,
                args,
                limits,
                idempotency_key,
                number,
                previous_failure,
                trace: trace.cloned(),
            })),
            Callable::Plan(_) => return None,
        })
    }

    /// Does it here, or where its place is.
    async fn run(self, parts: &Parts, valve: &Valve, mut permit: Permit) -> Result<(Outcome, Permit), Done> {
        if let (Self::Step(invocation), Some(away)) = (&self, permit.away.take()) {
            let stage = away.stage.clone();
            let invocation = Invocation { limits: permit.limits.clone(), ..(**invocation).clone() };
            match away.run(parts, valve, invocation).await {
                Some(Went::There(outcome)) => return Ok((*outcome, permit)),
                Some(Went::Lost(host)) => return Err(Done::Unknown(host)),
                Some(Went::Stopped(host)) => return Err(Done::Stopped(host)),
                Some(Went::Full(failure)) => return Ok((Outcome::new(Err(failure)), permit)),
                Some(Went::Nowhere) | None => return Err(Done::NotBegun),
                Some(Went::Here(held)) => permit.hold(held),
            }
            let here = self.here(parts, permit.limits.clone());
            return tokio::select! {
                biased;
                // Where it was asked to stop while it might run elsewhere, it still is.
                () = stage.braked() => Err(Done::NotBegun),
                outcome = here => Ok((outcome, permit)),
            };
        }
        Ok((self.here(parts, permit.limits.clone()).await, permit))
    }

    fn here(self, parts: &Parts, limits: Limits) -> BoxFuture<'static, Outcome> {
        match self {
            Self::Step(invocation) => parts.invoker.invoke(Invocation { limits, ..*invocation }),
            Self::Question(question) => parts.bus.ask(Question { limits, ..*question }),
        }
    }
}

/// What an attempt gives whose task panicked.
pub(super) fn host_failed() -> Outcome {
    let message = "the host failed while it ran the step".to_owned();
    Outcome::new(Err(Failure { kind: catalog::FailureKind::Internal, message, details: None, retry_after: None }))
}
