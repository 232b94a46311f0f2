//! Sends what is in the outbox: at least once, again and again until it is taken, and never in the way of a run.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use engine::event::Timestamp;
use engine::ports::{Clock, SystemClock};
use journal::{EscalationRow, SqliteJournal};

use super::post::Target;
use super::report::cloud_event;
use crate::output;

/// How often the outbox is looked at.
const PAUSE: Duration = Duration::from_millis(500);

/// A report is left to the process that sends it for so many milliseconds.
const CLAIM: u64 = 15_000;

/// The wait after the first failure, and the longest, in milliseconds.
const FIRST_WAIT: u64 = 1000;
const LONGEST_WAIT: u64 = 600_000;

/// How long the end of a command waits for what is under way.
const LAST_WAIT: Duration = Duration::from_secs(9);

/// So many reports are sent in one go.
const AT_ONCE: u32 = 16;

/// A thread that sends reports until it is dropped.
pub(crate) struct Courier {
    journal: Arc<SqliteJournal>,
    signals: Arc<Signals>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Signals {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct State {
    stop: bool,
    /// Rounds that were asked for, and those that have been made since.
    asked: u64,
    made: u64,
}

impl Courier {
    /// Begins to send; none when the thread cannot be made, and then others send what is in the store.
    pub(crate) fn start(journal: Arc<SqliteJournal>, target: Target) -> Self {
        let signals = Arc::<Signals>::default();
        let (store, heard) = (Arc::clone(&journal), Arc::clone(&signals));
        let thread = std::thread::Builder::new().name("courier".to_owned()).spawn(move || work(&store, &target, &heard)).ok();
        Self { journal, signals, thread }
    }

    /// Sends what is due now, and says what could not be delivered.
    pub(crate) fn settle(&self) -> Vec<String> {
        let mut state = self.signals.lock();
        state.asked += 1;
        let (wanted, until) = (state.asked, Instant::now() + LAST_WAIT);
        self.signals.changed.notify_all();
        while state.made < wanted && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            state = self.signals.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        match self.journal.reader().unsent() {
            Ok(rows) => rows.iter().map(undelivered).collect(),
            Err(error) => vec![format!("the outbox cannot be read: {error}")],
        }
    }
}

impl Drop for Courier {
    fn drop(&mut self) {
        self.signals.lock().stop = true;
        self.signals.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, the reports are still in the store.
            drop(thread.join());
        }
    }
}

impl Signals {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves nothing half changed here.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work(journal: &SqliteJournal, target: &Target, signals: &Signals) {
    loop {
        let asked = signals.lock().asked;
        round(journal, target, signals);
        let mut state = signals.lock();
        state.made = asked;
        signals.changed.notify_all();
        if !state.stop && state.asked == asked {
            state = signals.changed.wait_timeout(state, PAUSE).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.stop {
            return;
        }
    }
}

/// Sends what is due. When the store fails, the next round tries again.
fn round(journal: &SqliteJournal, target: &Target, signals: &Signals) {
    for report in journal.due_reports(now(), AT_ONCE).unwrap_or_default() {
        if signals.lock().stop || journal.claim_report(&report, Timestamp(now().0 + CLAIM)).is_err() {
            return;
        }
        let kept = match target.post(&cloud_event(&report).to_string()) {
            Ok(()) => journal.report_sent(&report, now()),
            Err(error) => {
                let failures = report.delivery.as_ref().map_or(0, |delivery| delivery.attempts);
                journal.report_failed(&report, Timestamp(now().0 + wait(failures)), &error)
            }
        };
        if kept.is_err() {
            return;
        }
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// The wait after so many failures and one more.
fn wait(failures: u32) -> u64 {
    FIRST_WAIT.saturating_mul(1_u64.checked_shl(failures).unwrap_or(u64::MAX)).min(LONGEST_WAIT)
}

/// A report that was not taken, for people.
pub(crate) fn undelivered(row: &EscalationRow) -> String {
    let path = &row.escalation.attempt.path;
    let Some(delivery) = &row.delivery else { return format!("the report about `{path}` is not to be sent") };
    let why = delivery.error.as_deref().unwrap_or("it is being sent");
    let due = output::time(delivery.due);
    format!(
        "the report about `{path}` of run {} is not delivered: {why}; a `host` on this store sends it again from {due} on",
        row.run
    )
}

#[cfg(test)]
mod tests {
    use super::{FIRST_WAIT, LONGEST_WAIT, wait};

    #[test]
    fn waits_double_up_to_ten_minutes() {
        assert_eq!([0, 1, 2].map(wait), [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]);
        assert_eq!([10, 63, 64, 1000].map(wait), [LONGEST_WAIT; 4]);
    }
}
