//! Folds the flat row of operands and operators by precedence.

use super::{Build, Pair};
use crate::ast::{BinaryOp, Expr, ExprKind};
use crate::diagnostics;
use crate::span::Span;

/// An operator as written.
struct Sign {
    op: BinaryOp,
    span: Span,
}

/// Operators that wait for their right side.
type Waiting = Vec<(Expr, Sign)>;

impl Build<'_> {
    pub(super) fn expr(&mut self, pair: Pair<'_>) -> Expr {
        let (expr, assigned) = self.expr_or_assignment(pair);
        if let Some((at, _)) = assigned {
            self.report(diagnostics::assign_in_condition(at));
        }
        expr
    }

    /// An expression; when it is `name = value`, read as a comparison, also the place of the sign.
    pub(super) fn expr_or_assignment<'i>(&mut self, pair: Pair<'i>) -> (Expr, Option<(Span, &'i str)>) {
        let mut inner = pair.into_inner();
        let mut waiting = Waiting::new();
        let mut assigned = None;
        let (mut right, mut next) = self.operand(&mut inner);
        while let Some(pair) = next {
            let span = self.span(&pair);
            let text = pair.as_str();
            if matches!(text, "=" | ":=") {
                if waiting.is_empty() && matches!(right.kind, ExprKind::Name(_)) {
                    assigned = Some((span, text));
                } else if let ExprKind::Record { ty, .. } = &right.kind
                    && matches!(&ty.kind, ExprKind::Name(name) if matches!(&*name.name, "const" | "var"))
                {
                    let brace = ty.span.end + 1;
                    self.report(diagnostics::taken_apart(Span::new(self.file, brace, brace + 1)));
                } else {
                    self.report(diagnostics::assign_in_condition(span));
                }
            }
            let op = self.operator(text, span);
            right = self.reduce(&mut waiting, right, Some((op, span)));
            waiting.push((right, Sign { op, span }));
            (right, next) = self.operand(&mut inner);
        }
        (self.reduce(&mut waiting, right, None), assigned)
    }

    /// Joins what binds at least as strongly as the operator that comes next.
    fn reduce(&mut self, waiting: &mut Waiting, mut right: Expr, next: Option<(BinaryOp, Span)>) -> Expr {
        while let Some((left, sign)) = waiting.pop() {
            let joins = next.is_none_or(|(op, _)| {
                strength(sign.op) > strength(op) || (strength(sign.op) == strength(op) && op != BinaryOp::Coalesce)
            });
            if !joins {
                waiting.push((left, sign));
                break;
            }
            if let Some((op, at)) = next
                && strength(op) == COMPARISON
                && strength(sign.op) == COMPARISON
            {
                self.report(diagnostics::comparison_chain(sign.span, at));
                // What the row would mean is not known, so nothing more is said about it.
                right = Expr { kind: ExprKind::Error, span: left.span.to(right.span) };
                continue;
            }
            let span = left.span.to(right.span);
            right = Expr { kind: ExprKind::Binary(sign.op, sign.span, Box::new(left), Box::new(right)), span };
        }
        right
    }

    fn operator(&mut self, text: &str, span: Span) -> BinaryOp {
        match text {
            "??" => BinaryOp::Coalesce,
            "or" => BinaryOp::Or,
            "and" => BinaryOp::And,
            "==" | "=" | ":=" => BinaryOp::Eq,
            "!=" => BinaryOp::Ne,
            "<" => BinaryOp::Lt,
            "<=" => BinaryOp::Le,
            ">" => BinaryOp::Gt,
            ">=" => BinaryOp::Ge,
            "+" => BinaryOp::Add,
            "-" => BinaryOp::Sub,
            "*" => BinaryOp::Mul,
            "/" => BinaryOp::Div,
            "%" => BinaryOp::Rem,
            "&&" => {
                self.report(diagnostics::foreign(span, text, "write `and`"));
                BinaryOp::And
            }
            "||" => {
                self.report(diagnostics::foreign(span, text, "write `or`"));
                BinaryOp::Or
            }
            _ => {
                self.report(diagnostics::internal(span));
                BinaryOp::Eq
            }
        }
    }
}

const COMPARISON: u8 = 3;

/// How strongly an operator binds.
const fn strength(op: BinaryOp) -> u8 {
    match op {
        BinaryOp::Coalesce => 0,
        BinaryOp::Or => 1,
        BinaryOp::And => 2,
        BinaryOp::Eq | BinaryOp::Ne | BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => COMPARISON,
        BinaryOp::Add | BinaryOp::Sub => 4,
        BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem => 5,
    }
}
