//! Deployments and their triggers, with real processes.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use e2e::Site;
use serde_json::{Value, json};

use crate::service::{Service, eventually, runs, waiting};

const EVERY_SECOND: &str = r#"
flow tick() -> string { "ticked" }

on schedule "* * * * * *" in "UTC" -> tick()
"#;

const ORDERS: &str = r#"
flow order(o: json) -> json { o }

on event "orders.>" -> order(event)
"#;

const APPROVALS: &str = r#"
flow approve(o: json) -> json {
    wait signal done
    o
}

on event "ask" -> approve(event)
"#;

/// The runs of a deployment, oldest first.
fn of(site: &Site, deployment: &str) -> Vec<Value> {
    runs(site).into_iter().filter(|run| run["labels"]["deployment"] == deployment).collect()
}

fn id(run: &Value) -> &str {
    run["id"].as_str().unwrap()
}

fn list(site: &Site) -> Value {
    site.host(["deploy", "list", "--json"]).expect(0).json()
}

#[test]
fn what_cannot_be_deployed_is_refused() {
    let site = Site::new();
    assert_eq!(list(&site), json!([]));
    site.flow("plain.flow", "flow main() -> u32 { 1 }");
    let printed = site.host(["deploy", "plain.flow"]).expect(2);
    assert!(printed.err.contains("has no trigger"), "{}", printed.err);
    site.flow("wrong.flow", "flow main() -> u32 { 1 }\n\non schedule \"61 * * * *\" -> main()");
    site.host(["deploy", "wrong.flow"]).expect(3);
    site.flow("orders.flow", ORDERS);
    site.host(["deploy", "orders.flow", "--name", "two words"]).expect(2);
    site.host(["deploy", "orders.flow", "--missed", "never"]).expect(2);
    site.host(["deploy", "orders.flow"]).expect(0);
    for command in ["remove", "pause", "resume", "rollback"] {
        let printed = site.host(["deploy", command, "nothing"]).expect(2);
        assert!(printed.err.contains("nothing is deployed as `nothing`"), "{}", printed.err);
    }
    site.host(["deploy"]).expect(2);
}

#[test]
fn versions_are_kept_and_one_is_current() {
    let site = Site::new();
    site.flow("ticks.flow", EVERY_SECOND);
    assert_eq!(site.host(["deploy", "ticks.flow", "--json"]).expect(0).json(), json!([{ "name": "ticks", "version": 1 }]));
    site.flow("ticks.flow", &EVERY_SECOND.replace("* * * * * *", "0 9 * * mon").replace("UTC", "Europe/Berlin"));
    site.host(["deploy", "ticks.flow"]).expect(0);
    let listed = list(&site);
    assert_eq!((&listed[0]["version"], &listed[0]["versions"]), (&json!(2), &json!([2, 1])));
    assert_eq!(listed[0]["triggers"][0]["trigger"], "schedule 0 9 * * mon in Europe/Berlin -> tick");
    assert!(listed[0]["triggers"][0]["next"].as_str().unwrap().ends_with(":00:00.000Z"));
    site.host(["deploy", "rollback", "ticks"]).expect(0);
    assert_eq!(list(&site)[0]["version"], 1);
    let none = site.host(["deploy", "rollback", "ticks"]).expect(2);
    assert!(none.err.contains("no earlier version") && none.err.contains("2, 1"), "{}", none.err);
    site.host(["deploy", "rollback", "ticks", "--version", "2"]).expect(0);
    site.host(["deploy", "pause", "ticks"]).expect(0);
    assert_eq!((&list(&site)[0]["state"], &list(&site)[0]["triggers"][0]["next"]), (&json!("paused"), &Value::Null));
    site.host(["deploy", "resume", "ticks"]).expect(0);
    assert_eq!(list(&site)[0]["state"], "active");
    site.host(["deploy", "remove", "ticks"]).expect(0);
    assert_eq!(list(&site), json!([]));
}

#[test]
fn a_schedule_fires_once_for_each_time_over_kills() {
    let site = Site::new();
    site.flow("ticks.flow", EVERY_SECOND);
    site.host(["deploy", "ticks.flow", "--missed", "all"]).expect(0);
    for round in 1..=3 {
        let service = Service::start(&site, &[]);
        eventually("it ticks", || (of(&site, "ticks").len() >= 2 * round).then_some(()));
        service.kill();
    }
    let service = Service::start(&site, &[]);
    let before = of(&site, "ticks").len();
    eventually("it ticks again", || (of(&site, "ticks").len() > before + 1).then_some(()));
    site.host(["deploy", "pause", "ticks"]).expect(0);
    site.host(["serve", "stop"]).expect(0);
    assert_eq!(service.ended(), 0);
    let times: Vec<i64> = of(&site, "ticks").iter().map(|run| seconds(run["labels"]["due"].as_str().unwrap())).collect();
    let unique: BTreeSet<i64> = times.iter().copied().collect();
    assert_eq!(unique.len(), times.len(), "a time fired twice: {times:?}");
    let (first, last) = (unique.first().unwrap(), unique.last().unwrap());
    assert_eq!(unique.len() as i64, last - first + 1, "a time was lost: {times:?}");
}

/// Seconds of the day of a time such as `2026-01-01T10:00:05.000Z`, unwrapped over midnight.
fn seconds(text: &str) -> i64 {
    let part = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    ((part(8, 10) * 24 + part(11, 13)) * 60 + part(14, 16)) * 60 + part(17, 19)
}

#[test]
fn missed_times_are_made_up_for_once() {
    let site = Site::new();
    site.flow("ticks.flow", &EVERY_SECOND.replace("* * * * * *", "0 0 * * *"));
    site.host(["deploy", "ticks.flow"]).expect(0);
    // As if it had been deployed three days ago.
    let store = rusqlite::Connection::open(site.path().join(".flowhost/flowhost.db")).unwrap();
    store.execute("UPDATE trigger_marks SET mark = mark - 3 * 86400000", []).unwrap();
    drop(store);
    let service = Service::start(&site, &[]);
    service.logged("triggered");
    assert_eq!(service.logged("trigger-missed")["times"], "2");
    service.kill();
    let service = Service::start(&site, &[]);
    service.logged("deployed");
    assert_eq!(of(&site, "ticks").len(), 1);
}

#[test]
fn messages_start_runs_once_also_those_that_came_while_no_service_ran() {
    let site = Site::new();
    site.flow("orders.flow", ORDERS);
    site.host(["deploy", "orders.flow"]).expect(0);
    site.host(["send", "orders.new", r#"{"id": 1}"#]).expect(0);
    site.host(["send", "other", "7"]).expect(0);
    let service = Service::start(&site, &[]);
    site.host(["send", "orders.changed.eu", r#"{"id": 2}"#]).expect(0);
    let all = eventually("both run", || Some(of(&site, "orders")).filter(|runs| runs.len() == 2));
    let results: Vec<Value> = all.iter().map(|run| service.wait(id(run)).expect(0).json()["result"].clone()).collect();
    assert_eq!(results, [json!({"id": 1}), json!({"id": 2})]);
    // A flow that emits starts runs too.
    site.flow("sender.flow", "record item { id: u32 }\n\nflow main() { emit \"orders.flow\" item { id: 3 } }");
    let sender = service.submit(&["sender.flow"]);
    service.wait(&sender).expect(0);
    eventually("the third runs", || (of(&site, "orders").len() == 3).then_some(()));
    service.kill();
    let service = Service::start(&site, &[]);
    site.host(["deploy", "pause", "orders"]).expect(0);
    site.host(["send", "orders.new", "4"]).expect(0);
    site.host(["deploy", "resume", "orders"]).expect(0);
    site.host(["send", "orders.new", "5"]).expect(0);
    let all = eventually("the last one runs", || Some(of(&site, "orders")).filter(|runs| runs.len() == 4));
    assert_eq!(service.wait(id(&all[3])).expect(0).json()["result"], 5);
}

#[test]
fn overlapping_runs_follow_the_policy() {
    for (overlap, expected) in [("allow", 3), ("skip", 1), ("queue", 1)] {
        let site = Site::new();
        site.flow("ask.flow", APPROVALS);
        site.host(["deploy", "ask.flow", "--overlap", overlap]).expect(0);
        let service = Service::start(&site, &[]);
        for number in ["1", "2", "3"] {
            site.host(["send", "ask", number]).expect(0);
        }
        match overlap {
            "allow" => eventually("all run", || (of(&site, "ask").len() == 3).then_some(())),
            "skip" => eventually("two are skipped", || {
                (service.log().iter().filter(|line| line["event"] == "trigger-skipped").count() == 2).then_some(())
            }),
            _ => eventually("the first one runs", || (of(&site, "ask").len() == 1).then_some(())),
        }
        let first = of(&site, "ask")[0].clone();
        waiting(&site, id(&first));
        assert_eq!(of(&site, "ask").len(), expected, "{overlap}");
        site.host(["signal", id(&first), "done"]).expect(0);
        assert_eq!(service.wait(id(&first)).expect(0).json()["result"], 1);
        if overlap == "queue" {
            let second = eventually("the second one runs", || of(&site, "ask").get(1).cloned());
            waiting(&site, id(&second));
            assert_eq!(of(&site, "ask").len(), 2);
            site.host(["signal", id(&second), "done"]).expect(0);
            assert_eq!(service.wait(id(&second)).expect(0).json()["result"], 2);
        }
    }
}

fn http(address: &str, request: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"));
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn post(address: &str, path: &str, headers: &str, body: &str) -> (u16, Value) {
    http(address, &format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()))
}

#[test]
fn requests_start_runs_and_wrong_ones_do_not() {
    let site = Site::new();
    site.flow("hook.flow", "flow order(o: json) -> json { o }\n\non webhook \"/orders\" -> order(event)");
    site.host(["deploy", "hook.flow"]).expect(0);
    site.flow("other.flow", "flow main(o: json) -> json { o }\n\non webhook \"/orders\" -> main(event)");
    let taken = site.host(["deploy", "other.flow"]).expect(2);
    assert!(taken.err.contains("belongs to the deployment `hook`"), "{}", taken.err);
    let service = Service::start(&site, &["--listen", "127.0.0.1:0"]);
    let address = service.logged("listening")["http"].as_str().unwrap().to_owned();
    let (status, answer) = post(&address, "/orders", "", r#"{"id": 1}"#);
    assert_eq!(status, 202, "{answer}");
    assert_eq!(service.wait(answer["run"].as_str().unwrap()).expect(0).json()["result"], json!({"id": 1}));
    let once = "idempotency-key: a\r\n";
    let same = [post(&address, "/orders", once, "1"), post(&address, "/orders", once, "1")];
    assert_eq!((same[0].0, &same[0].1), (202, &same[1].1));
    assert_eq!(post(&address, "/orders", "", "{").0, 400);
    assert_eq!(post(&address, "/orders", "", "\u{ff}").0, 400);
    assert_eq!(post(&address, "/elsewhere", "", "1").0, 404);
    assert_eq!(http(&address, "GET /orders HTTP/1.1\r\nhost: x\r\n\r\n").0, 405);
    assert_eq!(post(&address, "/orders", "", &format!("\"{}\"", "x".repeat(2 << 20))).0, 413);
    let _silent = TcpStream::connect(&address).unwrap();
    let mut garbage = TcpStream::connect(&address).unwrap();
    garbage.write_all(b"\x00\x01\x02 not http\r\n\r\n").unwrap();
    assert_eq!(runs(&site).len(), 2);
    assert_eq!(post(&address, "/orders", "", "null").0, 202);
    site.host(["serve", "--listen", &address, "--socket", "other.sock"]).expect(5);
}
