//! Steps of one host's runs on another: the same results, wherever a step runs and however it fails.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use e2e::Site;
use serde_json::{Value, json};
use testkit::nats::{Cluster, Server};

use super::outside::Outside;
use super::serve;
use super::worker::Worker;
use crate::service::eventually;

/// One of each way in which the sandbox ends an attempt, and what succeeds.
const ENDS: &str = r#"
use "{plugins}/kit.wasm" as kit

flow main() -> list<result<string, failure>> {
    let long = kit.slow(4000)
    let ends = map n in range(0, 8) with { on_error: collect } {
        match n {
            0 => kit.echo("ä ${n}"),
            1 => kit.fail(kit.failure_kind.network, "away"),
            2 => {
                let slept = kit.slow(60000) with { timeout: 50ms }
                "${slept}"
            }
            3 => kit.echo("much") with { fuel: 10 },
            4 => kit.echo("large") with { memory: 64KiB },
            5 => kit.fail_times(2, kit.failure_kind.error, "third") with { retry: 2 },
            6 => {
                let told = kit.attempt()
                "${told.number}"
            }
            _ => {
                let found = kit.check(-1)
                "${found}"
            }
        }
    }
    ends
}
"#;

/// Publishes a message as any client would.
fn publish(port: u16, subject: &str, text: &str) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let said = format!("CONNECT {{\"verbose\":false}}\r\nPUB {subject} {}\r\n{text}\r\nPING\r\n", text.len());
    stream.write_all(said.as_bytes()).unwrap();
    let mut answers = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(answers.any(|line| line.starts_with("PONG")));
}

/// The outcome of a run: its result without what differs from run to run.
fn result(site: &Site, args: &[&str]) -> Value {
    let printed = site.host(["run", "--json", "main.flow"].iter().chain(args)).expect(0).json();
    assert_eq!(printed["status"], "succeeded");
    printed["result"].clone()
}

#[test]
fn a_step_ends_elsewhere_as_it_would_here() {
    let server = Server::start();
    let site = Site::new();
    site.flow("main.flow", ENDS);
    let here = result(&site, &[]);
    assert_eq!(here.as_array().map(Vec::len), Some(8));
    let other = Site::new();
    let worker = Worker::start(&other, &server.url(), &["--label", "zone=a", "--parallel", "8"]);
    // The only place here is taken for a while.
    let there = result(&site, &["--store", "shared.db", "--nats", &server.url(), "--parallel", "1"]);
    assert_eq!(there, here);
    let ran = worker.stop();
    assert!(ran >= 1, "it ran {ran} steps");
}

#[test]
fn services_run_each_others_steps_and_say_how_busy_they_are() {
    let server = Server::start();
    let (first, second) = (Site::new(), Site::new());
    first.flow(
        "main.flow",
        "use \"{plugins}/kit.wasm\" as kit\nflow main() -> list<u64> { map n in range(0, 40) { kit.slow(100) } }",
    );
    first.write("flowhost.toml", "[limits]\nparallel = 2\n");
    second.write("flowhost.toml", "[limits]\nparallel = 8\n");
    let (one, other) = (serve(&first, &server.url()), serve(&second, &server.url()));
    let places = |status: Value| (status["cluster"]["scale"]["hosts"].as_u64(), status["cluster"]["scale"]["places"].as_u64());
    eventually("both see each other", || {
        (places(one.status()) == (Some(2), Some(10)) && places(other.status()) == (Some(2), Some(10))).then_some(())
    });
    let run = one.submit(&["main.flow"]);
    let ended = one.wait(&run).expect(0).json();
    assert_eq!(ended["result"], json!(vec![100; 40]));
    let shown = first.host(["show", &run, "--json"]).expect(0).json();
    let there =
        shown["steps"].as_array().unwrap().iter().filter(|step| step["elsewhere"] == true && step["host"] != shown["owner"]);
    assert!((1..40).contains(&there.count()), "some ran here and some there: {shown:#}");
    let text = first.host(["serve", "status"]).expect(0).out;
    assert!(text.contains("cluster  2 hosts with 10 places"), "{text}");
}

/// Steps of which most find no place here.
const MANY: &str = r#"
use "{plugins}/witness.wasm" as witness

flow main(address: string) -> list<string> with { allow: [http "127.0.0.1"] } {
    map n in range(0, 60) { witness.tell(address, "step ${n}", 100) with { idempotent: true, timeout: 5m } }
}
"#;

/// What waits for a host is kept by three servers, and goes on when the one that leads their queue is lost.
#[test]
fn steps_reach_workers_when_the_queue_loses_its_leader() {
    let (mut servers, outside) = (Cluster::start(), Outside::open());
    let (site, others) = (Site::new(), [Site::new(), Site::new()]);
    site.flow("main.flow", MANY);
    site.write("flowhost.toml", "[limits]\nparallel = 1\n[policy]\nallow = [\"http 127.0.0.1\"]\n");
    let urls = servers.urls().join(",");
    let args = ["--parallel", "2", "--allow", "http 127.0.0.1"];
    let workers = others.each_ref().map(|site| Worker::start(site, &urls, &args));
    let service = serve(&site, &urls);
    eventually("the workers are seen", || (service.status()["cluster"]["scale"]["places"] == 5).then_some(()));
    let run = service.submit(&["main.flow", "--input", &format!("address={}", outside.address())]);
    let done = |least: usize| {
        let happened = || outside.of(&run).values().filter(|step| !step.done.is_empty()).count();
        eventually("steps are done", || (happened() >= least).then_some(()));
    };
    done(10);
    let leader = eventually("the queue has a leader", || servers.leader("FLOW_TASKS_default"));
    servers.servers[leader].kill();
    // The other two are enough.
    done(40);
    servers.servers[leader].restart();
    servers.wait_until_whole();
    let steps: Vec<String> = (0..60).map(|n| format!("step {n}")).collect();
    assert_eq!(service.wait(&run).expect(0).json()["result"], json!(steps));
    let seen = outside.of(&run);
    assert_eq!(seen.len(), 60);
    // Nobody was lost for long; a worker that was out of reach for too long is given up, and its step begins again.
    assert!(seen.values().all(|step| (1..=3).contains(&step.begun.len())), "{seen:?}");
    for worker in workers {
        assert!(worker.stop() > 0, "a worker ran nothing");
    }
}

/// Two effects that take long: one finds a place here, the other one elsewhere.
const EFFECTS: &str = r#"
use "{plugins}/kit.wasm" as kit

flow main() -> u64 {
    let one = kit.slow(600000) with { allow: [http "example.com"], timeout: 20m }
    let other = kit.slow(600000) with { allow: [http "example.com"], timeout: 20m }
    one + other
}
"#;

#[test]
fn an_effect_whose_worker_is_killed_is_in_doubt_and_is_not_run_again() {
    in_doubt(|worker| {
        drop(worker);
        None
    });
}

#[test]
fn a_worker_that_returns_after_it_was_given_up_is_not_heard() {
    in_doubt(|worker| {
        worker.signal("-STOP");
        Some(worker)
    });
}

/// Takes the worker away from an effect, and lets it return where it is given back.
fn in_doubt(take: impl FnOnce(Worker) -> Option<Worker>) {
    let server = Server::start();
    let (site, other) = (Site::new(), Site::new());
    site.flow("main.flow", EFFECTS);
    site.write("flowhost.toml", "[limits]\nparallel = 1\n[policy]\nallow = [\"http example.com\"]\n");
    let args = ["--parallel", "4", "--allow", "http example.com"];
    let worker = Worker::start(&other, &server.url(), &args);
    let service = serve(&site, &server.url());
    let free = |free: u64| {
        let scale = service.status()["cluster"]["scale"].clone();
        (scale["places"] == 5 && scale["free"] == free).then_some(())
    };
    eventually("the worker is seen", || free(5));
    let run = service.submit(&["main.flow"]);
    eventually("one runs here and one there", || free(3));
    let name = worker.logged("working").unwrap()["name"].as_str().unwrap().to_owned();
    eventually("it is told where one runs", || {
        site.host(["why", &run]).out.contains(&format!("runs on `{name}`: attempt 1, since ")).then_some(())
    });
    let at_worker = || {
        let shown = site.host(["show", &run, "--json"]).expect(0).json();
        let all = shown["steps"].as_array().unwrap();
        let found = all.iter().filter(|step| step["host"] == name.as_str() && step["elsewhere"] == true);
        found.map(|step| step["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(at_worker(), ["running"]);
    let returns = take(worker);
    let events = || site.host(["events", &run, "--json"]).expect(0).json();
    let kinds = |kind: &str| events().as_array().unwrap().iter().filter(|event| event["kind"] == kind).count();
    eventually("how one ended is not known", || (kinds("outcome-unknown") == 1).then_some(()));
    assert_eq!(at_worker(), ["outcome unknown"]);
    assert!(site.host(["show", &run]).expect(0).out.contains(&format!("on {name}")));
    let _another = Worker::start(&other, &server.url(), &args);
    eventually("the other worker is seen", || free(4));
    if let Some(worker) = returns {
        worker.signal("-CONT");
        // What it still runs it is told to stop.
        assert_eq!(worker.stop(), 1);
    }
    let why = site.host(["why", &run]).expect(0).out;
    assert!(why.contains("needs a decision") && why.contains("--retry"), "{why}");
    assert_eq!((kinds("attempt-started"), kinds("attempt-succeeded")), (2, 0));
}

#[test]
fn what_is_wrong_with_a_worker_is_said() {
    let site = Site::new();
    let printed = site.host(["worker"]).expect(2);
    assert!(printed.err.contains("no NATS servers are named"), "{}", printed.err);
    let printed = site.host(["worker", "--nats", "nats://127.0.0.1:1"]).expect(5);
    assert!(printed.err.contains("no NATS server answers at nats://127.0.0.1:1"), "{}", printed.err);
    let server = Server::start();
    let url = server.url();
    for (args, what) in [(["--label", "zone"], "`zone` is not a label"), (["--allow", "all"], "`all` is not a capability")] {
        let printed = site.host(["worker", "--nats", &url].iter().chain(&args)).expect(2);
        assert!(printed.err.contains(what), "{}", printed.err);
    }
}

#[test]
fn dead_letters_are_listed_shown_and_sent_again() {
    let server = Server::start();
    let site = Site::new();
    let url = server.url();
    let dead = |args: &[&str]| site.host(["dead", "--nats", &url].iter().chain(args));
    assert_eq!(dead(&["list", "--json"]).expect(0).json(), json!([]));
    let printed = dead(&["show", "3"]).expect(5);
    assert!(printed.err.contains("there is no dead letter 3") && printed.err.contains("`host dead list`"), "{}", printed.err);
    let _worker = Worker::start(&site, &url, &[]);
    // Something that no host can read, where steps wait.
    site.flow(
        "main.flow",
        "use \"{plugins}/kit.wasm\" as kit\nflow main() -> list<u64> { map n in range(0, 9) { kit.slow(100) } }",
    );
    result(&site, &["--nats", &url, "--parallel", "1"]);
    publish(server.port(), "flow.default.task.-.plain", "no task");
    let all = eventually("it is kept", || Some(dead(&["list", "--json"]).expect(0).json()).filter(|all| all[0].is_object()));
    assert_eq!((&all[0]["what"], &all[0]["payload"], &all[0]["number"]), (&json!("task"), &json!("no task"), &json!(1)));
    let text = dead(&["list"]).expect(0).out;
    assert!(text.starts_with("NUMBER  WHAT  AT") && text.lines().count() == 2, "{text}");
    assert!(dead(&["show", "1"]).expect(0).out.ends_with("payload   no task\n"));
    let printed = dead(&["retry", "1"]).expect(0);
    assert_eq!(printed.out, "sent again to flow.default.task.-.plain\n");
    // Nobody can read it now either.
    let again = |all: &Value| all[0]["number"] == 2;
    eventually("it is back", || Some(dead(&["list", "--json"]).expect(0).json()).filter(again));
}
