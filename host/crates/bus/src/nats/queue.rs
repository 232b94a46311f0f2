//! Runs that are to be started by whichever host has room for them. One is in the queue until a host says that it is in the journal;
//! a host that dies before that leaves it to another, and since a run begins at position 1 it still begins once.

use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use engine::event::RunId;
use engine::ports::JournalError;
use futures::StreamExt;
use tokio::sync::oneshot;

use super::assets::{find_or_make, handle, token};
use super::connection::{Connection, Link};
use super::messages::takes_subjects;
use super::problem::{innermost, unavailable};

/// How long a host may take to start what it has taken, before another one gets it.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// How long the server remembers ids.
const DUPLICATES: Duration = Duration::from_secs(120);

/// How long one question waits for a run.
const WAIT: Duration = Duration::from_secs(5);

/// The name of the one consumer that all hosts share.
const CONSUMER: &str = "hosts";

/// The queue of a namespace.
#[derive(Clone)]
pub struct RunQueue {
    connection: Connection,
    consumer: Consumer<pull::Config>,
}

impl std::fmt::Debug for RunQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunQueue").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// A run out of the queue.
#[derive(Debug)]
pub struct Queued {
    /// What it was put there with.
    pub document: Vec<u8>,
    message: Message,
}

impl RunQueue {
    /// Opens the queue, and makes it where there is none. Blocks meanwhile.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: the servers do not answer, or do not let this client make it.
    pub fn open(connection: &Connection) -> Result<Self, JournalError> {
        let link = connection.link().clone();
        let consumer = connection.block(async move {
            let stream = stream(&link);
            let name = stream.name.clone();
            find_or_make(&link, stream, takes_subjects).await?;
            let config = pull::Config {
                durable_name: Some(CONSUMER.to_owned()),
                ack_policy: AckPolicy::Explicit,
                ack_wait: ACK_WAIT,
                max_deliver: -1,
                ..pull::Config::default()
            };
            let made = handle(&link, &name).await?.get_or_create_consumer(CONSUMER, config).await;
            made.map_err(|error| refused(&link, &innermost(&error)))
        })?;
        Ok(Self { connection: connection.clone(), consumer })
    }

    /// Puts a run into the queue; it is durable when this ends. The same run again is harmless.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: the servers do not answer or take it.
    pub async fn put(&self, run: &RunId, document: Vec<u8>) -> Result<(), JournalError> {
        let link = self.connection.link().clone();
        let subject = format!("flow.{}.run.{}", link.namespace(), token(&run.0));
        let message = PublishMessage::build().message_id(&*run.0).payload(document.into());
        self.elsewhere(async move {
            let sent = link.context.send_publish(subject, message).await;
            let stored = match sent {
                Ok(stored) => stored.await.map(drop),
                Err(error) => Err(error),
            };
            stored.map_err(|error| refused(&link, &innermost(&error)))
        })
        .await
    }

    /// The next run; none when none came for a while.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: the servers do not answer.
    pub async fn next(&self) -> Result<Option<Queued>, JournalError> {
        let (link, consumer) = (self.connection.link().clone(), self.consumer.clone());
        self.elsewhere(async move {
            let asked = consumer.batch().max_messages(1).expires(WAIT).messages().await;
            let mut messages = asked.map_err(|error| refused(&link, &innermost(&error)))?;
            match messages.next().await {
                Some(Ok(message)) => Ok(Some(Queued { document: message.payload.to_vec(), message })),
                Some(Err(error)) => Err(refused(&link, &error.to_string())),
                None => Ok(None),
            }
        })
        .await
    }

    /// On the threads of the connection.
    async fn elsewhere<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, JournalError>> + Send + 'static,
    ) -> Result<T, JournalError> {
        let (sender, receiver) = oneshot::channel();
        self.connection.spawn(async move { drop(sender.send(work.await)) });
        receiver.await.unwrap_or_else(|_| Err(unavailable("is closed")))
    }
}

impl Queued {
    /// It is in the journal, or can never be: it leaves the queue. What gets lost of this is said again by whoever gets it next.
    pub async fn done(self) {
        drop(self.message.ack().await);
    }

    /// It cannot be started here now: another host may try after a while.
    pub async fn later(self, after: Duration) {
        drop(self.message.ack_with(AckKind::Nak(Some(after))).await);
    }
}

fn stream(link: &Link) -> Config {
    Config {
        name: format!("FLOW_RUNS_{}", link.namespace()),
        description: Some("flowhost: runs that wait for a host with room".to_owned()),
        subjects: vec![format!("flow.{}.run.*", link.namespace())],
        retention: RetentionPolicy::WorkQueue,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        num_replicas: link.replicas(),
        duplicate_window: DUPLICATES,
        ..Config::default()
    }
}

fn refused(link: &Link, why: &str) -> JournalError {
    unavailable(format_args!("does not queue runs: {why}{}", link.complaint()))
}
