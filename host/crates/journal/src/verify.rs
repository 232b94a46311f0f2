//! Checks a whole store: the file, the blobs, and the hash chain of each run.
//!
//! Events are gone through once in the order of the file, whatever run they belong to, which is quick. A run in which
//! anything is out of order there is read again by itself, so that what is wrong with it is named as everywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use catalog::Digest;
use engine::event::{RunId, Seq};
use engine::ports::JournalError;
use rusqlite::{Connection, Row};
use sha2::{Digest as _, Sha256};

use crate::chain::Verifier;
use crate::load::{self, Prefix};
use crate::problem::{from_sqlite, is_corruption};
use crate::read::Reader;
use crate::schema;
use crate::wire::decode;

/// Events that one read transaction goes through.
const EVENTS: i64 = 4_096;

/// Blobs that one read transaction goes through; some are large.
const BLOBS: i64 = 64;

/// So many things that are wrong with the file itself are named.
const FILE_FINDINGS: u32 = 20;

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verification {
    /// Runs that were checked.
    pub runs: u64,
    /// Events that were read.
    pub events: u64,
    /// Blobs that were compared with their digests.
    pub blobs: u64,
    /// What SQLite says about the file.
    pub file: Vec<String>,
    /// Digests of blobs that are not what they were.
    pub changed_blobs: Vec<String>,
    /// Runs of which something is lost or changed.
    pub damaged: Vec<DamagedRun>,
    /// Events that belong to no run of the list.
    pub lost_events: u64,
}

/// A run of which something is lost or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DamagedRun {
    /// Which.
    pub run: RunId,
    /// What is wrong.
    pub what: String,
    /// So many events from the first on can be read.
    pub readable: u64,
}

impl Verification {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.file.is_empty() && self.changed_blobs.is_empty() && self.damaged.is_empty() && self.lost_events == 0
    }
}

impl Reader {
    /// Checks everything, beside whoever writes.
    ///
    /// # Errors
    /// The store cannot be read at all.
    pub fn verify(&self) -> Result<Verification, JournalError> {
        self.with(|connection, path| {
            let mut found = Verification::default();
            let sqlite = |error| from_sqlite(path, &error);
            found.file = match file(connection) {
                Err(error) if is_corruption(&error) => vec![error.to_string()],
                other => other.map_err(sqlite)?,
            };
            let good = match blobs(connection, &mut found) {
                Err(error) if is_corruption(&error) => BTreeSet::new(),
                other => other.map_err(sqlite)?,
            };
            let mut scan = Scan::new(connection, &good).map_err(sqlite)?;
            if let Err(error) = scan.events(connection) {
                if !is_corruption(&error) {
                    return Err(sqlite(error));
                }
                scan.suspect_all();
            }
            found.runs = scan.runs.len() as u64;
            found.events = scan.events;
            found.lost_events = scan.lost;
            for (run, program) in scan.suspects() {
                found.damaged.extend(look_closer(connection, path, &run, program.as_deref())?);
            }
            Ok(found)
        })
    }

    /// Checks one run and its blobs.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store cannot be read at all.
    pub fn verify_run(&self, run: &RunId) -> Result<Verification, JournalError> {
        let Prefix { events, damage } = self.load_prefix(run)?;
        let readable = events.len() as u64;
        let mut found = Verification { runs: 1, events: readable, ..Verification::default() };
        found.damaged.extend(damage.map(|damage| DamagedRun { run: run.clone(), what: damage.to_string(), readable }));
        Ok(found)
    }
}

/// What SQLite says about its pages and indexes.
fn file(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("PRAGMA quick_check({FILE_FINDINGS})"))?;
    let lines: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

/// The blobs that are what they were.
fn blobs(connection: &Connection, found: &mut Verification) -> rusqlite::Result<BTreeSet<Digest>> {
    let mut good = BTreeSet::new();
    let mut last = 0;
    loop {
        let mut statement =
            connection.prepare_cached("SELECT rowid, digest, data FROM blobs WHERE rowid > ?1 ORDER BY rowid LIMIT ?2")?;
        let mut rows = statement.query((last, BLOBS))?;
        let before = last;
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            found.blobs += 1;
            let name: String = row.get(1)?;
            let digest = row.get_ref(2)?.as_bytes().map(|data| Digest(Sha256::digest(data).into()));
            match digest {
                Ok(digest) if digest.to_string() == name => {
                    good.insert(digest);
                }
                _ => found.changed_blobs.push(name),
            }
        }
        if last == before {
            return Ok(good);
        }
    }
}

/// A run as far as it was gone through.
struct Seen {
    id: RunId,
    program: String,
    /// Its last event, as the list of heads has it.
    head: Option<Seq>,
    verifier: Option<Verifier>,
    last: Seq,
    /// Something is not as it should be.
    suspect: bool,
}

struct Scan<'a> {
    good: &'a BTreeSet<Digest>,
    runs: BTreeMap<i64, Seen>,
    /// Numbers of runs that are being deleted.
    purged: BTreeSet<i64>,
    /// Later events are of writers that go on.
    newest: i64,
    events: u64,
    lost: u64,
}

impl<'a> Scan<'a> {
    fn new(connection: &Connection, good: &'a BTreeSet<Digest>) -> rusqlite::Result<Self> {
        let transaction = connection.unchecked_transaction()?;
        let newest = transaction.query_row("SELECT ifnull(max(id), 0) FROM events", [], |row| row.get(0))?;
        let mut runs = BTreeMap::new();
        let sql = "SELECT no, id, program, seq FROM runs LEFT JOIN heads ON heads.run = no";
        let mut statement = transaction.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let id = RunId(row.get::<_, String>(1)?.into());
            let head = row.get::<_, Option<i64>>(3)?.and_then(|seq| Seq::try_from(seq).ok());
            let verifier = Some(Verifier::new(&id));
            runs.insert(row.get(0)?, Seen { id, program: row.get(2)?, head, verifier, last: 0, suspect: head.is_none() });
        }
        drop(rows);
        drop(statement);
        let mut purged = BTreeSet::new();
        if schema::version(&transaction)? >= 4 {
            let mut statement = transaction.prepare("SELECT run FROM purge")?;
            purged = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        }
        transaction.finish()?;
        Ok(Self { good, runs, purged, newest, events: 0, lost: 0 })
    }

    fn events(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut from = 0;
        while from < self.newest {
            let to = from.saturating_add(EVENTS).min(self.newest);
            let mut statement = connection.prepare_cached(
                "SELECT seq, at, kind, path, body, hash, run FROM events WHERE id > ?1 AND id <= ?2 ORDER BY id",
            )?;
            let mut rows = statement.query((from, to))?;
            while let Some(row) = rows.next()? {
                self.event(row);
            }
            from = to;
        }
        Ok(())
    }

    fn event(&mut self, row: &Row<'_>) {
        self.events += 1;
        let run = row.get::<_, i64>(6).unwrap_or_default();
        let Some(seen) = self.runs.get_mut(&run) else {
            self.lost += u64::from(!self.purged.contains(&run));
            return;
        };
        let seq = row.get::<_, i64>(0).ok().and_then(|seq| Seq::try_from(seq).ok()).unwrap_or_default();
        let (Some(verifier), Some((link, hash))) = (&mut seen.verifier, load::link(seq, row)) else {
            seen.suspect = true;
            return;
        };
        let holds = verifier.event(link, hash);
        seen.last = seq;
        let good = self.good;
        let mut blob = |digest| if good.contains(&digest) { Ok(b"null".to_vec()) } else { Err(String::new()) };
        if !holds || decode(link.kind, link.path, link.body, &mut blob).is_err() {
            seen.suspect = true;
        }
        // Damaged or at its end: the chain is not needed any more.
        if seen.suspect || seen.head == Some(seq) {
            seen.verifier = None;
        }
    }

    fn suspect_all(&mut self) {
        self.runs.values_mut().for_each(|seen| seen.suspect = true);
    }

    /// Runs that are looked at again, with the program when that is lost.
    fn suspects(self) -> Vec<(RunId, Option<String>)> {
        let programs: BTreeSet<String> = self.good.iter().map(Digest::to_string).collect();
        let suspect = |seen: Seen| {
            let lost = !programs.contains(&seen.program);
            let short = seen.head != Some(seen.last);
            (seen.suspect || short || lost).then_some((seen.id, lost.then_some(seen.program)))
        };
        self.runs.into_values().filter_map(suspect).collect()
    }
}

/// What is wrong with a run, if it is still there.
fn look_closer(
    connection: &Connection,
    path: &Path,
    run: &RunId,
    program: Option<&str>,
) -> Result<Option<DamagedRun>, JournalError> {
    let Prefix { events, damage } = match load::load(connection, path, run) {
        Err(JournalError::NoSuchRun(_)) => return Ok(None),
        other => other?,
    };
    let lost = || program.map(|program| format!("its program {program} is lost: it can be read, and not be resumed"));
    let what = damage.map(|damage| damage.to_string()).or_else(lost);
    Ok(what.map(|what| DamagedRun { run: run.clone(), what, readable: events.len() as u64 }))
}
