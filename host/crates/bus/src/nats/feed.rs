//! Reads a stream from a position on, for ever, and hands what is in it to a replica.
//!
//! A consumer of its own, which the server forgets when nobody asks any more, gives the messages in order. Its own count shows
//! whether one got lost on the way; then, and whenever something fails, another one is made where the replica is.

use std::sync::Arc;
use std::time::Duration;

use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy};
use async_nats::jetstream::stream::Stream;
use engine::event::RunId;
use engine::ports::{Clock, JournalError, SystemClock};
use futures::StreamExt;
use journal::replica::{Entry, Feed, Follower, StoredEvent};
use journal::wire::decode_change;
use tokio::sync::watch;

use super::assets::{Assets, untoken};
use super::blobs;
use super::fetch::patiently;
use super::named;
use super::problem::{innermost, unavailable};
use super::upkeep::{self, Skipped};
use super::wire::{self, Holder};

/// So many messages are asked for at once, and written in one transaction at most.
const BATCH: usize = 256;

/// How long one question waits for messages.
const WAIT: Duration = Duration::from_secs(5);

/// When the server forgets a consumer that nobody asks.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// After a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// What came right after a message that is no older than this cannot be so old that it is not kept any more.
const NEW: Duration = Duration::from_secs(60);

/// So often in a row it fails before that is told.
const TOLD: u32 = 6;

/// Tells people what is wrong with a replica.
pub type Report = Arc<dyn Fn(&str) + Send + Sync>;

/// How far a consumer has been read.
struct Read {
    /// So many messages have come.
    messages: u64,
    /// Where the last of them is in the stream, and when it was stored, in milliseconds since the Unix epoch; 0 before the first.
    position: u64,
    at: u64,
}

/// A stream and the replica that follows it.
pub(super) struct Reading {
    pub(super) assets: Arc<Assets>,
    pub(super) feed: Feed,
    pub(super) stream: Stream<()>,
    pub(super) follower: Follower,
    /// Up to which position all is in the replica.
    pub(super) progress: watch::Sender<u64>,
    pub(super) report: Report,
}

impl Reading {
    /// Whether the servers let this client follow the stream; what is made for that they forget.
    ///
    /// # Errors
    /// They do not, or do not answer.
    pub(super) async fn is_allowed(&self) -> Result<(), JournalError> {
        let position = self.follower.position(self.feed)?;
        patiently(self.assets.link.settings.timeout, || self.consumer(position + 1)).await.map(drop)
    }

    /// Follows the stream until the replica is closed.
    pub(super) async fn run(self) {
        let mut failures = 0;
        while !self.follower.is_closed() {
            let before = *self.progress.borrow();
            let Err(error) = self.follow().await else { continue };
            failures = if *self.progress.borrow() > before { 1 } else { failures + 1 };
            // What is mended by itself, such as a server that starts again, is not told of.
            if failures == TOLD && !self.follower.is_closed() {
                (self.report)(&error.to_string());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Follows it from where the replica is, as long as the same consumer can be used.
    async fn follow(&self) -> Result<(), JournalError> {
        let position = self.follower.position(self.feed)?;
        self.progress.send_replace(position);
        let mut connected = self.assets.link.connected();
        let consumer = self.consumer(position + 1).await?;
        if self.skips().await? {
            return Ok(());
        }
        let mut read = Read { messages: 0, position, at: 0 };
        loop {
            let asked = consumer.batch().max_messages(BATCH).expires(WAIT).messages().await;
            let messages = asked.map_err(|error| self.unreadable(&innermost(&error)))?;
            let mut chunks = messages.ready_chunks(BATCH);
            let mut silent = true;
            loop {
                let chunk = tokio::select! {
                    chunk = chunks.next() => chunk,
                    _ = connected.changed() => return Ok(()),
                };
                let Some(chunk) = chunk else { break };
                silent = false;
                if !self.take(chunk, &mut read).await? {
                    return Ok(());
                }
            }
            if self.follower.is_closed() {
                return Ok(());
            }
            if silent && !has_all(&consumer, read.messages).await {
                return Ok(());
            }
        }
    }

    /// Whether changes that the replica lacks are not in the stream any more: then it has gone on from what they led to.
    async fn skips(&self) -> Result<bool, JournalError> {
        if self.feed != Feed::Changes {
            return Ok(false);
        }
        let before = *self.progress.borrow();
        let Skipped::To(position) = upkeep::skip(&self.assets, &self.stream, &self.follower).await? else { return Ok(false) };
        if before > 0 {
            (self.report)(&format!(
                "this host was away for so long that changes {} to {position} are not kept any more; its store goes on from what they led to",
                before + 1
            ));
        }
        Ok(true)
    }

    async fn consumer(&self, from: u64) -> Result<Consumer<Config>, JournalError> {
        let config = Config {
            description: Some("flowhost: a replica".to_owned()),
            ack_policy: AckPolicy::None,
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: from },
            inactive_threshold: FORGOTTEN,
            memory_storage: true,
            num_replicas: 1,
            ..Config::default()
        };
        self.stream.create_consumer(config).await.map_err(|error| self.unreadable(&innermost(&error)))
    }

    /// Hands on what came. False: some of it got lost on the way.
    async fn take<E: std::fmt::Display>(&self, chunk: Vec<Result<Message, E>>, read: &mut Read) -> Result<bool, JournalError> {
        let since = SystemClock.now().0.saturating_sub(u64::try_from(NEW.as_millis()).unwrap_or(u64::MAX));
        let (mut entries, mut whole, mut hole) = (Vec::with_capacity(chunk.len()), true, false);
        for message in chunk {
            let message = message.map_err(|error| self.unreadable(&error.to_string()))?;
            let info = message.info().map_err(|error| self.unreadable(&error.to_string()))?;
            if info.consumer_sequence != read.messages + 1 {
                whole = false;
                break;
            }
            hole |= info.stream_sequence > read.position + 1 && read.at < since;
            let at = u64::try_from(info.published.unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
            *read = Read { messages: info.consumer_sequence, position: info.stream_sequence, at };
            entries.push((info.stream_sequence, self.entry(&message, at).await?));
        }
        let Some(last) = entries.last().map(|(position, _)| *position) else { return Ok(whole) };
        // What is not there may have been taken away before it was given.
        if hole && self.skips().await? {
            return Ok(false);
        }
        match self.follower.apply(self.feed, entries).await {
            Err(error @ JournalError::Damaged { .. }) => (self.report)(&error.to_string()),
            done => done?,
        }
        self.progress.send_replace(last);
        Ok(whole)
    }

    /// What a message brings. One that cannot be read is told of, and only its position counts.
    async fn entry(&self, message: &Message, at: u64) -> Result<Entry, JournalError> {
        let read = match self.feed {
            // It is looked for when it is needed.
            Feed::Changes if *message.subject == *upkeep::subject(&self.assets.link) => Ok(Entry::Nothing),
            Feed::Changes => self.change(message, at),
            Feed::Events => self.commit(message).await?,
        };
        Ok(read.unwrap_or_else(|why| {
            (self.report)(&format!("a message of `{}` cannot be used: {why}", message.subject));
            Entry::Nothing
        }))
    }

    fn change(&self, message: &Message, at: u64) -> Result<Entry, String> {
        let id = message.headers.as_ref().and_then(|headers| headers.get(NATS_MESSAGE_ID)).map(|id| id.as_str().to_owned());
        decode_change(&message.payload).map(|change| Entry::Change { change, at, id })
    }

    async fn commit(&self, message: &Message) -> Result<Result<Entry, String>, JournalError> {
        let Some(run) = message.subject.rsplit('.').next().and_then(untoken).map(|run| RunId(run.into())) else {
            return Ok(Err("it names no run".to_owned()));
        };
        let (outline, holder) = match wire::read(&message.payload) {
            Ok(read) => read,
            Err(why) => return Ok(Err(why)),
        };
        let array;
        let events = match holder {
            Holder::Message(events) => events,
            Holder::Blob(digest) => {
                array = match blobs::get(&self.assets.objects, digest).await {
                    Err(error @ JournalError::NoSuchBlob(_)) => return Ok(Err(error.to_string())),
                    read => read?,
                };
                match wire::read_array(&array) {
                    Ok(events) => events,
                    Err(why) => return Ok(Err(why)),
                }
            }
        };
        let events: Vec<StoredEvent> = events.iter().map(stored).collect();
        let blobs = named::fetch(&self.assets, &self.follower, &events).await?;
        Ok(Ok(Entry::Commit { run, first: outline.first, hash: outline.hash, events, blobs }))
    }

    fn unreadable(&self, why: &str) -> JournalError {
        unavailable(format_args!("cannot be followed: {why}{}", self.assets.link.complaint()))
    }
}

/// Whether all that the consumer has given arrived here. What it gave while this process was stopped is lost, when nobody waited for
/// it any more; and a consumer that is gone is silent as well.
async fn has_all(consumer: &Consumer<Config>, messages: u64) -> bool {
    consumer.get_info().await.is_ok_and(|info| info.delivered.consumer_sequence == messages)
}

fn stored(event: &wire::StoredEvent<'_>) -> StoredEvent {
    StoredEvent {
        at: event.at,
        kind: event.kind.clone().into_owned(),
        path: event.path.clone().into_owned(),
        body: event.body.get().to_owned(),
    }
}
