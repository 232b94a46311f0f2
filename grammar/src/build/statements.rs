//! Blocks and statements.

use super::{Build, Pair, Pairs, Parts};
use crate::ast::{Block, Expr, ExprKind, Statement, StatementKind};
use crate::diagnostics;
use crate::rules::Rule;
use crate::scan::offset;

impl Build<'_> {
    /// The statement of a piece that is one.
    pub(crate) fn lone_statement(&mut self, mut pairs: Pairs<'_>) -> Option<Statement> {
        pairs.find(|pair| pair.as_rule() != Rule::nl).map(|pair| self.statement(pair))
    }

    pub(super) fn block(&mut self, pair: Pair<'_>) -> Block {
        let span = self.span(&pair);
        let parts = self.parts(pair);
        Block { statements: parts.map(|part| self.statement(part)).collect(), span }
    }

    pub(super) fn next_block(&mut self, parts: &mut Parts<'_>) -> Block {
        match parts.next() {
            Some(pair) if pair.as_rule() == Rule::block => self.block(pair),
            _ => Block { statements: Vec::new(), span: self.internal(parts.span).span },
        }
    }

    pub(super) fn statement(&mut self, pair: Pair<'_>) -> Statement {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        if rule == Rule::hole {
            let hole = self.piece.hole(self.base + offset(pair.as_span().start()));
            // A hole in an unclosed block reaches the braces that `scan` added behind the text.
            let (span, binds) = hole.map_or((span, None), |(cut, binds)| (self.within_text(cut), binds));
            return Statement { kind: StatementKind::Error { binds }, span };
        }
        let mut parts = self.parts(pair);
        let kind = match rule {
            Rule::let_stmt => self.let_statement(parts),
            Rule::expr_stmt => self.expr_statement(parts),
            Rule::require_stmt => {
                let (condition, message) = self.condition(parts);
                StatementKind::Require { condition, message }
            }
            Rule::assert_stmt => {
                let (condition, message) = self.condition(parts);
                StatementKind::Assert { condition, message }
            }
            Rule::mock_stmt => self.mock(parts),
            Rule::return_stmt => StatementKind::Return(parts.next().map(|part| self.expr(part))),
            _ => StatementKind::Expr(self.internal(span)),
        };
        Statement { kind, span }
    }

    /// A condition with the message for when it does not hold.
    fn condition(&mut self, mut parts: Parts<'_>) -> (Expr, Option<Expr>) {
        let condition = self.next_expr(&mut parts);
        (condition, parts.find(|part| part.as_rule() == Rule::expr).map(|part| self.expr(part)))
    }

    fn let_statement(&mut self, mut parts: Parts<'_>) -> StatementKind {
        if let Some(word) = parts.next().filter(|word| word.as_str() != "let") {
            let at = self.span(&word);
            self.report(diagnostics::foreign_let(at, word.as_str()));
        }
        let name = self.next_ident(&mut parts);
        let mut ty = None;
        for part in parts.by_ref() {
            match part.as_rule() {
                Rule::type_expr => ty = Some(self.type_expr(part)),
                Rule::assign => {
                    if part.as_str() == ":=" {
                        let at = self.span(&part);
                        self.report(diagnostics::foreign(at, ":=", "write `let name = …`"));
                    }
                }
                _ => return StatementKind::Let { name, ty, value: self.expr(part) },
            }
        }
        let value = self.internal(parts.span);
        StatementKind::Let { name, ty, value }
    }

    fn expr_statement(&mut self, mut parts: Parts<'_>) -> StatementKind {
        let Some(pair) = parts.next() else { return StatementKind::Expr(self.internal(parts.span)) };
        let (expr, assigned) = self.expr_or_assignment(pair);
        let name = match &expr.kind {
            ExprKind::Name(name) => Some(name.clone()),
            ExprKind::Binary(_, _, left, _) => match &left.kind {
                ExprKind::Name(name) => Some(name.clone()),
                _ => None,
            },
            _ => None,
        };
        if let Some((at, sign)) = assigned {
            let shown = name.as_ref().map_or("name", |name| &name.name);
            if sign == ":=" {
                self.report(diagnostics::foreign(at, ":=", &format!("write `let {shown} = …`")));
                return StatementKind::Error { binds: name };
            }
            self.report(diagnostics::assignment(at, shown));
            return StatementKind::Error { binds: name };
        }
        if let Some(value) = parts.next() {
            let start = value.as_span().start();
            let at = self.range(start, start + 1);
            self.report(diagnostics::yaml_statement(at, name.as_ref().map_or("name", |name| &name.name)));
            return StatementKind::Error { binds: name };
        }
        StatementKind::Expr(expr)
    }
}
