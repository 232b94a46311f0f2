//! `run plan` with the real binary: what a plan sees, what it may do, and what becomes of it when hosts die.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use e2e::{Printed, Site};
use serde_json::Value;

const FLOW: &str = r#"
use "{plugins}/kit.wasm" as kit
use "{plugins}/team.wasm" as team

flow main(source: string) -> json {
    run plan(source, n: 20, words: ["a", "b"]) with { budget: { steps: 10, time: 1m } }
}

flow mends(source: string) -> json {
    try {
        run plan(source) with { budget: { steps: 10 } }
    } catch e {
        e.details
    }
}

flow brief(source: string) -> json {
    run plan(source) with { budget: { steps: 10 } }
}

flow alone(source: string) -> json {
    run plan(source) with { budget: { steps: 10, fuel: 2_000_000_000, time: 1m } }
}
"#;

fn site() -> Site {
    let site = Site::new();
    site.flow("main.flow", FLOW);
    site
}

fn run(site: &Site, flow: &str, source: &str) -> Printed {
    site.host(["run", "main.flow", "--flow", flow, "--json", "--input", &format!("source={source}")])
}

/// The runs of plans.
fn children(site: &Site) -> Vec<Value> {
    let runs = site.host(["ps", "--json"]).expect(0).json();
    runs.as_array().unwrap().iter().filter(|run| run["labels"]["parent"].is_string()).cloned().collect()
}

#[test]
fn a_plan_runs_and_names_its_parent() {
    let site = site();
    let source = "use \"kit\" as kit\nflow main(n: s64, words: list<string>) -> string { let sum = kit.add(n, 22)\n\"${sum} ${len(words)}\" }";
    let printed = run(&site, "main", source).expect(0).json();
    assert_eq!(printed["result"], "42 2");
    assert_eq!(printed["bill"]["attempts"], 1, "{printed:#}");
    let parent = printed["run"].as_str().unwrap();
    let [child] = <[Value; 1]>::try_from(children(&site)).unwrap();
    assert_eq!(child["labels"], serde_json::json!({ "parent": parent, "parent-step": "main/plan" }));
    let id = child["id"].as_str().unwrap();
    let shown = site.host(["show", id]).expect(0).out;
    assert!(shown.contains(&format!("parent   {parent} at `main/plan`")), "{shown}");
    let listed = site.host(["ps"]).expect(0).out;
    assert!(listed.contains(&format!("plan of {parent}")), "{listed}");
    site.host(["resume", id]).expect(2);
}

#[test]
fn components_are_seen_by_name_and_by_reference_and_no_others() {
    let site = site();
    let path = e2e::component("kit").to_string_lossy().into_owned();
    let source = format!("use \"{path}\" as own\nflow main() -> s64 {{ own.add(1, 2) }}");
    assert_eq!(run(&site, "alone", &source).expect(0).json()["result"], 3);
    for hidden in [e2e::component("witness").to_string_lossy().into_owned(), "critic".to_owned()] {
        let source = format!("use \"{hidden}\" as own\nflow main() -> s64 {{ 1 }}");
        let failure = run(&site, "alone", &source).expect(1).json()["failure"].clone();
        assert_eq!(failure["kind"], "invalid_input", "{failure:#}");
        assert!(failure["message"].as_str().unwrap().contains("the flow that runs this plan does not use it"), "{failure:#}");
        assert!(failure["details"][0]["help"].as_str().unwrap().contains("`kit`"), "{failure:#}");
    }
    site.write("secret.flow", "flow hidden() -> u32 { 1 }");
    let failure = run(&site, "alone", "import \"secret.flow\" { hidden }\nflow main() -> u32 { hidden() }").expect(1).json();
    assert!(failure["failure"]["message"].as_str().unwrap().contains("sees the files of the flow that runs it"), "{failure:#}");
    // Files of the program it may import.
    let source = "import \"main.flow\" { alone }\nflow main() -> u32 { 1 }";
    run(&site, "alone", source).expect(0);
}

#[test]
fn what_is_wrong_with_a_text_reaches_the_flow() {
    let site = site();
    let source = "use \"kit\" as kit\nflow main() -> string {\n    kit.ecoh(\"x\")\n}";
    let details = run(&site, "mends", source).expect(0).json()["result"].clone();
    let expected = serde_json::json!({ "code": "flow::unknown_function", "line": 3, "column": 9 });
    for key in ["code", "line", "column"] {
        assert_eq!(details[0][key], expected[key], "{details:#}");
    }
    assert!(details[0]["help"].as_str().unwrap().contains("did you mean `kit.echo`"), "{details:#}");
}

#[test]
fn hostile_texts_end_with_a_failure() {
    let site = site();
    let deep = format!("flow main() -> u32 {{ {}1{} }}", "(".repeat(20_000), ")".repeat(20_000));
    let lists = format!("flow main() -> u32 {{ len({}1{}) }}", "[".repeat(20_000), "]".repeat(20_000));
    let huge = format!("flow main() -> u32 {{ 1 }} // {}", "x".repeat(300_000));
    let forms = format!("flow main() -> u32 {{ {} 1 {} }}", "if true { ".repeat(5_000), " } else { 2 }".repeat(5_000));
    let endless = "use \"kit\" as kit\nflow main() -> s64 { loop n = 0 until n < 0 max 4_000_000_000 { kit.add(n, 1) } }";
    let busy = "flow main() -> u64 { let all = [x for x in range(0, 2_000_000_000)]\nlen(all) }";
    let myself = "flow main() -> json { run plan(\"flow main() -> u32 { 1 }\") with { budget: { steps: 1 } } }";
    let grants = "use \"kit\" as kit\nflow main() -> string { kit.echo(\"x\") with { allow: [http \"example.com\"] } }";
    let cases = [
        (deep.as_str(), "invalid_input"),
        (&lists, "invalid_input"),
        (&huge, "invalid_input"),
        (&forms, "invalid_input"),
        ("\u{0}\u{1}\u{202e}", "invalid_input"),
        ("", "invalid_input"),
        (endless, "resource"),
        (busy, "resource"),
        (grants, "permission"),
    ];
    site.write("source.json", "");
    for (source, kind) in cases {
        let shown: String = source.chars().take(60).collect();
        // Too long for a command line.
        site.write("input.json", serde_json::json!({ "source": source }).to_string());
        let printed = site.host(["run", "main.flow", "--flow", "alone", "--json", "--input-file", "input.json"]);
        let failure = printed.expect(1).json()["failure"].clone();
        assert_eq!(failure["kind"], kind, "{shown}: {failure:#}");
    }
    assert_eq!(run(&site, "alone", myself).expect(0).json()["result"], 1);
}

#[test]
fn a_plan_that_waits_is_answered_under_its_own_id() {
    let site = site();
    let printed = run(&site, "brief", "flow main() -> bool { wait signal approved: bool }").expect(6).json();
    let parent = printed["run"].as_str().unwrap();
    assert_eq!(printed["waiting"][0]["waits_for"], "run", "{printed:#}");
    let child = printed["waiting"][0]["name"].as_str().unwrap().to_owned();
    site.host(["signal", &child, "approved", "true"]).expect(0);
    assert_eq!(site.host(["resume", parent, "--json"]).expect(0).json()["result"], true);
}

const WITNESSED: &str = r#"
use "{plugins}/witness.wasm" as witness

flow main(source: string, folder: dir) -> json {
    run plan(source, place: folder) with { allow: [read_write folder], budget: { steps: 100 } }
}
"#;

const MARKS: &str = r#"use "witness" as witness
flow main(place: dir) -> list<string> with { allow: [read_write place] } {
    let first = witness.mark(place, "first") with { idempotent: true }
    let many = map n in range(0, 8) with { parallel: 1 } {
        witness.mark_slowly(place, "item ${n}", 60) with { idempotent: true }
    }
    many
}"#;

/// How often each mark was made, by its path in its run, and the runs that made some.
fn marks(site: &Site) -> BTreeMap<String, u32> {
    let text = std::fs::read_to_string(site.path().join("folder/witness.txt")).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        *counts.entry(line.to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn a_killed_run_goes_on_with_its_plan() {
    let site = Site::new();
    site.flow("main.flow", WITNESSED);
    site.write("folder/.keep", "");
    site.write("input.json", serde_json::json!({ "source": MARKS, "folder": "folder" }).to_string());
    let mut child = site.victim(["run", "main.flow", "--input-file", "input.json"]);
    let mut parent = String::new();
    for seen in [1, 3, 5] {
        // Killed when it has got so far, however long that takes.
        let begun = Instant::now();
        while marks(&site).len() < seen && child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", marks(&site));
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let runs = site.host(["ps", "--json"]).expect(0).json();
        let own = runs.as_array().unwrap().iter().find(|run| !run["labels"]["parent"].is_string()).unwrap().clone();
        own["id"].as_str().unwrap().clone_into(&mut parent);
        child = site.victim(["resume", &parent]);
    }
    child.wait().unwrap();
    let runs = site.host(["ps", "--json"]).expect(0).json();
    assert_eq!(runs.as_array().unwrap().len(), 2, "the plan was started again: {runs:#}");
    let shown = site.host(["show", &parent, "--json"]).expect(0).json();
    assert_eq!(shown["outcome"]["succeeded"].as_array().map(Vec::len), Some(8), "{shown:#}");
    assert!(!shown["steps"].as_array().unwrap().iter().any(|step| step["state"] == "unknown"), "{shown:#}");
    let marks = marks(&site);
    assert_eq!(marks.len(), 9, "{marks:?}");
    assert!(marks.values().sum::<u32>() <= 9 + 3, "what was committed ran again: {marks:?}");
}

const GUARDED: &str = r#"
use "{plugins}/kit.wasm" as kit

hook before step kit.* -> kit.guard

flow main(source: string) -> json {
    run plan(source) with { budget: { steps: 10 } }
}
"#;

#[test]
fn hooks_of_a_flow_are_called_around_the_steps_of_its_plans() {
    let site = Site::new();
    site.flow("main.flow", GUARDED);
    let source = |text: &str| format!("use \"kit\" as kit\nflow main() -> string {{ kit.echo(\"{text}\") }}");
    let run = |text: &str| site.host(["run", "main.flow", "--json", "--input", &format!("source={}", source(text))]);
    assert_eq!(run("coffee").expect(0).json()["result"], "tea");
    let failure = run("forbidden").expect(1).json()["failure"].clone();
    assert_eq!(failure["kind"], "permission", "{failure:#}");
    // A plan that is resumed alone has them too.
    let waits = "use \"kit\" as kit\nflow main() -> string { wait signal go\nkit.echo(\"coffee\") }";
    let printed = site.host(["run", "main.flow", "--json", "--input", &format!("source={waits}")]).expect(6).json();
    let child = printed["waiting"][0]["name"].as_str().unwrap().to_owned();
    assert_eq!(site.host(["resume", &child, "--signal", "go", "--json"]).expect(0).json()["result"], "tea");
    let parent = printed["run"].as_str().unwrap();
    assert_eq!(site.host(["resume", parent, "--json"]).expect(0).json()["result"], "tea");
}
