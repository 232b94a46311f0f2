//! The read side: what `ps`, `show` and `events` ask. Works beside a process that writes.

mod filter;
mod pool;
mod rows;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use engine::event::{Event, EventBody, RunId, Seq, Timestamp};
use engine::ports::{JournalError, Live};
use rusqlite::{Connection, params_from_iter};

use crate::load::{self, Prefix};
use crate::mail;
use crate::problem::from_sqlite;
use crate::wire::{decode, kind};

pub use filter::{RunFilter, RunOrder};
pub(crate) use pool::Pool;
pub use rows::{AttemptRow, AttemptState, EventRow, FindError, OpenRun, RunRow, RunStatus};

/// How many matches an ambiguous prefix is shown with.
const SHOWN_MATCHES: usize = 8;

/// Runs that one question brings.
const RUNS_PAGE: usize = 512;

/// Stands for the id of the run that was started last. No id that the host makes begins so: they have no `l`.
pub const LAST_RUN: &str = "last";

/// Reads a store. Each answer is one or a few short read transactions of its own.
#[derive(Clone, Debug)]
pub struct Reader {
    pool: Arc<Pool>,
}

impl Reader {
    /// Reads the store at this path, which must exist; waits this long where it is locked.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: it does not exist, is no store, is of a newer version, or cannot be read.
    pub fn open(path: &Path, lock_timeout: Duration) -> Result<Self, JournalError> {
        let pool = Pool::new(path.to_owned(), lock_timeout);
        // The first connection tells what is wrong now, and serves the first question.
        pool.with(|_| Ok(()))?;
        Ok(Self { pool: Arc::new(pool) })
    }

    pub(crate) const fn over(pool: Arc<Pool>) -> Self {
        Self { pool }
    }

    /// The runs that fit, in the order that the filter says.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        let (condition, values) = filter::condition(filter);
        self.query(|connection| rows::runs(connection, &condition, params_from_iter(values)))
    }

    /// Gives each run that fits to `take`, in the order that the filter says, a page at a time.
    ///
    /// # Errors
    /// What `take` gives, or whatever is wrong with the store.
    pub fn each_run<E: From<JournalError>>(
        &self,
        filter: &RunFilter,
        mut take: impl FnMut(RunRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut page = filter.clone();
        let mut left = filter.limit.unwrap_or(usize::MAX);
        while left > 0 {
            page.limit = Some(left.min(RUNS_PAGE));
            let runs = self.runs(&page)?;
            left = if runs.len() < RUNS_PAGE { 0 } else { left - runs.len() };
            page.after = runs.last().map(|run| run.id.clone());
            runs.into_iter().try_for_each(&mut take)?;
        }
        Ok(())
    }

    /// All runs that have not ended, in the order in which they were started.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn open_runs(&self) -> Result<Vec<OpenRun>, JournalError> {
        self.query(rows::open_runs)
    }

    /// The run with this id, or the only one whose id begins so; [`LAST_RUN`] is the one that was started last.
    ///
    /// # Errors
    /// There is none or more than one, or whatever is wrong with the store.
    pub fn find(&self, id_or_prefix: &str) -> Result<RunRow, FindError> {
        let mut exact = self.query(|connection| rows::runs(connection, "id = ?1", [id_or_prefix]))?;
        if let Some(run) = exact.pop() {
            return Ok(run);
        }
        if id_or_prefix == LAST_RUN
            && let Some(last) = self.runs(&RunFilter { limit: Some(1), ..RunFilter::default() })?.pop()
        {
            return Ok(last);
        }
        let mut found = if id_or_prefix.is_empty() {
            Vec::new()
        } else {
            let condition = "id >= ?1 AND id < ?1 || char(1114111) ORDER BY no DESC LIMIT ?2";
            self.query(|connection| {
                rows::runs(connection, condition, (id_or_prefix, i64::try_from(SHOWN_MATCHES + 1).unwrap_or(i64::MAX)))
            })?
        };
        match (found.pop(), found.is_empty()) {
            (Some(only), true) => Ok(only),
            (None, _) => Err(JournalError::NoSuchRun(id_or_prefix.to_owned()).into()),
            (Some(last), false) => {
                found.push(last);
                let more = found.len() > SHOWN_MATCHES;
                let matches = found.into_iter().take(SHOWN_MATCHES).map(|run| run.id.to_string()).collect();
                Err(FindError::Ambiguous { prefix: id_or_prefix.to_owned(), matches, more })
            }
        }
    }

    /// Up to `limit` events of a run that follow the position `after`, as they are stored. To read all of a
    /// long run, [`Reader::each_event`] is quicker.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or whatever is wrong with the store.
    pub fn events(&self, run: &RunId, after: Seq, limit: usize) -> Result<Vec<EventRow>, JournalError> {
        let mut events = Vec::new();
        self.read(run, after, limit, |event| events.push(event))?;
        Ok(events)
    }

    /// Gives each event of a run that follows the position `after` to `take`, as it is stored.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or whatever is wrong with the store.
    pub fn each_event(&self, run: &RunId, after: Seq, take: impl FnMut(EventRow)) -> Result<(), JournalError> {
        self.read(run, after, usize::MAX, take)
    }

    fn read(&self, run: &RunId, after: Seq, limit: usize, mut take: impl FnMut(EventRow)) -> Result<(), JournalError> {
        self.pool.with(|connection| {
            let place = load::find(connection, self.pool.path(), run)?;
            let mut failed = Ok(());
            load::ids(connection, place, after)
                .and_then(|ids| {
                    let wanted = ids.get(..limit.min(ids.len())).unwrap_or_default();
                    load::each(connection, wanted, |row| match rows::event(row) {
                        Ok(event) => take(event),
                        Err(error) => failed = Err(error),
                    })
                })
                .and(failed)
                .map_err(|error| from_sqlite(self.pool.path(), &error))
        })
    }

    /// The attempts of a run in the order of their first event: what they called, how they ended, what they used.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or whatever is wrong with the store.
    pub fn attempts(&self, run: &RunId) -> Result<Vec<AttemptRow>, JournalError> {
        let mut attempts = rows::Attempts::default();
        let mut unreadable = None;
        self.each_event(run, 0, |event| {
            if concerns_attempt(&event.kind) {
                match body(&event) {
                    Ok(body) => attempts.event(event.at, body),
                    Err(what) => unreadable = Some(JournalError::Damaged { run: run.clone(), what }),
                }
            }
        })?;
        unreadable.map_or_else(|| Ok(attempts.finish()), Err)
    }

    /// What a run waits for, as its owner last noted.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn waiting(&self, run: &RunId) -> Result<Option<String>, JournalError> {
        self.query(|connection| mail::waiting(connection, run))
    }

    /// The steps of a run that wait for something which its events do not tell, and for what, as its owner last noted.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn live(&self, run: &RunId) -> Result<Vec<Live>, JournalError> {
        self.query(|connection| mail::live(connection, run))
    }

    /// Gives the events of a run with their payloads, checked, one at a time up to the first damage, as long as `take` gives
    /// true. Gives what is wrong with the others.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store cannot be read at all.
    pub fn scan(&self, run: &RunId, take: &mut dyn FnMut(Event) -> bool) -> Result<Option<JournalError>, JournalError> {
        self.pool.with(|connection| load::read(connection, self.pool.path(), run, take))
    }

    /// Events of a run with their payloads, checked, up to the first damage.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store cannot be read at all.
    pub fn load_prefix(&self, run: &RunId) -> Result<Prefix, JournalError> {
        self.pool.with(|connection| load::load(connection, self.pool.path(), run))
    }

    /// Asks something of a connection to the store at the path.
    pub(crate) fn with<T>(&self, ask: impl FnOnce(&Connection, &Path) -> Result<T, JournalError>) -> Result<T, JournalError> {
        self.pool.with(|connection| ask(connection, self.pool.path()))
    }

    /// Where the store is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.pool.path()
    }

    pub(crate) fn query<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, JournalError> {
        self.pool.with(|connection| ask(connection).map_err(|error| from_sqlite(self.pool.path(), &error)))
    }
}

fn concerns_attempt(name: &str) -> bool {
    matches!(
        name,
        kind::ATTEMPT_STARTED
            | kind::ATTEMPT_SUCCEEDED
            | kind::ATTEMPT_FAILED
            | kind::ATTEMPT_CANCELLED
            | kind::OUTCOME_UNKNOWN
            // Who owns the run says where an attempt ran of which nothing else is said.
            | kind::RUN_STARTED
            | kind::OWNER_CHANGED
    )
}

/// The event without its large payloads, which nobody asked for here.
fn body(event: &EventRow) -> Result<EventBody, String> {
    let mut absent = |_| Ok(b"null".to_vec());
    decode(&event.kind, &event.path, &event.body, &mut absent).map_err(|error| format!("event {}: {error}", event.seq))
}

/// A time as it is stored.
fn timestamp(millis: i64) -> Timestamp {
    Timestamp(u64::try_from(millis).unwrap_or_default())
}
