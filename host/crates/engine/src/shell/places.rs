//! Places for attempts, shared by all runs: of the process, and of each class. They are given by priority, then in the
//! order of asking.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catalog::Name;
use lang::plan::Class;
use tokio::sync::oneshot;

use super::EngineConfig;

/// The places.
pub(super) struct Places {
    process: Arc<Pool>,
    configured: BTreeMap<Name, Arc<Pool>>,
    /// Of classes that only flows declare, by name and number: two flows may declare the same name differently.
    declared: Mutex<BTreeMap<(Name, u32), Arc<Pool>>>,
}

/// Places of one kind.
struct Pool {
    state: Mutex<PoolState>,
}

struct PoolState {
    free: u32,
    asked: u64,
    waiting: BTreeMap<(Reverse<i32>, u64), oneshot::Sender<Held>>,
}

/// A place of a pool; gives itself back.
struct Held(Arc<Pool>);

/// Held while an attempt runs.
pub(super) struct Place {
    _process: Held,
    _class: Vec<Held>,
}

/// Where an attempt has to wait for a place. It waits in the first line already.
pub(super) struct Queues {
    first: oneshot::Receiver<Held>,
    rest: Vec<Arc<Pool>>,
    priority: i32,
}

impl Pool {
    fn new(places: u32) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(PoolState { free: places.max(1), asked: 0, waiting: BTreeMap::new() }) })
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        // Its numbers are never left half changed, so a panic elsewhere does not harm it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(self: &Arc<Self>, priority: i32) -> oneshot::Receiver<Held> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        if state.free > 0 {
            state.free -= 1;
            drop(state);
            // Nobody has the receiver yet, so it takes the place.
            drop(sender.send(Held(Arc::clone(self))));
        } else {
            let number = state.asked;
            state.asked += 1;
            state.waiting.insert((Reverse(priority), number), sender);
        }
        receiver
    }
}

impl Drop for Held {
    /// The place goes to the first who still waits.
    fn drop(&mut self) {
        let mut state = self.0.lock();
        while let Some((_, sender)) = state.waiting.pop_first() {
            if !sender.is_closed() {
                drop(state);
                // One who goes away in this moment drops what it was sent, which brings the place back here.
                drop(sender.send(Self(Arc::clone(&self.0))));
                return;
            }
        }
        state.free += 1;
    }
}

impl Places {
    pub(super) fn new(config: &EngineConfig) -> Self {
        let configured = config.classes.iter().filter_map(|(name, class)| Some((Arc::clone(name), Pool::new(class.parallel?))));
        Self { process: Pool::new(config.parallel), configured: configured.collect(), declared: Mutex::default() }
    }

    /// Asks for the places of an attempt of this class, as the plan and the configuration know it.
    pub(super) fn queues(&self, class: Option<&Name>, declared: &[Class], priority: i32) -> Queues {
        let mut all = Vec::new();
        if let Some(name) = class {
            all.extend(self.configured.get(name).cloned());
            let parallel = declared.iter().find(|class| class.name == *name).and_then(|class| class.parallel);
            if let Some(parallel) = parallel {
                let mut known = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
                all.push(Arc::clone(known.entry((Arc::clone(name), parallel)).or_insert_with(|| Pool::new(parallel))));
            }
        }
        all.push(Arc::clone(&self.process));
        let mut all = all.into_iter();
        let first = all.next().map_or_else(|| self.process.ask(priority), |first| first.ask(priority));
        Queues { first, rest: all.collect(), priority }
    }
}

impl Queues {
    /// Waits for a place of each kind, that of the process last. None when the engine is being dropped.
    pub(super) async fn wait(self) -> Option<Place> {
        let mut held = vec![self.first.await.ok()?];
        for pool in self.rest {
            held.push(pool.ask(self.priority).await.ok()?);
        }
        Some(Place { _process: held.pop()?, _class: held })
    }
}

#[cfg(test)]
mod tests {
    use super::{Places, Queues};
    use crate::shell::EngineConfig;

    async fn waits(queues: &mut Queues) -> bool {
        tokio::task::yield_now().await;
        queues.first.try_recv().is_err()
    }

    #[tokio::test]
    async fn the_highest_priority_gets_a_place_first_and_who_goes_away_loses_none() {
        let places = Places::new(&EngineConfig { parallel: 1, ..EngineConfig::default() });
        let ask = |priority| places.queues(None, &[], priority);
        let running = ask(0).wait().await.unwrap();
        let (mut low, mut high, mut same) = (ask(0), ask(5), ask(5));
        let gone = ask(9);
        drop(gone);
        assert!(waits(&mut high).await);
        drop(running);
        let high = high.wait().await.unwrap();
        assert!(waits(&mut same).await && waits(&mut low).await);
        drop(high);
        drop(same.wait().await.unwrap());
        drop(low.wait().await.unwrap());
    }
}
