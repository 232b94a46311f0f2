//! What can be seen of a test from outside, and the first thing that differs between two.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use super::{Trial, TrialEnd};
use crate::event::{Decision, Event, EventBody, Payload, TaskId};

/// What can be seen of a test at its end.
pub(super) struct Seen {
    end: Option<TrialEnd>,
    /// What the steps gave, by path.
    gave: BTreeMap<Arc<str>, String>,
    /// What was taken back, in order.
    undone: Vec<Arc<str>>,
    /// Messages by their ids.
    sent: BTreeMap<Arc<str>, String>,
    /// Signals and messages that came, in order.
    received: Vec<String>,
    /// How often each function was called, and not stopped.
    calls: BTreeMap<String, u64>,
}

impl Seen {
    pub(super) fn of(trial: &Trial<'_>) -> Self {
        let mut seen = Self {
            end: trial.end.clone(),
            gave: BTreeMap::new(),
            undone: Vec::new(),
            sent: trial
                .sent
                .iter()
                .map(|(id, message)| (Arc::clone(id), format!("{} {}", message.topic, message.payload)))
                .collect(),
            received: Vec::new(),
            calls: BTreeMap::new(),
        };
        for (target, count) in trial.wanted_calls() {
            *seen.calls.entry(trial.plan.name_of(target).to_owned()).or_default() += count;
        }
        let mut unknown = BTreeMap::new();
        trial.events.iter().for_each(|event| seen.event(event, &mut unknown));
        seen
    }

    fn event(&mut self, event: &Event, unknown: &mut BTreeMap<TaskId, Arc<str>>) {
        match &event.body {
            EventBody::AttemptSucceeded { attempt, output, .. } => self.step_gave(&attempt.path, output),
            EventBody::OutcomeUnknown { attempt, .. } => drop(unknown.insert(attempt.task, Arc::clone(&attempt.path))),
            EventBody::OperatorDecision { task, decision: Decision::Supply(output) } => {
                if let Some(path) = unknown.get(task) {
                    self.step_gave(path, output);
                }
            }
            EventBody::SignalReceived { name, payload, .. } => self.received.push(format!("signal {name} {}", payload.json())),
            EventBody::MessageReceived { topic, payload, .. } => {
                self.received.push(format!("message {topic} {}", payload.json()))
            }
            _ => {}
        }
    }

    fn step_gave(&mut self, path: &Arc<str>, output: &Payload) {
        self.gave.insert(Arc::clone(path), output.json());
        if path.contains(".undo") {
            self.undone.push(Arc::clone(path));
        }
    }
}

/// The first thing that is not as expected.
pub(super) fn difference(expected: &Seen, found: &Seen) -> Option<String> {
    if found.end != expected.end {
        return Some(ended(found.end.as_ref()));
    }
    if found.undone != expected.undone {
        let list = |paths: &[Arc<str>]| paths.iter().map(|path| format!("`{}`", below(path))).collect::<Vec<_>>().join(", ");
        return Some(format!("it took back {}; undisturbed {}", list(&found.undone), list(&expected.undone)));
    }
    first(&expected.calls, &found.calls, |name| format!("`{name}` was called"), "times", "never")
        .or_else(|| first(&expected.gave, &found.gave, |path| format!("`{}` gave", below(path)), "", "nothing"))
        .or_else(|| first(&expected.sent, &found.sent, |id| format!("the message `{id}` was"), "", "not sent"))
        .or_else(|| {
            let list = |all: &[String]| if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
            let differs = found.received != expected.received;
            differs.then(|| format!("it received {}; undisturbed {}", list(&found.received), list(&expected.received)))
        })
}

/// The first key whose values differ.
fn first<K: Ord, V: PartialEq + Display>(
    expected: &BTreeMap<K, V>,
    found: &BTreeMap<K, V>,
    what: impl Fn(&K) -> String,
    unit: &str,
    without: &str,
) -> Option<String> {
    let show =
        |value: Option<&V>| value.map_or_else(|| without.to_owned(), |value| format!("{value} {unit}").trim_end().to_owned());
    let keys = expected.keys().chain(found.keys());
    let key = keys.filter(|key| expected.get(key) != found.get(key)).min()?;
    Some(format!("{} {}; undisturbed {}", what(key), show(found.get(key)), show(expected.get(key))))
}

/// A path without its first part, which stands for the test.
pub(super) fn below(path: &str) -> &str {
    path.split_once('/').map_or(path, |(_, below)| below)
}

/// How a test ended that passes undisturbed.
pub(super) fn ended(end: Option<&TrialEnd>) -> String {
    match end {
        None | Some(TrialEnd::Passed) => "it passed".to_owned(),
        Some(TrialEnd::Failed { failure, path }) => format!("`{}` failed: {}: {}", below(path), failure.kind, failure.message),
        Some(TrialEnd::Unmocked { path, .. } | TrialEnd::UnmockedPlan { path }) => {
            format!("no mock is left for a further call of `{}`", below(path))
        }
        Some(TrialEnd::Mock { failure, .. }) => format!("the answer of a mock cannot be computed: {}", failure.message),
        Some(TrialEnd::Waits(waiting)) => {
            let what: Vec<String> = waiting.iter().map(|waiting| waiting.what.to_string()).collect();
            let what = if what.is_empty() { "something".to_owned() } else { what.join(", ") };
            format!("it waits for {what}, which never comes")
        }
        Some(TrialEnd::TooLong) => "it does not end".to_owned(),
        Some(TrialEnd::TimedOut { .. }) => "it takes too long".to_owned(),
        Some(TrialEnd::Broken(what)) => format!("the host failed: {what}"),
    }
}
