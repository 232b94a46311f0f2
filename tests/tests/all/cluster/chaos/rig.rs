//! Three servers, three hosts and two workers, each of which reaches the servers through proxies of its own, and the runs that are
//! under way there.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use e2e::Site;
use serde_json::Value;
use testkit::nats::{Cluster, Proxy, Server};

use super::check::{EFFECTS, FLOW, MARKS};
use super::handler::{HOOKS, Handler};
use super::operator::Operator;
use crate::cluster::outside::Outside;
use crate::cluster::worker::Worker;
use crate::service::{Service, eventually};
use crate::witness::executions;

/// Places of a host, and of a worker: fewer in all than the runs of a round have steps that any of them may run.
const PLACES: (usize, usize) = (2, 3);

/// What hosts and workers permit.
const PERMIT: &str = "http 127.0.0.1";

/// A time in which a process stood still, in milliseconds of Unix time.
pub(super) type Interval = (u128, u128);

/// The cluster, and the runs that were submitted to it.
pub(super) struct Rig<'a> {
    pub(super) sites: &'a [Site],
    worker_sites: [Site; 2],
    pub(super) servers: Cluster,
    /// By host, and then by worker; then by server.
    pub(super) proxies: Vec<Vec<Proxy>>,
    pub(super) hosts: Vec<Option<Service<'a>>>,
    pub(super) workers: Vec<Option<Worker>>,
    /// Where steps leave their marks that need a folder, and the others.
    folders: tempfile::TempDir,
    pub(super) outside: Outside,
    pub(super) handler: Handler,
    pub(super) operator: Operator,
    runs: Vec<Run>,
    /// When processes were stopped that may have been about to begin a step.
    pub(super) stops: Vec<Interval>,
    pub(super) runtime: tokio::runtime::Runtime,
}

/// A run that was submitted.
pub(super) struct Run {
    pub(super) id: String,
    /// Where it leaves its marks. None: a run of effects.
    pub(super) folder: Option<PathBuf>,
}

impl<'a> Rig<'a> {
    pub(super) fn start(sites: &'a [Site]) -> Self {
        // Servers that tell clients of each other would have them go around the proxies. What a client is to get it has to take soon.
        let servers = Cluster::with("no_advertise: true", "write_deadline: \"2s\"\nmax_pending: 8MB");
        let worker_sites = [Site::new(), Site::new()];
        let before = |_| servers.servers.iter().map(|server| Proxy::before(server.port())).collect();
        let proxies: Vec<Vec<Proxy>> = (0..sites.len() + worker_sites.len()).map(before).collect();
        let handler = Handler::start(servers.servers.iter().map(Server::port).collect());
        let mut rig = Self {
            sites,
            hosts: sites.iter().map(|_| None).collect(),
            workers: worker_sites.iter().map(|_| None).collect(),
            worker_sites,
            servers,
            proxies,
            folders: tempfile::tempdir().unwrap(),
            outside: Outside::open(),
            handler,
            operator: Operator::default(),
            runs: Vec::new(),
            stops: Vec::new(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        };
        for (number, site) in sites.iter().enumerate() {
            site.flow("main.flow", FLOW);
            site.flow("effects.flow", EFFECTS);
            site.write("flowhost.toml", format!("[limits]\nparallel = {}\n[policy]\nallow = [\"{PERMIT}\"]\n{HOOKS}", PLACES.0));
            rig.start_host(number);
        }
        for number in 0..rig.workers.len() {
            rig.start_worker(number);
        }
        rig.all_see_each_other();
        rig
    }

    pub(super) fn start_host(&mut self, number: usize) {
        let urls = urls(&self.proxies[number]);
        self.hosts[number] = Some(Service::start(&self.sites[number], &["--nats", &urls]));
    }

    pub(super) fn start_worker(&mut self, number: usize) {
        let urls = urls(&self.proxies[self.sites.len() + number]);
        let args = ["--parallel", &PLACES.1.to_string(), "--allow", PERMIT];
        self.workers[number] = Some(Worker::start(&self.worker_sites[number], &urls, &args));
    }

    pub(super) fn host(&self, number: usize) -> &Service<'a> {
        self.hosts[number].as_ref().unwrap()
    }

    /// Submits a run at a host that leaves marks.
    pub(super) fn submit(&mut self, host: usize) {
        let folder = self.folders.path().join(self.runs.len().to_string());
        std::fs::create_dir(&folder).unwrap();
        let input = format!("folder={}", folder.display());
        let id = self.submitted(host, &["main.flow", "--input", &input]);
        self.runs.push(Run { id, folder: Some(folder) });
    }

    /// Submits a run at a host that has effects.
    pub(super) fn submit_effects(&mut self, host: usize) {
        let id = self.submitted(host, &["effects.flow"]);
        self.runs.push(Run { id, folder: None });
    }

    /// As often as it takes: with an id of its own it is one run.
    fn submitted(&self, host: usize, what: &[&str]) -> String {
        let (address, name) = (format!("address={}", self.outside.address()), format!("run-{}", self.runs.len()));
        let args = ["submit", "--json", "--input", &address, "--id", &name];
        eventually("the run is submitted", || {
            let printed = self.sites[host].host(args.iter().chain(what));
            assert!(matches!(printed.code, 0 | 5), "{}{}", printed.out, printed.err);
            (printed.code == 0).then(|| printed.json()["run"].as_str().unwrap().to_owned())
        })
    }

    /// The runs that were submitted.
    pub(super) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Steps that were seen outside, each once.
    pub(super) fn seen(&self) -> usize {
        self.runs.iter().filter_map(|run| run.folder.as_deref()).map(|folder| executions(folder).len()).sum()
    }

    /// Steps that will be seen.
    pub(super) fn expected(&self) -> usize {
        self.runs.iter().filter(|run| run.folder.is_some()).count() * MARKS
    }

    /// Waits until more steps have been seen: some, but less than are still to come.
    pub(super) fn goes_on(&self) {
        let wanted = self.expected().min(self.seen() + MARKS / 2);
        eventually("the runs go on", || (self.seen() >= wanted).then_some(()));
    }

    /// Waits until steps are held in nearly all places that there are.
    pub(super) fn is_full(&self) {
        let places = self.hosts.len() * PLACES.0 + self.workers.len() * PLACES.1;
        eventually("all places are taken", || (self.outside.held() + 2 >= places).then_some(()));
    }

    /// Decides in all runs about what is not known, as a host has it.
    pub(super) fn decide(&mut self, host: usize) {
        for run in self.runs.iter().filter(|run| run.folder.is_none()) {
            self.operator.look(&self.sites[host], &run.id, &self.outside);
        }
    }

    /// Waits until the other hosts do not count on this one any more.
    pub(super) fn is_missed(&self, host: usize) {
        let others = || (0..self.hosts.len()).filter(|other| *other != host);
        eventually("the host is missed", || others().all(|other| self.others_of(other) == self.hosts.len() - 2).then_some(()));
    }

    /// Waits until the hosts do not count on one of the workers any more.
    pub(super) fn a_worker_is_missed(&self) {
        let all = self.hosts.len() + self.workers.len();
        eventually("the worker is missed", || (0..self.hosts.len()).all(|host| self.work_for(host) < all).then_some(()));
    }

    pub(super) fn all_see_each_other(&self) {
        let (others, work) = (self.hosts.len() - 1, self.hosts.len() + self.workers.len());
        let sees = |host| self.others_of(host) == others && self.work_for(host) == work;
        eventually("all hosts see each other", || (0..self.hosts.len()).all(sees).then_some(()));
    }

    /// How many others a host sees. What a killed one was called is seen for a while.
    fn others_of(&self, host: usize) -> usize {
        self.host(host).status()["cluster"]["others"].as_array().map_or(0, Vec::len)
    }

    /// How many processes run steps, as a host sees it.
    fn work_for(&self, host: usize) -> usize {
        let count = self.host(host).status()["cluster"]["scale"]["hosts"].as_u64();
        count.and_then(|count| count.try_into().ok()).unwrap_or_default()
    }

    /// Waits until everything is as it was in the beginning.
    pub(super) fn is_whole(&mut self) {
        self.servers.wait_until_whole();
        self.all_see_each_other();
    }

    /// Waits until all runs of effects have ended, and decides in them.
    pub(super) fn settle(&mut self) {
        let ends = |site: &Site, id: &str| {
            let shown = site.host(["show", id, "--json"]);
            shown.code == 0 && shown.json()["ended"].is_string()
        };
        let mut host = 0;
        eventually("all is decided", || {
            host = (host + 1) % self.sites.len();
            self.decide(host);
            let site = &self.sites[host];
            self.runs.iter().filter(|run| run.folder.is_none()).all(|run| ends(site, &run.id)).then_some(())
        });
    }

    /// Stops the workers, and gives how many steps those have run that are there.
    pub(super) fn stop_workers(&mut self) -> u64 {
        self.workers.iter_mut().filter_map(Option::take).map(Worker::stop).sum()
    }

    /// The result of a run, waited for at a host.
    pub(super) fn result(&self, host: usize, run: &str) -> Value {
        let site = &self.sites[host];
        let printed = crate::cluster::wait(site, run);
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

    /// How often hosts have been told that the journal's stream takes no more.
    pub(super) fn refusals(&self) -> usize {
        self.sites.iter().map(|site| logs(site).matches("is full").count()).sum()
    }
}

/// Milliseconds of Unix time.
pub(super) fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

fn urls(proxies: &[Proxy]) -> String {
    proxies.iter().map(Proxy::url).collect::<Vec<_>>().join(",")
}

/// All that the hosts of a site have logged.
fn logs(site: &Site) -> String {
    let entries = std::fs::read_dir(site.path()).unwrap().flatten().map(|entry| entry.path());
    let logs = entries.filter(|path: &PathBuf| path.extension().is_some_and(|extension| extension == "log"));
    logs.map(|path: PathBuf| std::fs::read_to_string(path).unwrap_or_default()).collect()
}
