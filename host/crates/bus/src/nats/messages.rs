//! Messages between runs, and between runs and programs that are no hosts, as events of a stream.
//!
//! What a run emits is published there, and so is what others send. One of the hosts takes them out in order and puts each into the
//! inboxes of the runs that listen: there is one consumer for all hosts, however many runs and topics there are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::{AckPolicy, Consumer, PriorityPolicy, pull};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, AckKind};
use catalog::Digest;
use engine::core::mail::MAX_PAYLOAD;
use engine::event::Trace;
use engine::ports::{JournalError, Message, Outcome, Question};
use futures::future::{AbortHandle, BoxFuture, abortable, join_all};
use futures::{FutureExt, StreamExt};

use super::agents::{HEADERS, NatsAgents};
use super::assets::{Objects, find_or_make, token};
use super::connection::{Connection, Link};
use super::dead::{DeadLetter, DeadLetters};
use super::envelope::wire::Event;
use super::envelope::{Envelope, Kind, source, trace};
use super::fetch::pause;
use super::problem::{innermost, unavailable};
use super::{blobs, topics};
use crate::local::LocalBus;
use crate::outside::Outside;

/// How long messages stay in the stream for programs that read it later.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long sending a message waits for servers that do not answer.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long the server remembers ids.
const DUPLICATES: Duration = Duration::from_secs(120);

/// How long a message may be on its way into inboxes before it is given to another host.
const ACK_WAIT: Duration = Duration::from_secs(15);

/// How long the one host that takes messages may be silent before another one does.
const PINNED: Duration = Duration::from_secs(4);

/// The one who takes messages asks for more so often; well below [`PINNED`].
const PULL: Duration = Duration::from_secs(1);

/// So many messages are put into inboxes at once.
const BATCH: usize = 64;

/// The name of the consumer, and of its one group.
const CONSUMER: &str = "inboxes";

/// What is beyond a host's store: agents and listeners of the cluster.
#[derive(Clone)]
pub struct NatsOutside {
    agents: NatsAgents,
    messages: NatsMessages,
}

impl NatsOutside {
    /// Over a connection; makes the stream of messages where there is none. Blocks meanwhile.
    ///
    /// # Errors
    /// The servers do not answer, or do not let this client make the stream.
    pub fn open(connection: &Connection) -> Result<Self, JournalError> {
        Ok(Self { agents: NatsAgents::new(connection), messages: NatsMessages::open(connection)? })
    }

    /// The connection.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        self.agents.connection()
    }

    /// The messages.
    #[must_use]
    pub fn messages(&self) -> &NatsMessages {
        &self.messages
    }
}

impl Outside for NatsOutside {
    fn ask(&self, question: Question) -> BoxFuture<'static, Outcome> {
        self.agents.ask(question)
    }

    fn publish(&self, message: Message) -> BoxFuture<'static, Result<(), JournalError>> {
        self.messages.publish(message)
    }
}

/// As long as it is held, messages are put into inboxes, or handlers of hooks are told.
#[derive(Debug)]
pub struct Delivery(AbortHandle);

impl Delivery {
    pub(super) fn of(stop: AbortHandle) -> Self {
        Self(stop)
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The stream of messages. Copies share the connection.
#[derive(Clone)]
pub struct NatsMessages {
    shared: Arc<Shared>,
}

struct Shared {
    objects: Objects,
    dead: DeadLetters,
    stream: String,
    /// What subjects begin with.
    prefix: String,
}

/// What is told about a message that no run gets.
pub type Refused = Arc<dyn Fn(&str, &str) + Send + Sync>;

impl NatsMessages {
    /// The messages of the connection's namespace; makes their stream where there is none. Blocks meanwhile.
    ///
    /// # Errors
    /// The servers do not answer, or do not let this client make the stream.
    pub fn open(connection: &Connection) -> Result<Self, JournalError> {
        let link = connection.link().clone();
        let shared = connection.block(async move {
            let namespace = link.namespace().clone();
            let (stream, prefix) = (format!("FLOW_MESSAGES_{namespace}"), format!("flow.{namespace}.event."));
            find_or_make(&link, config(&link, &stream, &prefix), takes_subjects).await?;
            let (objects, dead) = (Objects::payloads(&link).await?, DeadLetters::find(link).await?);
            Ok(Shared { objects, dead, stream, prefix })
        })?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Sends a message; the future ends when the stream has it. Sending it again is harmless.
    pub fn publish(&self, message: Message) -> BoxFuture<'static, Result<(), JournalError>> {
        let shared = Arc::clone(&self.shared);
        async move { shared.publish(&message).await }.boxed()
    }

    /// Puts messages into the inboxes of `bus` as long as what it gives is held, whenever no other host does. What is no message is
    /// kept as a dead letter, and `refused` is told its subject, and why.
    #[must_use]
    pub fn deliver(&self, connection: &Connection, bus: LocalBus, refused: Refused) -> Delivery {
        let shared = Arc::clone(&self.shared);
        let (work, stop) = abortable(async move {
            let mut round = 0;
            loop {
                // Whatever is wrong, it may pass: servers come back.
                if shared.deliver(&bus, &refused).await.is_ok() {
                    round = 0;
                }
                pause(round).await;
                round += 1;
            }
        });
        connection.spawn(work.map(drop));
        Delivery(stop)
    }
}

fn config(link: &Link, stream: &str, prefix: &str) -> stream::Config {
    stream::Config {
        name: stream.to_owned(),
        description: Some("flowhost: messages of runs and for runs".to_owned()),
        subjects: vec![format!("{prefix}>")],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        max_age: KEPT,
        storage: StorageType::File,
        num_replicas: link.replicas(),
        duplicate_window: DUPLICATES,
        allow_direct: true,
        ..stream::Config::default()
    }
}

/// Whether a stream that is there takes what is to be sent there. Others may have set how long it keeps it.
pub(super) fn takes_subjects(wanted: &stream::Config, found: &stream::Config) -> Result<(), JournalError> {
    if wanted.subjects.iter().all(|subject| found.subjects.contains(subject)) {
        return Ok(());
    }
    Err(unavailable(format_args!(
        "is not safe: the stream `{}` does not take `{}`; mend its configuration, or use another namespace",
        wanted.name,
        wanted.subjects.join("`, `")
    )))
}

/// The digest that `sha256:…` names.
fn parse_blob(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text.strip_prefix("sha256:")?, &mut digest).ok()?;
    Some(Digest(digest))
}

impl Shared {
    async fn publish(&self, message: &Message) -> Result<(), JournalError> {
        let link = &self.objects.link;
        let (source, run) = (source(link.namespace()), message.id.split('/').next().unwrap_or_default());
        let trace = trace(message.trace.as_ref(), run, &message.id);
        let envelope = Envelope {
            id: &message.id,
            source: &source,
            subject: &message.topic,
            kind: Kind::Message,
            trace: &trace,
            data: &message.payload,
        };
        let mut text = envelope.write();
        if text.len() > link.client.max_payload().saturating_sub(HEADERS) {
            let blob = blobs::put(&self.objects, message.payload.as_bytes()).await?;
            text = envelope.write_with_data_at(&blob.to_string());
        }
        let mut headers = envelope.headers();
        headers.insert("Nats-Msg-Id", token(&message.id));
        let subject = format!("{}{}", self.prefix, topics::to_subject(&message.topic));
        send(link, &subject, &headers, text).await
    }

    async fn deliver(&self, bus: &LocalBus, refused: &Refused) -> Result<(), JournalError> {
        let broken = |error: &dyn std::error::Error| unavailable(format_args!("does not give messages: {}", innermost(error)));
        let consumer = self.consumer().await?;
        let messages = consumer.stream().group(CONSUMER).max_messages_per_batch(BATCH).expires(PULL).messages();
        let messages = messages.await.map_err(|error| broken(&error))?;
        let mut chunks = messages.ready_chunks(BATCH);
        while let Some(chunk) = chunks.next().await {
            let (good, bad): (Vec<_>, Vec<_>) = chunk.into_iter().partition(Result::is_ok);
            self.put(bus, refused, good.into_iter().flatten().collect()).await?;
            if let Some(Err(error)) = bad.into_iter().next() {
                return Err(broken(&error));
            }
        }
        Ok(())
    }

    async fn consumer(&self) -> Result<Consumer<pull::Config>, JournalError> {
        let wanted = pull::Config {
            durable_name: Some(CONSUMER.to_owned()),
            description: Some("flowhost: puts messages into the inboxes of runs".to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: ACK_WAIT,
            max_ack_pending: i64::try_from(4 * BATCH).unwrap_or(i64::MAX),
            priority_policy: PriorityPolicy::PinnedClient,
            priority_groups: vec![CONSUMER.to_owned()],
            priority_timeout: PINNED,
            ..pull::Config::default()
        };
        let context = &self.objects.link.context;
        let made = context.create_consumer_on_stream(wanted, &self.stream).await;
        made.map_err(|error| unavailable(format_args!("gives no consumer of `{}`: {}", self.stream, innermost(&error))))
    }

    /// Puts messages into inboxes, in order; each is acknowledged when that is durable.
    async fn put(&self, bus: &LocalBus, refused: &Refused, messages: Vec<jetstream::Message>) -> Result<(), JournalError> {
        let mut writes = Vec::new();
        for message in &messages {
            let header = message.headers.as_ref().and_then(|headers| headers.get("traceparent"));
            match self.read(&message.subject, &message.payload).await? {
                Ok(read) => {
                    let trace = read.trace.or_else(|| header.and_then(|value| Trace::parse(value.as_str())));
                    writes.push(bus.deliver(Message { trace, ..read }));
                }
                Err(why) => {
                    refused(&message.subject, &why);
                    self.dead.put(&DeadLetter::new("message", &message.subject, &why, 1, &message.payload)).await?;
                    writes.push(futures::future::ready(Ok(())).boxed());
                }
            }
        }
        let done = join_all(writes).await;
        for (message, done) in messages.iter().zip(&done) {
            let kind = if done.is_ok() { AckKind::Ack } else { AckKind::Nak(Some(Duration::from_secs(1))) };
            // What is not acknowledged comes again, and inboxes take it once.
            drop(message.ack_with(kind).await);
        }
        done.into_iter().collect()
    }

    /// The message that an event is, or why it is none.
    async fn read(&self, subject: &str, payload: &[u8]) -> Result<Result<Message, String>, JournalError> {
        match self.understand(subject, payload) {
            Ok(Understood::Message(message)) => Ok(Ok(message)),
            Ok(Understood::Elsewhere { topic, id, at, trace }) => {
                let Some(digest) = parse_blob(&at) else {
                    return Ok(Err("its `dataref` is no `sha256:…` of an object of this namespace".to_owned()));
                };
                match blobs::get_at_most(&self.objects, digest, MAX_PAYLOAD).await {
                    Ok(bytes) => {
                        Ok(document(&bytes).map(|payload| Message { topic: topic.into(), id: id.into(), payload, trace }))
                    }
                    Err(JournalError::NoSuchBlob(_)) => Ok(Err("there is no object where its `dataref` points to".to_owned())),
                    Err(error) => Err(error),
                }
            }
            Err(why) => Ok(Err(why)),
        }
    }

    fn understand(&self, subject: &str, payload: &[u8]) -> Result<Understood, String> {
        let parts = subject.strip_prefix(&self.prefix).ok_or("its subject is not one of messages")?;
        let topic = topics::from_subject(parts)?;
        let event = Event::read(payload)?;
        let id = match event.id_of(&source(self.objects.link.namespace())) {
            Some(id) => id.to_owned(),
            None => event.identity(),
        };
        let trace = event.trace();
        match (event.data(), event.data_at()) {
            (Some(data), _) => {
                let payload = document(data.as_bytes())?;
                Ok(Understood::Message(Message { topic: topic.into(), id: id.into(), payload, trace }))
            }
            (None, Some(at)) => Ok(Understood::Elsewhere { topic, id, at: at.to_owned(), trace }),
            (None, None) => Err("it has no `data`; a message without any has `\"data\": null`".to_owned()),
        }
    }
}

/// What an event says.
enum Understood {
    Message(Message),
    /// The data of the message is an object of the store.
    Elsewhere {
        topic: String,
        id: String,
        at: String,
        trace: Option<Trace>,
    },
}

fn document(bytes: &[u8]) -> Result<Arc<str>, String> {
    if bytes.len() > MAX_PAYLOAD {
        return Err(format!("its data has {} bytes, and {MAX_PAYLOAD} are taken", bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "its data is no text in UTF-8".to_owned())?;
    let document = catalog::json::parse_document(text).map_err(|error| format!("its data cannot be taken: {error}"))?;
    Ok(document.to_string().into())
}

/// Publishes to a stream, again and again until it is acknowledged or the server says why it is not taken.
pub(super) async fn send(link: &Link, subject: &str, headers: &HeaderMap, text: String) -> Result<(), JournalError> {
    let (begin, mut round) = (Instant::now(), 0);
    loop {
        let sent = link.context.publish_with_headers(subject.to_owned(), headers.clone(), text.clone().into()).await;
        let error = match sent {
            Ok(acked) => match acked.await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            },
            Err(error) => error,
        };
        let passes = matches!(
            error.kind(),
            PublishErrorKind::TimedOut
                | PublishErrorKind::BrokenPipe
                | PublishErrorKind::StreamNotFound
                | PublishErrorKind::MaxAckPending
        );
        if !passes || begin.elapsed() > PATIENCE {
            let (why, complaint) = (innermost(&error), link.complaint());
            return Err(unavailable(format_args!("does not take what is sent to `{subject}`: {why}{complaint}")));
        }
        pause(round).await;
        round += 1;
    }
}
