//! Copies of a whole store, made while others write.
//!
//! A copy is made with `VACUUM INTO`: it reads one state of the store, holds up nobody, and gives a file without
//! gaps. SQLite's other way, the online backup, begins again whenever another process writes, so under load it may never end.
//! While it lasts, the WAL of the store grows by what is written. A copy is checked before it gets its name, so a file with
//! that name is whole.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::ports::JournalError;
use rusqlite::{Connection, ErrorCode, InterruptHandle, OpenFlags};

use crate::options::Options;
use crate::problem::{from_sqlite, is_corruption, unavailable};
use crate::read::Reader;
use crate::schema::{self, open_reader};
use crate::verify::Verification;

/// Ends a copy before it is done.
#[derive(Clone, Default)]
pub struct Stop(Arc<Mutex<Stopping>>);

#[derive(Default)]
struct Stopping {
    asked: bool,
    handle: Option<InterruptHandle>,
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stop").finish_non_exhaustive()
    }
}

impl Stop {
    /// Ends it as soon as possible, or keeps it from beginning.
    pub fn stop(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.asked = true;
        if let Some(handle) = &state.handle {
            handle.interrupt();
        }
    }

    /// Whether it was asked to end.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).asked
    }

    fn attach(&self, connection: &Connection) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).handle = Some(connection.get_interrupt_handle());
    }
}

/// Copies the store to a file and checks the copy. Without `replace` the file must not exist. Runs that are damaged in the
/// store are damaged in the copy; what is found is in the answer.
///
/// # Errors
/// The store cannot be read, the file cannot be written, or the copy was stopped. Then there is no such file.
pub fn backup(store: &Path, to: &Path, replace: bool, stop: &Stop) -> Result<Verification, JournalError> {
    if to.is_dir() {
        return Err(file_problem(to, "is a folder; name a file"));
    }
    if same_file(store, to) {
        return Err(file_problem(to, "is the store itself; name another file"));
    }
    if to.exists() && !replace {
        return Err(file_problem(to, "exists; name another file, or replace it with `--force`"));
    }
    let source = open_reader(store, Options::default().lock_timeout)?;
    let partial = Partial::new(to)?;
    copy(&source, store, &partial, stop)?;
    let found = partial.check(stop)?;
    if to.exists() && !replace {
        return Err(file_problem(to, "was made meanwhile; name another file"));
    }
    partial.finish(to)?;
    Ok(found)
}

/// Puts a copy in the place of the store. Without `replace` there must be none; a store that a process has open is never
/// replaced.
///
/// # Errors
/// The copy is no store, is damaged as a file, or cannot be read; the store is in use, belongs to another program or cannot be
/// written. Then it is unchanged.
pub fn restore(copy_of: &Path, store: &Path, replace: bool) -> Result<Verification, JournalError> {
    if same_file(copy_of, store) {
        return Err(file_problem(copy_of, "is the store itself; name a backup"));
    }
    let source = open_reader(copy_of, Options::default().lock_timeout)?;
    if store.exists() && !replace {
        return Err(unavailable(store, "exists; replace it with `--force`, or choose another one with `--store`"));
    }
    let parent = store.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent
        .map_or(Ok(()), std::fs::create_dir_all)
        .map_err(|error| unavailable(store, format_args!("cannot be made: {error}")))?;
    let partial = Partial::new(store)?;
    let stop = Stop::default();
    copy(&source, copy_of, &partial, &stop)?;
    let found = partial.check(&stop)?;
    let seized = if store.exists() { seize(store)? } else { None };
    for side in ["-wal", "-shm"] {
        // What a lost store left there must not be read as the new one's.
        let _ = std::fs::remove_file(beside(store, side));
    }
    partial.finish(store)?;
    drop(seized);
    Ok(found)
}

/// Takes a store for itself: fails when a process has it open. None for a file that SQLite cannot read, which nobody uses.
fn seize(store: &Path) -> Result<Option<Connection>, JournalError> {
    let in_use = || unavailable(store, "is in use; end the processes that use it first");
    let sqlite = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => in_use(),
        _ => from_sqlite(store, &error),
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(store, flags).map_err(sqlite)?;
    connection.busy_timeout(Duration::ZERO).map_err(sqlite)?;
    match connection.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0)) {
        Err(error) if is_corruption(&error) => return Ok(None),
        Ok(schema::APPLICATION_ID) => {}
        Ok(_) if std::fs::metadata(store).is_ok_and(|file| file.len() == 0) => {}
        Ok(_) => return Err(unavailable(store, "is a SQLite database of another program; choose another file")),
        Err(error) => return Err(sqlite(error)),
    }
    // The WAL is only given up by the last one that has the store open.
    let mode = connection.pragma_update_and_check(None, "journal_mode", "DELETE", |row| row.get::<_, String>(0));
    match mode {
        Err(error) if is_corruption(&error) => return Ok(None),
        Ok(mode) if mode == "delete" => {}
        Ok(_) => return Err(in_use()),
        Err(error) => return Err(sqlite(error)),
    }
    match connection.execute_batch("BEGIN EXCLUSIVE") {
        Err(error) if is_corruption(&error) => Ok(None),
        other => other.map(|()| Some(connection)).map_err(sqlite),
    }
}

fn copy(source: &Connection, path: &Path, partial: &Partial, stop: &Stop) -> Result<(), JournalError> {
    stop.attach(source);
    if stop.is_asked() {
        return Err(file_problem(&partial.wanted, "was not made: stopped"));
    }
    let into = partial.path.display().to_string();
    source.execute("VACUUM INTO ?1", [&into]).map(drop).map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::OperationInterrupted) => file_problem(&partial.wanted, "was not made: stopped"),
        Some(ErrorCode::DiskFull) => file_problem(&partial.wanted, "cannot be written: its disk is full"),
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly) => {
            file_problem(&partial.wanted, format_args!("cannot be written ({error})"))
        }
        _ => from_sqlite(path, &error),
    })
}

/// A file that gets its name when it is whole. What is left of an interrupted one is written over by the next.
pub(crate) struct Partial {
    pub(crate) path: PathBuf,
    wanted: PathBuf,
    file: File,
    finished: bool,
}

impl Partial {
    /// Begins an empty file beside the one that is wanted.
    pub(crate) fn new(wanted: &Path) -> Result<Self, JournalError> {
        let path = beside(wanted, ".partial");
        let cannot = |error: std::io::Error| file_problem(wanted, format_args!("cannot be written: {error}"));
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path).map_err(cannot)?;
        file.try_lock().map_err(|_| file_problem(wanted, "is being written by another process"))?;
        let partial = Self { path, wanted: wanted.to_owned(), file, finished: false };
        partial.file.set_len(0).map_err(cannot)?;
        for side in ["-wal", "-shm", "-journal"] {
            let _ = std::fs::remove_file(beside(&partial.path, side));
        }
        Ok(partial)
    }

    /// Reads all of it.
    fn check(&self, stop: &Stop) -> Result<Verification, JournalError> {
        let found = Reader::open(&self.path, Options::default().lock_timeout)?.verify()?;
        if stop.is_asked() {
            return Err(file_problem(&self.wanted, "was not made: stopped"));
        }
        match found.file.first() {
            Some(what) => Err(file_problem(&self.wanted, format_args!("was not made: the copy is damaged: {what}"))),
            None => Ok(found),
        }
    }

    /// Makes it durable under its name.
    pub(crate) fn finish(mut self, wanted: &Path) -> Result<(), JournalError> {
        let cannot = |error: std::io::Error| file_problem(wanted, format_args!("cannot be written: {error}"));
        self.file.sync_all().map_err(cannot)?;
        std::fs::rename(&self.path, wanted).map_err(cannot)?;
        self.finished = true;
        let folder = wanted.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(cannot)
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.finished {
            for side in ["", "-wal", "-shm", "-journal"] {
                let _ = std::fs::remove_file(beside(&self.path, side));
            }
        }
    }
}

/// A problem with a file that is no store yet.
pub(crate) fn file_problem(path: &Path, what: impl std::fmt::Display) -> JournalError {
    JournalError::Unavailable(format!("the file `{}` {what}", path.display()))
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}
