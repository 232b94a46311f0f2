//! What attempts of all runs of the process have to pass before they are invoked.
//!
//! The core has keys, rates and breakers of its own: they act within a run, follow from its events, and are the same in a
//! replay. Those here act between the runs of a process. Nothing of them may reach a replay, so they only delay an attempt
//! that the core wants, or let it fail, which is then an event like any other.
//!
//! # Steps
//!
//! 1. The key: one attempt at a time has it (`pool`).
//! 2. The rate: the attempt waits for its turn (`pace`).
//! 3. The breakers of function, plugin and destinations: an open one lets it fail (`fuse`).
//! 4. The places of its class, or of the class that stands in where the line is as long as it may be, and of the process
//!    (`places`).
//! 5. Its share of the host's memory and cpu.
//!
//! While an attempt waits for one of them it has only some that come before, and an attempt that has all of them waits for
//! nobody: so there is no circle.
//!
//! Who comes first goes first, and priority and rank are worth time: a point of priority as much as [`POINT`] of waiting,
//! each step that follows as much as [`STEP`]. All wait at the same pace, so two that wait never change their order, and
//! nobody waits for ever: whoever comes late enough comes after.

mod away;
mod fit;
mod fuse;
mod line;
mod pace;
mod places;
mod pool;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use catalog::Name;
use lang::plan::{Breaker, Plan, Rate};
use tokio::time::Instant;

use super::config::{Breakers, EngineConfig};
use crate::core::{Shared, StartAttempt, Wishes};
use crate::ports::{self, Callable, GrantedCapability};
use fuse::{Fuse, Protected};
use line::{Asks, First};
use pace::Pace;
use places::Places;
use pool::{Kind, Pool, Units};

pub(super) use away::{Terms, Went};
pub use fuse::BreakerState;
pub(super) use line::{Line, Permit, Stage};
pub(super) use places::Loan;
pub(super) use pool::Held;

/// What a point of priority is worth.
const POINT: Duration = Duration::from_secs(10);

/// What a step that follows on the longest way to the end of the run is worth.
const STEP: Duration = Duration::from_millis(100);

/// Further steps are worth nothing.
const MOST_STEPS: u32 = 100;

/// So many keys, rates and breakers are kept before those are dropped that nobody uses.
const MOST_KEPT: usize = 1024;

/// So many of those things that held attempts back are told.
const MOST_TOLD: usize = 10;

/// The gates of a process.
pub(super) struct Gates {
    places: Places,
    keys: Mutex<BTreeMap<Arc<str>, Arc<Pool>>>,
    paces: Mutex<BTreeMap<(String, Rate), Arc<Pace>>>,
    fuses: Mutex<BTreeMap<(String, Breaker), Arc<Fuse>>>,
    /// Of other hosts.
    away: Mutex<BTreeMap<ports::Kind, Arc<Pool>>>,
    breakers: Breakers,
    began: OnceLock<Instant>,
    /// How often and how long attempts waited, by what for.
    waited: Mutex<BTreeMap<String, (u64, Duration)>>,
}

/// Who asks.
#[derive(Clone, Debug)]
struct Asker {
    /// When it is its turn: the least first.
    turn: i64,
    /// The run and the path.
    key: Arc<str>,
}

/// What an attempt needs.
#[derive(Clone)]
struct Want {
    class: Option<Name>,
    wishes: Wishes,
    plan: Arc<Plan>,
}

/// How the gates of a process stand, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GateReport {
    /// What held attempts back, the longest first, with how often and how long altogether. Those that still wait are not counted.
    pub held_back: Vec<(String, u64, Duration)>,
    /// Breakers that are open, or count failures.
    pub breakers: Vec<BreakerState>,
}

impl Gates {
    pub(super) fn new(config: &EngineConfig) -> Self {
        Self {
            places: Places::new(config),
            keys: Mutex::default(),
            paces: Mutex::default(),
            fuses: Mutex::default(),
            away: Mutex::default(),
            breakers: config.breakers,
            began: OnceLock::new(),
            waited: Mutex::default(),
        }
    }

    /// Lets an attempt stand in line.
    pub(super) fn stand(&self, config: &EngineConfig, start: &StartAttempt, plan: &Arc<Plan>) -> Line {
        let now = self.began.get_or_init(Instant::now).elapsed();
        let who = Asker { turn: turn(now, start.priority, start.rank), key: Arc::clone(&start.idempotency_key) };
        let want = Want { class: start.class.clone(), wishes: start.wishes, plan: Arc::clone(plan) };
        // Most steps ask for nothing but a place.
        let asks = if start.shared.is_some() || self.breakers.any() { self.asks(start, plan) } else { None };
        let first = match asks.as_ref().map(|asks| &asks.key) {
            Some(Some(key)) => First::Key(key.ask(Units::PLACE, &who)),
            Some(None) => First::Later,
            None => First::Places(self.places.stand(config, &want, &who)),
        };
        Line { who, want, asks, first, stage: Stage::default(), terms: None }
    }

    /// All places for an attempt of another host's run, if they are free.
    pub(super) fn lend(&self, loan: &Loan, key: &Arc<str>) -> Option<Vec<Held>> {
        self.places.lend(loan, &Asker { turn: i64::MAX, key: Arc::clone(key) })
    }

    /// Waits behind everybody else until there is a place for an attempt of this class.
    pub(super) async fn room(&self, class: Option<&Name>) {
        self.places.room(class, &Asker { turn: i64::MAX, key: "another host".into() }).await;
    }

    /// Why an attempt with so much memory can never run here.
    pub(super) fn refuses(&self, memory: u64, class: Option<&Name>) -> Option<String> {
        self.places.never_fits(memory, class)
    }

    /// How many attempts of a class there are places for now, and altogether.
    pub(super) fn room_of(&self, class: Option<&Name>) -> (u32, u32) {
        self.places.room_of(class)
    }

    fn asks(&self, start: &StartAttempt, plan: &Plan) -> Option<Box<Asks>> {
        let nothing = Shared { key: None, rate: None, breaker: None };
        let Shared { key, rate, breaker } = start.shared.as_deref().unwrap_or(&nothing);
        let (identity, name) = called(&start.target);
        let key = key.as_ref().map(|key| {
            let pool = || Pool::new(Kind::Key(Arc::clone(key)), Units::PLACE);
            kept(&self.keys, Arc::clone(key), pool, |pool| pool.is_idle())
        });
        let rate = rate.map(|rate| {
            let pace = || Arc::new(Pace::new(name.clone(), rate));
            kept(&self.paces, (identity.clone(), rate), pace, |pace| pace.is_idle())
        });
        let fuses = self.protected(start, plan, (identity, name), *breaker).into_iter().map(|(identity, settings, protected)| {
            kept(&self.fuses, (identity, settings), || Fuse::new(protected, settings), |fuse| fuse.report().is_none())
        });
        let asks = Asks { key, rate, fuses: fuses.collect() };
        (asks.key.is_some() || asks.rate.is_some() || !asks.fuses.is_empty()).then(|| Box::new(asks))
    }

    /// The breakers that an attempt has to pass, in one order for all attempts.
    fn protected(
        &self,
        start: &StartAttempt,
        plan: &Plan,
        (identity, name): (String, String),
        own: Option<Breaker>,
    ) -> Vec<(String, Breaker, Protected)> {
        let protected = |name, only_network| Protected { name, only_network };
        let mut all = Vec::new();
        if let Some(settings) = self.breakers.destination {
            let hosts = start.grants.iter().filter_map(|grant| match grant {
                GrantedCapability::Http(host) => Some(host),
                _ => None,
            });
            all.extend(hosts.map(|host| (format!("1 {host}"), settings, protected(format!("the destination `{host}`"), true))));
        }
        if let (Some(settings), Callable::Function(function)) = (self.breakers.plugin, &start.target) {
            let known = plan.components.values().find(|component| component.digest == function.component);
            let source = known.map_or("", |component| component.source.as_str());
            let name = source.rsplit('/').next().unwrap_or(source);
            all.push((format!("2 {}", function.component), settings, protected(format!("the plugin `{name}`"), false)));
        }
        if let Some(settings) = own.or(self.breakers.function) {
            all.push((format!("3 {identity}"), settings, protected(name, false)));
        }
        all
    }

    /// Somebody waited so long.
    fn count(&self, what: String, time: Duration) {
        let mut waited = lock(&self.waited);
        if waited.len() >= MOST_KEPT && !waited.contains_key(&what) {
            let least = waited.iter().min_by_key(|(_, (_, time))| *time).map(|(what, _)| what.clone());
            waited.remove(&least.unwrap_or_default());
        }
        let (times, sum) = waited.entry(what).or_default();
        *times += 1;
        *sum = sum.saturating_add(time);
    }

    /// How they stand now.
    pub(super) fn report(&self) -> GateReport {
        let mut held_back: Vec<_> =
            lock(&self.waited).iter().map(|(what, (times, time))| (what.clone(), *times, *time)).collect();
        held_back.sort_by_key(|(_, _, time)| std::cmp::Reverse(*time));
        held_back.truncate(MOST_TOLD);
        let fuses: Vec<Arc<Fuse>> = lock(&self.fuses).values().cloned().collect();
        GateReport { held_back, breakers: fuses.iter().filter_map(|fuse| fuse.report()).collect() }
    }
}

/// What is there under a key, or is made now; where there is much, what is idle is dropped.
fn kept<K: Ord, V>(all: &Mutex<BTreeMap<K, Arc<V>>>, key: K, make: impl FnOnce() -> Arc<V>, idle: impl Fn(&V) -> bool) -> Arc<V> {
    let mut all = lock(all);
    if all.len() >= MOST_KEPT && !all.contains_key(&key) {
        all.retain(|_, one| Arc::strong_count(one) > 1 || !idle(one));
    }
    Arc::clone(all.entry(key).or_insert_with(make))
}

/// What is called: the same for all runs, and for people.
fn called(target: &Callable) -> (String, String) {
    let name = format!("`{}`", target.name());
    match target {
        Callable::Function(function) => {
            let interface = function.interface.as_deref().unwrap_or_default();
            (format!("{} {interface}.{}", function.component, function.wit_name), name)
        }
        Callable::Role(role) => (format!("role {}", role.name), name),
        Callable::Plan(_) => ("plan".to_owned(), name),
    }
}

/// When it is the turn of one who asks now, in milliseconds: who has more of them waits longer.
fn turn(now: Duration, priority: i32, rank: u32) -> i64 {
    let milliseconds = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let worth = i64::from(priority).saturating_mul(milliseconds(POINT));
    let steps = i64::from(rank.min(MOST_STEPS)).saturating_mul(milliseconds(STEP));
    milliseconds(now).saturating_sub(worth).saturating_sub(steps)
}

/// What is behind these locks is never left half changed, so a panic elsewhere does not harm it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
