//! Whether a store is still where it was opened. Whoever deletes or replaces a file takes nothing away from those who have
//! it open; without looking, they would go on committing to where nobody finds it any more.

use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use engine::ports::JournalError;

use crate::problem::unavailable;

/// Where a store was opened, and which files were there.
pub(crate) struct Home {
    path: PathBuf,
    wal: PathBuf,
    file: OnceLock<Identity>,
    /// The write-ahead log is made by the first transaction and stays until the last connection is closed.
    log: OnceLock<Identity>,
}

/// A file, whatever it is called.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Home {
    /// Of a store that was just opened.
    pub(crate) fn new(path: &Path) -> Self {
        let mut wal = path.as_os_str().to_owned();
        wal.push("-wal");
        let home = Self { path: path.to_owned(), wal: wal.into(), file: OnceLock::new(), log: OnceLock::new() };
        // What is there now is what belongs to it.
        let _ = (is_same(&home.path, &home.file), is_same(&home.wal, &home.log));
        home
    }

    /// Fails when the store is not there any more, or another file is in its place.
    pub(crate) fn check(&self) -> Result<(), JournalError> {
        let lost = if !is_same(&self.path, &self.file) {
            "it was deleted, moved or replaced"
        } else if !is_same(&self.wal, &self.log) {
            "its file `-wal`, which has the last commits, was deleted, moved or replaced"
        } else {
            return Ok(());
        };
        let help =
            "nothing is written any more; end every process that has it open, put it back or restore a backup, and start again";
        Err(unavailable(&self.path, format_args!("is gone: {lost} while it was open; {help}")))
    }
}

/// Whether the file that was first seen at a place is still there. One that cannot be asked about counts as the same.
fn is_same(path: &Path, seen: &OnceLock<Identity>) -> bool {
    match std::fs::metadata(path).map(|found| identity(&found)) {
        Ok(found) => *seen.get_or_init(|| found) == found,
        Err(error) => error.kind() != ErrorKind::NotFound || seen.get().is_none(),
    }
}

fn identity(found: &Metadata) -> Identity {
    Identity { device: found.dev(), inode: found.ino() }
}
