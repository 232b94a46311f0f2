//! Who does what only one host of a namespace is to do: whoever holds a key that goes by itself, and is written anew in time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::kv;
use engine::ports::JournalError;

use super::assets::keys;
use super::connection::Connection;
use super::presence::TIME_TO_LIVE;

/// How often the key is written anew, or asked for.
const REFRESH: Duration = Duration::from_millis(2500);

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// So long after it was last written the key is not relied upon any more: before it goes by itself.
const RELIED: Duration = Duration::from_secs(8);

/// A lease that this host seeks, and has from time to time.
#[derive(Clone)]
pub struct Lease {
    shared: Arc<Shared>,
    connection: Connection,
}

struct Shared {
    keys: kv::Store,
    key: String,
    name: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The revision of the key, where this host has it.
    revision: Option<u64>,
    /// Before it was written last.
    written: Option<Instant>,
    /// It is not sought any more.
    over: bool,
}

impl std::fmt::Debug for Lease {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lease").field("key", &self.shared.key).finish_non_exhaustive()
    }
}

impl Lease {
    /// Seeks the lease under a key for a host of this name, and tries once. Blocks meanwhile.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: the servers do not answer, or do not let this client make the bucket.
    pub fn seek(connection: &Connection, key: &str, name: &str) -> Result<Self, JournalError> {
        let link = connection.link().clone();
        let (key, name) = (key.to_owned(), name.to_owned());
        let shared = connection.block(async move {
            let bucket = format!("flow_{}_leases", link.namespace());
            let keys = keys(&link, &bucket, "what only one host does", TIME_TO_LIVE).await?;
            let shared = Arc::new(Shared { keys, key, name, state: Mutex::default() });
            shared.attempt().await;
            Ok(shared)
        })?;
        let sought = Arc::clone(&shared);
        connection.spawn(async move {
            while !sought.with(|state| state.over) {
                tokio::time::sleep(REFRESH).await;
                sought.attempt().await;
            }
        });
        Ok(Self { shared, connection: connection.clone() })
    }

    /// Whether this host has it now.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.shared.with(|state| state.revision.is_some() && state.written.is_some_and(|at| at.elapsed() < RELIED))
    }

    /// Gives it up, so that nobody waits for its end. Blocks; when the servers do not answer it just ends.
    pub fn give_up(&self) {
        let revision = self.shared.with(|state| {
            state.over = true;
            state.revision.take()
        });
        let shared = Arc::clone(&self.shared);
        let Some(revision) = revision else { return };
        let _ = self.connection.block(async move {
            // Where it cannot be said the key goes by itself.
            drop(shared.keys.delete_expect_revision(&shared.key, Some(revision)).await);
            Ok(())
        });
    }
}

impl Shared {
    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes the key anew, or takes it where nobody has it.
    async fn attempt(&self) {
        let begin = Instant::now();
        let before = self.with(|state| (!state.over).then_some(state.revision));
        let Some(before) = before else { return };
        let name = self.name.clone().into();
        let written = async {
            match before {
                Some(revision) => self.keys.update(&self.key, name, revision).await.map_err(|error| {
                    // Another host has it, or it is not known; then it is only relied upon for a while.
                    error.kind() == kv::UpdateErrorKind::WrongLastRevision
                }),
                None => self.keys.create(&self.key, name).await.map_err(|_| true),
            }
        };
        let written = tokio::time::timeout(PATIENCE, written).await;
        self.with(|state| match written {
            Ok(Ok(revision)) => (state.revision, state.written) = (Some(revision), Some(begin)),
            Ok(Err(true)) => state.revision = None,
            Ok(Err(false)) | Err(_) => {}
        });
    }
}
