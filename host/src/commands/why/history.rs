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
    /// Where it ran, if that is another host than the run's owner.
    pub(super) host: Option<Arc<str>>,
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
            let (attempt, end, wall, host) = match &event.body {
                EventBody::AttemptStarted { attempt, .. } => (attempt, End::Open, 0, &None),
                EventBody::AttemptSucceeded { attempt, bill, host, .. } => (attempt, End::Succeeded, bill.wall, host),
                EventBody::AttemptFailed { attempt, failure, bill, host } => {
                    (attempt, End::Failed(failure.clone()), bill.wall, host)
                }
                EventBody::AttemptCancelled { attempt, host } => (attempt, End::Stopped, 0, host),
                EventBody::OutcomeUnknown { attempt, host } => (attempt, End::Unknown, 0, host),
                _ => continue,
            };
            let last = Last { number: attempt.number, started: None, at: event.at, wall, host: host.clone(), end };
            history.note(attempt, last);
        }
        history
    }

    fn note(&mut self, attempt: &Attempt, last: Last) {
        let open = matches!(last.end, End::Open);
        let before = self.steps.get(&attempt.path).filter(|before| before.number == attempt.number);
        let started = if open { Some(last.at) } else { before.and_then(|before| before.started) };
        self.steps.insert(Arc::clone(&attempt.path), Last { started, ..last });
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
