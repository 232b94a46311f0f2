//! Loads the events of a run, checking its hash chain.

use std::path::Path;

use catalog::Digest;
use engine::event::{Event, RunId, Seq, Timestamp};
use engine::ports::{Cached, JournalError};
use rusqlite::{Connection, OptionalExtension, Row};
use sha2::{Digest as _, Sha256};

use crate::chain::{Hash, Link, Verifier};
use crate::problem::{from_sqlite, is_corruption};
use crate::wire::{WireError, decode, kind};

/// Events that are read in one read transaction; a longer one would hold up checkpoints.
const CHUNK: usize = 2048;

/// The events of a run up to the first damage.
#[derive(Clone, Debug, PartialEq)]
pub struct Prefix {
    /// Whole, in order, from the first.
    pub events: Vec<Event>,
    /// What is wrong with the others, if anything is.
    pub damage: Option<JournalError>,
}

/// Where a run's events are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The run's number.
    no: i64,
    /// Its last event and the position of that, unless the head is lost.
    head: Option<(i64, i64)>,
}

impl Place {
    /// The position of its last event, unless the head is lost.
    pub(crate) fn seq(self) -> Option<i64> {
        self.head.map(|(_, seq)| seq)
    }
}

/// Where the events of a run are.
pub(crate) fn find(connection: &Connection, path: &Path, run: &RunId) -> Result<Place, JournalError> {
    let sql = "SELECT runs.no, heads.event, heads.seq FROM runs LEFT JOIN heads ON heads.run = runs.no WHERE runs.id = ?1";
    let columns = |row: &Row<'_>| Ok(Place { no: row.get(0)?, head: row.get::<_, Option<i64>>(1)?.zip(row.get(2)?) });
    let ask = || connection.prepare_cached(sql)?.query_row([&*run.0], columns).optional();
    let found = ask().map_err(|error| from_sqlite(path, &error))?;
    found.ok_or_else(|| JournalError::NoSuchRun(run.to_string()))
}

/// The ids of the run's events after the position `after`, in order.
pub(crate) fn ids(connection: &Connection, place: Place, after: Seq) -> rusqlite::Result<Vec<i64>> {
    if let Some(ids) = follow(connection, place, after, |_| true)? {
        return Ok(ids);
    }
    // A link is broken: everything that says that it belongs to the run is looked at.
    let mut statement = connection.prepare_cached("SELECT id FROM events WHERE run = ?1 AND seq > ?2 ORDER BY seq, id")?;
    let rows = statement.query_map((place.no, i64::try_from(after).unwrap_or(i64::MAX)), |row| row.get(0))?;
    rows.collect()
}

/// So many rows of other runs are passed over before the next event is looked up by its id: a run that has the store for
/// itself is read from end to beginning, one among many from event to event.
const PASSED: u32 = 16;

/// From the head back to the event after `after`: the ids of the events whose kind is wanted. None when a link does not hold.
fn follow(
    connection: &Connection,
    place: Place,
    after: Seq,
    wanted: impl Fn(&str) -> bool,
) -> rusqlite::Result<Option<Vec<i64>>> {
    let Some((mut event, mut seq)) = place.head else { return Ok(None) };
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let sql = "SELECT id, run, seq, prev, kind FROM events WHERE id <= ?1 ORDER BY id DESC";
    let mut statement = connection.prepare_cached(sql)?;
    let mut ids = Vec::new();
    while seq > after {
        let (mut passed, mut taken) = (0, 0);
        let mut rows = statement.query([event])?;
        while seq > after && passed <= PASSED && taken < CHUNK {
            let Some(row) = rows.next()? else { return Ok(None) };
            let id: i64 = row.get(0)?;
            if id > event {
                passed += 1;
                continue;
            }
            let found = (id, row.get(1).ok(), row.get(2).ok());
            if found != (event, Some(place.no), Some(seq)) {
                return Ok(None);
            }
            if row.get_ref(4)?.as_str().is_ok_and(&wanted) {
                ids.push(id);
            }
            event = row.get(3)?;
            (passed, taken, seq) = (0, taken + 1, seq - 1);
        }
    }
    ids.reverse();
    Ok((after > 0 || event == 0).then_some(ids))
}

/// The events of a run that say which programs it has had and how it ended. They are not checked, except that they can be read.
pub(crate) fn outline(connection: &Connection, path: &Path, run: &RunId) -> Result<Vec<Event>, JournalError> {
    let place = find(connection, path, run)?;
    let sqlite = |error| from_sqlite(path, &error);
    let wanted = |name: &str| [kind::RUN_STARTED, kind::MIGRATED, kind::RUN_ENDED].contains(&name);
    let Some(ids) = follow(connection, place, 0, wanted).map_err(sqlite)? else {
        let Prefix { events, damage } = load(connection, path, run)?;
        return damage.map_or(Ok(events), Err);
    };
    let mut events = Vec::new();
    let mut problem = None;
    each(connection, &ids, |row| {
        let mut blob = |digest| read_blob(connection, path, digest).map_err(|error| error.to_string());
        let seq = row.get::<_, i64>(0).ok().and_then(|seq| Seq::try_from(seq).ok());
        let Some((link, _)) = seq.and_then(|seq| link(seq, row)) else { return };
        match decode(link.kind, link.path, link.body, &mut blob) {
            Ok(body) => events.push(Event { seq: link.seq, at: Timestamp(link.at), body }),
            Err(error) => problem = problem.take().or(Some((link.seq, error))),
        }
    })
    .map_err(sqlite)?;
    match problem {
        Some((seq, error)) => Err(undecodable(run, seq, &error)),
        None => Ok(events),
    }
}

/// Reads the events with these ids, a part at a time.
pub(crate) fn each(connection: &Connection, ids: &[i64], mut take: impl FnMut(&Row<'_>)) -> rusqlite::Result<()> {
    let sql = "SELECT seq, at, kind, path, body, hash FROM events WHERE id = ?1";
    for part in ids.chunks(CHUNK) {
        let transaction = connection.unchecked_transaction()?;
        let mut statement = transaction.prepare_cached(sql)?;
        for id in part {
            let mut rows = statement.query([id])?;
            if let Some(row) = rows.next()? {
                take(row);
            }
        }
        drop(statement);
        transaction.finish()?;
    }
    Ok(())
}

/// All events that are whole, and what is wrong with the rest.
pub(crate) fn load(connection: &Connection, path: &Path, run: &RunId) -> Result<Prefix, JournalError> {
    let mut events = Vec::new();
    let damage = read(connection, path, run, &mut |event| {
        events.push(event);
        true
    })?;
    Ok(Prefix { events, damage })
}

/// Gives the events that are whole, one at a time, as long as they are wanted. Says what is wrong with the rest.
pub(crate) fn read(
    connection: &Connection,
    path: &Path,
    run: &RunId,
    take: &mut dyn FnMut(Event) -> bool,
) -> Result<Option<JournalError>, JournalError> {
    let place = find(connection, path, run)?;
    let verifier = Verifier::new(run);
    let mut loader = Loader { connection, path, run, verifier, take, taken: 0, wanted: true, stop: None, whole: true };
    let damaged = |what: String| JournalError::Damaged { run: run.clone(), what };
    let read = ids(connection, place, 0).and_then(|ids| each(connection, &ids, |row| loader.row(row)));
    if let Err(error) = read {
        if !is_corruption(&error) {
            return Err(from_sqlite(path, &error));
        }
        let what = format!("the events after {} cannot be read: {error}", loader.taken);
        return Ok(Some(loader.stop.unwrap_or_else(|| damaged(what))));
    }
    if !loader.wanted {
        return Ok(None);
    }
    let expected = place.head.and_then(|(_, seq)| Seq::try_from(seq).ok());
    let damage = loader.verifier.finish(expected.unwrap_or_default());
    let lost_head = || expected.is_none().then(|| damaged("its head is missing, so its end is not known".to_owned()));
    Ok(if damage.is_none() { loader.stop.or_else(lost_head) } else { Some(damaged(damage.to_string())) })
}

struct Loader<'a> {
    connection: &'a Connection,
    path: &'a Path,
    run: &'a RunId,
    verifier: Verifier,
    take: &'a mut dyn FnMut(Event) -> bool,
    /// So many events were taken.
    taken: u64,
    /// Further ones are taken.
    wanted: bool,
    /// Why an event whose hash holds could still not be read.
    stop: Option<JournalError>,
    /// Nothing was wrong so far.
    whole: bool,
}

impl Loader<'_> {
    fn row(&mut self, row: &Row<'_>) {
        if !self.wanted {
            return;
        }
        let Some(seq) = row.get::<_, i64>(0).ok().and_then(|seq| Seq::try_from(seq).ok()) else {
            self.whole = false;
            return;
        };
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
            Ok(body) => {
                self.taken += 1;
                self.wanted = (self.take)(Event { seq, at: Timestamp(link.at), body });
            }
            Err(error) => {
                self.whole = false;
                self.stop = Some(undecodable(self.run, seq, &error));
            }
        }
    }
}

/// Why an event cannot be read though it is there.
fn undecodable(run: &RunId, seq: Seq, error: &WireError) -> JournalError {
    match error {
        WireError::UnknownKind(_) | WireError::UnknownVersion { .. } => {
            JournalError::Unavailable(format!("run `{run}` cannot be read: event {seq}: {error}"))
        }
        _ => JournalError::Damaged { run: run.clone(), what: format!("event {seq}: {error}") },
    }
}

/// The parts that the chain covers, if the row has the types that were written.
pub(crate) fn link<'a>(seq: Seq, row: &'a Row<'_>) -> Option<(Link<'a>, Option<Hash>)> {
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

/// What the cache holds under this key.
pub(crate) fn read_cache(connection: &Connection, path: &Path, key: Digest) -> Result<Option<Cached>, JournalError> {
    let sqlite = |error| from_sqlite(path, &error);
    let mut statement = connection.prepare_cached("SELECT at, data FROM cache WHERE key = ?1").map_err(sqlite)?;
    let entry = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?));
    let found = statement.query_row([key.to_string()], entry).optional().map_err(sqlite)?;
    Ok(found.and_then(|(at, data)| {
        Some(Cached { payload: String::from_utf8(data).ok()?, at: Timestamp(u64::try_from(at).unwrap_or_default()) })
    }))
}
