//! Steps whose result is not used.

use std::collections::BTreeSet;

use grammar::Span;

use crate::ir::{BindingId, Block, Expr, ExprKind, Flow, Policy, Statement};
use crate::lower::facts::{Part, parts};

/// The calls of a flow whose results nothing uses, by their place.
pub(crate) fn idle_calls(flow: &Flow) -> BTreeSet<Span> {
    let mut uses = Uses::default();
    uses.policy(&flow.policy);
    uses.block(&flow.body);
    let bound = uses.bound.into_iter().filter(|(id, _)| !uses.used.contains(id));
    let named = |id: BindingId| flow.bindings.get(id).is_some_and(|binding| !binding.name.starts_with('_'));
    let unused = bound.filter(|(id, _)| named(*id)).map(|(_, at)| at);
    // What is not written in a source has no place.
    unused.chain(uses.dropped).filter(|at| !at.range().is_empty()).collect()
}

#[derive(Default)]
struct Uses {
    used: BTreeSet<BindingId>,
    /// Names that are bound to the result of a call.
    bound: Vec<(BindingId, Span)>,
    /// Calls that are statements.
    dropped: Vec<Span>,
}

impl Uses {
    fn block(&mut self, block: &Block) {
        for statement in &block.statements {
            match statement {
                Statement::Let(id, value) => {
                    self.bound.extend(call_at(value).map(|at| (*id, at)));
                    self.expr(value);
                }
                Statement::Do(value) => {
                    self.dropped.extend(call_at(value));
                    self.expr(value);
                }
                Statement::Value(value) | Statement::Return(value, _) => self.expr(value),
                Statement::Require { condition, message, .. } => {
                    self.expr(condition);
                    self.expr(message);
                }
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Binding(id) => {
                self.used.insert(*id);
            }
            ExprKind::After(_, names) => self.used.extend(names.iter().copied()),
            ExprKind::With(_, policy) => self.policy(policy),
            _ => {}
        }
        // Going through all parts never breaks off.
        let _all = parts(expr, &mut |part| {
            match part {
                Part::Expr(part) => self.expr(part),
                Part::Block(block) => self.block(block),
            }
            std::ops::ControlFlow::Continue(())
        });
    }

    fn policy(&mut self, policy: &Policy) {
        let settings = [&policy.retry, &policy.timeout, &policy.deadline, &policy.parallel, &policy.memory, &policy.fuel];
        for setting in settings.into_iter().flatten() {
            self.expr(setting);
        }
    }
}

/// Where the call stands that an expression is, with what is attached to it. One with a fallback is there to be tried.
fn call_at(expr: &Expr) -> Option<Span> {
    match &expr.kind {
        ExprKind::Call { .. } | ExprKind::Ask { .. } => Some(expr.span),
        ExprKind::With(inner, _) | ExprKind::After(inner, _) => call_at(inner),
        _ => None,
    }
}
