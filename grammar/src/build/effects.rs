//! Forms that talk to the world around the run, forms of several arms, and the statements of tests.

use super::{Build, Pair, Parts};
use crate::ast::{Arg, Block, ExprKind, Mock, MockAnswer, MockTarget, Pattern, StatementKind};
use crate::rules::Rule;
use crate::span::Ident;

impl Build<'_> {
    pub(super) fn effect_form(&mut self, rule: Rule, mut parts: Parts<'_>) -> ExprKind {
        match rule {
            Rule::race_form => ExprKind::Race { with: self.next_with(&mut parts), arms: self.next_arms(&mut parts) },
            Rule::any_form => ExprKind::Any {
                count: Box::new(self.next_expr(&mut parts)),
                with: self.next_with(&mut parts),
                arms: self.next_arms(&mut parts),
            },
            Rule::wait_form => self.wait_form(parts),
            Rule::emit_form => {
                let topic = parts.next().map(|topic| self.topic(topic));
                let topic = Box::new(topic.unwrap_or_else(|| self.internal(parts.span)));
                ExprKind::Emit { topic, value: Box::new(self.next_expr(&mut parts)) }
            }
            Rule::ask_form => {
                let role = self.next_ident(&mut parts);
                ExprKind::Ask(role, self.next_arguments(&mut parts))
            }
            Rule::run_form => ExprKind::RunPlan(self.next_arguments(&mut parts)),
            _ => self.internal(parts.span).kind,
        }
    }

    fn wait_form(&mut self, mut parts: Parts<'_>) -> ExprKind {
        let Some(pair) = parts.next() else { return self.internal(parts.span).kind };
        match pair.as_rule() {
            Rule::wait_signal => {
                let mut parts = self.parts(pair);
                let name = self.next_ident(&mut parts);
                ExprKind::Signal(name, self.next_type(&mut parts))
            }
            Rule::wait_message => {
                let mut parts = self.parts(pair);
                let topic = parts.next().map(|topic| self.topic(topic));
                let topic = topic.unwrap_or_else(|| self.internal(parts.span));
                ExprKind::Message(Box::new(topic), self.next_type(&mut parts))
            }
            _ => ExprKind::Wait(Box::new(self.expr(pair))),
        }
    }

    fn next_arms(&mut self, parts: &mut Parts<'_>) -> Vec<Block> {
        let Some(pair) = parts.next() else { return Vec::new() };
        let arms = self.parts(pair);
        arms.map(|arm| match arm.as_rule() {
            Rule::block => self.block(arm),
            _ => {
                let statement = self.statement(arm);
                let span = statement.span;
                Block { statements: vec![statement], span }
            }
        })
        .collect()
    }

    fn next_arguments(&mut self, parts: &mut Parts<'_>) -> Vec<Arg> {
        parts.next().map(|call| self.arguments(call)).unwrap_or_default()
    }

    pub(super) fn mock(&mut self, mut parts: Parts<'_>) -> StatementKind {
        let Some(target) = parts.next() else { return StatementKind::Expr(self.internal(parts.span)) };
        let target = self.mock_target(target);
        let (mut times, mut takes, mut answer) = (None, None, None);
        for part in parts.by_ref() {
            match part.as_rule() {
                Rule::mock_times => times = self.parts(part).next().map(|bound| self.expr(bound)),
                Rule::mock_takes => takes = self.parts(part).next().map(|time| self.expr(time)),
                Rule::mock_fails => {
                    let mut parts = self.parts(part);
                    let kind = parts.next().map(|kind| self.key(&kind));
                    let message = parts.next().map(|message| self.expr(message));
                    answer = kind.map(|kind| MockAnswer::Fails(kind, message));
                }
                Rule::expr => answer = Some(MockAnswer::Value(self.expr(part))),
                _ => {}
            }
        }
        let answer = answer.unwrap_or_else(|| MockAnswer::Value(self.internal(parts.span)));
        StatementKind::Mock(Box::new(Mock { target, times, takes, answer }))
    }

    fn mock_target(&mut self, pair: Pair<'_>) -> MockTarget {
        let rule = pair.as_rule();
        let mut parts = self.parts(pair);
        match (rule, parts.next()) {
            (Rule::mock_message, Some(topic)) => MockTarget::Message(self.plain_text(topic)),
            (Rule::mock_signal, Some(name)) => MockTarget::Signal(self.ident(&name)),
            (Rule::mock_plan, Some(patterns)) => {
                MockTarget::Plan(self.parts(patterns).map(|pattern| self.pattern(pattern)).collect())
            }
            (Rule::mock_ask, Some(role)) => MockTarget::Ask(self.ident(&role), self.patterns(parts)),
            (_, Some(path)) => MockTarget::Call(self.path(path), self.patterns(parts)),
            (_, None) => {
                let at = self.internal(parts.span).span;
                MockTarget::Signal(Ident { name: "".into(), span: at })
            }
        }
    }

    fn patterns(&mut self, mut parts: Parts<'_>) -> Vec<Pattern> {
        let Some(pair) = parts.next() else { return Vec::new() };
        let patterns = self.parts(pair);
        patterns.map(|pattern| self.pattern(pattern)).collect()
    }
}
