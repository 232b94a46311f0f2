//! What one host writes all hosts have: runs, signals, messages, orders, deployments; and a server that goes away and comes back.

use e2e::Site;
use serde_json::json;
use testkit::nats::Server;

use super::{owners, sees, serve, shown, wait};
use crate::service::{eventually, waiting};

const GREETING: &str = r#"flow main(name: string = "you") -> string {
    let word = wait signal word: string
    "${word}, ${name}"
}"#;

const NEWS: &str = "flow main() -> string {\n    wait message \"news.today\": string\n}";

/// Is escalated, gives an artifact, and can be deployed.
const KEPT: &str = r#"
use "{plugins}/kit.wasm" as kit

flow main() -> string {
    let wrong = kit.fail(kit.failure_kind.logic, "it makes no sense")
    let right = kit.echo("beside") with { artifact: "right.txt" }
    "${wrong} ${right}"
}

on schedule "0 0 1 1 *" -> main()
"#;

#[test]
fn a_run_is_everywhere_and_takes_signals_and_orders_wherever_they_are_given() {
    let server = Server::start();
    let (here, there) = (Site::new(), Site::new());
    here.flow("greeting.flow", GREETING);
    let (one, two) = (serve(&here, &server.url()), serve(&there, &server.url()));
    sees(&one, 1);
    sees(&two, 1);
    let run = one.submit(&["greeting.flow"]);
    waiting(&there, &run);
    // Its input, its program and its plan are there as well.
    assert_eq!(shown(&there, &run, |_| true)["input"]["name"], "you");
    assert!(there.host(["why", &run]).expect(6).out.contains("word"));
    there.host(["signal", &run, "word", "\"hi\""]).expect(0);
    for site in [&here, &there] {
        assert_eq!(wait(site, &run).expect(0).json()["result"], "hi, you");
    }
    let other = one.submit(&["greeting.flow"]);
    waiting(&there, &other);
    there.host(["pause", &other]).expect(0);
    shown(&here, &other, |run| run["status"] == "paused");
    there.host(["cancel", &other]).expect(0);
    assert_eq!(wait(&here, &other).expect(1).json()["status"], "cancelled");
}

#[test]
fn a_message_reaches_the_runs_of_all_hosts_once() {
    let server = Server::start();
    let (here, there) = (Site::new(), Site::new());
    let (one, two) = (serve(&here, &server.url()), serve(&there, &server.url()));
    let runs: Vec<String> = [(&here, &one), (&there, &two)]
        .iter()
        .flat_map(|(site, host)| {
            site.flow("news.flow", NEWS);
            [host.submit(&["news.flow"]), host.submit(&["news.flow"])]
        })
        .collect();
    for run in &runs {
        waiting(&here, run);
        waiting(&there, run);
    }
    here.host(["send", "news.today", "\"rain\""]).expect(0);
    for run in &runs {
        assert_eq!(wait(&there, run).expect(0).json()["result"], "rain");
        assert_eq!(super::count(&there, run, "message-received"), 1);
    }
}

#[test]
fn a_submission_with_an_id_starts_one_run_wherever_it_is_given() {
    let server = Server::start();
    let (here, there) = (Site::new(), Site::new());
    let (one, two) = (serve(&here, &server.url()), serve(&there, &server.url()));
    for site in [&here, &there] {
        site.flow("greeting.flow", GREETING);
    }
    let run = one.submit(&["greeting.flow", "--id", "order 1"]);
    assert_eq!(two.submit(&["greeting.flow", "--id", "order 1"]), run);
    let other = there.host(["submit", "greeting.flow", "--id", "order 1", "--input", "name=x"]).expect(2);
    assert!(other.err.contains("was used before with other input"), "{}", other.err);
}

#[test]
fn a_host_that_comes_later_has_all_of_it() {
    let server = Server::start();
    let (here, there) = (Site::new(), Site::new());
    here.flow("greeting.flow", GREETING);
    // Longer than what stands in an event.
    let name = "x".repeat(40_000);
    let one = serve(&here, &server.url());
    let run = one.submit(&["greeting.flow", "--input", &format!("name={name}")]);
    waiting(&here, &run);
    here.host(["signal", &run, "word", "\"hi\""]).expect(0);
    wait(&here, &run).expect(0);
    let _two = serve(&there, &server.url());
    let result = wait(&there, &run).expect(0).json();
    assert_eq!(result["result"], format!("hi, {name}"));
    there.host(["verify"]).expect(0);
    assert_eq!(there.host(["replay", &run, "--json"]).expect(0).code, 0);
}

#[test]
fn a_store_belongs_to_one_cluster_and_is_written_through_it() {
    let (server, other) = (Server::start(), Server::start());
    let site = Site::new();
    site.flow("greeting.flow", GREETING);
    let host = serve(&site, &server.url());
    let run = host.submit(&["greeting.flow"]);
    waiting(&site, &run);
    host.kill();
    for args in [vec!["run", "greeting.flow"], vec!["signal", &run, "word", "\"hi\""], vec!["serve"]] {
        let printed = site.host(args).expect(5);
        assert!(printed.err.contains("is a replica of the namespace `default` on NATS"), "{}", printed.err);
        assert!(printed.err.contains("--nats URL"), "{}", printed.err);
    }
    let printed = site.host(["serve", "--nats", &other.url()]).expect(5);
    assert!(printed.err.contains("choose another store"), "{}", printed.err);
    // What is there is still shown.
    shown(&site, &run, |run| run["status"] == "abandoned");
    let alone = Site::new();
    alone.flow("hello.flow", "flow main() -> string { \"hello\" }");
    alone.host(["run", "hello.flow"]).expect(0);
    let printed = alone.host(["serve", "--nats", &server.url()]).expect(5);
    assert!(printed.err.contains("has runs of its own"), "{}", printed.err);
}

#[test]
fn a_server_that_is_restarted_holds_runs_up_and_ends_none() {
    let mut server = Server::start();
    let (here, there) = (Site::new(), Site::new());
    here.flow("greeting.flow", GREETING);
    let (one, _two) = (serve(&here, &server.url()), serve(&there, &server.url()));
    let run = one.submit(&["greeting.flow"]);
    waiting(&there, &run);
    server.kill();
    let signal = here.command(["signal", &run, "word", "\"hi\""]).spawn().unwrap();
    server.restart();
    e2e::finish(signal).expect(0);
    for site in [&here, &there] {
        assert_eq!(wait(site, &run).expect(0).json()["result"], "hi, you");
    }
    let again = one.submit(&["greeting.flow"]);
    waiting(&there, &again);
    assert_eq!(owners(&there, &run).len(), 1, "no host was given up");
}

#[test]
fn a_machine_without_a_service_makes_a_copy_and_answers() {
    let mut server = Server::start();
    let (here, there) = (Site::new(), Site::new());
    here.flow("greeting.flow", GREETING);
    let nats = server.url();
    let one = serve(&here, &nats);
    let run = one.submit(&["greeting.flow"]);
    waiting(&here, &run);
    let printed = there.host(["ps", "--json", "--nats", &nats]).expect(0).json();
    assert_eq!((&printed[0]["id"], &printed[0]["status"]), (&run.as_str().into(), &"running".into()));
    assert!(there.host(["why", &run, "--nats", &nats]).expect(6).out.contains("word"));
    // Whoever waits sees what happens elsewhere, and what is told here gets there.
    let waits = there.command(["wait", &run, "--json", "--nats", &nats, "--timeout", "80s"]).spawn().unwrap();
    there.host(["signal", &run, "word", "\"hi\"", "--nats", &nats]).expect(0);
    assert_eq!(e2e::finish(waits).expect(0).json()["result"], "hi, you");
    let second = one.submit(&["greeting.flow"]);
    waiting(&here, &second);
    let ids = |args: &[&str]| {
        let rows = there.host(["ps", "--json"].iter().chain(args)).expect(0).json();
        rows.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&[]), std::slice::from_ref(&run), "the copy as it is");
    assert_eq!(ids(&["--nats", &nats]), [second, run.clone()]);
    // Whatever is asked first, a copy is made for it.
    here.flow("kept.flow", KEPT);
    here.host(["deploy", "kept.flow"]).expect(0);
    let kept = one.submit(&["kept.flow"]);
    waiting(&here, &kept);
    let ask = |site: &Site, what: &[&str], more: &[&str]| site.host(what.iter().chain(&["--json"]).chain(more)).expect(0).json();
    for what in [vec!["escalations"], vec!["artifacts", &kept], vec!["deploy", "list"], vec!["replay", &kept]] {
        let known = eventually("there is something to tell", || Some(ask(&here, &what, &[])).filter(|known| *known != json!([])));
        assert_eq!(ask(&Site::new(), &what, &["--nats", &nats]), known, "{what:?}");
    }
    drop(one);
    server.kill();
    let printed = there.host(["show", &run, "--nats", &nats]).expect(5);
    assert!(
        printed.err.contains("no NATS server answers") && printed.err.contains("leave `--nats` and FLOWHOST_NATS out"),
        "{}",
        printed.err
    );
    assert_eq!(ids(&[]).len(), 2);
    let nobody = Site::new();
    let printed = nobody.host(["ps", "--nats", &nats]).expect(5);
    assert!(!printed.err.contains("is a copy"), "{}", printed.err);
    assert!(!nobody.path().join(".flowhost/flowhost.db").exists(), "no copy of nothing is left");
}

#[test]
fn a_service_puts_hooks_around_what_is_submitted_without_knowing_of_them() {
    let server = Server::start();
    let site = Site::new();
    site.flow("hello.flow", "flow main() -> string { \"hello\" }");
    let nats = server.url();
    let host = serve(&site, &nats);
    site.host(["hook", "add", "ledger", "--after", "run", "--nats", &nats]).expect(0);
    let run = host.submit(&["hello.flow", "--id", "a"]);
    wait(&site, &run).expect(0);
    let hooks = |run: &str| {
        let shown = site.host(["show", run, "--json"]).expect(0).json();
        shown["steps"].as_array().unwrap().iter().filter(|step| step["path"].as_str().unwrap().contains(".after[")).count()
    };
    assert_eq!(hooks(&run), 1);
    // The same submission is the same, whatever hooks there are by then.
    site.host(["hook", "add", "gate", "--after", "run", "--nats", &nats]).expect(0);
    assert_eq!(host.submit(&["hello.flow", "--id", "a"]), run);
    let other = host.submit(&["hello.flow", "--id", "b"]);
    wait(&site, &other).expect(0);
    assert_eq!((hooks(&run), hooks(&other)), (1, 2));
}
