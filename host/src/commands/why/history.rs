//! What has become of the steps of a run, by their paths.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::event::{Attempt, Event, EventBody, Failure, Timestamp};

/// The last attempt of a step.
#[derive(Clone, Debug)]
pub(super) struct Last {
    pub(super) number: u32,
    /// Where that was stored.
    pub(super) started: Option<Timestamp>,
    pub(super) at: Timestamp,
    /// Wall time in microseconds.
    pub(super) wall: u64,
    pub(super) end: End,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub(super) enum End {
    Open,
    Succeeded,
    Failed(Failure),
    Stopped,
    Unknown,
}

/// By path.
#[derive(Debug, Default)]
pub(super) struct History {
    steps: BTreeMap<Arc<str>, Last>,
}

impl History {
    pub(super) fn of(events: &[Event]) -> Self {
        let mut history = Self::default();
        for event in events {
            let (attempt, end, wall) = match &event.body {
                EventBody::AttemptStarted { attempt, .. } => (attempt, End::Open, 0),
                EventBody::AttemptSucceeded { attempt, bill, .. } => (attempt, End::Succeeded, bill.wall),
                EventBody::AttemptFailed { attempt, failure, bill } => (attempt, End::Failed(failure.clone()), bill.wall),
                EventBody::AttemptCancelled { attempt } => (attempt, End::Stopped, 0),
                EventBody::OutcomeUnknown { attempt } => (attempt, End::Unknown, 0),
                _ => continue,
            };
            history.note(attempt, event.at, end, wall);
        }
        history
    }

    fn note(&mut self, attempt: &Attempt, at: Timestamp, end: End, wall: u64) {
        let open = matches!(end, End::Open);
        let before = self.steps.get(&attempt.path).filter(|last| last.number == attempt.number);
        let started = if open { Some(at) } else { before.and_then(|last| last.started) };
        self.steps.insert(Arc::clone(&attempt.path), Last { number: attempt.number, started, at, wall, end });
    }

    /// The last attempt of the step at this path.
    pub(super) fn of_step(&self, path: &str) -> Option<&Last> {
        self.steps.get(path)
    }

    /// The steps in the node at this path: how many there were, and when the last of them ended.
    pub(super) fn inside(&self, path: &str) -> (usize, Option<Timestamp>) {
        let parts = ["/", "[", ".catch/", ".else/", ".until["].map(|part| format!("{path}{part}"));
        let steps = self.steps.iter().filter(|(step, _)| parts.iter().any(|part| step.starts_with(part)));
        steps.fold((0, None), |(count, last), (_, step)| (count + 1, last.max(Some(step.at))))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &str> {
        self.steps.keys().map(|path| &**path)
    }
}
