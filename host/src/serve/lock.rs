//! One service for each store.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Problem};

/// Held by the service of a store.
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock beside the store.
    ///
    /// # Errors
    /// Another service has it, or it cannot be written.
    pub(super) fn take(store: &Path) -> Result<Self, Problem> {
        let path = path(store);
        let failed = |error: std::io::Error| {
            Problem::new(Exit::Store, format!("the service lock `{}` cannot be taken: {error}", path.display()))
        };
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) => {
                let mut who = String::new();
                drop(file.take(64).read_to_string(&mut who));
                let message = format!("the store `{}` has a service already: process {}", store.display(), who.trim());
                return Err(Problem::new(Exit::Store, message).help("`host serve status` asks it how it is"));
            }
        }
        // For people: the lock is what counts.
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn path(store: &Path) -> PathBuf {
    let mut name = std::fs::canonicalize(store).unwrap_or_else(|_| store.to_owned()).into_os_string();
    name.push(".service");
    PathBuf::from(name)
}
