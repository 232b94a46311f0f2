//! Tests as JSON.

use serde_json::{Value, json};

use super::trace::{Outcome, Trace, What};
use super::verdict::Verdict;
use super::{Crashes, TestRun, Tested};
use crate::commands::documents;

/// A file: `{"file", "diagnostics", "tests"}`.
pub(super) fn file(tested: &Tested) -> Value {
    let sources = &tested.checked.sources;
    let diagnostics: Vec<Value> = tested.checked.diagnostics.iter().map(|found| lang::to_json(found, sources)).collect();
    let tests: Vec<Value> = tested.tests.iter().map(|test| self::test(test, tested)).collect();
    json!({ "file": tested.file, "diagnostics": diagnostics, "tests": tests })
}

fn test(test: &TestRun, tested: &Tested) -> Value {
    json!({
        "name": test.name,
        "outcome": if test.verdict.is_none() { "passed" } else { "failed" },
        "real_ms": u64::try_from(test.real.as_millis()).unwrap_or(u64::MAX),
        "virtual_ms": u64::try_from(test.passed.as_millis()).unwrap_or(u64::MAX),
        "crashes": test.crashes.as_ref().map(crashes),
        "failure": test.verdict.as_ref().map(|verdict| failure(verdict, tested)),
        "trace": trace(&test.trace),
        "trace_left_out": test.trace.left_out,
    })
}

/// Where its host died: `{"points", "resumed", "difference": {"after", "outside"} or null}`.
fn crashes(crashes: &Crashes) -> Value {
    let difference = crashes.difference.map(|(after, outside)| json!({ "after": after, "outside": outside.name() }));
    json!({ "points": crashes.points, "resumed": crashes.resumed, "difference": difference })
}

/// The diagnostic's fields, then `path`, `left`, `right`, `details`.
fn failure(verdict: &Verdict, tested: &Tested) -> Value {
    let mut document = lang::to_json(&verdict.diagnostic, &tested.checked.sources);
    if let Value::Object(fields) = &mut document {
        let (left, right) = verdict.sides.clone().unzip();
        fields.insert("path".into(), json!(verdict.path));
        fields.insert("left".into(), json!(left));
        fields.insert("right".into(), json!(right));
        fields.insert("details".into(), json!(verdict.details));
    }
    document
}

fn trace(trace: &Trace) -> Vec<Value> {
    let lines = trace.lines.iter().map(|line| match &line.what {
        What::Timer => json!({ "at_ms": line.at, "event": "timer" }),
        What::Received { what, value } => json!({ "at_ms": line.at, "event": "received", "what": what, "value": value }),
        What::Sent { path } => json!({ "at_ms": line.at, "event": "sent", "path": path }),
        What::Attempt { path, number, mocked, outcome } => {
            let (event, value, failure) = match outcome {
                Outcome::Succeeded(value) => ("succeeded", value.clone(), Value::Null),
                Outcome::Failed(failure) => ("failed", Value::Null, documents::failure(failure)),
                Outcome::Cancelled => ("cancelled", Value::Null, Value::Null),
            };
            json!({
                "at_ms": line.at,
                "event": event,
                "path": path,
                "attempt": number,
                "mocked": mocked,
                "value": value,
                "failure": failure,
            })
        }
    });
    lines.collect()
}
