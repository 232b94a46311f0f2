//! What happened during a test, one line for each attempt that ended and each timer.

use engine::event::{Attempt, Event, EventBody, Failure};
use engine::trial::{AnsweredBy, TrialReport};
use serde_json::Value;

use crate::commands::documents;

/// More lines than this are not kept; the last ones say most.
const MOST_LINES: usize = 10_000;

/// In the order in which it happened.
pub(super) struct Trace {
    pub(super) lines: Vec<Line>,
    /// How many lines before these were left out.
    pub(super) left_out: usize,
}

/// Something that happened.
pub(super) struct Line {
    /// Virtual milliseconds.
    pub(super) at: u64,
    pub(super) what: What,
}

/// What happened.
pub(super) enum What {
    /// An attempt ended.
    Attempt {
        /// Without the part that stands for the test.
        path: String,
        number: u32,
        mocked: bool,
        outcome: Outcome,
    },
    /// A deadline passed, or a wait was over.
    Timer,
    /// A signal or a message came.
    Received {
        /// Which, such as `signal approved`.
        what: String,
        value: Value,
    },
    /// A message was emitted.
    Sent {
        /// Of the `emit`.
        path: String,
    },
}

/// How an attempt ended.
pub(super) enum Outcome {
    Succeeded(Value),
    Failed(Failure),
    Cancelled,
}

impl Trace {
    pub(super) fn of(report: &TrialReport) -> Self {
        let mut lines: Vec<Line> = report.events.iter().rev().filter_map(|event| line(report, event)).collect();
        let left_out = lines.len().saturating_sub(MOST_LINES);
        lines.truncate(MOST_LINES);
        lines.reverse();
        Self { lines, left_out }
    }
}

fn line(report: &TrialReport, event: &Event) -> Option<Line> {
    let of = |attempt: &Attempt, outcome| {
        let by = report.answered.get(&(attempt.task, attempt.number));
        // What the test asks itself is no step.
        (by != Some(&AnsweredBy::Test)).then(|| What::Attempt {
            path: below_test(&attempt.path).to_owned(),
            number: attempt.number,
            mocked: matches!(by, Some(AnsweredBy::Mock(_))),
            outcome,
        })
    };
    let what = match &event.body {
        EventBody::AttemptSucceeded { attempt, output, .. } => of(attempt, Outcome::Succeeded(documents::payload(output))),
        EventBody::AttemptFailed { attempt, failure, .. } => of(attempt, Outcome::Failed(failure.clone())),
        EventBody::AttemptCancelled { attempt, .. } => of(attempt, Outcome::Cancelled),
        EventBody::TimerFired { .. } => Some(What::Timer),
        EventBody::SignalReceived { name, payload, .. } => {
            Some(What::Received { what: format!("signal {name}"), value: documents::payload(payload) })
        }
        EventBody::MessageReceived { topic, payload, .. } => {
            Some(What::Received { what: format!("message \"{topic}\""), value: documents::payload(payload) })
        }
        EventBody::MessageSent { attempt } => Some(What::Sent { path: below_test(&attempt.path).to_owned() }),
        _ => None,
    };
    Some(Line { at: event.at.0, what: what? })
}

/// A path without its first part, which stands for the test.
pub(super) fn below_test(path: &str) -> &str {
    path.split_once('/').map_or(path, |(_, below)| below)
}
