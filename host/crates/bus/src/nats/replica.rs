//! A store in a file as a replica of what a namespace has on NATS: it serves all questions, the streams are the truth.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use catalog::Digest;
use engine::event::{Event, RunId, Timestamp};
use engine::ports::{Cached, Clock, Journal, JournalError, SystemClock};
use futures::FutureExt;
use futures::future::BoxFuture;
use journal::replica::{Change, Feed, Follower, Upstream};
use tokio::sync::{oneshot, watch};

use super::assets::{Assets, check, find_or_make, handle};
use super::connection::Connection;
use super::feed::{Reading, Report};
use super::fetch::last_in_time;
use super::journal::{JetStreamJournal, Options};
use super::mail;
use super::problem::{innermost, unavailable};
use super::upkeep::{self, Shortened};

/// How long it is waited for the replica when it gets no further.
const PATIENCE: Duration = Duration::from_secs(60);

/// The upstream of a replica.
pub struct Replica {
    connection: Connection,
    journal: JetStreamJournal,
    assets: Arc<Assets>,
    /// Writes the store, and does not keep it open.
    follower: Follower,
    events: watch::Receiver<u64>,
    changes: watch::Receiver<u64>,
    /// Blobs that others are known to have.
    kept: Mutex<BTreeSet<Digest>>,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replica").field("journal", &self.journal).finish_non_exhaustive()
    }
}

impl Replica {
    /// Makes a store the replica of the connection's namespace, and follows its streams as long as the store is open. Blocks until
    /// it has all that is there now.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: the servers do not answer or do not allow it, or the store belongs to other streams.
    pub fn open(connection: &Connection, follower: &Follower, report: &Report) -> Result<Arc<Self>, JournalError> {
        let journal = JetStreamJournal::open(connection, &Options::default())?;
        let assets = journal.assets();
        let (shared, namespace) = (Arc::clone(&assets), connection.link().namespace().clone());
        let (made, mail_stream) = connection.block(async move {
            find_or_make(&shared.link, mail::stream(&shared.link), check).await?;
            let mut events =
                shared.link.context.get_stream(&shared.events_name).await.map_err(|error| unavailable(innermost(&error)))?;
            let info = events.info().await.map_err(|error| unavailable(innermost(&error)))?;
            Ok((info.created.unix_timestamp_nanos(), handle(&shared.link, &mail::name(&shared.link)).await?))
        })?;
        follower.claim(&format!("the namespace `{namespace}` on NATS (its journal was made at {made})"))?;
        let start = |feed, stream| {
            let (progress, receiver) = watch::channel(0);
            let (assets, follower, report) = (Arc::clone(&assets), follower.clone(), Arc::clone(report));
            let reading = Reading { assets, feed, stream, follower, progress, report };
            // Said now, and not when somebody waits for what never comes.
            let reading = connection.block(async move { reading.is_allowed().await.map(|()| reading) })?;
            connection.spawn(reading.run());
            Ok::<_, JournalError>(receiver)
        };
        let events = start(Feed::Events, assets.events.clone())?;
        let changes = start(Feed::Changes, mail_stream.clone())?;
        let kept = Mutex::default();
        let replica =
            Arc::new(Self { connection: connection.clone(), journal, assets, follower: follower.clone(), events, changes, kept });
        replica.catch_up(mail_stream)?;
        Ok(replica)
    }

    /// Keeps the stream of changes short: writes down what the replica has beside events, and takes out of the stream what has been
    /// written down for so long. One host of a namespace does this now and then. Blocks.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: the servers do not answer, do not allow it, or let another host do it at this moment.
    pub fn shorten(&self, keep: Duration) -> Result<Shortened, JournalError> {
        let (assets, now) = (Arc::clone(&self.assets), SystemClock.now());
        let written = self.follower.standing(now)?;
        self.connection.block(async move { upkeep::shorten(&assets, written, keep, now).await })
    }

    /// Blocks until the replica has all that the streams have now.
    fn catch_up(&self, mail_stream: async_nats::jetstream::stream::Stream<()>) -> Result<(), JournalError> {
        let (assets, mut events, mut changes) = (Arc::clone(&self.assets), self.events.clone(), self.changes.clone());
        self.connection.block(async move {
            let namespace = assets.link.namespace();
            let last_event = last_in_time(&assets.link, &assets.events, &format!("flow.{namespace}.ev.*")).await?;
            let last_change = last_in_time(&assets.link, &mail_stream, &format!("flow.{namespace}.mail.>")).await?;
            reach(&mut events, last_event.map_or(0, |message| message.sequence)).await?;
            reach(&mut changes, last_change.map_or(0, |message| message.sequence)).await
        })
    }

    /// Does something on the threads of the connection, from wherever.
    fn elsewhere<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, JournalError>> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, JournalError>> {
        let (sender, receiver) = oneshot::channel();
        self.connection.spawn(async move { drop(sender.send(work.await)) });
        async move { receiver.await.unwrap_or_else(|_| Err(unavailable("is closed"))) }.boxed()
    }

    /// Ends when the replica has all that was appended to a run before.
    fn settle(&self, run: &RunId) -> impl Future<Output = Result<(), JournalError>> + Send + 'static {
        let (assets, mut events, subject) = (Arc::clone(&self.assets), self.events.clone(), self.assets.subject(run));
        async move {
            let end = last_in_time(&assets.link, &assets.events, &subject).await?;
            reach(&mut events, end.map_or(0, |message| message.sequence)).await
        }
    }
}

/// Waits until the replica has a position, as long as it gets further.
async fn reach(progress: &mut watch::Receiver<u64>, position: u64) -> Result<(), JournalError> {
    while *progress.borrow_and_update() < position {
        match tokio::time::timeout(PATIENCE, progress.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(unavailable("is closed")),
            Err(_) => {
                let (has, waited) = (*progress.borrow(), PATIENCE.as_secs());
                return Err(unavailable(format_args!(
                    "is ahead of this host's copy, which got no further than {has} of {position} for {waited} s; look whether the disk is full and the servers answer"
                )));
            }
        }
    }
    Ok(())
}

impl Upstream for Replica {
    fn append(&self, run: &RunId, events: Arc<[Event]>) -> BoxFuture<'static, Result<(), JournalError>> {
        let begins = events.first().is_some_and(|first| first.seq == 1);
        let appended = self.journal.append(run, events);
        if !begins {
            return appended;
        }
        // Whoever was told of a run finds it here.
        let settled = self.settle(run);
        self.elsewhere(async move {
            appended.await?;
            settled.await
        })
    }

    fn write(&self, change: Change) -> BoxFuture<'static, Result<(), JournalError>> {
        let (assets, mut changes) = (Arc::clone(&self.assets), self.changes.clone());
        self.elsewhere(async move {
            let position = mail::publish(assets, change).await?;
            reach(&mut changes, position).await
        })
    }

    fn settled(&self, run: &RunId) -> Result<(), JournalError> {
        self.connection.block(self.settle(run))
    }

    fn put_blob(&self, digest: Digest, bytes: &[u8]) -> Result<(), JournalError> {
        if !self.kept.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest) {
            self.journal.put_blob(bytes)?;
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(digest);
        }
        Ok(())
    }

    fn blob(&self, digest: Digest) -> Result<Vec<u8>, JournalError> {
        self.journal.blob(digest)
    }

    fn cached(&self, key: Digest) -> Result<Option<Cached>, JournalError> {
        self.journal.cached(key)
    }

    fn put_cached(&self, key: Digest, payload: &str, at: Timestamp) {
        // One that gets lost is computed again.
        let _ = self.journal.put_cached(key, payload, at);
    }
}
