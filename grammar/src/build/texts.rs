//! Texts, characters and numbers.

use super::{Build, Pair};
use crate::ast::{ExprKind, Text, TextPart};
use crate::diagnostics;
use crate::literal::{self, EscapeError, NumberError};
use crate::rules::Rule;

impl Build<'_> {
    pub(super) fn number(&mut self, pair: &Pair<'_>) -> ExprKind {
        let (text, span) = (pair.as_str(), self.span(pair));
        literal::number(text).unwrap_or_else(|error| {
            self.report(match error {
                NumberError::TooLarge(limit) => diagnostics::number_too_large(span, text, limit),
                NumberError::Unit(unit) => diagnostics::bad_unit(span, text, unit),
                NumberError::DecimalUnit => diagnostics::decimal_unit(span, text),
            });
            ExprKind::Error
        })
    }

    pub(super) fn char(&mut self, pair: &Pair<'_>) -> ExprKind {
        let text = pair.as_str();
        let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
        let start = pair.as_span().start() + 1;
        let mut letters = inner.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => ExprKind::Char(letter),
            _ => self.escape(inner, start).map_or(ExprKind::Error, ExprKind::Char),
        }
    }

    fn escape(&mut self, text: &str, start: usize) -> Option<char> {
        let span = self.range(start, start + text.len());
        match literal::escape(text) {
            Ok(letter) => return Some(letter),
            Err(EscapeError::Unknown) => self.report(diagnostics::bad_escape(span, text)),
            Err(EscapeError::CodePoint) => self.report(diagnostics::bad_code_point(span, text)),
        }
        None
    }

    /// The parts of a text; neighbouring literal parts are one.
    pub(super) fn text(&mut self, pair: Pair<'_>) -> Vec<TextPart> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        for part in pair.into_inner() {
            match part.as_rule() {
                Rule::chunk => literal.push_str(part.as_str()),
                Rule::raw_chunk => literal.push_str(&part.as_str().replace("\r\n", "\n")),
                Rule::escaped => literal.extend(self.escape(part.as_str(), part.as_span().start())),
                _ => {
                    if !literal.is_empty() {
                        parts.push(TextPart::Literal(std::mem::take(&mut literal).into()));
                    }
                    let mut inner = self.parts(part);
                    parts.push(TextPart::Expr(self.next_expr(&mut inner)));
                }
            }
        }
        if !literal.is_empty() {
            parts.push(TextPart::Literal(literal.into()));
        }
        parts
    }

    /// A text that must not have interpolations.
    pub(super) fn plain_text(&mut self, pair: Pair<'_>) -> Text {
        let span = self.span(&pair);
        let mut value = String::new();
        for part in self.text(pair) {
            match part {
                TextPart::Literal(literal) => value.push_str(&literal),
                TextPart::Expr(expr) => self.report(diagnostics::interpolation_here(expr.span)),
            }
        }
        Text { value: value.into(), span }
    }
}
