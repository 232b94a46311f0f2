//! Statements.

use catalog::{Type, Value, failure_type};
use grammar::ast::{Expr, ExprKind, Statement, StatementKind, TypeExpr};
use grammar::{Ident, Span};

use super::flow::{FlowChecker, Origin, constant};
use super::why::{Want, Why};
use crate::diagnostics::{forms, names as say, trials, types};
use crate::ir;

impl FlowChecker<'_, '_> {
    /// The last expression of a block, with its type when it has a value.
    pub(super) fn value(&mut self, value: &Expr, want: Want<'_>) -> Option<(ir::Statement, Option<Type>)> {
        match want {
            Want::Discard => Some((self.discard(value)?, None)),
            Want::Type(ty, why) => {
                let checked = self.check(value, ty, why)?;
                self.division_in_comment(value, ty);
                Some(if *ty == Type::Unit {
                    (ir::Statement::Do(checked), None)
                } else {
                    (ir::Statement::Value(checked), Some(ty.clone()))
                })
            }
            Want::Any => {
                let checked = self.expr(value, Want::Any)?;
                let ty = checked.ty.clone();
                self.division_in_comment(value, &ty);
                Some(if ty == Type::Unit {
                    (ir::Statement::Do(checked), None)
                } else {
                    (ir::Statement::Value(checked), Some(ty))
                })
            }
        }
    }

    /// An expression whose value is not used.
    fn discard(&mut self, value: &Expr) -> Option<ir::Statement> {
        let before = (self.steps, self.g.errors);
        let checked = self.expr(value, Want::Discard)?;
        if (self.steps, self.g.errors) == before && is_plain(value) && checked.ty != Type::Unit {
            self.g.report(say::unused_value(value.span));
        }
        Some(ir::Statement::Do(checked))
    }

    pub(super) fn statement(&mut self, statement: &Statement) -> Option<ir::Statement> {
        if let Some(place) = self.place {
            let what = match &statement.kind {
                StatementKind::Let { .. } => "a `let`",
                StatementKind::Require { .. } => "a `require`",
                StatementKind::Return(_) => "a `return`",
                StatementKind::Mock(_) => "a `mock`",
                StatementKind::Assert { .. } => "an `assert`",
                StatementKind::Expr(_) => "more than one expression",
                StatementKind::Error { .. } => return None,
            };
            self.g.report(forms::let_here(what, place.what(), statement.span));
        }
        match &statement.kind {
            StatementKind::Let { name, ty, value } => self.let_statement(name, ty.as_ref(), value),
            StatementKind::Require { condition, message } => self.require(condition, message.as_ref(), statement.span),
            StatementKind::Return(value) => self.return_statement(value.as_ref(), statement.span),
            StatementKind::Expr(value) => self.discard(value),
            StatementKind::Mock(mock) => {
                self.mock(mock, statement.span);
                None
            }
            StatementKind::Assert { condition, message } => self.assert(condition, message.as_ref(), statement.span),
            StatementKind::Error { binds } => {
                // An assignment, which was reported, names what is bound already.
                if let Some(name) = binds.as_ref().filter(|name| self.find(&name.name).is_none()) {
                    self.bind(name, None, Origin::Other);
                }
                None
            }
        }
    }

    fn let_statement(&mut self, name: &Ident, ty: Option<&TypeExpr>, value: &Expr) -> Option<ir::Statement> {
        let before = self.steps;
        if matches!(value.kind, ExprKind::Postfix(..)) {
            self.named = Some(name.clone());
        }
        let (checked, known) = match ty {
            Some(written) => {
                let ty = self.g.ty(self.file, written);
                (self.check_default(value, ty.as_ref(), written.span), ty)
            }
            None => {
                let checked = self.expr(value, Want::Any);
                let ty = checked.as_ref().map(|checked| checked.ty.clone());
                (checked, ty)
            }
        };
        if let Some(ty) = &known {
            self.division_in_comment(value, ty);
        }
        let pure = self.steps == before && is_plain(value);
        let binding = self.bind(name, known.as_ref(), if pure { Origin::PureLet } else { Origin::Other });
        Some(ir::Statement::Let(binding, checked?))
    }

    fn require(&mut self, condition: &Expr, message: Option<&Expr>, span: Span) -> Option<ir::Statement> {
        let checked = self.check(condition, &Type::Bool, Why::Condition("require"));
        let message = match message {
            Some(message) => self.reason(message),
            None => {
                let text = format!("the condition `{}` does not hold", self.g.loaded.sources.text(condition.span));
                Some(constant(Value::string(text), Type::String, span))
            }
        };
        Some(ir::Statement::Require { condition: checked?, message: message?, assert: false, span })
    }

    /// What a `require` fails with: a message, or a failure that was caught.
    fn reason(&mut self, written: &Expr) -> Option<ir::Expr> {
        let checked = self.expr(written, Want::Any)?;
        if checked.ty == failure_type() {
            return Some(checked);
        }
        Some(self.coerce(checked, &Type::String, Why::Library("require condition else \"message\"")))
    }

    fn return_statement(&mut self, value: Option<&Expr>, span: Span) -> Option<ir::Statement> {
        if let Some(form) = self.repeated {
            self.g.report(forms::return_here(form, span));
        }
        let signature = self.signature.clone();
        let signature = signature.as_deref();
        let result = signature.and_then(|signature| signature.result.as_ref());
        let at = signature.map_or(span, |signature| signature.span);
        let value = match (value, result) {
            (None, Some(Type::Unit)) => constant(Value::Unit, Type::Unit, span),
            (None, Some(result)) => {
                self.g.report(types::empty_return(&result.to_string(), span, at));
                return None;
            }
            (None, None) => return None,
            (Some(value), Some(Type::Unit)) => {
                let checked = self.expr(value, Want::Any)?;
                if checked.ty != Type::Unit && self.mocks.is_some() {
                    self.g.report(trials::return_value(&checked.ty.to_string(), value.span));
                    return None;
                }
                if checked.ty != Type::Unit {
                    self.g.report(forms::return_value(&checked.ty.to_string(), value.span, at));
                    return None;
                }
                checked
            }
            (Some(value), Some(result)) => self.check(value, result, Why::Result(at))?,
            (Some(value), None) => {
                self.expr(value, Want::Any);
                return None;
            }
        };
        Some(ir::Statement::Return(value, span))
    }
}

/// Whether an expression is neither a step nor a form that can be there for its effects.
const fn is_plain(written: &Expr) -> bool {
    let kind = &written.kind;
    !matches!(kind, ExprKind::Error | ExprKind::Postfix(..)) && !kind.is_block() && !kind.is_keyword_step()
}
