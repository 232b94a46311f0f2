//! What a run takes over from the run that it retries.

use std::sync::Arc;

use catalog::Digest;

use super::{Payload, RunId};

/// The run that another one retries. Its results stand in the new run's first event, so the new run never needs the old one.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// The run that is retried.
    pub run: RunId,
    /// The nodes that were named to be run again; empty: only what had failed.
    pub from: Vec<String>,
    /// Whether a step with an effect may run again with other arguments. If not, an operator decides about each.
    pub repeats: bool,
    /// The results that are still valid, in the order in which they came.
    pub results: Vec<Reusable>,
}

/// A result that need not be computed again.
#[derive(Clone, Debug, PartialEq)]
pub struct Reusable {
    /// The path of the step, the `wait` or the `emit`.
    pub path: Arc<str>,
    /// Of what was called and of its arguments: the result only stands for the same.
    pub key: Digest,
    /// The value.
    pub output: Payload,
}
