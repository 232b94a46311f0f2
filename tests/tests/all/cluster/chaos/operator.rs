//! An operator who decides about steps whose outcome is not known, by asking whoever the effect was on whether it happened.

use std::collections::{BTreeMap, BTreeSet};

use e2e::Site;
use serde_json::Value;

use crate::cluster::outside::Outside;

/// What the operator has done so far.
#[derive(Debug, Default)]
pub(super) struct Operator {
    /// What was decided about which attempt: run, task, number.
    decided: BTreeSet<(String, u64, u32)>,
    /// Effects that had not happened.
    pub(super) retried: usize,
    /// Those that had.
    pub(super) supplied: usize,
}

/// An attempt whose outcome is not known.
struct Unknown {
    task: u64,
    number: u32,
    path: String,
}

impl Operator {
    /// Decides what there is to decide in a run, as a host has it. What does not reach the run is decided the next time.
    pub(super) fn look(&mut self, site: &Site, run: &str, outside: &Outside) {
        let printed = site.host(["events", run, "--json"]);
        // What was submitted to another host may not be here yet.
        if printed.code != 0 {
            return;
        }
        for unknown in unknown(printed.json().as_array().unwrap()) {
            let Unknown { task, number, path } = &unknown;
            let about = (run.to_owned(), *task, *number);
            if self.decided.contains(&about) {
                continue;
            }
            let happened = outside.ask(run, path, *number);
            let decision = match &happened {
                Some(value) => ["--supply".to_owned(), format!("{task}={}", Value::String(value.clone()))],
                None => ["--retry".to_owned(), task.to_string()],
            };
            let printed = site.host(["resume", run, "--json"].map(str::to_owned).into_iter().chain(decision));
            if printed.code != 0 {
                told(run, path, &printed);
                continue;
            }
            self.decided.insert(about);
            *(if happened.is_some() { &mut self.supplied } else { &mut self.retried }) += 1;
        }
    }
}

#[allow(clippy::print_stdout, reason = "told when the test fails, or when somebody wants to see it")]
fn told(run: &str, path: &str, printed: &e2e::Printed) {
    println!("`{path}` of {run}: {} {}{}", printed.code, printed.out, printed.err);
}

/// The attempts of a run whose outcome is not known, and about which nobody has decided.
fn unknown(events: &[Value]) -> Vec<Unknown> {
    let mut open = BTreeMap::new();
    for event in events {
        let Some(task) = event["body"]["task"].as_u64() else { continue };
        match event["kind"].as_str().unwrap() {
            "outcome-unknown" if event["path"].as_str().unwrap().ends_with("/witness.tell") => {
                let number = event["body"]["number"].as_u64().unwrap().try_into().unwrap();
                let path = event["path"].as_str().unwrap().to_owned();
                open.insert(task, Unknown { task, number, path });
            }
            // Handlers of hooks are told again without a decision.
            "operator-decision" | "attempt-started" => drop(open.remove(&task)),
            _ => {}
        }
    }
    open.into_values().collect()
}
