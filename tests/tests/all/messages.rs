//! Waits, signals and messages with real processes.

use std::process::Child;
use std::time::{Duration, Instant};

use e2e::{Site, finish};
use serde_json::Value;

const APPROVAL: &str = r#"
flow main(short: bool = false) -> string {
    let approved = if short {
        wait signal approval: bool with { timeout: 300ms } else false
    } else {
        wait signal approval: bool
    }
    if approved { "approved" } else { "not approved" }
}
"#;

const RECEIVER: &str = r#"
record order { id: u32, item: string }

flow main() -> list<string> {
    let first = wait message "orders.new": order
    let second = wait message "orders.new": order
    [first.item, second.item]
}
"#;

const SENDER: &str = r#"
flow main(items: list<string>) {
    map item in items {
        emit "orders.new" order { id: 1, item: item }
    }
}

record order { id: u32, item: string }
"#;

/// The only run of the store.
fn the_run(site: &Site) -> Value {
    let runs = site.host(["ps", "--json"]).expect(0).json();
    assert_eq!(runs.as_array().unwrap().len(), 1, "{runs}");
    runs[0].clone()
}

fn id(run: &Value) -> String {
    run["id"].as_str().unwrap().to_owned()
}

/// Waits until a run of the store waits for something.
fn waiting(site: &Site) -> Value {
    let started = Instant::now();
    loop {
        let printed = site.host(["ps", "--json"]);
        if printed.code == 0
            && let Some(run) = printed.json().as_array().unwrap().iter().find(|run| run["waiting"].is_string())
        {
            return run.clone();
        }
        assert!(started.elapsed() < Duration::from_secs(60), "nothing waits: {}\n{}", printed.out, printed.err);
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_run_that_waits_for_its_operator_says_how_to_answer() {
    let site = Site::new();
    site.flow("main.flow", APPROVAL);
    let printed = site.host(["run", "main.flow"]).expect(6);
    let run = the_run(&site);
    assert_eq!(run["waiting"], "signal approval: bool (main/approved/approval)");
    let id = id(&run);
    let help = format!("`host signal {id} approval true`, then `host resume {id}`");
    assert!(printed.err.contains(&help), "{}", printed.err);
    assert!(site.host(["ps"]).expect(0).out.contains("waits for signal approval: bool"));
    assert!(site.host(["show", &id]).expect(0).out.contains("waits    for signal approval: bool"));
    let again = site.host(["resume", &id, "--json"]).expect(6).json();
    assert_eq!((&again["status"], &again["waiting"][0]["name"]), (&"waiting".into(), &"approval".into()));
    site.host(["signal", &id, "approval", "true"]).expect(0);
    assert_eq!(site.host(["resume", &id, "--json"]).expect(0).json()["result"], "approved");
    assert_eq!(the_run(&site)["waiting"], Value::Null);
}

#[test]
fn a_signal_can_come_with_the_resume() {
    let site = Site::new();
    site.flow("main.flow", APPROVAL);
    let id = id_of_waiting(&site, "main.flow");
    let wrong = site.host(["resume", &id, "--signal", "approval=1"]).expect(7);
    assert!(wrong.err.contains("the signal `approval` carries `bool`"), "{}", wrong.err);
    let printed = site.host(["resume", &id, "--signal", "approval=false", "--json"]).expect(0);
    assert_eq!(printed.json()["result"], "not approved");
}

fn id_of_waiting(site: &Site, flow: &str) -> String {
    site.host(["run", flow, "--json"]).expect(6).json()["run"].as_str().unwrap().to_owned()
}

#[test]
fn a_wait_with_a_timeout_branches_by_itself_or_takes_a_signal_meanwhile() {
    let site = Site::new();
    site.flow("main.flow", APPROVAL);
    let printed = site.host(["run", "main.flow", "--input", "short=true", "--json"]).expect(0);
    assert_eq!(printed.json()["result"], "not approved");
    let site = Site::new();
    site.flow("main.flow", &APPROVAL.replace("300ms", "100s"));
    let child = site.command(["run", "main.flow", "--input", "short=true", "--json"]).spawn().unwrap();
    let run = id(&waiting(&site));
    site.host(["signal", &run, "approval", "true"]).expect(0);
    assert_eq!(finish(child).expect(0).json()["result"], "approved");
}

#[test]
fn a_wrong_signal_is_refused_to_its_sender() {
    let site = Site::new();
    site.flow("main.flow", APPROVAL);
    let id = id_of_waiting(&site, "main.flow");
    let refused = |args: &[&str], code: i32, what: &str| {
        let printed = site.host(args.iter().copied()).expect(code);
        assert!(printed.err.contains(what), "{}", printed.err);
    };
    refused(&["signal", &id, "approval", "3"], 7, "the signal `approval` carries `bool`");
    refused(&["signal", &id, "approval"], 7, "the signal `approval` carries `bool`");
    refused(&["signal", &id, "approval", "{"], 7, "the signal `approval` carries `bool`");
    refused(&["signal", &id, "aproval", "true"], 7, "the flow waits for no signal `aproval`: it waits for `approval`");
    refused(&["signal", "nobody", "approval", "true"], 5, "there is no run `nobody`");
    site.host(["resume", &id, "--signal", "approval=true"]).expect(0);
    refused(&["signal", &id, "approval", "true"], 2, "has ended");
    refused(&["send", "two words", "1"], 2, "is not a topic");
    refused(&["send", "topic", "{"], 7, "is not JSON");
}

#[test]
fn a_signal_that_comes_before_its_wait_is_kept() {
    let site = Site::new();
    site.flow(
        "main.flow",
        r#"flow main() -> u32 {
    wait signal first
    wait signal second: u32
}"#,
    );
    let id = id_of_waiting(&site, "main.flow");
    site.host(["signal", &id, "second", "2"]).expect(0);
    site.host(["resume", &id]).expect(6);
    let printed = site.host(["resume", &id, "--signal", "first", "--json"]).expect(0);
    assert_eq!(printed.json()["result"], 2);
}

#[test]
fn a_message_reaches_a_run_of_another_process_also_after_kills() {
    let site = Site::new();
    site.flow("receiver.flow", RECEIVER);
    site.flow("sender.flow", SENDER);
    let child = site.victim(["run", "receiver.flow"]);
    let run = id(&waiting(&site));
    let sent = site.host(["run", "sender.flow", "--input", r#"items=["lamp"]"#, "--json"]).expect(0);
    assert_eq!(sent.json()["result"], Value::Null);
    // Whether or not the first message was taken before the kill, it counts once.
    std::thread::sleep(Duration::from_millis(150));
    kill(child);
    site.host(["send", "orders.new", r#"{"id": 2, "item": "chair"}"#]).expect(0);
    site.host(["send", "orders.new", r#"{"id": "no number"}"#]).expect(0);
    let printed = site.host(["resume", &run, "--json"]).expect(0);
    assert_eq!(printed.json()["result"], serde_json::json!(["lamp", "chair"]));
}

#[test]
fn a_wait_for_time_goes_on_where_it_was_after_a_kill() {
    let site = Site::new();
    site.flow("main.flow", "flow main() -> string {\n    wait 3s\n    \"done\"\n}");
    let started = Instant::now();
    let child = site.victim(["run", "main.flow"]);
    let run = id(&waiting(&site));
    kill(child);
    let printed = site.host(["resume", &run, "--json"]).expect(0);
    assert_eq!(printed.json()["result"], "done");
    assert!(started.elapsed() >= Duration::from_secs(3), "{:?}", started.elapsed());
    let events = site.host(["events", &run, "--json"]).expect(0).json();
    let kinds: Vec<&str> = events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["run-started", "owner-changed", "timer-fired", "run-ended"]);
}
