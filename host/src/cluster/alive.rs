//! The other hosts' locks: as long as a host of the cluster is there, this process holds the lock beside the store that says that
//! an owner of this name lives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bus::nats::Presence;

use crate::exit::{Exit, Problem};
use crate::owner::Owner;

/// How often presence is looked at: as often as it may change.
const LOOK: Duration = Duration::from_millis(100);

/// Holds the locks. They are given up when it is dropped.
#[derive(Debug)]
pub(super) struct Mirror {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What it holds, and for which store.
struct Locks {
    store: PathBuf,
    presence: Presence,
    held: BTreeMap<String, Owner>,
}

impl Mirror {
    /// Takes the locks of all hosts that are there now, and follows who comes and goes.
    ///
    /// # Errors
    /// The folder beside the store cannot be written, or there is no thread.
    pub(super) fn start(store: &Path, presence: &Presence) -> Result<Self, Problem> {
        let mut locks = Locks { store: store.to_owned(), presence: presence.clone(), held: BTreeMap::new() };
        locks.follow()?;
        let over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&over);
        let mut changes = presence.changes();
        let work = move || {
            while !ends.load(Ordering::Relaxed) {
                if changes.has_changed().unwrap_or(false) {
                    changes.mark_unchanged();
                    // A lock that cannot be taken now is tried with the next change.
                    let _ = locks.follow();
                }
                std::thread::park_timeout(LOOK);
            }
        };
        let thread = std::thread::Builder::new().name("presence".to_owned()).spawn(work);
        let thread = thread.map_err(|error| Problem::new(Exit::Store, format!("no thread: {error}")))?;
        Ok(Self { over, thread: Some(thread) })
    }
}

impl Locks {
    fn follow(&mut self) -> Result<(), Problem> {
        let there: Vec<String> = self.presence.others().into_iter().map(|(name, _)| name).collect();
        self.held.retain(|name, _| there.contains(name));
        for name in there {
            if !self.held.contains_key(&name)
                && let Some(lock) = Owner::stand_for(&self.store, &name)?
            {
                self.held.insert(name, lock);
            }
        }
        Ok(())
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It does not panic; if it did, its locks are given up all the same.
            drop(thread.join());
        }
    }
}
