//! `host dev` starts a cluster that is there as long as itself, whatever ends it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use e2e::{Site, finish};
use serde_json::Value;

use crate::service::eventually;

/// A `host dev` in a site. Killed when it is dropped.
struct Dev {
    child: Child,
    /// What it printed when all ran.
    about: Value,
}

impl Dev {
    /// Starts it and waits until all of it runs.
    fn start(site: &Site, args: &[&str]) -> Self {
        let mut command = site.command(["dev", "--json"].iter().chain(args));
        let log = std::fs::File::create(site.path().join("dev.log")).unwrap();
        let mut child = command.arg("--nats-server").arg(testkit::nats::program()).stderr(log).spawn().unwrap();
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        // The document ends with a line that is the end of its object.
        while !text.ends_with("\n}\n") {
            let more = printed.read_line(&mut text).unwrap();
            assert!(more > 0, "it does not start: {}", said(site));
        }
        std::thread::spawn(move || printed.read_to_end(&mut Vec::new()));
        Self { child, about: serde_json::from_str(&text).unwrap() }
    }

    /// The numbers of the processes that it started.
    fn processes(&self) -> Vec<u64> {
        let of = |list: &str| self.about[list].as_array().unwrap().clone();
        of("servers").iter().chain(&of("hosts")).map(|part| part["process"].as_u64().unwrap()).collect()
    }

    fn signal(&self, name: &str) {
        signal(name, self.child.id().into());
    }

    /// Waits until it has ended: its exit code.
    fn ended(&mut self) -> i32 {
        eventually("it ends", || self.child.try_wait().unwrap()).code().unwrap_or(-1)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(name: &str, process: u64) {
    let sent = Command::new("kill").args([name, &process.to_string()]).status().unwrap();
    assert!(sent.success(), "kill {name} {process}");
}

/// Whether a process runs: one that has ended and is not yet noticed by whoever has to, does not.
fn runs(process: u64) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn all_are_gone(processes: &[u64]) {
    eventually("all processes have ended", || (!processes.iter().any(|process| runs(*process))).then_some(()));
}

fn said(site: &Site) -> String {
    std::fs::read_to_string(site.path().join("dev.log")).unwrap_or_default()
}

#[test]
fn what_was_started_ends_with_it_also_when_it_is_killed() {
    let site = Site::new();
    let args = ["--servers", "1", "--hosts", "0"];
    site.host(["dev", "status"]).expect(5);
    for (name, code) in [("-INT", 0), ("-TERM", 0), ("-KILL", -1)] {
        let mut dev = Dev::start(&site, &args);
        let processes = dev.processes();
        assert!(processes.len() == 1 && processes.iter().all(|process| runs(*process)), "{}", dev.about);
        assert_eq!(site.host(["dev", "status", "--json"]).expect(0).json(), dev.about);
        dev.signal(name);
        assert_eq!(dev.ended(), code, "{name}: {}", said(&site));
        all_are_gone(&processes);
        assert!(site.host(["dev", "stop"]).expect(5).err.contains("no `host dev` uses the folder"));
    }
    let dev = Dev::start(&site, &args);
    site.host(["dev", "stop"]).expect(0);
    assert!(!dev.processes().iter().any(|process| runs(*process)));
}

#[test]
fn servers_and_hosts_start_together_and_end_in_order() {
    let site = Site::new();
    let mut dev = Dev::start(&site, &[]);
    let (processes, hosts) = (dev.processes(), dev.about["hosts"].as_array().unwrap().clone());
    assert_eq!((processes.len(), hosts.len()), (6, 3), "{}", dev.about);
    for host in &hosts {
        let status = site.host(["serve", "status", "--json", "--store", host["store"].as_str().unwrap()]).expect(0).json();
        assert_eq!(status["state"], "serving", "{status}");
    }
    dev.signal("-INT");
    assert_eq!(dev.ended(), 0, "{}", said(&site));
    all_are_gone(&processes);
    let said = said(&site);
    assert_eq!(said.matches(r#""event":"stopped""#).count(), 3, "{said}");
}

#[test]
fn a_server_or_host_that_dies_is_started_again() {
    let site = Site::new();
    let mut dev = Dev::start(&site, &["--hosts", "1"]);
    let before = dev.processes();
    assert_eq!(before.len(), 4, "{}", dev.about);
    let second = site.host(
        ["dev", "--hosts", "0", "--nats-server"].map(Into::into).iter().chain(&[testkit::nats::program().into_os_string()]),
    );
    assert!(second.expect(5).err.contains("another `host dev` uses the folder"));
    let (server, host) = (before[1], before[3]);
    signal("-KILL", server);
    signal("-KILL", host);
    let again = eventually("both are there again", || {
        dev.about = site.host(["dev", "status", "--json"]).expect(0).json();
        let now = dev.processes();
        (now[1] != server && now[3] != host).then_some(now)
    });
    assert!((again[0], again[2]) == (before[0], before[2]) && again.iter().all(|process| runs(*process)), "{again:?}");
    let store = dev.about["hosts"][0]["store"].as_str().unwrap().to_owned();
    eventually("the host serves", || {
        let status = site.host(["serve", "status", "--json", "--store", &store]);
        (status.code == 0).then(|| status.json()["state"] == "serving").filter(|serves| *serves)
    });
    assert!(said(&site).contains("server 2 ended unexpectedly (signal: 9 (SIGKILL))"), "{}", said(&site));
    dev.signal("-TERM");
    assert_eq!(dev.ended(), 0, "{}", said(&site));
    all_are_gone(&again);
}

const SLOW: &str = r#"
use "{plugins}/kit.wasm" as kit

flow main() -> u64 { len(map n in range(0, 30) { kit.slow(1000) }) }
"#;

#[test]
fn a_worker_comes_when_there_is_much_to_do_and_goes_again() {
    let site = Site::new();
    site.flow("slow.flow", SLOW);
    site.write("flowhost.toml", "[limits]\nparallel = 2\n");
    let mut dev = Dev::start(&site, &["--servers", "1", "--hosts", "1", "--max-workers", "1"]);
    let store = dev.about["hosts"][0]["store"].as_str().unwrap().to_owned();
    let run =
        site.host(["submit", "slow.flow", "--json", "--store", &store]).expect(0).json()["run"].as_str().unwrap().to_owned();
    let workers = || site.host(["dev", "status", "--json"]).expect(0).json()["workers"].as_array().unwrap().clone();
    let worker = eventually("a worker is started", || workers().first().cloned());
    assert_eq!(site.host(["wait", &run, "--json", "--timeout", "80s", "--store", &store]).expect(0).json()["result"], 30);
    eventually("it is not needed any more", || workers().is_empty().then_some(()));
    all_are_gone(&[worker["process"].as_u64().unwrap()]);
    dev.signal("-INT");
    assert_eq!(dev.ended(), 0, "{}", said(&site));
}

#[test]
fn what_was_left_behind_is_ended_by_the_next_one() {
    let site = Site::new();
    let args = ["--servers", "1", "--hosts", "0"];
    let mut dev = Dev::start(&site, &args);
    let list = std::fs::read_to_string(site.path().join(".flowhost/dev/processes")).unwrap();
    let guard = list.lines().find(|line| line.ends_with(" guard")).unwrap();
    // Stopped, so that neither notices what becomes of the other.
    dev.signal("-STOP");
    signal("-KILL", guard.split(' ').next().unwrap().parse().unwrap());
    dev.signal("-KILL");
    dev.ended();
    let left = dev.processes();
    assert!(left.iter().all(|process| runs(*process)));
    let next = Dev::start(&site, &args);
    all_are_gone(&left);
    assert!(said(&site).contains("had left something behind; ended now: server 1"), "{}", said(&site));
    assert!(next.processes().iter().all(|process| runs(*process)));
}

#[test]
fn what_cannot_be_started_is_explained() {
    let site = Site::new();
    let fails = |code: i32, args: &[&str], message: &str| {
        let printed = site.host(["dev"].iter().chain(args)).expect(code);
        assert!(printed.err.contains(message), "{args:?}: {}", printed.err);
    };
    fails(2, &["--servers", "2"], "`--servers` must be 1, or at least 3");
    fails(2, &["--hosts", "33"], "`--hosts` must be between 0 and 32");
    fails(2, &["--min-workers", "2", "--max-workers", "1"], "`--max-workers` must not be less");
    fails(2, &["--store", "a.db"], "each host a store of its own");
    fails(2, &["--nats", "nats://127.0.0.1:1"], "starts NATS servers of its own");
    fails(2, &["--nats-server", "no-such-program"], "`no-such-program` is no `nats-server`");
    let mut command = site.command(["dev"]);
    let printed =
        finish(command.env("PATH", site.path()).env_remove("FLOWHOST_NATS_SERVER").stdin(Stdio::null()).spawn().unwrap());
    let err = printed.expect(5).err;
    assert!(err.contains("there is no `nats-server` on the PATH") && err.contains("https://nats.io/download"), "{err}");
}
