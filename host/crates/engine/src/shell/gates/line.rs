//! The way of an attempt through the gates.

use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::Notify;

use super::away::{Away, Terms};
use super::fuse::{Fuse, Trial};
use super::pace::Pace;
use super::places::Queue;
use super::pool::{Held, Pool, Ticket, Units};
use super::{Asker, Want, lock};
use crate::event::{Failure, Timestamp};
use crate::ports::{Begun, Limits, Live, Outcome, RunsOn};
use crate::shell::Parts;

/// What an attempt asks for before its places.
pub(super) struct Asks {
    pub(super) key: Option<Arc<Pool>>,
    pub(super) rate: Option<Arc<Pace>>,
    /// In one order for all attempts.
    pub(super) fuses: Vec<Arc<Fuse>>,
}

/// An attempt that has to pass the gates. It waits at the first one already.
pub(in crate::shell) struct Line {
    pub(super) who: Asker,
    pub(super) want: Want,
    pub(super) asks: Option<Box<Asks>>,
    pub(super) first: First,
    pub(super) stage: Stage,
    /// On which terms it may run on another host; none: it must not.
    pub(in crate::shell) terms: Option<Box<Terms>>,
}

/// Where an attempt waits at once, in the order in which attempts begin.
pub(super) enum First {
    Key(Ticket),
    Places(Result<Queue, Failure>),
    /// Its places come after something else.
    Later,
}

/// All that an attempt has until its end.
pub(in crate::shell) struct Permit {
    held: Vec<Held>,
    trials: Vec<Trial>,
    /// What bounds it.
    pub(in crate::shell) limits: Limits,
    /// Its place is at another host.
    pub(in crate::shell) away: Option<Box<Away>>,
}

/// What an attempt waits for by now; nothing when it runs.
#[derive(Clone, Default)]
pub(in crate::shell) struct Stage(Arc<Inner>);

#[derive(Default)]
struct Inner {
    waits: Mutex<Option<Waits>>,
    /// There while it is offered to other hosts: which one has begun it.
    begun: Mutex<Option<Begun>>,
    /// There once it may run on another host.
    brake: OnceLock<Notify>,
}

#[derive(Clone)]
enum Waits {
    Pool(Arc<Pool>, Units),
    Rate(Arc<Pace>),
    Trial(Arc<Fuse>),
}

impl Waits {
    /// For people.
    fn name(&self) -> String {
        match self {
            Self::Pool(pool, _) => pool.kind.name(),
            Self::Rate(pace) => pace.name(),
            Self::Trial(fuse) => fuse.name(),
        }
    }
}

impl Stage {
    fn set(&self, waits: Option<Waits>) {
        *lock(&self.0.waits) = waits;
    }

    pub(super) fn clear(&self) {
        self.set(None);
    }

    /// From now on this says which other host has begun it.
    pub(super) fn offered(&self, begun: Option<Begun>) {
        *lock(&self.0.begun) = begun;
    }

    /// Where it runs, and since when, if that is another host.
    fn away(&self) -> Option<RunsOn> {
        lock(&self.0.begun).as_ref().and_then(Begun::told)
    }

    /// Asks an attempt that may run on another host to stop. False where it runs here.
    pub(in crate::shell) fn brake(&self) -> bool {
        self.0.brake.get().map(Notify::notify_one).is_some()
    }

    /// Ends when the attempt is to stop, which from now on is asked for so.
    pub(in crate::shell) async fn braked(&self) {
        self.0.brake.get_or_init(Notify::new).notified().await;
    }

    /// What it waits for, or on which other host it runs, for people; `now` is what the clock says.
    pub(in crate::shell) fn live(&self, path: &Arc<str>, now: Timestamp) -> Option<Live> {
        if let Some(runs) = self.away() {
            let what = format!("runs on `{}`", runs.host);
            return Some(Live { path: Arc::clone(path), what, until: None, runs: Some(runs) });
        }
        let waits = lock(&self.0.waits).clone()?;
        let (what, left) = match waits {
            Waits::Pool(pool, units) => (pool.describe(units), None),
            Waits::Rate(pace) => pace.describe(),
            Waits::Trial(fuse) => (fuse.describe(), None),
        };
        // In whole seconds, so that the same time is said again.
        let until = left.map(|left| Timestamp((now.0 + u64::try_from(left.as_millis()).unwrap_or(0)).div_ceil(1000) * 1000));
        Some(Live { path: Arc::clone(path), what, until, runs: None })
    }
}

impl Line {
    /// Tells what the attempt waits for.
    pub(in crate::shell) fn stage(&self) -> Stage {
        self.stage.clone()
    }

    /// Passes the gates: key, rate, breakers, then the places, that of the process before the host's memory. None when the
    /// engine is being dropped.
    pub(in crate::shell) async fn wait(mut self, parts: &Parts) -> Result<Option<Permit>, Failure> {
        let (mut held, mut trials) = (Vec::new(), Vec::new());
        if let First::Key(ticket) = &mut self.first {
            let Some(key) = waits(parts, &self.stage, ticket).await else { return Ok(None) };
            held.push(key);
        }
        if let Some(asks) = self.asks.take() {
            if let Some(pace) = asks.rate.filter(|pace| !pace.starts_at_once()) {
                let turn = pace.turn(&self.who);
                spends(parts, &self.stage, Waits::Rate(Arc::clone(&pace)), turn).await;
            }
            for fuse in asks.fuses {
                trials.push(match fuse.ask(&self.who.key) {
                    Some(passed) => passed?,
                    None => spends(parts, &self.stage, Waits::Trial(Arc::clone(&fuse)), fuse.pass(&self.who.key)).await?,
                });
            }
        }
        let mut queue = match self.first {
            First::Places(queue) => queue?,
            _ => parts.gates.places.stand(&parts.config, &self.want, &self.who)?,
        };
        let place = match &self.terms {
            None => queue.wait(parts, &self.stage, &self.who).await.map(|()| None),
            Some(terms) => wait_anywhere(parts, &mut queue, &self.stage, &self.who, terms).await,
        };
        let Some(place) = place else { return Ok(None) };
        trials.iter().try_for_each(Trial::look_again)?;
        let limits = queue.limits.clone();
        let away = match (place, self.terms) {
            (Some(place), Some(terms)) => {
                let Self { want, who, stage, .. } = self;
                Some(Box::new(Away { terms, place: Some(place), queue, want, who, stage }))
            }
            _ => {
                held.extend(queue.take());
                None
            }
        };
        Ok(Some(Permit { held, trials, limits, away }))
    }
}

/// Waits for all places here, or where there are none for one at another host, which it gives then.
async fn wait_anywhere(
    parts: &Parts,
    queue: &mut Queue,
    stage: &Stage,
    who: &Asker,
    Terms { kind, .. }: &Terms,
) -> Option<Option<Held>> {
    // There are terms only where there are other hosts.
    let elsewhere = parts.elsewhere.as_deref()?;
    let place = tokio::select! {
        biased;
        here = queue.wait(parts, stage, who) => here.map(|()| None),
        place = parts.gates.place_away(elsewhere, kind, who) => place.map(Some),
    };
    stage.clear();
    place
}

/// Waits for what a ticket is for.
pub(super) async fn waits(parts: &Parts, stage: &Stage, ticket: &mut Ticket) -> Option<Held> {
    if ticket.is_served() {
        return ticket.wait().await;
    }
    let waits = Waits::Pool(Arc::clone(&ticket.pool), ticket.units);
    spends(parts, stage, waits, ticket.wait()).await
}

/// Says what is waited for as long as it is, and counts the time.
async fn spends<T>(parts: &Parts, stage: &Stage, what: Waits, waiting: impl Future<Output = T>) -> T {
    let (name, since) = (what.name(), tokio::time::Instant::now());
    stage.set(Some(what));
    let done = waiting.await;
    stage.set(None);
    parts.gates.count(name, since.elapsed());
    done
}

impl Permit {
    /// Tells what the attempt waits for, where it may run on another host.
    pub(in crate::shell) fn stage(&self) -> Stage {
        self.away.as_ref().map(|away| away.stage.clone()).unwrap_or_default()
    }

    /// It has these too.
    pub(in crate::shell) fn hold(&mut self, held: Vec<Held>) {
        self.held.extend(held);
    }

    /// The attempt has ended like this: the breakers hear of it, and others get what it had.
    pub(in crate::shell) fn end(self, outcome: &Outcome) {
        let kind = outcome.result.as_ref().err().map(|failure| failure.kind);
        self.trials.into_iter().for_each(|trial| trial.judge(kind));
        drop(self.held);
    }
}
