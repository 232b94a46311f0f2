//! The recovery matrix of the CashCow suite, row by row: its real agents fail on purpose, and its shipped table decides.
//!
//! `tests/cases/recovery/<case>.txt` is what becomes of each case of [`CASES`].

use std::fmt::Write;

use e2e::{Printed, Site, project};
use serde_json::{Value, json};

use crate::service::{Service, eventually};

/// The shipped table with waits that a test can wait for.
pub(crate) fn quick_table(site: &Site) {
    let shipped = std::fs::read_to_string(project().join("workflows/cashcow.toml")).unwrap();
    let quick = shipped.replace("\"30s\"", "\"1ms\"");
    assert_ne!(shipped, quick);
    site.write("flowhost.toml", quick);
}

/// A task that fails in a kind.
struct Case {
    name: &'static str,
    task: &'static str,
    path: &'static str,
    kind: &'static str,
    /// In so many attempts.
    times: u32,
    inputs: &'static [&'static str],
}

const fn case(name: &'static str, [task, path, kind]: [&'static str; 3], times: u32) -> Case {
    Case { name, task, path, kind, times, inputs: &[] }
}

const ALWAYS: u32 = 99;

/// So many cases are played at the same time.
const AT_ONCE: usize = 4;

/// All kinds, each for ever, and some that end in time.
static CASES: [Case; 14] = [
    case("network", ["B1a", "main/integration/b1a", "network"], ALWAYS),
    case("network_that_comes_back", ["A1", "main/units/a1", "network"], 3),
    case("dependency", ["C2", "main/performance/rest/c2", "dependency"], ALWAYS),
    case("dependency_that_is_mended", ["A2", "main/units/a2", "dependency"], 2),
    case("permission", ["A3", "main/units/a3", "permission"], ALWAYS),
    case("resource", ["A1", "main/units/a1", "resource"], ALWAYS),
    case("resource_that_suffices", ["B2", "main/integration/rest/b2", "resource"], 2),
    case("resource_at_the_ceiling", ["C1", "main/performance/c1", "resource"], ALWAYS),
    // What times out is the first of its class, so that no other task has to be done in so little time.
    Case { inputs: &["performance_timeout=400ms"], ..case("timeout", ["C1", "main/performance/c1", "timeout"], ALWAYS) },
    case("calculation", ["A2", "main/units/a2", "calculation"], ALWAYS),
    case("logic", ["B3", "main/integration/rest/b3", "logic"], ALWAYS),
    case("internal", ["B1c", "main/integration/b1c", "internal"], ALWAYS),
    case("invalid_input", ["A1", "main/units/a1", "invalid_input"], ALWAYS),
    case("error", ["A2", "main/units/a2", "error"], ALWAYS),
];

fn inject(task: &str, kind: &str, times: u32) -> String {
    format!("inject={}", json!([{ "task": task, "kind": kind, "times": times }]))
}

fn suite(site: &Site, inputs: &[&str]) -> Printed {
    quick_table(site);
    let flow = project().join("workflows/cashcow.flow");
    let mut args = vec!["run", flow.to_str().unwrap(), "--json"];
    inputs.iter().for_each(|input| args.extend(["--input", input]));
    site.host(args)
}

#[test]
fn each_row_of_the_matrix_is_what_becomes_of_a_task() {
    let folder = project().join("tests/cases/recovery");
    let mut wrong = Vec::new();
    for (case, found) in CASES.iter().zip(CASES.chunks(AT_ONCE).flat_map(play_all)) {
        let expected = folder.join(case.name).with_extension("txt");
        if std::env::var_os("BLESS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&expected, &found).unwrap();
        } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(&found) {
            wrong.push(format!("{}: not as expected, found\n{found}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), CASES.len(), "a case that no test reads");
}

fn play_all(cases: &'static [Case]) -> Vec<String> {
    let players: Vec<_> = cases.iter().map(|case| std::thread::spawn(move || play(case))).collect();
    players.into_iter().map(|player| player.join().unwrap()).collect()
}

/// What is seen of a case.
fn play(case: &Case) -> String {
    let site = Site::new();
    let injected = inject(case.task, case.kind, case.times);
    let printed = suite(&site, &[&[&*injected][..], case.inputs].concat());
    let document = printed.json();
    let run = document["run"].as_str().unwrap();
    let steps = site.host(["show", run, "--json"]).expect(0).json()["steps"].as_array().unwrap().clone();
    let escalated = site.host(["escalations", "--json"]).expect(0).json()[0].clone();
    let mut text = format!("{injected}\n\n");
    for attempt in steps.iter().filter(|attempt| attempt["path"] == case.path) {
        writeln!(text, "{}", attempt_line(attempt, &escalated)).unwrap();
    }
    writeln!(text, "\nexit code {}", printed.code).unwrap();
    if let Some(kind) = document["failure"]["kind"].as_str() {
        writeln!(text, "failed: {kind}: {}", document["failure"]["message"].as_str().unwrap()).unwrap();
    }
    if escalated.is_object() {
        writeln!(text, "escalated, {}: {}", word(&escalated["severity"]), word(&escalated["recommended"])).unwrap();
        let paused: Vec<&str> = escalated["paused"].as_array().unwrap().iter().map(word).collect();
        writeln!(text, "waits with it: {}", paused.join(", ")).unwrap();
    }
    // What runs beside a failure that ends the run may be done by then, or not.
    if printed.code != 1 {
        let artifacts = site.host(["artifacts", run, "--json"]).expect(0).json();
        let mut done: Vec<&str> = artifacts.as_array().unwrap().iter().map(|artifact| word(&artifact["name"])).collect();
        done.sort_unstable();
        writeln!(text, "done: {}", done.join(", ")).unwrap();
    }
    text
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// An attempt, with the level that wanted it where the report says so, and what it might use beyond the flow's wish.
fn attempt_line(attempt: &Value, escalated: &Value) -> String {
    let tried = escalated["tried"].as_array().and_then(|tried| tried.iter().find(|tried| tried["attempt"] == attempt["attempt"]));
    let by = tried.map_or(String::new(), |tried| format!(" for the {}", word(&tried["by"])));
    let limits = attempt["limits"].as_object().map_or(String::new(), |limits| {
        let said: Vec<String> =
            limits.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| format!(" {name} {value}")).collect();
        format!(" with{}", said.join(","))
    });
    let failure = attempt["failure"].as_object().map_or(String::new(), |failure| {
        let (kind, message) = (word(&failure["kind"]), word(&failure["message"]));
        // How much of it a component can take is for its allocator to say.
        let parts = message.split(' ').map(|part| if kind == "resource" && part.parse::<u64>().is_ok() { "…" } else { part });
        let message = parts.collect::<Vec<_>>().join(" ");
        format!(": {kind}: {message}")
    });
    format!("attempt {}{by}{limits}: {}{failure}", attempt["attempt"], word(&attempt["state"]))
}

#[test]
fn the_service_asks_and_goes_on_as_somebody_decides() {
    let site = Site::new();
    quick_table(&site);
    let flow = project().join("workflows/cashcow.flow");
    let service = Service::start(&site, &[]);
    let both = json!([
        { "task": "A2", "kind": "calculation", "times": 1 },
        { "task": "B3", "kind": "logic", "times": 1 },
        { "task": "A1", "kind": "network", "times": 2 },
    ]);
    let run = service.submit(&[flow.to_str().unwrap(), "--input", &format!("inject={both}")]);
    let open = |path: &str| {
        eventually(path, || {
            let open = site.host(["escalations", "--json"]).expect(0).json();
            open.as_array().unwrap().iter().find(|report| report["path"] == path).cloned()
        })
    };
    let a2 = open("main/units/a2");
    assert_eq!((&a2["kind"], &a2["severity"], &a2["run"]), (&"calculation".into(), &"critical".into(), &json!(run)));
    // A1 was tried again meanwhile, and A3 does not depend on A2 either.
    eventually("the tasks beside it are done", || {
        let done = site.host(["artifacts", &run, "--json"]).expect(0).json();
        (done.as_array().unwrap().len() == 2).then_some(())
    });
    let why = site.host(["why", &run]);
    assert!(why.out.contains("main/units/a2 needs a decision: it is escalated"), "{}", why.out);
    site.host(["resume", &run, "--retry", &a2["task"].to_string()]).expect(0);
    let b3 = open("main/integration/rest/b3");
    assert!(b3["message"].as_str().unwrap().contains("expected 547362.68, got 547362.69"), "{b3}");
    site.host(["resume", &run, "--retry", &b3["task"].to_string()]).expect(0);
    let end = service.wait(&run).expect(0).json();
    assert_eq!((&end["status"], &end["result"]["pass_rate"]), (&"succeeded".into(), &json!(1.0)));
    assert_eq!(site.host(["escalations"]).expect(0).out.trim(), "nothing is escalated");
}

#[test]
fn a_supplied_result_is_what_the_criteria_judge() {
    let site = Site::new();
    let run = suite(&site, &[&inject("A2", "calculation", ALWAYS)]).expect(6).json();
    let id = run["run"].as_str().unwrap();
    let task = run["blocked"][0]["task"].to_string();
    let supplied = json!({
        "task": "A2", "expert": "somebody", "total": 49, "passed": 48, "pass_rate": 0.98, "coverage": 1.0, "failed": [], "figures": [],
    });
    let ended = site.host(["resume", id, "--json", "--supply", &format!("{task}={supplied}")]).expect(1).json();
    assert_eq!(ended["failure"]["message"], "phase 1 did not pass: A2: pass rate is 0.98, wanted 1.0");
}
