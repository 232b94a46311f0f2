//! `on` items: each stands for a flow of its own, whose body calls the flow that is to be started.
//!
//! So a run that a trigger starts is a run like any other: its arguments are checked, and computed in the run.

use std::sync::Arc;

use grammar::ast::{self, Block, Expr, ExprKind, File, Flow, Item, Param, Statement, StatementKind, TypeExpr, TypeKind};
use grammar::{Ident, Span};

/// The parameter that holds the document of an event or webhook.
const DOCUMENT: &str = "event";

/// A trigger of the root file. Starting it is [`crate::Entry::Trigger`] of its place in [`crate::Compilation::triggers`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerInfo {
    /// When it starts.
    pub kind: TriggerKind,
    /// The flow that it starts.
    pub flow: Arc<str>,
    /// The whole item.
    pub span: Span,
}

/// What starts a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TriggerKind {
    /// At these times. Takes no input.
    Schedule {
        /// A cron pattern of five fields, or of six with seconds first, or `@daily` and its like.
        cron: Arc<str>,
        /// A name of the IANA time zone database; none: the host's zone.
        zone: Option<Arc<str>>,
    },
    /// With each message of this topic. Takes the input `event`, a `json`.
    Event {
        /// Tokens with dots between; `*` stands for one, `>` at the end for one or more.
        topic: Arc<str>,
    },
    /// With each request to this path. Takes the input `event`, a `json`.
    Webhook {
        /// From its `/` on.
        path: Arc<str>,
    },
}

impl TriggerInfo {
    /// Of an item.
    pub(crate) fn of(item: &ast::Trigger) -> Self {
        let shared = |text: &ast::Text| Arc::from(&*text.value);
        let kind = match &item.kind {
            ast::TriggerKind::Schedule(cron, zone) => {
                TriggerKind::Schedule { cron: shared(cron), zone: zone.as_ref().map(shared) }
            }
            ast::TriggerKind::Event(topic) => TriggerKind::Event { topic: shared(topic) },
            ast::TriggerKind::Webhook(path) => TriggerKind::Webhook { path: shared(path) },
        };
        Self { kind, flow: Arc::from(&*item.flow.name), span: item.span }
    }
}

/// The triggers of a file in order.
pub(crate) fn items(file: &File) -> impl Iterator<Item = &ast::Trigger> {
    file.items.iter().filter_map(|item| if let Item::Trigger(trigger) = item { Some(trigger) } else { None })
}

/// For each trigger of a file the flow that it stands for.
pub(crate) fn flows(file: &File) -> Vec<Flow> {
    items(file).map(flow).collect()
}

fn flow(trigger: &ast::Trigger) -> Flow {
    let at = trigger.span;
    let (name, document) = match &trigger.kind {
        ast::TriggerKind::Schedule(cron, _) => (format!("on schedule {:?}", cron.value), None),
        ast::TriggerKind::Event(topic) => (format!("on event {:?}", topic.value), Some(topic.span)),
        ast::TriggerKind::Webhook(path) => (format!("on webhook {:?}", path.value), Some(path.span)),
    };
    let named = |name: &str, span: Span| Ident { name: name.into(), span };
    let param = |span: Span| Param {
        docs: Vec::new(),
        name: named(DOCUMENT, span),
        ty: TypeExpr { kind: TypeKind::Named(named("json", span)), span },
        default: None,
    };
    let callee = Expr { kind: ExprKind::Name(trigger.flow.clone()), span: trigger.flow.span };
    let span = trigger.flow.span.to(at);
    let call = Expr { kind: ExprKind::Call(Box::new(callee), trigger.args.clone()), span };
    let body = Block { statements: vec![Statement { kind: StatementKind::Expr(call), span }], span };
    Flow {
        docs: trigger.docs.clone(),
        name: named(&name, at),
        params: document.map(param).into_iter().collect(),
        result: None,
        recursive: None,
        with: None,
        body,
        span: at,
    }
}
