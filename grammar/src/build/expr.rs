//! Operands: what stands between operators, with prefixes, postfixes and what is attached.

use super::{Build, Pair, Pairs};
use crate::ast::{Arg, Block, Expr, ExprKind, FieldInit, Postfix, Statement, StatementKind, UnaryOp};
use crate::diagnostics;
use crate::rules::Rule;
use crate::span::{Ident, Span};

/// A step with what is attached to it, or the fallback of the one before.
struct Segment {
    prefixes: Vec<(UnaryOp, Span)>,
    expr: Expr,
}

/// What the next segment is to the one before it.
#[derive(Clone, Copy)]
enum Link {
    /// Its fallback.
    Else,
    /// Its compensation.
    Undo { always: bool },
}

impl Build<'_> {
    /// Reads one operand and, after it, the operator that follows.
    pub(super) fn operand<'i>(&mut self, inner: &mut Pairs<'i>) -> (Expr, Option<Pair<'i>>) {
        let mut segment = self.segment(inner);
        // Steps whose fallback or compensation is being read.
        let mut outer: Vec<(Segment, Link)> = Vec::new();
        let mut next = None;
        let mut casts = Vec::new();
        while let Some(pair) = inner.next() {
            match pair.as_rule() {
                Rule::bin_op => {
                    next = Some(pair);
                    break;
                }
                Rule::cast => casts.push(pair),
                Rule::kw_else => {
                    segment = attach_to(&mut outer, segment);
                    outer.push((segment, Link::Else));
                    segment = self.segment(inner);
                }
                Rule::undo => {
                    segment = attach_to(&mut outer, segment);
                    let always = pair.into_inner().any(|part| part.as_rule() == Rule::kw_always);
                    outer.push((segment, Link::Undo { always }));
                    segment = self.segment(inner);
                }
                Rule::with_clause => {
                    segment = attach_to(&mut outer, segment);
                    let with = self.with_clause(pair);
                    let span = segment.expr.span.to(with.span);
                    segment.expr = postfix(segment.expr, Postfix::With(with), span);
                }
                Rule::after_clause => {
                    segment = attach_to(&mut outer, segment);
                    let span = segment.expr.span.to(self.span(&pair));
                    let parts = self.parts(pair);
                    let names = parts.map(|name| self.ident(&name)).collect();
                    segment.expr = postfix(segment.expr, Postfix::After(names), span);
                }
                _ => segment.expr = self.postfix(segment.expr, pair),
            }
        }
        while let Some((step, link)) = outer.pop() {
            segment = self.linked(step, link, segment);
        }
        for cast in casts {
            segment.expr = self.cast(segment.expr, cast);
        }
        (prefixed(segment), next)
    }

    /// Prefixes and the first part of an operand.
    fn segment(&mut self, inner: &mut Pairs<'_>) -> Segment {
        let mut prefixes = Vec::new();
        for pair in inner.by_ref() {
            if pair.as_rule() != Rule::prefix {
                return Segment { prefixes, expr: self.primary(pair) };
            }
            let span = self.span(&pair);
            prefixes.push((if pair.as_str() == "-" { UnaryOp::Neg } else { UnaryOp::Not }, span));
            if pair.as_str() == "!" {
                self.report(diagnostics::foreign(span, "!", "write `not`"));
            }
        }
        let at = self.range(0, 0);
        Segment { prefixes, expr: self.internal(at) }
    }

    fn linked(&mut self, mut step: Segment, link: Link, segment: Segment) -> Segment {
        if let (Link::Else, ExprKind::If { otherwise: otherwise @ None, .. }) = (link, &mut step.expr.kind) {
            let fallback = prefixed(segment);
            let span = step.expr.span.to(fallback.span);
            self.report(diagnostics::else_without_braces(fallback.span));
            let at = fallback.span;
            let statement = Statement { kind: StatementKind::Expr(fallback), span: at };
            *otherwise = Some(Block { statements: vec![statement], span: at });
            step.expr.span = span;
            return step;
        }
        link_to(step, link, segment)
    }

    fn cast(&mut self, expr: Expr, pair: Pair<'_>) -> Expr {
        let span = expr.span.to(self.span(&pair));
        match self.parts(pair).next() {
            Some(ty) => Expr { kind: ExprKind::As(Box::new(expr), self.type_expr(ty)), span },
            None => self.internal(span),
        }
    }

    fn primary(&mut self, pair: Pair<'_>) -> Expr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::name => self.name(&pair, span),
            Rule::paren => return self.paren(pair),
            Rule::list => self.list(pair),
            Rule::number | Rule::text | Rule::raw_text | Rule::char | Rule::literal_word => self.literal(pair),
            _ => self.form(&pair),
        };
        Expr { kind, span }
    }

    /// A name, or what other languages call `none`, `true` and `false`.
    fn name(&mut self, pair: &Pair<'_>, span: Span) -> ExprKind {
        let kind = match pair.as_str() {
            "null" | "nil" | "None" | "NULL" | "undefined" => ExprKind::None,
            "True" | "TRUE" => ExprKind::Bool(true),
            "False" | "FALSE" => ExprKind::Bool(false),
            _ => return ExprKind::Name(self.ident(pair)),
        };
        let ours = match kind {
            ExprKind::Bool(true) => "true",
            ExprKind::Bool(false) => "false",
            _ => "none",
        };
        self.report(diagnostics::foreign(span, pair.as_str(), &format!("write `{ours}`")));
        kind
    }

    pub(super) fn literal(&mut self, pair: Pair<'_>) -> ExprKind {
        match pair.as_rule() {
            Rule::number => self.number(&pair),
            Rule::char => self.char(&pair),
            Rule::literal_word => match pair.as_str() {
                "true" => ExprKind::Bool(true),
                "false" => ExprKind::Bool(false),
                _ => ExprKind::None,
            },
            _ => ExprKind::Text(self.text(pair)),
        }
    }

    fn paren(&mut self, pair: Pair<'_>) -> Expr {
        let span = self.span(&pair);
        let mut elements = Vec::new();
        let mut tuple = false;
        for part in self.parts(pair) {
            match part.as_rule() {
                Rule::trailing_comma => tuple = true,
                _ => elements.push(self.expr(part)),
            }
        }
        match elements.pop() {
            Some(mut only) if elements.is_empty() && !tuple => {
                only.span = span;
                only
            }
            last => {
                elements.extend(last);
                Expr { kind: ExprKind::Tuple(elements), span }
            }
        }
    }

    fn list(&mut self, pair: Pair<'_>) -> ExprKind {
        let mut elements = Vec::new();
        for part in self.parts(pair) {
            if part.as_rule() != Rule::comprehension {
                elements.push(self.expr(part));
                continue;
            }
            let Some(element) = elements.pop() else { break };
            let mut parts = self.parts(part);
            let _word = parts.next();
            let name = self.next_ident(&mut parts);
            let list = Box::new(self.next_expr(&mut parts));
            let condition = parts.next().map(|condition| Box::new(self.expr(condition)));
            return ExprKind::Comprehension { element: Box::new(element), name, list, condition };
        }
        ExprKind::List(elements)
    }

    fn postfix(&mut self, base: Expr, pair: Pair<'_>) -> Expr {
        let own = self.span(&pair);
        let span = base.span.to(own);
        let rule = pair.as_rule();
        let text = pair.as_str();
        let mut parts = self.parts(pair);
        let kind = match rule {
            Rule::field => {
                let name = self.next_ident(&mut parts);
                ExprKind::Field(Box::new(base), name)
            }
            Rule::tuple_field => match text.parse() {
                Ok(index) => ExprKind::TupleField(Box::new(base), index, own),
                Err(_) => {
                    self.report(diagnostics::number_too_large(own, text, "`4294967295`"));
                    ExprKind::Error
                }
            },
            Rule::call => {
                let args = self.args(parts.pairs);
                ExprKind::Call(Box::new(base), args)
            }
            Rule::index => ExprKind::Index(Box::new(base), Box::new(self.next_expr(&mut parts))),
            Rule::record_lit => self.record(base, parts.pairs),
            _ => return self.internal(span),
        };
        Expr { kind, span }
    }

    /// The topic of a message.
    pub(super) fn topic(&mut self, pair: Pair<'_>) -> Expr {
        self.primary(pair)
    }

    /// The arguments of a `call`.
    pub(super) fn arguments(&mut self, pair: Pair<'_>) -> Vec<Arg> {
        self.args(pair.into_inner())
    }

    fn args(&mut self, pairs: Pairs<'_>) -> Vec<Arg> {
        let mut args: Vec<Arg> = Vec::with_capacity(pairs.len() / 2);
        for part in pairs {
            match part.as_rule() {
                Rule::expr => args.push(self.arg(part)),
                Rule::arg_value | Rule::lambda_body => {
                    let lambda = part.as_rule() == Rule::lambda_body;
                    let Some(before) = args.pop() else { continue };
                    args.push(self.named_arg(before, part, lambda));
                }
                _ => {}
            }
        }
        args
    }

    /// An argument that may be written `name = value` by mistake.
    fn arg(&mut self, pair: Pair<'_>) -> Arg {
        let (value, assigned) = self.expr_or_assignment(pair);
        let Some((at, _)) = assigned else { return Arg { name: None, value } };
        if let ExprKind::Binary(_, _, left, right) = value.kind
            && let ExprKind::Name(name) = left.kind
        {
            self.report(diagnostics::equals_for_colon(at, &name.name));
            return Arg { name: Some(name), value: *right };
        }
        // More than one sign, of which the first is reported.
        self.report(diagnostics::assign_in_condition(at));
        Arg { name: None, value: Expr { kind: ExprKind::Error, span: at } }
    }

    fn named_arg(&mut self, before: Arg, pair: Pair<'_>, lambda: bool) -> Arg {
        let span = before.value.span.to(self.span(&pair));
        let mut parts = self.parts(pair);
        let _arrow = lambda.then(|| parts.next());
        let value = self.next_expr(&mut parts);
        match before.value.kind {
            ExprKind::Name(name) if lambda => {
                Arg { name: None, value: Expr { kind: ExprKind::Lambda(name, Box::new(value)), span } }
            }
            ExprKind::Name(name) => Arg { name: Some(name), value },
            _ => {
                self.report(diagnostics::not_a_name(before.value.span, if lambda { "=>" } else { ":" }));
                Arg { name: None, value: Expr { kind: ExprKind::Error, span } }
            }
        }
    }

    fn record(&mut self, ty: Expr, pairs: Pairs<'_>) -> ExprKind {
        let mut fields = Vec::new();
        let mut holed = false;
        for part in pairs.filter(|part| part.as_rule() == Rule::field_init) {
            let mut parts = self.parts(part);
            if parts.next_is(Rule::hole) {
                holed = true;
                continue;
            }
            let name = self.next_ident(&mut parts);
            let value = self.field_value(&name, parts.next(), &mut parts);
            fields.push(FieldInit { name, value });
        }
        // A field is unknown, so nothing can be said about missing ones.
        if holed { ExprKind::Error } else { ExprKind::Record { ty: Box::new(ty), fields } }
    }

    fn field_value(&mut self, name: &Ident, first: Option<Pair<'_>>, rest: &mut super::Parts<'_>) -> Expr {
        match first {
            None => Expr { kind: ExprKind::Name(name.clone()), span: name.span },
            Some(sign) if sign.as_rule() == Rule::assign => {
                let at = self.span(&sign);
                self.report(diagnostics::equals_for_colon(at, &name.name));
                self.next_expr(rest)
            }
            Some(value) => self.expr(value),
        }
    }
}

fn postfix(expr: Expr, what: Postfix, span: Span) -> Expr {
    Expr { kind: ExprKind::Postfix(Box::new(expr), what), span }
}

fn prefixed(segment: Segment) -> Expr {
    segment.prefixes.into_iter().rev().fold(segment.expr, |expr, (op, at)| {
        let span = at.to(expr.span);
        Expr { kind: ExprKind::Unary(op, Box::new(expr)), span }
    })
}

/// Something is attached to the nearest step or form: a fallback that is neither is complete, and the step that it
/// belongs to is the nearest.
fn attach_to(outer: &mut Vec<(Segment, Link)>, segment: Segment) -> Segment {
    if segment.expr.kind.is_step() {
        return segment;
    }
    match outer.pop() {
        None => segment,
        Some((step, link)) => link_to(step, link, segment),
    }
}

fn link_to(mut step: Segment, link: Link, segment: Segment) -> Segment {
    let other = prefixed(segment);
    let span = step.expr.span.to(other.span);
    let what = match link {
        Link::Else => Postfix::Else(Box::new(other)),
        Link::Undo { always } => Postfix::Undo { always, compensation: Box::new(other) },
    };
    step.expr = postfix(step.expr, what, span);
    step
}
