//! The journal on SQLite.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use catalog::Digest;
use engine::event::{Event, RunId, Timestamp};
use engine::ports::{Cached, Journal, JournalError, Vault};
use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::OptionalExtension;
use sha2::{Digest as _, Sha256};

use crate::home::Home;
use crate::load::{self, Prefix};
use crate::options::Options;
use crate::problem::{from_sqlite, unavailable};
use crate::queue::{Answer, Queue};
use crate::read::{Pool, Reader};
use crate::replica::{self, Place, Upstream};
use crate::schema::{open_reader, open_writer};
use crate::vault::{RunVault, Segments};
use crate::writer;

/// A blob that was needed so recently is not written again to say so; the sweep's grace is longer.
const FRESH_BLOB: Duration = Duration::from_secs(3600);

/// A journal in a SQLite file. Its writer thread ends, after it has written what is queued, when this is dropped.
pub struct SqliteJournal {
    pub(crate) path: PathBuf,
    pub(crate) readers: Arc<Pool>,
    segments: Arc<Segments>,
    writer: Option<Writer>,
    /// Where writes go, when the store is a replica.
    pub(crate) upstream: OnceLock<Arc<dyn Upstream>>,
    /// The name under which this process owns runs.
    pub(crate) own: Arc<OnceLock<Arc<str>>>,
    replica: bool,
}

impl std::fmt::Debug for SqliteJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteJournal").field("path", &self.path).finish_non_exhaustive()
    }
}

pub(crate) struct Writer {
    pub(crate) queue: Arc<Queue>,
    home: Arc<Home>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl SqliteJournal {
    /// Opens the store at this path, and makes it, with its folder, where there is none.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: it is locked, cannot be read or written, is full, damaged, of a newer
    /// version, or not a store at all. Such a file is not changed.
    pub fn open(path: &Path, options: &Options) -> Result<Self, JournalError> {
        let readers = Arc::new(Pool::new(path.to_owned(), options.lock_timeout));
        let segments = Arc::new(Segments::beside(path));
        if options.read_only {
            drop(open_reader(path, options.lock_timeout)?);
            let (path, upstream, own) = (path.to_owned(), OnceLock::new(), Arc::default());
            return Ok(Self { path, readers, segments, writer: None, upstream, own, replica: false });
        }
        let connection = open_writer(path, options)?;
        let replica = replica::name(&connection).map_err(|error| from_sqlite(path, &error))?.is_some();
        let queue = Arc::new(Queue::new(options));
        let home = Arc::new(Home::new(path));
        let (served, place, file, outbox) = (Arc::clone(&queue), Arc::clone(&home), path.to_owned(), options.outbox);
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer::run(connection, file, &place, &served, outbox))
            .map_err(|error| unavailable(path, format_args!("cannot be used: its thread does not start: {error}")))?;
        let writer = Some(Writer { queue, home, thread: Some(thread) });
        let (path, upstream, own) = (path.to_owned(), OnceLock::new(), Arc::default());
        Ok(Self { path, readers, segments, writer, upstream, own, replica })
    }

    /// The read side of the same store.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::over(Arc::clone(&self.readers))
    }

    /// Fails when the store is not where it was opened any more: it was deleted, moved or replaced. Asks the file system only.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: so it is, and nothing can be written.
    pub fn check_place(&self) -> Result<(), JournalError> {
        self.writer.as_ref().map_or(Ok(()), |writer| writer.home.check())
    }

    /// The events of a run up to the first damage.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store cannot be read at all.
    pub fn load_prefix(&self, run: &RunId) -> Result<Prefix, JournalError> {
        self.readers.with(|connection| load::load(connection, &self.path, run))
    }

    /// The events of a run that say which programs it has had (`run-started`, `migrated`) and how it ended (`run-ended`), out of
    /// however many. The hash chain is not checked: whoever goes on with the run reads all of it.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store or these events cannot be read.
    pub fn outline(&self, run: &RunId) -> Result<Vec<Event>, JournalError> {
        self.readers.with(|connection| load::outline(connection, &self.path, run))
    }

    pub(crate) fn queue(&self) -> Result<&Writer, JournalError> {
        self.writer.as_ref().ok_or_else(|| unavailable(&self.path, "was opened for reading only"))
    }

    /// Whether the store was a replica when it was opened.
    pub(crate) const fn is_replica(&self) -> bool {
        self.replica
    }

    fn enqueue(&self, run: &RunId, events: Arc<[Event]>, idle: bool) -> BoxFuture<'static, Answer> {
        match self.place() {
            Ok(Place::Here) => self.enqueue_here(run, events, idle),
            Ok(Place::There(upstream)) => upstream.append(run, events),
            Err(error) => std::future::ready(Err(error)).boxed(),
        }
    }

    fn enqueue_here(&self, run: &RunId, events: Arc<[Event]>, idle: bool) -> BoxFuture<'static, Answer> {
        let writer = match self.queue() {
            Ok(writer) => writer,
            Err(error) => return std::future::ready(Err(error)).boxed(),
        };
        let idle = idle && writer.queue.may_spin();
        let mut receiver = writer.queue.append(run, events, idle);
        let queue = idle.then(|| Arc::clone(&writer.queue));
        let gone = self.gone();
        async move {
            if let Some(answer) = queue.and_then(|queue| queue.spin_for(&mut receiver)) {
                return answer;
            }
            receiver.await.unwrap_or(Err(gone))
        }
        .boxed()
    }

    /// Whether the blob is there and was needed lately.
    fn has_fresh(&self, digest: Digest) -> Result<bool, JournalError> {
        let sql = "SELECT at + ?2 > unixepoch() * 1000 FROM blobs WHERE digest = ?1";
        let grace = i64::try_from(FRESH_BLOB.as_millis()).unwrap_or(i64::MAX);
        self.readers.with(|connection| {
            let ask = || connection.prepare_cached(sql)?.query_row((digest.to_string(), grace), |row| row.get(0)).optional();
            ask().map(Option::unwrap_or_default).map_err(|error| from_sqlite(&self.path, &error))
        })
    }

    /// Keeps bytes here.
    pub(crate) fn keep(&self, digest: Digest, bytes: &[u8]) -> Result<(), JournalError> {
        let writer = self.queue()?;
        if self.has_fresh(digest)? {
            return Ok(());
        }
        let (reply, answer) = sync_channel(1);
        writer.queue.blob(digest, bytes.to_vec(), reply);
        answer.recv().unwrap_or_else(|_| Err(self.gone()))
    }

    pub(crate) fn gone(&self) -> JournalError {
        unavailable(&self.path, "is closed: its writer has stopped")
    }
}

impl Journal for SqliteJournal {
    fn append(&self, run: &RunId, events: Arc<[Event]>) -> BoxFuture<'static, Answer> {
        self.enqueue(run, events, false)
    }

    fn append_idle(&self, run: &RunId, events: Arc<[Event]>) -> BoxFuture<'static, Answer> {
        self.enqueue(run, events, true)
    }

    fn load(&self, run: &RunId) -> Result<Vec<Event>, JournalError> {
        self.settled(run)?;
        let Prefix { events, damage } = self.load_prefix(run)?;
        damage.map_or(Ok(events), Err)
    }

    fn read(&self, run: &RunId, each: &mut dyn FnMut(Event) -> bool) -> Result<(), JournalError> {
        self.settled(run)?;
        let damage = self.readers.with(|connection| load::read(connection, &self.path, run, each))?;
        damage.map_or(Ok(()), Err)
    }

    fn vault(&self) -> Option<Arc<dyn Vault>> {
        self.writer.as_ref()?;
        Some(Arc::new(RunVault::over(Arc::clone(&self.segments))))
    }

    /// Blocks for a commit.
    fn put_blob(&self, bytes: &[u8]) -> Result<Digest, JournalError> {
        let digest = Digest(Sha256::digest(bytes).into());
        self.keep(digest, bytes)?;
        self.upstream.get().map_or(Ok(()), |upstream| upstream.put_blob(digest, bytes))?;
        Ok(digest)
    }

    fn blob(&self, digest: Digest) -> Result<Vec<u8>, JournalError> {
        match self.readers.with(|connection| load::read_blob(connection, &self.path, digest)) {
            Err(JournalError::NoSuchBlob(_)) => self.fetch(digest),
            found => found,
        }
    }

    fn cached(&self, key: Digest) -> Result<Option<Cached>, JournalError> {
        let found = self.readers.with(|connection| load::read_cache(connection, &self.path, key))?;
        match (found, self.upstream.get()) {
            (None, Some(upstream)) => upstream.cached(key),
            (found, _) => Ok(found),
        }
    }

    /// Returns at once; what is lost when the process dies now is computed again.
    fn put_cached(&self, key: Digest, payload: &str, at: Timestamp) -> Result<(), JournalError> {
        if let Some(upstream) = self.upstream.get() {
            upstream.put_cached(key, payload, at);
        }
        self.queue()?.queue.cache(key, payload.to_owned(), at.0);
        Ok(())
    }
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        self.readers.close();
        if let Some(writer) = &mut self.writer {
            writer.queue.close();
            if let Some(thread) = writer.thread.take() {
                // It does not panic; if it did, those who waited were told.
                drop(thread.join());
            }
        }
    }
}
