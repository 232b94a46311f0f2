//! `host why RUN --times`: where the time went, the steps that took longest first.

use std::collections::BTreeMap;

use engine::core::{Timing, timings};
use serde_json::{Value, json};

use super::Known;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};

/// So many steps are printed for people.
const SHOWN: usize = 20;

/// Prints the times of the steps.
pub(super) fn run(output: Output, known: &Known) -> Result<Exit, Problem> {
    let all = timings(known.plans.clone(), known.row.id.clone(), &known.events)
        .map_err(|error| Problem::new(Exit::Store, format!("run `{}` cannot be read: {error}", known.row.id)))?;
    let began = known.row.created.0;
    let document: Vec<Value> = all.iter().map(|timing| document(timing, began)).collect();
    output.document(&Value::Array(document), || table(&all, began));
    Ok(Exit::Done)
}

/// Milliseconds that a step was handed out and did not run: it waited for a place of its host.
fn for_places(timing: &Timing) -> u64 {
    timing.spent.running.saturating_sub(timing.worked / 1_000)
}

fn document(timing: &Timing, began: u64) -> Value {
    let spent = &timing.spent;
    json!({
        "path": &*timing.path,
        "class": timing.class.as_deref(),
        "key": timing.key.as_deref(),
        "ready": output::time(timing.ready),
        "ended": timing.ended.map(output::time),
        "attempts": timing.attempts,
        "dependencies_ms": timing.ready.0.saturating_sub(began),
        "key_ms": spent.key,
        "rate_ms": spent.rate,
        "parallel_ms": spent.place,
        "retry_ms": spent.retry,
        "held_ms": spent.held,
        "handlers_ms": spent.asked,
        "decision_ms": spent.decision,
        "places_ms": for_places(timing),
        "worked_us": timing.worked,
        "total_ms": spent.total(),
    })
}

fn table(all: &[Timing], began: u64) -> String {
    let lines = all.iter().take(SHOWN).map(|timing| {
        let spent = &timing.spent;
        let waits = [
            ("key", spent.key),
            ("rate", spent.rate),
            ("parallel", spent.place),
            ("retry", spent.retry),
            ("held", spent.held),
            ("handlers", spent.asked),
            ("decision", spent.decision),
            ("places", for_places(timing)),
        ];
        let waits: Vec<String> =
            waits.into_iter().filter(|(_, time)| *time > 0).map(|(what, time)| format!("{what} {}", length(time))).collect();
        [
            timing.path.to_string(),
            length(timing.ready.0.saturating_sub(began)),
            length(spent.total()),
            length(timing.worked / 1_000),
            waits.join(", "),
        ]
    });
    let mut text = output::columns(["PATH", "READY AFTER", "TOOK", "WORKED", "WAITED FOR"], lines);
    if all.len() > SHOWN {
        text.push_str(&format!("and {} more\n", all.len() - SHOWN));
    }
    if let Some((what, (steps, time))) = held_back(all).into_iter().max_by_key(|(_, (_, time))| *time) {
        text.push_str(&format!(
            "held back most by {what}: {} in {steps} step{}\n",
            length(time),
            if steps == 1 { "" } else { "s" }
        ));
    }
    text
}

/// What steps waited for that others had, with so many steps and milliseconds. What waited for its host, waited for its class
/// where it has one; else for that, a key or memory, which the run's events do not tell.
fn held_back(all: &[Timing]) -> BTreeMap<String, (usize, u64)> {
    let mut sums: BTreeMap<String, (usize, u64)> = BTreeMap::new();
    for timing in all {
        let key = timing.key.as_ref().map(|key| (format!("the key `{key}`"), timing.spent.key));
        let host = timing.class.as_ref().map_or_else(|| "what all runs share".to_owned(), |class| format!("class `{class}`"));
        for (what, time) in key.into_iter().chain([(host, for_places(timing))]).filter(|(_, time)| *time > 0) {
            let sum = sums.entry(what).or_default();
            *sum = (sum.0 + 1, sum.1.saturating_add(time));
        }
    }
    sums
}

fn length(milliseconds: u64) -> String {
    catalog::duration::display(milliseconds.saturating_mul(1_000_000)).to_string()
}
