//! What acts between the runs of a process, with real processes: keys, breakers, full classes, memory.

use e2e::Site;
use serde_json::{Value, json};

use crate::service::{Service, eventually};

const SLOW: &str = r#"
use "{plugins}/witness.wasm" as witness

flow main(folder: dir, ms: u64) -> string with { allow: [read_write folder] } {
    witness.mark_slowly(folder, "mark", ms) with { timeout: 1h, POLICY }
}
"#;

/// Longer than any test takes, in milliseconds.
const LONG: u64 = 2_000_000;

const BROKEN: &str = r#"
use "{plugins}/kit.wasm" as kit

flow main() -> string {
    kit.fail(network, "no route") with { breaker: trip(1, within: 1h, cooldown: 1h) }
}
"#;

/// A site with a flow of one slow step under this policy, and this configuration.
fn site(policy: &str, configuration: &str) -> Site {
    let site = Site::new();
    site.flow("slow.flow", &SLOW.replace("POLICY", policy));
    site.write("out/.keep", "");
    site.write("flowhost.toml", configuration);
    site
}

fn submit(service: &Service<'_>, ms: u64) -> String {
    service.submit(&["slow.flow", "--input", "folder=out", "--input", &format!("ms={ms}")])
}

fn kinds(site: &Site, run: &str) -> Vec<String> {
    let events = site.host(["events", run, "--json"]).expect(0).json();
    events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

/// Waits until the only step of a run has begun.
fn begun(site: &Site, run: &str) {
    eventually("the step begins", || kinds(site, run).iter().any(|kind| kind == "attempt-started").then_some(()));
}

/// Waits until `host why` says this of a run.
fn says(site: &Site, run: &str, text: &str) -> String {
    eventually(text, || {
        let printed = site.host(["why", run]);
        printed.out.contains(text).then_some(printed.out)
    })
}

#[test]
fn two_flows_of_a_service_wait_for_the_same_key() {
    let site = site("key: \"account\"", "");
    let other = SLOW.replace("POLICY", "key: \"account\", priority: 1").replace("\"mark\"", "\"other\"");
    site.flow("other.flow", &other);
    let service = Service::start(&site, &[]);
    let first = submit(&service, LONG);
    begun(&site, &first);
    let second = service.submit(&["other.flow", "--input", "folder=out", "--input", "ms=1"]);
    says(&site, &second, &format!("waits for the key `account`, which `{first}/main/witness.mark_slowly` has"));
    let rows = site.host(["ps", "--json"]).expect(0).json();
    let row = rows.as_array().unwrap().iter().find(|row| row["id"] == *second).unwrap();
    assert!(row["waiting"].as_str().unwrap().starts_with("the key `account`"), "{row}");
    assert!(!kinds(&site, &second).iter().any(|kind| kind == "attempt-started"), "what only waits has not begun");
    site.host(["cancel", &first, "--now"]).expect(0);
    assert_eq!(service.wait(&second).expect(0).json()["result"], "other");
    let times = site.host(["why", &second, "--times"]).expect(0).out;
    assert!(times.contains("held back most by what all runs share: "), "{times}");
    let held = service.status()["held_back"].as_array().unwrap().clone();
    assert_eq!((&held[0]["what"], &held[0]["times"]), (&json!("key `account`"), &json!(1)));
    assert!(site.host(["serve", "status"]).expect(0).out.contains("by key `account`, 1 times"));
}

#[test]
fn a_killed_service_leaves_no_doubt_about_what_only_waited() {
    let site = site("key: \"account\"", "");
    let service = Service::start(&site, &[]);
    let first = submit(&service, LONG);
    begun(&site, &first);
    let waiting: Vec<String> = (0..5).map(|_| submit(&service, 1)).collect();
    for run in &waiting {
        says(&site, run, "waits for the key `account`");
    }
    service.kill();
    let service = Service::start(&site, &[]);
    for run in &waiting {
        assert_eq!(service.wait(run).expect(0).json()["result"], "mark");
    }
    says(&site, &first, "needs a decision");
    site.host(["resume", &first, "--supply", "0=\"seen\""]).expect(0);
    assert_eq!(service.wait(&first).expect(0).json()["result"], "seen");
    let marks = std::fs::read_to_string(site.path().join("out/witness.txt")).unwrap();
    assert_eq!(marks.lines().count(), 5, "{marks}");
}

#[test]
fn a_service_that_is_stopped_does_not_wait_for_what_waits() {
    let site = site("key: \"account\"", "");
    let service = Service::start(&site, &["--drain", "1h"]);
    let first = submit(&service, LONG);
    begun(&site, &first);
    let second = submit(&service, 1);
    says(&site, &second, "waits for the key");
    service.signal("-TERM");
    eventually("what waits is paused while another has the key", || {
        let shown = site.host(["show", &second, "--json"]).expect(0).json();
        (shown["status"] == "paused").then_some(())
    });
    service.signal("-TERM");
    assert_eq!(service.ended(), 130);
    assert!(!kinds(&site, &second).iter().any(|kind| kind == "attempt-started"));
    let service = Service::start(&site, &[]);
    assert_eq!(service.wait(&second).expect(0).json()["result"], "mark");
}

#[test]
fn a_breaker_that_one_run_opened_holds_another_one() {
    let site = Site::new();
    site.flow("broken.flow", BROKEN);
    site.flow("careful.flow", &BROKEN.replace("with { ", "with { retry: 1, "));
    let service = Service::start(&site, &[]);
    let first = service.submit(&["broken.flow"]);
    // Its table tries again, which the breaker refuses.
    says(&site, &first, "its breaker is open");
    let second = service.submit(&["careful.flow"]);
    let told = says(&site, &second, "its breaker is open for another");
    assert!(told.contains("waits for attempt 2") && told.contains("`fail` failed too often in the runs of this host"), "{told}");
    let breakers = service.status()["breakers"].clone();
    assert_eq!(breakers[0]["of"], "`fail`");
    assert!(breakers[0]["open_ms"].as_u64().unwrap() > 3_000_000, "{breakers}");
    assert!(site.host(["serve", "status"]).expect(0).out.contains("breaker  of `fail`: open for another"));
    site.host(["cancel", &first, &second, "--now"]).expect(0);
}

#[test]
fn a_full_class_hands_over_to_its_fallback_and_then_refuses() {
    let classes = "[classes.small]\nparallel = 1\nqueue = 0\nfallback = \"large\"\n\n[classes.large]\nparallel = 1\nqueue = 1\n\n\
                   [escalation]\nservice = false\n";
    let site = site("class: small", classes);
    let service = Service::start(&site, &[]);
    let (first, second) = (submit(&service, LONG), submit(&service, LONG));
    begun(&site, &first);
    begun(&site, &second);
    let third = submit(&service, LONG);
    let told = says(&site, &third, "waits for the only place of class `large`");
    assert!(told.contains(&first) || told.contains(&second), "{told}");
    let end = service.wait(&submit(&service, 1)).expect(1).json();
    assert_eq!(end["failure"]["kind"], "resource");
    let message = end["failure"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("class `small` is full: `") && message.ends_with("has its only place, and its queue (0) is full")
    );
    site.host(["cancel", &first, &second, &third, "--now"]).expect(0);
}

#[test]
fn memory_is_given_out_before_a_step_begins_and_what_never_fits_is_refused() {
    let configuration = "[limits]\nmemory = \"64MiB\"\n\n[host]\nmemory = \"100MiB\"\ncpu = 4\n";
    let site = site("priority: 1", configuration);
    site.flow("large.flow", &SLOW.replace("POLICY", "memory: 1GiB"));
    let service = Service::start(&site, &[]);
    let first = submit(&service, LONG);
    begun(&site, &first);
    let second = submit(&service, 1);
    let told = format!(
        "waits for memory and cpu of this host: it needs 64 MiB and 1 cpu, and 36 MiB of 100 MiB and 3 of 4 cpu are free; \
         `{first}/main/witness.mark_slowly` (64 MiB and 1 cpu) has the rest"
    );
    says(&site, &second, &told);
    site.host(["cancel", &first, "--now"]).expect(0);
    service.wait(&second).expect(0);
    for command in ["submit", "run"] {
        let refused = site.host([command, "large.flow", "--input", "folder=out", "--input", "ms=1"]).expect(2);
        let why = "can never run: it needs 1024 MiB and 1 cpu, and this host has 100 MiB and 4 cpu for all steps together";
        assert!(refused.err.contains(why), "{}", refused.err);
    }
    let rows = site.host(["ps", "--json"]).expect(0).json();
    assert_eq!(rows.as_array().map(Vec::len), Some(2), "{rows}");
}

#[test]
fn a_configuration_that_could_not_work_is_refused() {
    let site = Site::new();
    site.write("main.flow", "flow main() -> u32 { 1 }\n");
    for (configuration, told) in [
        ("[classes.a]\nqueue = 1\n", "only beside `parallel`"),
        ("[classes.a]\nparallel = 1\nfallback = \"b\"\n", "`b` is no class"),
        ("[classes.a]\nparallel = 1\nfallback = \"a\"\n", "lead back to `a`"),
        ("[classes.a]\ncpu = 3\n\n[host]\ncpu = 2\n", "`[host] cpu` is 2"),
        ("[classes.a]\ncpu = 0\n", "at least 1"),
        ("[classes.a]\nmemory = \"2GiB\"\n\n[host]\nmemory = \"1GiB\"\n", "could never run"),
        ("[host]\nmemory = \"1MiB\"\n", "a step about which nothing is said gets 256MiB"),
        ("[host]\ncpu = 0\n", "at least 1"),
        ("[breakers.plugin]\nfailures = 0\nwithin = \"1m\"\ncooldown = \"1m\"\n", "at least 1"),
        ("[breakers.plugin]\nfailures = 1\nwithin = \"0s\"\ncooldown = \"1m\"\n", "must be longer"),
        ("[breakers.plugin]\nfailures = 1\n", "missing field"),
        ("[breakers.network]\n", "unknown field"),
    ] {
        site.write("flowhost.toml", configuration);
        let printed = site.host(["run", "main.flow"]).expect(2);
        assert!(printed.err.contains(told), "{configuration}: {}", printed.err);
    }
    site.write("flowhost.toml", "[host]\nmemory = \"1GiB\"\ncpu = 2\n");
    let ran: Value = site.host(["run", "main.flow", "--json"]).expect(0).json();
    assert_eq!(ran["result"], 1);
}
