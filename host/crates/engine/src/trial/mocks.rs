//! Which mock answers an attempt, and what.

use std::collections::BTreeMap;

use catalog::{Digest, Type, Value};
use lang::eval;
use lang::plan::{Expr, FunctionId, MockAnswer, MockPlan, Plan};

use crate::core::StartAttempt;
use crate::event::Failure;
use crate::ports::Callee;

/// What tells functions apart: the component, the interface, the name.
type Exported = (Digest, Option<String>, String);

/// What a mock answered.
pub(super) struct Answer {
    /// Its index.
    pub(super) mock: usize,
    /// Nanoseconds.
    pub(super) takes: u64,
    pub(super) result: Result<Value, Failure>,
}

/// The mocks of a test with how often each has answered.
pub(super) struct Mocks {
    functions: BTreeMap<Exported, FunctionId>,
    used: Vec<u32>,
}

impl Mocks {
    pub(super) fn of(plan: &Plan) -> Self {
        let exported = plan.functions.iter().filter_map(|(id, function)| {
            let component = plan.components.get(function.component)?;
            Some(((component.digest, function.interface.clone(), function.wit_name.clone()), id))
        });
        Self { functions: exported.collect(), used: vec![0; plan.mocks.len()] }
    }

    /// The plan's id of what is called.
    pub(super) fn function(&self, callee: &Callee) -> Option<FunctionId> {
        self.functions.get(&(callee.component, callee.interface.clone(), callee.wit_name.clone())).copied()
    }

    /// The answer of the first mock that fits and has uses left; the error of one whose answer cannot be computed.
    pub(super) fn answer(
        &mut self,
        plan: &Plan,
        function: FunctionId,
        start: &StartAttempt,
    ) -> Option<Result<Answer, (usize, Failure)>> {
        let args: Vec<Value> =
            start.args.iter().zip(&start.function.params).map(|(value, (_, ty))| received(value, ty)).collect();
        for (index, (mock, used)) in plan.mocks.iter().zip(&mut self.used).enumerate() {
            if mock.function != function || mock.times.is_some_and(|times| *used >= times) {
                continue;
            }
            if let Some(locals) = bound(mock, &args) {
                *used = used.saturating_add(1);
                return Some(
                    evaluate(mock, &locals).map(|(takes, result)| Answer { mock: index, takes, result }).map_err(|e| (index, e)),
                );
            }
        }
        None
    }
}

/// What the patterns bind when all of them fit.
fn bound(mock: &MockPlan, args: &[Value]) -> Option<Vec<Value>> {
    let mut locals = Vec::new();
    let fits = mock.patterns.len() == args.len()
        && mock.patterns.iter().zip(args).all(|(pattern, arg)| eval::bind(pattern, arg, &mut locals));
    fits.then_some(locals)
}

fn evaluate(mock: &MockPlan, locals: &[Value]) -> Result<(u64, Result<Value, Failure>), Failure> {
    let value = |expr: &Expr| {
        eval::eval_with(expr, &[], locals.to_vec(), eval::Budget::default()).map_err(|error| Failure {
            kind: error.kind,
            message: error.message,
            details: None,
            retry_after: None,
        })
    };
    let takes = match mock.takes.as_ref().map(value).transpose()? {
        Some(Value::Duration(takes)) => takes,
        _ => 0,
    };
    let result = match &mock.answer {
        MockAnswer::Value(expr) => Ok(value(expr)?),
        MockAnswer::Fails(kind, message) => {
            let message = match value(message)? {
                Value::String(text) => text.to_string(),
                other => format!("{other:?}"),
            };
            Err(Failure { kind: *kind, message, details: None, retry_after: None })
        }
    };
    Ok((takes, result))
}

/// An argument as the component receives it, which knows neither folders nor documents nor durations.
fn received(value: &Value, ty: &Type) -> Value {
    match (value, ty) {
        (Value::Dir(path), Type::String) => Value::String(path.clone()),
        (Value::Json(document), Type::String) => Value::string(document.to_string()),
        (Value::Duration(nanoseconds), Type::U64) => Value::U64(*nanoseconds),
        _ => value.clone(),
    }
}
