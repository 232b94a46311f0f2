//! Hosts that share their runs over NATS: real servers, real processes, and each host with a folder and a store of its own.

mod chaos;
mod contract;
mod credentials;
mod dispatch;
mod failover;
mod outside;
mod security;
mod servers;
mod shared;
mod trace;
mod work;
mod worker;

use e2e::{Printed, Site};
use serde_json::Value;

use crate::service::{Service, eventually};

/// `host serve` in a site of its own, on these servers.
pub(crate) fn serve<'a>(site: &'a Site, servers: &str) -> Service<'a> {
    Service::start(site, &["--nats", servers])
}

/// Waits until a host sees so many others.
pub(crate) fn sees(host: &Service<'_>, others: usize) {
    eventually("the hosts see each other", || {
        (host.status()["cluster"]["others"].as_array().unwrap().len() == others).then_some(())
    });
}

/// Waits until a site's store says something of a run.
pub(crate) fn shown(site: &Site, run: &str, what: impl Fn(&Value) -> bool) -> Value {
    eventually("the run is there as it should be", || {
        let printed = site.host(["show", run, "--json"]);
        (printed.code == 0).then(|| printed.json()).filter(|run| what(run))
    })
}

/// Waits at this site for the end of a run.
pub(crate) fn wait(site: &Site, run: &str) -> Printed {
    shown(site, run, |_| true);
    site.host(["wait", run, "--json", "--timeout", "80s"])
}

/// How often something happened in a run, as this site's store has it.
pub(crate) fn count(site: &Site, run: &str, kind: &str) -> usize {
    let events = site.host(["events", run, "--json"]).expect(0).json();
    events.as_array().unwrap().iter().filter(|event| event["kind"] == kind).count()
}

/// The hosts that had a run one after the other, as this site's store has it.
pub(crate) fn owners(site: &Site, run: &str) -> Vec<String> {
    let events = site.host(["events", run, "--json"]).expect(0).json();
    let hosts = events.as_array().unwrap().iter().filter_map(|event| event["body"]["host"].as_str().map(|host| (event, host)));
    let owning = hosts.filter(|(event, _)| event["kind"] == "run-started" || event["kind"] == "owner-changed");
    let mut owners: Vec<String> = owning.map(|(_, host)| host.to_owned()).collect();
    owners.dedup();
    owners
}

/// What the witness wrote into a folder, sorted: a line for each execution.
pub(crate) fn marks(folder: &std::path::Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("witness.txt")).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}
