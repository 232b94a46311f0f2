//! Why an attempt failed: a plugin's own error, or the way its guest ended, as a failure of the right kind.

use std::sync::Arc;

use catalog::{FailureKind, Type, Value, json};
use engine::event::Failure;
use wasmtime::{PoolConcurrencyLimitError, Trap};
use wasmtime_wasi::I32Exit;

use crate::denials::{Asked, Denied};
use crate::limits::{Meter, Refused};

/// How long a message may be, in bytes; a guest chooses it.
const MAX_MESSAGE: usize = 4 << 10;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// What an error type of a plugin says about the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorShape {
    /// The record `failure`, or one like it.
    Failure,
    /// A variant or enum whose cases are all kinds.
    Kinds,
    /// Anything else.
    Other,
}

impl ErrorShape {
    pub(crate) fn of(ty: &Type) -> Self {
        match ty {
            Type::Record(record) => {
                let has =
                    |wanted: &str, fits: fn(&Type) -> bool| record.fields.iter().any(|(name, ty)| &**name == wanted && fits(ty));
                let known = |name: &str| matches!(name, "kind" | "message" | "details" | "retry_after");
                let fits = has("kind", are_kinds)
                    && has("message", |ty| *ty == Type::String)
                    && record.fields.iter().all(|(name, _)| known(name));
                if fits { Self::Failure } else { Self::Other }
            }
            ty if are_kinds(ty) => Self::Kinds,
            _ => Self::Other,
        }
    }
}

fn are_kinds(ty: &Type) -> bool {
    let is_kind = |name: &str| name.parse::<FailureKind>().is_ok();
    match ty {
        Type::Enum(ty) => ty.cases.iter().all(|name| is_kind(name)),
        Type::Variant(ty) => ty.cases.iter().all(|(name, _)| is_kind(name)),
        _ => false,
    }
}

/// A failure with a message and nothing else.
pub(crate) fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { kind, message: shortened(message.into()), details: None, retry_after: None }
}

/// The failure that a function's `err` stands for.
pub(crate) fn from_error(shape: ErrorShape, error: Option<&Value>) -> Failure {
    let Some(error) = error else {
        return failure(FailureKind::Error, "the component gave an error without saying which");
    };
    match shape {
        ErrorShape::Failure => from_record(error),
        ErrorShape::Kinds => from_kind(error),
        ErrorShape::Other => {
            Failure { details: Some(Arc::new(json::to_json(error))), ..failure(FailureKind::Error, readable(error)) }
        }
    }
}

fn from_record(record: &Value) -> Failure {
    let kind = match record.field("kind") {
        Some(Value::Enum(name) | Value::Variant(name, _)) => name.parse().unwrap_or(FailureKind::Error),
        _ => FailureKind::Error,
    };
    let message = match record.field("message") {
        Some(Value::String(text)) if !text.is_empty() => text.to_string(),
        _ => format!("the component failed ({kind})"),
    };
    Failure {
        details: record.field("details").and_then(details).map(Arc::new),
        retry_after: record.field("retry_after").and_then(nanos).map(|nanos| nanos.div_ceil(NANOS_PER_MILLI)),
        ..failure(kind, message)
    }
}

fn details(value: &Value) -> Option<serde_json::Value> {
    match value {
        Value::Option(inner) => inner.as_deref().and_then(details),
        // Text that is not JSON is kept as text.
        Value::String(text) => Some(json::parse_document(text).map_or_else(|_| text.as_ref().into(), Arc::unwrap_or_clone)),
        other => Some(json::to_json(other)),
    }
}

fn nanos(value: &Value) -> Option<u64> {
    match value {
        Value::Option(inner) => inner.as_deref().and_then(nanos),
        Value::U64(nanos) | Value::Duration(nanos) => Some(*nanos),
        _ => None,
    }
}

fn from_kind(error: &Value) -> Failure {
    let (name, payload) = match error {
        Value::Enum(name) => (name, None),
        Value::Variant(name, payload) => (name, payload.as_deref()),
        _ => return failure(FailureKind::Error, readable(error)),
    };
    let kind = name.parse().unwrap_or(FailureKind::Error);
    match payload {
        None => failure(kind, format!("the component failed ({kind})")),
        Some(Value::String(text)) => failure(kind, text.to_string()),
        Some(other) => Failure { details: Some(Arc::new(json::to_json(other))), ..failure(kind, readable(other)) },
    }
}

/// An error value as a message.
fn readable(error: &Value) -> String {
    match error {
        Value::String(text) => text.to_string(),
        Value::Enum(name) | Value::Variant(name, None) => name.replace('_', " "),
        Value::Variant(name, Some(payload)) => format!("{}: {}", name.replace('_', " "), readable(payload)),
        other => json::to_json(other).to_string(),
    }
}

/// The failure that the end of a guest stands for.
pub(crate) fn from_trap(error: &wasmtime::Error, meter: &Meter) -> Failure {
    if let Some(I32Exit(status)) = error.downcast_ref() {
        return failure(FailureKind::Internal, format!("the component exited with status {status}"));
    }
    let trap = error.downcast_ref::<Trap>().copied();
    if trap == Some(Trap::OutOfFuel) {
        let failed = failure(FailureKind::Resource, "the component used up its fuel: `fuel` in `with` sets how much it may use");
        return limited("fuel", failed);
    }
    if trap == Some(Trap::StackOverflow) {
        return failure(FailureKind::Resource, "the component recursed too deep");
    }
    if let Some(refused) = meter.refused {
        return refusal(refused, failure(FailureKind::Resource, explain(refused)));
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return failure(FailureKind::Resource, "the host has no room for another guest");
    }
    let cause = error.root_cause().to_string();
    // The runtime's type for this is private.
    if cause.contains("too much data is being copied") {
        return failure(FailureKind::Resource, "the component handed over more data than its limit for results");
    }
    match trap {
        Some(trap) => failure(
            FailureKind::Internal,
            format!("the component trapped: {}", trap.to_string().trim_start_matches("wasm trap: ")),
        ),
        None => failure(FailureKind::Internal, format!("the component failed: {cause}")),
    }
}

/// A failure of a guest that wanted more than it may have.
fn refusal(refused: Refused, failed: Failure) -> Failure {
    match refused {
        Refused::Memory { .. } => limited("memory", failed),
        Refused::Tables { .. } => failed,
    }
}

fn names_limit(failed: &Failure) -> bool {
    failed.details.as_ref().is_some_and(|details| details.get("limit").is_some())
}

/// Says in the details which limit was used up, where a larger one may help. What the guest said about it stands beside.
fn limited(limit: &str, failed: Failure) -> Failure {
    let mut details = serde_json::json!({ "limit": limit });
    if let (Some(said), Some(fields)) = (&failed.details, details.as_object_mut()) {
        fields.insert("said".into(), (**said).clone());
    }
    Failure { details: Some(Arc::new(details)), ..failed }
}

/// A limit that was reached, for people.
fn explain(refused: Refused) -> String {
    match refused {
        Refused::Memory { limit } => {
            format!("the component wanted more memory than its limit of {} MiB: `memory` in `with` sets it", limit >> 20)
        }
        Refused::Tables { limit } => format!("the component wanted more than {limit} table elements"),
    }
}

/// What a guest reached for explains its failure better than what it made of that.
pub(crate) fn with_causes(failed: Failure, trapped: bool, meter: &Meter, denied: &[Denied]) -> Failure {
    match (failed.kind, meter.refused) {
        // It copes with what it was refused and says so; which limit that was, it need not know.
        (FailureKind::Resource, Some(refused)) if !names_limit(&failed) => return refusal(refused, failed),
        (FailureKind::Resource | FailureKind::Timeout, _) => return failed,
        _ => {}
    }
    if let Some(refused) = meter.refused {
        let message = format!("{}; it said: {}", explain(refused), failed.message);
        return refusal(refused, Failure { details: failed.details, ..failure(FailureKind::Resource, message) });
    }
    // A panicking Rust guest looks for RUST_BACKTRACE, whatever made it panic.
    let Some(first) = denied.iter().find(|denied| !(trapped && denied.asked == Asked::Env)) else { return failed };
    let message = format!("{}; it said: {}", first.explain(), failed.message);
    Failure { details: failed.details, ..failure(FailureKind::Permission, message) }
}

fn shortened(mut message: String) -> String {
    if message.len() > MAX_MESSAGE {
        let end = (0..=MAX_MESSAGE).rev().find(|end| message.is_char_boundary(*end)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use catalog::{EnumType, FailureKind, Type, Value, VariantType, failure_type};
    use engine::event::Failure;
    use engine::ports::Limits;
    use wasmtime::ResourceLimiter;

    use super::{ErrorShape, failure, from_error, with_causes};
    use crate::limits::Meter;

    #[test]
    fn the_failure_record_maps_directly() {
        assert_eq!(ErrorShape::of(&failure_type()), ErrorShape::Failure);
        let error = Value::record([
            ("kind", Value::Enum("invalid_input".into())),
            ("message", Value::string("no such page")),
            ("details", Value::some(Value::string("{\"page\": 3}"))),
            ("retry_after", Value::some(Value::U64(1_500_001))),
        ]);
        let failure = from_error(ErrorShape::Failure, Some(&error));
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::InvalidInput, "no such page"));
        assert_eq!(failure.details.unwrap()["page"], 3);
        assert_eq!(failure.retry_after, Some(2));
    }

    #[test]
    fn variants_of_kinds_map_by_case() {
        let variant = |cases: &[&str]| {
            let cases = cases.iter().map(|name| ((*name).into(), Some(Type::String))).collect();
            Type::Variant(Arc::new(VariantType { name: None, cases }))
        };
        assert_eq!(ErrorShape::of(&variant(&["timeout", "network"])), ErrorShape::Kinds);
        assert_eq!(ErrorShape::of(&variant(&["timeout", "broken"])), ErrorShape::Other);
        let kinds = Type::Enum(Arc::new(EnumType { name: None, cases: vec!["logic".into()] }));
        assert_eq!(ErrorShape::of(&kinds), ErrorShape::Kinds);
        let error = Value::Variant("network".into(), Some(Arc::new(Value::string("unplugged"))));
        let failure = from_error(ErrorShape::Kinds, Some(&error));
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Network, "unplugged"));
    }

    #[test]
    fn a_component_that_says_it_ran_out_of_memory_need_not_say_of_what() {
        let mut meter = Meter::new(&Limits::default(), 1 << 20, 10);
        let said = |details| Failure { details, ..failure(FailureKind::Resource, "too large") };
        assert_eq!(with_causes(said(None), false, &meter, &[]).details, None);
        assert!(!meter.memory_growing(0, 2 << 20, None).unwrap());
        assert_eq!(*with_causes(said(None), false, &meter, &[]).details.unwrap(), serde_json::json!({ "limit": "memory" }));
        let fuel = Some(Arc::new(serde_json::json!({ "limit": "fuel" })));
        assert_eq!(with_causes(said(fuel.clone()), false, &meter, &[]).details, fuel);
        let timeout = failure(FailureKind::Timeout, "too late");
        assert_eq!(with_causes(timeout.clone(), false, &meter, &[]), timeout);
    }

    #[test]
    fn other_errors_keep_their_value_as_details() {
        let error = Value::Variant("not_found".into(), Some(Arc::new(Value::string("page 3"))));
        let failure = from_error(ErrorShape::Other, Some(&error));
        assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Error, "not found: page 3"));
        assert!(failure.details.is_some());
        let long = from_error(ErrorShape::Other, Some(&Value::string("ä".repeat(10_000))));
        assert!(long.message.len() < 5000);
    }
}
