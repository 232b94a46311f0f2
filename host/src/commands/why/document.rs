//! The answer for programs.

use engine::core::{Awaited, Condition, Explained};
use journal::RunStatus;
use serde_json::{Value, json};

use super::{Answer, Known, failed, words};
use crate::output;

/// Everything that is said, and what it is made of.
pub(super) fn document(known: &Known, node: Option<&str>, answer: &Answer) -> Value {
    json!({
        "run": &*known.row.id.0,
        "flow": known.row.flow,
        "status": known.row.status.name(),
        "owner": known.row.owner,
        "driven": known.driven,
        "node": node,
        "message": answer.headline,
        "needs_operator": answer.operator,
        "failed": (known.row.status == RunStatus::Failed).then(|| failed::document(known)),
        "standing": answer.standing.as_ref().map(|standing| of(known, standing)),
        "commands": answer.commands,
    })
}

fn of(known: &Known, standing: &Explained) -> Value {
    let mut fields = json!({
        "path": &*standing.path,
        "condition": name(&standing.condition),
        "text": words::condition(known, standing),
        "because": standing.because.iter().map(|cause| of(known, cause)).collect::<Vec<_>>(),
        "more": standing.more,
    });
    if let (Value::Object(fields), Value::Object(more)) = (&mut fields, details(&standing.condition)) {
        fields.extend(more);
    }
    fields
}

const fn name(condition: &Condition) -> &'static str {
    match condition {
        Condition::Done => "done",
        Condition::Absent => "absent",
        Condition::Starting => "starting",
        Condition::Dependencies => "dependencies",
        Condition::Inside { .. } => "inside",
        Condition::Stopping { .. } => "stopping",
        Condition::Undoing => "undoing",
        Condition::Running { .. } => "running",
        Condition::Key { .. } => "key",
        Condition::Places { .. } => "places",
        Condition::Rate { .. } => "rate",
        Condition::Trial { .. } => "trial",
        Condition::Backoff { .. } => "backoff",
        Condition::Paused { .. } => "paused",
        Condition::Undecided { .. } => "undecided",
        Condition::Asking => "asking",
        Condition::Decision(_) => "decision",
        Condition::Waits(_) => "waits",
        Condition::Sending { .. } => "sending",
    }
}

/// What a condition is made of.
fn details(condition: &Condition) -> Value {
    match condition {
        Condition::Running { task, number } => json!({ "task": task.0, "attempt": number }),
        Condition::Key { key, holder } => json!({ "key": &**key, "holder": &**holder }),
        Condition::Places { around, limit } => json!({ "around": &**around, "limit": limit }),
        Condition::Rate { count, per, until } => {
            json!({ "count": count, "per_ms": per / 1_000_000, "until": until.map(output::time) })
        }
        Condition::Trial { trial } => json!({ "trial": trial.as_deref() }),
        Condition::Backoff { until, number, breaker, .. } => {
            json!({ "until": output::time(*until), "attempt": number, "breaker_open_until": breaker.map(output::time) })
        }
        Condition::Paused { reason } => json!({ "reason": reason }),
        Condition::Undecided { about } => json!({ "about": &**about }),
        Condition::Decision(blocked) => json!({ "task": blocked.task.0, "attempt": blocked.number }),
        Condition::Sending { topic } => json!({ "topic": &**topic }),
        Condition::Waits(waiting) => {
            let (kind, name) = match &waiting.what {
                Awaited::Time => ("time", None),
                Awaited::Signal { name, .. } => ("signal", Some(&**name)),
                Awaited::Message { topic, .. } => ("message", Some(&**topic)),
                Awaited::Run { run, .. } => ("run", Some(&*run.0)),
            };
            json!({ "waits_for": kind, "name": name, "until": waiting.until.map(output::time) })
        }
        _ => json!({}),
    }
}
