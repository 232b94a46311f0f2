//! Statements and patterns.

use super::doc::{BRACES, Doc, LINE, PARENS, close, concat, group, indent, listed, open, spaced, word};
use super::literals::separated;
use super::parens::{ends_in_open_if, first_name};
use super::printer::Printer;
use crate::ast::{Expr, ExprKind, Mock, MockAnswer, MockTarget, Pattern, PatternKind, Statement, StatementKind, UnaryOp};

impl Printer<'_> {
    pub(super) fn statement(&self, statement: &Statement) -> Doc {
        match &statement.kind {
            StatementKind::Let { name, ty, value } => {
                let name = concat([word("let"), Doc::Space, self.name(name), self.colon_type(ty.as_ref())]);
                concat([name, Doc::Space, word("="), Doc::Space, self.value(value, true)])
            }
            StatementKind::Require { condition, message } => self.condition("require", condition, message.as_ref()),
            StatementKind::Assert { condition, message } => self.condition("assert", condition, message.as_ref()),
            StatementKind::Return(value) => concat([word("return"), spaced(value.as_ref().map(|value| self.value(value, true)))]),
            StatementKind::Mock(mock) => self.mock(mock),
            StatementKind::Expr(expr) => {
                // Before more than a name these words begin statements of their own.
                let named = first_name(expr).is_some_and(|name| matches!(name, "assert" | "mock"));
                if named && !self.escaped(expr) { self.in_parens(expr) } else { self.value(expr, true) }
            }
            StatementKind::Error { .. } => Doc::Nil,
        }
    }

    /// Whether the expression begins with `%`.
    fn escaped(&self, expr: &Expr) -> bool {
        self.starts_with(expr.span, '%')
    }

    fn condition(&self, keyword: &'static str, condition: &Expr, message: Option<&Expr>) -> Doc {
        let shown = match message {
            Some(_) if ends_in_open_if(condition) => self.in_parens(condition),
            _ => self.head(condition),
        };
        let message = message.map_or(Doc::Nil, |message| concat([LINE, word("else"), Doc::Space, self.full(message)]));
        group(concat([word(keyword), Doc::Space, shown, indent(message)]))
    }

    fn mock(&self, mock: &Mock) -> Doc {
        let target = match &mock.target {
            MockTarget::Call(path, patterns) => concat([self.full(path), self.patterns(patterns)]),
            MockTarget::Ask(role, patterns) => concat([word("ask"), Doc::Space, self.name(role), self.patterns(patterns)]),
            MockTarget::Plan(patterns) => concat([word("run"), Doc::Space, word("plan"), self.patterns(patterns)]),
            MockTarget::Signal(name) => concat([word("wait"), Doc::Space, word("signal"), Doc::Space, self.name(name)]),
            MockTarget::Message(topic) => concat([word("wait"), Doc::Space, word("message"), Doc::Space, self.text(topic)]),
        };
        let bound = |word_: &'static str, bound: &Option<Expr>| {
            spaced(bound.as_ref().map(|bound| concat([word(word_), Doc::Space, self.head(bound)])))
        };
        let answer = match &mock.answer {
            MockAnswer::Value(value) => concat([word("=>"), Doc::Space, self.value(value, true)]),
            MockAnswer::Fails(kind, message) => {
                let message = spaced(message.as_ref().map(|message| self.full(message)));
                concat([word("fails"), Doc::Space, self.name(kind), message])
            }
        };
        let bounds = concat([bound("times", &mock.times), bound("takes", &mock.takes)]);
        concat([word("mock"), Doc::Space, target, bounds, Doc::Space, answer])
    }

    fn patterns(&self, patterns: &[Pattern]) -> Doc {
        listed(patterns.iter().map(|pattern| self.pattern(pattern)).collect(), PARENS)
    }

    pub(super) fn pattern(&self, pattern: &Pattern) -> Doc {
        let payload = |inner: &Option<Box<Pattern>>| match inner {
            Some(inner) => concat([open("("), self.pattern(inner), close(")")]),
            None => Doc::Nil,
        };
        match &pattern.kind {
            PatternKind::Any => word("_"),
            PatternKind::Name(name) => self.name(name),
            PatternKind::Case(name, inner) => concat([self.name(name), payload(inner)]),
            PatternKind::TypeCase(ty, name, inner) => concat([self.name(ty), word("."), self.name(name), payload(inner)]),
            PatternKind::Literal(value) => match &value.kind {
                ExprKind::Unary(UnaryOp::Neg, number) => concat([word("-"), self.literal(&number.kind, number.span)]),
                kind => self.literal(kind, value.span),
            },
            PatternKind::Tuple(items) => concat([open("("), separated(items.iter().map(|item| self.pattern(item))), close(")")]),
            PatternKind::Record(fields) => {
                let field = |(name, pattern): &(crate::span::Ident, Option<Pattern>)| match pattern {
                    Some(pattern) => concat([self.name(name), word(":"), Doc::Space, self.pattern(pattern)]),
                    None => self.name(name),
                };
                listed(fields.iter().map(field).collect(), BRACES)
            }
        }
    }
}
