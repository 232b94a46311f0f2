//! Parts of a run as JSON, for `--json` and for `host show`.

use std::sync::Arc;

use engine::event::{Amounts, Bill, Failure, Payload, RunOutcome};
use serde_json::{Value, json};

/// A stored or live value.
pub(crate) fn payload(payload: &Payload) -> Value {
    match payload {
        Payload::Value(value) => catalog::json::to_json(value),
        Payload::Text(text) => stored(text),
    }
}

/// JSON as it was stored; what cannot be read as a document is shown as text.
pub(crate) fn stored(text: &str) -> Value {
    catalog::json::parse_document(text).map_or_else(|_| Value::String(text.to_owned()), Arc::unwrap_or_clone)
}

/// Why something failed.
pub(crate) fn failure(failure: &Failure) -> Value {
    json!({
        "kind": failure.kind.name(),
        "message": failure.message,
        "details": failure.details.as_deref(),
        "retry_after_ms": failure.retry_after,
    })
}

/// Why something failed, and where.
pub(crate) fn failure_at(failed: &Failure, path: &str) -> Value {
    let mut document = failure(failed);
    if let Value::Object(fields) = &mut document {
        fields.insert("path".into(), path.into());
    }
    document
}

/// How a run ended.
pub(crate) fn outcome(outcome: &RunOutcome) -> Value {
    match outcome {
        RunOutcome::Succeeded(value) => json!({ "succeeded": payload(value) }),
        RunOutcome::Failed { failure, path } => json!({ "failed": failure_at(failure, path) }),
        RunOutcome::Cancelled => json!("cancelled"),
    }
}

/// What an attempt used.
pub(crate) fn bill(bill: &Bill) -> Value {
    json!({
        "fuel": bill.fuel,
        "peak_memory": bill.peak_memory,
        "wall_us": bill.wall,
        "host_calls": bill.host_calls,
        "bytes_in": bill.bytes_in,
        "bytes_out": bill.bytes_out,
        "attempts": bill.attempts,
    })
}

/// Limits, those that are said; null when none is.
pub(crate) fn amounts(amounts: &Amounts) -> Value {
    if amounts.is_empty() {
        return Value::Null;
    }
    json!({ "timeout_ms": amounts.timeout.map(|timeout| timeout / 1_000_000), "memory": amounts.memory, "fuel": amounts.fuel })
}
