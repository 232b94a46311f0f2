//! Evaluates the pure expressions of a plan.
//!
//! Evaluation ends, gives the same value on every machine, and never panics: arithmetic is checked, and
//! both the work of an expression and the logical size of what it builds have caps, checked before
//! anything is built. What a value shares counts as often as it occurs, so a text that doubles in a loop
//! soon fails with kind `resource`.
//!
//! A value that is held elsewhere ([`Value::Held`]) is opened where it is looked into, and only handed on elsewhere: work
//! and sizes are those of the value that it stands for.
//!
//! One operation of work is one node of the expression, one item that is gone through, or 64 bytes that
//! are copied or compared.

mod arithmetic;
mod convert;
mod fold;
mod library;
mod list;
mod order;
mod pattern;
mod text;

use std::fmt;

use catalog::{FailureKind, Name, Type, Value};

use crate::plan::{Expr, Operator, Pattern, Slot};

pub use fold::fold;
pub use library::of_nothing;
pub use pattern::{bind, matches};

use list::ListBuilder;

/// The greatest logical size of a value that an expression builds, in bytes: 16 MiB.
pub const MAX_VALUE_SIZE: u64 = 16 << 20;

/// The most operations that one evaluation of an expression makes.
pub const MAX_WORK: u64 = 10_000_000;

/// How deep an expression may be nested.
pub const MAX_DEPTH: u32 = 512;

/// Bytes that count for one operation when they are copied or compared.
const BYTES_PER_OPERATION: u64 = 64;

/// Caps on one evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Greatest logical size of a value that is built, in bytes.
    pub value_size: u64,
    /// Most operations.
    pub work: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { value_size: MAX_VALUE_SIZE, work: MAX_WORK }
    }
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EvalError {
    /// `calculation`, `resource`, `invalid_input` (JSON of another type), or `internal` for a plan that is wrong.
    pub kind: FailureKind,
    /// For people; lower case, no full stop.
    pub message: String,
}

impl EvalError {
    fn calculation(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Calculation, message: message.into() }
    }

    fn resource(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::Resource, message: message.into() }
    }

    fn input(message: impl Into<String>) -> Self {
        Self { kind: FailureKind::InvalidInput, message: message.into() }
    }

    fn internal(message: impl fmt::Display) -> Self {
        Self { kind: FailureKind::Internal, message: format!("the plan is damaged: {message}") }
    }
}

/// The value of an expression over a frame, with the default [`Budget`].
///
/// # Errors
/// A `calculation`, `resource` or `invalid_input` failure of the expression; `internal` when the plan or the
/// frame is not what the checker made, such as a slot without a value.
pub fn eval(expr: &Expr, frame: &[Option<Value>]) -> Result<Value, EvalError> {
    eval_with(expr, frame, Vec::new(), Budget::default())
}

/// Like [`eval`], with local bindings that are already there and with other caps.
///
/// # Errors
/// As [`eval`].
pub fn eval_with(expr: &Expr, frame: &[Option<Value>], locals: Vec<Value>, budget: Budget) -> Result<Value, EvalError> {
    Evaluator { frame, locals, work: 0, depth: 0, budget }.eval(expr)
}

/// One evaluation.
struct Evaluator<'a> {
    frame: &'a [Option<Value>],
    locals: Vec<Value>,
    work: u64,
    depth: u32,
    budget: Budget,
}

impl Evaluator<'_> {
    /// Counts operations.
    fn spend(&mut self, operations: u64) -> Result<(), EvalError> {
        self.work = self.work.saturating_add(operations);
        if self.work <= self.budget.work {
            return Ok(());
        }
        Err(EvalError::resource(format!("the expression needs more than {} operations", self.budget.work)))
    }

    /// Counts the copying or comparing of bytes.
    fn spend_bytes(&mut self, bytes: u64) -> Result<(), EvalError> {
        self.spend(bytes / BYTES_PER_OPERATION)
    }

    /// Fails when a value of this size may not be built.
    fn allow_size(&self, size: u64) -> Result<(), EvalError> {
        if size <= self.budget.value_size {
            return Ok(());
        }
        let most = self.budget.value_size;
        Err(EvalError::resource(format!("the value would be larger than the {most} bytes that an expression may build")))
    }

    /// A built value, if its size is allowed. Only for values whose parts exist already.
    fn built(&self, value: Value) -> Result<Value, EvalError> {
        self.allow_size(value.size())?;
        Ok(value)
    }

    fn eval(&mut self, expr: &Expr) -> Result<Value, EvalError> {
        self.spend(1)?;
        match expr {
            Expr::Const(value) => Ok(value.clone()),
            Expr::Slot(slot) => self.slot(*slot),
            Expr::Local(index) => self.local(*index),
            _ => {
                if self.depth == MAX_DEPTH {
                    return Err(EvalError::resource(format!("the expression is nested more than {MAX_DEPTH} deep")));
                }
                self.depth += 1;
                let value = self.nested(expr);
                self.depth -= 1;
                value
            }
        }
    }

    /// The value of an expression that is looked into; its parts may still be held elsewhere.
    fn opened(&mut self, expr: &Expr) -> Result<Value, EvalError> {
        self.eval(expr).map(Value::opened)
    }

    fn slot(&self, slot: Slot) -> Result<Value, EvalError> {
        let value = usize::try_from(slot.0).ok().and_then(|index| self.frame.get(index));
        value.cloned().flatten().ok_or_else(|| EvalError::internal(format_args!("slot {} has no value", slot.0)))
    }

    fn local(&self, index: u32) -> Result<Value, EvalError> {
        let value = usize::try_from(index).ok().and_then(|index| self.locals.get(index));
        value.cloned().ok_or_else(|| EvalError::internal(format_args!("local {index} is not bound")))
    }

    /// Each form with parts. Every arm only calls: the frame of this function is on the stack once for each level.
    fn nested(&mut self, expr: &Expr) -> Result<Value, EvalError> {
        match expr {
            Expr::Const(_) | Expr::Slot(_) | Expr::Local(_) => self.eval(expr),
            Expr::Field(base, name) => self.field(base, name),
            Expr::TupleField(base, index) => self.tuple_field(base, *index),
            Expr::Index(list, index) => self.index(list, index),
            Expr::Not(x) => self.bool(x).map(|x| Value::Bool(!x)),
            Expr::Neg(x) => self.neg(x),
            Expr::Binary(operator, left, right) => self.binary(*operator, left, right),
            Expr::And(left, right) => self.and(left, right),
            Expr::Or(left, right) => self.or(left, right),
            Expr::Coalesce(left, right) => self.coalesce(left, right),
            Expr::If(condition, then, otherwise) => self.choose(condition, then, otherwise),
            Expr::Match(subject, arms) => self.match_arms(subject, arms),
            Expr::List(ty, items) => self.list(ty, items),
            Expr::Tuple(items) => self.tuple(items),
            Expr::Record(fields) => self.record(fields),
            Expr::Variant(name, payload) => self.variant(name, payload.as_deref()),
            Expr::Some(x) => self.some(x),
            Expr::Ok(payload) => self.result(payload.as_deref(), true),
            Expr::Err(payload) => self.result(payload.as_deref(), false),
            Expr::Text(parts) => self.text(parts),
            Expr::Convert(x, ty) => self.convert_expr(x, ty),
            Expr::Comprehension { list, condition, element, ty } => self.comprehension(list, condition.as_deref(), element, ty),
            Expr::SortBy(list, key) => self.sort_by(list, key),
            Expr::Library(function, args) => self.library(*function, args),
        }
    }

    fn bool(&mut self, expr: &Expr) -> Result<bool, EvalError> {
        match self.opened(expr)? {
            Value::Bool(x) => Ok(x),
            _ => Err(EvalError::internal("a condition is not a `bool`")),
        }
    }

    fn field(&mut self, base: &Expr, name: &Name) -> Result<Value, EvalError> {
        let base = self.opened(base)?;
        base.field(name).cloned().ok_or_else(|| EvalError::internal(format_args!("there is no field `{name}`")))
    }

    fn tuple_field(&mut self, base: &Expr, index: u32) -> Result<Value, EvalError> {
        let base = self.opened(base)?;
        let member = match (&base, usize::try_from(index)) {
            (Value::Tuple(items), Ok(index)) => items.get(index).cloned(),
            _ => None,
        };
        member.ok_or_else(|| EvalError::internal(format_args!("there is no tuple member {index}")))
    }

    fn index(&mut self, list: &Expr, index: &Expr) -> Result<Value, EvalError> {
        let (list, index) = (self.opened(list)?, self.opened(index)?);
        let items = list::view(&list)?;
        let (position, _) = index.as_integer().ok_or_else(|| EvalError::internal("an index is not an integer"))?;
        let item = usize::try_from(position).ok().and_then(|position| items.get(position));
        item.ok_or_else(|| {
            let items = match items.len() {
                0 => "an empty list".to_owned(),
                1 => "a list of 1 item (its index is 0)".to_owned(),
                count => format!("a list of {count} items (0 to {})", count - 1),
            };
            EvalError::calculation(format!("the index {position} is out of range for {items}"))
        })
    }

    fn neg(&mut self, x: &Expr) -> Result<Value, EvalError> {
        arithmetic::negate(&self.opened(x)?)
    }

    fn binary(&mut self, operator: Operator, left: &Expr, right: &Expr) -> Result<Value, EvalError> {
        let (left, right) = (self.opened(left)?, self.opened(right)?);
        match operator {
            Operator::Eq => self.equal(&left, &right).map(Value::Bool),
            Operator::Ne => self.equal(&left, &right).map(|equal| Value::Bool(!equal)),
            Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge => self.compare(operator, &left, &right),
            Operator::Add => self.add(&left, &right),
            Operator::Sub | Operator::Mul | Operator::Div | Operator::Rem => arithmetic::apply(operator, &left, &right),
        }
    }

    fn and(&mut self, left: &Expr, right: &Expr) -> Result<Value, EvalError> {
        let holds = self.bool(left)? && self.bool(right)?;
        Ok(Value::Bool(holds))
    }

    fn or(&mut self, left: &Expr, right: &Expr) -> Result<Value, EvalError> {
        let holds = self.bool(left)? || self.bool(right)?;
        Ok(Value::Bool(holds))
    }

    fn coalesce(&mut self, left: &Expr, right: &Expr) -> Result<Value, EvalError> {
        match self.opened(left)? {
            Value::Option(Some(x)) => Ok(Value::clone(&x)),
            Value::Option(None) => self.eval(right),
            _ => Err(EvalError::internal("the left side of `??` is not an option")),
        }
    }

    fn choose(&mut self, condition: &Expr, then: &Expr, otherwise: &Expr) -> Result<Value, EvalError> {
        if self.bool(condition)? { self.eval(then) } else { self.eval(otherwise) }
    }

    fn match_arms(&mut self, subject: &Expr, arms: &[(Pattern, Option<Expr>, Expr)]) -> Result<Value, EvalError> {
        let subject = self.opened(subject)?;
        let outer = self.locals.len();
        for (pattern, guard, value) in arms {
            self.spend(1)?;
            if !bind(pattern, &subject, &mut self.locals) {
                continue;
            }
            let fits = guard.as_ref().map_or(Ok(true), |guard| self.bool(guard))?;
            let value = if fits { Some(self.eval(value)?) } else { None };
            self.locals.truncate(outer);
            if let Some(value) = value {
                return Ok(value);
            }
        }
        Err(EvalError::internal("no arm of a `match` fits"))
    }

    fn list(&mut self, ty: &Type, items: &[Expr]) -> Result<Value, EvalError> {
        let mut list = ListBuilder::of(ty);
        for item in items {
            let item = self.eval(item)?;
            list.push(item, self)?;
        }
        Ok(list.finish())
    }

    fn tuple(&mut self, items: &[Expr]) -> Result<Value, EvalError> {
        let items = items.iter().map(|item| self.eval(item)).collect::<Result<Vec<_>, _>>()?;
        self.built(Value::tuple(items))
    }

    fn record(&mut self, fields: &[(Name, Expr)]) -> Result<Value, EvalError> {
        let fields = fields.iter().map(|(name, value)| Ok((name.clone(), self.eval(value)?)));
        let fields = fields.collect::<Result<Vec<_>, EvalError>>()?;
        self.built(Value::Record(fields.into_iter().collect()))
    }

    fn payload(&mut self, payload: Option<&Expr>) -> Result<Option<std::sync::Arc<Value>>, EvalError> {
        payload.map(|payload| self.eval(payload).map(std::sync::Arc::new)).transpose()
    }

    fn variant(&mut self, name: &Name, payload: Option<&Expr>) -> Result<Value, EvalError> {
        let payload = self.payload(payload)?;
        self.built(Value::Variant(name.clone(), payload))
    }

    fn some(&mut self, x: &Expr) -> Result<Value, EvalError> {
        let x = self.eval(x)?;
        self.built(Value::some(x))
    }

    fn result(&mut self, payload: Option<&Expr>, ok: bool) -> Result<Value, EvalError> {
        let payload = self.payload(payload)?;
        self.built(Value::Result(if ok { Ok(payload) } else { Err(payload) }))
    }

    fn comprehension(&mut self, list: &Expr, condition: Option<&Expr>, element: &Expr, ty: &Type) -> Result<Value, EvalError> {
        let list = self.opened(list)?;
        let mut out = ListBuilder::of(ty);
        for item in list::view(&list)?.iter() {
            self.spend(1)?;
            self.locals.push(item);
            if condition.map_or(Ok(true), |condition| self.bool(condition))? {
                let value = self.eval(element)?;
                out.push(value, self)?;
            }
            self.locals.pop();
        }
        Ok(out.finish())
    }

    fn sort_by(&mut self, list: &Expr, key: &Expr) -> Result<Value, EvalError> {
        let list = self.opened(list)?;
        let items = list::view(&list)?;
        let mut keyed = Vec::new();
        let mut key_size: u64 = 0;
        for item in items.iter() {
            self.locals.push(item.clone());
            let key = self.eval(key)?;
            self.locals.pop();
            key_size = key_size.saturating_add(key.size());
            keyed.push((key, item));
        }
        let levels = u64::from(keyed.len().max(1).ilog2()) + 1;
        self.spend(levels.saturating_mul(keyed.len() as u64))?;
        self.spend_bytes(levels.saturating_mul(key_size))?;
        order::sort(&mut keyed)?;
        Ok(items.rebuild(keyed.into_iter().map(|(_, item)| item)))
    }

    fn library(&mut self, function: crate::plan::LibraryFunction, args: &[Expr]) -> Result<Value, EvalError> {
        let args = args.iter().map(|arg| self.opened(arg)).collect::<Result<Vec<_>, _>>()?;
        self.call(function, &args)
    }
}

#[cfg(test)]
mod tests;
