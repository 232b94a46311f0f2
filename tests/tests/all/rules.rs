//! What the policy keys beside limits and retries do, seen from outside: order, keys, rates, budgets, breakers, the cache,
//! and pauses when attempts are used up.

use std::time::{Duration, Instant};

use e2e::Site;
use serde_json::Value;

const USES: &str = r#"
use "{plugins}/witness.wasm" as witness
use "{plugins}/kit.wasm" as kit
"#;

fn site(flow: &str) -> Site {
    let site = Site::new();
    site.flow("main.flow", &format!("{USES}\n{flow}"));
    site.write("folder/.keep", "");
    site
}

/// Runs the flow and expects this exit code.
#[track_caller]
fn run(site: &Site, input: &[&str], code: i32) -> Value {
    let mut args = vec!["run", "main.flow", "--json"];
    for input in input {
        args.extend(["--input", input]);
    }
    site.host(args).expect(code).json()
}

fn marks(site: &Site) -> Vec<String> {
    let text = std::fs::read_to_string(site.path().join("folder/witness.txt")).unwrap_or_default();
    text.lines().map(|line| line.rsplit(" = ").next().unwrap().to_owned()).collect()
}

fn steps(site: &Site, run: &Value) -> Vec<Value> {
    let shown = site.host(["show", run["run"].as_str().unwrap(), "--json"]).expect(0).json();
    shown["steps"].as_array().unwrap().clone()
}

#[test]
fn the_highest_priority_goes_first() {
    let site = site(
        r#"flow main(folder: dir) with { allow: [read_write folder], parallel: 1 } {
    witness.mark(folder, "low") with { priority: -1 }
    witness.mark(folder, "plain")
    witness.mark(folder, "high") with { priority: 5 }
}"#,
    );
    run(&site, &["folder=folder"], 0);
    assert_eq!(marks(&site), ["high", "plain", "low"]);
}

#[test]
fn steps_with_an_equal_key_run_one_at_a_time() {
    let site = site(
        r#"flow main(folder: dir) with { allow: [read_write folder] } {
    map n in range(0, 6) { witness.mark_slowly(folder, "${n}", 20) with { key: "half ${n % 2}" } }
}"#,
    );
    let report = run(&site, &["folder=folder"], 0);
    let events = site.host(["events", report["run"].as_str().unwrap(), "--json"]).expect(0).json();
    let mut open = [0_i32; 2];
    let mut beside = false;
    for event in events.as_array().unwrap() {
        let path = event["path"].as_str().unwrap();
        let Some(item) = path.split(['[', ']']).nth(1).and_then(|item| item.parse::<usize>().ok()) else { continue };
        open[item % 2] += match event["kind"].as_str().unwrap() {
            "attempt-started" => 1,
            "attempt-succeeded" => -1,
            _ => 0,
        };
        assert!(open[item % 2] <= 1, "two steps of one key run at once: {event}");
        beside |= open == [1, 1];
    }
    assert!(beside, "steps of different keys run at once");
    assert_eq!(marks(&site).len(), 6);
}

#[test]
fn a_rate_spreads_the_starts() {
    let site = site(
        r"flow main() -> u64 {
    let all = map n in range(0, 7) with { rate: at_most(2, per: 300ms) } { kit.slow(1) }
    len(all)
}",
    );
    run(&site, &[], 0);
    let begin = Instant::now();
    run(&site, &[], 0);
    assert!(begin.elapsed() >= Duration::from_millis(900), "the seventh starts after three times 300 ms: {:?}", begin.elapsed());
}

#[test]
fn a_budget_ends_its_block() {
    let site = site(
        r#"flow main(n: s64) -> string {
    let all = try {
        map i in range(0, n) with { budget: { steps: 3 } } { kit.echo_number(i) }
        "enough"
    } catch e {
        "${e.kind}: ${e.message}"
    }
    all
}"#,
    );
    assert_eq!(run(&site, &["n=3"], 0)["result"], "enough");
    let said = run(&site, &["n=4"], 0);
    assert_eq!(said["result"], "resource: the budget is used up: it has 3 steps, and 3 attempts were started");
}

#[test]
fn a_cached_step_runs_once_over_all_runs() {
    let site = site(
        r#"flow main(folder: dir, n: s64) -> s64 {
    witness.mark(folder, "again") with { allow: [read_write folder], idempotent: true, cache: true }
    kit.echo_number(n) with { cache: 1ms }
    kit.add(n, 1) with { cache: true }
}"#,
    );
    let said = |report: &Value| -> Vec<(String, Value)> {
        let steps = steps(&site, report);
        steps.iter().map(|step| (step["path"].as_str().unwrap().to_owned(), step["cache"].clone())).collect()
    };
    let find = |notes: &[(String, Value)], name: &str| notes.iter().find(|(path, _)| path.ends_with(name)).unwrap().1.clone();
    let first = run(&site, &["folder=folder", "n=4"], 0);
    assert_eq!(first["result"], 5);
    assert!(said(&first).iter().all(|(_, note)| note == "no-entry"), "{:?}", said(&first));
    let second = run(&site, &["folder=folder", "n=4"], 0);
    assert_eq!(second["result"], 5);
    let notes = said(&second);
    assert_eq!(find(&notes, "kit.add"), "hit");
    assert_eq!(find(&notes, "witness.mark"), "hit");
    assert_eq!(find(&notes, "kit.echo_number"), "expired");
    assert_eq!(marks(&site), ["again"], "the second run left no mark");
    let other = run(&site, &["folder=folder", "n=5"], 0);
    assert_eq!(find(&said(&other), "kit.add"), "no-entry", "other arguments");
    let text = site.host(["show", second["run"].as_str().unwrap()]).expect(0).out;
    assert!(text.contains("out of the cache") && text.contains("not in the cache: expired"), "{text}");
}

#[test]
fn a_failure_is_never_cached() {
    let site = site("flow main() -> s64 with { cache: true } { kit.check(0 - 1) }");
    for _ in 0..2 {
        run(&site, &[], 1);
    }
}

#[test]
fn an_open_breaker_refuses_attempts() {
    let site = site(
        r#"flow main() -> list<string> {
    let all = map n in range(0, 4) with { parallel: 1, on_error: collect, breaker: trip(2, within: 1m, cooldown: 1m) } {
        kit.check(0 - 1)
    }
    map one in all { match one { ok(_) => "ok", err(e) => "${e.kind}" } }
}"#,
    );
    let report = run(&site, &[], 0);
    assert_eq!(report["result"], serde_json::json!(["error", "error", "dependency", "dependency"]));
    assert_eq!(report["attempts"], 2, "what is refused is not invoked");
}

#[test]
fn used_up_attempts_wait_for_an_operator() {
    let site = site(
        r#"flow main() -> string {
    kit.fail_times(2, kit.failure_kind.network, "done") with { retry: 1, on_exhausted: pause } else "else"
}"#,
    );
    let paused = run(&site, &[], 6);
    let (id, blocked) = (paused["run"].as_str().unwrap(), &paused["blocked"][0]);
    assert_eq!(blocked["because"]["reason"], "exhausted");
    assert_eq!(blocked["because"]["kind"], "network");
    let task = blocked["task"].to_string();
    site.host(["resume", id]).expect(6);
    let resumed = site.host(["resume", id, "--json", "--retry", &task]).expect(0).json();
    assert_eq!(resumed["result"], "done");
    let paused = run(&site, &[], 6);
    let fail = format!("{task}=no");
    let failed = site.host(["resume", paused["run"].as_str().unwrap(), "--json", "--fail", &fail]).expect(0).json();
    assert_eq!(failed["result"], "else", "then its failure goes its way");
}
