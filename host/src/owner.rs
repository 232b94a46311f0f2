//! Who drives runs: each process that does holds the lock of a file of its own, in a folder beside the store.
//!
//! A run's journal names its owner (`hostname/pid-xxxx`). Whether that process still lives is asked of the lock: the
//! operating system gives it up with the process, however that ends. A number of a process alone would not tell, because
//! numbers are used again, and cannot be asked about on another machine.

use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::exit::{Exit, Problem};

/// Names that are tried before a folder in which no file stays locked is given up.
const TRIES: u32 = 8;

/// Held by a process while it drives runs of a store.
#[derive(Debug)]
pub(crate) struct Owner {
    name: Arc<str>,
    path: PathBuf,
    _locked: File,
}

impl Owner {
    /// Takes a name that no process had before, and removes what processes left behind that died.
    ///
    /// # Errors
    /// The folder beside the store cannot be written.
    pub(crate) fn take(store: &Path) -> Result<Self, Problem> {
        let folder = folder(store);
        let failed = |error: std::io::Error| {
            Problem::new(Exit::Store, format!("the folder `{}` cannot be used: {error}", folder.display()))
                .help("every process that runs flows keeps a lock there; make it writable, or choose another store")
        };
        make_folder(store, &folder).map_err(failed)?;
        sweep(&folder);
        for _ in 0..TRIES {
            let name: Arc<str> = fresh_name().into();
            let path = folder.join(file_name(&name));
            if let Some(locked) = lock_new(&path).map_err(failed)? {
                return Ok(Self { name, path, _locked: locked });
            }
        }
        Err(failed(std::io::Error::other("no file stays locked in it")))
    }

    /// Stands for an owner on another machine as long as that lives: whoever asks here is told so. None where somebody does already.
    ///
    /// # Errors
    /// The folder beside the store cannot be written.
    pub(crate) fn stand_for(store: &Path, name: &str) -> Result<Option<Self>, Problem> {
        let folder = folder(store);
        let failed = |error: std::io::Error| {
            Problem::new(Exit::Store, format!("the folder `{}` cannot be used: {error}", folder.display()))
        };
        make_folder(store, &folder).map_err(failed)?;
        let path = folder.join(file_name(name));
        // What a process left that died is nobody's.
        if !is_alive(store, name) {
            drop(std::fs::remove_file(&path));
        }
        let locked = lock_new(&path).map_err(failed)?;
        Ok(locked.map(|locked| Self { name: name.into(), path, _locked: locked }))
    }

    /// Its name in the journals of its runs.
    pub(crate) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // A file that stays is swept by the next process.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A name that no process had before.
pub(crate) fn fresh_name() -> String {
    format!("{}/{}-{:06x}", host_name(), std::process::id(), fastrand::u32(..1 << 24))
}

/// Whether the process lives that drives runs of this store under this name. Never waits, and asks nothing of the store.
/// What cannot be told, because the file may not be read, counts as alive: taking a run away is the greater harm.
pub(crate) fn is_alive(store: &Path, owner: &str) -> bool {
    match File::open(folder(store).join(file_name(owner))) {
        // A shared lock disturbs nobody who asks at the same time.
        Ok(file) => !matches!(file.try_lock_shared(), Ok(())),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

/// Where the locks of a store are.
fn folder(store: &Path) -> PathBuf {
    // Whoever comes by a link asks at the same place.
    let mut name = std::fs::canonicalize(store).unwrap_or_else(|_| store.to_owned()).into_os_string();
    name.push(".owners");
    PathBuf::from(name)
}

/// The name as the name of a file.
fn file_name(owner: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') { c } else { '_' };
    // The end is what makes it unique.
    let name: Vec<char> = owner.chars().rev().take(200).map(plain).collect();
    std::iter::once('o').chain(name.into_iter().rev()).collect()
}

/// As open to others as the folder that the store is in: whoever may use the store must be able to lock.
fn make_folder(store: &Path, folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(folder)?;
    let parent = store.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::set_permissions(folder, std::fs::metadata(parent)?.permissions())
}

/// Makes and locks a file. None when somebody was in between.
fn lock_new(path: &Path) -> std::io::Result<Option<File>> {
    let file = match OpenOptions::new().write(true).create_new(true).mode(0o644).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Ok(None),
        other => other?,
    };
    // Readable for whoever asks whether it is locked, whatever the mask says.
    file.set_permissions(Permissions::from_mode(0o644))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // One who sweeps may have removed it before it was locked.
    let still_there = std::fs::metadata(path).is_ok_and(|found| file.metadata().is_ok_and(|held| held.ino() == found.ino()));
    Ok(still_there.then_some(file))
}

/// Removes files that nobody locks any more.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if File::open(&path).is_ok_and(|file| file.try_lock_shared().is_ok()) {
            // It stays where it may not be removed; then it still says that its owner is gone.
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// What this machine is called.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "host".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Owner, file_name, folder, is_alive};

    #[test]
    fn an_owner_is_alive_as_long_as_it_holds_its_lock() {
        let site = tempfile::tempdir().unwrap();
        let store = site.path().join("store.db");
        let (first, second) = (Owner::take(&store).unwrap(), Owner::take(&store).unwrap());
        assert_ne!(first.name(), second.name());
        assert!(is_alive(&store, &first.name()) && is_alive(&store, &second.name()));
        let name = first.name();
        drop(first);
        assert!(!is_alive(&store, &name) && is_alive(&store, &second.name()));
        assert!(!is_alive(&store, "host/1") && !is_alive(&site.path().join("other.db"), &second.name()));
    }

    #[test]
    fn what_a_dead_process_left_is_swept() {
        let site = tempfile::tempdir().unwrap();
        let store = site.path().join("store.db");
        let stale = folder(&store).join(file_name("host/1-abc"));
        std::fs::create_dir_all(folder(&store)).unwrap();
        std::fs::write(&stale, "").unwrap();
        assert!(!is_alive(&store, "host/1-abc"));
        let owner = Owner::take(&store).unwrap();
        assert!(!stale.exists() && is_alive(&store, &owner.name()));
    }

    #[test]
    fn a_strange_name_stays_in_the_folder() {
        assert_eq!(file_name("../a b/1-x"), "o.._a_b_1-x");
        assert_eq!(file_name(""), "o");
        assert_eq!(file_name(&"é".repeat(900)).len(), 201);
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_explained() {
        let site = tempfile::tempdir().unwrap();
        let store = site.path().join("store.db");
        std::fs::write(folder(&store), "").unwrap();
        let problem = Owner::take(&store).unwrap_err();
        assert!(problem.message.contains("store.db.owners` cannot be used"), "{}", problem.message);
    }
}
