//! Numbers: integers are checked in their own width, floats are IEEE 754.

use std::ops::{Add, Div, Mul, Rem, Sub};

use catalog::{Type, Value};

use super::list::{self, ListBuilder};
use super::{EvalError, Evaluator};
use crate::plan::Operator;

impl Evaluator<'_> {
    /// `+`: of numbers and durations, or joins two texts or two lists.
    pub(super) fn add(&mut self, left: &Value, right: &Value) -> Result<Value, EvalError> {
        match (left, right) {
            (Value::String(a), Value::String(b)) => {
                self.allow_size((a.len() as u64).saturating_add(b.len() as u64))?;
                self.spend_bytes((a.len() + b.len()) as u64)?;
                Ok(Value::string([&**a, &**b].concat()))
            }
            (Value::List(_) | Value::Bytes(_), Value::List(_) | Value::Bytes(_)) => {
                self.allow_size(left.size().saturating_add(right.size()))?;
                let (left, right) = (list::view(left)?, list::view(right)?);
                let mut both = ListBuilder::like(if left.len() == 0 { right } else { left });
                both.extend(left, self)?;
                both.extend(right, self)?;
                Ok(both.finish())
            }
            _ => apply(Operator::Add, left, right),
        }
    }
}

/// `-x`.
pub(super) fn negate(x: &Value) -> Result<Value, EvalError> {
    match x {
        Value::F32(x) => Ok(Value::F32(-x)),
        Value::F64(x) => Ok(Value::F64(-x)),
        _ => {
            let (x, ty) = x.as_integer().ok_or_else(|| EvalError::internal("`-` stands before something else than a number"))?;
            Value::integer(-x, &ty).ok_or_else(|| overflow(&format!("-({x})"), &ty))
        }
    }
}

/// An arithmetic operator on two numbers of one type, or on two durations.
pub(super) fn apply(operator: Operator, left: &Value, right: &Value) -> Result<Value, EvalError> {
    match (left, right) {
        (Value::F64(a), Value::F64(b)) => float(operator, *a, *b).map(|x| Value::F64(if x.is_nan() { f64::NAN } else { x })),
        (Value::F32(a), Value::F32(b)) => float(operator, *a, *b).map(|x| Value::F32(if x.is_nan() { f32::NAN } else { x })),
        (Value::Duration(a), Value::Duration(b)) => durations(operator, *a, *b),
        _ => match (left.as_integer(), right.as_integer()) {
            (Some((a, ty)), Some((b, other))) if ty == other => integers(operator, a, b, &ty),
            _ => Err(EvalError::internal("an operator got values of other types")),
        },
    }
}

/// By IEEE 754. The sign and payload of a NaN differ between machines; the caller puts the usual one.
fn float<T>(operator: Operator, a: T, b: T) -> Result<T, EvalError>
where
    T: Add<Output = T> + Sub<Output = T> + Mul<Output = T> + Div<Output = T> + Rem<Output = T>,
{
    match operator {
        Operator::Add => Ok(a + b),
        Operator::Sub => Ok(a - b),
        Operator::Mul => Ok(a * b),
        Operator::Div => Ok(a / b),
        Operator::Rem => Ok(a % b),
        _ => Err(unexpected()),
    }
}

fn integers(operator: Operator, a: i128, b: i128, ty: &Type) -> Result<Value, EvalError> {
    // Only the product of two 64-bit integers can leave `i128`.
    let (x, symbol) = match operator {
        Operator::Add => (a.checked_add(b), "+"),
        Operator::Sub => (a.checked_sub(b), "-"),
        Operator::Mul => (a.checked_mul(b), "*"),
        Operator::Div | Operator::Rem if b == 0 => {
            let symbol = if operator == Operator::Div { "/" } else { "%" };
            return Err(EvalError::calculation(format!("division by zero: {a} {symbol} 0")));
        }
        Operator::Div => (a.checked_div(b), "/"),
        Operator::Rem => (a.checked_rem(b), "%"),
        _ => return Err(unexpected()),
    };
    x.and_then(|x| Value::integer(x, ty)).ok_or_else(|| overflow(&format!("{a} {symbol} {b}"), ty))
}

fn durations(operator: Operator, a: u64, b: u64) -> Result<Value, EvalError> {
    let (nanos, symbol) = match operator {
        Operator::Add => (a.checked_add(b), "+"),
        Operator::Sub => (a.checked_sub(b), "-"),
        _ => return Err(unexpected()),
    };
    let show = catalog::duration::display;
    let range = if symbol == "-" { "a duration is never negative" } else { "it is longer than any duration" };
    nanos
        .map(Value::Duration)
        .ok_or_else(|| EvalError::calculation(format!("overflow: {} {symbol} {}: {range}", show(a), show(b))))
}

/// What does not fit the type.
pub(super) fn overflow(what: &str, ty: &Type) -> EvalError {
    let (least, greatest) = ty.integer_range().unwrap_or_default();
    EvalError::calculation(format!("overflow: {what} does not fit `{ty}` ({least} to {greatest})"))
}

fn unexpected() -> EvalError {
    EvalError::internal("an operator got values of other types")
}
