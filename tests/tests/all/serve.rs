//! `host serve` with real processes: runs without a terminal, over stops, kills, and hostile peers.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use e2e::Site;
use serde_json::{Value, json};

use crate::service::{Service, eventually, runs, waiting};

const GREETING: &str = r#"flow main(name: string = "you") -> string {
    let word = wait signal word: string
    "${word}, ${name}"
}"#;

const ADD: &str = "flow main(n: u32) -> u32 { n + 1 }";

const SLOW: &str = r#"
use "{plugins}/witness.wasm" as witness

flow main(folder: dir) -> string with { allow: [read_write folder] } {
    let first = witness.mark_slowly(folder, "first", 1200)
    let second = witness.mark(folder, "${first} second")
    second
}
"#;

#[test]
fn without_a_service_its_commands_say_how_to_start_one() {
    let site = Site::new();
    site.flow("add.flow", ADD);
    for args in [&["submit", "add.flow", "--input", "n=1"][..], &["serve", "status"], &["serve", "stop"]] {
        let printed = site.host(args).expect(5);
        assert!(printed.err.contains("has no service") && printed.err.contains("host serve"), "{}", printed.err);
    }
    assert!(!site.path().join(".flowhost").exists(), "a store was made for nothing");
    site.host(["serve", "--keep", "0"]).expect(2);
    site.host(["serve", "--drain", "soon"]).expect(2);
    let long = format!("{}.sock", "x".repeat(120));
    let printed = site.host(["serve", "--socket", &long]).expect(2);
    assert!(printed.err.contains("at most 100 are possible"), "{}", printed.err);
    site.write("file", "not a socket");
    site.host(["serve", "--socket", "file"]).expect(2);
}

#[test]
fn a_submitted_run_ends_as_if_it_had_been_run_here() {
    let site = Site::new();
    site.flow("add.flow", ADD);
    let service = Service::start(&site, &[]);
    let run = service.submit(&["add.flow", "--input", "n=4", "--label", "who=me"]);
    let end = service.wait(&run).expect(0).json();
    assert_eq!((&end["result"], &end["status"]), (&json!(5), &json!("succeeded")));
    assert_eq!(runs(&site)[0]["labels"]["who"], "me");
    let failing = service.submit(&["add.flow", "--input", "n=4294967295"]);
    assert_eq!(service.wait(&failing).expect(1).json()["failure"]["kind"], "calculation");
    site.host(["submit", "add.flow", "--input", "n=no"]).expect(7);
    site.host(["submit", "add.flow"]).expect(7);
    site.flow("wrong.flow", "flow main() -> u32 { \"text\" }");
    site.host(["submit", "wrong.flow"]).expect(3);
    assert_eq!(runs(&site).len(), 2);
    let status = service.status();
    assert_eq!((&status["state"], &status["ended"], &status["failed"]), (&json!("serving"), &json!(2), &json!(1)));
}

#[test]
fn the_same_submission_is_one_run_also_after_a_kill() {
    let site = Site::new();
    site.flow("add.flow", ADD);
    let service = Service::start(&site, &[]);
    let first = service.submit(&["add.flow", "--input", "n=1", "--id", "order 1"]);
    assert_eq!(service.submit(&["add.flow", "--input", "n=1", "--id", "order 1"]), first);
    service.kill();
    let service = Service::start(&site, &[]);
    assert_eq!(service.submit(&["add.flow", "--input", "n=1", "--id", "order 1"]), first);
    let other = site.host(["submit", "add.flow", "--input", "n=2", "--id", "order 1"]).expect(2);
    assert!(other.err.contains("was used before with other input"), "{}", other.err);
    assert_ne!(service.submit(&["add.flow", "--input", "n=1", "--id", "order 2"]), first);
    assert_eq!(runs(&site).len(), 2);
}

#[test]
fn what_waits_goes_on_with_the_next_service_and_what_is_paused_stays_so() {
    let site = Site::new();
    site.flow("greeting.flow", GREETING);
    let paused = site.host(["run", "greeting.flow", "--json"]).expect(6).json()["run"].as_str().unwrap().to_owned();
    let service = Service::start(&site, &[]);
    let run = service.submit(&["greeting.flow", "--input", "name=all"]);
    waiting(&site, &run);
    let late = site.host(["wait", &run, "--timeout", "10ms"]).expect(6);
    assert!(late.err.contains("it waits for signal word"), "{}", late.err);
    service.kill();
    // Given while nobody drives the runs.
    site.host(["signal", &run, "word", "\"hello\""]).expect(0);
    let service = Service::start(&site, &[]);
    assert_eq!(service.wait(&run).expect(0).json()["result"], "hello, all");
    // Of a run that a terminal left, the service takes care too.
    site.host(["signal", &paused, "word", "\"bye\""]).expect(0);
    assert_eq!(service.wait(&paused).expect(0).json()["result"], "bye, you");
}

#[test]
fn a_stopped_service_lets_what_runs_end_and_the_next_one_goes_on() {
    let site = Site::new();
    site.flow("slow.flow", SLOW);
    site.write("out/.keep", "");
    let service = Service::start(&site, &[]);
    let run = service.submit(&["slow.flow", "--input", "folder=out"]);
    eventually("the step runs", || (service.status()["runs"]["active"] == 1).then_some(()));
    eventually("its start is in the journal", || {
        let events = site.host(["events", &run, "--json"]).expect(0).json();
        events.as_array().unwrap().iter().any(|event| event["kind"] == "attempt-started").then_some(())
    });
    service.signal("-TERM");
    service.logged("draining");
    let refused = site.host(["submit", "slow.flow", "--input", "folder=out"]);
    assert!(refused.code == 5, "{refused:?}");
    assert_eq!(service.ended(), 0);
    assert!(!site.path().join(".flowhost/flowhost.db.sock").exists());
    let shown = site.host(["show", &run, "--json"]).expect(0).json();
    assert_eq!((&shown["status"], &shown["steps"].as_array().unwrap().len()), (&json!("paused"), &1));
    let service = Service::start(&site, &[]);
    assert_eq!(service.wait(&run).expect(0).json()["result"], "first second");
    let marks = std::fs::read_to_string(site.path().join("out/witness.txt")).unwrap();
    assert_eq!(marks.lines().count(), 2, "{marks}");
    // This waits until the service is gone.
    site.host(["serve", "stop"]).expect(0);
    assert_eq!(service.ended(), 0);
    site.host(["serve", "status"]).expect(5);
}

#[test]
fn a_second_signal_ends_the_service_at_once() {
    let site = Site::new();
    site.flow("slow.flow", &SLOW.replace("1200", "60000"));
    site.write("out/.keep", "");
    let service = Service::start(&site, &[]);
    service.submit(&["slow.flow", "--input", "folder=out"]);
    eventually("the step runs", || (service.status()["runs"]["active"] == 1).then_some(()));
    service.signal("-INT");
    service.logged("draining");
    service.signal("-INT");
    assert_eq!(service.ended(), 130);
}

#[test]
fn a_drain_has_an_end() {
    let site = Site::new();
    site.flow("slow.flow", &SLOW.replace("1200", "60000"));
    site.write("out/.keep", "");
    let service = Service::start(&site, &["--drain", "300ms"]);
    service.submit(&["slow.flow", "--input", "folder=out"]);
    eventually("the step runs", || (service.status()["runs"]["active"] == 1).then_some(()));
    service.signal("-TERM");
    service.logged("drained-in-part");
    assert_eq!(service.ended(), 0);
}

#[test]
fn few_runs_are_in_memory_and_all_of_them_go_on() {
    let site = Site::new();
    site.flow("greeting.flow", GREETING);
    let service = Service::start(&site, &["--keep", "2"]);
    let all: Vec<String> = (0..12).map(|n| service.submit(&["greeting.flow", "--input", &format!("name={n}")])).collect();
    all.iter().for_each(|run| waiting(&site, run));
    let counts = service.status()["runs"].clone();
    assert!(counts["active"].as_u64().unwrap() <= 2, "{counts}");
    for (n, run) in all.iter().enumerate().rev() {
        site.host(["signal", run, "word", "\"hi\""]).expect(0);
        assert_eq!(service.wait(run).expect(0).json()["result"], format!("hi, {n}"));
    }
    eventually("all are gone", || {
        (service.status()["runs"] == json!({"active": 0, "idle": 0, "parked": 0, "queued": 0})).then_some(())
    });
}

#[test]
fn a_wait_for_time_outlives_memory_and_service() {
    let site = Site::new();
    site.flow("later.flow", "flow main(n: u32) -> u32 {\n    wait 2s\n    n\n}");
    let service = Service::start(&site, &["--keep", "1"]);
    let all: Vec<String> = (0..4).map(|n| service.submit(&["later.flow", "--input", &format!("n={n}")])).collect();
    service.kill();
    let service = Service::start(&site, &["--keep", "1"]);
    for (n, run) in all.iter().enumerate() {
        assert_eq!(service.wait(run).expect(0).json()["result"], n);
    }
}

#[test]
fn a_run_that_somebody_else_took_is_left_alone() {
    let site = Site::new();
    site.flow("greeting.flow", &GREETING.replace("word: string", "word: string with { timeout: 1h } else \"none\""));
    let child = site.victim(["run", "greeting.flow"]);
    let run = eventually("the run waits", || {
        let printed = site.host(["ps", "--json"]);
        (printed.code == 0).then(|| printed.json())?.as_array()?.iter().find(|run| run["waiting"].is_string()).cloned()
    });
    let run = run["id"].as_str().unwrap();
    let service = Service::start(&site, &[]);
    assert_eq!(service.logged("recovering")["driven-by-others"], "1");
    site.host(["signal", run, "word", "\"mine\""]).expect(0);
    assert_eq!(service.wait(run).expect(0).json()["result"], "mine, you");
    assert_eq!(e2e::finish(child).code, 0);
    let events = site.host(["events", run, "--json"]).expect(0).json();
    assert!(events.as_array().unwrap().iter().all(|event| event["kind"] != "owner-changed"), "{events}");
}

#[test]
fn orders_reach_runs_of_the_service_in_memory_or_not() {
    let site = Site::new();
    site.flow("greeting.flow", GREETING);
    site.flow("later.flow", "flow main() -> string {\n    wait 1h\n    \"late\"\n}");
    let service = Service::start(&site, &[]);
    // One that only its operator moves is parked at once; one that waits for time stays in memory.
    let (parked, kept) = (service.submit(&["greeting.flow"]), service.submit(&["later.flow"]));
    waiting(&site, &parked);
    waiting(&site, &kept);
    eventually("one is parked", || (service.status()["runs"]["parked"] == 1).then_some(()));
    for run in [&parked, &kept] {
        site.host(["pause", run, "--reason", "lunch"]).expect(0);
        let paused = service.wait(run).expect(6);
        assert!(paused.err.contains("is paused (lunch)"), "{}", paused.err);
    }
    site.host(["resume", &parked]).expect(0);
    site.host(["signal", &parked, "word", "\"back\""]).expect(0);
    assert_eq!(service.wait(&parked).expect(0).json()["result"], "back, you");
    service.kill();
    let service = Service::start(&site, &[]);
    site.host(["cancel", &kept]).expect(0);
    assert_eq!(service.wait(&kept).expect(1).json()["status"], "cancelled");
}

#[test]
fn a_store_has_one_service() {
    let site = Site::new();
    let service = Service::start(&site, &[]);
    let second = site.host(["serve"]).expect(5);
    assert!(second.err.contains("has a service already: process"), "{}", second.err);
    let mode = std::fs::metadata(site.path().join(".flowhost/flowhost.db.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    service.kill();
    // What a killed one left is no hindrance.
    Service::start(&site, &[]).status();
}

#[test]
fn a_run_of_the_service_can_be_followed() {
    let site = Site::new();
    site.flow("greeting.flow", GREETING);
    let service = Service::start(&site, &["--keep", "1"]);
    let run = service.submit(&["greeting.flow"]);
    waiting(&site, &run);
    let follower = site.command(["follow", &run, "--json"]).spawn().unwrap();
    site.host(["signal", &run, "word", "\"hello\""]).expect(0);
    let end = e2e::finish(follower).expect(0).json();
    assert_eq!(end["result"], "hello, you");
    assert_eq!(site.host(["follow", &run, "--json"]).expect(0).json()["result"], "hello, you");
    site.host(["follow", "nobody"]).expect(5);
}

#[test]
fn a_damaged_run_is_told_of_and_no_other_run_suffers() {
    let site = Site::new();
    site.flow("greeting.flow", GREETING);
    let service = Service::start(&site, &[]);
    let (damaged, lost, sound) = (
        service.submit(&["greeting.flow"]),
        service.submit(&["greeting.flow", "--input", "name=x"]),
        service.submit(&["greeting.flow"]),
    );
    for run in [&damaged, &lost, &sound] {
        waiting(&site, run);
    }
    service.kill();
    let store = rusqlite::Connection::open(site.path().join(".flowhost/flowhost.db")).unwrap();
    let damage =
        "UPDATE events SET body = replace(body, 'main', 'mayn') WHERE seq = 1 AND run = (SELECT no FROM runs WHERE id = ?1)";
    assert_eq!(store.execute(damage, [&damaged]).unwrap(), 1);
    store.execute("UPDATE runs SET program = 'sha256:00' WHERE id = ?1", [&lost]).unwrap();
    drop(store);
    let service = Service::start(&site, &[]);
    site.host(["signal", &sound, "word", "\"still\""]).expect(0);
    assert_eq!(service.wait(&sound).expect(0).json()["result"], "still, you");
    let skipped: Vec<Value> =
        service.log().into_iter().filter(|line| line["event"] == "run-skipped").map(|line| line["run"].clone()).collect();
    assert!(skipped.contains(&json!(damaged)) && skipped.contains(&json!(lost)), "{:?}", service.log());
}

fn connect(site: &Site) -> UnixStream {
    let stream = UnixStream::connect(site.path().join(".flowhost/flowhost.db.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// What the service answers over its socket.
pub(crate) fn ask(site: &Site, line: &[u8]) -> Value {
    let mut stream = connect(site);
    stream.write_all(line).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[test]
fn hostile_peers_hurt_nobody() {
    let site = Site::new();
    site.flow("add.flow", ADD);
    let service = Service::start(&site, &[]);
    let deep = "[".repeat(200_000);
    let garbage: [&[u8]; 9] = [
        b"\n",
        b"hello\n",
        b"\xff\xfe\x00\n",
        b"{}\n",
        b"{\"v\": 2, \"do\": \"status\"}\n",
        b"{\"v\": 1, \"do\": \"dance\"}\n",
        b"{\"v\": 1, \"do\": \"submit\"}\n",
        b"{\"v\": 1, \"do\": \"submit\", \"program\": \"sha256:zz\", \"input\": {}}\n",
        b"{\"v\": 1, \"do\": \"submit\", \"program\": \"sha256:0000000000000000000000000000000000000000000000000000000000000000\", \"input\": {}}\n",
    ];
    for line in garbage {
        assert!(ask(&site, line)["error"].is_string(), "{}", String::from_utf8_lossy(line));
    }
    assert!(ask(&site, format!("{deep}\n").as_bytes())["error"].is_string());
    // Half requests, and peers that ask and never read.
    let mut half = connect(&site);
    half.write_all(b"{\"v\": 1, \"do\": \"sta").unwrap();
    let mut deaf = connect(&site);
    deaf.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    for _ in 0..20_000 {
        if deaf.write_all(b"{\"v\": 1, \"do\": \"status\"}\n").is_err() {
            break;
        }
    }
    let mut silent: Vec<UnixStream> = (0..40).map(|_| connect(&site)).collect();
    // A line without an end: told that it is too long, and let go.
    let mut endless = connect(&site);
    let chunk = vec![b'x'; 1 << 20];
    for _ in 0..20 {
        if endless.write_all(&chunk).is_err() {
            break;
        }
    }
    let mut answer = String::new();
    let _ = endless.read_to_string(&mut answer);
    assert!(answer.is_empty() || answer.contains("longer than 16 MiB"), "{answer}");
    let run = service.submit(&["add.flow", "--input", "n=1"]);
    assert_eq!(service.wait(&run).expect(0).json()["result"], 2);
    assert!(silent.pop().is_some() && service.status()["state"] == "serving");
}

#[test]
fn many_open_runs_are_taken_over() {
    const OPEN: usize = 400;
    let site = Site::new();
    site.flow("greeting.flow", GREETING);
    let first = site.host(["run", "greeting.flow", "--json"]).expect(6).json()["run"].as_str().unwrap().to_owned();
    // The journal does not care who wrote it: the run is multiplied with the chain of each id.
    crate::copies::multiply(&site.path().join(".flowhost/flowhost.db"), &first, OPEN);
    let service = Service::start(&site, &["--keep", "50"]);
    eventually("all are taken over and most are parked", || {
        let runs = service.status()["runs"].clone();
        let (parked, active) = (runs["parked"].as_u64().unwrap() as usize, runs["active"].as_u64().unwrap() as usize);
        (parked + active == OPEN + 1 && active <= 50).then_some(())
    });
    let last = format!("copy-{}", OPEN - 1);
    site.host(["signal", &last, "word", "\"all\""]).expect(0);
    assert_eq!(service.wait(&last).expect(0).json()["result"], "all, you");
}
