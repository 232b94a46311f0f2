//! What is compared: results, the journal at each host, and what the steps left outside.

use std::path::Path;

use e2e::Site;
use serde_json::Value;

use super::rig::Interval;
use crate::cluster::outside::{Outside, Step};
use crate::service::eventually;
use crate::witness::{self, executions};

/// Steps that leave a mark outside each time that they are executed, over some seconds. Those that need a folder stay with the host
/// that drives the run, the others run wherever there is a place.
pub(super) const FLOW: &str = r#"
use "{plugins}/witness.wasm" as witness
use "{plugins}/kit.wasm" as kit

flow main(folder: dir, address: string) -> string with { allow: [read_write folder, http "127.0.0.1"] } {
    let first = witness.mark(folder, "first") with { idempotent: true }
    let told = map n in range(0, 8) {
        witness.tell(address, "told ${n}", 200) with { idempotent: true, timeout: 5m, allow: [http "127.0.0.1"] } after first
    }
    let wide = map n in range(0, 4) with { parallel: 2 } {
        let quick = kit.slow(3) with { allow: [] }
        witness.mark_slowly(folder, "item ${n}", 40) with { idempotent: true } after quick
    }
    let chain = loop text = first until len(text) > 20 max 20 {
        wait 150ms
        witness.mark(folder, "${text}+") with { idempotent: true }
    }
    let joined = reduce a, b in wide { witness.mark(folder, "${a},${b}") with { idempotent: true } }
    "${chain}|${joined}|${join(told, ",")}"
}
"#;

/// Marks that an undisturbed run leaves in its folder.
pub(super) const MARKS: usize = 1 + 4 + 16 + 3;

/// Steps of such a run that may run on other hosts.
const TOLD: usize = 8;

/// Steps that change the world: none of them may happen twice.
pub(super) const EFFECTS: &str = r#"
use "{plugins}/witness.wasm" as witness

flow main(address: string) -> string with { allow: [http "127.0.0.1"] } {
    let first = map n in range(0, 5) { witness.tell(address, "first ${n}", 300) with { timeout: 5m } }
    let second = map n in range(0, 5) { witness.tell(address, "${first[n]}, second ${n}", 300) with { timeout: 5m } }
    join(second, "; ")
}
"#;

/// Effects of such a run.
const HAPPENED: usize = 10;

/// So many hosts may be lost with a step before it is given up; so often one attempt may begin.
const MOST_LOST: usize = 3;

/// The results of the runs that nothing happens to, without a cluster: of [`FLOW`] and of [`EFFECTS`].
pub(super) fn undisturbed() -> (Value, Value) {
    let (site, outside) = (Site::new(), Outside::open());
    let address = format!("address={}", outside.address());
    let run = |text: &str, inputs: &[&str]| {
        site.flow("main.flow", text);
        let args = ["run", "main.flow", "--json", "--allow", "http 127.0.0.1", "--input", &address];
        let ended = site.host(args.iter().chain(inputs)).expect(0).json();
        (ended["result"].clone(), outside.of(ended["run"].as_str().unwrap()))
    };
    site.write("reference/.keep", "");
    let (marks, told) = run(FLOW, &["--input", "folder=reference"]);
    let seen = executions(&site.path().join("reference"));
    assert_eq!((seen.len(), seen.values().sum::<usize>(), told.len()), (MARKS, MARKS, TOLD), "{seen:?} {told:?}");
    let (effects, happened) = run(EFFECTS, &[]);
    assert!(happened.len() == HAPPENED && happened.values().all(|step| step.done == [1]), "{happened:?}");
    (marks, effects)
}

/// The events of a run, of which all hosts tell the same once its end is among them.
pub(super) fn told_by_all(sites: &[Site], run: &str) -> Vec<Value> {
    let events = ended(&sites[0], run);
    for other in &sites[1..] {
        assert_eq!(ended(other, run), events, "two hosts tell different things of {run}");
    }
    events
}

/// What a run of [`FLOW`] did is what its journal says. Gives its steps.
pub(super) fn marks_agree(run: &str, events: &[Value], folder: &Path, outside: &Outside, stops: &[Interval]) -> Vec<String> {
    let journal = witness::agrees(run, events, folder, MARKS);
    let seen = outside.of(run);
    assert_eq!(seen.len(), TOLD, "steps are missing outside of {run}: {seen:?}");
    for (path, step) in &seen {
        let told = &journal[path];
        assert!(!step.done.is_empty() && step.begun.len() <= MOST_LOST * told.begun, "`{path}` of {run}: {step:?}, {told:?}");
        let committed = told.committed.unwrap_or_else(|| panic!("`{path}` of {run} has no result"));
        for (_, at) in &step.begun {
            assert!(
                may_begin(*at, committed, stops),
                "`{path}` of {run} began after its result was committed: {step:?}, {told:?}"
            );
        }
    }
    executions(folder).into_keys().chain(seen.into_keys()).collect()
}

/// Whether a step may be seen to begin at a time: before its result is committed, or later where it had been allowed to and its
/// process was stopped just then, so that another one gave the result.
fn may_begin(at: u128, committed: u128, stops: &[Interval]) -> bool {
    const DAY: u128 = 24 * 60 * 60 * 1000;
    let since = |earlier: u128, later: u128| (DAY + later % DAY - earlier % DAY) % DAY;
    let is_late = |earlier: u128, later: u128| (1..DAY / 2).contains(&since(earlier, later));
    !is_late(committed, at) || stops.iter().any(|(begin, end)| !is_late(committed, *begin) && !is_late(*end, committed))
}

/// What a run of [`EFFECTS`] did is what its journal says, and each effect happened once. Gives the steps that ended by themselves:
/// of those whose result an operator gave no hook is told.
pub(super) fn effects_agree(run: &str, events: &[Value], outside: &Outside) -> Vec<String> {
    let (journal, seen) = (witness::journaled(run, events), outside.of(run));
    assert_eq!(seen.len(), HAPPENED, "effects are missing of {run}: {seen:?}");
    for (path, step) in &seen {
        let told = &journal[path];
        assert_eq!(step.done.len(), 1, "the effect of `{path}` of {run} happened not once: {step:?}, {told:?}");
        assert!(begins_once(step) && step.begun.len() <= told.begun, "`{path}` of {run} began too often: {step:?}, {told:?}");
        assert!(told.committed.is_some(), "`{path}` of {run} has no result");
    }
    seen.into_keys().filter(|path| !journal[path].supplied).collect()
}

/// Whether no attempt began twice.
fn begins_once(step: &Step) -> bool {
    let mut numbers: Vec<u32> = step.begun.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    numbers.windows(2).all(|pair| pair[0] != pair[1])
}

/// The events of a run at a host, once its end is among them.
fn ended(site: &Site, run: &str) -> Vec<Value> {
    eventually("the whole run is at each host", || {
        let events = site.host(["events", run, "--json"]).expect(0).json().as_array().unwrap().clone();
        events.last().is_some_and(|last| last["kind"] == "run-ended").then_some(events)
    })
}
