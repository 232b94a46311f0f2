//! Waits, signals and messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{Name, Type, Value};
use grammar::ast::{Expr, TypeExpr};
use grammar::{Ident, Span};

use super::Checker;
use super::expr::node;
use super::flow::FlowChecker;
use super::why::{Want, Why, broken};
use crate::diagnostics::messages as say;
use crate::ir;
use crate::lower::holds_folder;

/// The most bytes of a topic.
const MAX_TOPIC: usize = 256;

/// A signal or a literal topic that a flow waits for: the name means one type throughout a plan.
#[derive(Clone)]
pub(super) struct Awaited {
    what: What,
    name: Name,
    ty: Type,
    /// The whole `wait`.
    at: Span,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Signal,
    Message,
}

impl FlowChecker<'_, '_> {
    /// `wait 10m`.
    pub(super) fn wait_time(&mut self, time: &Expr, span: Span) -> Option<ir::Expr> {
        self.steps += 1;
        let time = self.check(time, &Type::Duration, Why::Library("wait 10m"));
        let Some(time) = time else { return Some(broken(Type::Unit, span)) };
        Some(node(ir::ExprKind::Wait(Box::new(time)), Type::Unit, span))
    }

    /// `wait signal name: type`.
    pub(super) fn wait_signal(&mut self, name: &Ident, ty: Option<&TypeExpr>, span: Span) -> Option<ir::Expr> {
        self.steps += 1;
        let ty = self.carried(ty)?;
        let name: Name = Arc::from(&*name.name);
        self.g.awaited.push(Awaited { what: What::Signal, name: name.clone(), ty: ty.clone(), at: span });
        Some(node(ir::ExprKind::Signal(name), ty, span))
    }

    /// `wait message "topic": type`.
    pub(super) fn wait_message(&mut self, topic: &Expr, ty: Option<&TypeExpr>, span: Span) -> Option<ir::Expr> {
        self.steps += 1;
        let topic = self.topic(topic);
        let ty = self.carried(ty)?;
        let Some(topic) = topic else { return Some(broken(ty, span)) };
        if let Some(name) = literal(&topic) {
            self.g.awaited.push(Awaited { what: What::Message, name: Arc::from(name), ty: ty.clone(), at: span });
        }
        Some(node(ir::ExprKind::Message(Box::new(topic)), ty, span))
    }

    /// `emit "topic" value`.
    pub(super) fn emit(&mut self, topic: &Expr, value: &Expr, span: Span) -> Option<ir::Expr> {
        self.steps += 1;
        let topic = self.topic(topic);
        let value = self.expr(value, Want::Any);
        let (Some(topic), Some(value)) = (topic, value) else { return Some(broken(Type::Unit, span)) };
        if holds_folder(&value.ty) {
            self.g.report(say::folder(&value.ty.to_string(), value.span));
        }
        Some(node(ir::ExprKind::Emit { topic: Box::new(topic), value: Box::new(value) }, Type::Unit, span))
    }

    /// The type of what is waited for; nothing where none is written.
    fn carried(&mut self, written: Option<&TypeExpr>) -> Option<Type> {
        written.map_or(Some(Type::Unit), |written| self.g.ty(self.file, written))
    }

    pub(super) fn topic(&mut self, written: &Expr) -> Option<ir::Expr> {
        let topic = self.check(written, &Type::String, Why::Library("\"orders.new\""))?;
        if let Some(text) = literal(&topic)
            && let Some(problem) = topic_problem(text)
        {
            self.g.report(say::topic(text, problem, topic.span));
            return None;
        }
        Some(topic)
    }
}

fn literal(topic: &ir::Expr) -> Option<&str> {
    match &topic.kind {
        ir::ExprKind::Const(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// What is wrong with a topic that is known when the flow is checked.
pub(super) fn topic_problem(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("is empty")
    } else if text.len() > MAX_TOPIC {
        Some("is longer than 256 bytes")
    } else if text.contains(['*', '>']) {
        Some("is a pattern; a message has exactly one topic")
    } else if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Some("has a space in it")
    } else {
        None
    }
}

impl Checker<'_> {
    /// The type of a signal that something waits for, and one place where it does.
    pub(super) fn awaited_signal(&self, name: &str) -> Option<(Type, Span)> {
        self.awaited_type(What::Signal, name)
    }

    /// The type of messages on a literal topic that something waits for, and one place where it does.
    pub(super) fn awaited_message(&self, topic: &str) -> Option<(Type, Span)> {
        self.awaited_type(What::Message, topic)
    }

    fn awaited_type(&self, what: What, name: &str) -> Option<(Type, Span)> {
        let found = self.awaited.iter().find(|awaited| awaited.what == what && *awaited.name == *name)?;
        Some((found.ty.clone(), found.at))
    }

    /// Reports names that are waited for with two types.
    pub(super) fn compare_awaited(&mut self) {
        let mut first: BTreeMap<(What, Name), (Type, Span)> = BTreeMap::new();
        let mut reported: Vec<Span> = Vec::new();
        // What is checked later may still ask what is waited for.
        for Awaited { what, name, ty, at } in self.awaited.clone() {
            let (known, since) = first.entry((what, name.clone())).or_insert_with(|| (ty.clone(), at));
            // A body is checked once for each cap that it is called under.
            if *known == ty || reported.contains(&at) {
                continue;
            }
            reported.push(at);
            let word = if what == What::Signal { "signal" } else { "message" };
            let diagnostic = say::two_types(word, &name, (&known.to_string(), *since), (&ty.to_string(), at));
            self.report(diagnostic);
        }
    }
}
