//! Patterns, and the choice among the arms of a `match` node.

use catalog::Value;

use super::{Budget, EvalError, Evaluator, order};
use crate::plan::{Arm, Pattern};

/// Whether a value fits a pattern. What the pattern binds is appended to `bound` in the order written;
/// when it does not fit, `bound` is as before.
pub fn bind(pattern: &Pattern, value: &Value, bound: &mut Vec<Value>) -> bool {
    let before = bound.len();
    let fits = fit(pattern, value, bound);
    if !fits {
        bound.truncate(before);
    }
    fits
}

fn fit(pattern: &Pattern, value: &Value, bound: &mut Vec<Value>) -> bool {
    match (pattern, value) {
        (Pattern::Any, _) => true,
        (Pattern::Bind, _) => {
            bound.push(value.clone());
            true
        }
        (_, Value::Held(held)) => fit(pattern, &held.open(), bound),
        (Pattern::Literal(literal), _) => order::equal(literal, value),
        (Pattern::Variant(name, inner), Value::Variant(case, payload)) => {
            name == case && fit_payload(inner.as_deref(), payload.as_deref(), bound)
        }
        (Pattern::Enum(name), Value::Enum(case)) => name == case,
        (Pattern::None, Value::Option(inner)) => inner.is_none(),
        (Pattern::Some(pattern), Value::Option(Some(inner))) => fit(pattern, inner, bound),
        (Pattern::Ok(pattern), Value::Result(Ok(payload))) => fit_payload(pattern.as_deref(), payload.as_deref(), bound),
        (Pattern::Err(pattern), Value::Result(Err(payload))) => fit_payload(pattern.as_deref(), payload.as_deref(), bound),
        (Pattern::Tuple(patterns), Value::Tuple(items)) => {
            patterns.len() == items.len() && patterns.iter().zip(items.iter()).all(|(pattern, item)| fit(pattern, item, bound))
        }
        (Pattern::Record(fields), Value::Record(_)) => {
            fields.iter().all(|(name, pattern)| value.field(name).is_some_and(|value| fit(pattern, value, bound)))
        }
        _ => false,
    }
}

/// A case without a pattern takes whatever the case carries; a pattern for nothing sees unit.
fn fit_payload(pattern: Option<&Pattern>, payload: Option<&Value>, bound: &mut Vec<Value>) -> bool {
    pattern.is_none_or(|pattern| fit(pattern, payload.unwrap_or(&Value::Unit), bound))
}

/// The first arm that fits a value, as its index with what its pattern binds: the parameters of the arm's
/// region. Guards are evaluated over the frame, each with its pattern's bindings as locals.
///
/// # Errors
/// A guard failed; `internal` when no arm fits, which the checker excludes.
pub fn matches(arms: &[Arm], subject: &Value, frame: &[Option<Value>]) -> Result<(usize, Vec<Value>), EvalError> {
    let mut evaluator = Evaluator { frame, locals: Vec::new(), work: 0, depth: 0, budget: Budget::default() };
    for (index, arm) in arms.iter().enumerate() {
        if !bind(&arm.pattern, subject, &mut evaluator.locals) {
            continue;
        }
        if arm.guard.as_ref().map_or(Ok(true), |guard| evaluator.bool(guard))? {
            return Ok((index, evaluator.locals));
        }
        evaluator.locals.clear();
    }
    Err(EvalError::internal("no arm of a `match` fits"))
}
