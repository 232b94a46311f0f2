//! The bodies of version 1, as serde reads them. Unknown fields are refused: a program that does not know
//! what a field means must not replay the event without it.

use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::BODY_VERSION;
use super::recovery::{Amounts, Recovery, StoredTried};

/// What every body has.
#[derive(serde::Deserialize)]
pub(super) struct Versioned {
    pub(super) v: u32,
}

/// The version that these bodies have; another one is an error.
pub(super) struct Current;

impl<'de> Deserialize<'de> for Current {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            BODY_VERSION => Ok(Self),
            other => Err(serde::de::Error::custom(format_args!("version {other}"))),
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunStarted {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) flow: String,
    pub(super) plan: String,
    pub(super) program: String,
    pub(super) input: Pairs<Payload>,
    pub(super) labels: Pairs<String>,
    pub(super) semantics: u32,
    pub(super) permitted: Vec<String>,
    pub(super) recovery: Option<Recovery>,
    pub(super) host: String,
    pub(super) origin: Option<Origin>,
    pub(super) within: Option<Within>,
    pub(super) trace: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Origin {
    pub(super) run: String,
    pub(super) from: Vec<String>,
    pub(super) repeats: bool,
    pub(super) results: Vec<Reusable>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reusable {
    pub(super) path: String,
    pub(super) key: String,
    pub(super) output: Payload,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Within {
    pub(super) depth: u32,
    pub(super) steps: Option<u64>,
    pub(super) fuel: Option<u64>,
    pub(super) time: Option<u64>,
    pub(super) deadline: Option<u64>,
    pub(super) attempt_memory: Option<u64>,
    pub(super) attempt_fuel: Option<u64>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttemptStarted {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) task: u64,
    pub(super) number: u32,
    pub(super) host: String,
    pub(super) limits: Option<Amounts>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Denied {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) task: u64,
    pub(super) number: u32,
    pub(super) capability: String,
    pub(super) subject: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Taken {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) task: u64,
    pub(super) number: u32,
    pub(super) topic: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Posted {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) task: u64,
    pub(super) number: u32,
    pub(super) messages: Payload,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Posting {
    pub(super) topic: String,
    pub(super) payload: Box<RawValue>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttemptSucceeded {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) task: u64,
    pub(super) number: u32,
    pub(super) output: Payload,
    pub(super) bill: Bill,
    pub(super) cache: Option<String>,
    pub(super) host: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttemptFailed {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) task: u64,
    pub(super) number: u32,
    pub(super) failure: Failure,
    pub(super) bill: Bill,
    pub(super) host: Option<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignalReceived {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) name: String,
    pub(super) id: String,
    pub(super) payload: Payload,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageReceived {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) topic: String,
    pub(super) id: String,
    pub(super) payload: Payload,
}

/// `attempt-cancelled` and `outcome-unknown`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Over {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) task: u64,
    pub(super) number: u32,
    pub(super) host: Option<String>,
}

/// `message-sent`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnlyAttempt {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) task: u64,
    pub(super) number: u32,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimerFired {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) timer: u64,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OperatorDecision {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) task: u64,
    pub(super) decision: DecisionName,
    pub(super) output: Option<Payload>,
    pub(super) message: Option<String>,
    pub(super) limits: Option<Amounts>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Escalated {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) task: u64,
    pub(super) number: u32,
    pub(super) failure: Failure,
    pub(super) tried: Vec<StoredTried>,
    pub(super) paused: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DecisionName {
    Retry,
    Supply,
    Fail,
}

/// `paused`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OnlyReason {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) reason: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelRequested {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) reason: String,
    #[serde(default)]
    pub(super) gently: bool,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advanced {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) steps: u32,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ControlTaken {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) id: String,
    pub(super) refusal: Option<String>,
}

/// `resumed`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {
    #[serde(rename = "v")]
    _v: Current,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnerChanged {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) host: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Changed {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) what: ChangeName,
    pub(super) settings: Option<Settings>,
    pub(super) output: Option<Payload>,
    pub(super) name: Option<String>,
    pub(super) value: Option<Payload>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChangeName {
    Policy,
    Result,
    Input,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) retry: Option<u32>,
    pub(super) backoff: Option<u64>,
    pub(super) timeout: Option<u64>,
    pub(super) deadline: Option<u64>,
    pub(super) priority: Option<i32>,
    pub(super) class: Option<String>,
    pub(super) memory: Option<u64>,
    pub(super) fuel: Option<u64>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Migrated {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) from_plan: String,
    pub(super) from_program: String,
    pub(super) plan: String,
    pub(super) program: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RunEnded {
    #[serde(rename = "v")]
    _v: Current,
    pub(super) outcome: OutcomeName,
    pub(super) output: Option<Payload>,
    pub(super) failure: Option<Failure>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OutcomeName {
    Succeeded,
    Failed,
    Cancelled,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bill {
    pub(super) fuel: u64,
    pub(super) peak_memory: u64,
    pub(super) wall: u64,
    pub(super) host_calls: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    #[serde(default)]
    pub(super) attempts: u64,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failure {
    pub(super) kind: String,
    pub(super) message: String,
    pub(super) details: Option<Payload>,
    pub(super) retry_after: Option<u64>,
}

/// `{"value": …}` or `{"blob": "sha256:…", "size": n}`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Payload {
    #[serde(default, deserialize_with = "present")]
    pub(super) value: Option<Box<RawValue>>,
    pub(super) blob: Option<String>,
    pub(super) size: Option<u64>,
}

/// A null that is there is a value, not an absent one.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// The members of an object in the order of the text.
pub(super) struct Pairs<T>(pub(super) Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}

struct PairsVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for PairsVisitor<T> {
    type Value = Pairs<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<T>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}
