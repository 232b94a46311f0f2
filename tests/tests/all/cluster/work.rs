//! Who does what: a submission goes to a host with room, schedules and messages start runs once, and `host run` may be one of many.

use e2e::Site;
use testkit::nats::Server;

use super::{marks, owners, sees, serve, shown, wait};
use crate::service::{Service, eventually, runs, waiting};

const SLOW: &str = r#"
use "{plugins}/witness.wasm" as witness

/// One step that takes a minute.
flow main(folder: dir) -> string with { allow: [read_write folder] } {
    witness.mark_slowly(folder, "done", 60000) with { timeout: 2m }
}
"#;

const TICK: &str = r#"
flow tick() -> string { "tick" }
flow news(n: json) -> json { n }

on schedule "* * * * * *" in "UTC" -> tick()
on event "news.>" -> news(event)
"#;

#[test]
fn a_submission_goes_to_a_host_with_room() {
    let server = Server::start();
    let (here, there) = (Site::new(), Site::new());
    here.flow("slow.flow", SLOW);
    here.write("folder/.keep", "");
    let one = Service::start(&here, &["--nats", &server.url(), "--keep", "1"]);
    let two = serve(&there, &server.url());
    sees(&one, 1);
    let submit =
        |id: &str| one.submit(&["slow.flow", "--id", id, "--input", &format!("folder={}", here.path().join("folder").display())]);
    // No run ends before the last one is submitted.
    let all: Vec<String> = (0..3).map(|n| submit(&n.to_string())).collect();
    let host = |service: &Service<'_>| service.status()["cluster"]["host"].as_str().unwrap().to_owned();
    for (n, run) in all.iter().enumerate() {
        shown(&there, run, |run| run["status"] == "running");
        assert_eq!(owners(&there, run), [host(if n == 0 { &one } else { &two })]);
    }
    assert_eq!(submit("2"), all[2], "the same again");
    for run in &all {
        there.host(["cancel", run, "--now"]).expect(0);
        assert_eq!(wait(&here, run).expect(1).json()["status"], "cancelled");
    }
    assert_eq!(marks(&here.path().join("folder")).len(), 0);
}

#[test]
fn one_host_leads_and_another_does_when_it_is_gone() {
    let server = Server::start();
    let sites: Vec<Site> = (0..3).map(|_| Site::new()).collect();
    sites[0].flow("tick.flow", TICK);
    let mut hosts: Vec<Service<'_>> = sites.iter().map(|site| serve(site, &server.url())).collect();
    let leads = |host: &Service<'_>| host.status()["cluster"]["leads"] == true;
    sites[0].host(["deploy", "tick.flow"]).expect(0);
    let leader = eventually("one leads", || hosts.iter().position(leads));
    assert_eq!(hosts.iter().filter(|host| leads(host)).count(), 1);
    let ticks = |site: &Site| runs(site).iter().filter(|run| run["labels"]["due"].is_string()).count();
    eventually("its schedule fires", || (ticks(&sites[0]) > 1).then_some(()));
    hosts.remove(leader).kill();
    eventually("another one leads", || hosts.iter().position(leads));
    let survivor = &sites[if leader == 0 { 1 } else { 0 }];
    let before = ticks(survivor);
    eventually("it fires again", || (ticks(survivor) > before).then_some(()));
    // Each time and each message starts one run, whoever leads and wherever it is sent.
    survivor.host(["send", "news.today", "\"rain\""]).expect(0);
    let is_news = |run: &&serde_json::Value| run["labels"]["message"].is_string();
    let news = eventually("the message starts a run", || runs(survivor).iter().find(is_news).cloned());
    assert_eq!(wait(survivor, news["id"].as_str().unwrap()).expect(0).json()["result"], "rain");
    let all = runs(survivor);
    assert_eq!(all.iter().filter(is_news).count(), 1);
    let mut due: Vec<&str> = all.iter().filter_map(|run| run["labels"]["due"].as_str()).collect();
    let count = due.len();
    due.sort_unstable();
    due.dedup();
    assert_eq!(due.len(), count, "a time fired twice");
}

#[test]
fn a_run_of_a_command_goes_on_elsewhere_when_its_process_dies() {
    let server = Server::start();
    let (here, there) = (Site::new(), Site::new());
    here.flow("greeting.flow", "flow main() -> string { wait signal word: string with { timeout: 1h } else \"none\" }");
    let two = serve(&there, &server.url());
    // It has no service beside it: its store is a replica of its own.
    let done = here.command(["run", "greeting.flow", "--nats", &server.url(), "--json"]).spawn().unwrap();
    let id = || runs(&there).last().and_then(|run| run["id"].as_str().map(str::to_owned));
    let first = eventually("the run is there", id);
    waiting(&there, &first);
    there.host(["signal", &first, "word", "\"hi\""]).expect(0);
    assert_eq!(e2e::finish(done).expect(0).json()["result"], "hi");
    let mut victim = here.victim(["run", "greeting.flow", "--nats", &server.url()]);
    let second = eventually("the next run is there", || id().filter(|run| *run != first));
    waiting(&there, &second);
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert_eq!(two.logged("taking-over")["run"], second);
    there.host(["signal", &second, "word", "\"hello\""]).expect(0);
    assert_eq!(wait(&there, &second).expect(0).json()["result"], "hello");
    // What has no service asks the cluster itself.
    let shown = here.host(["resume", &second, "--nats", &server.url()]).expect(2);
    assert!(shown.err.contains("has ended"), "{}", shown.err);
}

#[test]
fn what_a_command_left_is_resumed_by_the_next_one() {
    let server = Server::start();
    let site = Site::new();
    site.flow("greeting.flow", "flow main() -> string { wait signal word: string with { timeout: 1h } else \"none\" }");
    for round in 0..3 {
        let mut command = site.command(["run", "greeting.flow", "--nats", &server.url(), "--label", &format!("round={round}")]);
        let run = command.spawn().unwrap();
        let find = || {
            let printed = site.host(["ps", "--json", "--label", &format!("round={round}")]);
            let runs = if printed.code == 0 { printed.json() } else { serde_json::Value::Null };
            runs[0]["id"].as_str().map(str::to_owned)
        };
        let id = eventually("the run is there", find);
        waiting(&site, &id);
        assert!(std::process::Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap().success());
        assert_eq!(e2e::finish(run).code, 130);
        let resumed = site.host(["resume", &id, "--nats", &server.url(), "--signal", "word=\"hi\"", "--json"]);
        assert_eq!(resumed.expect(0).json()["result"], "hi");
    }
}
