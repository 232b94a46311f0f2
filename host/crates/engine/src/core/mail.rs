//! What a plan waits for, and what may be sent to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{Name, Type, Value};
use lang::plan::{Expr, Grant, MailUse, NodeKind, Plan, WaitPlan};

/// The most bytes of the JSON form of what a signal or message carries.
pub const MAX_PAYLOAD: usize = 1 << 20;

/// The most signals and messages that are kept for the later waits of a run.
pub const MAX_KEPT: usize = 10_000;

/// The most bytes of a topic.
pub const MAX_TOPIC: usize = 256;

/// Whether a text can be the topic of a message.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_topic(text: &str) -> Result<(), String> {
    if text.is_empty() {
        Err("the topic is empty".to_owned())
    } else if text.len() > MAX_TOPIC {
        Err(format!("the topic is longer than {MAX_TOPIC} bytes"))
    } else if text.contains(|c: char| matches!(c, '*' | '>') || c.is_whitespace() || c.is_control()) {
        Err(format!("`{text}` is not a topic: it has a space, `*` or `>` in it"))
    } else {
        Ok(())
    }
}

/// Why a signal is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// The plan never waits for it.
    #[error("the flow waits for no signal `{name}`{}", listed(.known))]
    Unknown {
        /// As it was given.
        name: String,
        /// The signals that it waits for.
        known: Vec<String>,
    },
    /// It carries something else.
    #[error("the signal `{name}` carries `{ty}`: {reason}")]
    Payload {
        /// The signal.
        name: String,
        /// What it carries.
        ty: String,
        /// What does not fit.
        reason: String,
    },
    /// Larger than [`MAX_PAYLOAD`].
    #[error("the signal `{name}` carries {size} bytes, at most {MAX_PAYLOAD} are taken")]
    Size {
        /// The signal.
        name: String,
        /// Of its JSON form.
        size: usize,
    },
    /// [`MAX_KEPT`] are kept already.
    #[error("the run keeps {MAX_KEPT} signals and messages that nothing has taken; no more are kept")]
    Full,
}

fn listed(names: &[String]) -> String {
    match names {
        [] => ": it waits for none".to_owned(),
        names => format!(": it waits for {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    }
}

/// The signals that a plan waits for, with what they carry.
#[must_use]
pub fn signals(plan: &Plan) -> BTreeMap<Name, Type> {
    let signal = |kind: &NodeKind| match kind {
        NodeKind::Wait(WaitPlan::Signal { name, ty }) => Some((name.clone(), ty.clone())),
        _ => None,
    };
    plan.nodes.values().filter_map(|node| signal(&node.kind)).collect()
}

/// The literal topics that a plan waits on, or whose messages its components may take, with what these carry. A run listens to them from its start.
#[must_use]
pub fn topics(plan: &Plan) -> BTreeMap<Arc<str>, Type> {
    let topic = |kind: &NodeKind| match kind {
        NodeKind::Wait(WaitPlan::Message { topic: Expr::Const(Value::String(topic)), ty }) => Some((topic.clone(), ty.clone())),
        _ => None,
    };
    let waited: BTreeMap<Arc<str>, Type> = plan.nodes.values().filter_map(|node| topic(&node.kind)).collect();
    // What only components take may be anything.
    let taken = received(plan).map(|topic| (topic, Type::Json));
    taken.chain(waited).collect()
}

/// The topics whose messages components of a plan may take.
fn received(plan: &Plan) -> impl Iterator<Item = Arc<str>> + '_ {
    let calls = plan.nodes.values().filter_map(|node| if let NodeKind::Call(call) = &node.kind { Some(call) } else { None });
    calls.flat_map(|call| &call.grants).filter_map(|grant| match grant {
        Grant::Mail(MailUse::Receive, topic) => Some(Arc::clone(topic)),
        _ => None,
    })
}

/// Whether a plan takes signals or messages.
#[must_use]
pub fn takes_mail(plan: &Plan) -> bool {
    let waits = |kind: &NodeKind| matches!(kind, NodeKind::Wait(WaitPlan::Signal { .. } | WaitPlan::Message { .. }));
    plan.nodes.values().any(|node| waits(&node.kind)) || received(plan).next().is_some()
}

/// Whether a signal with this payload, a JSON text, is one that the plan waits for.
///
/// # Errors
/// Says what is wrong with it.
pub fn check_signal(signals: &BTreeMap<Name, Type>, name: &str, payload: &str) -> Result<(), SignalError> {
    let Some(ty) = signals.get(name) else {
        return Err(SignalError::Unknown { name: name.to_owned(), known: signals.keys().map(ToString::to_string).collect() });
    };
    if payload.len() > MAX_PAYLOAD {
        return Err(SignalError::Size { name: name.to_owned(), size: payload.len() });
    }
    let wrong = |reason: String| SignalError::Payload { name: name.to_owned(), ty: ty.to_string(), reason };
    catalog::json::parse(payload, ty).map(drop).map_err(|error| wrong(error.to_string()))
}
