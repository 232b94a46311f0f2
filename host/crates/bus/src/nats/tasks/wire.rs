//! The form of what owners and workers say to each other: tasks, words about a task, answers, outcomes.
//!
//! Everything is a JSON object with the version `v`. Values have the documented JSON form; arguments that only flows have cross
//! as components see them: a `json` as its text, a `duration` as nanoseconds. A document that is too long for a message is
//! kept in a bucket, and the message has its `blob` in place of it. Described in `host/docs/cluster.md`.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Digest, FailureKind, Type, Value};
use engine::event::{Bill, Denial, Failure};
use engine::permit::Permit;
use engine::ports::{GrantedCapability, Limits, Offer, Outcome};
use journal::wire::parse_digest;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The version that is written.
pub(super) const VERSION: u32 = 1;

/// What every document has.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

/// A document in a message, or where it is.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Parcel {
    v: u32,
    /// `sha256:…` of the document.
    pub(super) blob: String,
}

/// An attempt that is to be run.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    v: u32,
    /// No other task has it.
    pub(super) id: u64,
    /// Where words about it go: the last part of a subject.
    pub(super) owner: String,
    /// Run and path.
    pub(super) key: String,
    /// Of the attempt, counted from 1.
    pub(super) number: u32,
    pub(super) repeatable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) class: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) class_parallel: Option<u32>,
    component: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) interface: Option<String>,
    pub(super) function: String,
    args: Vec<Box<RawValue>>,
    /// As `--allow` writes them.
    grants: Vec<String>,
    limits: StoredLimits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<StoredFailure>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLimits {
    fuel: u64,
    memory: u64,
    /// Nanoseconds.
    timeout: u64,
    table_elements: u64,
    result_size: u64,
    log_size: u64,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFailure {
    kind: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    details: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

/// What a worker says about a task to its owner.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Word {
    pub(super) v: u32,
    pub(super) says: Says,
    pub(super) task: u64,
    /// Tells the same worker's same try when it says it again.
    pub(super) claim: String,
    /// Where the owner can stop it: the last part of a subject.
    pub(super) worker: String,
    /// Why it refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    /// How it ended, in a parcel where that is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) outcome: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) blob: Option<String>,
}

/// What a word is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Says {
    /// It is ready to begin, and asks whether it may.
    Claim,
    /// It runs.
    Beat,
    /// It has ended.
    Outcome,
    /// It was stopped, and runs no more.
    Stopped,
    /// Nobody was found who can run it.
    Refuse,
}

/// What an owner answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    v: u32,
    /// Whether the worker may go on with the task.
    pub(super) go: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredOutcome {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<StoredFailure>,
    bill: StoredBill,
    denials: Vec<(String, String)>,
    log: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredBill {
    fuel: u64,
    peak_memory: u64,
    wall: u64,
    host_calls: u64,
    bytes_out: u64,
}

/// Why a document cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// A newer program wrote it.
    Newer(u32),
    /// It is not one of ours.
    Garbage(String),
}

fn garbage(why: impl std::fmt::Display) -> Unreadable {
    Unreadable::Garbage(why.to_string())
}

/// Reads a document of the version that is known.
pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, Unreadable> {
    let Versioned { v } = serde_json::from_slice(text).map_err(garbage)?;
    if v > VERSION {
        return Err(Unreadable::Newer(v));
    }
    serde_json::from_slice(text).map_err(garbage)
}

/// A document as text.
pub(super) fn write(document: &impl Serialize) -> Vec<u8> {
    // What is serialized has no maps with other keys than texts, so that it never fails.
    serde_json::to_vec(document).unwrap_or_default()
}

impl Parcel {
    /// The message that stands for a document that is elsewhere.
    pub(super) fn of(digest: Digest) -> Self {
        Self { v: VERSION, blob: digest.to_string() }
    }

    /// Where the document of a message is, if it is not in it.
    pub(super) fn in_message(text: &[u8]) -> Option<Digest> {
        serde_json::from_slice::<Self>(text).ok().and_then(|parcel| parse_digest(&parcel.blob))
    }
}

impl Task {
    /// What is offered, as a document.
    ///
    /// # Errors
    /// A value cannot leave this host.
    pub(super) fn of(id: u64, owner: &str, offer: &Offer) -> Result<Self, String> {
        let Offer { invocation, kind, class_parallel, repeatable, .. } = offer;
        let args = invocation.args.iter().map(|arg| raw(&plain(arg))).collect::<Result<_, _>>()?;
        Ok(Self {
            v: VERSION,
            id,
            owner: owner.to_owned(),
            key: invocation.idempotency_key.to_string(),
            number: invocation.number,
            repeatable: *repeatable,
            class: kind.class.as_deref().map(str::to_owned),
            class_parallel: *class_parallel,
            component: invocation.function.component.to_string(),
            interface: invocation.function.interface.clone(),
            function: invocation.function.wit_name.clone(),
            args,
            grants: invocation.grants.iter().map(|grant| Permit::of(grant).to_string()).collect(),
            limits: stored_limits(&invocation.limits),
            previous: invocation.previous_failure.as_ref().map(stored_failure),
        })
    }

    /// The component that it calls.
    pub(super) fn component(&self) -> Result<Digest, Unreadable> {
        parse_digest(&self.component).ok_or_else(|| garbage(format_args!("`{}` is no digest", self.component)))
    }

    /// Its arguments, of these types.
    pub(super) fn args(&self, params: &[(catalog::Name, Type)]) -> Result<Vec<Value>, Unreadable> {
        if params.len() != self.args.len() {
            return Err(garbage(format_args!("it has {} arguments for {} parameters", self.args.len(), params.len())));
        }
        let args = self.args.iter().zip(params).map(|(arg, (name, ty))| {
            catalog::json::parse(arg.get(), ty).map_err(|error| garbage(format_args!("the argument `{name}`: {error}")))
        });
        args.collect()
    }

    /// What it is granted.
    pub(super) fn grants(&self) -> Result<Vec<GrantedCapability>, Unreadable> {
        let granted = |text: &String| match text.parse::<Permit>().map_err(garbage)? {
            Permit::Http(host) => Ok(GrantedCapability::Http(host)),
            Permit::Env(name) => Ok(GrantedCapability::Env(name)),
            Permit::Clock => Ok(GrantedCapability::Clock),
            Permit::Random => Ok(GrantedCapability::Random),
            // What has mail stays with its run.
            Permit::Mail(..) => Err(garbage("mail does not leave the host of its run")),
            Permit::Folder(..) => Err(garbage("a folder does not leave its host")),
        };
        self.grants.iter().map(granted).collect()
    }

    /// What bounds it.
    pub(super) fn limits(&self) -> Limits {
        let StoredLimits { fuel, memory, timeout, table_elements, result_size, log_size } = self.limits;
        Limits { fuel, memory, timeout: Duration::from_nanos(timeout), table_elements, result_size, log_size }
    }

    /// Why the attempt before failed.
    pub(super) fn previous(&self) -> Result<Option<Failure>, Unreadable> {
        self.previous.clone().map(failure).transpose()
    }
}

impl Word {
    pub(super) fn new(says: Says, task: u64, claim: &str, worker: &str) -> Self {
        let (claim, worker) = (claim.to_owned(), worker.to_owned());
        Self { v: VERSION, says, task, claim, worker, why: None, outcome: None, blob: None }
    }

    /// Where the outcome is, if it is not in the word.
    pub(super) fn blob(&self) -> Option<Digest> {
        self.blob.as_deref().and_then(parse_digest)
    }
}

impl Answer {
    pub(super) const fn new(go: bool) -> Self {
        Self { v: VERSION, go }
    }
}

/// A task that a worker is to stop.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Halt {
    v: u32,
    pub(super) owner: String,
    pub(super) task: u64,
}

impl Halt {
    pub(super) fn new(owner: &str, task: u64) -> Self {
        Self { v: VERSION, owner: owner.to_owned(), task }
    }
}

/// How an attempt ended, as a document.
pub(super) fn outcome_text(outcome: &Outcome) -> Result<Box<RawValue>, String> {
    let Outcome { result, bill, denials, log, .. } = outcome;
    let (value, failure) = match result {
        Ok(value) => (Some(raw(value)?), None),
        Err(failure) => (None, Some(stored_failure(failure))),
    };
    let Bill { fuel, peak_memory, wall, host_calls, bytes_out, .. } = *bill;
    let stored = StoredOutcome {
        value,
        failure,
        bill: StoredBill { fuel, peak_memory, wall, host_calls, bytes_out },
        denials: denials.iter().map(|denial| (denial.capability.clone(), denial.subject.clone())).collect(),
        log: log.clone(),
    };
    serde_json::value::to_raw_value(&stored).map_err(|error| error.to_string())
}

/// How an attempt ended whose step gives this type.
pub(super) fn outcome(text: &[u8], output: &Type, bytes_in: u64) -> Result<Outcome, Unreadable> {
    let stored: StoredOutcome = serde_json::from_slice(text).map_err(garbage)?;
    let result = match (&stored.value, stored.failure) {
        (Some(value), None) => Ok(catalog::json::parse(value.get(), output).map_err(garbage)?),
        // A value of nothing is null, which reads as none.
        (None, None) if *output == Type::Unit || matches!(output, Type::Option(_)) => {
            Ok(catalog::json::parse("null", output).map_err(garbage)?)
        }
        (None, Some(stored)) => Err(failure(stored)?),
        _ => return Err(garbage("it has neither a value nor a failure, or both")),
    };
    let StoredBill { fuel, peak_memory, wall, host_calls, bytes_out } = stored.bill;
    Ok(Outcome {
        bill: Bill { fuel, peak_memory, wall, host_calls, bytes_in, bytes_out, attempts: 0 },
        denials: stored.denials.into_iter().map(|(capability, subject)| Denial { capability, subject }).collect(),
        log: stored.log,
        ..Outcome::new(result)
    })
}

fn raw(value: &Value) -> Result<Box<RawValue>, String> {
    let mut text = String::new();
    catalog::json::write_json(value, &mut text);
    RawValue::from_string(text).map_err(|error| error.to_string())
}

/// A value as a component sees it, which knows no documents and no lengths of time.
fn plain(value: &Value) -> Value {
    let inner = |value: &Option<Arc<Value>>| value.as_ref().map(|value| Arc::new(plain(value)));
    match value {
        Value::Json(document) => Value::string(document.to_string()),
        Value::Duration(nanoseconds) => Value::U64(*nanoseconds),
        Value::List(items) => Value::List(items.iter().map(plain).collect()),
        Value::Tuple(items) => Value::Tuple(items.iter().map(plain).collect()),
        Value::Record(fields) => Value::Record(fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect()),
        Value::Variant(name, value) => Value::Variant(name.clone(), inner(value)),
        Value::Option(value) => Value::Option(inner(value)),
        Value::Result(Ok(value)) => Value::Result(Ok(inner(value))),
        Value::Result(Err(value)) => Value::Result(Err(inner(value))),
        other => other.clone(),
    }
}

fn stored_limits(limits: &Limits) -> StoredLimits {
    let Limits { fuel, memory, timeout, table_elements, result_size, log_size } = limits.clone();
    let timeout = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
    StoredLimits { fuel, memory, timeout, table_elements, result_size, log_size }
}

fn stored_failure(failure: &Failure) -> StoredFailure {
    StoredFailure {
        kind: failure.kind.name().to_owned(),
        message: failure.message.clone(),
        details: failure.details.as_deref().cloned(),
        retry_after: failure.retry_after,
    }
}

fn failure(stored: StoredFailure) -> Result<Failure, Unreadable> {
    let StoredFailure { kind, message, details, retry_after } = stored;
    let known = kind.parse::<FailureKind>().map_err(|()| garbage(format_args!("`{kind}` is no kind of failure")))?;
    Ok(Failure { kind: known, message, details: details.map(Arc::new), retry_after })
}

#[cfg(test)]
mod tests;
