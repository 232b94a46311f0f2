//! Escalations that are open, and the outbox of reports about them.
//!
//! Both are written in the transaction of the event that they follow from. A report stays in the outbox until somebody has
//! taken it, so it is sent at least once, whatever process dies when.

use engine::event::{Escalation, EventBody, RunId, Seq, Timestamp};
use engine::ports::JournalError;
use rusqlite::{Connection, Params, Row, params};

use crate::problem::from_sqlite;
use crate::read::Reader;
use crate::store::SqliteJournal;
use crate::wire::{self, RunChange};

/// An escalated step, with what the list of runs says of its run.
#[derive(Clone, Debug, PartialEq)]
pub struct EscalationRow {
    /// The run.
    pub run: RunId,
    /// Its entry flow.
    pub flow: String,
    /// What its submitter called it, as a JSON object.
    pub labels: String,
    /// What it is doing.
    pub status: String,
    /// The host that owns it.
    pub owner: String,
    /// The position of the event in the run.
    pub seq: Seq,
    /// When it was escalated.
    pub at: Timestamp,
    /// The report, without large details.
    pub escalation: Escalation,
    /// What became of sending it; none: it is not to be sent.
    pub delivery: Option<Delivery>,
    /// The event's key in the store.
    key: i64,
}

/// What became of a report in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How often it was sent in vain.
    pub attempts: u32,
    /// When it is sent again.
    pub due: Timestamp,
    /// Why it was not taken the last time.
    pub error: Option<String>,
    /// When it was taken.
    pub sent: Option<Timestamp>,
}

/// A change of the outbox, by the key of an event.
#[derive(Clone, Debug)]
pub(crate) enum OutboxWrite {
    /// Somebody sends it and is to be left alone until then.
    Claim(i64, u64),
    /// It was taken.
    Sent(i64, u64),
    /// It was not; it is due again then.
    Failed(i64, u64, String),
}

const COLUMNS: &str = "runs.id, runs.flow, runs.labels, runs.status, runs.owner, events.seq, events.at, events.kind, \
    events.path, events.body, outbox.attempts, outbox.due, outbox.error, outbox.sent, events.id";

/// Keeps the tables in step with an event that is being written; the key is its own.
pub(crate) fn follow(
    connection: &Connection,
    run: i64,
    key: i64,
    at: i64,
    change: &RunChange,
    outbox: bool,
) -> rusqlite::Result<()> {
    match change {
        RunChange::Escalated { task } => {
            let sql = "INSERT INTO escalations (run, task, event) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (run, task) DO UPDATE SET event = excluded.event";
            connection.prepare_cached(sql)?.execute(params![run, task.cast_signed(), key])?;
            if outbox {
                let sql = "INSERT INTO outbox (event, attempts, due) VALUES (?1, 0, ?2)";
                connection.prepare_cached(sql)?.execute((key, at))?;
            }
        }
        RunChange::Decided { task } => close(connection, "run = ?1 AND task = ?2", params![run, task.cast_signed()])?,
        RunChange::Succeeded | RunChange::Failed { .. } | RunChange::Cancelled => close(connection, "run = ?1", [run])?,
        _ => {}
    }
    Ok(())
}

/// What is closed and was sent is not kept.
fn close(connection: &Connection, condition: &str, values: impl Params) -> rusqlite::Result<()> {
    let sql = format!("DELETE FROM escalations WHERE {condition} RETURNING event");
    let mut statement = connection.prepare_cached(&sql)?;
    let closed = statement.query_map(values, |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    for key in closed {
        connection.prepare_cached("DELETE FROM outbox WHERE event = ?1 AND sent IS NOT NULL")?.execute([key])?;
    }
    Ok(())
}

/// A report is never put off so far, in milliseconds: one that is due later was put off by a clock that was set back since.
const FAR: i64 = 3_600_000;

/// Writes inside of a transaction.
pub(crate) fn write(connection: &Connection, write: &OutboxWrite) -> rusqlite::Result<()> {
    match write {
        OutboxWrite::Claim(key, until) => connection
            .prepare_cached("UPDATE outbox SET due = ?2 WHERE event = ?1 AND (due < ?2 OR due > ?2 + ?3)")?
            .execute((key, until.cast_signed(), FAR)),
        OutboxWrite::Sent(key, at) => {
            connection.prepare_cached("UPDATE outbox SET sent = ?2 WHERE event = ?1")?.execute((key, at.cast_signed()))?;
            let sql = "DELETE FROM outbox WHERE event = ?1 AND event NOT IN (SELECT event FROM escalations)";
            connection.prepare_cached(sql)?.execute([key])
        }
        OutboxWrite::Failed(key, due, error) => connection
            .prepare_cached("UPDATE outbox SET attempts = attempts + 1, due = ?2, error = ?3 WHERE event = ?1")?
            .execute(params![key, due.cast_signed(), error]),
    }
    .map(drop)
}

fn rows(connection: &Connection, from: &str, values: impl Params) -> rusqlite::Result<Vec<EscalationRow>> {
    // A store of an older version that was only opened for reading has no such tables.
    if connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0))? < 4 {
        return Ok(Vec::new());
    }
    connection.prepare_cached(&format!("SELECT {COLUMNS} FROM {from}"))?.query_map(values, row)?.collect()
}

fn row(row: &Row<'_>) -> rusqlite::Result<EscalationRow> {
    let number = |column: usize| row.get::<_, i64>(column).map(|number| u64::try_from(number).unwrap_or_default());
    let time =
        |column: usize| row.get::<_, Option<i64>>(column).map(|at| at.map(|at| Timestamp(u64::try_from(at).unwrap_or_default())));
    let delivery = match row.get::<_, Option<u32>>(10)? {
        None => None,
        Some(attempts) => Some(Delivery { attempts, due: time(11)?.unwrap_or_default(), error: row.get(12)?, sent: time(13)? }),
    };
    Ok(EscalationRow {
        run: RunId(row.get::<_, String>(0)?.into()),
        flow: row.get(1)?,
        labels: row.get(2)?,
        status: row.get(3)?,
        owner: row.get(4)?,
        seq: number(5)?,
        at: time(6)?.unwrap_or_default(),
        escalation: escalation(row)?,
        delivery,
        key: row.get(14)?,
    })
}

fn escalation(row: &Row<'_>) -> rusqlite::Result<Escalation> {
    let (kind, path, body) = (row.get::<_, String>(7)?, row.get::<_, String>(8)?, row.get::<_, String>(9)?);
    let mut absent = |_| Ok(b"null".to_vec());
    let unreadable = |what: String| rusqlite::Error::FromSqlConversionFailure(9, rusqlite::types::Type::Text, what.into());
    match wire::decode(&kind, &path, &body, &mut absent) {
        Ok(EventBody::Escalated(escalation)) => Ok(*escalation),
        Ok(_) => Err(unreadable(format!("`{kind}` is no escalation"))),
        Err(error) => Err(unreadable(error.to_string())),
    }
}

impl Reader {
    /// The escalations that are open, oldest first. One that became pointless because its run fails for another reason is
    /// listed until the run has ended.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn escalations(&self) -> Result<Vec<EscalationRow>, JournalError> {
        let from = "escalations JOIN events ON events.id = escalations.event JOIN runs ON runs.no = events.run \
                    LEFT JOIN outbox ON outbox.event = events.id ORDER BY events.id";
        self.query(|connection| rows(connection, from, []))
    }

    /// Reports that nobody has taken yet, oldest first; also of escalations that are closed.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn unsent(&self) -> Result<Vec<EscalationRow>, JournalError> {
        self.query(|connection| rows(connection, &format!("{OUTBOX} ORDER BY events.id"), []))
    }
}

/// Reports that were not taken.
const OUTBOX: &str = "outbox JOIN events ON events.id = outbox.event JOIN runs ON runs.no = events.run WHERE outbox.sent IS NULL";

impl SqliteJournal {
    /// Up to `limit` reports that are to be sent by now.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn due_reports(&self, now: Timestamp, limit: u32) -> Result<Vec<EscalationRow>, JournalError> {
        let from = format!("{OUTBOX} AND (outbox.due <= ?1 OR outbox.due > ?1 + ?3) ORDER BY outbox.due LIMIT ?2");
        let values = (now.0.cast_signed(), limit, FAR);
        self.readers.with(|connection| rows(connection, &from, values).map_err(|error| from_sqlite(&self.path, &error)))
    }

    /// Says that this process sends a report, so that others leave it alone until then. Two may still do it at once.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn claim_report(&self, report: &EscalationRow, until: Timestamp) -> Result<(), JournalError> {
        self.write_outbox(OutboxWrite::Claim(report.key, until.0))
    }

    /// A report was taken.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn report_sent(&self, report: &EscalationRow, at: Timestamp) -> Result<(), JournalError> {
        self.write_outbox(OutboxWrite::Sent(report.key, at.0))
    }

    /// A report was not taken, and is sent again then.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn report_failed(&self, report: &EscalationRow, due: Timestamp, error: &str) -> Result<(), JournalError> {
        self.write_outbox(OutboxWrite::Failed(report.key, due.0, error.to_owned()))
    }

    /// Blocks for a commit.
    fn write_outbox(&self, write: OutboxWrite) -> Result<(), JournalError> {
        let (reply, answer) = std::sync::mpsc::sync_channel(1);
        self.queue()?.queue.outbox(write, reply);
        answer.recv().unwrap_or_else(|_| Err(self.gone()))
    }
}
