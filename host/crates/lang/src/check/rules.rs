//! The settings that say in which order, how often and how much, and what is kept: `rate`, `breaker`, `cache`, `budget`, …

use catalog::{Type, Value};
use grammar::Span;
use grammar::ast::{Expr, ExprKind, Setting, SettingValue};

use super::flow::FlowChecker;
use super::owner::Owner;
use super::policy::word;
use crate::diagnostics::settings as say;
use crate::ir::{self, Budget, Cache};
use crate::plan::{Breaker, Rate};

const RATE: &str = "`at_most(10, per: 1s)`";
const BREAKER: &str = "`trip(5, within: 1m, cooldown: 30s)`";
const BUDGET: &str = "settings in braces, such as `{ steps: 100, fuel: 1_000_000_000, time: 5m }`";

impl FlowChecker<'_, '_> {
    /// `at_most(count, per: time)`.
    pub(super) fn rate(&mut self, value: &Expr) -> Option<(Rate, Span)> {
        let Some([count, per]) = parts("at_most", ["", "per"], value) else {
            self.g.report(say::value("rate", RATE, value.span));
            return None;
        };
        let (count, per) = (self.count("rate", count), self.time("rate", per));
        Some((Rate { count: count?, per: per? }, value.span))
    }

    /// `trip(failures, within: time, cooldown: time)`.
    pub(super) fn breaker(&mut self, value: &Expr) -> Option<(Breaker, Span)> {
        let Some([failures, within, cooldown]) = parts("trip", ["", "within", "cooldown"], value) else {
            self.g.report(say::value("breaker", BREAKER, value.span));
            return None;
        };
        let failures = self.count("breaker", failures);
        let (within, cooldown) = (self.time("breaker", within), self.time("breaker", cooldown));
        Some((Breaker { failures: failures?, within: within?, cooldown: cooldown? }, value.span))
    }

    /// What all attempts of a node or function share is known when the plan is made.
    fn count(&mut self, key: &'static str, value: &Expr) -> Option<u32> {
        let checked = self.positive(key, value, &Type::U32)?;
        match checked.kind {
            ir::ExprKind::Const(Value::U32(count)) => Some(count).filter(|count| *count > 0),
            ir::ExprKind::Const(_) => None,
            _ => {
                self.g.report(say::shared_literal(key, value.span));
                None
            }
        }
    }

    fn time(&mut self, key: &'static str, value: &Expr) -> Option<u64> {
        let checked = self.positive(key, value, &Type::Duration)?;
        match checked.kind {
            ir::ExprKind::Const(Value::Duration(time)) => Some(time).filter(|time| *time > 0),
            ir::ExprKind::Const(_) => None,
            _ => {
                self.g.report(say::shared_literal(key, value.span));
                None
            }
        }
    }

    /// `true`, `false`, or how old an entry may be.
    pub(super) fn cache(&mut self, value: &Expr) -> Option<Cache> {
        let span = value.span;
        if let ExprKind::Bool(on) = value.kind {
            return Some(Cache { on, ttl: None, span });
        }
        let ttl = self.positive("cache", value, &Type::Duration)?;
        Some(Cache { on: true, ttl: Some(ttl), span })
    }

    /// `pause` or `fail`.
    pub(super) fn on_exhausted(&mut self, value: &Expr) -> Option<(bool, Span)> {
        match word(value) {
            Some("pause") => Some((true, value.span)),
            Some("fail") => Some((false, value.span)),
            _ => {
                self.g.report(
                    say::value("on_exhausted", "`fail` or `pause`", value.span)
                        .help("`pause` lets an operator decide when all attempts of a step have failed"),
                );
                None
            }
        }
    }

    /// `{ steps: 100, fuel: 1_000, time: 5m }`; what is wrong in it is left out.
    pub(super) fn budget(&mut self, setting: &Setting) -> Budget {
        let mut budget = Budget::default();
        let SettingValue::Settings(settings, at) = &setting.value else {
            let at = match &setting.value {
                SettingValue::Expr(Expr { kind: ExprKind::Error, .. }) => return budget,
                SettingValue::Expr(value) => value.span,
                _ => setting.key.span,
            };
            self.g.report(say::value("budget", BUDGET, at));
            return budget;
        };
        if settings.is_empty() {
            self.g.report(say::empty_budget(*at));
        }
        for (key, setting) in self.settings(settings, Owner::Budget) {
            let ty = if key == "time" { Type::Duration } else { Type::U64 };
            let checked = self.expression(key, setting).and_then(|value| self.positive(key, value, &ty));
            match key {
                "steps" => budget.steps = checked,
                "fuel" => budget.fuel = checked,
                _ => budget.time = checked,
            }
        }
        budget
    }
}

/// The parts of `form(first, name: second, …)`; the first has no name.
fn parts<'e, const N: usize>(form: &str, names: [&str; N], value: &'e Expr) -> Option<[&'e Expr; N]> {
    let ExprKind::Call(callee, args) = &value.kind else { return None };
    let named = |(arg, name): (&grammar::ast::Arg, &&str)| arg.name.as_ref().map_or("", |arg| &*arg.name) == *name;
    if word(callee) != Some(form) || args.len() != N || !args.iter().zip(&names).all(named) {
        return None;
    }
    args.iter().map(|arg| &arg.value).collect::<Vec<_>>().try_into().ok()
}
