//! Constant folding.

use catalog::Value;

use super::{Budget, eval_with};
use crate::plan::{Expr, Pattern};

/// Folded values are small, so that a plan does not grow, and quickly found, so that compiling stays linear.
pub(super) const FOLDING: Budget = Budget { value_size: 4 << 10, work: 10_000 };

/// Replaces each part that needs no slot and no outer local by its value, where it has one. A part that fails is
/// left as it is and fails when it is reached.
pub fn fold(expr: &mut Expr) {
    fold_at(expr, 0);
}

/// What an expression refers to.
#[derive(Clone, Copy)]
struct References {
    /// Some slot.
    slot: bool,
    /// The outermost local.
    local: Option<u32>,
}

impl References {
    const NONE: Self = Self { slot: false, local: None };

    fn and(self, other: Self) -> Self {
        let local = match (self.local, other.local) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { slot: self.slot || other.slot, local }
    }
}

/// Folds an expression that stands under `depth` locals.
fn fold_at(expr: &mut Expr, depth: u32) -> References {
    let references = fold_parts(expr, depth);
    let closed = !references.slot && references.local.is_none_or(|local| local >= depth);
    if closed && !matches!(expr, Expr::Const(_)) && worth_a_try(expr) {
        // The outer locals are not referred to, but they are counted.
        let outer = vec![Value::Unit; depth as usize];
        if let Ok(value) = eval_with(expr, &[], outer, FOLDING)
            && value.size() <= FOLDING.value_size
        {
            *expr = Expr::Const(value);
        }
    }
    references
}

/// Whether all parts that are always evaluated are constants: a part that was not folded would fail again.
fn worth_a_try(expr: &Expr) -> bool {
    let constant = |expr: &Expr| matches!(expr, Expr::Const(_));
    match expr {
        Expr::Const(_) | Expr::Slot(_) | Expr::Local(_) => false,
        Expr::Field(x, _) | Expr::TupleField(x, _) | Expr::Not(x) | Expr::Neg(x) | Expr::Some(x) | Expr::Convert(x, _) => {
            constant(x)
        }
        Expr::And(x, _) | Expr::Or(x, _) | Expr::Coalesce(x, _) | Expr::If(x, ..) | Expr::Match(x, _) => constant(x),
        Expr::Comprehension { list: x, .. } | Expr::SortBy(x, _) => constant(x),
        Expr::Index(a, b) | Expr::Binary(_, a, b) => constant(a) && constant(b),
        Expr::List(_, items) | Expr::Tuple(items) | Expr::Text(items) | Expr::Library(_, items) => items.iter().all(constant),
        Expr::Record(fields) => fields.iter().all(|(_, value)| constant(value)),
        Expr::Variant(_, payload) | Expr::Ok(payload) | Expr::Err(payload) => payload.as_deref().is_none_or(constant),
    }
}

fn fold_parts(expr: &mut Expr, depth: u32) -> References {
    match expr {
        Expr::Const(_) => References::NONE,
        Expr::Slot(_) => References { slot: true, local: None },
        Expr::Local(index) => References { slot: false, local: Some(*index) },
        Expr::Field(x, _) | Expr::TupleField(x, _) | Expr::Not(x) | Expr::Neg(x) | Expr::Some(x) | Expr::Convert(x, _) => {
            fold_at(x, depth)
        }
        Expr::Index(a, b) | Expr::Binary(_, a, b) | Expr::And(a, b) | Expr::Or(a, b) | Expr::Coalesce(a, b) => {
            fold_at(a, depth).and(fold_at(b, depth))
        }
        Expr::If(a, b, c) => fold_at(a, depth).and(fold_at(b, depth)).and(fold_at(c, depth)),
        Expr::Match(subject, arms) => fold_match(subject, arms, depth),
        Expr::List(_, items) | Expr::Tuple(items) | Expr::Text(items) | Expr::Library(_, items) => fold_all(items, depth),
        Expr::Record(fields) => fields.iter_mut().map(|(_, value)| fold_at(value, depth)).fold(References::NONE, References::and),
        Expr::Variant(_, payload) | Expr::Ok(payload) | Expr::Err(payload) => {
            payload.as_deref_mut().map_or(References::NONE, |x| fold_at(x, depth))
        }
        Expr::Comprehension { list, condition, element, .. } => {
            let inner = depth + 1;
            let condition = condition.as_deref_mut().map_or(References::NONE, |x| fold_at(x, inner));
            fold_at(list, depth).and(condition).and(fold_at(element, inner))
        }
        Expr::SortBy(list, key) => fold_at(list, depth).and(fold_at(key, depth + 1)),
    }
}

fn fold_all(items: &mut [Expr], depth: u32) -> References {
    items.iter_mut().map(|item| fold_at(item, depth)).fold(References::NONE, References::and)
}

fn fold_match(subject: &mut Expr, arms: &mut [(Pattern, Option<Expr>, Expr)], depth: u32) -> References {
    let mut references = fold_at(subject, depth);
    for (pattern, guard, value) in arms {
        let inner = depth + bindings(pattern);
        if let Some(guard) = guard {
            references = references.and(fold_at(guard, inner));
        }
        references = references.and(fold_at(value, inner));
    }
    references
}

/// How many locals a pattern binds.
fn bindings(pattern: &Pattern) -> u32 {
    match pattern {
        Pattern::Bind => 1,
        Pattern::Any | Pattern::Literal(_) | Pattern::Enum(_) | Pattern::None => 0,
        Pattern::Some(inner) => bindings(inner),
        Pattern::Variant(_, inner) | Pattern::Ok(inner) | Pattern::Err(inner) => inner.as_deref().map_or(0, bindings),
        Pattern::Tuple(patterns) => patterns.iter().map(bindings).sum(),
        Pattern::Record(fields) => fields.iter().map(|(_, pattern)| bindings(pattern)).sum(),
    }
}
