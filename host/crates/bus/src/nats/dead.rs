//! What could not be handled: a stream that keeps it for people, who look at it and send it again.

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use engine::event::Timestamp;
use engine::ports::{Clock, JournalError, SystemClock};
use serde_json::{Value, json};

use super::assets::{find_or_make, handle};
use super::connection::{Connection, Link};
use super::fetch::batch;
use super::problem::{innermost, unavailable};

/// The longest payload that is kept, in bytes.
const LONGEST: usize = 512 << 10;

/// The dead letters of a namespace.
#[derive(Clone)]
pub struct DeadLetters {
    link: Link,
    stream: Stream<()>,
    name: String,
}

/// Something that could not be handled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its position in the stream; 0 as long as it is not there.
    pub number: u64,
    /// What it is: one word, such as `task`, `hook` or `message`.
    pub what: String,
    /// The subject that it was sent to.
    pub subject: String,
    /// Why it could not be handled.
    pub why: String,
    /// When that was clear.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u64,
    /// What was sent; text that is no JSON as a string.
    pub payload: String,
}

impl DeadLetter {
    /// A new one, of now.
    #[must_use]
    pub fn new(what: &str, subject: &str, why: &str, attempts: u64, payload: &[u8]) -> Self {
        let payload = String::from_utf8_lossy(payload.get(..LONGEST).unwrap_or(payload)).into_owned();
        let (what, subject, why) = (what.to_owned(), subject.to_owned(), why.to_owned());
        Self { number: 0, what, subject, why, at: SystemClock.now(), attempts, payload }
    }

    /// Its document, as it is stored.
    #[must_use]
    pub fn document(&self) -> Value {
        let Self { number: _, what, subject, why, at, attempts, payload } = self;
        let payload = match serde_json::from_str(payload) {
            // A text stands for the payload as it is.
            Ok(Value::String(_)) | Err(_) => Value::String(payload.clone()),
            Ok(document) => document,
        };
        json!({ "v": 1, "what": what, "subject": subject, "why": why, "at": at.0, "attempts": attempts, "payload": payload })
    }

    fn read(number: u64, text: &[u8]) -> Option<Self> {
        let document: Value = serde_json::from_slice(text).ok()?;
        let field = |name: &str| document.get(name)?.as_str().map(str::to_owned);
        let payload = match document.get("payload")? {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some(Self {
            number,
            what: field("what")?,
            subject: field("subject")?,
            why: field("why")?,
            at: Timestamp(document.get("at")?.as_u64()?),
            attempts: document.get("attempts")?.as_u64()?,
            payload,
        })
    }
}

impl std::fmt::Debug for DeadLetters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeadLetters").field("stream", &self.name).finish_non_exhaustive()
    }
}

impl DeadLetters {
    /// Finds or makes the stream. Blocks.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: the servers do not answer, or do not let this client make it.
    pub fn open(connection: &Connection) -> Result<Self, JournalError> {
        let link = connection.link().clone();
        connection.block(async move { Self::find(link).await })
    }

    pub(super) async fn find(link: Link) -> Result<Self, JournalError> {
        let name = format!("FLOW_DEAD_{}", link.namespace());
        let config = Config {
            name: name.clone(),
            description: Some("flowhost: what could not be handled".to_owned()),
            subjects: vec![format!("flow.{}.dead.*", link.namespace())],
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::Old,
            max_bytes: 256 << 20,
            allow_direct: true,
            storage: StorageType::File,
            num_replicas: link.replicas(),
            ..Config::default()
        };
        // Whatever an administrator made of it keeps what it keeps.
        find_or_make(&link, config, |_, _| Ok(())).await?;
        let stream = handle(&link, &name).await?;
        Ok(Self { link, stream, name })
    }

    /// Keeps one.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]
    pub async fn put(&self, letter: &DeadLetter) -> Result<(), JournalError> {
        let subject = format!("flow.{}.dead.{}", self.link.namespace(), letter.what);
        let sent = self.link.context.publish(subject, letter.document().to_string().into()).await;
        let stored = match sent {
            Ok(stored) => stored.await.map(drop),
            Err(error) => Err(error),
        };
        stored.map_err(|error| unavailable(format_args!("does not take a dead letter: {}", innermost(&error))))
    }

    /// All of them, the oldest first. Blocks.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]
    pub fn list(&self, connection: &Connection) -> Result<Vec<DeadLetter>, JournalError> {
        let this = self.clone();
        connection.block(async move {
            let subject = format!("flow.{}.dead.*", this.link.namespace());
            let (mut found, mut next) = (Vec::new(), 1);
            loop {
                let part = batch(&this.link, &this.name, &subject, next).await?;
                let Some(last) = part.last() else { return Ok(found) };
                next = last.sequence + 1;
                found.extend(part.iter().filter_map(|message| DeadLetter::read(message.sequence, &message.payload)));
            }
        })
    }

    /// Takes one out. Blocks.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]
    pub fn remove(&self, connection: &Connection, number: u64) -> Result<(), JournalError> {
        let stream = self.stream.clone();
        connection.block(async move {
            let removed = stream.delete_message(number).await;
            removed.map(drop).map_err(|error| unavailable(format_args!("does not delete a dead letter: {}", innermost(&error))))
        })
    }

    /// Sends the payload of one again to where it was sent, and takes it out when the server has stored it. Blocks.
    ///
    /// # Errors
    /// [`JournalError::Unavailable`]: no stream takes it.
    pub fn retry(&self, connection: &Connection, letter: &DeadLetter) -> Result<(), JournalError> {
        let (context, letter_of) = (self.link.context.clone(), letter.clone());
        connection.block(async move {
            let sent = context.publish(letter_of.subject, letter_of.payload.into()).await;
            let stored = match sent {
                Ok(stored) => stored.await.map(drop),
                Err(error) => Err(error),
            };
            stored.map_err(|error| unavailable(format_args!("does not take a dead letter again: {}", innermost(&error))))
        })?;
        self.remove(connection, letter.number)
    }
}

#[cfg(test)]
mod tests {
    use super::DeadLetter;

    #[test]
    fn a_dead_letter_is_read_as_it_was_written() {
        for payload in ["{\"a\":1}", "no json", "3", "\"text\""] {
            let letter = DeadLetter { number: 7, ..DeadLetter::new("task", "flow.a.task.-.plain", "why", 3, payload.as_bytes()) };
            assert_eq!(DeadLetter::read(7, letter.document().to_string().as_bytes()), Some(letter));
        }
        assert_eq!(DeadLetter::read(1, b"garbage"), None);
    }
}
