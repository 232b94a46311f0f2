//! Why a run has failed: where that is in its flow, what was tried, what still stands, and what can be done.

use engine::event::{Amounts, EventBody, Failure, Timestamp};
use serde_json::{Value, json};

use super::Known;
use crate::commands::documents;
use crate::escalation::amounts;
use crate::output;
use crate::stored::{self, Line};

/// So many attempts are shown, the last ones.
const SHOWN: usize = 8;

/// An attempt of the step that the run failed at.
struct Tried<'k> {
    number: u32,
    at: Timestamp,
    failure: &'k Failure,
    /// What it might use beyond what its flow asks for.
    limits: Amounts,
}

/// Lines for people, and commands.
pub(super) fn tell(known: &Known) -> (Vec<String>, Vec<String>) {
    let path = known.row.failure_path.as_deref().unwrap_or_default();
    let mut lines: Vec<String> = line(known, path).iter().map(place).collect();
    let tried = tried(known, path);
    if tried.len() > SHOWN {
        lines.push(format!("  after {} other attempts:", tried.len() - SHOWN));
    }
    for tried in tried.iter().skip(tried.len().saturating_sub(SHOWN)) {
        let limits = amounts(&tried.limits);
        let with = if limits.is_empty() { String::new() } else { format!(" with {limits}") };
        let Failure { kind, message, .. } = tried.failure;
        lines.push(format!("  attempt {}{with} ended {}: {kind}: {message}", tried.number, output::time(tried.at)));
    }
    for (path, failure) in known.run.not_undone() {
        let undone = path.split_once(".undo").map_or(&**path, |(undone, _)| undone);
        lines.push(format!("  `{undone}` is not undone: `{path}` failed: {}: {}", failure.kind, failure.message));
        lines.extend(line(known, path).iter().map(place));
    }
    let id = &known.row.id;
    (lines, vec![format!("host show {id}"), format!("host retry {id}")])
}

/// The same for programs.
pub(super) fn document(known: &Known) -> Value {
    let path = known.row.failure_path.as_deref().unwrap_or_default();
    let tried = tried(known, path).into_iter().map(|tried| {
        json!({
            "attempt": tried.number,
            "ended": output::time(tried.at),
            "failure": documents::failure(tried.failure),
            "limits": documents::amounts(&tried.limits),
        })
    });
    json!({
        "path": path,
        "source": line(known, path).map(|Line { file, line, text }| json!({ "file": file, "line": line, "text": text })),
        "attempts": tried.collect::<Vec<_>>(),
        "not_undone": known.run.not_undone().iter().map(|(path, failure)| documents::failure_at(failure, path)).collect::<Vec<_>>(),
    })
}

fn line<'k>(known: &'k Known, path: &str) -> Option<Line<'k>> {
    stored::line(known.plans.current(), &known.sources, known.run.node_at(path)?)
}

fn place(Line { file, line, text }: &Line<'_>) -> String {
    format!("  {file}:{line}: {text}")
}

fn tried<'k>(known: &'k Known, path: &str) -> Vec<Tried<'k>> {
    let mut limits = Amounts::default();
    let mut all = Vec::new();
    for event in &known.events {
        match &event.body {
            EventBody::AttemptStarted { attempt, limits: raised, .. } if *attempt.path == *path => {
                limits = raised.unwrap_or_default();
            }
            EventBody::AttemptFailed { attempt, failure, .. } if *attempt.path == *path => {
                all.push(Tried { number: attempt.number, at: event.at, failure, limits: std::mem::take(&mut limits) });
            }
            _ => {}
        }
    }
    all
}
