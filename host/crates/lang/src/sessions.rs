//! `hook session` items: each stands for a flow of its own, whose body calls the handler.
//!
//! So what is called when a session is opened or closed is a run like any other: durable, tried again, and listed.

use std::sync::Arc;

use grammar::ast::{
    Arg, Block, Expr, ExprKind, File, Flow, Hook, Item, Param, Postfix, Statement, StatementKind, TypeExpr, TypeKind,
};
use grammar::{Ident, Span};

use crate::world::LoadedComponent;

/// What is told of a session, by the name of the parameter that gets it. All are texts; `labels` is a JSON object.
pub(crate) const INPUTS: [&str; 2] = ["session", "labels"];

/// A `hook session` of the root file. Calling it is [`crate::Entry::Session`] of its place in [`crate::Compilation::sessions`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionHookInfo {
    /// When it is called.
    pub event: SessionEvent,
    /// What it calls, such as `guard.opened`.
    pub handler: Arc<str>,
    /// The whole item.
    pub span: Span,
}

/// What happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// It is opened.
    Start,
    /// It is closed.
    End,
}

impl SessionEvent {
    /// As a flow writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Self> {
        [Self::Start, Self::End].into_iter().find(|event| event.name() == word)
    }
}

impl SessionHookInfo {
    /// Of an item; none where it says no event, which the checker reports.
    pub(crate) fn of(hook: &Hook) -> Option<Self> {
        let handler = path_of(&hook.handler).iter().map(|part| &*part.name).collect::<Vec<_>>().join(".");
        Some(Self { event: SessionEvent::of(&hook.event.name)?, handler: handler.into(), span: hook.span })
    }
}

/// The session hooks of a file in order.
pub(crate) fn items(file: &File) -> impl Iterator<Item = &Hook> {
    file.items
        .iter()
        .filter_map(|item| if let Item::Hook(hook) = item { Some(hook) } else { None })
        .filter(|hook| is_of_session(hook))
}

/// Whether a hook is called around a session.
pub(crate) fn is_of_session(hook: &Hook) -> bool {
    &*hook.phase.name == "session"
}

/// For each session hook of a file the flow that it stands for. It takes what the handler takes.
pub(crate) fn flows(file: &File, components: &[Option<LoadedComponent>]) -> Vec<Flow> {
    items(file).map(|hook| flow(hook, &taken(file, components, hook))).collect()
}

/// The parameters of the handler that something is told in. None where it cannot be found, which the checker reports.
fn taken(file: &File, components: &[Option<LoadedComponent>], hook: &Hook) -> Vec<&'static str> {
    let path = path_of(&hook.handler);
    let (Some((alias, rest)), Some(function)) = (path.split_first(), path.last()) else { return Vec::new() };
    let interface = if let [interface, _] = rest { Some(&*interface.name) } else { None };
    let uses = file.items.iter().filter_map(|item| if let Item::Use(item) = item { Some(item) } else { None });
    let component =
        uses.zip(components).find(|(item, _)| item.alias.name == alias.name).and_then(|(_, component)| component.as_ref());
    let function = component.and_then(|component| component.component.find(interface, &function.name).next());
    let signature = function.and_then(|function| function.signature.as_ref().ok());
    let has = |input: &&str| signature.is_some_and(|signature| signature.params.iter().any(|(name, _)| &**name == *input));
    INPUTS.into_iter().filter(has).collect()
}

fn flow(hook: &Hook, inputs: &[&str]) -> Flow {
    let at = hook.span;
    let named = |name: &str, span: Span| Ident { name: name.into(), span };
    let handler = hook.handler.span;
    let param = |name: &&str| Param {
        docs: Vec::new(),
        name: named(name, handler),
        ty: TypeExpr { kind: TypeKind::Named(named("string", handler)), span: handler },
        default: None,
    };
    let arg = |name: &&str| {
        let name = named(name, handler);
        Arg { value: Expr { kind: ExprKind::Name(name.clone()), span: handler }, name: Some(name) }
    };
    let call = ExprKind::Call(Box::new(hook.handler.clone()), inputs.iter().map(arg).collect());
    let mut call = Expr { kind: call, span: handler };
    if let Some(with) = &hook.with {
        let span = handler.to(with.span);
        call = Expr { kind: ExprKind::Postfix(Box::new(call), Postfix::With(with.clone())), span };
    }
    let span = call.span;
    let body = Block { statements: vec![Statement { kind: StatementKind::Expr(call), span }], span };
    Flow {
        docs: hook.docs.clone(),
        name: named(&format!("hook session {}", hook.event.name), at),
        params: inputs.iter().map(param).collect(),
        result: None,
        recursive: None,
        with: None,
        body,
        span: at,
    }
}

/// The names of `a.b.c`; empty for anything else.
pub(crate) fn path_of(written: &Expr) -> Vec<&Ident> {
    match &written.kind {
        ExprKind::Name(name) => vec![name],
        ExprKind::Field(base, name) => {
            let mut path = path_of(base);
            path.push(name);
            path
        }
        _ => Vec::new(),
    }
}
