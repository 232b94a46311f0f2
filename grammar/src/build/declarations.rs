//! Items without a body of statements: roles, interfaces, hooks and triggers.

use super::{Build, Pair, Parts};
use crate::ast::{Expr, ExprKind, FunctionDef, Hook, HookTarget, Trigger, TriggerKind};
use crate::rules::Rule;

impl Build<'_> {
    pub(super) fn function_def(&mut self, pair: Pair<'_>) -> Option<FunctionDef> {
        let docs = self.docs(&pair);
        let parts = self.parts(pair);
        if parts.next_is(Rule::hole) { None } else { self.signature(docs, parts) }
    }

    /// `name(param: type) -> type`.
    pub(super) fn signature(&mut self, docs: Vec<Box<str>>, mut parts: Parts<'_>) -> Option<FunctionDef> {
        let span = parts.span;
        let name = self.next_ident(&mut parts);
        let params = self.parts(parts.next()?);
        let params = params.filter_map(|param| self.field_def(param)).collect();
        Some(FunctionDef { docs, name, params, result: self.next_type(&mut parts), span })
    }

    pub(super) fn hook(&mut self, docs: Vec<Box<str>>, mut parts: Parts<'_>) -> Option<Hook> {
        let span = parts.span;
        let (phase, event) = (parts.next()?, parts.next()?);
        let (phase, event) = (self.key(&phase), self.key(&event));
        let target = if parts.next_is(Rule::hook_target) { parts.next() } else { None };
        let target = target.and_then(|target| self.hook_target(target));
        let handler = parts.next().map(|path| self.path(path))?;
        Some(Hook { docs, phase, event, target, handler, with: self.next_with(&mut parts), span })
    }

    fn hook_target(&mut self, pair: Pair<'_>) -> Option<HookTarget> {
        let mut parts = self.parts(pair);
        let first = parts.next()?;
        Some(match first.as_rule() {
            Rule::star => HookTarget::All,
            Rule::text => HookTarget::Topic(self.plain_text(first)),
            _ => {
                let name = self.ident(&first);
                match parts.next() {
                    None => HookTarget::Name(name),
                    Some(star) if star.as_rule() == Rule::star => HookTarget::Component(name),
                    Some(function) => HookTarget::Function(name, self.ident(&function)),
                }
            }
        })
    }

    pub(super) fn trigger(&mut self, docs: Vec<Box<str>>, mut parts: Parts<'_>) -> Option<Trigger> {
        let span = parts.span;
        let kind = parts.next()?;
        let rule = kind.as_rule();
        let mut texts = self.parts(kind);
        let first = texts.next().map(|text| self.plain_text(text))?;
        let kind = match rule {
            Rule::schedule => TriggerKind::Schedule(first, texts.next().map(|zone| self.plain_text(zone))),
            Rule::on_event => TriggerKind::Event(first),
            _ => TriggerKind::Webhook(first),
        };
        let flow = self.next_ident(&mut parts);
        let args = parts.next().map(|call| self.arguments(call)).unwrap_or_default();
        Some(Trigger { docs, kind, flow, args, span })
    }

    /// `component.function` as an expression.
    pub(super) fn path(&mut self, pair: Pair<'_>) -> Expr {
        let mut parts = self.parts(pair);
        let first = self.next_ident(&mut parts);
        let mut path = Expr { span: first.span, kind: ExprKind::Name(first) };
        for field in parts {
            let mut inner = self.parts(field);
            let name = self.next_ident(&mut inner);
            let span = path.span.to(name.span);
            path = Expr { kind: ExprKind::Field(Box::new(path), name), span };
        }
        path
    }
}
