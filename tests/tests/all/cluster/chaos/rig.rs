//! Three servers and three hosts, each of which reaches the servers through proxies of its own, and what can be done to them.

use std::path::PathBuf;

use async_nats::jetstream::{self, stream};
use e2e::Site;
use serde_json::Value;
use testkit::nats::{Cluster, Proxy, Way};

use super::check::{FLOW, MARKS};
use crate::service::{Service, eventually};
use crate::witness::executions;

/// The stream of the journal.
const EVENTS: &str = "FLOW_EVENTS_default";

/// What happens to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A host is killed and started again.
    HostKilled,
    /// A host is stopped until the others have its runs, and goes on.
    HostStopped,
    /// A host reaches no server until the others have its runs.
    HostCut,
    /// The connections of a host break.
    ConnectionLost,
    /// A host gets no answers for a while, but its requests arrive.
    AnswersHeld,
    /// The server that leads the journal's stream is killed and started again.
    LeaderKilled,
    /// The same one is stopped for a while.
    LeaderStopped,
    /// Another server is killed and started again.
    ServerKilled,
    /// All servers are killed at once and started again.
    AllServersKilled,
    /// The journal's stream takes nothing for a while.
    StreamFull,
}

/// The cluster, and the runs that were submitted to it.
pub(super) struct Rig<'a> {
    sites: &'a [Site],
    servers: Cluster,
    /// By host, then by server.
    proxies: Vec<Vec<Proxy>>,
    hosts: Vec<Option<Service<'a>>>,
    /// Where steps leave their marks.
    outside: tempfile::TempDir,
    runs: Vec<(String, PathBuf)>,
    runtime: tokio::runtime::Runtime,
}

impl<'a> Rig<'a> {
    pub(super) fn start(sites: &'a [Site]) -> Self {
        // Servers that tell clients of each other would have them go around the proxies.
        let servers = Cluster::with("no_advertise: true");
        let proxies: Vec<Vec<Proxy>> =
            sites.iter().map(|_| servers.servers.iter().map(|server| Proxy::before(server.port())).collect()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let hosts = sites.iter().map(|_| None).collect();
        let mut rig = Self { sites, servers, proxies, hosts, outside: tempfile::tempdir().unwrap(), runs: Vec::new(), runtime };
        for (number, site) in sites.iter().enumerate() {
            site.flow("main.flow", FLOW);
            rig.start_host(number);
        }
        rig.all_see_each_other();
        rig
    }

    fn start_host(&mut self, number: usize) {
        let urls: Vec<String> = self.proxies[number].iter().map(Proxy::url).collect();
        self.hosts[number] = Some(Service::start(&self.sites[number], &["--nats", &urls.join(",")]));
    }

    fn host(&self, number: usize) -> &Service<'a> {
        self.hosts[number].as_ref().unwrap()
    }

    /// Submits a run at a host, as often as it takes: with an id of its own it is one run.
    pub(super) fn submit(&mut self, host: usize) {
        let name = format!("run-{}", self.runs.len());
        let folder = self.outside.path().join(&name);
        std::fs::create_dir(&folder).unwrap();
        let input = format!("folder={}", folder.display());
        let args = ["submit", "main.flow", "--json", "--input", &input, "--id", &name];
        let run = eventually("the run is submitted", || {
            let printed = self.sites[host].host(args);
            (printed.code == 0).then(|| printed.json()["run"].as_str().unwrap().to_owned())
        });
        self.runs.push((run, folder));
    }

    /// The runs, and where each leaves its marks.
    pub(super) fn runs(&self) -> &[(String, PathBuf)] {
        &self.runs
    }

    /// Steps that were seen outside, each once.
    pub(super) fn seen(&self) -> usize {
        self.runs.iter().map(|(_, folder)| executions(folder).len()).sum()
    }

    /// Steps that will be seen.
    pub(super) fn expected(&self) -> usize {
        self.runs.len() * MARKS
    }

    /// Waits until more steps have been seen: some, but less than are still to come.
    pub(super) fn goes_on(&self) {
        let wanted = self.expected().min(self.seen() + MARKS / 2);
        eventually("the runs go on", || (self.seen() >= wanted).then_some(()));
    }

    pub(super) fn suffer(&mut self, fault: Fault, host: usize) {
        match fault {
            Fault::HostKilled => {
                self.hosts[host].take().unwrap().kill();
                self.start_host(host);
            }
            Fault::HostStopped => {
                self.host(host).signal("-STOP");
                self.is_missed(host);
                self.host(host).signal("-CONT");
            }
            Fault::HostCut => {
                self.proxies[host].iter().for_each(|proxy| proxy.close(true));
                self.is_missed(host);
                self.proxies[host].iter().for_each(|proxy| proxy.close(false));
            }
            Fault::ConnectionLost => self.proxies[host].iter().for_each(Proxy::cut),
            Fault::AnswersHeld => {
                self.proxies[host].iter().for_each(|proxy| proxy.set(Way::Open, Way::Held));
                self.goes_on();
                self.proxies[host].iter().for_each(|proxy| proxy.set(Way::Open, Way::Open));
            }
            Fault::LeaderKilled => self.kill_server(self.leader()),
            Fault::ServerKilled => self.kill_server((self.leader() + 1) % self.servers.servers.len()),
            Fault::LeaderStopped => {
                let leader = self.leader();
                self.servers.servers[leader].hang(true);
                self.goes_on();
                self.servers.servers[leader].hang(false);
                self.servers.wait_until_whole();
            }
            Fault::AllServersKilled => {
                self.servers.servers.iter_mut().for_each(testkit::nats::Server::kill);
                self.servers.servers.iter_mut().for_each(testkit::nats::Server::restart);
                self.servers.wait_until_whole();
            }
            Fault::StreamFull => {
                let before = self.refusals();
                self.fill(true);
                eventually("a host is refused", || (self.refusals() > before).then_some(()));
                self.fill(false);
            }
        }
    }

    fn kill_server(&mut self, number: usize) {
        self.servers.servers[number].kill();
        self.goes_on();
        self.servers.servers[number].restart();
        self.servers.wait_until_whole();
    }

    /// The number of the server that leads the journal's stream.
    fn leader(&self) -> usize {
        eventually("the stream has a leader", || {
            let told = self.servers.servers.iter().find_map(|server| server.monitor("/jsz?streams=true"))?;
            let accounts = told["account_details"].as_array()?.clone();
            let streams = accounts.iter().flat_map(|account| account["stream_detail"].as_array().cloned().unwrap_or_default());
            let leader = streams.filter(|stream| stream["name"] == EVENTS).find_map(|stream| {
                stream["cluster"]["leader"].as_str().and_then(|name| name.strip_prefix('s')?.parse::<usize>().ok())
            });
            leader.filter(|leader| self.servers.servers[*leader].monitor("/healthz").is_some())
        })
    }

    /// Lets the stream take no byte more than it has, or as many as there are.
    fn fill(&self, full: bool) {
        let urls = self.servers.urls();
        eventually("the stream is changed", || {
            self.runtime.block_on(async {
                let context = jetstream::new(async_nats::connect(&urls).await.ok()?);
                let info = context.get_stream(EVENTS).await.ok()?.info().await.ok()?.clone();
                let max_bytes = if full { info.state.bytes.try_into().ok()? } else { -1 };
                context.update_stream(stream::Config { max_bytes, ..info.config }).await.ok()
            })
        });
    }

    /// How often hosts have been told that the stream takes no more.
    fn refusals(&self) -> usize {
        self.sites.iter().map(|site| logs(site).matches("is full").count()).sum()
    }

    /// Waits until the other hosts do not count on this one any more.
    fn is_missed(&self, host: usize) {
        let others = || (0..self.hosts.len()).filter(|other| *other != host);
        eventually("the host is missed", || others().all(|other| self.others_of(other) == self.hosts.len() - 2).then_some(()));
    }

    fn all_see_each_other(&self) {
        let all = self.hosts.len() - 1;
        eventually("all hosts see each other", || (0..self.hosts.len()).all(|host| self.others_of(host) == all).then_some(()));
    }

    /// How many others a host sees. What a killed one was called is seen for a while.
    fn others_of(&self, host: usize) -> usize {
        self.host(host).status()["cluster"]["others"].as_array().map_or(0, Vec::len)
    }

    /// Waits until everything is as it was in the beginning.
    pub(super) fn is_whole(&mut self) {
        self.servers.wait_until_whole();
        self.all_see_each_other();
    }

    /// The result of a run, waited for at a host.
    pub(super) fn result(&self, host: usize, run: &str) -> Value {
        let site = &self.sites[host];
        let printed = super::super::wait(site, run);
        assert_eq!(printed.code, 0, "{run}: {}\n{}\n{}", printed.out, printed.err, self.told(run));
        printed.json()["result"].clone()
    }

    /// What each host says of a run: for whoever looks why it does not end.
    fn told(&self, run: &str) -> String {
        let of = |(number, site): (usize, &Site)| {
            let log = logs(site);
            let about = log.lines().filter(|line| line.contains(run) || !line.contains("\"run\""));
            let last = site.host(["events", run]).out.lines().rev().take(6).collect::<Vec<_>>().join("\n");
            let log = about.collect::<Vec<_>>().join("\n");
            format!("host {number}:\n{log}\nlast events, newest first:\n{last}\nstatus: {}\n", self.host(number).status())
        };
        self.sites.iter().enumerate().map(of).collect()
    }
}

/// All that the hosts of a site have logged.
fn logs(site: &Site) -> String {
    let entries = std::fs::read_dir(site.path()).unwrap().flatten().map(|entry| entry.path());
    let logs = entries.filter(|path: &PathBuf| path.extension().is_some_and(|extension| extension == "log"));
    logs.map(|path: PathBuf| std::fs::read_to_string(path).unwrap_or_default()).collect()
}
