//! What is kept and what is deleted: ended runs, blobs that nothing names, old results in the cache, free space.
//!
//! Works beside those who write. A run that has not ended is never touched. Deleting a run first takes it off the list, in one
//! transaction; its events follow in parts, from the last to the first, and a deletion that was interrupted is finished by the
//! next one (`purge` says where it is).

mod pace;
mod select;
mod sweep;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use engine::event::{RunId, Timestamp};
use engine::ports::JournalError;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

pub use pace::Pace;
pub use select::{Because, Candidate};
pub use sweep::Swept;

use crate::backup::{beside, file_problem};
use crate::options::Options;
use crate::problem::from_sqlite;
use crate::read::Reader;
use crate::schema::{open_writer, version};
use crate::stats::{counted, set_counted};

/// Under which `about` says how the last clean-up went.
const CLEANED_UP: &str = "cleaned_up";

/// The least grace of a blob: one that was needed within an hour is taken for kept by who needs it again.
pub const LEAST_GRACE: Duration = Duration::from_secs(2 * 3600);

/// What is kept. What is not named is kept for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// How long after their end runs that succeeded are kept.
    pub succeeded: Option<Duration>,
    /// The same for those that failed.
    pub failed: Option<Duration>,
    /// The same for those that were cancelled.
    pub cancelled: Option<Duration>,
    /// At most so many ended runs.
    pub most_runs: Option<u64>,
    /// About so many bytes of the store in use.
    pub most_bytes: Option<u64>,
    /// The last so many ended runs of each flow are kept whatever else says.
    pub keep_last: u64,
    /// Runs with one of these labels are kept; without a value, with any value.
    pub keep_labels: Vec<(String, Option<String>)>,
    /// How old a result in the cache may be.
    pub cache_age: Option<Duration>,
    /// At most so many bytes of results in the cache, the newest.
    pub cache_bytes: Option<u64>,
    /// A blob that nothing names is kept for so long after it was last needed; at least [`LEAST_GRACE`].
    pub grace: Duration,
}

/// How full a store is, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Space {
    /// The file.
    pub file: u64,
    /// Pages of it that hold nothing and are used again.
    pub free: u64,
}

impl Reader {
    /// How full the store is.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn space(&self) -> Result<Space, JournalError> {
        self.with(|connection, path| space(connection).map_err(|error| from_sqlite(path, &error)))
    }

    /// How many runs the store has, and how many of them have ended.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn run_counts(&self) -> Result<(u64, u64), JournalError> {
        let count = |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(|count| u64::try_from(count).unwrap_or(0));
        self.with(|connection, path| {
            let sql = "SELECT count(*), count(ended) FROM runs";
            let found = connection.query_row(sql, [], |row| Ok((count(row, 0)?, count(row, 1)?)));
            found.map_err(|error| from_sqlite(path, &error))
        })
    }

    /// What was noted of the last clean-up, as [`Janitor::note`] was given it.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn cleaned_up(&self) -> Result<Option<String>, JournalError> {
        self.with(|connection, path| {
            let ask = || {
                if version(connection)? < 4 {
                    return Ok(None);
                }
                connection.query_row("SELECT value FROM about WHERE key = ?1", [CLEANED_UP], |row| row.get(0)).optional()
            };
            ask().map_err(|error| from_sqlite(path, &error))
        })
    }

    /// The ended runs that are not kept, with why, the one that ended first at the front.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn expired(&self, retention: &Retention, now: Timestamp) -> Result<Vec<Candidate>, JournalError> {
        self.with(|connection, path| select::expired(connection, retention, now).map_err(|error| from_sqlite(path, &error)))
    }

    /// What a sweep would delete now.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn sweepable(&self, retention: &Retention, now: Timestamp) -> Result<Swept, JournalError> {
        self.with(|connection, path| {
            sweep::find(connection, retention, now).map(|found| found.swept()).map_err(|error| from_sqlite(path, &error))
        })
    }
}

fn space(connection: &Connection) -> rusqlite::Result<Space> {
    let pragma = |name| -> rusqlite::Result<u64> {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map(|number| u64::try_from(number).unwrap_or(0))
    };
    let page = pragma("page_size")?;
    Ok(Space { file: pragma("page_count")? * page, free: pragma("freelist_count")? * page })
}

/// Someone who cleans up a store; there is one at a time.
pub struct Janitor {
    connection: Connection,
    path: PathBuf,
    pace: Pace,
    /// Locked as long as this lives.
    _lock: File,
}

impl std::fmt::Debug for Janitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Janitor").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Janitor {
    /// Opens the store at this path, which must exist. The pace says how much of it is left to others.
    ///
    /// # Errors
    /// Another process cleans up or imports, or whatever is wrong with the store.
    pub fn open(store: &Path, pace: Pace) -> Result<Self, JournalError> {
        let lock = lock(store)?;
        // Fails for what is no store before anything is written.
        drop(Reader::open(store, Options::default().lock_timeout)?);
        let connection = open_writer(store, &Options::default())?;
        Ok(Self { connection, path: store.to_owned(), pace, _lock: lock })
    }

    /// Deletes a run that has ended, with its events; what had been begun before is finished first. Whether it was there.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn delete(&mut self, run: &RunId) -> Result<bool, JournalError> {
        let deleted = unlist(&mut self.connection, run).map_err(|error| from_sqlite(&self.path, &error))?;
        self.finish_deletions()?;
        Ok(deleted)
    }

    /// Deletes the events of runs whose deletion, or import, was interrupted.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn finish_deletions(&mut self) -> Result<(), JournalError> {
        loop {
            let began = Instant::now();
            let more = purge(&mut self.connection, self.pace.events()).map_err(|error| from_sqlite(&self.path, &error))?;
            self.pace.rest(began);
            if !more {
                return Ok(());
            }
        }
    }

    /// Deletes blobs that nothing names, and results of the cache that are not kept.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn sweep(&mut self, retention: &Retention, now: Timestamp) -> Result<Swept, JournalError> {
        sweep::sweep(&mut self.connection, retention, now, self.pace).map_err(|error| from_sqlite(&self.path, &error))
    }

    /// Gives free pages back to the disk, in parts; a store that was made by an old version keeps them for itself. How full it
    /// is then.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn give_back(&mut self) -> Result<Space, JournalError> {
        give_back(&self.connection, self.pace).map_err(|error| from_sqlite(&self.path, &error))
    }

    /// Notes how a clean-up went, for who asks for the last one.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn note(&mut self, text: &str) -> Result<(), JournalError> {
        let sql = "INSERT INTO about (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        let noted = self.connection.execute(sql, [CLEANED_UP, text]);
        noted.map(drop).map_err(|error| from_sqlite(&self.path, &error))
    }

    /// Writes the whole file anew. Nobody else can write meanwhile, and as much space is needed again as is in use.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn compact(&mut self) -> Result<Space, JournalError> {
        let sql = "PRAGMA auto_vacuum = INCREMENTAL; VACUUM;";
        self.connection.execute_batch(sql).map_err(|error| from_sqlite(&self.path, &error))?;
        self.give_back()
    }
}

/// Keeps others from cleaning up or importing at the same time.
pub(crate) fn lock(store: &Path) -> Result<File, JournalError> {
    let path = beside(store, "-maintenance");
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| file_problem(&path, format_args!("cannot be written: {error}")))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => Err(file_problem(&path, "is locked: another process cleans up the store; try again when it is done")),
    }
}

/// Takes an ended run off the list.
fn unlist(connection: &mut Connection, run: &RunId) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "SELECT no, ifnull(event, 0) FROM runs LEFT JOIN heads ON heads.run = no WHERE id = ?1 AND ended IS NOT NULL";
    let found = transaction.query_row(sql, [&*run.0], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).optional()?;
    let Some((no, event)) = found else { return Ok(false) };
    transaction.execute("INSERT INTO purge (run, event) VALUES (?1, ?2)", [no, event])?;
    transaction.execute("DELETE FROM runs WHERE no = ?1", [no])?;
    transaction.execute("DELETE FROM heads WHERE run = ?1", [no])?;
    for table in ["inbox", "listens", "waiting"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE run = ?1"), [&*run.0])?;
    }
    transaction.commit()?;
    Ok(true)
}

/// Deletes a part of the events of a run that is off the list; whether there is more to do.
fn purge(connection: &mut Connection, part: usize) -> rusqlite::Result<bool> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let first = "SELECT run, event FROM purge ORDER BY run LIMIT 1";
    let found = transaction.query_row(first, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).optional()?;
    let Some((run, mut event)) = found else { return Ok(false) };
    let mut before = transaction.prepare_cached("DELETE FROM events WHERE id = ?1 AND run = ?2 RETURNING prev")?;
    let mut deleted = 0;
    while deleted < part {
        let prev = before.query_row([event, run], |row| row.get(0)).optional()?;
        let Some(prev) = prev else { break };
        event = prev;
        deleted += 1;
    }
    drop(before);
    if deleted == 0 {
        // The chain has ended, or is broken: whatever else has the number goes by looking at all events, once.
        if event != 0 {
            transaction.execute("DELETE FROM events WHERE run = ?1", [run])?;
        }
        transaction.execute("DELETE FROM purge WHERE run = ?1", [run])?;
    } else {
        transaction.execute("UPDATE purge SET event = ?2 WHERE run = ?1", [run, event])?;
    }
    // The numbers of the last events are given again; what follows then must be counted.
    let newest = transaction.query_row("SELECT ifnull(max(id), 0) FROM events", [], |row| row.get(0))?;
    if counted(&transaction)? > newest {
        set_counted(&transaction, newest)?;
    }
    transaction.commit()?;
    Ok(true)
}

fn give_back(connection: &Connection, pace: Pace) -> rusqlite::Result<Space> {
    let mut left = space(connection)?.free;
    while left > 0 {
        let began = Instant::now();
        let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({})", pace.pages()))?;
        let mut rows = statement.query(params![])?;
        while rows.next()?.is_some() {}
        drop(rows);
        pace.rest(began);
        let now = space(connection)?.free;
        if now >= left {
            break;
        }
        left = now;
    }
    // The file becomes shorter when the WAL is moved into it; who reads just now makes that happen later.
    connection.query_row(&format!("PRAGMA wal_checkpoint({})", pace.checkpoint()), [], |_| Ok(()))?;
    space(connection)
}
