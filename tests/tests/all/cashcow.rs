//! The CashCow suite with its real agents: all green, each injected kind of failure, killed in the middle.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::{Printed, Site, project};
use serde_json::{Value, json};

use crate::recovery::quick_table;

fn suite(site: &Site, inputs: &[&str]) -> Printed {
    quick_table(site);
    let flow = project().join("workflows/cashcow.flow");
    let mut args = vec!["run", flow.to_str().unwrap(), "--json"];
    for input in inputs {
        args.extend(["--input", input]);
    }
    site.host(args)
}

fn inject(task: &str, kind: &str, times: u32) -> String {
    format!("inject={}", json!([{ "task": task, "kind": kind, "times": times }]))
}

/// A value of the model's vectors: of the row that begins with `name`, the last field or another one.
fn vector(file: &str, name: &str, column: usize) -> String {
    let text = std::fs::read_to_string(project().join("plugins/finance/vectors").join(file)).unwrap();
    let row = text.lines().find(|line| line.split(',').next() == Some(name));
    let row = row.unwrap_or_else(|| panic!("{file} has no row `{name}`"));
    row.split(',').nth(column).unwrap().to_owned()
}

fn task<'r>(report: &'r Value, name: &str) -> &'r Value {
    report["tasks"].as_array().unwrap().iter().find(|task| task["task"] == name).unwrap()
}

fn figure<'r>(report: &'r Value, of: &str, name: &str) -> &'r str {
    let figures = task(report, of)["figures"].as_array().unwrap();
    let found = figures.iter().find(|figure| figure["name"] == name).unwrap_or_else(|| panic!("{of} has no `{name}`"));
    found["value"].as_str().unwrap()
}

/// The report without what the clock said.
fn timeless(mut report: Value) -> Value {
    report.as_object_mut().unwrap().remove("measured");
    report
}

#[test]
fn the_report_has_the_figures_of_the_vectors() {
    let site = Site::new();
    let report = suite(&site, &[]).expect(0).json()["result"].clone();
    for name in ["inflow", "closing balance", "lowest balance", "depreciation", "debt service coverage"] {
        assert_eq!(figure(&report, "B3", name), vector("figures.csv", name, 1));
    }
    for scenario in ["baseline", "optimistic", "conservative", "cash preservation"] {
        let cents: f64 = vector("scenarios.csv", scenario, 4).parse().unwrap();
        assert_eq!(figure(&report, "B2", &format!("closing balance, {scenario}")), format!("{:.2}", cents / 100.0));
    }
    let cents: f64 = vector("forecast.csv", "12", 3).parse().unwrap();
    for way in ["B1a", "B1b", "B1c"] {
        assert_eq!(figure(&report, way, "closing balance"), format!("{:.2}", cents / 100.0));
    }
    // 5000 · 5001 / 2
    assert_eq!(figure(&report, "C1", "outflow of a month"), "12502500.00");
    assert_eq!(report["pass_rate"], 1.0);
    assert!(report["gates"].as_array().unwrap().iter().all(|gate| gate["held"] == true));
    assert!(report["measured"][0]["seconds"].as_f64().unwrap() > 0.0, "C1 was granted the clock");
    assert_eq!(timeless(report), timeless(suite(&site, &[]).expect(0).json()["result"].clone()));
}

#[test]
fn what_is_published_is_the_report() {
    let site = Site::new();
    site.write("out/.keep", "");
    let flow = project().join("workflows/cashcow.flow");
    let printed = site.host(["run", flow.to_str().unwrap(), "--json", "--flow", "publish", "--input", "folder=out"]).expect(0);
    let names: Vec<String> = serde_json::from_value(printed.json()["result"].clone()).unwrap();
    assert_eq!(names.len(), 12);
    let report = suite(&site, &[]).expect(0).json()["result"].clone();
    for name in &names {
        let text = std::fs::read_to_string(site.path().join("out").join(name)).unwrap();
        if name == "final_report.md" {
            assert_eq!(report["markdown"], text.as_str());
        }
        if let Some(of) = name.strip_suffix("_results.json") {
            let written: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(written["test_results"]["passed"], task(&report, of)["passed"]);
        }
    }
}

#[test]
fn results_and_report_are_artifacts_of_the_run() {
    let site = Site::new();
    let report = suite(&site, &[]).expect(0).json()["result"].clone();
    let listed = site.host(["artifacts", "last", "--json"]).expect(0).json();
    let names: BTreeSet<&str> = listed.as_array().unwrap().iter().map(|artifact| artifact["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 12, "{names:?}");
    site.host(["artifacts", "get", "last", "final_report.md", "--output", "report.md"]).expect(0);
    assert_eq!(report["markdown"], std::fs::read_to_string(site.path().join("report.md")).unwrap().as_str());
    let b1c = site.host(["artifacts", "get", "last", "B1c_results.json"]).expect(0).json();
    assert_eq!(&b1c, task(&report, "B1c"));
}

#[test]
fn a_wrong_check_is_for_the_criteria_to_judge() {
    let site = Site::new();
    let printed = suite(&site, &[&inject("A2", "error", 1)]).expect(1);
    let message = printed.json()["failure"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("phase 1 did not pass: A2: pass rate is 0.97"), "{message}");
    // The least pass rate of A1 is 0.95.
    let report = suite(&site, &[&inject("A1", "error", 1)]).expect(0).json()["result"].clone();
    assert_eq!(task(&report, "A1")["failed"].as_array().unwrap().len(), 1);
    assert!(report["markdown"].as_str().unwrap().contains("## Failed checks"));
}

#[test]
fn an_agent_that_ran_out_of_memory_takes_half_of_its_book() {
    let site = Site::new();
    let report = suite(&site, &[&inject("C1", "resource", 1), "entities=400"]).expect(0).json()["result"].clone();
    assert_eq!(figure(&report, "C1", "entities"), "200");
}

/// At so many moments of a run that takes so long at least: an agent is tried again after a while in each phase.
const ROUNDS: u32 = 12;

#[test]
fn a_killed_suite_gives_the_same_report() {
    let flow = project().join("workflows/cashcow.flow");
    let inject = format!(
        "inject={}",
        json!([{ "task": "A2", "kind": "network", "times": 2 }, { "task": "B2", "kind": "network", "times": 2 }, { "task": "C1", "kind": "network", "times": 1 }])
    );
    let args = ["run", flow.to_str().unwrap(), "--json", "--input", &inject];
    let waits = "[recovery.network.agent]\nbackoff = \"40ms\"";
    let site = Site::new();
    site.write("flowhost.toml", waits);
    let expected = timeless(site.host(args).expect(0).json()["result"].clone());
    let started = std::time::Instant::now();
    site.host(args).expect(0);
    let full = started.elapsed();
    let mut positions = BTreeSet::new();
    for round in 1..ROUNDS {
        let site = Site::new();
        site.write("flowhost.toml", waits);
        let mut child = site.victim(args);
        std::thread::sleep(full * round / ROUNDS);
        let _ = child.kill();
        let _ = child.wait();
        // The kill may have come before there was a store, or a run in it.
        let listed = site.host(["ps", "--json"]);
        let runs = if listed.code == 0 { listed.json() } else { json!([]) };
        let Some(id) = runs[0]["id"].as_str() else { continue };
        let events = site.host(["events", id, "--json"]).expect(0).json();
        positions.insert(events.as_array().unwrap().len());
        let ended = events.as_array().unwrap().last().is_some_and(|event| event["kind"] == "run-ended");
        let result = if ended {
            site.host(["show", id, "--json"]).expect(0).json()["outcome"]["succeeded"].clone()
        } else {
            site.host(["resume", id, "--json"]).expect(0).json()["result"].clone()
        };
        assert_eq!(timeless(result), expected, "killed after {} events", events.as_array().unwrap().len());
    }
    assert!(positions.len() >= 3, "killed at {positions:?} only");
    assert!(full > Duration::from_millis(150), "the retries take their time");
}
