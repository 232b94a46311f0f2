//! Connections that read, kept for the next question.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use engine::ports::JournalError;
use rusqlite::Connection;

use crate::schema::open_reader;

/// Connections that are kept.
const KEPT: usize = 4;

/// Opened as they are needed: as many as there are questions at the same time.
pub(crate) struct Pool {
    path: PathBuf,
    lock_timeout: Duration,
    idle: Mutex<Vec<Connection>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Pool {
    pub(crate) const fn new(path: PathBuf, lock_timeout: Duration) -> Self {
        Self { path, lock_timeout, idle: Mutex::new(Vec::new()) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Asks something of a connection.
    pub(crate) fn with<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, JournalError>) -> Result<T, JournalError> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match kept {
            Some(connection) => connection,
            None => open_reader(&self.path, self.lock_timeout)?,
        };
        let answer = ask(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if answer.is_ok() && idle.len() < KEPT {
            idle.push(connection);
        }
        answer
    }

    /// Closes what is kept, so that the writer, closed last, can tidy up the WAL.
    pub(crate) fn close(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
