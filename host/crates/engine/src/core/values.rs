//! Expressions, lists and failures as the core needs them.

use std::sync::Arc;

use catalog::{FailureKind, Type, Value, failure_type};
use lang::eval;
use lang::plan::Expr;

use crate::event::{Failure, Payload};

/// The values of a region.
pub(crate) type Frame = [Option<Value>];

/// A failure of the core's own.
pub(crate) fn failure(kind: FailureKind, message: impl Into<String>) -> Failure {
    Failure { kind, message: message.into(), details: None, retry_after: None }
}

/// Evaluates an expression over a frame. All of the value is in memory.
pub(crate) fn evaluate(expr: &Expr, frame: &Frame) -> Result<Value, Failure> {
    evaluate_held(expr, frame).map(Value::whole)
}

/// Evaluates an expression over a frame. What it gives, or parts of that, may be held elsewhere: for values that stay in
/// frames and are not looked into.
pub(crate) fn evaluate_held(expr: &Expr, frame: &Frame) -> Result<Value, Failure> {
    eval::eval(expr, frame).map_err(|error| failure(error.kind, error.message))
}

/// What an expression of a known type gave instead.
fn unexpected(wanted: &str, found: &Value) -> Failure {
    failure(FailureKind::Internal, format!("the plan promises a {wanted}, but the value is {found:?}"))
}

/// Evaluates a `bool`.
pub(crate) fn evaluate_bool(expr: &Expr, frame: &Frame) -> Result<bool, Failure> {
    match evaluate(expr, frame)? {
        Value::Bool(holds) => Ok(holds),
        other => Err(unexpected("bool", &other)),
    }
}

/// Evaluates an optional whole number of any width.
pub(crate) fn evaluate_u64(expr: Option<&Expr>, frame: &Frame) -> Result<Option<u64>, Failure> {
    let Some(expr) = expr else { return Ok(None) };
    let number = match evaluate(expr, frame)? {
        Value::U8(n) => Some(u64::from(n)),
        Value::U16(n) => Some(u64::from(n)),
        Value::U32(n) => Some(u64::from(n)),
        Value::U64(n) => Some(n),
        Value::S64(n) => u64::try_from(n).ok(),
        other => return Err(unexpected("whole number", &other)),
    };
    number.map(Some).ok_or_else(|| failure(FailureKind::Calculation, "a count or size is negative"))
}

/// Evaluates an optional count; more than `u32` holds is all that it holds.
pub(crate) fn evaluate_u32(expr: Option<&Expr>, frame: &Frame) -> Result<Option<u32>, Failure> {
    Ok(evaluate_u64(expr, frame)?.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
}

/// Evaluates an optional `s32`.
pub(crate) fn evaluate_s32(expr: Option<&Expr>, frame: &Frame) -> Result<Option<i32>, Failure> {
    let Some(expr) = expr else { return Ok(None) };
    match evaluate(expr, frame)? {
        Value::S32(number) => Ok(Some(number)),
        other => Err(unexpected("s32", &other)),
    }
}

/// Evaluates an optional text.
pub(crate) fn evaluate_text(expr: Option<&Expr>, frame: &Frame) -> Result<Option<Arc<str>>, Failure> {
    let Some(expr) = expr else { return Ok(None) };
    match evaluate(expr, frame)? {
        Value::String(text) => Ok(Some(text)),
        other => Err(unexpected("text", &other)),
    }
}

/// Evaluates an optional duration, in nanoseconds.
pub(crate) fn evaluate_duration(expr: Option<&Expr>, frame: &Frame) -> Result<Option<u64>, Failure> {
    let Some(expr) = expr else { return Ok(None) };
    match evaluate(expr, frame)? {
        Value::Duration(nanoseconds) => Ok(Some(nanoseconds)),
        other => Err(unexpected("duration", &other)),
    }
}

/// Nanoseconds as whole milliseconds, never less: a timer is never early.
pub(crate) const fn milliseconds(nanoseconds: u64) -> u64 {
    nanoseconds.div_ceil(1_000_000)
}

/// A list that is gone through.
#[derive(Clone, Debug)]
pub(crate) struct ListValue(Value);

impl ListValue {
    /// Evaluates a list.
    pub(crate) fn evaluate(expr: &Expr, frame: &Frame) -> Result<Self, Failure> {
        match evaluate_held(expr, frame)?.opened() {
            list @ (Value::List(_) | Value::Bytes(_)) => Ok(Self(list)),
            other => Err(unexpected("list", &other)),
        }
    }

    /// How many items it has.
    pub(crate) fn len(&self) -> usize {
        match &self.0 {
            Value::List(items) => items.len(),
            Value::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }

    /// An item.
    pub(crate) fn get(&self, index: usize) -> Option<Value> {
        match &self.0 {
            Value::List(items) => items.get(index).cloned(),
            Value::Bytes(bytes) => bytes.get(index).copied().map(Value::U8),
            _ => None,
        }
    }
}

/// A list of the type `ty` from its items.
pub(crate) fn list(items: impl Iterator<Item = Value>, ty: &Type) -> Value {
    match ty {
        Type::List(item) if **item == Type::U8 => {
            Value::Bytes(items.filter_map(|item| if let Value::U8(byte) = item.opened() { Some(byte) } else { None }).collect())
        }
        _ => Value::list(items),
    }
}

/// `ok(value)`; a value of nothing is `ok`.
pub(crate) fn ok(value: Value) -> Value {
    Value::Result(Ok(if value == Value::Unit { None } else { Some(Arc::new(value)) }))
}

/// The `failure` record that a flow sees.
pub(crate) fn failure_value(failure: &Failure) -> Value {
    let retry_after = match failure.retry_after {
        Some(milliseconds) => Value::some(Value::Duration(milliseconds.saturating_mul(1_000_000))),
        None => Value::none(),
    };
    let details = failure.details.clone().unwrap_or_else(|| Arc::new(serde_json::Value::Null));
    debug_assert!(matches!(failure_type(), Type::Record(record) if record.fields.len() == 4));
    Value::record([
        ("kind", Value::Enum(failure.kind.name().into())),
        ("message", Value::string(failure.message.as_str())),
        ("details", Value::Json(details)),
        ("retry_after", retry_after),
    ])
}

/// The failure that a flow's `failure` record stands for.
pub(crate) fn failure_of(value: &Value) -> Failure {
    let kind = match value.field("kind") {
        Some(Value::Enum(name)) => FailureKind::ALL.into_iter().find(|kind| kind.name() == &**name),
        _ => None,
    };
    let message = match value.field("message") {
        Some(Value::String(text)) => text.to_string(),
        _ => String::new(),
    };
    let details = match value.field("details") {
        Some(Value::Json(document)) if !document.is_null() => Some(Arc::clone(document)),
        _ => None,
    };
    let retry_after = match value.field("retry_after") {
        Some(Value::Option(Some(wait))) => match **wait {
            Value::Duration(nanoseconds) => Some(milliseconds(nanoseconds)),
            _ => None,
        },
        _ => None,
    };
    Failure { kind: kind.unwrap_or(FailureKind::Logic), message, details, retry_after }
}

/// The value of a payload that has this type.
pub(crate) fn decode(payload: &Payload, ty: &Type) -> Result<Value, String> {
    match payload {
        Payload::Value(value) => Ok(value.clone()),
        Payload::Text(text) => catalog::json::parse(text, ty).map_err(|error| error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use catalog::FailureKind;

    use super::{failure_of, failure_value};
    use crate::event::Failure;

    #[test]
    fn a_failure_survives_the_flow() {
        for details in [None, Some(Arc::new(serde_json::json!({ "code": 7 })))] {
            let failure = Failure { kind: FailureKind::Network, message: "no route".into(), details, retry_after: Some(250) };
            assert_eq!(failure_of(&failure_value(&failure)), failure);
        }
    }
}
