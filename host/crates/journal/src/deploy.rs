//! Deployments: programs that the service starts when their triggers say so, and the messages that are to start them.
//!
//! A deployment is a name with numbered versions, of which one is current. What a version is made of is the service's
//! own document; here only its topics are known, so that a message is kept for it in the transaction that publishes it.

use engine::event::{RunId, Timestamp, Trace};
use engine::ports::{JournalError, Message};
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::problem::from_sqlite;
use crate::read::Reader;
use crate::replica::Change;
use crate::store::SqliteJournal;

/// Messages that are kept for one trigger; further ones are lost.
const MAX_FIRED: i64 = 100_000;

/// A version of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Its name.
    pub name: String,
    /// Counted from 1.
    pub version: u32,
    /// Whether this is the version whose triggers fire.
    pub current: bool,
    /// Whether its triggers are held back.
    pub paused: bool,
    /// What it is made of: a document of the service.
    pub document: String,
    /// When it was deployed.
    pub at: Timestamp,
}

/// A topic that starts runs of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// The trigger that it belongs to.
    pub item: String,
    /// Tokens with dots between; `*` stands for one, `>` at the end for one or more.
    pub pattern: String,
}

/// A change of deployments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeployWrite {
    /// A new version, which becomes the current one.
    Put {
        /// The deployment.
        name: String,
        /// What it is made of.
        document: String,
        /// Which messages start it.
        topics: Vec<Topic>,
    },
    /// Makes a version the current one.
    Select(String, u32),
    /// Holds its triggers back, or lets them go.
    Pause(String, bool),
    /// Removes it with all its versions, and the messages that wait for it.
    Remove(String),
    /// How far a trigger has come.
    Mark {
        /// The deployment.
        name: String,
        /// The trigger.
        item: String,
        /// No time up to this one fires any more.
        mark: Timestamp,
        /// The last run that it started.
        run: Option<RunId>,
    },
    /// A message has started its run, or is not to start one.
    Done(u64),
}

/// How far a trigger has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// No time up to this one fires any more.
    pub mark: Timestamp,
    /// The last run that it started.
    pub run: Option<RunId>,
}

/// A message that is to start a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// Rises with each one.
    pub no: u64,
    /// The message's id.
    pub id: String,
    /// The JSON form of what it carries.
    pub payload: String,
    /// The trace of its sender.
    pub trace: Option<Trace>,
}

/// Writes inside of a transaction.
pub(crate) fn write(connection: &Connection, write: &DeployWrite, now: i64) -> rusqlite::Result<()> {
    match write {
        DeployWrite::Put { name, document, topics } => put(connection, name, document, topics, now)?,
        DeployWrite::Select(name, version) => {
            connection.prepare_cached("UPDATE deployed SET version = ?2 WHERE name = ?1")?.execute(params![name, version])?;
            forget_messages(connection, name, *version)?;
        }
        DeployWrite::Pause(name, paused) => {
            connection.prepare_cached("UPDATE deployed SET paused = ?2 WHERE name = ?1")?.execute(params![name, paused])?;
        }
        DeployWrite::Remove(name) => {
            for table in ["deployed", "deployments", "deployment_topics", "trigger_marks", "fired"] {
                connection.prepare_cached(&format!("DELETE FROM {table} WHERE name = ?1"))?.execute([name])?;
            }
        }
        DeployWrite::Mark { name, item, mark, run } => {
            let sql = "INSERT INTO trigger_marks (name, item, mark, run) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT (name, item) DO UPDATE SET mark = excluded.mark, run = ifnull(excluded.run, run)";
            let mark = i64::try_from(mark.0).unwrap_or(i64::MAX);
            connection.prepare_cached(sql)?.execute(params![name, item, mark, run.as_ref().map(|run| &*run.0)])?;
        }
        DeployWrite::Done(no) => {
            connection.prepare_cached("DELETE FROM fired WHERE no = ?1")?.execute([i64::try_from(*no).unwrap_or(i64::MAX)])?;
        }
    }
    Ok(())
}

fn put(connection: &Connection, name: &str, document: &str, topics: &[Topic], now: i64) -> rusqlite::Result<()> {
    let last: Option<u32> =
        connection.prepare_cached("SELECT max(version) FROM deployments WHERE name = ?1")?.query_row([name], |row| row.get(0))?;
    let version = last.unwrap_or(0) + 1;
    connection
        .prepare_cached("INSERT INTO deployments (name, version, document, at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![name, version, document, now])?;
    let mut add =
        connection.prepare_cached("INSERT INTO deployment_topics (name, version, item, pattern) VALUES (?1, ?2, ?3, ?4)")?;
    for topic in topics {
        add.execute(params![name, version, topic.item, topic.pattern])?;
    }
    let sql = "INSERT INTO deployed (name, version, paused) VALUES (?1, ?2, 0) \
               ON CONFLICT (name) DO UPDATE SET version = excluded.version";
    connection.prepare_cached(sql)?.execute(params![name, version])?;
    forget_messages(connection, name, version)
}

/// Messages for triggers that the current version does not have start nothing any more.
fn forget_messages(connection: &Connection, name: &str, version: u32) -> rusqlite::Result<()> {
    let sql = "DELETE FROM fired WHERE name = ?1 AND item NOT IN \
               (SELECT item FROM deployment_topics WHERE name = ?1 AND version = ?2)";
    connection.prepare_cached(sql)?.execute(params![name, version]).map(drop)
}

/// Keeps a message for each trigger that it fires, once. In a replica with numbers from the first that is given on.
pub(crate) fn published(connection: &Connection, message: &Message, now: i64, first: Option<i64>) -> rusqlite::Result<()> {
    let Message { topic, id, payload, trace } = message;
    let sql = "SELECT t.name, t.item, t.pattern FROM deployed d JOIN deployment_topics t \
               ON t.name = d.name AND t.version = d.version WHERE d.paused = 0 ORDER BY t.name, t.item, t.pattern";
    let rows: Vec<(String, String, String)> = connection
        .prepare_cached(sql)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for ((name, item, _), no) in rows.iter().filter(|(_, _, pattern)| fits(pattern, topic)).zip(0..) {
        let kept = "INSERT OR IGNORE INTO fired (no, name, item, id, payload, at, trace) SELECT ?7, ?1, ?2, ?3, ?4, ?5, ?8 \
                    WHERE (SELECT count(*) FROM fired WHERE name = ?1 AND item = ?2) < ?6";
        let no = first.map(|first| first.saturating_add(no));
        connection.prepare_cached(kept)?.execute(params![
            name,
            item,
            &**id,
            &**payload,
            now,
            MAX_FIRED,
            no,
            trace.as_ref().map(Trace::text)
        ])?;
    }
    Ok(())
}

/// Whether a topic is one of a pattern's.
fn fits(pattern: &str, topic: &str) -> bool {
    let mut tokens = topic.split('.');
    for wanted in pattern.split('.') {
        match (wanted, tokens.next()) {
            (">", Some(_)) => return true,
            (_, None) => return false,
            ("*", Some(_)) => {}
            (wanted, Some(token)) if wanted == token => {}
            _ => return false,
        }
    }
    tokens.next().is_none()
}

fn deployment(row: &Row<'_>) -> rusqlite::Result<Deployment> {
    Ok(Deployment {
        name: row.get(0)?,
        version: row.get(1)?,
        current: row.get(2)?,
        paused: row.get(3)?,
        document: row.get(4)?,
        at: Timestamp(u64::try_from(row.get::<_, i64>(5)?).unwrap_or_default()),
    })
}

/// Whether the store is older than the tables here, and was only opened for reading.
fn is_old(connection: &Connection) -> rusqlite::Result<bool> {
    connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0)).map(|version| version < 4)
}

impl Reader {
    /// All versions of all deployments, by name, the latest version first.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn deployments(&self) -> Result<Vec<Deployment>, JournalError> {
        let sql = "SELECT v.name, v.version, v.version = d.version, d.paused, v.document, v.at \
                   FROM deployments v JOIN deployed d ON d.name = v.name ORDER BY v.name, v.version DESC";
        self.query(|connection| {
            if is_old(connection)? {
                return Ok(Vec::new());
            }
            connection.prepare_cached(sql)?.query_map([], deployment)?.collect()
        })
    }

    /// How far a trigger has come; none when it has not fired and was not marked.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn trigger_mark(&self, name: &str, item: &str) -> Result<Option<Mark>, JournalError> {
        let columns = |row: &Row<'_>| {
            let mark = Timestamp(u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default());
            Ok(Mark { mark, run: row.get::<_, Option<String>>(1)?.map(|run| RunId(run.into())) })
        };
        self.query(|connection| {
            if is_old(connection)? {
                return Ok(None);
            }
            let sql = "SELECT mark, run FROM trigger_marks WHERE name = ?1 AND item = ?2";
            connection.prepare_cached(sql)?.query_row([name, item], columns).optional()
        })
    }

    /// Up to `limit` messages that are to start runs of a trigger, in the order in which they came.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn fired(&self, name: &str, item: &str, limit: u32) -> Result<Vec<Fired>, JournalError> {
        let columns = |row: &Row<'_>| {
            let no = u64::try_from(row.get::<_, i64>(0)?).unwrap_or_default();
            let trace = row.get::<_, Option<String>>(3)?.as_deref().and_then(Trace::parse);
            Ok(Fired { no, id: row.get(1)?, payload: row.get(2)?, trace })
        };
        self.query(|connection| {
            let sql = "SELECT no, id, payload, trace FROM fired WHERE name = ?1 AND item = ?2 ORDER BY no LIMIT ?3";
            connection.prepare_cached(sql)?.query_map(params![name, item, limit], columns)?.collect()
        })
    }
}

impl SqliteJournal {
    /// Changes deployments; the future ends when it is durable.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub async fn write_deployment(&self, write: DeployWrite) -> Result<(), JournalError> {
        self.change(Change::Deployment(write)).await
    }

    /// The runs that have letters after the one with the number `after`, and the number of the last letter of all.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn new_mail(&self, after: u64) -> Result<(u64, Vec<RunId>), JournalError> {
        let sql = "SELECT run, max(no) FROM inbox WHERE no > ?1 GROUP BY run";
        self.readers.with(|connection| {
            let ask = || -> rusqlite::Result<Vec<(String, i64)>> {
                let mut statement = connection.prepare_cached(sql)?;
                let after = i64::try_from(after).unwrap_or(i64::MAX);
                statement.query_map([after], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
            };
            let rows = ask().map_err(|error| from_sqlite(&self.path, &error))?;
            let last = rows.iter().filter_map(|(_, no)| u64::try_from(*no).ok()).max().unwrap_or(after);
            Ok((last, rows.into_iter().map(|(run, _)| RunId(run.into())).collect()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_pattern_fits_its_topics_only() {
        let all = [
            ("orders", "orders", true),
            ("orders", "orders.new", false),
            ("orders.*", "orders.new", true),
            ("orders.*", "orders", false),
            ("orders.*", "orders.new.eu", false),
            ("orders.>", "orders.new.eu", true),
            ("orders.>", "orders", false),
            ("*.new", "orders.new", true),
            (">", "anything.at.all", true),
            ("*", "a.b", false),
        ];
        for (pattern, topic, expected) in all {
            assert_eq!(fits(pattern, topic), expected, "{pattern} {topic}");
        }
    }
}
