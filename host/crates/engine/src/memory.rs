//! A journal in memory: for tests, benchmarks and runs that nobody needs to resume.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use catalog::Digest;
use futures::future::{self, BoxFuture};
use sha2::{Digest as _, Sha256};

use crate::event::{Event, RunId, Seq, Timestamp};
use crate::ports::{Cached, Journal, JournalError};

/// The journal. Gone with the process; durable at once.
#[derive(Debug, Default)]
pub struct MemoryJournal {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    runs: BTreeMap<RunId, Vec<Event>>,
    blobs: BTreeMap<Digest, Vec<u8>>,
    cache: BTreeMap<Digest, Cached>,
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The ids of all runs, in order.
    #[must_use]
    pub fn runs(&self) -> Vec<RunId> {
        self.kept().runs.keys().cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // What is kept is never left half changed, so a panic elsewhere does not harm it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_append(&self, run: &RunId, events: &[Event]) -> Result<(), JournalError> {
        let mut kept = self.kept();
        let stored = kept.runs.entry(run.clone()).or_default();
        let next = stored.len() as Seq + 1;
        match events.first() {
            Some(first) if first.seq < next => Err(JournalError::Fenced { run: run.clone(), seq: first.seq }),
            Some(first) if first.seq > next => {
                let what = format!("event {} was to be appended after event {}", first.seq, next - 1);
                Err(JournalError::Damaged { run: run.clone(), what })
            }
            _ => {
                stored.extend_from_slice(events);
                Ok(())
            }
        }
    }
}

impl Journal for MemoryJournal {
    fn append(&self, run: &RunId, events: Arc<[Event]>) -> BoxFuture<'static, Result<(), JournalError>> {
        Box::pin(future::ready(self.try_append(run, &events)))
    }

    fn load(&self, run: &RunId) -> Result<Vec<Event>, JournalError> {
        self.kept().runs.get(run).cloned().ok_or_else(|| JournalError::NoSuchRun(run.to_string()))
    }

    fn put_blob(&self, bytes: &[u8]) -> Result<Digest, JournalError> {
        let digest = Digest(Sha256::digest(bytes).into());
        self.kept().blobs.entry(digest).or_insert_with(|| bytes.to_vec());
        Ok(digest)
    }

    fn blob(&self, digest: Digest) -> Result<Vec<u8>, JournalError> {
        self.kept().blobs.get(&digest).cloned().ok_or(JournalError::NoSuchBlob(digest))
    }

    fn cached(&self, key: Digest) -> Result<Option<Cached>, JournalError> {
        Ok(self.kept().cache.get(&key).cloned())
    }

    fn put_cached(&self, key: Digest, payload: &str, at: Timestamp) -> Result<(), JournalError> {
        let mut kept = self.kept();
        if kept.cache.get(&key).is_none_or(|before| before.at <= at) {
            kept.cache.insert(key, Cached { payload: payload.to_owned(), at });
        }
        Ok(())
    }
}
