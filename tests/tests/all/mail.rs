//! The mail of components: what they send and ask, with real processes and a real component.

use std::time::{Duration, Instant};

use e2e::{Site, component};
use serde_json::Value;

use crate::service::eventually;

const SENDER: &str = r#"use "{plugins}/post.wasm" as post

flow main(topic: string = "orders.new", payload: string = "{\"id\": 7, \"item\": \"ink\"}") {
    post.send(topic, payload) with { allow: [mail_send "orders.>"] }
}

flow retried(times: u32) {
    post.send_and_fail("orders.new", "{\"id\": 1, \"item\": \"pen\"}", times) with { allow: [mail_send "orders.new"], retry: 1 }
}

flow many(count: u32, size: u32) -> u32 {
    post.send_many("orders.new", count, size) with { allow: [mail_send "orders.new"] }
}

flow tried(topic: string, payload: string) -> string {
    post.try_to_send(topic, payload) with { allow: [mail_send "orders.new"] }
}

flow ungranted() -> string {
    post.try_to_send("orders.new", "1")
}

flow hanging() -> string {
    try {
        post.send_and_hang("orders.new", "1") with { allow: [mail_send "orders.new"], timeout: 300ms }
        "it ended"
    } catch e { "${e.kind}" }
}
"#;

const RECEIVER: &str = r#"record order { id: u32, item: string }

flow main() -> string {
    let order = wait message "orders.new": order with { timeout: 100s }
    order.item
}
"#;

const PERMIT: [&str; 2] = ["--allow", "mail_send orders.>"];

fn site() -> Site {
    let site = Site::new();
    site.flow("main.flow", SENDER);
    site
}

fn run(site: &Site, args: &[&str], code: i32) -> Value {
    let args: Vec<&str> = ["run", "main.flow", "--json"].into_iter().chain(PERMIT).chain(args.iter().copied()).collect();
    site.host(args).expect(code).json()
}

/// The kinds of the events of a run that are about mail, with their paths.
fn mail_of(site: &Site, run: &Value) -> Vec<String> {
    let events = site.host(["events", run["run"].as_str().unwrap(), "--json"]).expect(0).json();
    let about = |event: &&Value| matches!(event["kind"].as_str(), Some("posted" | "taken" | "message-sent" | "denied"));
    let line = |event: &Value| format!("{} {}", event["kind"].as_str().unwrap(), event["path"].as_str().unwrap_or(""));
    events.as_array().unwrap().iter().filter(about).map(line).collect()
}

/// Waits until a run waits for a message on the topic.
fn waits_for(site: &Site, topic: &str) {
    let what = format!("message \\\"{topic}\\\"");
    eventually("a run waits for the message", || site.host(["ps", "--json"]).out.contains(&what).then_some(()));
}

#[test]
fn a_message_of_a_component_reaches_a_run_that_waits() {
    let site = site();
    site.flow("receiver.flow", RECEIVER);
    let receiver = site.command(["run", "receiver.flow", "--json"]).spawn().unwrap();
    waits_for(&site, "orders.new");
    let sent = run(&site, &[], 0);
    assert_eq!(e2e::finish(receiver).expect(0).json()["result"], "ink");
    assert_eq!(mail_of(&site, &sent), ["posted main/post.send", "message-sent main/post.send.mail[0]"]);
}

#[test]
fn only_the_attempt_that_succeeds_sends() {
    let site = site();
    let sent = run(&site, &["--flow", "retried", "--input", "times=1"], 0);
    assert_eq!(mail_of(&site, &sent), ["posted retried/post.send_and_fail", "message-sent retried/post.send_and_fail.mail[0]"]);
    let failed = run(&site, &["--flow", "retried", "--input", "times=100"], 1);
    assert_eq!(mail_of(&site, &failed), Vec::<String>::new());
    let stopped = run(&site, &["--flow", "hanging"], 0);
    assert_eq!((&stopped["result"], mail_of(&site, &stopped)), (&"timeout".into(), Vec::new()));
}

#[test]
fn what_is_not_granted_or_permitted_is_denied() {
    let site = site();
    let outcome = run(&site, &["--flow", "tried", "--input", "topic=bills.new", "--input", "payload=1"], 0);
    assert_eq!(outcome["result"], "permission");
    assert_eq!(mail_of(&site, &outcome), ["denied tried/post.try_to_send"]);
    let outcome = run(&site, &["--flow", "ungranted"], 0);
    assert_eq!(
        (&outcome["result"], mail_of(&site, &outcome)),
        (&"permission".into(), vec!["denied ungranted/post.try_to_send".to_owned()])
    );
    // A component that does not cope fails, and says what would permit it.
    let printed = site.host(["run", "main.flow", "--input", "topic=bills.new", "--allow", "mail_send >"]).expect(1);
    assert!(printed.err.contains("`allow: [mail_send \"bills.new\"]` would permit it"), "{}", printed.err);
    // What no operator permits is denied before the step begins.
    let printed = site.host(["run", "main.flow", "--json"]).expect(1);
    assert_eq!(mail_of(&site, &printed.json()), ["denied main/post.send", "denied main/post.send"]);
    site.host(["run", "main.flow", "--allow", "mail_send orders.*"]).expect(0);
    let printed = site.host(["run", "main.flow", "--allow", "mail_send orders*"]).expect(2);
    assert!(printed.err.contains("is no pattern of topics"), "{}", printed.err);
    site.write("flowhost.toml", "[policy]\nallow = [\"mail_send orders.new\"]\n");
    site.host(["run", "main.flow"]).expect(0);
}

#[test]
fn an_attempt_sends_so_much_and_only_what_can_be_sent() {
    let site = site();
    let many = |count: &str, size: &str| {
        let (count, size) = (format!("count={count}"), format!("size={size}"));
        run(&site, &["--flow", "many", "--input", &count, "--input", &size], 0)["result"].clone()
    };
    assert_eq!(many("1010", "2"), 1_000);
    assert_eq!(many("6", "1048576"), 3, "4 MiB, topics included");
    assert_eq!(many("1", "1048577"), 0, "1 MiB");
    let tried = |topic: &str, payload: &str| {
        let (topic, payload) = (format!("topic={topic}"), format!("payload={payload}"));
        run(&site, &["--flow", "tried", "--input", &topic, "--input", &payload], 0)["result"].clone()
    };
    assert_eq!(tried("orders.new", "{\"id\": }"), "invalid_input");
    assert_eq!(tried("orders.*", "1"), "invalid_input");
    assert_eq!(tried("", "1"), "invalid_input");
    assert_eq!(tried("orders.new", "1"), "sent");
}

const ASKER: &str = r#"use "{plugins}/post.wasm" as post

role reviewer(value: string) -> string
role sleeper(ms: u64) -> u64
role strict(value: s64) -> s64
role nobody(value: string) -> string

flow main(whom: string, message: string, deadline: option<u64> = none) -> string {
    try {
        post.inquire(whom, message, deadline) with {
            allow: [mail_ask reviewer, mail_ask sleeper, mail_ask strict, mail_ask nobody],
            timeout: 5s,
        }
    } catch e { "${e.kind}: ${e.message}" }
}

flow many(count: u32) -> u32 {
    post.ask_many("reviewer", "{\"value\": \"x\"}", count) with { allow: [mail_ask reviewer] }
}

flow relay() -> string {
    let order = seq {
        post.relay("reviewer", "{\"value\": \"done\"}", "reviews") with { allow: [mail_ask reviewer, mail_send "reviews"] }
        wait message "reviews": string with { timeout: 100s }
    }
    order
}

flow capped() -> string {
    post.inquire("reviewer", "{\"value\": \"x\"}", none)
}
"#;

const AGENTS: &str = "[policy]
allow = [\"mail_ask *\", \"mail_send reviews\"]

[roles.reviewer]
component = \"kit.wasm\"
function = \"echo\"

[roles.sleeper]
component = \"kit.wasm\"
function = \"slow\"

[roles.strict]
component = \"kit.wasm\"
function = \"check\"
";

fn asking() -> Site {
    let site = Site::new();
    site.flow("main.flow", ASKER);
    site.write("kit.wasm", std::fs::read(component("kit")).unwrap());
    site.write("flowhost.toml", AGENTS);
    site
}

#[test]
fn a_component_asks_whoever_has_the_role() {
    let site = asking();
    let ask = |role: &str, message: &str| {
        let (role, message) = (format!("whom={role}"), format!("message={message}"));
        let args = ["run", "main.flow", "--flow", "main", "--json", "--input", &role, "--input", &message];
        site.host(args).expect(0).json()["result"].as_str().unwrap().to_owned()
    };
    assert_eq!(ask("reviewer", "{\"value\": \"fine\"}"), "\"fine\"");
    assert_eq!(ask("sleeper", "{\"ms\": 1}"), "1");
    let says = |said: String, part: &str| assert!(said.starts_with(part), "{said}");
    says(ask("strict", "{\"value\": -1}"), "error: `-1` is negative");
    says(ask("reviewer", "\"fine\""), "invalid_input: the role `reviewer` is asked with {\"value\": string}: ");
    says(ask("reviewer", "{\"value\": 1}"), "invalid_input: ");
    says(ask("nobody", "{\"value\": \"x\"}"), "dependency: no agent has the role `nobody`");
    says(ask("other", "{}"), "permission: it asked the role `other`: `allow: [mail_ask other]` would permit it");
}

#[test]
fn a_question_waits_no_longer_than_it_may() {
    let site = asking();
    let args = ["run", "main.flow", "--flow", "main", "--json", "--input", "whom=sleeper", "--input", "message={\"ms\": 60000}"];
    let begun = Instant::now();
    let printed = site.host(args.into_iter().chain(["--input", "deadline=50000000"])).expect(0);
    assert_eq!(printed.json()["result"], "timeout: the component ran longer than 50ms");
    let printed = site.host(args).expect(0);
    assert!(printed.json()["result"].as_str().unwrap().starts_with("timeout: "), "{}", printed.out);
    assert!(begun.elapsed() < Duration::from_secs(50), "the attempt's own timeout holds while it asks");
}

#[test]
fn a_component_asks_so_often_and_sends_what_it_was_told() {
    let site = asking();
    let printed = site.host(["run", "main.flow", "--flow", "many", "--input", "count=110", "--json"]).expect(0);
    assert_eq!(printed.json()["result"], 100);
    let printed = site.host(["run", "main.flow", "--flow", "relay", "--json"]).expect(0);
    assert_eq!(printed.json()["result"], "done");
    let printed = site.host(["run", "main.flow", "--flow", "capped"]).expect(1);
    assert!(printed.err.contains("`allow: [mail_ask reviewer]` would permit it"), "{}", printed.err);
    // An agent has no mail itself.
    site.write("flowhost.toml", format!("{AGENTS}allow = [\"mail_ask reviewer\"]\n"));
    let printed = site.host(["run", "main.flow", "--flow", "many", "--input", "count=1"]).expect(2);
    assert!(printed.err.contains("cannot be granted to an agent"), "{}", printed.err);
}

const TAKER: &str = r#"use "{plugins}/post.wasm" as post

flow main(most: u32) -> list<string> {
    wait message "go" with { timeout: 100s }
    post.take("orders.new", most) with { allow: [mail_receive "orders.new"] }
}

flow retried() -> string {
    wait message "go" with { timeout: 100s }
    post.take_and_fail("orders.new", 2) with { allow: [mail_receive "orders.new"], retry: 2 }
}

flow ungranted() -> list<string> {
    post.take("orders.new", 1)
}
"#;

/// What a run of the flow gives to which these messages came before it looked.
fn taken(site: &Site, args: &[&str], messages: &[&str]) -> Value {
    let args = ["run", "main.flow", "--json", "--allow", "mail_receive >"].into_iter().chain(args.iter().copied());
    let child = site.command(args).spawn().unwrap();
    waits_for(site, "go");
    for message in messages {
        site.host(["send", "orders.new", message]).expect(0);
    }
    site.host(["send", "go"]).expect(0);
    e2e::finish(child).expect(0).json()
}

#[test]
fn a_component_takes_the_messages_that_came_for_its_run() {
    let site = Site::new();
    site.flow("main.flow", TAKER);
    let all = taken(&site, &["--flow", "main", "--input", "most=9"], &["{\"id\":1}", "2"]);
    assert_eq!(all["result"], serde_json::json!(["{\"id\":1}", "2"]));
    assert_eq!(mail_of(&site, &all), ["taken main/post.take", "taken main/post.take"]);
    let one = taken(&site, &["--flow", "main", "--input", "most=1"], &["1", "2"]);
    assert_eq!(one["result"], serde_json::json!(["1"]));
    let none = taken(&site, &["--flow", "main", "--input", "most=9"], &[]);
    assert_eq!((&none["result"], mail_of(&site, &none)), (&serde_json::json!([]), Vec::new()));
    // Each attempt gets the same message until one succeeds.
    let same = taken(&site, &["--flow", "retried"], &["1", "2"]);
    assert!(same["result"].as_str().unwrap().ends_with(" 1"), "{same}");
    assert_eq!(mail_of(&site, &same).len(), 3);
    let printed = site.host(["run", "main.flow", "--flow", "ungranted"]).expect(1);
    assert!(printed.err.contains("`allow: [mail_receive \"orders.new\"]` would permit it"), "{}", printed.err);
}

const TESTED: &str = r#"use "{plugins}/post.wasm" as post

role reviewer(text: string) -> string

flow main(text: string = "a text") -> string {
    let said = post.relay("reviewer", "{\"text\": \"${text}\"}", "reviews.done") with {
        allow: [mail_ask reviewer, mail_send "reviews.*"],
    }
    post.send("orders.done", said) with { allow: [mail_send "orders.*"] }
    said
}

test "what the reviewer says is sent" {
    mock ask reviewer("a text") => "good"
    assert main() == "\"good\""
    assert emitted("reviews.done") == [json("good")]
    assert emitted("orders.done") == [json("good")]
    assert calls(reviewer) == 1
}
"#;

#[test]
fn a_flow_with_mail_is_the_same_whenever_its_host_dies() {
    let site = Site::new();
    site.flow("main.flow", TESTED);
    let tested = site.host(["test", "main.flow", "--crash-everywhere"]).expect(0);
    assert!(tested.out.contains("10 crash points, resumed 18 times"), "{}", tested.out);
    site.flow("main.flow", &TESTED.replace("mock ask reviewer(\"a text\")", "mock ask reviewer(\"another\")"));
    let printed = site.host(["test", "main.flow"]).expect(1);
    assert!(
        printed.err.contains("no mock of `ask reviewer` is left") || printed.out.contains("no mock of `ask reviewer` is left"),
        "{}{}",
        printed.out,
        printed.err
    );
}
