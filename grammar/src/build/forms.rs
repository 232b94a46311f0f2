//! Structured forms and policy.

use super::{Build, Pair, Parts};
use crate::ast::{
    Block, Expr, ExprKind, GrantExpr, MatchArm, Pattern, PatternKind, Setting, SettingValue, Statement, StatementKind, With,
};
use crate::diagnostics;
use crate::rules::Rule;
use crate::span::Span;

impl Build<'_> {
    pub(super) fn form(&mut self, pair: &Pair<'_>) -> ExprKind {
        let mut parts = self.parts(pair.clone());
        match pair.as_rule() {
            Rule::if_form => self.if_form(parts),
            Rule::match_form => self.match_form(parts),
            Rule::map_form => self.map_form(parts),
            Rule::for_form => {
                let word = parts.next();
                let (at, text) = word.as_ref().map_or((parts.span, "for"), |word| (self.span(word), word.as_str()));
                self.report(diagnostics::for_loop(at, text));
                self.map_form(parts)
            }
            Rule::while_form => {
                let at = parts.next().map_or(parts.span, |word| self.span(&word));
                self.report(diagnostics::while_loop(at));
                let _condition = self.next_expr(&mut parts);
                let _body = self.next_block(&mut parts);
                ExprKind::Error
            }
            Rule::reduce_form => self.reduce_form(parts),
            Rule::loop_form => self.loop_form(parts),
            Rule::seq_form => ExprKind::Seq { with: self.next_with(&mut parts), body: self.next_block(&mut parts) },
            Rule::phase_form => ExprKind::Phase {
                name: self.next_ident(&mut parts),
                with: self.next_with(&mut parts),
                body: self.next_block(&mut parts),
            },
            Rule::try_form => {
                let with = self.next_with(&mut parts);
                let body = self.next_block(&mut parts);
                let binding = if parts.next_is(Rule::name) { Some(self.next_ident(&mut parts)) } else { None };
                ExprKind::Try { with, body, binding, handler: self.next_block(&mut parts) }
            }
            rule => self.effect_form(rule, parts),
        }
    }

    fn if_form(&mut self, mut parts: Parts<'_>) -> ExprKind {
        let condition = self.next_expr(&mut parts);
        let mut arms = vec![(condition, self.next_block(&mut parts))];
        let mut otherwise = None;
        while let Some(word) = parts.next() {
            if word.as_rule() != Rule::else_if {
                otherwise = Some(self.next_block(&mut parts));
                break;
            }
            if !word.as_str().starts_with("else ") {
                let at = self.span(&word);
                self.report(diagnostics::foreign(at, word.as_str(), "write `else if`"));
            }
            let condition = self.next_expr(&mut parts);
            arms.push((condition, self.next_block(&mut parts)));
        }
        ExprKind::If { arms, otherwise }
    }

    fn match_form(&mut self, mut parts: Parts<'_>) -> ExprKind {
        let subject = Box::new(self.next_expr(&mut parts));
        let mut arms = Vec::new();
        let mut hole = None;
        for part in parts.filter(|part| part.as_rule() == Rule::arm) {
            let arm = self.parts(part);
            if arm.next_is(Rule::hole) {
                hole = Some(arm.span);
            } else {
                arms.push(self.arm(arm));
            }
        }
        // An arm is unknown, so the match counts as complete.
        arms.extend(hole.map(|span| MatchArm {
            pattern: Pattern { kind: PatternKind::Any, span },
            guard: None,
            body: Block { statements: vec![Statement { kind: StatementKind::Error { binds: None }, span }], span },
            span,
        }));
        ExprKind::Match { subject, arms }
    }

    fn arm(&mut self, mut parts: Parts<'_>) -> MatchArm {
        let span = parts.span;
        let pattern = match parts.next() {
            Some(pattern) => self.pattern(pattern),
            None => Pattern { kind: PatternKind::Any, span },
        };
        let guard = if parts.next_is(Rule::head) { Some(self.next_expr(&mut parts)) } else { None };
        if let Some(arrow) = parts.next().filter(|arrow| arrow.as_str() == "->") {
            let at = self.span(&arrow);
            self.report(diagnostics::thin_arrow(at));
        }
        let body = if parts.next_is(Rule::block) {
            self.next_block(&mut parts)
        } else {
            let value = self.next_expr(&mut parts);
            let at = value.span;
            Block { statements: vec![Statement { kind: StatementKind::Expr(value), span: at }], span: at }
        };
        MatchArm { pattern, guard, body, span }
    }

    fn map_form(&mut self, mut parts: Parts<'_>) -> ExprKind {
        ExprKind::Map {
            name: self.next_ident(&mut parts),
            list: Box::new(self.next_expr(&mut parts)),
            with: self.next_with(&mut parts),
            body: self.next_block(&mut parts),
        }
    }

    fn reduce_form(&mut self, mut parts: Parts<'_>) -> ExprKind {
        let first = self.next_ident(&mut parts);
        let Some(head) = parts.next() else { return self.internal(parts.span).kind };
        let fold = head.as_rule() == Rule::fold_head;
        let mut head = self.parts(head);
        if fold {
            let _sign = head.next();
            let init = Box::new(self.next_expr(&mut head));
            let name = self.next_ident(&mut head);
            let list = Box::new(self.next_expr(&mut head));
            let with = self.next_with(&mut parts);
            return ExprKind::Fold { acc: first, init, name, list, with, body: self.next_block(&mut parts) };
        }
        let right = self.next_ident(&mut head);
        let list = Box::new(self.next_expr(&mut head));
        let with = self.next_with(&mut parts);
        ExprKind::Tree { left: first, right, list, with, body: self.next_block(&mut parts) }
    }

    fn loop_form(&mut self, mut parts: Parts<'_>) -> ExprKind {
        let name = self.next_ident(&mut parts);
        let _sign = parts.next();
        let init = Box::new(self.next_expr(&mut parts));
        let until = Box::new(self.next_expr(&mut parts));
        let max = parts.next_is(Rule::kw_max).then(|| parts.next()).map(|_| Box::new(self.next_expr(&mut parts)));
        let with = self.next_with(&mut parts);
        ExprKind::Loop { name, init, until, max, with, body: self.next_block(&mut parts) }
    }

    pub(super) fn next_with(&mut self, parts: &mut Parts<'_>) -> Option<With> {
        if !parts.next_is(Rule::with_clause) {
            return None;
        }
        parts.next().map(|pair| self.with_clause(pair))
    }

    pub(super) fn with_clause(&mut self, pair: Pair<'_>) -> With {
        let span = self.span(&pair);
        let parts = self.parts(pair);
        With { settings: self.settings(parts), span }
    }

    pub(super) fn settings(&mut self, parts: Parts<'_>) -> Vec<Setting> {
        parts.filter(|part| part.as_rule() == Rule::setting).filter_map(|part| self.setting(part)).collect()
    }

    fn setting(&mut self, pair: Pair<'_>) -> Option<Setting> {
        let span = self.span(&pair);
        // `allow` is a word for the grammar, so the key is taken from the first pair whatever its rule.
        let mut inner = pair.into_inner();
        let key = inner.next().filter(|key| key.as_rule() != Rule::hole).map(|key| self.key(&key))?;
        let mut value = None;
        for part in inner {
            match part.as_rule() {
                Rule::assign => {
                    let at = self.span(&part);
                    self.report(diagnostics::equals_for_colon(at, &key.name));
                }
                Rule::grants => value = Some(SettingValue::Grants(self.grants(part))),
                Rule::nested => {
                    let (at, whole) = (self.span(&part), !has_hole(&part));
                    let parts = self.parts(part);
                    let settings = self.settings(parts);
                    value = Some(if whole {
                        SettingValue::Settings(settings, at)
                    } else {
                        SettingValue::Expr(Expr { kind: ExprKind::Error, span: at })
                    });
                }
                Rule::expr => value = Some(SettingValue::Expr(self.expr(part))),
                _ => {}
            }
        }
        let value = value.unwrap_or_else(|| SettingValue::Expr(self.internal(span)));
        Some(Setting { key, value })
    }

    fn grants(&mut self, pair: Pair<'_>) -> Vec<GrantExpr> {
        let parts = self.parts(pair);
        parts.map(|grant| self.grant(grant)).collect()
    }

    fn grant(&mut self, pair: Pair<'_>) -> GrantExpr {
        let mut parts = self.parts(pair);
        let span: Span = parts.span;
        let capability = self.next_ident(&mut parts);
        let subject: Option<Expr> = parts.next().map(|subject| self.expr(subject));
        GrantExpr { capability, subject, span }
    }
}

/// Whether recovery cut a setting out of these.
fn has_hole(settings: &Pair<'_>) -> bool {
    let inner = settings.clone().into_inner();
    inner.flat_map(Pair::into_inner).any(|part| part.as_rule() == Rule::hole)
}
