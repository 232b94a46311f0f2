//! Hosts that die, or are stopped for longer than others wait: another one goes on with their runs, and no committed step runs twice.

use std::path::Path;

use e2e::Site;
use testkit::nats::Server;

use super::outside::Outside;
use super::{count, marks, owners, sees, serve, shown, wait};
use crate::service::{Service, eventually, waiting};

const MARKS: &str = r#"
use "{plugins}/witness.wasm" as witness

/// Marks outside, before and after a signal.
flow main(folder: dir) -> u64 with { allow: [read_write folder] } {
    let first = map n in range(0, 5) { witness.mark(folder, "before ${n}") }
    let word = wait signal word: string
    let second = map n in range(0, 5) { witness.mark(folder, "${word} ${n}") }
    len(first) + len(second)
}
"#;

/// One effect.
const EFFECT: &str = r#"
use "{plugins}/witness.wasm" as witness

flow main(address: string) -> string with { allow: [http "127.0.0.1"] } {
    witness.tell(address, "order 2", 10) with { timeout: 5m }
}
"#;

const GREETING: &str = "flow main() -> string { wait signal word: string }";

fn submit(site: &Site, host: &Service<'_>, folder: &Path) -> String {
    site.flow("marks.flow", MARKS);
    std::fs::create_dir_all(folder).unwrap();
    host.submit(&["marks.flow", "--input", &format!("folder={}", folder.display())])
}

/// Each of the ten marks once.
fn once(folder: &Path) {
    let marks = marks(folder);
    let mut different = marks.clone();
    different.dedup();
    assert_eq!((marks.len(), different.len()), (10, 10), "{marks:#?}");
}

#[test]
fn a_run_of_a_killed_host_ends_on_another() {
    let server = Server::start();
    let (here, there) = (Site::new(), Site::new());
    let folder = here.path().join("folder");
    let (one, two) = (serve(&here, &server.url()), serve(&there, &server.url()));
    sees(&one, 1);
    sees(&two, 1);
    let run = submit(&here, &one, &folder);
    waiting(&there, &run);
    one.kill();
    there.host(["signal", &run, "word", "\"after\""]).expect(0);
    assert_eq!(wait(&there, &run).expect(0).json()["result"], 10);
    assert_eq!(two.logged("taking-over")["run"], run);
    once(&folder);
    assert_eq!(owners(&there, &run).len(), 2);
    // A host that comes back has it as well.
    let _again = serve(&here, &server.url());
    assert_eq!(wait(&here, &run).expect(0).json()["result"], 10);
}

#[test]
fn a_host_that_was_stopped_for_too_long_is_fenced() {
    let server = Server::start();
    let (here, there) = (Site::new(), Site::new());
    let folder = here.path().join("folder");
    let (one, two) = (serve(&here, &server.url()), serve(&there, &server.url()));
    sees(&one, 1);
    let run = submit(&here, &one, &folder);
    waiting(&there, &run);
    one.signal("-STOP");
    assert_eq!(two.logged("taking-over")["run"], run);
    eventually("the other has it", || (owners(&there, &run).len() == 2).then_some(()));
    one.signal("-CONT");
    there.host(["signal", &run, "word", "\"after\""]).expect(0);
    assert_eq!(wait(&there, &run).expect(0).json()["result"], 10);
    // It tried to go on as well, and was told, or found that the run has another owner.
    assert_eq!(wait(&here, &run).expect(0).json()["result"], 10);
    sees(&one, 1);
    assert_eq!((count(&here, &run, "run-ended"), owners(&here, &run).len()), (1, 2));
    once(&folder);
}

#[test]
fn a_host_that_is_told_to_stop_leaves_its_runs_to_others_at_once() {
    let server = Server::start();
    let (here, there) = (Site::new(), Site::new());
    here.flow("greeting.flow", GREETING);
    let (one, two) = (serve(&here, &server.url()), serve(&there, &server.url()));
    sees(&two, 1);
    let runs: Vec<String> = (0..3).map(|_| one.submit(&["greeting.flow"])).collect();
    runs.iter().for_each(|run| waiting(&there, run));
    one.signal("-TERM");
    assert_eq!(one.ended(), 0);
    for run in &runs {
        there.host(["signal", run, "word", "\"hi\""]).expect(0);
        assert_eq!(wait(&there, run).expect(0).json()["result"], "hi");
    }
}

#[test]
fn of_many_hosts_one_takes_a_run_over() {
    let server = Server::start();
    let sites: Vec<Site> = (0..4).map(|_| Site::new()).collect();
    sites[0].flow("greeting.flow", GREETING);
    let mut hosts: Vec<Service<'_>> = sites.iter().map(|site| serve(site, &server.url())).collect();
    hosts.iter().for_each(|host| sees(host, 3));
    let runs: Vec<String> = (0..12).map(|_| hosts[0].submit(&["greeting.flow"])).collect();
    runs.iter().for_each(|run| waiting(&sites[3], run));
    hosts.remove(0).kill();
    for run in &runs {
        sites[1].host(["signal", run, "word", "\"hi\""]).expect(0);
    }
    for run in &runs {
        assert_eq!(wait(&sites[2], run).expect(0).json()["result"], "hi");
        assert_eq!(owners(&sites[2], run).len(), 2);
    }
    shown(&sites[3], &runs[0], |run| run["status"] == "succeeded");
}

/// What an operator decides reaches a run of which nobody knows how a step ended, also when all that had it are gone.
#[test]
fn a_decision_reaches_a_run_that_nobody_drives() {
    let (server, outside) = (Server::start(), Outside::open());
    let sites: Vec<Site> = (0..3).map(|_| Site::new()).collect();
    for site in &sites {
        site.flow("effect.flow", EFFECT);
        site.write("flowhost.toml", "[policy]\nallow = [\"http 127.0.0.1\"]\n");
    }
    let mut hosts: Vec<Service<'_>> = sites.iter().map(|site| serve(site, &server.url())).collect();
    hosts.iter().for_each(|host| sees(host, 2));
    outside.hold(true);
    let run = hosts[0].submit(&["effect.flow", "--input", &format!("address={}", outside.address())]);
    eventually("the effect is on its way", || (outside.held() == 1).then_some(()));
    shown(&sites[2], &run, |run| run["status"] == "running");
    hosts.remove(0).kill();
    outside.hold(false);
    let unknown =
        |site: &Site| eventually("it is not known how it ended", || (count(site, &run, "outcome-unknown") == 1).then_some(()));
    unknown(&sites[1]);
    unknown(&sites[2]);
    // Whoever has it now is killed as well.
    let owner = owners(&sites[2], &run).pop().unwrap();
    let at = hosts.iter().position(|host| host.status()["cluster"]["host"] == owner.as_str()).unwrap();
    hosts.remove(at).kill();
    let site = &sites[if at == 0 { 2 } else { 1 }];
    eventually("it is gone", || (hosts[0].status()["cluster"]["others"] == serde_json::json!([])).then_some(()));
    site.host(["resume", &run, "--supply", "0=\"order 2\""]).expect(0);
    assert_eq!(wait(site, &run).expect(0).json()["result"], "order 2");
    assert_eq!(outside.of(&run)["main/witness.tell"].done, [1]);
}
