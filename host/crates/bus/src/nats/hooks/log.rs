//! How calls of hooks went, for people.

use std::collections::VecDeque;
use std::time::Duration;

use engine::event::Timestamp;
use engine::ports::JournalError;
use serde_json::{Value, json};

use super::super::connection::{Connection, Link};
use super::super::fetch::batch;
use super::{Handler, stream_name};

/// One call of a hook's handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookCall {
    /// The name of the hook; empty as long as it is not stored.
    pub hook: String,
    /// `before` or `after`.
    pub phase: String,
    /// `run`, `step`, `attempt` or `message`.
    pub event: String,
    /// Whose.
    pub run: String,
    /// The path of the call.
    pub path: String,
    /// When it began.
    pub at: Timestamp,
    /// How long it took, in milliseconds.
    pub millis: u64,
    /// Which try, counted from 1.
    pub attempt: u64,
    /// `allow`, `veto`, `rewrite`, `done`, `failed` or `dead`: it failed and is not tried again.
    pub outcome: String,
    /// Why, of a `veto` or a failure.
    pub reason: Option<String>,
}

impl HookCall {
    pub(super) fn new(
        run: &str,
        path: &str,
        at: Timestamp,
        took: Duration,
        attempt: u64,
        outcome: String,
        reason: Option<String>,
    ) -> Self {
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let nothing = String::new();
        let (run, path) = (run.to_owned(), path.to_owned());
        Self { hook: nothing.clone(), phase: nothing.clone(), event: nothing, run, path, at, millis, attempt, outcome, reason }
    }

    /// As a document.
    #[must_use]
    pub fn document(&self) -> Value {
        json!({
            "v": 1,
            "hook": self.hook,
            "phase": self.phase,
            "event": self.event,
            "run": self.run,
            "path": self.path,
            "at": self.at.0,
            "duration_ms": self.millis,
            "attempt": self.attempt,
            "outcome": self.outcome,
            "reason": self.reason,
        })
    }

    fn read(text: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(text).ok()?;
        let text = |name: &str| document.get(name)?.as_str().map(str::to_owned);
        let number = |name: &str| document.get(name)?.as_u64();
        Some(Self {
            hook: text("hook")?,
            phase: text("phase")?,
            event: text("event")?,
            run: text("run")?,
            path: text("path")?,
            at: Timestamp(number("at")?),
            millis: number("duration_ms")?,
            attempt: number("attempt")?,
            outcome: text("outcome")?,
            reason: text("reason"),
        })
    }
}

/// Notes a call. Nobody waits for it, and it may get lost: what was decided is in the run's journal.
pub(super) async fn note(link: &Link, handler: Handler<'_>, call: &HookCall) {
    let mut document = call.document();
    let mut parts = handler.text.splitn(3, '.');
    for name in ["phase", "event", "hook"] {
        if let (Some(part), Some(field)) = (parts.next(), document.get_mut(name)) {
            *field = Value::from(part);
        }
    }
    let subject = format!("flow.{}.hooks.log.{}", link.namespace(), handler.text);
    drop(link.client.publish(subject, document.to_string().into()).await);
}

/// The calls of a namespace.
#[derive(Clone, Copy, Debug)]
pub struct HookLog;

impl HookLog {
    /// The last calls, the oldest of them first; of one hook, or of all. Blocks.
    ///
    /// # Errors
    /// The servers do not answer.
    pub fn last(connection: &Connection, hook: Option<&str>, most: usize) -> Result<Vec<HookCall>, JournalError> {
        let (link, hook) = (connection.link().clone(), hook.unwrap_or("*").to_owned());
        connection.block(async move {
            let subject = format!("flow.{}.hooks.log.*.*.{hook}", link.namespace());
            let (mut found, mut next) = (VecDeque::new(), 1);
            loop {
                let part = batch(&link, &stream_name(&link), &subject, next).await?;
                let Some(last) = part.last() else { return Ok(found.into()) };
                next = last.sequence + 1;
                found.extend(part.iter().filter_map(|message| HookCall::read(&message.payload)));
                found.drain(..found.len().saturating_sub(most));
            }
        })
    }
}
