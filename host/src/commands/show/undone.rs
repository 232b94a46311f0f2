//! What a run took back, in the order in which it began to.

use journal::{AttemptRow, AttemptState};
use serde_json::{Value, json};

use crate::output;

/// A compensation that ran.
pub(super) struct Undone {
    /// Of the step whose effect is taken back.
    path: String,
    /// Attempts of its own steps.
    attempts: u32,
    last: AttemptState,
    /// Whether nothing more becomes of it.
    over: bool,
    /// Why its last attempt failed.
    message: Option<String>,
}

impl Undone {
    fn outcome(&self) -> &'static str {
        match self.last {
            AttemptState::Running => "running",
            AttemptState::Succeeded => "undone",
            AttemptState::Failed if self.over => "failed",
            // For its next attempt, or for a decision.
            AttemptState::Failed => "waits",
            AttemptState::Cancelled => "stopped",
            AttemptState::OutcomeUnknown => "outcome unknown",
        }
    }
}

/// The compensations of a run, from its attempts in order. How the last attempt of one ended is how it stands; `over` says that
/// the run has ended.
pub(super) fn undone(attempts: &[AttemptRow], over: bool) -> Vec<Undone> {
    let mut all: Vec<Undone> = Vec::new();
    for row in attempts {
        let Some((path, _)) = row.attempt.path.split_once(".undo/") else { continue };
        let message = row.failure.as_ref().map(|failure| format!("{}: {}", failure.kind, failure.message));
        match all.iter_mut().find(|undone| undone.path == path) {
            Some(undone) => (undone.attempts, undone.last, undone.message) = (undone.attempts + 1, row.state, message),
            None => all.push(Undone { path: path.to_owned(), attempts: 1, last: row.state, over, message }),
        }
    }
    // Those before the last one are over as well: one begins when the one before it has ended.
    let last = all.len().saturating_sub(1);
    all.iter_mut().enumerate().for_each(|(place, undone)| undone.over |= place < last);
    all
}

pub(super) fn document(undone: &Undone) -> Value {
    json!({ "path": undone.path, "outcome": undone.outcome(), "attempts": undone.attempts, "failure": undone.message })
}

/// A table of them with a heading; empty when there are none.
pub(super) fn text(all: &[Undone]) -> String {
    if all.is_empty() {
        return String::new();
    }
    let lines = (1_usize..).zip(all).map(|(place, undone)| {
        let message = undone.message.clone().unwrap_or_default();
        [
            place.to_string(),
            undone.path.clone(),
            undone.outcome().to_owned(),
            undone.attempts.to_string(),
            message.chars().take(100).collect(),
        ]
    });
    format!("\ntaken back, in this order:\n{}", output::columns(["", "PATH", "OUTCOME", "TRIES", ""], lines))
}

#[cfg(test)]
mod tests {
    use engine::event::{Attempt, TaskId};
    use journal::{AttemptRow, AttemptState};

    use super::{Undone, text, undone};

    fn row(path: &str, number: u32, state: AttemptState) -> AttemptRow {
        AttemptRow {
            attempt: Attempt { task: TaskId(0), number, path: path.into() },
            state,
            host: None,
            elsewhere: false,
            started: None,
            ended: None,
            bill: None,
            failure: None,
            cache: None,
            limits: None,
        }
    }

    #[test]
    fn each_compensation_is_one_line_in_the_order_in_which_it_began() {
        let rows = [
            row("main/a", 1, AttemptState::Succeeded),
            row("main/b.undo/x", 1, AttemptState::Failed),
            row("main/b.undo/x", 2, AttemptState::Succeeded),
            row("main/a.undo/y", 1, AttemptState::Failed),
        ];
        let found = text(&undone(&rows, true));
        let lines: Vec<Vec<&str>> = found.lines().skip(3).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines, [["1", "main/b", "undone", "2"], ["2", "main/a", "failed", "1"]]);
        assert_eq!(text(&undone(&rows[..1], true)), "");
        let open = |count: usize| undone(&rows[..count], false).iter().map(Undone::outcome).collect::<Vec<_>>();
        assert_eq!((open(2), open(4)), (vec!["waits"], vec!["undone", "waits"]));
    }
}
