//! What is wrong with a store, in words that say how to mend it.

use std::fmt::Display;
use std::path::Path;

use engine::ports::JournalError;
use rusqlite::ErrorCode;

/// Any problem with the store at this path.
pub(crate) fn unavailable(path: &Path, what: impl Display) -> JournalError {
    JournalError::Unavailable(format!("the store `{}` {what}", path.display()))
}

/// What SQLite reports about the store at this path.
pub(crate) fn from_sqlite(path: &Path, error: &rusqlite::Error) -> JournalError {
    let Some(code) = error.sqlite_error_code() else {
        return unavailable(path, format_args!("is damaged ({error}); restore it from a backup"));
    };
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            unavailable(path, "is locked by another process; wait for it to end, or choose another store")
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            unavailable(path, "cannot be written; make the file and its folder writable, or choose another store")
        }
        ErrorCode::DiskFull => unavailable(path, "is full; free some space on its disk and resume the run"),
        ErrorCode::DatabaseCorrupt => unavailable(
            path,
            format_args!("is damaged ({error}); restore it from a backup, or save what can be read with `sqlite3 … .recover`"),
        ),
        ErrorCode::NotADatabase => unavailable(path, "is not a SQLite database; choose another file"),
        ErrorCode::CannotOpen => unavailable(path, "cannot be opened; check that its folder exists and may be written"),
        ErrorCode::TooBig => unavailable(path, "cannot keep a value that is larger than 1,000,000,000 bytes"),
        ErrorCode::SystemIoFailure => unavailable(path, format_args!("cannot be read or written ({error}); check its disk")),
        _ => unavailable(path, format_args!("cannot be used: {error}")),
    }
}

/// Whether the store's file is damaged, rather than out of reach.
pub(crate) fn is_corruption(error: &rusqlite::Error) -> bool {
    match error.sqlite_error_code() {
        Some(code) => matches!(code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase),
        None => true,
    }
}
