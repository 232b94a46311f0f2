//! Rates between runs: so many attempts that call the same pass in any stretch of time of a length.
//!
//! The first in line sleeps until it may start and then wakes the next one, so that one who waits costs nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lang::plan::Rate;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Asker, lock};

/// The starts of what is called under a rate.
pub(super) struct Pace {
    /// What is called, for people.
    name: String,
    rate: Rate,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Those that still count, oldest first; at most as many as the rate permits.
    starts: VecDeque<Instant>,
    asked: u64,
    waiting: BTreeMap<(i64, u64), Arc<Notify>>,
}

impl State {
    /// How long no further attempt may start; none: one may.
    fn shut_for(&mut self, rate: Rate) -> Option<Duration> {
        let (now, per) = (Instant::now(), Duration::from_nanos(rate.per));
        while self.starts.front().is_some_and(|start| *start + per <= now) {
            self.starts.pop_front();
        }
        let full = self.starts.len() >= rate.count.max(1) as usize;
        self.starts.front().filter(|_| full).map(|start| (*start + per).saturating_duration_since(now))
    }

    fn wake_first(&self) {
        if let Some(first) = self.waiting.values().next() {
            first.notify_one();
        }
    }
}

/// A place in the line; whoever goes away gives it up.
struct Standing<'a> {
    pace: &'a Pace,
    place: (i64, u64),
    woken: Arc<Notify>,
}

/// What becomes of one that wants to start.
enum Try {
    Starts,
    /// None may start for so long.
    Shut(Duration),
    /// Others come first.
    NotFirst,
}

impl Pace {
    pub(super) fn new(name: String, rate: Rate) -> Self {
        Self { name, rate, state: Mutex::default() }
    }

    /// Starts an attempt if it may start now.
    pub(super) fn starts_at_once(&self) -> bool {
        let mut state = lock(&self.state);
        let free = state.waiting.is_empty() && state.shut_for(self.rate).is_none();
        if free {
            state.starts.push_back(Instant::now());
        }
        free
    }

    /// Waits until an attempt may start, and counts it.
    pub(super) async fn turn(&self, who: &Asker) {
        let standing = self.stand(who);
        loop {
            match self.try_start(&standing) {
                Try::Starts => return,
                Try::Shut(time) => tokio::time::sleep(time).await,
                Try::NotFirst => standing.woken.notified().await,
            }
        }
    }

    fn stand(&self, who: &Asker) -> Standing<'_> {
        let mut state = lock(&self.state);
        let (place, woken) = ((who.turn, state.asked), Arc::<Notify>::default());
        state.asked += 1;
        state.waiting.insert(place, Arc::clone(&woken));
        Standing { pace: self, place, woken }
    }

    fn try_start(&self, standing: &Standing<'_>) -> Try {
        let mut state = lock(&self.state);
        if state.waiting.keys().next() != Some(&standing.place) {
            return Try::NotFirst;
        }
        if let Some(time) = state.shut_for(self.rate) {
            return Try::Shut(time);
        }
        state.starts.push_back(Instant::now());
        Try::Starts
    }

    /// For people, and how long it takes until the next one may start.
    pub(super) fn describe(&self) -> (String, Option<Duration>) {
        let time = catalog::duration::display(self.rate.per);
        let starts =
            if self.rate.count == 1 { "one attempt starts".into() } else { format!("{} attempts start", self.rate.count) };
        let what = format!("waits for the rate of {}: at most {starts} in {time}, whatever run they are of", self.name);
        (what, lock(&self.state).shut_for(self.rate))
    }

    /// Nobody waits, and nothing that was started counts any more.
    pub(super) fn is_idle(&self) -> bool {
        let mut state = lock(&self.state);
        let _full = state.shut_for(self.rate);
        state.waiting.is_empty() && state.starts.is_empty()
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        format!("rate of {}", self.name)
    }
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.pace.state);
        state.waiting.remove(&self.place);
        state.wake_first();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::future::join_all;
    use lang::plan::Rate;
    use tokio::time::Instant;

    use super::{Asker, Pace};

    fn asker(turn: i64) -> Asker {
        Asker { turn, key: "run/step".into() }
    }

    #[tokio::test(start_paused = true)]
    async fn in_any_stretch_of_time_only_so_many_start_the_most_urgent_first() {
        let (pace, begin) = (Pace::new("`f`".into(), Rate { count: 2, per: 1_000_000_000 }), Instant::now());
        assert!(pace.starts_at_once() && pace.starts_at_once() && !pace.starts_at_once());
        let started = std::sync::Mutex::new(Vec::new());
        let (rate, log) = (&pace, &started);
        let start = |turn| async move {
            rate.turn(&asker(turn)).await;
            log.lock().unwrap().push((turn, begin.elapsed().as_millis() / 1000));
        };
        join_all([3, 1, 2, 4, 5].map(start)).await;
        let started = started.into_inner().unwrap();
        assert_eq!(started, [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)]);
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_goes_away_leaves_its_start_to_others() {
        let (pace, begin) = (Pace::new("`f`".into(), Rate { count: 1, per: 1_000_000_000 }), Instant::now());
        assert!(pace.starts_at_once());
        let (first, second) = (asker(1), asker(2));
        let gone = tokio::time::timeout(Duration::from_millis(500), pace.turn(&first));
        let (gone, ()) = tokio::join!(gone, pace.turn(&second));
        assert!(gone.is_err());
        assert_eq!(begin.elapsed().as_millis() / 100, 10);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(pace.is_idle());
    }
}
