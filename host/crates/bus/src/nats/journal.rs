//! The journal on JetStream.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use catalog::Digest;
use engine::event::{Event, RunId, Timestamp};
use engine::ports::{Cached, Journal, JournalError};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::mpsc;

use super::assets::Assets;
use super::cache::{self, CacheWriter};
use super::connection::Connection;
use super::problem::unavailable;
use super::writer::{Answer, Job, Shared, Writer};
use super::{blobs, load};

/// How long closing waits for what is still to be written.
const CLOSE: Duration = Duration::from_secs(15);

/// Options of [`JetStreamJournal::open`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long an append waits for servers that do not answer, before it fails.
    pub patience: Duration,
    /// The longest array of events in one message, in bytes; what is longer goes into a blob. At most what the server takes.
    pub commit_bytes: usize,
    /// Messages on their way at a time.
    pub in_flight: usize,
    /// Bytes of encoded appends in the queue at which further ones wait as they are.
    pub queue_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { patience: Duration::from_secs(300), commit_bytes: 512 << 10, in_flight: 1024, queue_bytes: 64 << 20 }
    }
}

/// A journal in a stream that many hosts write. When it is dropped, it waits until what is queued is written.
pub struct JetStreamJournal {
    connection: Connection,
    shared: Arc<Shared>,
    cache: CacheWriter,
    /// Always there but while it is dropped.
    queue: Option<mpsc::UnboundedSender<(RunId, Job)>>,
    finished: std::sync::Mutex<Receiver<()>>,
}

impl std::fmt::Debug for JetStreamJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JetStreamJournal").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl JetStreamJournal {
    /// Opens the journal of the connection's namespace, and makes its streams where there are none. Blocks meanwhile.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: the servers do not answer, do not let this client make streams, or have streams of these
    /// names that would lose something.
    pub fn open(connection: &Connection, options: &Options) -> Result<Self, JournalError> {
        let link = connection.link().clone();
        let assets = Arc::new(connection.block(Assets::open(link))?);
        let shared = Arc::new(Shared::new(Arc::clone(&assets), options.clone()));
        let (queue, jobs) = mpsc::unbounded_channel();
        let (done, finished) = sync_channel(1);
        let writer = Writer::new(Arc::clone(&shared));
        connection.spawn(async move {
            writer.run(jobs).await;
            drop(done);
        });
        let (cache, work) = CacheWriter::new(assets);
        connection.spawn(work);
        Ok(Self { connection: connection.clone(), shared, cache, queue: Some(queue), finished: finished.into() })
    }

    /// What it keeps on the servers.
    pub(super) fn assets(&self) -> Arc<Assets> {
        Arc::clone(&self.shared.assets)
    }
}

fn gone() -> JournalError {
    unavailable("is closed: its writer has stopped")
}

impl Journal for JetStreamJournal {
    fn append(&self, run: &RunId, events: Arc<[Event]>) -> BoxFuture<'static, Answer> {
        let (job, receiver) = Job::new(&self.shared, events);
        // Without a writer the job is dropped, which the receiver notices.
        let _ = self.queue.as_ref().map(|queue| queue.send((run.clone(), job)));
        async move { receiver.await.unwrap_or_else(|_| Err(gone())) }.boxed()
    }

    fn load(&self, run: &RunId) -> Result<Vec<Event>, JournalError> {
        let (assets, id) = (self.assets(), run.clone());
        let messages = self.connection.block(async move { load::fetch(&assets, &id).await })?;
        let mut blob = |digest| self.blob(digest);
        load::replay(run, &messages, &mut blob)
    }

    /// Blocks until it is stored.
    fn put_blob(&self, bytes: &[u8]) -> Result<Digest, JournalError> {
        let (assets, bytes, settled) = (self.assets(), bytes.to_vec(), self.cache.settled());
        self.connection.block(async move {
            settled.await;
            blobs::put(&assets.objects, &bytes).await
        })
    }

    fn blob(&self, digest: Digest) -> Result<Vec<u8>, JournalError> {
        let assets = self.assets();
        self.connection.block(async move { blobs::get(&assets.objects, digest).await })
    }

    fn cached(&self, key: Digest) -> Result<Option<Cached>, JournalError> {
        let assets = self.assets();
        self.connection.block(async move { cache::read(&assets, key).await })
    }

    /// Returns at once; what is lost when the process dies now is computed again.
    fn put_cached(&self, key: Digest, payload: &str, at: Timestamp) -> Result<(), JournalError> {
        self.cache.put(key, payload, at);
        Ok(())
    }
}

impl Drop for JetStreamJournal {
    fn drop(&mut self) {
        self.shared.close();
        self.queue = None;
        let finished = self.finished.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Either it has finished, or whoever waits for it is told when the connection goes.
        let _ = finished.recv_timeout(CLOSE);
    }
}
