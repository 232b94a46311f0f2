//! The trace that a command is part of.

use engine::event::Trace;

/// The variable of the environment that says it, as tracers set it for the commands that they start.
const TRACEPARENT: &str = "TRACEPARENT";

/// What the environment says; none where that is nothing, or no `traceparent`.
pub(crate) fn given() -> Option<Trace> {
    std::env::var(TRACEPARENT).ok().and_then(|text| Trace::parse(&text))
}
