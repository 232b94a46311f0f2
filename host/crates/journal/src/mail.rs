//! Inboxes: what was sent to a run stands here until its journal has it.

use std::sync::Arc;

use engine::core::mail::MAX_KEPT;
use engine::event::RunId;
use engine::ports::{JournalError, Letter, Mail, MailStore, MailWrite, Message, Signal};
use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::deploy;
use crate::problem::from_sqlite;
use crate::schema;
use crate::store::SqliteJournal;

const SIGNAL: &str = "signal";
const MESSAGE: &str = "message";
/// The one letter beyond a full inbox: its payload counts the messages that did not come.
const DROPPED: &str = "dropped";

/// Puts one letter into an inbox, unless it is full or has it already.
const PUT: &str = "INSERT OR IGNORE INTO inbox (run, kind, name, id, payload, at) SELECT ?1, ?2, ?3, ?4, ?5, ?6 \
    WHERE (SELECT count(*) FROM (SELECT 1 FROM inbox WHERE run = ?1 LIMIT ?7)) < ?7";

/// Writes inside of a transaction.
pub(crate) fn write(connection: &Connection, write: &MailWrite, now: i64) -> rusqlite::Result<()> {
    let most = i64::try_from(MAX_KEPT).unwrap_or(i64::MAX);
    match write {
        MailWrite::Publish(Message { topic, id, payload }) => {
            let runs: Vec<String> = connection
                .prepare_cached(
                    "SELECT listens.run FROM listens JOIN runs ON runs.id = listens.run \
                     WHERE listens.topic = ?1 AND runs.ended IS NULL",
                )?
                .query_map([&**topic], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            let mut put = connection.prepare_cached(PUT)?;
            for run in runs {
                if put.execute(params![run, MESSAGE, &**topic, &**id, &**payload, now, most])? == 0 {
                    dropped(connection, &run, id, now)?;
                }
            }
            deploy::published(connection, topic, id, payload, now)?;
        }
        MailWrite::Signal(run, Signal { name, id, payload }) => {
            connection.prepare_cached(PUT)?.execute(params![&*run.0, SIGNAL, &**name, &**id, &**payload, now, most])?;
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
        MailWrite::Waiting(run, Some(what)) => {
            connection
                .prepare_cached("INSERT INTO waiting (run, what) VALUES (?1, ?2) ON CONFLICT (run) DO UPDATE SET what = ?2")?
                .execute([&*run.0, what.as_str()])?;
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

/// A message is not in the inbox: counts it, unless it is there already.
fn dropped(connection: &Connection, run: &str, id: &str, now: i64) -> rusqlite::Result<()> {
    let known = connection.prepare_cached("SELECT 1 FROM inbox WHERE run = ?1 AND id = ?2")?.exists([run, id])?;
    if known {
        return Ok(());
    }
    let sql = "INSERT INTO inbox (run, kind, name, id, payload, at) VALUES (?1, ?2, '', ?2, 1, ?3) \
               ON CONFLICT (run, id) DO UPDATE SET payload = payload + 1";
    connection.prepare_cached(sql)?.execute(params![run, DROPPED, now]).map(drop)
}

/// What a run waits for, as it was last noted.
pub(crate) fn waiting(connection: &Connection, run: &RunId) -> rusqlite::Result<Option<String>> {
    if is_old(connection)? {
        return Ok(None);
    }
    connection.prepare_cached("SELECT what FROM waiting WHERE run = ?1")?.query_row([&*run.0], |row| row.get(0)).optional()
}

/// Whether the store is of version 1, which has no inboxes, and was only opened for reading.
fn is_old(connection: &Connection) -> rusqlite::Result<bool> {
    schema::version(connection).map(|version| version < 2)
}

fn letters(connection: &Connection, run: &RunId, after: u64, limit: usize) -> rusqlite::Result<Vec<Letter>> {
    let sql = "SELECT no, kind, name, id, payload FROM inbox WHERE run = ?1 AND no > ?2 ORDER BY no LIMIT ?3";
    let values = params![&*run.0, i64::try_from(after).unwrap_or(i64::MAX), i64::try_from(limit).unwrap_or(i64::MAX)];
    connection.prepare_cached(sql)?.query_map(values, letter)?.collect()
}

fn letter(row: &Row<'_>) -> rusqlite::Result<Letter> {
    let text = |column: usize| row.get::<_, String>(column).map(Arc::<str>::from);
    let (name, id, payload) = (text(2)?, text(3)?, text(4)?);
    let mail = match row.get_ref(1)?.as_str()? {
        SIGNAL => Mail::Signal(Signal { name, id, payload }),
        DROPPED => Mail::Dropped(payload.parse().unwrap_or(1)),
        _ => Mail::Message(Message { topic: name, id, payload }),
    };
    Ok(Letter { no: u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default(), mail })
}

impl MailStore for SqliteJournal {
    fn write_mail(&self, write: MailWrite) -> BoxFuture<'static, Result<(), JournalError>> {
        let queued = self.queue().map(|writer| writer.queue.mail(write));
        let gone = self.gone();
        async move { queued?.await.unwrap_or(Err(gone)) }.boxed()
    }

    fn letters(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Letter>, JournalError> {
        self.readers.with(|connection| letters(connection, run, after, limit).map_err(|error| from_sqlite(&self.path, &error)))
    }
}
