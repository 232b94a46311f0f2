//! Inboxes: what was sent to a run stands here until its journal has it.

use std::sync::Arc;

use engine::core::mail::MAX_KEPT;
use engine::event::{RunId, Timestamp};
use engine::ports::{Control, JournalError, Letter, Live, Mail, MailStore, MailWrite, Message, RunsOn, Signal};
use futures::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::deploy;
use crate::order;
use crate::problem::from_sqlite;
use crate::replica::Change;
use crate::schema;
use crate::store::SqliteJournal;

const SIGNAL: &str = "signal";
const MESSAGE: &str = "message";
/// The one letter beyond a full inbox: its payload counts the messages that did not come.
const DROPPED: &str = "dropped";

/// So many control letters wait for a run at most; further ones are not taken.
const MOST_CONTROLS: i64 = 1_000;

/// So many arrivals are told of at once.
const ARRIVALS: i64 = 10_000;

/// Puts a control letter into an inbox, however full it is otherwise.
const PUT_CONTROL: &str = "INSERT OR IGNORE INTO inbox (no, run, kind, name, id, payload, at) SELECT ?7, ?1, 'control', ?2, ?3, ?4, ?5 \
    WHERE (SELECT count(*) FROM inbox WHERE run = ?1 AND kind = 'control') < ?6";

/// Puts one letter into an inbox, unless it is full or has it already.
const PUT: &str = "INSERT OR IGNORE INTO inbox (no, run, kind, name, id, payload, at) SELECT ?8, ?1, ?2, ?3, ?4, ?5, ?6 \
    WHERE (SELECT count(*) FROM (SELECT 1 FROM inbox WHERE run = ?1 LIMIT ?7)) < ?7";

/// Writes inside of a transaction. In a replica letters get numbers from the first that is given on; else the next ones.
pub(crate) fn write(connection: &Connection, write: &MailWrite, now: i64, first: Option<i64>) -> rusqlite::Result<()> {
    let most = i64::try_from(MAX_KEPT).unwrap_or(i64::MAX);
    match write {
        MailWrite::Publish(message) => publish(connection, message, now, first)?,
        MailWrite::Control(run, Control { id, order }) => {
            let (name, payload) = order::encode(order);
            let values = params![&*run.0, name, &**id, payload, now, MOST_CONTROLS, first];
            connection.prepare_cached(PUT_CONTROL)?.execute(values)?;
        }
        MailWrite::Signal(run, Signal { name, id, payload }) => {
            connection.prepare_cached(PUT)?.execute(params![&*run.0, SIGNAL, &**name, &**id, &**payload, now, most, first])?;
        }
        MailWrite::Subscribe(run, topics) => {
            let mut add = connection.prepare_cached("INSERT OR IGNORE INTO listens (topic, run) VALUES (?1, ?2)")?;
            for topic in topics {
                add.execute([&**topic, &*run.0])?;
            }
        }
        MailWrite::Unsubscribe(run, topic) => {
            connection.prepare_cached("DELETE FROM listens WHERE topic = ?1 AND run = ?2")?.execute([&**topic, &*run.0])?;
        }
        MailWrite::Remove(run, letters) => {
            let mut remove = connection.prepare_cached("DELETE FROM inbox WHERE no = ?1 AND run = ?2")?;
            for no in letters {
                remove.execute(params![i64::try_from(*no).unwrap_or(i64::MAX), &*run.0])?;
            }
        }
        MailWrite::Waiting(run, Some(note)) => {
            let sql = "INSERT INTO waiting (run, what, live, at) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT (run) DO UPDATE SET what = ?2, live = ?3, at = ?4";
            let live: Vec<Vec<String>> = note.live.iter().map(stored_live).collect();
            let live = (!live.is_empty()).then(|| serde_json::json!(live).to_string());
            connection.prepare_cached(sql)?.execute(params![&*run.0, note.what, live, now])?;
        }
        MailWrite::Waiting(run, None) => {
            connection.prepare_cached("DELETE FROM waiting WHERE run = ?1")?.execute([&*run.0])?;
        }
        MailWrite::Forget(run) => {
            for table in ["inbox", "listens", "waiting"] {
                connection.prepare_cached(&format!("DELETE FROM {table} WHERE run = ?1"))?.execute([&*run.0])?;
            }
        }
    }
    Ok(())
}

/// Puts a message into the inbox of each run that listens and has not ended. Which number a letter has says who listens, and
/// not who has ended: that is not known everywhere at the same time.
fn publish(connection: &Connection, message: &Message, now: i64, first: Option<i64>) -> rusqlite::Result<()> {
    let Message { topic, id, payload, .. } = message;
    let most = i64::try_from(MAX_KEPT).unwrap_or(i64::MAX);
    let runs: Vec<(String, bool)> = connection
        .prepare_cached(
            "SELECT listens.run, runs.ended IS NULL FROM listens LEFT JOIN runs ON runs.id = listens.run \
             WHERE listens.topic = ?1 ORDER BY listens.run",
        )?
        .query_map([&**topic], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let mut put = connection.prepare_cached(PUT)?;
    for ((run, _), no) in runs.into_iter().zip(0..).filter(|((_, open), _)| *open) {
        let no = first.map(|first| first.saturating_add(no));
        if put.execute(params![run, MESSAGE, &**topic, &**id, &**payload, now, most, no])? == 0 {
            dropped(connection, &run, id, now, no)?;
        }
    }
    deploy::published(connection, message, now, first)
}

/// A message is not in the inbox: counts it, unless it is there already.
fn dropped(connection: &Connection, run: &str, id: &str, now: i64, no: Option<i64>) -> rusqlite::Result<()> {
    let known = connection.prepare_cached("SELECT 1 FROM inbox WHERE run = ?1 AND id = ?2")?.exists([run, id])?;
    if known {
        return Ok(());
    }
    let sql = "INSERT INTO inbox (no, run, kind, name, id, payload, at) VALUES (?4, ?1, ?2, '', ?2, 1, ?3) \
               ON CONFLICT (run, id) DO UPDATE SET payload = payload + 1";
    connection.prepare_cached(sql)?.execute(params![run, DROPPED, now, no]).map(drop)
}

/// What a run waits for, as it was last noted.
pub(crate) fn waiting(connection: &Connection, run: &RunId) -> rusqlite::Result<Option<String>> {
    if is_old(connection)? {
        return Ok(None);
    }
    let sql = "SELECT what FROM waiting WHERE run = ?1 AND what <> ''";
    connection.prepare_cached(sql)?.query_row([&*run.0], |row| row.get(0)).optional()
}

/// The steps of a run that wait for something which its events do not tell, as its owner last noted.
pub(crate) fn live(connection: &Connection, run: &RunId) -> rusqlite::Result<Vec<Live>> {
    if schema::version(connection)? < 4 {
        return Ok(Vec::new());
    }
    let mut ask = connection.prepare_cached("SELECT live FROM waiting WHERE run = ?1")?;
    let text: Option<String> = ask.query_row([&*run.0], |row| row.get(0)).optional()?.flatten();
    // It is only for people: what cannot be read says nothing.
    let stored: Option<Vec<Vec<String>>> = text.and_then(|text| serde_json::from_str(&text).ok());
    Ok(stored.unwrap_or_default().into_iter().filter_map(read_live).collect())
}

/// Path, what for, and where they are known, until when; of one that runs on another host, since when, and that host. Times are in
/// milliseconds.
fn stored_live(live: &Live) -> Vec<String> {
    let Live { path, what, until, runs } = live;
    let time = |at: Option<Timestamp>| at.map_or_else(String::new, |at| at.0.to_string());
    let mut stored = vec![path.to_string(), what.clone()];
    match runs {
        Some(runs) => stored.extend([time(*until), time(Some(runs.since)), runs.host.to_string()]),
        None => stored.extend(until.map(|until| time(Some(until)))),
    }
    stored
}

fn read_live(stored: Vec<String>) -> Option<Live> {
    let mut stored = stored.into_iter();
    let (path, what) = (stored.next()?.into(), stored.next()?);
    let mut time = || stored.next().and_then(|at| at.parse().ok()).map(Timestamp);
    let (until, since) = (time(), time());
    let runs = since.zip(stored.next()).map(|(since, host)| RunsOn { host: host.into(), since });
    Some(Live { path, what, until, runs })
}

/// Whether the store is of version 1, which has no inboxes, and was only opened for reading.
fn is_old(connection: &Connection) -> rusqlite::Result<bool> {
    schema::version(connection).map(|version| version < 2)
}

fn letters(connection: &Connection, run: &RunId, after: u64, limit: usize) -> rusqlite::Result<Vec<Letter>> {
    let sql = "SELECT no, kind, name, id, payload FROM inbox WHERE run = ?1 AND no > ?2 AND kind <> 'control' \
               ORDER BY no LIMIT ?3";
    let values = params![&*run.0, integer(after), i64::try_from(limit).unwrap_or(i64::MAX)];
    connection.prepare_cached(sql)?.query_map(values, letter)?.collect()
}

/// One that cannot be read is left where it is: nothing says what it wants.
fn controls(connection: &Connection, run: &RunId, after: u64) -> rusqlite::Result<Vec<Letter>> {
    let sql = "SELECT no, kind, name, id, payload FROM inbox WHERE run = ?1 AND no > ?2 AND kind = 'control' ORDER BY no";
    let mut statement = connection.prepare_cached(sql)?;
    let letters = statement.query_map(params![&*run.0, integer(after)], |row| {
        let (name, payload): (String, String) = (row.get(2)?, row.get(4)?);
        let id = row.get::<_, String>(3)?.into();
        let control = |order| Mail::Control(Control { id, order });
        Ok(order::decode(&name, &payload).map(control).map(|mail| Letter { no: number(row), mail }))
    })?;
    letters.filter_map(Result::transpose).collect()
}

fn arrived(connection: &Connection, after: u64) -> rusqlite::Result<Vec<(u64, RunId)>> {
    let sql = "SELECT no, run FROM inbox WHERE no > ?1 ORDER BY no LIMIT ?2";
    let arrival = |row: &Row<'_>| Ok((number(row), RunId(row.get::<_, String>(1)?.into())));
    connection.prepare_cached(sql)?.query_map([integer(after), ARRIVALS], arrival)?.collect()
}

fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A letter's number, its row's first column.
fn number(row: &Row<'_>) -> u64 {
    row.get::<_, i64>(0).ok().and_then(|no| u64::try_from(no).ok()).unwrap_or_default()
}

fn letter(row: &Row<'_>) -> rusqlite::Result<Letter> {
    let text = |column: usize| row.get::<_, String>(column).map(Arc::<str>::from);
    let (name, id, payload) = (text(2)?, text(3)?, text(4)?);
    let mail = match row.get_ref(1)?.as_str()? {
        SIGNAL => Mail::Signal(Signal { name, id, payload }),
        DROPPED => Mail::Dropped(payload.parse().unwrap_or(1)),
        _ => Mail::Message(Message { topic: name, id, payload, trace: None }),
    };
    Ok(Letter { no: number(row), mail })
}

impl MailStore for SqliteJournal {
    fn write_mail(&self, write: MailWrite) -> BoxFuture<'static, Result<(), JournalError>> {
        self.change(Change::Mail(write))
    }

    fn letters(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Letter>, JournalError> {
        self.readers.with(|connection| letters(connection, run, after, limit).map_err(|error| from_sqlite(&self.path, &error)))
    }

    fn controls(&self, run: &RunId, after: u64) -> Result<Vec<Letter>, JournalError> {
        self.readers.with(|connection| controls(connection, run, after).map_err(|error| from_sqlite(&self.path, &error)))
    }

    fn arrived(&self, after: u64) -> Result<Vec<(u64, RunId)>, JournalError> {
        self.readers.with(|connection| arrived(connection, after).map_err(|error| from_sqlite(&self.path, &error)))
    }
}
