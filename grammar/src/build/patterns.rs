//! Patterns of `match`.

use super::{Build, Pair, Parts};
use crate::ast::{Expr, ExprKind, Pattern, PatternKind, UnaryOp};
use crate::rules::Rule;
use crate::span::Span;

impl Build<'_> {
    pub(super) fn pattern(&mut self, pair: Pair<'_>) -> Pattern {
        let span = self.span(&pair);
        let rule = pair.as_rule();
        let parts = self.parts(pair);
        let kind = match rule {
            Rule::name_pat => self.name_pattern(parts),
            Rule::literal_pat => PatternKind::Literal(Box::new(self.literal_pattern(parts, span))),
            Rule::tuple_pat => PatternKind::Tuple(parts.map(|part| self.pattern(part)).collect()),
            Rule::record_pat => PatternKind::Record(self.record_pattern(parts)),
            _ => {
                let _error = self.internal(span);
                PatternKind::Any
            }
        };
        Pattern { kind, span }
    }

    fn name_pattern(&mut self, mut parts: Parts<'_>) -> PatternKind {
        let name = self.next_ident(&mut parts);
        let member = if parts.next_is(Rule::word) { Some(self.next_ident(&mut parts)) } else { None };
        let inner = parts.next().map(|part| Box::new(self.pattern(part)));
        match (member, inner) {
            (Some(case), inner) => PatternKind::TypeCase(name, case, inner),
            (None, Some(inner)) => PatternKind::Case(name, Some(inner)),
            (None, None) if &*name.name == "_" => PatternKind::Any,
            (None, None) => PatternKind::Name(name),
        }
    }

    fn literal_pattern(&mut self, parts: Parts<'_>, span: Span) -> Expr {
        let mut negative = false;
        let mut kind = ExprKind::Error;
        let mut inner = span;
        for part in parts {
            inner = self.span(&part);
            match part.as_rule() {
                Rule::minus => negative = true,
                _ => kind = self.literal(part),
            }
        }
        if negative {
            kind = ExprKind::Unary(UnaryOp::Neg, Box::new(Expr { kind, span: inner }));
        }
        Expr { kind, span }
    }

    fn record_pattern(&mut self, parts: Parts<'_>) -> Vec<(crate::span::Ident, Option<Pattern>)> {
        let mut fields = Vec::new();
        for part in parts {
            let mut inner = self.parts(part);
            if inner.next_is(Rule::hole) {
                continue;
            }
            let name = self.next_ident(&mut inner);
            fields.push((name, inner.next().map(|pattern| self.pattern(pattern))));
        }
        fields
    }
}
