//! What an owner knows of the tasks that it offered. The one place where it is decided who may run one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catalog::Type;
use engine::ports::{Begun, Clock, Fate, SystemClock};
use tokio::sync::oneshot;

use crate::nats::assets::untoken;

/// An owner's tasks.
#[derive(Default)]
pub(super) struct Table {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    tasks: BTreeMap<u64, Entry>,
}

struct Entry {
    phase: Phase,
    repeatable: bool,
    output: Arc<Type>,
    bytes_in: u64,
    begun: Begun,
    fate: oneshot::Sender<Fate>,
}

enum Phase {
    /// Nobody has begun it.
    Offered,
    /// It is not for others any more.
    Taken,
    /// A worker runs it.
    Begun {
        claim: String,
        worker: String,
        /// So many beats did not come.
        missed: u32,
        /// Nobody wants its outcome any more.
        stops: bool,
    },
}

/// A worker that is to stop.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stop {
    pub(super) worker: String,
    pub(super) task: u64,
}

impl Table {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new task that nobody has begun, with where its fate will come.
    pub(super) fn offer(&self, repeatable: bool, output: Type, bytes_in: u64, begun: Begun) -> (u64, oneshot::Receiver<Fate>) {
        let (fate, receiver) = oneshot::channel();
        let mut state = self.state();
        state.next += 1;
        let id = state.next;
        let (phase, output) = (Phase::Offered, Arc::new(output));
        state.tasks.insert(id, Entry { phase, repeatable, output, bytes_in, begun, fate });
        (id, receiver)
    }

    /// Whether a worker may begin a task: the first one that asks.
    pub(super) fn claim(&self, id: u64, by: &str, at: &str) -> bool {
        let mut state = self.state();
        let Some(entry) = state.tasks.get_mut(&id) else { return false };
        match &entry.phase {
            // It did not hear the answer.
            Phase::Begun { claim, .. } => claim == by,
            Phase::Taken => false,
            Phase::Offered => {
                // A host is heard under its name.
                entry.begun.tell(&untoken(at).unwrap_or_else(|| at.to_owned()), SystemClock.now());
                entry.phase = Phase::Begun { claim: by.to_owned(), worker: at.to_owned(), missed: 0, stops: false };
                true
            }
        }
    }

    /// Whether a worker is to go on; it has shown that it is there.
    pub(super) fn beat(&self, id: u64, by: &str) -> bool {
        match self.state().tasks.get_mut(&id).map(|entry| &mut entry.phase) {
            Some(Phase::Begun { claim, missed, stops, .. }) if claim == by => {
                *missed = 0;
                !*stops
            }
            _ => false,
        }
    }

    /// The type of what a task gives and the size of its arguments, if this worker runs it.
    pub(super) fn awaits(&self, id: u64, by: &str) -> Option<(Arc<Type>, u64)> {
        let state = self.state();
        let entry = state.tasks.get(&id)?;
        let is_his = matches!(&entry.phase, Phase::Begun { claim, .. } if claim == by);
        is_his.then(|| (Arc::clone(&entry.output), entry.bytes_in))
    }

    /// What came of a task. False when nobody waits for that from this worker.
    pub(super) fn end(&self, id: u64, by: &str, fate: Fate) -> bool {
        if self.awaits(id, by).is_none() {
            return false;
        }
        self.give(id, fate)
    }

    /// What becomes of a task, whoever has it.
    pub(super) fn give(&self, id: u64, fate: Fate) -> bool {
        // Whoever does not wait any more has taken it out.
        self.state().tasks.remove(&id).is_some_and(|entry| entry.fate.send(fate).is_ok())
    }

    /// Nobody can run it who was asked.
    pub(super) fn refuse(&self, id: u64, why: &str) {
        if self.take_back(id) {
            self.give(id, Fate::Refused(why.into()));
        }
    }

    /// Whether nobody has begun it, and so nobody will.
    pub(super) fn take_back(&self, id: u64) -> bool {
        let mut state = self.state();
        let free = state.tasks.get(&id).is_some_and(|entry| matches!(entry.phase, Phase::Offered));
        if let Some(entry) = state.tasks.get_mut(&id).filter(|_| free) {
            entry.phase = Phase::Taken;
        }
        free
    }

    /// Nobody wants its outcome any more, but to know when it runs no more. None when no worker runs it.
    pub(super) fn stop(&self, id: u64) -> Option<Stop> {
        match &mut self.state().tasks.get_mut(&id)?.phase {
            Phase::Begun { worker, stops, .. } => {
                *stops = true;
                Some(Stop { worker: worker.clone(), task: id })
            }
            Phase::Offered | Phase::Taken => None,
        }
    }

    /// Nobody waits for it any more.
    pub(super) fn forget(&self, id: u64) -> Option<Stop> {
        match self.state().tasks.remove(&id)?.phase {
            Phase::Begun { worker, .. } => Some(Stop { worker, task: id }),
            Phase::Offered | Phase::Taken => None,
        }
    }

    /// Another beat should have come from each worker. Those that did not show themselves so often are lost with their tasks.
    pub(super) fn miss(&self, most: u32) -> Vec<Stop> {
        let mut state = self.state();
        let mut lost = Vec::new();
        for (id, entry) in &mut state.tasks {
            if let Phase::Begun { worker, missed, .. } = &mut entry.phase {
                *missed += 1;
                if *missed > most {
                    lost.push(Stop { worker: worker.clone(), task: *id });
                }
            }
        }
        for Stop { task, .. } in &lost {
            if let Some(entry) = state.tasks.remove(task) {
                // Whoever does not wait any more does not need to know.
                drop(entry.fate.send(if entry.repeatable { Fate::Lost } else { Fate::Unknown }));
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use catalog::Type;
    use engine::ports::{Begun, Fate};

    use super::{Stop, Table};

    #[test]
    fn one_worker_begins_a_task_and_whoever_is_lost_does_not_end_it() {
        let table = Table::default();
        let (id, mut fate) = table.offer(false, Type::Unit, 0, Begun::default());
        assert!(!table.beat(id, "a") && table.awaits(id, "a").is_none());
        assert!(table.claim(id, "a", "w") && table.claim(id, "a", "w") && !table.claim(id, "b", "w"));
        assert!(!table.take_back(id), "it has begun");
        assert!(table.miss(1).is_empty() && table.beat(id, "a") && table.miss(1).is_empty());
        assert_eq!(table.miss(1), [Stop { worker: "w".to_owned(), task: id }]);
        assert!(matches!(fate.try_recv(), Ok(Fate::Unknown)));
        assert!(!table.end(id, "a", Fate::Lost) && !table.claim(id, "b", "w"), "it comes too late");
        let (id, mut fate) = table.offer(true, Type::Unit, 0, Begun::default());
        assert!(table.claim(id, "a", "w") && !table.miss(0).is_empty());
        assert!(matches!(fate.try_recv(), Ok(Fate::Lost)), "it may run again");
    }

    #[test]
    fn one_that_stops_is_waited_for() {
        let table = Table::default();
        let (id, mut fate) = table.offer(false, Type::Unit, 0, Begun::default());
        assert!(table.stop(id).is_none() && table.claim(id, "a", "w"));
        assert_eq!(table.stop(id), Some(Stop { worker: "w".to_owned(), task: id }));
        assert!(!table.beat(id, "a") && fate.try_recv().is_err(), "it hears that it is to stop, and has not yet");
        assert!(table.end(id, "a", Fate::Unknown) && fate.try_recv().is_ok());
    }

    #[test]
    fn what_is_taken_back_is_not_begun_elsewhere() {
        let table = Table::default();
        let (id, mut fate) = table.offer(true, Type::Unit, 0, Begun::default());
        assert!(table.take_back(id) && !table.claim(id, "a", "w") && !table.claim(id, "", ""));
        assert!(table.miss(0).is_empty() && table.forget(id).is_none() && table.forget(id).is_none());
        assert!(fate.try_recv().is_err());
        let (id, mut fate) = table.offer(true, Type::Unit, 0, Begun::default());
        table.refuse(id, "nobody can");
        assert!(matches!(fate.try_recv(), Ok(Fate::Refused(why)) if &*why == "nobody can"));
        let (id, _fate) = table.offer(true, Type::Unit, 0, Begun::default());
        assert!(table.claim(id, "a", "w"));
        table.refuse(id, "too late");
        assert_eq!(table.forget(id), Some(Stop { worker: "w".to_owned(), task: id }));
    }
}
