//! Which mock answers an attempt, and what.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{Digest, Name, Type, Value};
use lang::eval;
use lang::plan::{Expr, MockAnswer, MockPlan, MockTarget, Plan, Target};

use crate::core::Awaited;
use crate::event::Failure;
use crate::ports::{Callable, Mail, Message, Signal};

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
    functions: BTreeMap<Exported, Target>,
    roles: BTreeMap<Name, Target>,
    used: Vec<u32>,
    /// Whether some mock stands for a sender.
    pub(super) have_senders: bool,
}

impl Mocks {
    pub(super) fn of(plan: &Plan) -> Self {
        let exported = plan.functions.iter().filter_map(|(id, function)| {
            let component = plan.components.get(function.component)?;
            Some(((component.digest, function.interface.clone(), function.wit_name.clone()), Target::Function(id)))
        });
        let roles = plan.roles.iter().map(|(id, role)| (Arc::clone(&role.name), Target::Role(id)));
        let is_sender = |mock: &MockPlan| matches!(mock.target, MockTarget::Signal(_) | MockTarget::Message(_));
        let have_senders = plan.mocks.iter().any(is_sender);
        Self { functions: exported.collect(), roles: roles.collect(), used: vec![0; plan.mocks.len()], have_senders }
    }

    /// The plan's id of what is called.
    pub(super) fn target(&self, called: &Callable) -> Option<Target> {
        match called {
            Callable::Function(callee) => {
                self.functions.get(&(callee.component, callee.interface.clone(), callee.wit_name.clone())).copied()
            }
            Callable::Role(role) => self.roles.get(&role.name).copied(),
            Callable::Plan(_) => None,
        }
    }

    /// The answer of the first mock that fits and has uses left; the error of one whose answer cannot be computed.
    pub(super) fn answer(
        &mut self,
        plan: &Plan,
        target: &MockTarget,
        args: &[Value],
    ) -> Option<Result<Answer, (usize, Failure)>> {
        for (index, (mock, used)) in plan.mocks.iter().zip(&mut self.used).enumerate() {
            if mock.target != *target || mock.times.is_some_and(|times| *used >= times) {
                continue;
            }
            if let Some(locals) = bound(mock, args) {
                *used = used.saturating_add(1);
                return Some(
                    evaluate(mock, &locals).map(|(takes, result)| Answer { mock: index, takes, result }).map_err(|e| (index, e)),
                );
            }
        }
        None
    }
}

impl Mocks {
    /// What is sent when this is waited for, and in how many nanoseconds.
    pub(super) fn sent(&mut self, plan: &Plan, awaited: &Awaited) -> Option<Result<(u64, Mail), (usize, Failure)>> {
        let (index, mock) = plan.mocks.iter().enumerate().find(|(index, mock)| {
            let fits = match (&mock.target, awaited) {
                (MockTarget::Signal(name), Awaited::Signal { name: awaited, .. }) => name == awaited,
                (MockTarget::Message(topic), Awaited::Message { topic: awaited, .. }) => topic == awaited,
                _ => false,
            };
            fits && mock.times.is_none_or(|times| self.used.get(*index).is_some_and(|used| *used < times))
        })?;
        if let Some(used) = self.used.get_mut(index) {
            *used = used.saturating_add(1);
        }
        Some(match evaluate(mock, &[]) {
            Ok((takes, Ok(value))) => {
                let mut payload = String::new();
                catalog::json::write_json(&value, &mut payload);
                Ok((takes, mail(awaited, payload.into())))
            }
            Ok((_, Err(failure))) | Err(failure) => Err((index, failure)),
        })
    }
}

/// Mail that comes once only.
fn mail(awaited: &Awaited, payload: Arc<str>) -> Mail {
    let id = Arc::from("");
    match awaited {
        Awaited::Message { topic, .. } => Mail::Message(Message { topic: Arc::clone(topic), id, payload, trace: None }),
        Awaited::Signal { name, .. } => Mail::Signal(Signal { name: Arc::clone(name), id, payload }),
        // Nothing is sent to it.
        Awaited::Time | Awaited::Run { .. } => Mail::Signal(Signal { name: Arc::from(""), id, payload }),
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

/// Arguments as the component receives them.
pub(super) fn received(plan: &Plan, target: Target, args: &[Value]) -> Vec<Value> {
    let params = plan.params_of(target);
    args.iter().zip(params).map(|(value, (_, ty))| received_as(value, ty)).collect()
}

/// An argument as the component receives it, which knows neither folders nor documents nor durations.
fn received_as(value: &Value, ty: &Type) -> Value {
    match (value, ty) {
        (Value::Dir(path), Type::String) => Value::String(path.clone()),
        (Value::Json(document), Type::String) => Value::string(document.to_string()),
        (Value::Duration(nanoseconds), Type::U64) => Value::U64(*nanoseconds),
        _ => value.clone(),
    }
}
