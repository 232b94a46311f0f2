//! The loop that owns the runs: everything that happens comes here and is answered at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::event::{RunId, RunOutcome, Timestamp};
use engine::ports::{Clock, JournalError, SystemClock};
use engine::shell::{BreakerState, GateReport, MIGRATING, RunEnd, RunHandle, RunReport, Update};
use journal::RunStatus;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use super::driver::{self, Ask, Begin, Over};
use super::orphans::Orphans;
use super::runs::Runs;
use super::{Parts, Settings, abandoned, cleanup, mail, pulled, sessions, socket, triggers, upkeep, webhook};
use crate::cluster::Cluster;
use crate::commands::list;
use crate::exit::{Exit, Problem};
use crate::owner;
use crate::signals::Stops;

/// Why a run is paused that the next service resumes.
pub(crate) const DRAINED: &str = "the service was stopped; the next one goes on with it";

/// Labels of so many runs are followed from a plan to the run that it goes on with.
const MOST_NESTED: u32 = 16;

/// So many runs are taken out of their journals at the same time.
const TAKEN_UP: usize = 8;

/// When a run is tried again whose store failed. By no clock that may be set.
const STORE_PATIENCE: Duration = Duration::from_secs(10);

/// How often the clock and the place of the store are looked at whatever happens.
const LOOK: Duration = Duration::from_secs(1);

/// Something that happened.
pub(super) enum Event {
    /// A run was started in a place in memory.
    Started(RunHandle, OwnedSemaphorePermit),
    /// A run was started and has no place yet.
    Queued(RunId),
    /// A run is out of its journal, or cannot be taken out.
    TakenUp,
    /// A run in memory waits, or goes on.
    Idle(RunId, bool),
    /// There are letters for these runs.
    Mail(Vec<RunId>),
    /// The owner of a run is gone, and this host is to take it over.
    Abandoned(RunId),
    /// The owner of these runs is this host.
    Own(Vec<RunId>),
    /// Somebody wants to see what happens to a run.
    Follow(RunId, mpsc::Sender<Update>, oneshot::Sender<bool>),
    /// Somebody wants to know how the service is.
    Status(oneshot::Sender<Value>),
    /// Somebody wants the service to end.
    Stop,
}

/// Runs the service until it is told to stop and has drained.
pub(super) async fn run(parts: Arc<Parts>, settings: &Settings, inbox: mpsc::UnboundedReceiver<Event>) -> Result<Exit, Problem> {
    let stops = Stops::listen()?;
    let mut background = JoinSet::new();
    let listener = socket::bind(&settings.socket)?;
    let webhooks = match settings.listen {
        Some(address) => Some(webhook::bind(address).await?),
        None => None,
    };
    let mut service = Service::new(Arc::clone(&parts), settings);
    service.recover()?;
    background.spawn(mail::watch(Arc::clone(&parts)));
    background.spawn(triggers::watch(Arc::clone(&parts)));
    background.spawn(cleanup::watch(Arc::clone(&parts)));
    background.spawn(sessions::watch(Arc::clone(&parts)));
    background.spawn(abandoned::watch(Arc::clone(&parts)));
    background.spawn(upkeep::watch(Arc::clone(&parts)));
    background.spawn(pulled::watch(Arc::clone(&parts)));
    background.spawn(socket::listen(Arc::clone(&parts), listener));
    if let Some((listener, address)) = webhooks {
        parts.log.note("listening", &[("http", &address.to_string())]);
        background.spawn(webhook::listen(Arc::clone(&parts), listener));
    }
    parts.log.note(
        "serving",
        &[("store", &parts.config.store.path.display().to_string()), ("socket", &settings.socket.display().to_string())],
    );
    let guests = work_for_others(&parts)?;
    let end = service.serve(inbox, stops, &mut background).await;
    if let Some(guests) = guests {
        // What is not at its end by then its owner hears nothing of.
        drop(tokio::time::timeout(settings.drain, guests).await);
    }
    background.shutdown().await;
    drop(std::fs::remove_file(&settings.socket));
    parts.log.note("stopped", &[]);
    end.map(|()| Exit::Done)
}

/// Runs attempts of other hosts' runs, in a cluster, until the service stops and they have ended.
fn work_for_others(parts: &Arc<Parts>) -> Result<Option<JoinHandle<()>>, Problem> {
    let Some(dispatch) = parts.dispatch.clone() else { return Ok(None) };
    let options = parts.config.worker.options(parts.config.policy.allow.iter())?;
    let (engine, sandbox, log) = (parts.engine.clone(), parts.sandbox.clone(), parts.log);
    let stopping = parts.stopping.subscribe();
    Ok(Some(tokio::spawn(async move {
        if let Err(error) = dispatch.work(engine, sandbox, options, stopping).await {
            log.problem("does-not-work-for-others", &[("why", &error.to_string())]);
        }
    })))
}

/// The runs and who drives them.
struct Service {
    parts: Arc<Parts>,
    drain: Duration,
    since: Timestamp,
    runs: Runs,
    drivers: JoinSet<Over>,
    /// Runs that are being taken out of their journals.
    taking_up: usize,
    /// Parked runs whose store failed, in the order in which they are tried again.
    failing: VecDeque<(Instant, RunId)>,
    /// Runs that this host owns and does not have.
    orphans: Orphans,
    /// When it gives up to wait for what runs.
    deadline: Option<Instant>,
    ended: u64,
    failed: u64,
}

impl Service {
    fn new(parts: Arc<Parts>, settings: &Settings) -> Self {
        Self {
            parts,
            drain: settings.drain,
            since: SystemClock.now(),
            runs: Runs::default(),
            drivers: JoinSet::new(),
            taking_up: 0,
            failing: VecDeque::new(),
            orphans: Orphans::default(),
            deadline: None,
            ended: 0,
            failed: 0,
        }
    }

    /// Takes over every run that nobody drives, where no other host may do so. Paused ones are only noted: they need nothing until mail comes.
    fn recover(&mut self) -> Result<(), Problem> {
        if self.parts.config.cluster().is_some() {
            return Ok(());
        }
        let store = self.parts.config.store.path.clone();
        let (mut taken, mut others) = (0_usize, 0_usize);
        for run in self.parts.reader.open_runs()? {
            // The run of a plan goes on with the run whose plan it is.
            if run.has_parent {
                continue;
            }
            if owner::is_alive(&store, &run.owner) {
                others += 1;
                continue;
            }
            taken += 1;
            let goes_on = run.status != RunStatus::Paused || goes_on(run.reason.as_deref());
            if goes_on { self.runs.enqueue(run.id) } else { self.runs.park(run.id, None) }
        }
        self.parts.log.note("recovering", &[("runs", &taken.to_string()), ("driven-by-others", &others.to_string())]);
        self.fill();
        Ok(())
    }

    /// Ends when it has drained; fails when there is no store any more.
    async fn serve(
        &mut self,
        mut inbox: mpsc::UnboundedReceiver<Event>,
        mut stops: Stops,
        background: &mut JoinSet<()>,
    ) -> Result<(), Problem> {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let now = SystemClock.now();
            let due = self.runs.next_due().map(|at| Duration::from_millis(at.0.saturating_sub(now.0)));
            tokio::select! {
                Some(event) = inbox.recv() => self.event(event),
                Some(over) = self.drivers.join_next(), if !self.drivers.is_empty() => self.over(over.ok()),
                Some(_) = background.join_next(), if self.deadline.is_none() => {
                    self.parts.log.problem("part-failed", &[("why", "a part of the service ended; it stops to be started again")]);
                    self.stop("a part failed");
                }
                signalled = stops.next() => self.stop(signalled),
                _ = looks.tick() => self.parts.journal.check_place()?,
                () = sleep(due), if self.deadline.is_none() => {}
                () = sleep(self.deadline.map(|at| at.saturating_duration_since(Instant::now()))) => {
                    let left = self.runs.counts().active.to_string();
                    self.parts.log.problem("drained-in-part", &[("left", &left)]);
                    return Ok(());
                }
            }
            self.wake_due();
            self.fill();
            if self.deadline.is_some() && self.drivers.is_empty() && inbox.is_empty() {
                return Ok(());
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Started(handle, place) => {
                self.parts.log.note("run-started", &[("run", &handle.id().0)]);
                let id = handle.id().clone();
                self.enter(id, Begin::Started(Box::new(handle)), place);
            }
            Event::Queued(run) => {
                self.parts.log.note("run-started", &[("run", &run.0), ("place", "none yet")]);
                self.runs.enqueue(run);
            }
            Event::TakenUp => self.taking_up = self.taking_up.saturating_sub(1),
            Event::Idle(run, idle) => self.runs.note_idle(&run, idle),
            Event::Mail(runs) => runs.iter().for_each(|run| self.mail(run)),
            Event::Abandoned(run) if !self.runs.has(&run) => self.runs.enqueue(run),
            Event::Abandoned(_) => {}
            Event::Own(runs) => self.own(runs),
            Event::Follow(run, follower, answer) => drop(answer.send(self.runs.ask(&run, Ask::Follow(follower)))),
            Event::Status(answer) => drop(answer.send(self.status())),
            Event::Stop => self.stop("asked to"),
        }
    }

    /// Takes up what this host owns and has lost.
    fn own(&mut self, runs: Vec<RunId>) {
        let missing = runs.into_iter().filter(|run| !self.runs.has(run));
        for run in self.orphans.seen(missing) {
            self.parts.log.note("taking-up-again", &[("run", &run.0)]);
            self.runs.enqueue(run);
        }
    }

    /// A run has letters: it is woken where it is, or taken into memory.
    fn mail(&mut self, addressee: &RunId) {
        let run = self.driven(addressee.clone());
        if self.runs.note_mail(&run) {
            if *addressee != run {
                self.parts.bus.wake(addressee);
            }
            self.parts.bus.wake(&run);
        } else if self.runs.has(&run) || (self.is_abandoned(&run) && self.is_ours(&run)) {
            self.runs.enqueue(run);
        }
    }

    /// The run that a run goes on with: its own, or the one whose plan it is.
    fn driven(&self, mut run: RunId) -> RunId {
        for _ in 0..MOST_NESTED {
            let row = if self.runs.has(&run) { None } else { self.parts.reader.find(&run.0).ok() };
            let Some(parent) = row.as_ref().and_then(list::parent).map(|(parent, _)| RunId(parent.into())) else { break };
            run = parent;
        }
        run
    }

    /// Whether nobody drives a run that has not ended. Where the store cannot tell now, it may be so: who takes it up sees.
    fn is_abandoned(&self, run: &RunId) -> bool {
        match self.parts.reader.find(&run.0) {
            Ok(row) => row.id == *run && !row.status.is_end() && !self.parts.config.is_alive(&row.owner),
            Err(error) => Problem::from(error).passes,
        }
    }

    /// Whether it is this host that takes over a run which nobody drives.
    fn is_ours(&self, run: &RunId) -> bool {
        self.parts.config.cluster().is_none_or(|cluster| cluster.is_first(&run.0, &self.parts.owner))
    }

    fn wake_due(&mut self) {
        let now = SystemClock.now();
        while self.deadline.is_none()
            && let Some(run) = self.runs.take_due(now)
        {
            self.runs.enqueue(run);
        }
        while self.deadline.is_none()
            && let Some((_, run)) = self.failing.pop_front_if(|(at, _)| *at <= Instant::now())
        {
            if self.runs.is_parked(&run) {
                self.runs.enqueue(run);
            }
        }
    }

    /// Gives places to runs that want one; where there is none, those that only wait make room.
    fn fill(&mut self) {
        while self.deadline.is_none() && self.runs.wants_place() && self.taking_up < TAKEN_UP {
            let Ok(place) = Arc::clone(&self.parts.places).try_acquire_owned() else {
                while self.runs.leaving() < TAKEN_UP && self.runs.make_room() {}
                return;
            };
            let Some(run) = self.runs.next() else { return };
            self.taking_up += 1;
            self.enter(run, Begin::Stored, place);
        }
    }

    fn enter(&mut self, run: RunId, begin: Begin, place: OwnedSemaphorePermit) {
        let asks = self.runs.enter(run.clone());
        if self.deadline.is_some() {
            self.runs.ask(&run, Ask::Drain);
        }
        self.drivers.spawn(driver::drive(Arc::clone(&self.parts), run, begin, place, asks));
    }

    fn over(&mut self, over: Option<Over>) {
        // A driver does not panic; if one did, its run is abandoned and the next service takes it up.
        let Some(Over { id, end }) = over else { return };
        let has_mail = self.runs.leave(&id);
        self.parts.bus.release(&id);
        match end {
            Ok(report) => self.report(id, report, has_mail),
            Err(problem) if problem.passes => self.try_later(id, &problem.message),
            Err(problem) => self.parts.log.problem("run-skipped", &[("run", &id.0), ("why", &problem.message)]),
        }
    }

    /// The store fails, which may pass.
    fn try_later(&mut self, id: RunId, why: &str) {
        self.parts.log.problem("store-failed", &[("run", &id.0), ("why", why)]);
        self.runs.park(id.clone(), None);
        self.failing.push_back((Instant::now() + STORE_PATIENCE, id));
    }

    fn report(&mut self, id: RunId, report: RunReport, has_mail: bool) {
        let log = self.parts.log;
        match report.outcome {
            RunEnd::Finished(outcome) => {
                self.ended += 1;
                self.failed += u64::from(!matches!(outcome, RunOutcome::Succeeded(_)));
                match outcome {
                    RunOutcome::Succeeded(_) => log.note("run-succeeded", &[("run", &id.0)]),
                    RunOutcome::Cancelled => log.note("run-cancelled", &[("run", &id.0)]),
                    RunOutcome::Failed { failure, path } => log.note(
                        "run-failed",
                        &[("run", &id.0), ("path", &path), ("kind", failure.kind.name()), ("why", &failure.message)],
                    ),
                }
            }
            RunEnd::Paused { .. } if has_mail && self.deadline.is_none() => self.runs.enqueue(id),
            RunEnd::Paused { .. } => self.runs.park(id, report.timer),
            // Its driver has answered the letter.
            RunEnd::Leaves(_) => self.runs.enqueue(id),
            RunEnd::StoreFailed(JournalError::Unavailable(why)) => self.try_later(id, &why),
            RunEnd::StoreFailed(error) => log.problem("run-lost", &[("run", &id.0), ("why", &error.to_string())]),
        }
    }

    /// Starts nothing new from now on. Whoever asks again does not want to wait.
    fn stop(&mut self, why: &str) {
        if self.deadline.is_some() {
            self.parts.log.problem("stopped-at-once", &[]);
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        self.deadline = Some(Instant::now() + self.drain);
        self.parts.stopping.send_replace(true);
        self.parts.log.note("draining", &[("why", why), ("runs", &self.runs.counts().active.to_string())]);
        self.runs.drain();
    }

    fn cluster(&self, cluster: &Cluster) -> Value {
        let scale = self.parts.dispatch.as_ref().map(|dispatch| dispatch.scale());
        json!({
            "host": &*self.parts.owner,
            "namespace": cluster.namespace,
            "others": cluster.others(),
            "leads": cluster.leads(),
            "scale": scale,
        })
    }

    fn status(&self) -> Value {
        let (counts, gates) = (self.runs.counts(), self.parts.engine.gates());
        json!({
            "process": std::process::id(),
            "since": crate::output::time(self.since),
            "store": self.parts.config.store.path,
            "state": if self.deadline.is_some() { "draining" } else { "serving" },
            "runs": { "active": counts.active, "idle": counts.idle, "parked": counts.parked, "queued": counts.queued },
            "ended": self.ended,
            "failed": self.failed,
            "cluster": self.parts.config.cluster().map(|cluster| self.cluster(cluster)),
            "held_back": held_back(&gates),
            "breakers": breakers(&gates),
        })
    }
}

/// What held attempts back, the longest first.
fn held_back(gates: &GateReport) -> Value {
    let told = |(what, times, time): &(String, u64, Duration)| json!({ "what": what, "times": times, "ms": milliseconds(*time) });
    gates.held_back.iter().map(told).collect()
}

fn breakers(gates: &GateReport) -> Value {
    let told = |breaker: &BreakerState| json!({ "of": breaker.name, "failures": breaker.failures, "open_ms": breaker.open_for.map(milliseconds) });
    gates.breakers.iter().map(told).collect()
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whether a paused run goes on with the next service.
pub(super) fn goes_on(paused: Option<&str>) -> bool {
    matches!(paused, Some(DRAINED | MIGRATING))
}

/// Sleeps for so long, or for ever.
async fn sleep(duration: Option<Duration>) {
    match duration {
        Some(duration) => tokio::time::sleep(duration).await,
        None => std::future::pending().await,
    }
}
