//! `race` and `any`: arms that run at once.

use catalog::{Type, Value};
use grammar::Span;
use grammar::ast::{Block, Expr, Statement, StatementKind};

use super::expr::node;
use super::flow::FlowChecker;
use super::forms::transposed;
use super::why::{Want, Why, broken};
use crate::diagnostics::arms as say;
use crate::ir;

impl FlowChecker<'_, '_> {
    /// A `race`, or with a count an `any`.
    pub(super) fn race_form(&mut self, arms: &[Block], count: Option<&Expr>, span: Span, want: Want<'_>) -> Option<ir::Expr> {
        let word = if count.is_some() { "any" } else { "race" };
        if arms.len() < 2 && !arms.iter().any(is_broken) {
            self.g.report(say::few_arms(word, arms.len(), Span { end: span.start + word.len() as u32, ..span }));
        }
        let wanted = count.map(|count| self.check(count, &Type::U32, Why::Library("any 2 of { … }")));
        if let (Some(Some(wanted)), true) = (&wanted, arms.len() >= 2) {
            self.within_arms(wanted, arms.len());
        }
        let inner = match want {
            Want::Type(..) if count.is_some() => want.part(|ty| if let Type::List(item) = ty { Some(&**item) } else { None }),
            other => other,
        };
        let valued = matches!(want, Want::Any) || want.hint().is_some_and(|ty| *ty != Type::Unit);
        if let Some(bound) = arms.iter().find_map(lone_let).filter(|_| valued) {
            self.g.report(say::arm_binds(word, bound));
            return None;
        }
        let bodies: Vec<(&Block, Vec<&str>)> = arms.iter().map(|arm| (arm, Vec::new())).collect();
        let (checked, ty) = self.arms(&bodies, inner, |flow, index, want| {
            let arm = arms.get(index)?;
            flow.repeated(word, |flow| flow.block(arm, want))
        });
        let ty = ty.map(|ty| if count.is_some() { Type::list(ty) } else { ty })?;
        let checked: Option<Vec<ir::Block>> = checked.into_iter().collect();
        let (Some(arms), Some(wanted)) = (checked, transposed(wanted)) else { return Some(broken(ty, span)) };
        Some(node(ir::ExprKind::Race { arms, wanted: wanted.map(Box::new) }, ty, span))
    }

    /// Reports a literal count that no number of successes can reach, or that needs none.
    fn within_arms(&mut self, wanted: &ir::Expr, arms: usize) {
        if let ir::ExprKind::Const(Value::U32(count)) = wanted.kind
            && (count == 0 || count as usize > arms)
        {
            self.g.report(say::count(count, arms, wanted.span));
        }
    }
}

/// Whether the arm was reported already, with those behind it.
fn is_broken(arm: &Block) -> bool {
    arm.statements.iter().any(|statement| matches!(statement.kind, StatementKind::Error { .. }))
}

/// The arm that is nothing but a `let`, as the lines of one arm without braces are.
fn lone_let(arm: &Block) -> Option<Span> {
    match arm.statements.as_slice() {
        [Statement { kind: StatementKind::Let { .. }, span }] => Some(*span),
        _ => None,
    }
}
