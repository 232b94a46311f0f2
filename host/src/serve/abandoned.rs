//! Takes over the runs of hosts that are gone, and logs what becomes of the cluster meanwhile. Each run has a line of hosts that may;
//! this one waits for its turn in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::event::RunId;
use journal::{OpenRun, RunStatus};

use super::Parts;
use super::service::{Event, goes_on};
use crate::cluster::{Cluster, failover};
use crate::exit::Problem;

/// How often it is looked whether a run's turn has come, or a host came or went.
const LOOK: Duration = Duration::from_millis(200);

/// How often all open runs are looked at whatever happens.
const SCAN: Duration = Duration::from_secs(5);

/// Watches until the service stops; without a cluster there is nothing to watch.
pub(super) async fn watch(parts: Arc<Parts>) {
    let Some(cluster) = parts.config.cluster().cloned() else { return parts.stopped().await };
    let mut changes = cluster.presence.changes();
    let mut watcher = Watcher { parts: Arc::clone(&parts), cluster, due: BTreeMap::new(), is_connected: true, is_failing: false };
    let (mut scanned, mut counted) = (None::<Instant>, Instant::now());
    loop {
        watcher.log_state();
        let changed = changes.has_changed().unwrap_or(false);
        if changed || scanned.is_none_or(|at| at.elapsed() >= SCAN) {
            changes.mark_unchanged();
            scanned = Some(Instant::now());
            watcher.look();
        }
        watcher.take_due();
        if counted.elapsed() >= SCAN {
            counted = Instant::now();
            watcher.tell_own();
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = parts.stopped() => return,
        }
    }
}

struct Watcher {
    parts: Arc<Parts>,
    cluster: Arc<Cluster>,
    /// When this host is to take over which run from whom.
    due: BTreeMap<RunId, (Instant, String)>,
    /// As it was logged last.
    is_connected: bool,
    /// Whether the runs could not be read the last time.
    is_failing: bool,
}

impl Watcher {
    /// Logs what has changed about the cluster.
    fn log_state(&mut self) {
        if self.cluster.connection.is_connected() != self.is_connected {
            self.is_connected = !self.is_connected;
            let what = if self.is_connected { "nats-connected" } else { "nats-lost" };
            self.parts.log.note(what, &[("namespace", &self.cluster.namespace)]);
        }
        for line in self.cluster.troubles.take() {
            self.parts.log.problem("replica-failed", &[("why", &line)]);
        }
    }

    /// Looks at all open runs. That they cannot be read is logged once until they can.
    fn look(&mut self) {
        let scan = self.scan();
        if let Err(problem) = &scan
            && !self.is_failing
        {
            self.parts.log.problem("runs-unreadable", &[("why", &problem.message)]);
        }
        self.is_failing = scan.is_err();
    }

    /// Finds the runs whose owners are gone.
    fn scan(&mut self) -> Result<(), Problem> {
        let abandoned: Vec<OpenRun> =
            self.parts.reader.open_runs()?.into_iter().filter(|run| !run.has_parent && self.is_gone(&run.owner)).collect();
        let (moving, paused): (Vec<OpenRun>, Vec<OpenRun>) =
            abandoned.into_iter().partition(|run| run.status != RunStatus::Paused || goes_on(run.reason.as_deref()));
        let others = self.cluster.others();
        self.due.retain(|id, _| moving.iter().any(|run| run.id == *id));
        for run in moving {
            let delay = failover::delay(failover::place(&run.id.0, &self.parts.owner, &others));
            let due = (Instant::now() + delay, run.owner.to_string());
            self.due.entry(run.id).or_insert(due);
        }
        if !paused.is_empty() {
            self.wake(&paused)?;
        }
        Ok(())
    }

    /// Tells the service which runs it should have: those that go on and have this host as their owner.
    fn tell_own(&self) {
        // Where the store cannot be read, the scan says so.
        let open = self.parts.reader.open_runs().unwrap_or_default();
        let own = open.into_iter().filter(|run| !run.has_parent && *run.owner == *self.parts.owner);
        let moving = own.filter(|run| run.status != RunStatus::Paused || goes_on(run.reason.as_deref()));
        self.parts.tell(Event::Own(moving.map(|run| run.id).collect()));
    }

    /// A paused run only needs somebody when it has mail, which whoever was to look at it may not have done.
    fn wake(&self, paused: &[OpenRun]) -> Result<(), Problem> {
        let (_, mail) = self.parts.journal.new_mail(0)?;
        let mail: BTreeSet<RunId> = mail.into_iter().collect();
        let with_mail: Vec<RunId> = paused.iter().map(|run| run.id.clone()).filter(|id| mail.contains(id)).collect();
        if !with_mail.is_empty() {
            self.parts.tell(Event::Mail(with_mail));
        }
        Ok(())
    }

    fn take_due(&mut self) {
        let now = Instant::now();
        let due: Vec<RunId> = self.due.iter().filter(|(_, (at, _))| *at <= now).map(|(id, _)| id.clone()).collect();
        for id in due {
            let Some((_, owner)) = self.due.remove(&id) else { continue };
            if self.is_gone(&owner) {
                self.parts.log.note("taking-over", &[("run", &id.0), ("from", &owner)]);
                self.parts.tell(Event::Abandoned(id));
            }
        }
    }

    fn is_gone(&self, owner: &str) -> bool {
        *owner != *self.parts.owner && !self.cluster.presence.has(owner)
    }
}
