//! Sessions: labels that many runs share, from when somebody opens one to when it is closed.
//!
//! What a session calls at its beginning and end is in the binary's own document; here it is only known whether that has been
//! started, so that nothing is lost when a process dies in between.

use std::collections::BTreeMap;

use engine::event::Timestamp;
use engine::ports::JournalError;
use rusqlite::{Connection, Row, params};

use crate::read::Reader;
use crate::replica::Change;
use crate::schema::version;
use crate::store::SqliteJournal;

/// The first version of the store that has sessions.
const SINCE: i32 = 5;

/// How it stands with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionStatus {
    /// Runs may begin in it.
    Open,
    /// Somebody closes it: no run begins in it any more, and some have not ended.
    Closing,
    /// It is over.
    Closed,
}

impl SessionStatus {
    /// Its name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Open, Self::Closing, Self::Closed].into_iter().find(|status| status.name() == name)
    }
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Its id.
    pub id: String,
    /// How it stands.
    pub status: SessionStatus,
    /// What it was opened with: a document of the binary.
    pub document: String,
    /// What each run in it is labelled with.
    pub labels: BTreeMap<String, String>,
    /// Whether what it calls at its beginning is still to be started.
    pub starting: bool,
    /// Whether what it calls at its end is still to be started.
    pub ending: bool,
    /// When it was opened.
    pub opened: Timestamp,
    /// When it was closed.
    pub closed: Option<Timestamp>,
}

/// A change of sessions. One that does not fit how it stands with a session changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionWrite {
    /// A new one, unless there is one with this id.
    Open {
        /// Its id.
        id: String,
        /// What it is opened with.
        document: String,
        /// What each run in it is labelled with.
        labels: BTreeMap<String, String>,
    },
    /// No run begins in it any more.
    Close(String),
    /// Runs may begin in it again, because it was not closed after all.
    Reopen(String),
    /// It is over.
    Closed(String),
    /// What it calls at its beginning has been started.
    Started(String),
    /// What it calls at its end has been started.
    Ended(String),
}

/// Writes inside of a transaction.
pub(crate) fn write(connection: &Connection, write: &SessionWrite, now: i64) -> rusqlite::Result<()> {
    let change = |sql: &str, id: &str| connection.prepare_cached(sql)?.execute([id]).map(drop);
    match write {
        SessionWrite::Open { id, document, labels } => {
            let labels: serde_json::Map<String, serde_json::Value> =
                labels.iter().map(|(key, value)| (key.clone(), value.clone().into())).collect();
            let sql = "INSERT OR IGNORE INTO sessions (id, status, document, labels, starting, ending, opened) VALUES (?1, 'open', ?2, ?3, 1, 0, ?4)";
            let labels = serde_json::Value::Object(labels).to_string();
            connection.prepare_cached(sql)?.execute(params![id, document, labels, now]).map(drop)
        }
        SessionWrite::Close(id) => change("UPDATE sessions SET status = 'closing' WHERE id = ?1 AND status = 'open'", id),
        SessionWrite::Reopen(id) => change("UPDATE sessions SET status = 'open' WHERE id = ?1 AND status = 'closing'", id),
        SessionWrite::Closed(id) => {
            let sql = "UPDATE sessions SET status = 'closed', ending = 1, closed = ?2 WHERE id = ?1 AND status = 'closing'";
            connection.prepare_cached(sql)?.execute(params![id, now]).map(drop)
        }
        SessionWrite::Started(id) => change("UPDATE sessions SET starting = 0 WHERE id = ?1", id),
        SessionWrite::Ended(id) => change("UPDATE sessions SET ending = 0 WHERE id = ?1", id),
    }
}

fn row(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    let time = |time: i64| Timestamp(u64::try_from(time).unwrap_or_default());
    let wrong =
        |column: usize, what: String| rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into());
    let (status, labels): (String, String) = (row.get(1)?, row.get(3)?);
    Ok(SessionRow {
        id: row.get(0)?,
        status: SessionStatus::of(&status).ok_or_else(|| wrong(1, format!("`{status}` is no status of a session")))?,
        document: row.get(2)?,
        labels: serde_json::from_str(&labels).map_err(|error| wrong(3, error.to_string()))?,
        starting: row.get(4)?,
        ending: row.get(5)?,
        opened: time(row.get(6)?),
        closed: row.get::<_, Option<i64>>(7)?.map(time),
    })
}

const COLUMNS: &str = "SELECT id, status, document, labels, starting, ending, opened, closed FROM sessions";

impl Reader {
    /// The sessions that are not over, or all, those opened last first.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn sessions(&self, all: bool) -> Result<Vec<SessionRow>, JournalError> {
        let sql = format!("{COLUMNS} WHERE ?1 OR status != 'closed' ORDER BY opened DESC, id");
        self.of_sessions(&sql, params![all])
    }

    /// The sessions whose ids begin with this text, at most two.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn find_sessions(&self, prefix: &str) -> Result<Vec<SessionRow>, JournalError> {
        let sql = format!("{COLUMNS} WHERE id = ?1 OR substr(id, 1, length(?1)) = ?1 ORDER BY id = ?1 DESC, id LIMIT 2");
        let mut found = self.of_sessions(&sql, params![prefix])?;
        if found.first().is_some_and(|first| first.id == prefix) {
            found.truncate(1);
        }
        Ok(found)
    }

    /// The sessions that have something to be started still.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn pending_sessions(&self) -> Result<Vec<SessionRow>, JournalError> {
        self.of_sessions(&format!("{COLUMNS} WHERE starting OR ending ORDER BY opened, id"), params![])
    }

    fn of_sessions(&self, sql: &str, values: &[&dyn rusqlite::ToSql]) -> Result<Vec<SessionRow>, JournalError> {
        self.query(|connection| {
            // A store that is older, and was only opened for reading, has none.
            if version(connection)? < SINCE {
                return Ok(Vec::new());
            }
            connection.prepare_cached(sql)?.query_map(values, row)?.collect()
        })
    }
}

impl SqliteJournal {
    /// Changes a session; the future ends when it is durable.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub async fn write_session(&self, write: SessionWrite) -> Result<(), JournalError> {
        self.change(Change::Session(write)).await
    }
}
