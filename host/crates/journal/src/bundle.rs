//! Runs in a file of their own, with all that they need, and back into a store.
//!
//! The file is a store with just these runs: events and hashes as they are, the blobs that they name, and in `about` what it is.
//! So everything that reads a store reads it, and the hash chains still hold.

use std::path::Path;

use engine::event::RunId;
use engine::ports::JournalError;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use crate::backup::{Partial, file_problem};
use crate::load::{self, Place};
use crate::marks::{self, Marks};
use crate::options::{Durability, Options};
use crate::problem::{from_sqlite, unavailable};
use crate::read::Reader;
use crate::retention;
use crate::schema::{self, open_reader, open_writer};

/// Events that are copied in one transaction.
const PART: usize = 2_048;

/// The columns of a run beside its number.
const COLUMNS: &str =
    "id, flow, plan, program, status, owner, created, updated, ended, labels, reason, failure_kind, failure_path";

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Runs.
    pub runs: u64,
    /// Runs that were there already, the same to the last event.
    pub present: u64,
    /// Events.
    pub events: u64,
    /// Blobs.
    pub blobs: u64,
}

/// Writes these runs of a store to a file of their own, with what it says about itself. Without `replace` the file must not
/// exist.
///
/// # Errors
/// A run is not there, the store cannot be read, or the file cannot be written. Then there is no such file.
pub fn export(
    reader: &Reader,
    runs: &[RunId],
    to: &Path,
    about: &[(&str, String)],
    replace: bool,
) -> Result<Copied, JournalError> {
    if to.is_dir() || (to.exists() && !replace) {
        return Err(file_problem(to, "exists; name another file, or replace it with `--force`"));
    }
    let partial = Partial::new(to)?;
    // Nothing needs to survive before the file has its name.
    let options = Options { durability: Durability::Process, ..Options::default() };
    let mut target = open_writer(&partial.path, &options)?;
    let copied = reader.with(|source, path| {
        let mut copier = Copier { source, path, target: &mut target, target_path: to, copied: Copied::default() };
        for run in runs {
            copier.run(run)?;
        }
        Ok(copier.copied)
    })?;
    let sealed = about.iter().try_for_each(|(key, value)| {
        target.execute("INSERT OR REPLACE INTO about (key, value) VALUES (?1, ?2)", params![key, value]).map(drop)
    });
    // One plain file, which needs nothing beside it.
    let seal = || target.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()));
    sealed.and_then(|()| seal()).map_err(|error| from_sqlite(to, &error))?;
    target.close().map_err(|(_, error)| from_sqlite(to, &error))?;
    partial.finish(to)?;
    Ok(copied)
}

/// Takes runs out of a file that [`export`] or [`crate::backup`] made into a store; all of them when none are named. A run
/// that is there already must be the same.
///
/// # Errors
/// The file is no store, or a run in it is damaged or not there; the store has another run of that id, or cannot be written.
/// Runs before that one are in the store then.
pub fn import(from: &Path, store: &Path, runs: &[RunId]) -> Result<Copied, JournalError> {
    let source = Reader::open(from, Options::default().lock_timeout)?;
    let wanted = if runs.is_empty() { all(&source)? } else { runs.to_vec() };
    let mut target = open_writer(store, &Options::default())?;
    let _alone = retention::lock(store)?;
    let connection = open_reader(from, Options::default().lock_timeout)?;
    let mut copier =
        Copier { source: &connection, path: from, target: &mut target, target_path: store, copied: Copied::default() };
    for run in &wanted {
        if let Some(damage) = source.load_prefix(run)?.damage {
            return Err(damage);
        }
        copier.run(run)?;
    }
    Ok(copier.copied)
}

fn all(source: &Reader) -> Result<Vec<RunId>, JournalError> {
    source.with(|connection, path| {
        let ask = || -> rusqlite::Result<Vec<RunId>> {
            let mut statement = connection.prepare("SELECT id FROM runs ORDER BY no")?;
            let ids = statement.query_map([], |row| row.get::<_, String>(0))?;
            ids.map(|id| Ok(RunId(id?.into()))).collect()
        };
        ask().map_err(|error| from_sqlite(path, &error))
    })
}

struct Copier<'a> {
    source: &'a Connection,
    path: &'a Path,
    target: &'a mut Connection,
    target_path: &'a Path,
    copied: Copied,
}

impl Copier<'_> {
    /// Copies a run. Until it is whole it is in the target as one that is being deleted: so nobody sees a part of it, and what is
    /// left of an interrupted copy is cleared away.
    fn run(&mut self, run: &RunId) -> Result<(), JournalError> {
        let from = |error| from_sqlite(self.path, &error);
        // One state of a run that may go on: its row must not say more than its events.
        let transaction = self.source.unchecked_transaction().map_err(from)?;
        let place = load::find(self.source, self.path, run)?;
        let ids = load::ids(self.source, place, 0).map_err(from)?;
        let row = self.row(run).map_err(from)?;
        transaction.finish().map_err(from)?;
        if self.is_there(run, place)? {
            self.copied.present += 1;
            return Ok(());
        }
        let mut needed = Marks::new();
        for value in &row {
            if let rusqlite::types::Value::Text(text) = value {
                marks::of_text(text.as_bytes(), &mut needed);
            }
        }
        let target = self.target_path;
        let to = |error| from_sqlite(target, &error);
        let no = reserve(self.target).map_err(to)?;
        let mut last = 0;
        for part in ids.chunks(PART) {
            last = self.part(no, last, part, &mut needed)?;
        }
        marks::close(self.source, &mut needed).map_err(from)?;
        for digest in needed {
            self.blob(&digest.to_string())?;
        }
        let seq = place.seq().unwrap_or_default();
        publish(self.target, no, &row, (last, seq)).map_err(to)?;
        self.copied.runs += 1;
        Ok(())
    }

    /// Whether the target has this run, the same to the last event.
    fn is_there(&self, run: &RunId, place: Place) -> Result<bool, JournalError> {
        let sql =
            "SELECT hash FROM events JOIN heads ON heads.event = events.id JOIN runs ON runs.no = heads.run WHERE runs.id = ?1";
        let head = |connection: &Connection| connection.query_row(sql, [&*run.0], |row| row.get::<_, Vec<u8>>(0)).optional();
        let theirs = head(self.target).map_err(|error| from_sqlite(self.target_path, &error))?;
        let known = self.target.prepare_cached("SELECT 1 FROM runs WHERE id = ?1").and_then(|mut known| known.exists([&*run.0]));
        if !known.map_err(|error| from_sqlite(self.target_path, &error))? {
            return Ok(false);
        }
        let ours = head(self.source).map_err(|error| from_sqlite(self.path, &error))?;
        if ours.is_some() && ours == theirs && place.seq().is_some() {
            return Ok(true);
        }
        Err(unavailable(self.target_path, format_args!("has another run `{run}` already, which is not written over")))
    }

    fn row(&self, run: &RunId) -> rusqlite::Result<Vec<rusqlite::types::Value>> {
        let mut statement = self.source.prepare_cached(&format!("SELECT {COLUMNS} FROM runs WHERE id = ?1"))?;
        statement.query_row([&*run.0], |row: &Row<'_>| (0..13).map(|column| row.get(column)).collect())
    }

    fn part(&mut self, no: i64, mut last: i64, ids: &[i64], needed: &mut Marks) -> Result<i64, JournalError> {
        let mut rows = Vec::with_capacity(ids.len());
        load::each(self.source, ids, |row| {
            let body = row.get_ref(4).ok().and_then(|body| body.as_str().ok()).unwrap_or_default();
            marks::of_event(body, needed);
            rows.push((0..6).map(|column| row.get(column)).collect::<rusqlite::Result<Vec<rusqlite::types::Value>>>());
        })
        .map_err(|error| from_sqlite(self.path, &error))?;
        let write = |target: &mut Connection| -> rusqlite::Result<(u64, i64)> {
            let transaction = target.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut put = transaction.prepare_cached(
                "INSERT INTO events (run, prev, seq, at, kind, path, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?;
            let mut count = 0;
            for row in rows {
                let columns = [no.into(), last.into()].into_iter().chain(row?);
                put.execute(rusqlite::params_from_iter(columns))?;
                last = transaction.last_insert_rowid();
                count += 1;
            }
            drop(put);
            transaction.execute("UPDATE purge SET event = ?2 WHERE run = ?1", [no, last])?;
            transaction.commit()?;
            Ok((count, last))
        };
        let (count, last) = write(self.target).map_err(|error| from_sqlite(self.target_path, &error))?;
        self.copied.events += count;
        Ok(last)
    }

    fn blob(&mut self, digest: &str) -> Result<(), JournalError> {
        let sql = "SELECT size, data FROM blobs WHERE digest = ?1";
        let columns = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
        let found = self.source.prepare_cached(sql).and_then(|mut find| find.query_row([digest], columns).optional());
        // Not every digest is one of a blob, that of a plan is not; and one that is lost is lost in the copy too.
        let Some((size, data)) = found.map_err(|error| from_sqlite(self.path, &error))? else { return Ok(()) };
        let put = "INSERT INTO blobs (digest, size, at, data) VALUES (?1, ?2, unixepoch() * 1000, ?3) \
                   ON CONFLICT (digest) DO UPDATE SET at = max(at, excluded.at)";
        let put = self.target.prepare_cached(put).and_then(|mut put| put.execute(params![digest, size, data]));
        put.map_err(|error| from_sqlite(self.target_path, &error))?;
        self.copied.blobs += 1;
        Ok(())
    }
}

/// Takes a number for a run that is not whole yet.
fn reserve(target: &mut Connection) -> rusqlite::Result<i64> {
    let transaction = target.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute(
        "INSERT INTO purge (run, event) VALUES (max(ifnull((SELECT max(no) FROM runs), 0), \
         ifnull((SELECT max(run) FROM purge), 0)) + 1, 0)",
        [],
    )?;
    let no = transaction.last_insert_rowid();
    transaction.commit()?;
    Ok(no)
}

/// The run is whole: it is listed.
fn publish(target: &mut Connection, no: i64, row: &[rusqlite::types::Value], head: (i64, i64)) -> rusqlite::Result<()> {
    let transaction = target.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let places: Vec<String> = (2..15).map(|place| format!("?{place}")).collect();
    let values = std::iter::once(no.into()).chain(row.iter().cloned());
    transaction.execute(
        &format!("INSERT INTO runs (no, {COLUMNS}) VALUES (?1, {})", places.join(", ")),
        rusqlite::params_from_iter(values),
    )?;
    if head.1 > 0 {
        transaction.execute("INSERT INTO heads (run, event, seq) VALUES (?1, ?2, ?3)", [no, head.0, head.1])?;
    }
    transaction.execute("DELETE FROM purge WHERE run = ?1", [no])?;
    transaction.commit()
}

impl Reader {
    /// What a file says about itself, by key: `kind` is `bundle` or `archive`; a plain store says nothing.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn about(&self, key: &str) -> Result<Option<String>, JournalError> {
        let ask = |connection: &Connection| -> rusqlite::Result<Option<String>> {
            if schema::version(connection)? < 4 {
                return Ok(None);
            }
            connection.query_row("SELECT CAST(value AS TEXT) FROM about WHERE key = ?1", [key], |row| row.get(0)).optional()
        };
        self.with(|connection, path| ask(connection).map_err(|error| from_sqlite(path, &error)))
    }
}
