//! What is said over the service's socket: one JSON document in a line, in both directions.
//!
//! A request is `{"v": 1, "do": "submit" | "session-open" | "session-close" | "status" | "follow" | "stop" | "wake" | "write", …}`. The answer is `{"v": 1, "ok": …}` or
//! `{"v": 1, "error": text, "help": text or null, "exit": code}`. After the answer to `follow` come `{"v": 1, "update": …}`
//! and last `{"v": 1, "end": why}`.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::core::Following;
use engine::event::{Bill, CacheNote, Denial, Failure, TaskId};
use engine::shell::Update;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::exit::{Exit, Problem};
use crate::sessions::Document;

/// The protocol's version.
pub(super) const VERSION: u64 = 1;

/// The longest line in bytes.
pub(super) const MAX_LINE: usize = 16 << 20;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub(crate) enum Request {
    /// Starts a run.
    Submit(Box<Submission>),
    /// Opens a session. The programs of its hooks are in the store.
    SessionOpen(Box<SessionOpening>),
    /// Closes a session whose runs have ended.
    SessionClose {
        /// Its id.
        session: String,
    },
    /// How the service is.
    Status,
    /// Streams what happens to a run.
    Follow {
        /// Its id.
        run: String,
    },
    /// Drains and ends the service.
    Stop,
    /// Looks for mail, deployments and sessions now.
    Wake,
    /// Writes something beside events to the streams that the store is a replica of.
    Write {
        /// The document of the change, as the streams have it.
        change: Value,
    },
}

/// A run that is to be started. Its program is in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Submission {
    /// The digest of the program, as `sha256:…`.
    pub(crate) program: String,
    /// The flow's parameters by name.
    pub(crate) input: Map<String, Value>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// What the operator permits.
    #[serde(default)]
    pub(crate) allow: Vec<String>,
    /// Two submissions with the same id are one.
    #[serde(default)]
    pub(crate) id: Option<String>,
    /// The `traceparent` of whoever submits it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace: Option<String>,
}

/// A run that waits in the queue of a cluster for a host with room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Waiting {
    v: u64,
    pub(super) run: String,
    pub(super) submission: Submission,
}

impl Waiting {
    pub(super) const fn new(run: String, submission: Submission) -> Self {
        Self { v: VERSION, run, submission }
    }

    /// Its document back.
    pub(super) fn read(document: &[u8]) -> Result<Self, Problem> {
        let read: Self = serde_json::from_slice(document).map_err(|error| Problem::usage(error.to_string()))?;
        if read.v == VERSION { Ok(read) } else { Err(Problem::usage(format!("it has the unknown version {}", read.v))) }
    }
}

/// A session that is to be opened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct SessionOpening {
    /// As it is stored: the flow file, what is permitted, the hooks.
    pub(crate) document: Document,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
}

/// Reads a request.
pub(super) fn request(line: &[u8]) -> Result<Request, Problem> {
    let wrong = |what: String| Problem::usage(format!("the request cannot be read: {what}"));
    let document: Value = serde_json::from_slice(line).map_err(|error| wrong(error.to_string()))?;
    match document.get("v").and_then(Value::as_u64) {
        Some(VERSION) => serde_json::from_value(document).map_err(|error| wrong(error.to_string())),
        Some(other) => Err(wrong(format!("it is of version {other}, this service speaks version {VERSION}"))),
        None => Err(wrong("it has no version".to_owned())),
    }
}

/// Writes a request as a line.
pub(crate) fn request_line(request: &Request) -> Result<String, Problem> {
    let mut document = serde_json::to_value(request).map_err(|error| Problem::usage(error.to_string()))?;
    if let Value::Object(fields) = &mut document {
        fields.insert("v".to_owned(), VERSION.into());
    }
    Ok(format!("{document}\n"))
}

/// The line of an answer.
pub(super) fn answer(answer: &Result<Value, Problem>) -> String {
    let document = match answer {
        Ok(value) => json!({ "v": VERSION, "ok": value }),
        Err(problem) => {
            json!({ "v": VERSION, "error": problem.message, "help": problem.help, "exit": problem.exit.code() })
        }
    };
    format!("{document}\n")
}

/// What comes back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Ok(Value),
    Update(Update),
    End(String),
}

/// Reads a line that came back.
pub(crate) fn reply(line: &[u8]) -> Result<Reply, Problem> {
    let strange = |what: &str| Problem::new(Exit::Store, format!("the service answered something strange: {what}"));
    let mut document: Value = serde_json::from_slice(line).map_err(|error| strange(&error.to_string()))?;
    if document.get("v").and_then(Value::as_u64) != Some(VERSION) {
        return Err(strange("another version of the protocol").help("client and service must be of the same version"));
    }
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    if let Some(message) = text("error") {
        let code = document.get("exit").and_then(Value::as_u64).and_then(|code| u8::try_from(code).ok());
        let problem = Problem::new(code.and_then(Exit::of_code).unwrap_or(Exit::Store), message);
        return Err(match text("help") {
            Some(help) => problem.help(help),
            None => problem,
        });
    }
    if let Some(why) = text("end") {
        return Ok(Reply::End(why.to_owned()));
    }
    if let Some(update) = document.get_mut("update") {
        let update: Told = serde_json::from_value(update.take()).map_err(|error| strange(&error.to_string()))?;
        return Ok(Reply::Update(update.into()));
    }
    document.get_mut("ok").map(|value| Reply::Ok(value.take())).ok_or_else(|| strange("neither an answer nor an error"))
}

/// The line of an update.
pub(super) fn update(update: &Update) -> Option<String> {
    Told::of(update).map(|told| format!("{}\n", json!({ "v": VERSION, "update": told })))
}

/// The last line of a stream.
pub(super) fn end(why: &str) -> String {
    format!("{}\n", json!({ "v": VERSION, "end": why }))
}

/// An update as it is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
enum Told {
    Started { task: u64, path: String, number: u32 },
    Succeeded { task: u64, path: String, fuel: u64, peak_memory: u64, wall_us: u64, cached: bool },
    Failed { task: u64, path: String, failure: String, message: String, next: Option<Next> },
    Cancelled { task: u64, path: String },
    Denied { path: String, capability: String, subject: String },
    Log { path: String, line: String },
    Waiting { what: String },
    Note { line: String },
}

/// The attempt that follows a failed one.
#[derive(Debug, Serialize, Deserialize)]
struct Next {
    number: u32,
    last: u32,
    wait_ms: u64,
}

impl Told {
    /// None of the last one, which the end of the stream says.
    fn of(update: &Update) -> Option<Self> {
        let text = |path: &Arc<str>| path.to_string();
        Some(match update {
            Update::Started { task, path, number } => Self::Started { task: task.0, path: text(path), number: *number },
            Update::Succeeded { task, path, bill, cache } => Self::Succeeded {
                task: task.0,
                path: text(path),
                fuel: bill.fuel,
                peak_memory: bill.peak_memory,
                wall_us: bill.wall,
                cached: matches!(cache, Some(CacheNote::Hit)),
            },
            Update::Failed { task, path, failure, next } => Self::Failed {
                task: task.0,
                path: text(path),
                failure: failure.kind.name().to_owned(),
                message: failure.message.clone(),
                next: next.map(|Following { number, last, wait }| Next { number, last, wait_ms: wait }),
            },
            Update::Cancelled { task, path } => Self::Cancelled { task: task.0, path: text(path) },
            Update::Denied { path, denial } => {
                Self::Denied { path: text(path), capability: denial.capability.clone(), subject: denial.subject.clone() }
            }
            Update::Log { path, line } => Self::Log { path: text(path), line: line.clone() },
            Update::Waiting { what } => Self::Waiting { what: what.clone() },
            Update::Note { line } => Self::Note { line: line.clone() },
            Update::Ended => return None,
        })
    }
}

impl From<Told> for Update {
    fn from(told: Told) -> Self {
        match told {
            Told::Started { task, path, number } => Self::Started { task: TaskId(task), path: path.into(), number },
            Told::Succeeded { task, path, fuel, peak_memory, wall_us, cached } => Self::Succeeded {
                task: TaskId(task),
                path: path.into(),
                bill: Bill { fuel, peak_memory, wall: wall_us, ..Bill::default() },
                cache: cached.then_some(CacheNote::Hit),
            },
            Told::Failed { task, path, failure, message, next } => {
                let kind = failure.parse().unwrap_or(catalog::FailureKind::Error);
                let failure = Failure { kind, message, details: None, retry_after: None };
                let next = next.map(|Next { number, last, wait_ms }| Following { number, last, wait: wait_ms });
                Self::Failed { task: TaskId(task), path: path.into(), failure, next }
            }
            Told::Cancelled { task, path } => Self::Cancelled { task: TaskId(task), path: path.into() },
            Told::Denied { path, capability, subject } => {
                Self::Denied { path: path.into(), denial: Denial { capability, subject } }
            }
            Told::Log { path, line } => Self::Log { path: path.into(), line },
            Told::Waiting { what } => Self::Waiting { what },
            Told::Note { line } => Self::Note { line },
        }
    }
}
