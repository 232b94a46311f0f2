//! Counts attempts that are not counted yet, and writes down what was counted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use engine::ports::JournalError;
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};

use super::HOUR;
use super::histogram::Histogram;
use super::tally::{Tally, node_of};
use crate::options::Options;
use crate::problem::from_sqlite;
use crate::read::Reader;
use crate::schema::{open_writer, version};
use crate::wire::{decode, kind};

/// Events that one read transaction goes through.
const PART: i64 = 4_096;

/// Events after which what was counted is written down.
const WRITTEN_AFTER: i64 = 64 * PART;

/// The key in `about` of the last event that is counted.
const COUNTED: &str = "node_stats";

/// What is summed up together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) flow: Arc<str>,
    pub(super) node: String,
    /// Since the Unix epoch.
    pub(super) hour: u64,
}

/// Sums.
pub(super) type Tallies = BTreeMap<Key, Tally>;

/// Counts up to the end of the store, and writes it down where that is possible.
pub(super) fn catch_up(reader: &Reader) -> Result<Counter, JournalError> {
    let mut counter = reader.with(|connection, path| Counter::new(connection).map_err(|error| from_sqlite(path, &error)))?;
    let mut writer = None;
    loop {
        let more = reader.with(|connection, path| counter.part(connection).map_err(|error| from_sqlite(path, &error)))?;
        let due = !more || counter.last - counter.from >= WRITTEN_AFTER;
        if due && counter.may_write && counter.last > counter.from {
            let path = reader.path();
            writer = writer.or_else(|| open(path));
            // A store that cannot be written now is no reason not to answer.
            counter.may_write = writer.as_mut().is_some_and(|writer| counter.write(writer).unwrap_or(false));
        }
        if !more {
            return Ok(counter);
        }
    }
}

fn open(path: &Path) -> Option<Connection> {
    let writable = std::fs::metadata(path).is_ok_and(|file| !file.permissions().readonly());
    writable.then(|| open_writer(path, &Options::default()).ok()).flatten()
}

/// The last event that is counted; 0 for none.
pub(crate) fn counted(connection: &Connection) -> rusqlite::Result<i64> {
    let found = connection.prepare_cached("SELECT value FROM about WHERE key = ?1")?.query_row([COUNTED], |row| row.get(0));
    Ok(found.optional()?.unwrap_or(0))
}

/// Says which event is the last that is counted.
pub(crate) fn set_counted(connection: &Connection, event: i64) -> rusqlite::Result<()> {
    let sql = "INSERT INTO about (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    connection.prepare_cached(sql)?.execute(params![COUNTED, event]).map(drop)
}

/// Goes through the events that are not counted.
pub(super) struct Counter {
    /// The last event that is counted in the store.
    from: i64,
    /// The last one that is counted here.
    last: i64,
    /// Whether the tables for it are there.
    may_write: bool,
    /// What is not in the store.
    pub(super) tallies: Tallies,
    flows: BTreeMap<i64, Option<Arc<str>>>,
}

impl Counter {
    fn new(connection: &Connection) -> rusqlite::Result<Self> {
        let may_write = version(connection)? >= 4;
        let from = if may_write { counted(connection)? } else { 0 };
        Ok(Self { from, last: from, may_write, tallies: Tallies::new(), flows: BTreeMap::new() })
    }

    /// Whether what is in the store is still what this began with: what both have would count twice.
    pub(super) fn holds(&self, connection: &Connection) -> rusqlite::Result<bool> {
        Ok(version(connection)? < 4 || counted(connection)? == self.from)
    }

    /// Counts a part; whether there may be more.
    fn part(&mut self, connection: &Connection) -> rusqlite::Result<bool> {
        let transaction = connection.unchecked_transaction()?;
        let end = self.last.saturating_add(PART);
        let mut events =
            transaction.prepare_cached("SELECT run, at, kind, path, body FROM events WHERE id > ?1 AND id <= ?2 ORDER BY id")?;
        let mut rows = events.query((self.last, end))?;
        while let Some(row) = rows.next()? {
            if is_end(row.get_ref(2)?.as_str().unwrap_or_default()) {
                self.event(&transaction, row)?;
            }
        }
        drop(rows);
        let newest: i64 = transaction.query_row("SELECT ifnull(max(id), 0) FROM events", [], |row| row.get(0))?;
        self.last = end.min(newest.max(self.last));
        drop(events);
        transaction.finish()?;
        Ok(self.last < newest)
    }

    fn event(&mut self, connection: &Connection, row: &Row<'_>) -> rusqlite::Result<()> {
        let Some(flow) = self.flow(connection, row.get(0)?)? else { return Ok(()) };
        let text = |column| row.get_ref(column).ok().and_then(|value| value.as_str().ok()).unwrap_or_default();
        let mut absent = |_| Ok(b"null".to_vec());
        // What cannot be read is named by `verify`; it is no reason to count nothing.
        if let Ok(body) = decode(text(2), text(3), text(4), &mut absent) {
            let hour = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default() / HOUR;
            self.tallies.entry(Key { flow, node: node_of(text(3)), hour }).or_default().add(&body);
        }
        Ok(())
    }

    /// The flow of a run; none of a run that is being deleted.
    fn flow(&mut self, connection: &Connection, run: i64) -> rusqlite::Result<Option<Arc<str>>> {
        if let Some(flow) = self.flows.get(&run) {
            return Ok(flow.clone());
        }
        let mut statement = connection.prepare_cached("SELECT flow FROM runs WHERE no = ?1")?;
        let flow = statement.query_row([run], |row| row.get::<_, String>(0)).optional()?.map(Arc::from);
        if self.flows.len() >= 100_000 {
            self.flows.clear();
        }
        self.flows.insert(run, flow.clone());
        Ok(flow)
    }

    /// Writes down what was counted, unless somebody else has; whether it did.
    fn write(&mut self, connection: &mut Connection) -> rusqlite::Result<bool> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if counted(&transaction)? != self.from {
            return Ok(false);
        }
        for (key, tally) in &self.tallies {
            add(&transaction, key, tally)?;
        }
        set_counted(&transaction, self.last)?;
        transaction.commit()?;
        self.tallies.clear();
        self.from = self.last;
        Ok(true)
    }
}

fn is_end(name: &str) -> bool {
    matches!(name, kind::ATTEMPT_SUCCEEDED | kind::ATTEMPT_FAILED | kind::ATTEMPT_CANCELLED | kind::OUTCOME_UNKNOWN)
}

fn add(connection: &Connection, key: &Key, tally: &Tally) -> rusqlite::Result<()> {
    let hour = integer(key.hour);
    let place = (&*key.flow, &key.node, hour);
    let mut known = connection.prepare_cached(
        "SELECT succeeded, failed, cancelled, unknown, retries, hits, fuel, memory, wall, longest, walls \
         FROM node_stats WHERE flow = ?1 AND node = ?2 AND hour = ?3",
    )?;
    let mut sum = known.query_row(place, |row| self::tally(row, 0)).optional()?.unwrap_or_default();
    sum.merge(tally);
    let mut put = connection.prepare_cached(
        "INSERT OR REPLACE INTO node_stats (flow, node, hour, succeeded, failed, cancelled, unknown, retries, hits, fuel, memory, \
         wall, longest, walls) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    let Tally { succeeded, failed, cancelled, unknown, retries, hits, fuel, memory, wall, walls } = &sum;
    let [succeeded, failed, cancelled] = [succeeded, failed, cancelled].map(|number| integer(*number));
    let [unknown, retries, hits] = [unknown, retries, hits].map(|number| integer(*number));
    let [fuel, memory, wall, longest] = [*fuel, *memory, *wall, walls.largest()].map(integer);
    let walls = walls.to_text();
    put.execute(params![
        &*key.flow, key.node, hour, succeeded, failed, cancelled, unknown, retries, hits, fuel, memory, wall, longest, walls
    ])?;
    Ok(())
}

/// A stored sum, from this column on.
pub(super) fn tally(row: &Row<'_>, first: usize) -> rusqlite::Result<Tally> {
    let number = |at: usize| row.get::<_, i64>(first + at).map(|number| u64::try_from(number).unwrap_or_default());
    let walls = Histogram::from_text(row.get_ref(first + 10)?.as_str()?, number(9)?).unwrap_or_default();
    Ok(Tally {
        succeeded: number(0)?,
        failed: number(1)?,
        cancelled: number(2)?,
        unknown: number(3)?,
        retries: number(4)?,
        hits: number(5)?,
        fuel: number(6)?,
        memory: number(7)?,
        wall: number(8)?,
        walls,
    })
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
