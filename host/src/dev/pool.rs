//! All processes of the cluster: started in order, watched, ended in order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Settings;
use super::elastic::{self, Change, Elastic};
use super::falls::{Falls, Next, PAUSE};
use super::guard::Guard;
use super::part::{Lines, Part};
use super::process::{List, Process};
use super::server::{self, Server};
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::signals::Stops;

/// The file with what runs, in the folder, once all of it does.
pub(super) const ABOUT: &str = "cluster.json";

/// How long servers may take to find together, and hosts to serve.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks at what became of the processes.
const LOOK: Duration = Duration::from_millis(50);

/// How long a host may take to end: what its steps get when it is asked to stop, and some more.
const DRAIN: Duration = Duration::from_secs(40);

/// How long a server may take to end.
const CLOSE: Duration = Duration::from_secs(15);

/// The processes.
pub(super) struct Pool {
    output: Output,
    folder: PathBuf,
    list: List,
    guard: Guard,
    servers: Vec<Server>,
    hosts: Vec<Part>,
    elastic: Elastic,
    falls: Falls,
}

impl Pool {
    /// None yet but the one that guards the others.
    pub(super) fn new(output: Output, folder: PathBuf, elastic: Elastic) -> Result<Self, Problem> {
        let (mut list, ended) = List::begin(&folder)?;
        if !ended.is_empty() {
            output.note(&format!("an earlier `host dev` had left something behind; ended now: {}", ended.join(", ")));
        }
        let guard = Guard::start(output)?;
        // What one that was killed said of itself.
        let _ = std::fs::remove_file(folder.join(ABOUT));
        if let Some(process) = Process::of(guard.part.id(), guard.part.name()) {
            list.add(&process)?;
        }
        Ok(Self { output, folder, list, guard, servers: Vec::new(), hosts: Vec::new(), elastic, falls: Falls::default() })
    }

    /// Starts the cluster and watches it. It only ends with a problem.
    pub(super) async fn run(&mut self, settings: &Settings, program: &Path) -> Problem {
        match self.try_run(settings, program).await {
            Ok(never) => match never {},
            Err(problem) => problem,
        }
    }

    async fn try_run(&mut self, settings: &Settings, program: &Path) -> Result<std::convert::Infallible, Problem> {
        for server in server::start(program, &self.folder, settings.servers, self.output)? {
            self.note(server.part.id(), server.part.name())?;
            self.servers.push(server);
        }
        self.servers_are_ready().await?;
        for number in 1..=settings.hosts {
            let host = self.start_host(number, settings)?;
            self.note(host.id(), host.name())?;
            self.hosts.push(host);
        }
        self.hosts_are_ready().await?;
        let about = self.document();
        self.tell(&about)?;
        self.output.document(&about, || text(&about));
        loop {
            self.mend(settings, program)?;
            self.adapt(settings).await?;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// So that it is ended whatever becomes of this process.
    fn note(&mut self, id: u32, name: &str) -> Result<(), Problem> {
        let Some(process) = Process::of(id, name) else { return Ok(()) };
        self.guard.add(&process)?;
        self.list.add(&process)
    }

    async fn servers_are_ready(&mut self) -> Result<(), Problem> {
        let begin = Instant::now();
        loop {
            let mut ready = 0;
            for server in &self.servers {
                ready += usize::from(server.is_ready(self.servers.len()).await);
            }
            if ready == self.servers.len() {
                self.servers.iter().for_each(|server| server.part.hear());
                return Ok(());
            }
            self.look_again(begin, "servers have not found together").await?;
        }
    }

    async fn hosts_are_ready(&mut self) -> Result<(), Problem> {
        let begin = Instant::now();
        while !self.hosts.iter().all(Part::is_serving) {
            self.look_again(begin, "hosts do not serve").await?;
        }
        Ok(())
    }

    async fn look_again(&mut self, begin: Instant, what: &str) -> Result<(), Problem> {
        self.check()?;
        if begin.elapsed() > PATIENCE {
            let (seconds, folder) = (PATIENCE.as_secs(), self.folder.display());
            let message = format!("after {seconds} s the {what}");
            return Err(Problem::new(Exit::Store, message).help(format!("their logs are in `{folder}`")));
        }
        tokio::time::sleep(LOOK).await;
        Ok(())
    }

    /// Fails when one has ended before all run.
    fn check(&mut self) -> Result<(), Problem> {
        let servers = self.servers.iter_mut().map(|server| &mut server.part);
        for part in std::iter::once(&mut self.guard.part).chain(servers).chain(&mut self.hosts) {
            if let Some(status) = part.ended() {
                return Err(given_up(&part.last_words(status)));
            }
        }
        Ok(())
    }

    /// Starts again what has ended and nobody asked to.
    fn mend(&mut self, settings: &Settings, program: &Path) -> Result<(), Problem> {
        let again = self.fallen()?;
        if again.is_empty() {
            return Ok(());
        }
        let mut started = Vec::new();
        for (server, number) in self.servers.iter_mut().zip(1..).filter(|(server, _)| again.contains(server.part.name())) {
            server.part = server::spawn(program, &self.folder, number, self.output)?;
            server.part.hear();
            started.push((server.part.id(), server.part.name().to_owned()));
        }
        for at in 0..self.hosts.len() {
            if self.hosts.get(at).is_some_and(|host| again.contains(host.name())) {
                let host = self.start_host(at + 1, settings)?;
                started.push((host.id(), host.name().to_owned()));
                self.hosts.splice(at..=at, [host]);
            }
        }
        for (id, name) in started {
            self.note(id, &name)?;
        }
        self.tell(&self.document())
    }

    /// Those that are to be started again now.
    fn fallen(&mut self) -> Result<BTreeSet<String>, Problem> {
        if let Some(status) = self.guard.part.ended() {
            return Err(given_up(&self.guard.part.last_words(status)));
        }
        let servers = self.servers.iter_mut().map(|server| &mut server.part);
        let mut again = BTreeSet::new();
        for part in servers.chain(&mut self.hosts) {
            let Some(status) = part.ended() else { continue };
            match self.falls.seen(part.name(), Instant::now()) {
                Next::Tell => {
                    let (words, seconds) = (part.last_words(status), PAUSE.as_secs());
                    self.output.note(&format!("{words}\nit is started again in {seconds} s; all others go on"));
                }
                Next::Wait => {}
                Next::Start => drop(again.insert(part.name().to_owned())),
                Next::GiveUp => return Err(given_up(&part.last_words(status))),
            }
        }
        Ok(again)
    }

    /// Starts or ends a worker, as the load asks for.
    async fn adapt(&mut self, settings: &Settings) -> Result<(), Problem> {
        for words in self.elastic.fallen() {
            self.output.note(&words);
        }
        if !self.elastic.wants_to_know() {
            return Ok(());
        }
        let load = if self.hosts.is_empty() { None } else { elastic::load(self.store(1)).await };
        match self.elastic.change(load) {
            Change::Nothing => return Ok(()),
            Change::More => {
                let worker = self.start_worker(settings)?;
                self.note(worker.id(), worker.name())?;
                self.output.note(&format!("{} is started", worker.name()));
                self.elastic.workers.push(worker);
            }
            Change::Fewer => {
                let Some(mut worker) = self.elastic.workers.pop() else { return Ok(()) };
                self.output.note(&format!("{} is not needed any more", worker.name()));
                worker.terminate();
                self.elastic.leaving.push(worker);
            }
        }
        self.elastic.changed();
        self.tell(&self.document())
    }

    fn start_worker(&mut self, settings: &Settings) -> Result<Part, Problem> {
        let name = self.elastic.next_name();
        let place = self.folder.join(name.replace(' ', "-"));
        let mut command = self.command(&name, &place, settings)?;
        command.arg("worker").arg("--nats").arg(self.urls()).arg("--store").arg(place.join("flowhost.db"));
        Part::start(&name, &mut command, Lines::All, &place.join("log"), self.output)
    }

    /// This program, to be a part that has its files in a place.
    fn command(&self, name: &str, place: &Path, settings: &Settings) -> Result<Command, Problem> {
        let failed = |error: std::io::Error| Problem::new(Exit::Store, format!("{name} cannot be started: {error}"));
        std::fs::create_dir_all(place).map_err(failed)?;
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        if let Some(config) = &settings.config {
            command.arg("--config").arg(config);
        }
        if self.output.json() {
            command.arg("--json");
        }
        // One socket for all of them would be none for most.
        command.env_remove("FLOWHOST_SOCKET");
        Ok(command)
    }

    fn start_host(&self, number: usize, settings: &Settings) -> Result<Part, Problem> {
        let (name, place) = (format!("host {number}"), self.folder.join(format!("host-{number}")));
        let mut command = self.command(&name, &place, settings)?;
        command.arg("serve").arg("--nats").arg(self.urls()).arg("--store").arg(self.store(number));
        Part::start(&name, &mut command, Lines::All, &place.join("log"), self.output)
    }

    fn urls(&self) -> String {
        self.servers.iter().map(Server::url).collect::<Vec<_>>().join(",")
    }

    /// The store of a host: as short a path as possible, because people type it, and it becomes that of a socket.
    fn store(&self, number: usize) -> PathBuf {
        let path = self.folder.join(format!("host-{number}/flowhost.db"));
        let here = std::env::current_dir().unwrap_or_default();
        path.strip_prefix(here).map(Path::to_owned).unwrap_or(path)
    }

    fn document(&self) -> Value {
        let servers = self.servers.iter().map(|server| {
            json!({ "name": server.part.name(), "url": server.url(), "monitor": server.monitor(), "process": server.part.id() })
        });
        let hosts = self.hosts.iter().zip(1..).map(|(host, number)| {
            json!({ "name": host.name(), "store": self.store(number).display().to_string(), "process": host.id() })
        });
        let workers = self.elastic.workers.iter().map(|worker| json!({ "name": worker.name(), "process": worker.id() }));
        json!({
            "nats": self.urls(),
            "folder": self.folder.display().to_string(),
            "servers": servers.collect::<Vec<_>>(),
            "hosts": hosts.collect::<Vec<_>>(),
            "workers": workers.collect::<Vec<_>>(),
        })
    }

    /// For whoever asks what runs here.
    fn tell(&self, about: &Value) -> Result<(), Problem> {
        let path = self.folder.join(ABOUT);
        let unnamed = self.folder.join(format!("{ABOUT}.new"));
        let written = std::fs::write(&unnamed, format!("{about:#}\n")).and_then(|()| std::fs::rename(&unnamed, &path));
        written.map_err(|error| Problem::new(Exit::Store, format!("`{}` cannot be written: {error}", path.display())))
    }

    /// Ends all: the hosts, then the servers, which the hosts need to the end. A signal meanwhile ends them at once.
    pub(super) async fn end(self, stops: &mut Stops) {
        // Nobody asked for it yet where it is not there.
        let _ = std::fs::remove_file(self.folder.join(ABOUT));
        let servers = self.servers.into_iter().map(|server| server.part).collect();
        let mut patient = true;
        let hosts = self.hosts.into_iter().chain(self.elastic.all()).collect();
        for (parts, patience) in [(hosts, DRAIN), (servers, CLOSE)] {
            patient = end(parts, if patient { patience } else { Duration::ZERO }, stops).await;
        }
        self.guard.end();
        self.list.end();
        self.output.note("all have ended");
    }
}

/// All are ended because of what became of one.
fn given_up(words: &str) -> Problem {
    Problem::new(Exit::Store, words).help("all others are ended as well; what they have is kept for the next time")
}

/// Asks these to end and waits; kills those that take longer. False when somebody did not want to wait.
async fn end(mut parts: Vec<Part>, patience: Duration, stops: &mut Stops) -> bool {
    let begin = Instant::now();
    let mut patient = !patience.is_zero();
    parts.iter_mut().for_each(Part::terminate);
    while parts.iter_mut().any(|part| part.ended().is_none()) {
        if !patient || begin.elapsed() > patience {
            parts.iter_mut().for_each(Part::kill);
            break;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stops.next() => patient = false,
        }
    }
    parts.into_iter().for_each(Part::wait);
    patient
}

/// What runs, and what can be done with it.
pub(super) fn text(about: &Value) -> String {
    let of = |value: &Value, name: &str| match value.get(name) {
        Some(Value::String(text)) => text.clone(),
        other => other.map(Value::to_string).unwrap_or_default(),
    };
    let list = |name: &str| about.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let (servers, hosts) = (list("servers"), list("hosts"));
    let mut text = String::new();
    for server in &servers {
        let (name, url, monitor, id) = (of(server, "name"), of(server, "url"), of(server, "monitor"), of(server, "process"));
        text.push_str(&format!("{name:<9} {url}  state at {monitor}  process {id}\n"));
    }
    for host in &hosts {
        text.push_str(&format!("{:<9} {}  process {}\n", of(host, "name"), of(host, "store"), of(host, "process")));
    }
    for worker in list("workers") {
        text.push_str(&format!("{:<9} process {}\n", of(&worker, "name"), of(&worker, "process")));
    }
    text.push_str(&format!("\nAll logs and what is kept are in {}. Try, from another terminal:\n\n", of(about, "folder")));
    if let (Some(first), Some(last)) = (hosts.first(), hosts.last()) {
        text.push_str(&format!("  host submit FLOW --store {}\n  host ps --store {}\n", of(first, "store"), of(last, "store")));
    }
    text.push_str(&format!("  host run FLOW --nats {}\n\n`host dev stop` or Ctrl-C ends all of them.\n", of(about, "nats")));
    text
}
