//! What the witness saw outside, and whether the journal of its run says the same.

use std::collections::{BTreeMap, BTreeSet};
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

/// In the journal of a run each step has one result, and nothing begins again after its result; the witness saw so many steps, and
/// each of them not more often than it was begun.
pub(crate) fn agrees(run: &str, events: &[Value], folder: &Path, steps: usize) {
    let (mut begun, mut done) = (BTreeMap::<&str, usize>::new(), BTreeSet::new());
    for event in events {
        let path = event["path"].as_str().unwrap_or_default();
        match event["kind"].as_str().unwrap() {
            "attempt-started" => {
                assert!(!done.contains(path), "`{path}` of {run} began again after its result was committed");
                *begun.entry(path).or_default() += 1;
            }
            "attempt-succeeded" => assert!(done.insert(path), "`{path}` of {run} has two results"),
            _ => {}
        }
    }
    let seen = executions(folder);
    assert_eq!(seen.len(), steps, "steps are missing outside of {run}: {seen:?}");
    for (path, count) in &seen {
        let started = begun.get(path.as_str()).copied().unwrap_or_default();
        assert!(*count <= started, "`{path}` of {run} was executed {count} times and begun {started} times");
    }
}
