//! What is compared: results, the journal at each host, and what the steps left outside.

use std::path::Path;

use e2e::Site;
use serde_json::Value;

use crate::service::eventually;
use crate::witness::{self, executions};

/// Steps that leave a mark outside each time that they are executed, over some seconds.
pub(super) const FLOW: &str = r#"
use "{plugins}/witness.wasm" as witness
use "{plugins}/kit.wasm" as kit

flow main(folder: dir) -> string with { allow: [read_write folder] } {
    let first = witness.mark(folder, "first") with { idempotent: true }
    let wide = map n in range(0, 4) with { parallel: 2 } {
        let quick = kit.slow(3) with { allow: [] }
        witness.mark_slowly(folder, "item ${n}", 40) with { idempotent: true } after quick
    }
    let chain = loop text = first until len(text) > 20 max 20 {
        wait 150ms
        witness.mark(folder, "${text}+") with { idempotent: true }
    }
    let joined = reduce a, b in wide { witness.mark(folder, "${a},${b}") with { idempotent: true } }
    "${chain}|${joined}"
}
"#;

/// Marks that an undisturbed run leaves.
pub(super) const MARKS: usize = 1 + 4 + 16 + 3;

/// The result of a run that nothing happens to, without a cluster.
pub(super) fn undisturbed(site: &Site) -> Value {
    site.flow("main.flow", FLOW);
    site.write("reference/.keep", "");
    let result = site.host(["run", "main.flow", "--json", "--input", "folder=reference"]).expect(0).json()["result"].clone();
    let marks = executions(&site.path().join("reference"));
    assert_eq!((marks.len(), marks.values().sum::<usize>()), (MARKS, MARKS), "{marks:?}");
    result
}

/// All hosts have the same journal of the run, and the witness agrees with it.
pub(super) fn journal_and_witness_agree(sites: &[Site], run: &str, folder: &Path) {
    let events = ended(&sites[0], run);
    for other in &sites[1..] {
        assert_eq!(ended(other, run), events, "two hosts tell different things of {run}");
    }
    witness::agrees(run, &events, folder, MARKS);
}

/// The events of a run at a host, once its end is among them.
fn ended(site: &Site, run: &str) -> Vec<Value> {
    eventually("the whole run is at each host", || {
        let events = site.host(["events", run, "--json"]).expect(0).json().as_array().unwrap().clone();
        events.last().is_some_and(|last| last["kind"] == "run-ended").then_some(events)
    })
}
