//! What a report says: for `host escalations --json`, and as a CloudEvents 1.0 document for the webhook.

use catalog::FailureKind;
use engine::event::{Amounts, TaskId, Tried};
use journal::EscalationRow;
use serde_json::{Value, json};

use crate::commands::documents;
use crate::output;

/// The report about an escalated step.
pub(crate) fn document(row: &EscalationRow) -> Value {
    let escalation = &row.escalation;
    let kind = escalation.failure.kind;
    json!({
        "id": id(row),
        "at": output::time(row.at),
        "run": &*row.run.0,
        "flow": row.flow,
        "labels": documents::stored(&row.labels),
        "task": escalation.attempt.task.0,
        "path": &*escalation.attempt.path,
        "attempt": escalation.attempt.number,
        "kind": kind.name(),
        "severity": severity(kind, &escalation.attempt.path),
        "message": escalation.failure.message,
        "tried": escalation.tried.iter().map(tried).collect::<Vec<_>>(),
        "paused": escalation.paused.iter().map(|path| &**path).collect::<Vec<_>>(),
        "recommended": recommended(kind),
        "decide": commands(&row.run.0, escalation.attempt.task).map(|(command, _)| command),
        "state": { "status": row.status, "owner": row.owner },
    })
}

/// The same as an event of the CloudEvents standard, in its JSON form.
pub(super) fn cloud_event(row: &EscalationRow) -> Value {
    json!({
        "specversion": "1.0",
        "id": id(row),
        "source": format!("urn:flowhost:run:{}", row.run),
        "type": "flowhost.escalated",
        "subject": &*row.escalation.attempt.path,
        "time": output::time(row.at),
        "datacontenttype": "application/json",
        "data": document(row),
    })
}

/// The same each time that the same report is sent: who gets it twice can tell.
fn id(row: &EscalationRow) -> String {
    format!("{}/{}", row.run, row.seq)
}

/// The commands that decide about a step, and what each does.
pub(crate) fn commands(run: &str, task: TaskId) -> [(String, &'static str); 4] {
    let task = task.0;
    [
        (format!("host resume {run} --retry {task}"), "runs it again"),
        (format!("host resume {run} --retry {task}=memory:1GiB,timeout:5m"), "with these limits"),
        (format!("host resume {run} --supply {task}=JSON"), "states its result"),
        (format!("host resume {run} --fail {task}=MESSAGE"), "lets it fail"),
    ]
}

fn tried(tried: &Tried) -> Value {
    json!({
        "attempt": tried.number,
        "by": tried.by.name(),
        "kind": tried.kind.name(),
        "message": tried.message,
        "limits": documents::amounts(&tried.limits),
    })
}

/// Wrong results and what could not be taken back are worse than what did not come about.
fn severity(kind: FailureKind, path: &str) -> &'static str {
    let critical = matches!(kind, FailureKind::Calculation | FailureKind::Logic) || path.contains(".undo");
    if critical { "critical" } else { "warning" }
}

/// What usually helps.
const fn recommended(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Calculation | FailureKind::Logic => {
            "look at the step's input and at the component; supply the right result, or let the step fail"
        }
        FailureKind::Resource => "run it again with larger limits, or with less input",
        FailureKind::Timeout => "run it again with a longer timeout, or look for what it waits for",
        FailureKind::Network | FailureKind::Dependency => "see whether what it needs can be reached, then run it again",
        FailureKind::Permission => "see what the operator's policy permits",
        FailureKind::InvalidInput => "look at the step's input; supply the right result, or let the step fail",
        FailureKind::Internal | FailureKind::Error => "look at the component and at its log, then run it again or let it fail",
    }
}

/// Limits with their units, for people; empty when nothing is said.
pub(crate) fn amounts(amounts: &Amounts) -> String {
    let parts = [
        amounts.timeout.map(|timeout| format!("timeout {}", catalog::duration::display(timeout))),
        amounts.memory.map(|memory| format!("memory {} MiB", memory >> 20)),
        amounts.fuel.map(|fuel| format!("fuel {fuel}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
