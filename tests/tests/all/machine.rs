//! What an operator's machine does to a service: processes that are stopped and go on, files that go away, disks and tables of
//! files that are full, clients without manners. It goes on, or ends with a clear message, and nothing committed is lost.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use e2e::Site;
use serde_json::{Value, json};

use crate::service::{Service, eventually, runs, waiting};

const GREETING: &str = r#"flow main(name: string = "you") -> string {
    let word = wait signal word: string
    "${word}, ${name}"
}"#;

const MARKS: &str = r#"
use "{plugins}/witness.wasm" as witness

/// Marks outside, with a wait between them.
flow main(folder: dir) -> u64 with { allow: [read_write folder] } {
    let all = map n in range(0, 6) with { parallel: 2 } {
        let first = witness.mark(folder, "first ${n}") with { idempotent: true }
        wait 50ms
        witness.mark(folder, "${first}, second ${n}") with { idempotent: true }
    }
    len(all)
}
"#;

fn store(site: &Site) -> PathBuf {
    site.path().join(".flowhost/flowhost.db")
}

fn kinds(site: &Site, run: &str) -> Vec<String> {
    let events = site.host(["events", run, "--json"]).expect(0).json();
    events.as_array().unwrap().iter().map(|event| event["kind"].as_str().unwrap().to_owned()).collect()
}

/// Sends a signal to the service and waits until the kernel says that its process is in such a state.
fn send(service: &Service<'_>, signal: &str, states: &str) {
    service.signal(signal);
    eventually("the process is in its state", || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", service.process())).unwrap();
        let state = stat.rsplit(')').next().unwrap().trim_start().chars().next().unwrap();
        states.contains(state).then_some(())
    });
}

/// Stops the process where it holds nobody up: not in the middle of a commit.
fn stop(site: &Site, service: &Service<'_>) {
    eventually("it stops between two commits", || {
        send(service, "-STOP", "T");
        let other = rusqlite::Connection::open(store(site)).unwrap();
        other.busy_timeout(Duration::ZERO).unwrap();
        let is_free = other.execute_batch("BEGIN IMMEDIATE; ROLLBACK").is_ok();
        if !is_free {
            send(service, "-CONT", "RSD");
        }
        is_free.then_some(())
    });
}

#[test]
fn a_service_that_is_stopped_keeps_its_locks_and_fires_what_passed_once() {
    let site = Site::new();
    site.flow("later.flow", "flow main(n: u32) -> u32 {\n    wait 3s\n    n\n}");
    site.flow("greeting.flow", GREETING);
    let service = Service::start(&site, &[]);
    let greeting = service.submit(&["greeting.flow"]);
    waiting(&site, &greeting);
    let later: Vec<String> = (0..5).map(|n| service.submit(&["later.flow", "--input", &format!("n={n}")])).collect();
    stop(&site, &service);
    // Nobody gets what it has, and who asks is not kept waiting.
    let second = site.host(["serve"]).expect(5);
    assert!(second.err.contains("has a service already: process"), "{}", second.err);
    let refused = site.host(["resume", &greeting]).expect(2);
    assert!(refused.err.contains("take-over"), "{}", refused.err);
    let status = site.host(["serve", "status"]).expect(5);
    assert!(status.err.contains("the service does not answer"), "{}", status.err);
    site.host(["signal", &greeting, "word", "\"hello\""]).expect(0);
    // The deadlines of all of them are behind now: asking for the status alone took longer.
    send(&service, "-CONT", "RSD");
    for (n, run) in later.iter().enumerate() {
        assert_eq!(service.wait(run).expect(0).json()["result"], n);
        assert_eq!(kinds(&site, run).iter().filter(|kind| *kind == "timer-fired").count(), 1);
    }
    assert_eq!(service.wait(&greeting).expect(0).json()["result"], "hello, you");
    let owners = |run: &String| kinds(&site, run).iter().filter(|kind| *kind == "owner-changed").count();
    assert_eq!(later.iter().map(owners).sum::<usize>(), 0, "somebody else had them");
}

#[test]
fn a_run_that_was_taken_from_a_stopped_service_has_one_owner() {
    let site = Site::new();
    site.flow("later.flow", "flow main() -> string {\n    wait 8s\n    \"once\"\n}");
    let service = Service::start(&site, &[]);
    let run = service.submit(&["later.flow"]);
    stop(&site, &service);
    let taken = site.host(["resume", &run, "--take-over", "--json"]).expect(0).json();
    assert_eq!(taken["result"], "once");
    send(&service, "-CONT", "RSD");
    service.logged("run-lost");
    assert_eq!(kinds(&site, &run).iter().filter(|kind| *kind == "run-ended").count(), 1);
    assert_eq!(service.status()["state"], "serving");
}

#[test]
fn a_store_that_is_deleted_or_replaced_ends_the_service() {
    for how in ["deleted", "replaced", "its log is deleted"] {
        let site = Site::new();
        site.flow("greeting.flow", GREETING);
        let service = Service::start(&site, &[]);
        let run = service.submit(&["greeting.flow"]);
        waiting(&site, &run);
        match how {
            "deleted" => std::fs::remove_file(store(&site)).unwrap(),
            "replaced" => {
                std::fs::copy(store(&site), site.path().join("copy")).unwrap();
                std::fs::rename(site.path().join("copy"), store(&site)).unwrap();
            }
            _ => std::fs::remove_file(store(&site).with_extension("db-wal")).unwrap(),
        }
        let (code, text) = service.end();
        assert_eq!(code, 5, "{how}: {text}");
        assert!(text.contains("while it was open") && text.contains("start again"), "{how}: {text}");
    }
}

/// Starts a service that may write no file beyond so many bytes: to it, the disk is full.
fn on_a_full_disk<'a>(site: &'a Site, blocks: u32) -> Service<'a> {
    Service::start_by(site, |host| {
        let mut shell = Command::new("bash");
        // The limit is in units of 1,024 bytes; beyond it a write fails instead of ending the process.
        shell.args(["-c", "trap '' XFSZ; ulimit -S -f \"$1\"; shift; exec \"$@\"", "bash"]);
        shell.arg(blocks.to_string()).arg(host.get_program()).args(host.get_args());
        shell
    })
}

#[test]
fn a_full_disk_loses_nothing_that_was_committed() {
    let site = Site::new();
    site.flow("marks.flow", MARKS);
    site.flow("greeting.flow", GREETING);
    // The folders, and the store with its programs.
    let first = Service::start(&site, &[]);
    let greeting = first.submit(&["greeting.flow"]);
    waiting(&site, &greeting);
    first.kill();
    let service = on_a_full_disk(&site, 1024);
    // Values that fill it, until something is refused.
    let mut submitted = vec![greeting];
    let refused = eventually("the disk is full", || {
        let name = format!("{}{}", submitted.len(), "x".repeat(60_000));
        let printed = site.host(["submit", "greeting.flow", "--json", "--input", &format!("name={name}")]);
        if printed.code == 0 {
            submitted.push(printed.json()["run"].as_str().unwrap().to_owned());
            return None;
        }
        Some(printed)
    });
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.err.contains("the store"), "{}", refused.err);
    assert_eq!(service.status()["state"], "serving");
    // Everything that was acknowledged is there, and goes on where there is room.
    service.kill();
    let service = Service::start(&site, &[]);
    for run in &submitted {
        site.host(["signal", run, "word", "\"hi\""]).expect(0);
        assert!(service.wait(run).expect(0).json()["result"].as_str().unwrap().starts_with("hi, "));
    }
    let known = runs(&site);
    assert!(submitted.iter().all(|run| known.iter().any(|row| row["id"] == **run)));
    site.host(["verify"]).expect(0);
}

#[test]
fn a_service_with_few_files_waits_for_more() {
    let site = Site::new();
    site.flow("greeting.flow", GREETING);
    site.host(["run", "greeting.flow"]).expect(6);
    let service = Service::start_by(&site, |host| {
        let mut shell = Command::new("bash");
        shell.args(["-c", "ulimit -S -n 64; exec \"$@\"", "bash"]).arg(host.get_program()).args(host.get_args());
        shell
    });
    // More clients than it can have files.
    let clients: Vec<UnixStream> = (0..100).map(|_| connect(&site)).collect();
    service.logged("socket-failed");
    drop(clients);
    let run = eventually("there are files again", || {
        let printed = site.host(["submit", "greeting.flow", "--json"]);
        (printed.code == 0).then(|| printed.json()["run"].as_str().unwrap().to_owned())
    });
    site.host(["signal", &run, "word", "\"still\""]).expect(0);
    assert_eq!(service.wait(&run).expect(0).json()["result"], "still, you");
    let told = service.log().iter().filter(|line| line["event"] == "socket-failed").count();
    assert!(told < 10, "it says so {told} times");
}

fn connect(site: &Site) -> UnixStream {
    let stream = UnixStream::connect(site.path().join(".flowhost/flowhost.db.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

#[test]
fn a_thousand_clients_at_once_are_all_answered() {
    let site = Site::new();
    let service = Service::start(&site, &[]);
    let ask = |site: &Site| {
        let mut stream = connect(site);
        stream.write_all(b"{\"v\": 1, \"do\": \"status\"}\n").unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        serde_json::from_str::<Value>(&answer).unwrap()["ok"]["state"].clone()
    };
    let states: Vec<Value> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..1000).map(|_| scope.spawn(|| ask(&site))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert!(states.iter().all(|state| state == "serving"));
    assert_eq!(service.status()["state"], "serving");
}

#[test]
fn a_long_line_of_garbage_is_refused_and_followers_leave_room_for_others() {
    let site = Site::new();
    site.flow("greeting.flow", GREETING);
    let service = Service::start(&site, &[]);
    let mut stream = connect(&site);
    stream.write_all(&vec![b'x'; 10 << 20]).unwrap();
    stream.write_all(b"\n").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    assert!(answer.contains("cannot be read"), "{answer}");
    let run = service.submit(&["greeting.flow"]);
    waiting(&site, &run);
    // It stays in memory for as long as somebody follows it, or not: each of them has its answer.
    let request = json!({ "v": 1, "do": "follow", "run": run });
    let mut followers: Vec<BufReader<UnixStream>> = (0..130).map(|_| BufReader::new(connect(&site))).collect();
    for follower in followers.iter_mut().take(100) {
        follower.get_mut().write_all(format!("{request}\n").as_bytes()).unwrap();
    }
    drop(followers);
    assert_eq!(service.status()["state"], "serving");
    site.host(["signal", &run, "word", "\"hi\""]).expect(0);
    assert_eq!(service.wait(&run).expect(0).json()["result"], "hi, you");
}

/// The same, which hears of a closed terminal though these tests were started under `nohup`.
fn hearing(host: &Command) -> Command {
    let mut env = Command::new("env");
    env.arg("--default-signal=HUP").arg(host.get_program()).args(host.get_args()).current_dir(host.get_current_dir().unwrap());
    for (name, value) in host.get_envs() {
        match value {
            Some(value) => env.env(name, value),
            None => env.env_remove(name),
        };
    }
    env
}

#[test]
fn a_closed_terminal_drains_the_service_unless_it_was_told_not_to_care() {
    let site = Site::new();
    let service = Service::start_by(&site, hearing);
    service.signal("-HUP");
    assert_eq!(service.logged("draining")["why"], "its terminal was closed");
    assert_eq!(service.ended(), 0);
    let service = Service::start_by(&site, |host| {
        let mut shell = Command::new("bash");
        shell.args(["-c", "trap '' HUP; exec \"$@\"", "bash"]).arg(host.get_program()).args(host.get_args());
        shell
    });
    service.signal("-HUP");
    assert_eq!(service.status()["state"], "serving");
    service.signal("-TERM");
    let (code, text) = service.end();
    assert_eq!((code, text.matches("draining").count()), (0, 1), "{text}");
}

#[test]
fn a_run_whose_terminal_is_closed_pauses() {
    let site = Site::new();
    site.flow("greeting.flow", &GREETING.replace("word: string", "word: string with { timeout: 1h } else \"none\""));
    let mut host = hearing(&site.command(["run", "greeting.flow"]));
    let child = host.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let run = eventually("the run waits", || {
        let printed = site.host(["ps", "--json"]);
        (printed.code == 0).then(|| printed.json())?.as_array()?.iter().find(|run| run["waiting"].is_string()).cloned()
    });
    let hung_up = Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
    assert!(hung_up.success());
    assert_eq!(e2e::finish(child).code, 130);
    let row = runs(&site).into_iter().find(|row| row["id"] == run["id"]).unwrap();
    assert_eq!((&row["status"], &row["reason"]), (&json!("paused"), &json!("its terminal was closed")));
}

#[test]
fn the_service_cleans_up_by_itself() {
    let site = Site::new();
    site.flow("add.flow", "flow main(n: u32) -> u32 { n + 1 }");
    site.write("flowhost.toml", "[retention]\nevery = \"1s\"\nmax_runs = 3\n");
    let service = Service::start(&site, &[]);
    for n in 0..8 {
        let run = service.submit(&["add.flow", "--input", &format!("n={n}")]);
        eventually("the run ends", || {
            runs(&site).iter().all(|row| row["id"] != *run || row["status"] == "succeeded").then_some(())
        });
    }
    eventually("few are left", || (runs(&site).len() == 3).then_some(()));
    service.logged("cleaned-up");
    let stats = eventually("it is noted", || {
        let stats = site.host(["stats", "--by", "store", "--json"]).expect(0).json();
        stats["cleaned_up"]["at"].is_string().then_some(stats)
    });
    assert_eq!((&stats["runs"], &stats["open"]), (&json!(3), &json!(0)));
    assert!(site.host(["stats", "--by", "store"]).expect(0).out.contains("cleaned up  2"));
    service.kill();
    site.write("flowhost.toml", "[retention]\nevery = \"soon\"\n");
    site.host(["serve"]).expect(2);
    site.write("flowhost.toml", "[retention]\nevery = \"10ms\"\n");
    site.host(["serve"]).expect(2);
}
