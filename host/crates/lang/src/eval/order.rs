//! Equality and order of values.

use std::cmp::Ordering;

use catalog::Value;

use super::{EvalError, Evaluator, list};
use crate::plan::Operator;

impl Evaluator<'_> {
    /// `==`: records by field names in any order, floats by IEEE 754 (NaN equals nothing, not even itself).
    pub(super) fn equal(&mut self, left: &Value, right: &Value) -> Result<bool, EvalError> {
        self.spend_bytes(left.size().min(right.size()))?;
        Ok(equal(left, right))
    }

    /// `< <= > >=`; with a NaN none of them holds.
    pub(super) fn compare(&mut self, operator: Operator, left: &Value, right: &Value) -> Result<Value, EvalError> {
        self.spend_bytes(left.size().min(right.size()))?;
        let ordering = match (left, right) {
            (Value::F32(a), Value::F32(b)) => a.partial_cmp(b),
            (Value::F64(a), Value::F64(b)) => a.partial_cmp(b),
            _ => Some(total(left, right).ok_or_else(incomparable)?),
        };
        Ok(Value::Bool(match operator {
            Operator::Lt => ordering.is_some_and(Ordering::is_lt),
            Operator::Le => ordering.is_some_and(Ordering::is_le),
            Operator::Gt => ordering.is_some_and(Ordering::is_gt),
            _ => ordering.is_some_and(Ordering::is_ge),
        }))
    }
}

/// Whether two values of one type are equal. Does not ask whether parts are shared: after a replay they
/// are not, and a NaN must not be equal to itself only before.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Held(held), other) | (other, Value::Held(held)) => equal(&held.open(), other),
        (Value::Tuple(a), Value::Tuple(b)) => all_equal(a, b),
        (Value::List(_), Value::List(_) | Value::Bytes(_)) | (Value::Bytes(_), Value::List(_)) => {
            match (list::view(left), list::view(right)) {
                (Ok(a), Ok(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(&a, &b)),
                _ => false,
            }
        }
        (Value::Record(a), Value::Record(b)) => {
            a.len() == b.len() && a.iter().all(|(name, value)| right.field(name).is_some_and(|other| equal(value, other)))
        }
        (Value::Variant(a, x), Value::Variant(b, y)) => a == b && equal_payloads(x.as_deref(), y.as_deref()),
        (Value::Option(x), Value::Option(y)) | (Value::Result(Ok(x)), Value::Result(Ok(y))) => {
            equal_payloads(x.as_deref(), y.as_deref())
        }
        (Value::Result(Err(x)), Value::Result(Err(y))) => equal_payloads(x.as_deref(), y.as_deref()),
        (Value::Flags(a), Value::Flags(b)) => a.len() == b.len() && a.iter().all(|name| b.contains(name)),
        _ => left == right,
    }
}

fn all_equal(left: &[Value], right: &[Value]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(a, b)| equal(a, b))
}

fn equal_payloads(left: Option<&Value>, right: Option<&Value>) -> bool {
    match (left, right) {
        (Some(a), Some(b)) => equal(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// The total order behind sorting, `min` and `max`: −0.0 before 0.0, NaN after all other numbers; false before
/// true; texts by their characters; tuples by their members. None for values that have no order.
pub(super) fn total(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Held(held), other) => total(&held.open(), other),
        (other, Value::Held(held)) => total(other, &held.open()),
        (Value::F32(a), Value::F32(b)) => Some(total_float(f64::from(*a), f64::from(*b))),
        (Value::F64(a), Value::F64(b)) => Some(total_float(*a, *b)),
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Char(a), Value::Char(b)) => Some(a.cmp(b)),
        (Value::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Tuple(a), Value::Tuple(b)) if a.len() == b.len() => {
            let members: Option<Vec<Ordering>> = a.iter().zip(b.iter()).map(|(a, b)| total(a, b)).collect();
            Some(members?.into_iter().find(|ordering| ordering.is_ne()).unwrap_or(Ordering::Equal))
        }
        _ => match (left.as_integer(), right.as_integer()) {
            (Some((a, ty)), Some((b, other))) if ty == other => Some(a.cmp(&b)),
            _ => None,
        },
    }
}

fn total_float(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (false, false) => a.total_cmp(&b),
        (a, b) => a.cmp(&b),
    }
}

/// Sorts by the keys; items with equal keys keep their order.
pub(super) fn sort(keyed: &mut [(Value, Value)]) -> Result<(), EvalError> {
    if let Some((first, _)) = keyed.first()
        && keyed.iter().any(|(key, _)| total(first, key).is_none())
    {
        return Err(incomparable());
    }
    keyed.sort_by(|(a, _), (b, _)| total(a, b).unwrap_or(Ordering::Equal));
    Ok(())
}

pub(super) fn incomparable() -> EvalError {
    EvalError::internal("values that have no order were compared")
}
