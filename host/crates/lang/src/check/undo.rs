//! `step undo compensation`.

use catalog::Type;
use grammar::ast::{Expr, ExprKind, Postfix};
use grammar::{Ident, Span};

use super::expr::node;
use super::flow::{FlowChecker, Origin};
use super::why::Want;
use crate::diagnostics::arms as say;
use crate::ir;

/// An `undo` as written.
pub(super) struct Undo<'e> {
    pub(super) base: &'e Expr,
    pub(super) always: bool,
    pub(super) compensation: &'e Expr,
    /// The `let` that it stands in.
    pub(super) named: Option<Ident>,
}

impl FlowChecker<'_, '_> {
    pub(super) fn undo(&mut self, checked: Option<ir::Expr>, undo: Undo<'_>, span: Span) -> Option<ir::Expr> {
        if let Some(first) = earlier(undo.base) {
            self.g.report(say::undone_twice(undo.compensation.span, first));
        }
        // A name that is taken is reported where the `let` binds it.
        let named = undo.named.filter(|name| !self.is_taken(&name.name));
        let ty = checked.as_ref().map(|checked| checked.ty.clone());
        let outer = self.withheld.take();
        let (binding, compensation) = self.scoped(|flow| {
            let binding = match named {
                Some(name) if undo.always => {
                    flow.withheld = Some(name);
                    None
                }
                Some(name) => Some(flow.bind(&name, ty.as_ref(), Origin::Other)),
                None => None,
            };
            (binding, flow.compensation(undo.compensation))
        });
        self.withheld = outer;
        let (checked, compensation) = (checked?, compensation?);
        let ty = checked.ty.clone();
        let kind = ir::ExprKind::Undo { base: Box::new(checked), binding, always: undo.always, compensation };
        Some(node(kind, ty, span))
    }

    /// A step, a call of a flow or a form; its value is not used.
    fn compensation(&mut self, written: &Expr) -> Option<ir::Block> {
        let before = (self.steps, self.g.errors);
        let checked = self.repeated("undo", |flow| flow.expr(written, Want::Discard));
        if !self.attachable(written, self.steps > before.0) && self.g.errors == before.1 {
            self.g.report(say::undo_nothing(written.span));
        }
        let checked = checked?;
        let span = checked.span;
        Some(ir::Block { statements: vec![ir::Statement::Do(checked)], ty: Type::Unit, span })
    }
}

/// The compensation that is attached already.
fn earlier(base: &Expr) -> Option<Span> {
    match &base.kind {
        ExprKind::Postfix(_, Postfix::Undo { compensation, .. }) => Some(compensation.span),
        ExprKind::Postfix(inner, Postfix::With(_) | Postfix::After(_)) => earlier(inner),
        _ => None,
    }
}
