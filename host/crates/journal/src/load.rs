//! Loads the events of a run, checking its hash chain.

use std::path::Path;

use catalog::Digest;
use engine::event::{Event, RunId, Seq, Timestamp};
use engine::ports::JournalError;
use rusqlite::{Connection, OptionalExtension, Row};
use sha2::{Digest as _, Sha256};

use crate::chain::{Hash, Link, Verifier};
use crate::problem::{from_sqlite, is_corruption};
use crate::wire::{WireError, decode};
use crate::writer::{MAX_SEQ, RUN_SHIFT};

/// Events that one query reads. A read transaction ends with its query, so that it does not hold up a checkpoint.
const CHUNK: i64 = 2048;

/// The events of a run up to the first damage.
#[derive(Clone, Debug, PartialEq)]
pub struct Prefix {
    /// Whole, in order, from the first.
    pub events: Vec<Event>,
    /// What is wrong with the others, if anything is.
    pub damage: Option<JournalError>,
}

/// The number of a run and the least position that it is known to have reached.
pub(crate) fn find(connection: &Connection, path: &Path, run: &RunId) -> Result<(i64, Seq), JournalError> {
    let mut statement =
        connection.prepare_cached("SELECT no, last_seq FROM runs WHERE id = ?1").map_err(|error| from_sqlite(path, &error))?;
    let found = statement.query_row([&*run.0], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?))).optional();
    match found.map_err(|error| from_sqlite(path, &error))? {
        Some((no, last)) => Ok((no, Seq::try_from(last).unwrap_or_default())),
        None => Err(JournalError::NoSuchRun(run.to_string())),
    }
}

/// All events that are whole, and what is wrong with the rest.
pub(crate) fn load(connection: &Connection, path: &Path, run: &RunId) -> Result<Prefix, JournalError> {
    let (no, expected) = find(connection, path, run)?;
    let mut loader = Loader { connection, path, run, verifier: Verifier::new(run), events: Vec::new(), stop: None, whole: true };
    let mut after = no << RUN_SHIFT;
    let end = no << RUN_SHIFT | MAX_SEQ;
    loop {
        match loader.chunk(after, end) {
            Ok((count, _)) if count < CHUNK => break,
            Ok((_, last)) => after = last,
            Err(error) if is_corruption(&error) => {
                let what = format!("the events after {} cannot be read: {error}", loader.events.len());
                loader.stop.get_or_insert(JournalError::Damaged { run: run.clone(), what });
                return Ok(Prefix { events: loader.events, damage: loader.stop });
            }
            Err(error) => return Err(from_sqlite(path, &error)),
        }
    }
    let damage = loader.verifier.finish(expected);
    let damage =
        if damage.is_none() { loader.stop } else { Some(JournalError::Damaged { run: run.clone(), what: damage.to_string() }) };
    Ok(Prefix { events: loader.events, damage })
}

struct Loader<'a> {
    connection: &'a Connection,
    path: &'a Path,
    run: &'a RunId,
    verifier: Verifier,
    events: Vec<Event>,
    /// Why an event whose hash holds could still not be read.
    stop: Option<JournalError>,
    /// Nothing was wrong so far.
    whole: bool,
}

impl Loader<'_> {
    /// How many events were there, and the id of the last.
    fn chunk(&mut self, after: i64, end: i64) -> rusqlite::Result<(i64, i64)> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, at, kind, path, body, hash FROM events WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3",
        )?;
        let mut rows = statement.query((after, end, CHUNK))?;
        let (mut count, mut last) = (0, after);
        while let Some(row) = rows.next()? {
            last = row.get(0)?;
            count += 1;
            self.row(Seq::try_from(last & MAX_SEQ).unwrap_or_default(), row);
        }
        Ok((count, last))
    }

    fn row(&mut self, seq: Seq, row: &Row<'_>) {
        let Some((link, hash)) = link(seq, row) else {
            self.verifier.unreadable(seq);
            self.whole = false;
            return;
        };
        self.whole &= self.verifier.event(link, hash);
        if !self.whole {
            return;
        }
        let mut blob = |digest| read_blob(self.connection, self.path, digest).map_err(|error| error.to_string());
        match decode(link.kind, link.path, link.body, &mut blob) {
            Ok(body) => self.events.push(Event { seq, at: Timestamp(link.at), body }),
            Err(error) => {
                self.whole = false;
                self.stop = Some(self.undecodable(seq, &error));
            }
        }
    }

    fn undecodable(&self, seq: Seq, error: &WireError) -> JournalError {
        match error {
            WireError::UnknownKind(_) | WireError::UnknownVersion { .. } => {
                JournalError::Unavailable(format!("run `{}` cannot be read: event {seq}: {error}", self.run))
            }
            _ => JournalError::Damaged { run: self.run.clone(), what: format!("event {seq}: {error}") },
        }
    }
}

/// The parts that the chain covers, if the row has the types that were written.
fn link<'a>(seq: Seq, row: &'a Row<'_>) -> Option<(Link<'a>, Option<Hash>)> {
    let text = |column| row.get_ref(column).ok()?.as_str().ok();
    let at = u64::try_from(row.get::<_, i64>(1).ok()?).ok()?;
    let hash = row.get::<_, Hash>(5).ok();
    Some((Link { seq, at, kind: text(2)?, path: text(3)?, body: text(4)? }, hash))
}

/// The blob with this digest, compared with it.
pub(crate) fn read_blob(connection: &Connection, path: &Path, digest: Digest) -> Result<Vec<u8>, JournalError> {
    let sqlite = |error| from_sqlite(path, &error);
    let mut statement = connection.prepare_cached("SELECT data FROM blobs WHERE digest = ?1").map_err(sqlite)?;
    let found = statement.query_row([digest.to_string()], |row| row.get::<_, Vec<u8>>(0)).optional().map_err(sqlite)?;
    let bytes = found.ok_or(JournalError::NoSuchBlob(digest))?;
    if Sha256::digest(&bytes).as_slice() == digest.0 {
        Ok(bytes)
    } else {
        Err(crate::problem::unavailable(
            path,
            format_args!("is damaged: the blob {digest} was changed; restore it from a backup"),
        ))
    }
}
