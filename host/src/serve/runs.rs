//! Where each run of the service is: in memory, parked until something comes, or waiting for a place in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use engine::event::{RunId, Timestamp};
use tokio::sync::mpsc;

use super::driver::Ask;

/// The runs of the service.
#[derive(Default)]
pub(super) struct Runs {
    active: BTreeMap<RunId, Active>,
    parked: BTreeMap<RunId, Option<Timestamp>>,
    due: BTreeSet<(Timestamp, RunId)>,
    queue: VecDeque<RunId>,
    queued: BTreeSet<RunId>,
    /// Runs in memory that wait, by since when.
    idle: BTreeMap<u64, RunId>,
    clock: u64,
}

/// A run in memory.
struct Active {
    asks: mpsc::UnboundedSender<Ask>,
    /// Its key in `idle`.
    idle: Option<u64>,
    /// Mail came while it was in memory.
    mail: bool,
    /// It was asked to leave memory.
    leaving: bool,
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) active: usize,
    pub(super) idle: usize,
    pub(super) parked: usize,
    pub(super) queued: usize,
}

impl Runs {
    pub(super) fn counts(&self) -> Counts {
        let Self { active, idle, parked, queue, .. } = self;
        Counts { active: active.len(), idle: idle.len(), parked: parked.len(), queued: queue.len() }
    }

    /// Whether the service has it.
    pub(super) fn has(&self, run: &RunId) -> bool {
        self.active.contains_key(run) || self.parked.contains_key(run) || self.queued.contains(run)
    }

    /// Whether it waits for something outside of memory.
    pub(super) fn is_parked(&self, run: &RunId) -> bool {
        self.parked.contains_key(run)
    }

    /// A run comes into memory. Gives what it is asked through.
    pub(super) fn enter(&mut self, run: RunId) -> mpsc::UnboundedReceiver<Ask> {
        let (asks, receiver) = mpsc::unbounded_channel();
        self.take_out(&run);
        self.active.insert(run, Active { asks, idle: None, mail: false, leaving: false });
        receiver
    }

    /// A run leaves memory. Gives whether mail came that it may not have seen.
    pub(super) fn leave(&mut self, run: &RunId) -> bool {
        let Some(active) = self.active.remove(run) else { return false };
        if let Some(since) = active.idle {
            self.idle.remove(&since);
        }
        active.mail
    }

    /// A run waits for something outside of memory, at most until this time.
    pub(super) fn park(&mut self, run: RunId, until: Option<Timestamp>) {
        if let Some(until) = until {
            self.due.insert((until, run.clone()));
        }
        self.parked.insert(run, until);
    }

    /// A run waits for a place in memory.
    pub(super) fn enqueue(&mut self, run: RunId) {
        self.take_out(&run);
        if !self.active.contains_key(&run) && self.queued.insert(run.clone()) {
            self.queue.push_back(run);
        }
    }

    fn take_out(&mut self, run: &RunId) {
        if let Some(Some(until)) = self.parked.remove(run) {
            self.due.remove(&(until, run.clone()));
        }
    }

    /// The next run that wants a place.
    pub(super) fn next(&mut self) -> Option<RunId> {
        let run = self.queue.pop_front()?;
        self.queued.remove(&run);
        Some(run)
    }

    pub(super) fn wants_place(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Notes whether a run in memory waits.
    pub(super) fn note_idle(&mut self, run: &RunId, idle: bool) {
        self.clock += 1;
        let Some(active) = self.active.get_mut(run) else { return };
        if let Some(since) = active.idle.take() {
            self.idle.remove(&since);
        }
        if idle && !active.leaving {
            active.idle = Some(self.clock);
            self.idle.insert(self.clock, run.clone());
        }
    }

    /// Asks the run that has waited longest to leave memory. Gives whether there was one.
    pub(super) fn make_room(&mut self) -> bool {
        let Some((_, run)) = self.idle.pop_first() else { return false };
        if let Some(active) = self.active.get_mut(&run) {
            active.idle = None;
            active.leaving = true;
            drop(active.asks.send(Ask::Park));
        }
        true
    }

    /// Runs in memory that were asked to leave and have not yet.
    pub(super) fn leaving(&self) -> usize {
        self.active.values().filter(|active| active.leaving).count()
    }

    /// Notes mail for a run in memory. Gives whether it is there.
    pub(super) fn note_mail(&mut self, run: &RunId) -> bool {
        let active = self.active.get_mut(run);
        active.map(|active| active.mail = true).is_some()
    }

    /// Asks something of a run in memory. Gives whether it is there.
    pub(super) fn ask(&self, run: &RunId, ask: Ask) -> bool {
        self.active.get(run).is_some_and(|active| active.asks.send(ask).is_ok())
    }

    pub(super) fn drain(&self) {
        for active in self.active.values() {
            drop(active.asks.send(Ask::Drain));
        }
    }

    /// When the first parked run is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(at, _)| *at)
    }

    /// A parked run whose time has come.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Option<RunId> {
        let (at, run) = self.due.first().cloned()?;
        if at > now {
            return None;
        }
        self.due.remove(&(at, run.clone()));
        self.parked.remove(&run);
        Some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Runs};
    use crate::serve::driver::Ask;
    use engine::event::{RunId, Timestamp};

    fn run(name: &str) -> RunId {
        RunId(name.into())
    }

    #[test]
    fn a_run_is_in_one_place() {
        let mut runs = Runs::default();
        runs.enqueue(run("a"));
        runs.enqueue(run("a"));
        runs.park(run("b"), Some(Timestamp(5)));
        assert_eq!(runs.counts(), Counts { active: 0, idle: 0, parked: 1, queued: 1 });
        runs.enqueue(run("b"));
        assert_eq!((runs.next_due(), runs.counts().parked), (None, 0));
        assert_eq!((runs.next(), runs.next(), runs.next()), (Some(run("a")), Some(run("b")), None));
        let _asks = runs.enter(run("a"));
        runs.enqueue(run("a"));
        assert!(!runs.wants_place() && runs.has(&run("a")) && !runs.has(&run("c")));
    }

    #[test]
    fn the_run_that_waits_longest_leaves_first_and_once() {
        let mut runs = Runs::default();
        let mut asks: Vec<_> = ["a", "b", "c"].map(|name| runs.enter(run(name))).into();
        for name in ["b", "a", "c"] {
            runs.note_idle(&run(name), true);
        }
        runs.note_idle(&run("b"), false);
        assert!(runs.make_room());
        assert!(matches!(asks[0].try_recv(), Ok(Ask::Park)));
        assert!(asks[1].try_recv().is_err());
        runs.note_idle(&run("a"), true);
        assert!(runs.make_room() && !runs.make_room());
        assert_eq!(runs.leaving(), 2);
    }

    #[test]
    fn mail_is_remembered_for_the_time_after_memory() {
        let mut runs = Runs::default();
        let _asks = runs.enter(run("a"));
        assert!(runs.note_mail(&run("a")) && !runs.note_mail(&run("b")));
        assert!(runs.leave(&run("a")) && !runs.leave(&run("a")));
    }

    #[test]
    fn parked_runs_come_back_in_the_order_of_their_times() {
        let mut runs = Runs::default();
        for (name, at) in [("a", Some(9)), ("b", Some(3)), ("c", None)] {
            runs.park(run(name), at.map(Timestamp));
        }
        assert_eq!(runs.next_due(), Some(Timestamp(3)));
        assert_eq!(runs.take_due(Timestamp(2)), None);
        assert_eq!(runs.take_due(Timestamp(20)), Some(run("b")));
        assert_eq!(runs.take_due(Timestamp(20)), Some(run("a")));
        assert_eq!((runs.take_due(Timestamp(20)), runs.counts().parked), (None, 1));
    }
}
