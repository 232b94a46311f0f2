//! `kill -9` at many moments, then `host resume`: the same result, and by an outside witness no
//! committed step executed twice and none missing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use e2e::Site;
use serde_json::Value;

/// So many runs are killed while they go on, each at another moment.
const KILLS: u32 = 60;
/// At so many different lengths of the journal at least.
const POSITIONS: usize = 15;
/// Most rounds, with those whose run had ended before it was killed.
const ROUNDS: u32 = 400;

const FLOW: &str = r#"
use "{plugins}/witness.wasm" as witness
use "{plugins}/kit.wasm" as kit

/// Steps of all kinds that leave a mark outside.
flow main(folder: dir) -> string with { allow: [read_write folder] } {
    let first = witness.mark(folder, "first")
    let wide = map n in range(0, 12) with { parallel: 4 } {
        let quick = kit.slow(3) with { allow: [] }
        witness.mark_slowly(folder, "item ${n}", 4) after quick
    }
    let chain = loop text = first until len(text) > 40 max 12 {
        witness.mark(folder, "${text}+")
    }
    let joined = reduce a, b in wide { witness.mark(folder, "${a},${b}") }
    "${chain}|${joined}"
}
"#;

#[test]
fn a_killed_run_ends_as_if_it_had_not_been_killed() {
    let reference = undisturbed();
    let mut positions = BTreeSet::new();
    let mut killed = 0;
    let mut length = reference.took.as_micros() as u64;
    for round in 0..ROUNDS {
        // Steps through the length of a run in an order that comes back to each part of it again and again.
        let moment = Duration::from_micros(length * (u64::from(round) * 61 % 100) / 100);
        let (position, ended) = disturbed(moment, &reference);
        positions.insert(position);
        killed += u32::from(position > 0 && !ended);
        // How long a run takes depends on what else the machine does, so it is learned again with each round.
        length = if ended { length * 9 / 10 } else { length * 41 / 40 };
        if killed >= KILLS && positions.len() >= POSITIONS {
            return;
        }
    }
    panic!("{killed} of {ROUNDS} rounds hit a live run, at {} journal positions: {positions:?}", positions.len());
}

struct Reference {
    result: Value,
    marks: BTreeMap<String, u32>,
    took: Duration,
}

fn undisturbed() -> Reference {
    let site = Site::new();
    site.flow("main.flow", FLOW);
    site.write("folder/.keep", "");
    // The first start compiles the components; the second one shows how long a run takes.
    run(&site, "folder");
    site.write("folder2/.keep", "");
    let started = Instant::now();
    let printed = run(&site, "folder2");
    let took = started.elapsed();
    Reference { result: printed["result"].clone(), marks: marks(&site, "folder2"), took }
}

fn run(site: &Site, folder: &str) -> Value {
    site.host(["run", "main.flow", "--json", "--input", &format!("folder={folder}")]).expect(0).json()
}

/// How often each mark was made; keys without the run's id.
fn marks(site: &Site, folder: &str) -> BTreeMap<String, u32> {
    let text = std::fs::read_to_string(site.path().join(folder).join("witness.txt")).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let path = line.split_once('/').map_or(line, |(_, path)| path);
        *counts.entry(path.to_owned()).or_default() += 1;
    }
    counts
}

/// Kills a run at a moment and carries it to its end. Gives the length of its journal when it was killed, 0 before it
/// was started, and whether it had ended before.
fn disturbed(moment: Duration, reference: &Reference) -> (u64, bool) {
    let site = Site::new();
    site.flow("main.flow", FLOW);
    site.write("folder/.keep", "");
    let mut child = site.victim(["run", "main.flow", "--json", "--input", "folder=folder"]);
    std::thread::sleep(moment);
    let ended = child.try_wait().unwrap().is_some();
    let _ = child.kill();
    let _ = child.wait();
    let Some(run) = the_run(&site) else { return (0, ended) };
    let committed = events(&site, &run);
    let over = committed.last().is_some_and(|event| event["kind"] == "run-ended");
    let result = if over { shown_result(&site, &run) } else { carry_to_the_end(&site, &run) };
    assert_eq!(result, reference.result, "another result after a kill at {moment:?}");
    assert_eq!(marks(&site, "folder"), reference.marks, "the witness saw something else after a kill at {moment:?}");
    (committed.len() as u64, ended)
}

/// The only run of the store, if the kill did not come before it was started.
fn the_run(site: &Site) -> Option<String> {
    let printed = site.host(["ps", "--json"]);
    if printed.code != 0 {
        return None;
    }
    let runs = printed.json();
    runs.as_array().unwrap().first().map(|run| run["id"].as_str().unwrap().to_owned())
}

fn events(site: &Site, run: &str) -> Vec<Value> {
    let printed = site.host(["events", run, "--json"]).expect(0);
    printed.json().as_array().unwrap().clone()
}

/// The result of a run that was killed after its end.
fn shown_result(site: &Site, run: &str) -> Value {
    site.host(["show", run, "--json"]).expect(0).json()["outcome"]["succeeded"].clone()
}

/// Resumes until the run has ended. Where an outcome is not known, the witness knows: a step that left
/// its mark gets the result it would have given, another one is run again.
fn carry_to_the_end(site: &Site, run: &str) -> Value {
    let mut decisions: Vec<String> = Vec::new();
    for _ in 0..200 {
        let mut args = vec!["resume".to_owned(), run.to_owned(), "--json".to_owned()];
        args.append(&mut decisions);
        let printed = site.host(&args);
        let report = printed.json();
        if printed.code == 0 {
            return report["result"].clone();
        }
        assert_eq!(printed.code, 6, "{}\n{}", printed.out, printed.err);
        for blocked in report["blocked"].as_array().unwrap() {
            decisions.extend(decide(site, blocked));
        }
        assert!(!decisions.is_empty(), "the run waits for nothing: {report}");
    }
    panic!("the run does not end");
}

fn decide(site: &Site, blocked: &Value) -> [String; 2] {
    let task = blocked["task"].as_u64().unwrap();
    let path = blocked["path"].as_str().unwrap();
    let text = std::fs::read_to_string(site.path().join("folder/witness.txt")).unwrap_or_default();
    let marked = text.lines().find(|line| line.split_once('/').is_some_and(|(_, key)| key.starts_with(&format!("{path} "))));
    match marked {
        Some(line) => {
            let result = line.split_once(" = ").unwrap().1;
            ["--supply".to_owned(), format!("{task}={}", Value::String(result.to_owned()))]
        }
        None => ["--retry".to_owned(), task.to_string()],
    }
}
