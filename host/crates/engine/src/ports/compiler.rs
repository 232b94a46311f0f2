//! Plans that runs make while they go on: who compiles them.

use std::sync::Arc;

use catalog::{Digest, FailureKind};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use lang::plan::Plan;

use super::JournalError;
use crate::event::Failure;

/// Compiles the plans that runs make.
pub trait Compiler: Send + Sync + 'static {
    /// Makes a plan out of a text that sees the components of the caller's program and nothing else. The same text
    /// for the same program gives the same plan.
    fn compile(&self, source: PlanSource) -> BoxFuture<'static, Result<CompiledPlan, PlanError>>;
}

/// A text that is to be a plan.
#[derive(Clone, Debug)]
pub struct PlanSource {
    /// What the run was started with whose step this is.
    pub program: Digest,
    /// The path of the file that the step stands in.
    pub from: String,
    /// The text of a flow file.
    pub text: Arc<str>,
}

/// A plan that a run made.
#[derive(Clone, Debug)]
pub struct CompiledPlan {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The blob from which it can be made again; durable.
    pub program: Digest,
    /// So many of its hooks, at the beginning, are the caller's: no part of what the text asks for.
    pub adopted: usize,
}

/// Why there is no plan.
#[derive(Clone, Debug)]
pub enum PlanError {
    /// The text is not one; the step fails like this.
    Refused(Failure),
    /// The store.
    Store(JournalError),
}

/// Compiles nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCompiler;

impl Compiler for NoCompiler {
    fn compile(&self, _source: PlanSource) -> BoxFuture<'static, Result<CompiledPlan, PlanError>> {
        let message = "this host compiles no plans for runs".to_owned();
        let failure = Failure { kind: FailureKind::Dependency, message, details: None, retry_after: None };
        ready(Err(PlanError::Refused(failure))).boxed()
    }
}
