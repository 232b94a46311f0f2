//! Places for attempts, shared by all runs: of the process, and of each class.
//!
//! Who comes first goes first, and priority and rank are worth time: a point of priority as much as [`POINT`] of waiting,
//! each step that follows as much as [`STEP`]. All wait at the same pace, so two that wait never change their order, and
//! nobody waits for ever: whoever comes late enough comes after.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use catalog::Name;
use lang::plan::Class;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::EngineConfig;

/// What a point of priority is worth.
const POINT: Duration = Duration::from_secs(10);

/// What a step that follows on the longest way to the end of the run is worth.
const STEP: Duration = Duration::from_millis(100);

/// Further steps are worth nothing.
const MOST_STEPS: u32 = 100;

/// So many of those who have a place are named.
const MOST_NAMED: usize = 3;

/// The places.
pub(super) struct Places {
    process: Arc<Pool>,
    configured: BTreeMap<Name, Arc<Pool>>,
    /// Of classes that only flows declare, by name and number: two flows may declare the same name differently.
    declared: Mutex<BTreeMap<(Name, u32), Arc<Pool>>>,
    began: OnceLock<Instant>,
}

/// Places of one kind.
struct Pool {
    /// What it is called for people.
    name: String,
    places: u32,
    state: Mutex<PoolState>,
}

#[derive(Default)]
struct PoolState {
    /// Who has a place, by a number.
    held: BTreeMap<u64, Arc<str>>,
    asked: u64,
    waiting: BTreeMap<(i64, u64), (oneshot::Sender<Held>, Arc<str>)>,
}

/// A place of a pool, with its number there; gives itself back.
struct Held(Arc<Pool>, u64);

/// Held while an attempt runs.
pub(super) struct Place {
    _process: Held,
    _class: Vec<Held>,
}

/// Who asks for places.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) priority: i32,
    /// So many steps follow it.
    pub(super) rank: u32,
    /// The run and the path.
    pub(super) key: Arc<str>,
}

/// What an attempt waits for by now; nothing when it runs.
#[derive(Clone, Default)]
pub(super) struct Stage(Arc<Mutex<Option<Arc<Pool>>>>);

impl Stage {
    fn set(&self, pool: Option<Arc<Pool>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = pool;
    }

    /// What it waits for, for people.
    pub(super) fn waits_for(&self) -> Option<String> {
        let pool = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        pool.map(|pool| pool.describe())
    }
}

/// Where an attempt has to wait for a place. It waits in the first line already.
pub(super) struct Queues {
    first: oneshot::Receiver<Held>,
    rest: Vec<Arc<Pool>>,
    turn: i64,
    asker: Asker,
    stage: Stage,
}

impl Pool {
    fn new(name: String, places: u32) -> Arc<Self> {
        Arc::new(Self { name, places: places.max(1), state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, PoolState> {
        // Its numbers are never left half changed, so a panic elsewhere does not harm it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(self: &Arc<Self>, turn: i64, who: &Arc<str>) -> oneshot::Receiver<Held> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.lock();
        let number = state.asked;
        state.asked += 1;
        if state.held.len() < self.places as usize {
            state.held.insert(number, Arc::clone(who));
            drop(state);
            // Nobody has the receiver yet, so it takes the place.
            drop(sender.send(Held(Arc::clone(self), number)));
        } else {
            state.waiting.insert((turn, number), (sender, Arc::clone(who)));
        }
        receiver
    }

    /// For people: who has its places.
    fn describe(&self) -> String {
        let state = self.lock();
        let names: Vec<String> = state.held.values().take(MOST_NAMED).map(|who| format!("`{who}`")).collect();
        let more = state.held.len().saturating_sub(MOST_NAMED);
        let others = if more > 0 { format!(" and {more} more") } else { String::new() };
        match self.places {
            1 => format!("waits for the only place of {}, which {} has", self.name, names.join(", ")),
            places => format!("waits for one of the {places} places of {}, which {}{others} have", self.name, names.join(", ")),
        }
    }
}

impl Drop for Held {
    /// The place goes to the first who still waits.
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.held.remove(&self.1);
        while let Some(((_, number), (sender, who))) = state.waiting.pop_first() {
            if !sender.is_closed() {
                state.held.insert(number, who);
                drop(state);
                // One who goes away in this moment drops what it was sent, which brings the place back here.
                drop(sender.send(Self(Arc::clone(&self.0), number)));
                return;
            }
        }
    }
}

impl Places {
    pub(super) fn new(config: &EngineConfig) -> Self {
        let pool = |name: &Name, places| Pool::new(format!("class `{name}`"), places);
        let configured = config.classes.iter().filter_map(|(name, class)| Some((Arc::clone(name), pool(name, class.parallel?))));
        Self {
            process: Pool::new("this process".to_owned(), config.parallel),
            configured: configured.collect(),
            declared: Mutex::default(),
            began: OnceLock::new(),
        }
    }

    /// Asks for the places of an attempt of this class, as the plan and the configuration know it.
    pub(super) fn queues(&self, class: Option<&Name>, declared: &[Class], asker: Asker) -> Queues {
        let now = self.began.get_or_init(Instant::now).elapsed();
        self.queues_at(now, class, declared, asker)
    }

    fn queues_at(&self, now: Duration, class: Option<&Name>, declared: &[Class], asker: Asker) -> Queues {
        let mut all = Vec::new();
        if let Some(name) = class {
            all.extend(self.configured.get(name).cloned());
            let parallel = declared.iter().find(|class| class.name == *name).and_then(|class| class.parallel);
            if let Some(parallel) = parallel {
                let mut known = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
                let pool = || Pool::new(format!("class `{name}`"), parallel);
                all.push(Arc::clone(known.entry((Arc::clone(name), parallel)).or_insert_with(pool)));
            }
        }
        all.push(Arc::clone(&self.process));
        let turn = turn(now, &asker);
        let mut all = all.into_iter();
        let pool = all.next().unwrap_or_else(|| Arc::clone(&self.process));
        let (first, stage) = (pool.ask(turn, &asker.key), Stage::default());
        stage.set(Some(pool));
        Queues { first, rest: all.collect(), turn, asker, stage }
    }
}

/// When it is the turn of one who asks now, in milliseconds: who has more of them waits longer.
fn turn(now: Duration, asker: &Asker) -> i64 {
    let milliseconds = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let worth = i64::from(asker.priority).saturating_mul(milliseconds(POINT));
    let steps = i64::from(asker.rank.min(MOST_STEPS)).saturating_mul(milliseconds(STEP));
    milliseconds(now).saturating_sub(worth).saturating_sub(steps)
}

impl Queues {
    /// Tells what the attempt waits for.
    pub(super) fn stage(&self) -> Stage {
        self.stage.clone()
    }

    /// Waits for a place of each kind, that of the process last. None when the engine is being dropped.
    pub(super) async fn wait(self) -> Option<Place> {
        let mut held = vec![self.first.await.ok()?];
        for pool in self.rest {
            let receiver = pool.ask(self.turn, &self.asker.key);
            self.stage.set(Some(pool));
            held.push(receiver.await.ok()?);
        }
        self.stage.set(None);
        Some(Place { _process: held.pop()?, _class: held })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Asker, Places, Queues};
    use crate::shell::EngineConfig;

    fn places() -> Places {
        Places::new(&EngineConfig { parallel: 1, ..EngineConfig::default() })
    }

    fn asker(key: &str, priority: i32, rank: u32) -> Asker {
        Asker { priority, rank, key: key.into() }
    }

    async fn waits(queues: &mut Queues) -> bool {
        tokio::task::yield_now().await;
        queues.first.try_recv().is_err()
    }

    /// The order in which those who wait get the only place.
    async fn order(places: &Places, running: Queues, mut waiting: Vec<Queues>) -> Vec<String> {
        let mut place = running.wait().await.unwrap();
        let mut order = Vec::new();
        while !waiting.is_empty() {
            drop(place);
            let who = places.process.lock().held.values().next().unwrap().to_string();
            let next = waiting.iter().position(|queues| *queues.asker.key == *who).unwrap();
            place = waiting.remove(next).wait().await.unwrap();
            order.push(who);
        }
        order
    }

    #[tokio::test]
    async fn the_highest_priority_gets_a_place_first_and_who_goes_away_loses_none() {
        let places = places();
        let ask = |priority| places.queues(None, &[], asker("a", priority, 0));
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

    #[tokio::test]
    async fn among_equals_the_longest_way_goes_first() {
        let places = places();
        let ask = |key, priority, rank| places.queues_at(Duration::ZERO, None, &[], asker(key, priority, rank));
        let running = ask("running", 0, 0);
        let waiting = vec![ask("short", 0, 1), ask("long", 0, 7), ask("urgent", 1, 0), ask("also long", 0, 7)];
        assert_eq!(order(&places, running, waiting).await, ["urgent", "long", "also long", "short"]);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever() {
        let places = places();
        let ask = |second, priority| {
            let key = format!("{priority} after {second}");
            places.queues_at(Duration::from_secs(second), None, &[], asker(&key, priority, 0))
        };
        let running = ask(0, 9);
        let waiting = vec![ask(0, 0), ask(5, 2), ask(15, 2), ask(25, 2)];
        let found = order(&places, running, waiting).await;
        assert_eq!(found, ["2 after 5", "2 after 15", "0 after 0", "2 after 25"]);
    }

    #[tokio::test]
    async fn who_waits_is_told_who_has_the_places() {
        let places = places();
        let running = places.queues(None, &[], asker("r/main/a", 0, 0));
        let stage = running.stage();
        let place = running.wait().await.unwrap();
        assert_eq!(stage.waits_for(), None);
        let waiting = places.queues(None, &[], asker("r/main/b", 0, 0));
        let told = "waits for the only place of this process, which `r/main/a` has";
        assert_eq!(waiting.stage().waits_for().as_deref(), Some(told));
        drop(place);
    }
}
