//! What is read of events and of their data. Fields that nobody here knows are passed over: a sender may add some.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// An event, as CloudEvents has it in JSON.
#[derive(Debug, Deserialize)]
pub(in crate::nats) struct Event<'a> {
    #[serde(borrow)]
    pub(super) specversion: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) id: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) datacontenttype: Option<Cow<'a, str>>,
    #[serde(borrow, default, deserialize_with = "present")]
    pub(super) data: Option<&'a RawValue>,
    /// Where the data is instead.
    #[serde(borrow, default)]
    pub(super) dataref: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) traceparent: Option<Cow<'a, str>>,
}

/// A field that is there, also with null.
fn present<'a, D: serde::Deserializer<'a>>(from: D) -> Result<Option<&'a RawValue>, D::Error> {
    Deserialize::deserialize(from).map(Some)
}

/// What an agent is asked.
#[derive(Debug, Deserialize)]
pub(in crate::nats) struct Assignment<'a> {
    #[serde(borrow)]
    pub(in crate::nats) task_id: Cow<'a, str>,
    pub(in crate::nats) attempt: u32,
    /// RFC 3339.
    #[serde(borrow)]
    pub(in crate::nats) deadline: Cow<'a, str>,
    /// An object, by parameter.
    #[serde(borrow)]
    pub(in crate::nats) args: &'a RawValue,
    #[serde(default)]
    pub(in crate::nats) previous_failure: Option<Failed>,
}

/// Which attempt something is about.
#[derive(Debug, Deserialize)]
pub(in crate::nats) struct About<'a> {
    #[serde(borrow)]
    pub(in crate::nats) task_id: Cow<'a, str>,
    #[serde(default)]
    pub(in crate::nats) attempt: Option<u32>,
}

/// How far an agent is.
#[derive(Debug, Deserialize)]
pub(in crate::nats) struct Progress {
    pub(in crate::nats) progress: Step,
}

/// A part of the way.
#[derive(Debug, Deserialize)]
pub(in crate::nats) struct Step {
    pub(in crate::nats) percentage: f64,
    #[serde(default)]
    pub(in crate::nats) note: Option<String>,
}

/// What an agent gives.
#[derive(Debug, Deserialize)]
pub(in crate::nats) struct Completion<'a> {
    #[serde(borrow)]
    pub(in crate::nats) value: &'a RawValue,
}

/// Why an agent gives nothing.
#[derive(Debug, Deserialize)]
pub(in crate::nats) struct Refusal {
    pub(in crate::nats) failure: Failed,
}

/// A failure, as flows see it.
#[derive(Debug, Deserialize)]
pub(in crate::nats) struct Failed {
    pub(super) kind: String,
    pub(super) message: String,
    #[serde(default)]
    pub(super) details: Option<serde_json::Value>,
    /// A length of time such as `30s`.
    #[serde(default)]
    pub(super) retry_after: Option<String>,
}

/// What a handler before an event says.
#[derive(Debug, Deserialize)]
pub(in crate::nats) struct Verdict<'a> {
    #[serde(borrow)]
    pub(in crate::nats) verdict: Cow<'a, str>,
    #[serde(default)]
    pub(in crate::nats) reason: Option<String>,
    /// What goes on instead.
    #[serde(borrow, default)]
    pub(in crate::nats) document: Option<&'a RawValue>,
}

/// What a handler after an event says.
#[derive(Debug, Deserialize)]
pub(in crate::nats) struct Done {
    /// It is to be told again.
    #[serde(default)]
    pub(in crate::nats) failure: Option<Failed>,
}
