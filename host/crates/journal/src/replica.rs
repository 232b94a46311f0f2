//! A store that is a replica: what is written to it goes to streams that many hosts share, and comes back from there.
//!
//! # Steps
//!
//! 1. [`SqliteJournal::follow`] says whose replica the store is, once and for ever, and where writes go from then on.
//! 2. Who reads the streams gives what is in them to a [`Follower`], in order. It is written with the position that it has, in one
//!    transaction, so that nothing is written twice, whatever dies when and however many processes read.
//! 3. Readers ask the store as ever. Whoever goes on with a run asks [`Upstream::settled`] first.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, OnceLock};

use catalog::Digest;
use engine::event::{Event, RunId, Seq, Timestamp};
use engine::ports::{Cached, JournalError, MailWrite};
use futures::FutureExt;
use futures::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension};

use crate::chain::Hash;
use crate::deploy::DeployWrite;
use crate::load;
use crate::marks;
use crate::problem::{from_sqlite, unavailable};
use crate::queue::{Answer, Queue};
use crate::read::{Pool, Reader};
use crate::schema;
use crate::sessions::SessionWrite;
use crate::standing::Standing;
use crate::store::SqliteJournal;
use crate::wire::{Encoded, WireError, decode, kind, stored};

/// Under which `about` says whose replica the store is.
const REPLICA: &str = "replica";

/// The first version of the store that has `about`.
const SINCE: i32 = 4;

/// Numbers of letters that one write may give: so many listen to a topic at most.
const LETTERS: i64 = 1 << 20;

/// A copy of a change comes within so many milliseconds, by the times of the stream: whoever writes one gives it up long before.
const COPIES: i64 = 10 * 60 * 1000;

/// What is written beside the events of runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Inboxes and topics.
    Mail(MailWrite),
    /// Deployments.
    Deployment(DeployWrite),
    /// Sessions.
    Session(SessionWrite),
}

/// Where what is written to a replica goes.
pub trait Upstream: Send + Sync + 'static {
    /// As [`engine::ports::Journal::append`].
    fn append(&self, run: &RunId, events: Arc<[Event]>) -> BoxFuture<'static, Result<(), JournalError>>;

    /// Writes; the future ends when it is durable, and in the replica.
    fn write(&self, change: Change) -> BoxFuture<'static, Result<(), JournalError>>;

    /// Blocks until the replica has all that was appended to a run before.
    ///
    /// # Errors
    /// It does not get there in time, or the streams cannot be asked.
    fn settled(&self, run: &RunId) -> Result<(), JournalError>;

    /// Keeps bytes for all who have a replica, unless they are kept; the replica has them.
    ///
    /// # Errors
    /// They cannot be kept.
    fn put_blob(&self, digest: Digest, bytes: &[u8]) -> Result<(), JournalError>;

    /// Bytes that the replica lacks.
    ///
    /// # Errors
    /// [`JournalError::NoSuchBlob`], or they cannot be read.
    fn blob(&self, digest: Digest) -> Result<Vec<u8>, JournalError>;

    /// As [`engine::ports::Journal::cached`], of what the replica lacks.
    ///
    /// # Errors
    /// It cannot be read.
    fn cached(&self, key: Digest) -> Result<Option<Cached>, JournalError>;

    /// As [`engine::ports::Journal::put_cached`].
    fn put_cached(&self, key: Digest, payload: &str, at: Timestamp);
}

/// The streams that a replica is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feed {
    /// Commits of runs.
    Events,
    /// Changes of everything else.
    Changes,
}

impl Feed {
    /// Under which `about` says how far it is applied.
    const fn key(self) -> &'static str {
        match self {
            Self::Events => "replica.events",
            Self::Changes => "replica.changes",
        }
    }
}

/// An event as a stream has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// When it was appended, in milliseconds since the Unix epoch.
    pub at: u64,
    /// One of [`crate::wire::kind`].
    pub kind: String,
    /// The path of the step; empty for events of the whole run.
    pub path: String,
    /// A JSON object, as the hash chain covers it.
    pub body: String,
}

/// What one message of a stream brings.
#[derive(Debug)]
pub enum Entry {
    /// Events of a run.
    Commit {
        /// The run.
        run: RunId,
        /// The position of the first event.
        first: Seq,
        /// The hash chain after the last one.
        hash: Hash,
        /// The events.
        events: Vec<StoredEvent>,
        /// What they name and the store lacks.
        blobs: Vec<(Digest, Vec<u8>)>,
    },
    /// Something else.
    Change {
        /// What.
        change: Change,
        /// When the stream got it, in milliseconds since the Unix epoch.
        at: u64,
        /// The id of its message, where it has one: around an election a stream may get the same one twice.
        id: Option<String>,
    },
    /// Nothing that can be used: only its position counts.
    Nothing,
}

/// What the writer does in a replica.
pub(crate) enum Work {
    /// Says whose replica it is.
    Claim(String),
    /// Writes what a stream has, with the positions there, for a process that owns runs under this name.
    Apply(Feed, Vec<(u64, Ready)>, Option<Arc<str>>),
    /// Goes on from there.
    Restore(Standing),
}

/// An entry in the form in which it is written.
pub(crate) enum Ready {
    Commit { run: RunId, hash: Hash, events: Vec<Encoded>, blobs: Vec<(Digest, Vec<u8>)> },
    Change { change: Change, at: i64, id: Option<String> },
    Nothing,
}

/// Writes what the streams have into a replica, and says how far it is. It does not keep the store open.
#[derive(Clone)]
pub struct Follower {
    queue: Arc<Queue>,
    readers: Arc<Pool>,
    own: Arc<OnceLock<Arc<str>>>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("store", &self.readers).finish_non_exhaustive()
    }
}

impl Follower {
    /// Makes the store a replica of this name, or finds that it is.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: it is a replica of something else, or has runs of its own.
    pub fn claim(&self, name: &str) -> Result<(), JournalError> {
        let (reply, answer) = sync_channel(1);
        self.queue.replica(Work::Claim(name.to_owned()), 0, crate::queue::Reply::Thread(reply));
        answer.recv().unwrap_or_else(|_| Err(self.gone()))
    }

    /// Writes entries with the positions that they have in the stream, in order. Those that were written before are left out.
    /// The future ends when all is written; what could not be used is said then, and not tried again.
    pub fn apply(&self, feed: Feed, entries: Vec<(u64, Entry)>) -> BoxFuture<'static, Result<(), JournalError>> {
        let mut problem = Ok(());
        let mut bytes = 0;
        let mut ready = Vec::with_capacity(entries.len());
        for (position, entry) in entries {
            let entry = match prepare(entry) {
                Ok(entry) => entry,
                // A newer program wrote it. What follows would miss it: nothing more is written.
                Err(error @ JournalError::Unavailable(_)) => {
                    problem = Err(error);
                    break;
                }
                Err(error) => {
                    problem = problem.and(Err(error));
                    Ready::Nothing
                }
            };
            bytes += entry.size();
            ready.push((position, entry));
        }
        let (sender, receiver) = tokio::sync::oneshot::channel();
        let own = self.own.get().cloned();
        self.queue.replica(Work::Apply(feed, ready, own), bytes, crate::queue::Reply::Future(sender));
        let gone = self.gone();
        async move {
            receiver.await.unwrap_or(Err(gone))?;
            problem
        }
        .boxed()
    }

    /// The position in a stream up to which all is written.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn position(&self, feed: Feed) -> Result<u64, JournalError> {
        self.readers.with(|connection| position(connection, feed).map_err(|error| from_sqlite(self.readers.path(), &error)))
    }

    /// Whether the store has these bytes.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn has_blob(&self, digest: Digest) -> Result<bool, JournalError> {
        let ask = |connection: &Connection| {
            connection.prepare_cached("SELECT 1 FROM blobs WHERE digest = ?1")?.exists([digest.to_string()])
        };
        self.readers.with(|connection| ask(connection).map_err(|error| from_sqlite(self.readers.path(), &error)))
    }

    /// Whether nobody writes any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    pub(crate) fn gone(&self) -> JournalError {
        unavailable(self.readers.path(), "is closed: its writer has stopped")
    }

    pub(crate) fn readers(&self) -> &Pool {
        &self.readers
    }

    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }
}

impl Ready {
    fn size(&self) -> usize {
        match self {
            Self::Commit { events, blobs, .. } => {
                events.iter().map(Encoded::size).sum::<usize>() + blobs.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
            }
            Self::Change { .. } | Self::Nothing => 64,
        }
    }
}

fn prepare(entry: Entry) -> Result<Ready, JournalError> {
    match entry {
        Entry::Commit { run, first, hash, events, blobs } => {
            let events = events.into_iter().zip(first..).map(|(event, seq)| encoded(&run, seq, event));
            Ok(Ready::Commit { hash, events: events.collect::<Result<_, _>>()?, blobs, run })
        }
        Entry::Change { change, at, id } => Ok(Ready::Change { change, at: i64::try_from(at).unwrap_or(i64::MAX), id }),
        Entry::Nothing => Ok(Ready::Nothing),
    }
}

/// An event as it was written, to the byte, with what it changes in the list of runs.
fn encoded(run: &RunId, seq: Seq, event: StoredEvent) -> Result<Encoded, JournalError> {
    let mut absent = |_| Ok(b"null".to_vec());
    let unknown = || WireError::UnknownKind(event.kind.clone());
    let read = decode(&event.kind, &event.path, &event.body, &mut absent);
    let read = read.and_then(|body| Ok((body, kind::known(&event.kind).ok_or_else(unknown)?)));
    let (body, kind) = read.map_err(|error| match error {
        WireError::UnknownKind(_) | WireError::UnknownVersion { .. } => {
            JournalError::Unavailable(format!("run `{run}` cannot be followed: event {seq}: {error}"))
        }
        _ => JournalError::Damaged { run: run.clone(), what: format!("event {seq}: {error}") },
    })?;
    Ok(stored(&Event { seq, at: Timestamp(event.at), body }, kind, &event.path, event.body))
}

/// How far a stream is written.
pub(crate) fn position(connection: &Connection, feed: Feed) -> rusqlite::Result<u64> {
    let found: Option<i64> = about(connection, feed.key())?;
    Ok(found.and_then(|position| u64::try_from(position).ok()).unwrap_or_default())
}

/// Writes how far a stream is written, inside of a transaction.
pub(crate) fn set_position(connection: &Connection, feed: Feed, position: u64) -> rusqlite::Result<()> {
    set_about(connection, feed.key(), i64::try_from(position).unwrap_or(i64::MAX))
}

/// The number of the first letter of a write at this position of its stream: the same in each replica.
pub(crate) fn first_letter(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX).saturating_mul(LETTERS)
}

/// Whether a change is not a copy of one that was taken lately; it is remembered from now on, inside of a transaction.
pub(crate) fn is_new(connection: &Connection, change: &Change, id: Option<&str>, at: i64) -> rusqlite::Result<bool> {
    // The last note counts, however often it comes.
    let Some(id) = id.filter(|_| !matches!(change, Change::Mail(MailWrite::Waiting(..)))) else { return Ok(true) };
    let sql = "INSERT INTO taken (id, at) VALUES (?1, ?2) \
               ON CONFLICT (id) DO UPDATE SET at = excluded.at WHERE excluded.at - at > ?3";
    Ok(connection.prepare_cached(sql)?.execute((id, at, COPIES))? > 0)
}

/// Forgets which changes were taken so long before the last one that no copy of them comes any more.
pub(crate) fn forget_taken(connection: &Connection, last: i64) -> rusqlite::Result<()> {
    let before = last.saturating_sub(COPIES);
    connection.prepare_cached("DELETE FROM taken WHERE at < ?1")?.execute([before]).map(drop)
}

/// Whose replica the store is, if it is one.
pub(crate) fn name(connection: &Connection) -> rusqlite::Result<Option<String>> {
    if schema::version(connection)? < SINCE { Ok(None) } else { about(connection, REPLICA) }
}

/// Makes the store a replica inside of a transaction, or says why it cannot be this one.
pub(crate) fn claim(connection: &Connection, wanted: &str) -> rusqlite::Result<Result<(), String>> {
    match name(connection)? {
        Some(found) if found == wanted => Ok(Ok(())),
        Some(found) => Ok(Err(format!("is a replica of {found}, and cannot become one of {wanted}; choose another store"))),
        None if connection.prepare("SELECT 1 FROM runs")?.exists([])? => {
            Ok(Err(format!("has runs of its own, and cannot become a replica of {wanted}; choose another store")))
        }
        None => {
            set_about(connection, REPLICA, wanted)?;
            Ok(Ok(()))
        }
    }
}

fn about<T: rusqlite::types::FromSql>(connection: &Connection, key: &str) -> rusqlite::Result<Option<T>> {
    connection.prepare_cached("SELECT value FROM about WHERE key = ?1")?.query_row([key], |row| row.get(0)).optional()
}

fn set_about(connection: &Connection, key: &str, value: impl rusqlite::ToSql) -> rusqlite::Result<()> {
    let sql = "INSERT INTO about (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    connection.prepare_cached(sql)?.execute((key, value)).map(drop)
}

/// Where the writes of a replica go.
pub(crate) enum Place<'a> {
    /// The store is nobody's replica.
    Here,
    /// Upstream.
    There(&'a Arc<dyn Upstream>),
}

impl Reader {
    /// Whose replica the store is, if it is one.
    #[must_use]
    pub fn replica_of(&self) -> Option<String> {
        // Where it cannot be told, whatever is done next says why.
        self.query(name).ok().flatten()
    }
}

impl SqliteJournal {
    /// Whose replica the store is, if it is one.
    #[must_use]
    pub fn replica_of(&self) -> Option<String> {
        self.reader().replica_of()
    }

    /// What the streams of a replica are written with.
    ///
    /// # Errors
    /// It was opened for reading only.
    pub fn follower(&self) -> Result<Follower, JournalError> {
        let queue = Arc::clone(&self.queue()?.queue);
        Ok(Follower { queue, readers: Arc::clone(&self.readers), own: Arc::clone(&self.own) })
    }

    /// Says under which name this process owns runs: of a replica only the owner of a run sends reports about it.
    pub fn own_as(&self, name: Arc<str>) {
        // A process has one name.
        let _ = self.own.set(name);
    }

    /// From now on what is written goes there.
    pub fn follow(&self, upstream: Arc<dyn Upstream>) {
        // Only the first one counts.
        let _ = self.upstream.set(upstream);
    }

    /// Blocks until the store has all that was appended to a run before, wherever.
    ///
    /// # Errors
    /// It is a replica that does not get there.
    pub fn settled(&self, run: &RunId) -> Result<(), JournalError> {
        self.upstream.get().map_or(Ok(()), |upstream| upstream.settled(run))
    }

    /// Gives all who have a replica what a text names, and what that names: programs and their components. A store that is
    /// nobody's replica has nobody to give it to.
    ///
    /// # Errors
    /// It cannot be read, or not be kept there.
    pub fn share(&self, text: &str) -> Result<(), JournalError> {
        let Some(upstream) = self.upstream.get() else { return Ok(()) };
        let mut named = marks::Marks::new();
        marks::of_text(text.as_bytes(), &mut named);
        self.readers.with(|connection| marks::close(connection, &mut named).map_err(|error| from_sqlite(&self.path, &error)))?;
        for digest in named {
            match self.readers.with(|connection| load::read_blob(connection, &self.path, digest)) {
                Ok(bytes) => upstream.put_blob(digest, &bytes)?,
                // Not all that looks like one names a blob.
                Err(JournalError::NoSuchBlob(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Where what is written goes.
    pub(crate) fn place(&self) -> Result<Place<'_>, JournalError> {
        match self.upstream.get() {
            Some(upstream) => Ok(Place::There(upstream)),
            None if self.is_replica() => Err(self.refusal()),
            None => Ok(Place::Here),
        }
    }

    fn refusal(&self) -> JournalError {
        let name = self.replica_of().unwrap_or_default();
        unavailable(
            &self.path,
            format_args!(
                "is a replica of {name}, and only written through it; start `host serve --nats URL` there, or give `--nats URL`"
            ),
        )
    }

    /// Writes a change, wherever that goes; the future ends when it is durable.
    ///
    /// # Errors
    /// Whatever is wrong with the store, or the streams that it is a replica of.
    pub async fn write_change(&self, change: Change) -> Result<(), JournalError> {
        self.change(change).await
    }

    pub(crate) fn change(&self, change: Change) -> BoxFuture<'static, Answer> {
        let upstream = match self.place() {
            Ok(Place::There(upstream)) => upstream,
            Ok(Place::Here) => return self.change_here(change),
            Err(error) => return std::future::ready(Err(error)).boxed(),
        };
        upstream.write(change)
    }

    fn change_here(&self, change: Change) -> BoxFuture<'static, Answer> {
        let queued = self.queue().map(|writer| match change {
            Change::Mail(write) => writer.queue.mail(write),
            Change::Deployment(write) => writer.queue.deploy(write),
            Change::Session(write) => writer.queue.session(write),
        });
        let gone = self.gone();
        async move { queued?.await.unwrap_or(Err(gone)) }.boxed()
    }

    /// Bytes that the store lacks, from upstream; kept here from then on.
    pub(crate) fn fetch(&self, digest: Digest) -> Result<Vec<u8>, JournalError> {
        let upstream = self.upstream.get().ok_or(JournalError::NoSuchBlob(digest))?;
        let bytes = upstream.blob(digest)?;
        self.keep(digest, &bytes)?;
        Ok(bytes)
    }
}
