//! What a replica has beside the events of runs, as one document: with it another replica goes on where this one was, without the
//! changes that led there.
//!
//! The document is text: a JSON object with the version `v` and the `position` of the last change that is in it, then a line for each
//! row, a JSON list of the table's name and the values of its columns.

use engine::event::Timestamp;
use engine::ports::JournalError;
use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, ErrorCode, params_from_iter};

use crate::problem::{from_sqlite, unavailable};
use crate::queue::Reply;
use crate::replica::{Feed, Follower, Work, position, set_position};

/// The version that is written.
const VERSION: u64 = 1;

/// The longest document in bytes.
const MOST: usize = 256 << 20;

/// Sessions that were closed so many milliseconds ago are not in it.
const CLOSED: u64 = 30 * 24 * 60 * 60 * 1000;

/// The tables that changes write, with their columns.
const TABLES: [(&str, &[&str]); 10] = [
    ("inbox", &["no", "run", "kind", "name", "id", "payload", "at"]),
    ("listens", &["topic", "run"]),
    ("waiting", &["run", "what", "live", "at"]),
    ("deployments", &["name", "version", "document", "at"]),
    ("deployment_topics", &["name", "version", "item", "pattern"]),
    ("deployed", &["name", "version", "paused"]),
    ("trigger_marks", &["name", "item", "mark", "run"]),
    ("fired", &["no", "name", "item", "id", "payload", "at", "trace"]),
    ("sessions", &["id", "status", "document", "labels", "starting", "ending", "opened", "closed"]),
    ("taken", &["id", "at"]),
];

/// A document, and up to where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The position in the stream of changes of the last one that is in it.
    pub position: u64,
    /// The document.
    pub text: String,
}

/// A document that was read.
#[derive(Debug)]
pub struct Standing {
    position: u64,
    /// The place of the table among [`TABLES`], and the values of its columns.
    rows: Vec<(usize, Vec<Value>)>,
}

impl Standing {
    /// The position of the last change that is in it.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Reads a document.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let head: serde_json::Value =
            serde_json::from_str(lines.next().unwrap_or_default()).map_err(|error| error.to_string())?;
        let number = |name: &str| head.get(name).and_then(serde_json::Value::as_u64).ok_or_else(|| format!("it has no `{name}`"));
        let (v, position) = (number("v")?, number("position")?);
        if v != VERSION {
            return Err(format!(
                "its version {v} is not known to this program, which reads {VERSION}; a newer one may have written it"
            ));
        }
        let rows = lines.map(row).collect::<Result<_, _>>()?;
        Ok(Self { position, rows })
    }

    fn size(&self) -> usize {
        let text = |value: &Value| if let Value::Text(text) = value { text.len() } else { 8 };
        self.rows.iter().flat_map(|(_, values)| values).map(text).sum()
    }
}

fn row(line: &str) -> Result<(usize, Vec<Value>), String> {
    let (name, cells): (String, Vec<serde_json::Value>) = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let found = TABLES.iter().enumerate().find(|(_, (table, _))| *table == name);
    let (place, (_, columns)) = found.ok_or_else(|| format!("`{name}` is no table of it"))?;
    if cells.len() != columns.len() {
        return Err(format!("a row of `{name}` has {} columns in place of {}", cells.len(), columns.len()));
    }
    let values = cells.into_iter().map(|cell| match cell {
        serde_json::Value::Null => Ok(Value::Null),
        serde_json::Value::String(text) => Ok(Value::Text(text)),
        other => other.as_i64().map(Value::Integer).ok_or_else(|| format!("`{other}` is no value of `{name}`")),
    });
    Ok((place, values.collect::<Result<_, _>>()?))
}

/// Writes the document of what is there at this moment; none when it would be too long.
fn write(connection: &Connection, now: Timestamp) -> rusqlite::Result<Option<Written>> {
    let moment = connection.unchecked_transaction()?;
    let position = position(&moment, Feed::Changes)?;
    let mut text = format!("{{\"v\":{VERSION},\"position\":{position}}}\n");
    let since = i64::try_from(now.0.saturating_sub(CLOSED)).unwrap_or(i64::MAX);
    for (table, columns) in TABLES {
        let only =
            if table == "sessions" { format!(" WHERE closed IS NULL OR ending OR closed > {since}") } else { String::new() };
        let sql = format!("SELECT {} FROM {table}{only}", columns.join(", "));
        let mut statement = moment.prepare(&sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let cells: Vec<serde_json::Value> =
                (0..columns.len()).map(|column| row.get_ref(column).map(cell)).collect::<rusqlite::Result<_>>()?;
            text.push_str(&serde_json::json!([table, cells]).to_string());
            text.push('\n');
            if text.len() > MOST {
                return Ok(None);
            }
        }
    }
    Ok(Some(Written { position, text }))
}

/// These tables have texts, numbers and nothing else.
fn cell(value: ValueRef<'_>) -> serde_json::Value {
    match value {
        ValueRef::Integer(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Null | ValueRef::Real(_) | ValueRef::Blob(_) => serde_json::Value::Null,
    }
}

/// Puts a document in the place of what is there, inside of a transaction; unless the replica is as far already. One that does
/// not fit changes nothing, and what is wrong with it is given.
pub(crate) fn restore(connection: &Connection, standing: &Standing) -> rusqlite::Result<Result<(), String>> {
    if position(connection, Feed::Changes)? >= standing.position {
        return Ok(Ok(()));
    }
    connection.execute_batch("SAVEPOINT standing")?;
    match replace(connection, standing) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {
            connection.execute_batch("ROLLBACK TO standing; RELEASE standing")?;
            Ok(Err(format!("cannot go on from what is kept of older changes: {error}")))
        }
        Err(error) => Err(error),
        Ok(()) => connection.execute_batch("RELEASE standing").map(Ok),
    }
}

fn replace(connection: &Connection, standing: &Standing) -> rusqlite::Result<()> {
    for (table, _) in TABLES {
        connection.execute(&format!("DELETE FROM {table}"), [])?;
    }
    for (place, values) in &standing.rows {
        let Some((table, columns)) = TABLES.get(*place) else { continue };
        let marks = vec!["?"; columns.len()].join(", ");
        let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", columns.join(", "));
        connection.prepare_cached(&sql)?.execute(params_from_iter(values))?;
    }
    set_position(connection, Feed::Changes, standing.position)
}

impl Follower {
    /// Writes down what the replica has beside events; `now` says which sessions have been closed for long.
    ///
    /// # Errors
    /// Whatever is wrong with the store, or there is too much of it.
    pub fn standing(&self, now: Timestamp) -> Result<Written, JournalError> {
        let readers = self.readers();
        let written = readers.with(|connection| write(connection, now).map_err(|error| from_sqlite(readers.path(), &error)))?;
        written.ok_or_else(|| {
            unavailable(readers.path(), format_args!("has more than {MOST} bytes of mail, deployments and sessions"))
        })
    }

    /// Goes on from a document, unless the replica is as far already. The future ends when that is written.
    pub fn restore(&self, standing: Standing) -> BoxFuture<'static, Result<(), JournalError>> {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let bytes = standing.size();
        let gone = self.gone();
        self.queue().replica(Work::Restore(standing), bytes, Reply::Future(sender));
        async move { receiver.await.unwrap_or(Err(gone)) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::{Standing, TABLES};
    use crate::options::Options;
    use crate::schema;

    /// Tables of a store that no change of a replica writes.
    const OTHERS: [&str; 10] =
        ["runs", "events", "heads", "blobs", "cache", "node_stats", "purge", "about", "escalations", "outbox"];

    #[test]
    fn each_table_is_in_a_document_or_is_none_of_changes() {
        let folder = tempfile::tempdir().unwrap();
        let connection = schema::open_writer(&folder.path().join("store.db"), &Options::default()).unwrap();
        let mut names = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
        let names = names.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap);
        for name in names.filter(|name| !name.starts_with("sqlite_") && !OTHERS.contains(&name.as_str())) {
            let mut columns = connection.prepare(&format!("SELECT name FROM pragma_table_info('{name}')")).unwrap();
            let columns: Vec<String> = columns.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
            let written = TABLES.iter().find(|(table, _)| *table == name).map(|(_, columns)| columns.to_vec());
            assert_eq!(Some(columns.iter().map(String::as_str).collect()), written, "{name}");
        }
    }

    #[test]
    fn what_is_no_document_is_said() {
        for (text, what) in [
            ("", "EOF"),
            ("{\"v\":2,\"position\":1}", "newer"),
            ("{\"v\":1,\"position\":1}\n[\"other\",[1]]", "`other` is no table"),
            ("{\"v\":1,\"position\":1}\n[\"taken\",[1]]", "1 columns in place of 2"),
            ("{\"v\":1,\"position\":1}\n[\"taken\",[\"a\",1.5]]", "is no value"),
        ] {
            let error = Standing::read(text).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }
}
