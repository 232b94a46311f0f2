//! What the witness saw outside, and whether the journal of its run says the same.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// How often each step left its mark: by its path.
pub(crate) fn executions(folder: &Path) -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(folder.join("witness.txt")).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let (key, _) = line.split_once(" = ").unwrap();
        *counts.entry(key.split_once('/').unwrap().1.to_owned()).or_default() += 1;
    }
    counts
}

/// What happened to a step, as the journal has it.
#[derive(Debug, Default)]
pub(crate) struct Journaled {
    /// Attempts that began.
    pub(crate) begun: usize,
    /// When its result was committed, in milliseconds of its day.
    pub(crate) committed: Option<u128>,
    /// An operator gave it.
    pub(crate) supplied: bool,
}

/// The steps of a run. Nothing begins again after its result, and none has two.
pub(crate) fn journaled(run: &str, events: &[Value]) -> BTreeMap<String, Journaled> {
    let mut all: BTreeMap<String, Journaled> = BTreeMap::new();
    let (mut paths, path_of) = (BTreeMap::new(), |event: &Value| event["path"].as_str().unwrap_or_default().to_owned());
    for event in events {
        let task = event["body"]["task"].as_u64();
        match event["kind"].as_str().unwrap() {
            "attempt-started" => {
                paths.insert(task, path_of(event));
                let step = all.entry(path_of(event)).or_default();
                assert!(step.committed.is_none(), "{run}: {event} began again after its result was committed");
                step.begun += 1;
            }
            "attempt-succeeded" => commit(run, &mut all, &path_of(event), event),
            "operator-decision" if event["body"]["output"].is_object() => {
                let path = &paths[&task];
                commit(run, &mut all, path, event);
                all.entry(path.clone()).or_default().supplied = true;
            }
            _ => {}
        }
    }
    all
}

fn commit(run: &str, all: &mut BTreeMap<String, Journaled>, path: &str, event: &Value) {
    let before = all.entry(path.to_owned()).or_default().committed.replace(time_of_day(event["at"].as_str().unwrap()));
    assert!(before.is_none(), "`{path}` of {run} has two results");
}

/// Of a time as hosts print it, in milliseconds.
fn time_of_day(text: &str) -> u128 {
    let digits = text.split_once('T').unwrap().1.trim_end_matches('Z').replace('.', ":");
    let parts: Vec<u128> = digits.split(':').map(|part| part.parse().unwrap()).collect();
    ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1000 + parts[3]
}

/// In the journal of a run each step has one result, and nothing begins again after its result; the witness saw so many steps, and
/// each of them not more often than it was begun. Gives what the journal has.
pub(crate) fn agrees(run: &str, events: &[Value], folder: &Path, steps: usize) -> BTreeMap<String, Journaled> {
    let (journal, seen) = (journaled(run, events), executions(folder));
    assert_eq!(seen.len(), steps, "steps are missing outside of {run}: {seen:?}");
    for (path, count) in &seen {
        let started = journal.get(path).map_or(0, |step| step.begun);
        assert!(*count <= started, "`{path}` of {run} was executed {count} times and begun {started} times");
    }
    journal
}
