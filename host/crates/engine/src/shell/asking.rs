//! Questions of components that run: the same way as those of an `ask`.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use lang::plan::Plan;

use super::attempt::refused;
use crate::event::Trace;
use crate::ports::{Asking, Bus, Inquiry, Outcome, Question};

/// What an attempt asks by.
pub(super) struct Correspondence {
    bus: Arc<dyn Bus>,
    plan: Arc<Plan>,
    /// `run/path` of the step.
    key: Arc<str>,
    /// Of the attempt.
    number: u32,
    /// Of the run.
    trace: Option<Trace>,
}

impl std::fmt::Debug for Correspondence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Correspondence").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Correspondence {
    pub(super) fn of(
        bus: &Arc<dyn Bus>,
        plan: &Arc<Plan>,
        (key, number): (&Arc<str>, u32),
        trace: Option<&Trace>,
    ) -> Arc<dyn Asking> {
        Arc::new(Self { bus: Arc::clone(bus), plan: Arc::clone(plan), key: Arc::clone(key), number, trace: trace.cloned() })
    }
}

impl Asking for Correspondence {
    fn ask(&self, inquiry: Inquiry) -> BoxFuture<'static, Outcome> {
        match inquiry.question(&self.plan, &self.key, self.number) {
            Ok(question) => self.bus.ask(Question { trace: self.trace.clone(), ..question }),
            Err(failure) => ready(refused(failure)).boxed(),
        }
    }
}
