//! Opens connections: the tables, the checks that a file is a store, and the durability pragmas.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant};

use engine::ports::JournalError;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use crate::options::{Durability, Options};
use crate::problem::{from_sqlite, unavailable};

/// The `application_id` in the header of a store: "flwh".
pub const APPLICATION_ID: i32 = 0x666c_7768;

/// The `user_version` of stores that this program writes, and the latest that it reads. An older store gets the tables
/// that it lacks when it is opened for writing; whoever only reads does without them.
pub const FORMAT_VERSION: i32 = 6;

/// The tables of version 1. They are described in `host/docs/journal.md`.
///
/// Events stand in the order in which they were written, whatever run they belong to, and have no other index:
/// a commit of many runs writes a few full pages at the end, not a page for each run. The events of a run are
/// found from its head by `prev`.
const TABLES: &str = "
CREATE TABLE runs (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    flow TEXT NOT NULL,
    plan TEXT NOT NULL,
    program TEXT NOT NULL,
    status TEXT NOT NULL,
    owner TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    ended INTEGER,
    labels TEXT NOT NULL,
    reason TEXT,
    failure_kind TEXT,
    failure_path TEXT
);
CREATE INDEX runs_by_status ON runs (status, no);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    prev INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    path TEXT NOT NULL,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
);
CREATE TABLE heads (
    run INTEGER PRIMARY KEY,
    event INTEGER NOT NULL,
    seq INTEGER NOT NULL
);
CREATE TABLE blobs (
    digest TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    at INTEGER NOT NULL,
    data BLOB NOT NULL
);
";

/// What each version adds to the one before it: the first is that from 1 to 2.
///
/// Version 2: what was sent to a run stands in `inbox` until its journal has it; `listens` says which messages a run
/// gets; `waiting` is what a run waits for, for people.
///
/// Version 3: `cache` has results that later runs may use again.
///
/// Version 4: runs are found by flow and time; `node_stats` sums up attempts, as far as `about` says that it has counted
/// them; `purge` has the numbers of runs that are being deleted. Deployments with their versions, the topics that start them, how
/// far their triggers have come, and the messages that are to start runs. `waiting` also has what only the owner of a run
/// knows, and when it was noted. Inboxes have control letters. `escalations` has the steps that a
/// human has to decide about, `outbox` the reports that are to be sent.
///
/// Version 5: `sessions` has what many runs are labelled with, and whether what is called at its beginning and end has been started.
///
/// Version 6: `taken` has the ids of what a replica has lately taken out of the stream of changes. Messages that are to start runs have
/// the trace of their sender.
const MIGRATIONS: [&str; 5] = [
    "
CREATE TABLE inbox (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (run, id)
);
CREATE INDEX inbox_by_run ON inbox (run, no);
CREATE TABLE listens (
    topic TEXT NOT NULL,
    run TEXT NOT NULL,
    PRIMARY KEY (topic, run)
) WITHOUT ROWID;
CREATE INDEX listens_by_run ON listens (run);
CREATE TABLE waiting (
    run TEXT PRIMARY KEY,
    what TEXT NOT NULL
) WITHOUT ROWID;
",
    "
CREATE TABLE cache (
    key TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    data BLOB NOT NULL
);
",
    "
CREATE INDEX runs_by_flow ON runs (flow, no);
CREATE INDEX runs_by_created ON runs (created, no);
CREATE TABLE node_stats (
    flow TEXT NOT NULL,
    node TEXT NOT NULL,
    hour INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    unknown INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    hits INTEGER NOT NULL,
    fuel INTEGER NOT NULL,
    memory INTEGER NOT NULL,
    wall INTEGER NOT NULL,
    longest INTEGER NOT NULL,
    walls TEXT NOT NULL,
    PRIMARY KEY (flow, node, hour)
) WITHOUT ROWID;
CREATE TABLE purge (
    run INTEGER PRIMARY KEY,
    event INTEGER NOT NULL
);
CREATE TABLE about (
    key TEXT PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;
CREATE TABLE deployments (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) WITHOUT ROWID;
CREATE TABLE deployment_topics (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    item TEXT NOT NULL,
    pattern TEXT NOT NULL
);
CREATE INDEX deployment_topics_by_version ON deployment_topics (name, version);
CREATE TABLE deployed (
    name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    paused INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE trigger_marks (
    name TEXT NOT NULL,
    item TEXT NOT NULL,
    mark INTEGER NOT NULL,
    run TEXT,
    PRIMARY KEY (name, item)
) WITHOUT ROWID;
CREATE TABLE fired (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    item TEXT NOT NULL,
    id TEXT NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (name, item, id)
);
CREATE INDEX fired_by_item ON fired (name, item, no);
ALTER TABLE waiting ADD COLUMN live TEXT;
ALTER TABLE waiting ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
CREATE TABLE escalations (
    run INTEGER NOT NULL,
    task INTEGER NOT NULL,
    event INTEGER NOT NULL,
    PRIMARY KEY (run, task)
) WITHOUT ROWID;
CREATE TABLE outbox (
    event INTEGER PRIMARY KEY,
    attempts INTEGER NOT NULL,
    due INTEGER NOT NULL,
    error TEXT,
    sent INTEGER
);
",
    "
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    status TEXT NOT NULL,
    document TEXT NOT NULL,
    labels TEXT NOT NULL,
    starting INTEGER NOT NULL,
    ending INTEGER NOT NULL,
    opened INTEGER NOT NULL,
    closed INTEGER
) WITHOUT ROWID;
CREATE INDEX sessions_pending ON sessions (opened, id) WHERE starting OR ending;
",
    "
CREATE TABLE taken (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX taken_by_at ON taken (at);
ALTER TABLE fired ADD COLUMN trace TEXT;
",
];

/// WAL pages after which a commit also moves them into the main file. Larger than SQLite's 1,000, because
/// many commits rewrite the same last page.
const CHECKPOINT_PAGES: u32 = 4_000;

/// Opens a connection that writes; makes the store where there is none.
pub(crate) fn open_writer(path: &Path, options: &Options) -> Result<Connection, JournalError> {
    refuse_folder(path)?;
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)
            .map_err(|error| unavailable(path, format_args!("cannot be made: {error}; choose another place")))?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(|error| from_sqlite(path, &error))?;
    prepare(&mut connection, path, options)?;
    Ok(connection)
}

fn prepare(connection: &mut Connection, path: &Path, options: &Options) -> Result<(), JournalError> {
    let sqlite = |error| from_sqlite(path, &error);
    connection.busy_timeout(options.lock_timeout).map_err(sqlite)?;
    // Checked before anything is changed: the file may belong to another program.
    let found = check(connection, path)?;
    if found == 0 {
        // Only an empty file can be told to give space back in parts.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(sqlite)?;
    }
    use_wal(connection, options.lock_timeout).map_err(sqlite)?;
    let synchronous = match options.durability {
        Durability::Full => "FULL",
        Durability::Process => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous).map_err(sqlite)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES).map_err(sqlite)?;
    if let Some(pages) = options.max_page_count {
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).map_err(sqlite)?;
    }
    if found < FORMAT_VERSION { upgrade(connection, path) } else { Ok(()) }
}

/// Opens a connection that only reads.
pub(crate) fn open_reader(path: &Path, lock_timeout: Duration) -> Result<Connection, JournalError> {
    refuse_folder(path)?;
    if !path.exists() {
        return Err(unavailable(path, "does not exist yet; it is made by the first run"));
    }
    match try_reader(path, lock_timeout, false) {
        // Where nothing may be written, SQLite cannot share the file with a writer. Without a WAL there is none.
        Err(_) if is_sealed(path) => try_reader(path, lock_timeout, true),
        other => other,
    }
}

fn try_reader(path: &Path, lock_timeout: Duration, immutable: bool) -> Result<Connection, JournalError> {
    let sqlite = |error| from_sqlite(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if immutable {
        let uri = format!(
            "file:{}?immutable=1",
            path.display().to_string().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
        );
        Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
    } else {
        Connection::open_with_flags(path, flags)
    }
    .map_err(sqlite)?;
    connection.busy_timeout(lock_timeout).map_err(sqlite)?;
    if check(&connection, path)? == 0 {
        return Err(unavailable(path, "is empty; it is filled by the first run"));
    }
    Ok(connection)
}

/// Whether the file's folder, or its whole file system, cannot be written and there is nothing in a WAL beside it.
fn is_sealed(path: &Path) -> bool {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let on_sealed_disk =
        || File::options().write(true).open(path).is_err_and(|error| error.kind() == ErrorKind::ReadOnlyFilesystem);
    !std::fs::metadata(&wal).is_ok_and(|wal| wal.len() > 0)
        && (std::fs::metadata(folder).is_ok_and(|folder| folder.permissions().readonly()) || on_sealed_disk())
}

fn refuse_folder(path: &Path) -> Result<(), JournalError> {
    if path.is_dir() { Err(unavailable(path, "is a folder; name a file")) } else { Ok(()) }
}

/// The version of a store that is open.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<i32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// The version of the store; 0 for a file that is still empty.
///
/// # Errors
/// It belongs to another program, a newer version wrote it, or it cannot be read.
pub(crate) fn check(connection: &Connection, path: &Path) -> Result<i32, JournalError> {
    // All of it is read at one moment: another process may just be making the tables.
    let begin = || connection.unchecked_transaction().map_err(|error| from_sqlite(path, &error));
    let _moment = if connection.is_autocommit() { Some(begin()?) } else { None };
    let pragma =
        |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(|error| from_sqlite(path, &error));
    let application = pragma("application_id")?;
    let version = pragma("user_version")?;
    if application == i64::from(APPLICATION_ID) {
        return if (1..=i64::from(FORMAT_VERSION)).contains(&version) {
            Ok(i32::try_from(version).unwrap_or(FORMAT_VERSION))
        } else if version > i64::from(FORMAT_VERSION) {
            Err(unavailable(
                path,
                format_args!(
                    "was written by a newer version of this program (its format is {version}, this program knows up to {FORMAT_VERSION}); update this program"
                ),
            ))
        } else {
            Err(unavailable(path, format_args!("has the unknown format version {version}; restore it from a backup")))
        };
    }
    if application == 0 && version == 0 && pragma("schema_version")? == 0 {
        Ok(0)
    } else {
        Err(unavailable(path, "is a SQLite database of another program; choose another file"))
    }
}

/// Switches to the write-ahead log. SQLite does not wait here by itself when two processes do it at once.
fn use_wal(connection: &Connection, lock_timeout: Duration) -> rusqlite::Result<()> {
    let begin = Instant::now();
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())) {
            Err(error) if is_busy(&error) && begin.elapsed() < lock_timeout => std::thread::sleep(Duration::from_millis(2)),
            other => return other,
        }
    }
}

pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Makes the tables that are missing. A store of an older version has them afterwards, and nothing of it changes.
fn upgrade(connection: &mut Connection, path: &Path) -> Result<(), JournalError> {
    let sqlite = |error| from_sqlite(path, &error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(sqlite)?;
    // Another process may have been faster.
    let found = check(&transaction, path)?;
    if found == 0 {
        transaction.execute_batch(TABLES).map_err(sqlite)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(sqlite)?;
    }
    let mut missing = MIGRATIONS.iter().skip(usize::try_from(found.max(1) - 1).unwrap_or(0));
    missing.try_for_each(|tables| transaction.execute_batch(tables)).map_err(sqlite)?;
    transaction.pragma_update(None, "user_version", FORMAT_VERSION).map_err(sqlite)?;
    transaction.commit().map_err(sqlite)
}
