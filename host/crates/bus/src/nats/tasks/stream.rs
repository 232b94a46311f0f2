//! Where tasks wait: a work queue, with a consumer for each kind of task that all its workers share.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use catalog::Name;
use engine::ports::{JournalError, Kind};
use futures::TryStreamExt;

use super::super::assets::{find_or_make, handle, token};
use super::super::connection::Link;
use super::super::problem::{innermost, unavailable};

/// How long the server remembers ids of tasks.
const DUPLICATES: Duration = Duration::from_secs(120);

/// A task that waits longer is dropped: its owner is gone, or has run it itself.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// What stands for no class in a subject; no flow can name a class so.
const NO_CLASS: &str = "-";

/// The queue.
#[derive(Clone)]
pub(super) struct Queue {
    pub(super) link: Link,
    stream: Stream<()>,
    ack_wait: Duration,
    /// Kinds whose consumers are known to be there.
    made: Arc<Mutex<BTreeSet<Kind>>>,
}

impl Queue {
    /// Finds or makes it. A task that no sign of its worker comes for so long is given to another one.
    pub(super) async fn open(link: Link, ack_wait: Duration) -> Result<Self, JournalError> {
        let name = format!("FLOW_TASKS_{}", link.namespace());
        let config = Config {
            name: name.clone(),
            description: Some("flowhost: attempts that wait for a host with room".to_owned()),
            subjects: vec![format!("flow.{}.task.*.*", link.namespace())],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            num_replicas: link.replicas(),
            duplicate_window: DUPLICATES,
            max_age: MAX_AGE,
            ..Config::default()
        };
        find_or_make(&link, config, check).await?;
        let stream = handle(&link, &name).await?;
        Ok(Self { link, stream, ack_wait, made: Arc::default() })
    }

    /// Puts a task there. The server stores the same id once.
    pub(super) async fn put(&self, kind: &Kind, id: &str, text: Vec<u8>) -> Result<(), JournalError> {
        self.consumer(kind).await?;
        let message = PublishMessage::build().message_id(id).payload(text.into());
        let sent = self.link.context.send_publish(self.subject(kind), message).await;
        let stored = match sent {
            Ok(stored) => stored.await.map(drop),
            Err(error) => Err(error),
        };
        stored.map_err(|error| {
            // Whatever was there may have gone with the server.
            self.made().remove(kind);
            refused(&self.link, &innermost(&error))
        })
    }

    /// The consumer of a kind, made where it is not there.
    pub(super) async fn consumer(&self, kind: &Kind) -> Result<(), JournalError> {
        if self.made().contains(kind) {
            return Ok(());
        }
        let config = pull::Config {
            durable_name: Some(name_of(kind)),
            filter_subject: self.subject(kind),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.ack_wait,
            max_deliver: -1,
            max_ack_pending: -1,
            max_waiting: 4096,
            ..pull::Config::default()
        };
        let made = self.stream.get_or_create_consumer(&name_of(kind), config).await;
        made.map_err(|error| refused(&self.link, &innermost(&error)))?;
        self.made().insert(kind.clone());
        // Workers would find it by themselves, but later.
        let _ = self.link.client.publish(self.news(), "".into()).await;
        Ok(())
    }

    fn made(&self) -> std::sync::MutexGuard<'_, BTreeSet<Kind>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The subject on which it is told that there is a new kind.
    pub(super) fn news(&self) -> String {
        format!("flow.{}.tasks", self.link.namespace())
    }

    /// The kinds that there are consumers of.
    pub(super) async fn kinds(&self) -> Result<Vec<Kind>, JournalError> {
        let names: Vec<String> = self
            .stream
            .consumer_names()
            .try_collect()
            .await
            .map_err(|error| unavailable(format_args!("does not tell which tasks there are: {}", innermost(&error))))?;
        Ok(names.iter().filter_map(|name| kind_of(name)).collect())
    }

    /// What pulls tasks of a kind.
    pub(super) async fn pull(&self, kind: &Kind) -> Result<PullConsumer, JournalError> {
        let found = self.stream.get_consumer(&name_of(kind)).await;
        found.map_err(|error| unavailable(format_args!("does not give tasks: {error}")))
    }

    /// How many tasks no worker has, and how many workers have.
    pub(super) async fn length(&self) -> Result<(u64, u64), JournalError> {
        let consumers: Vec<_> = self
            .stream
            .consumers()
            .try_collect()
            .await
            .map_err(|error| unavailable(format_args!("does not tell how many tasks wait: {}", innermost(&error))))?;
        let pending = consumers.iter().map(|consumer| consumer.num_pending).sum();
        let running = consumers.iter().map(|consumer| u64::try_from(consumer.num_ack_pending).unwrap_or(0)).sum();
        Ok((pending, running))
    }

    /// Where tasks of a kind go.
    pub(super) fn subject(&self, kind: &Kind) -> String {
        format!("flow.{}.task.{}.{}", self.link.namespace(), class_token(kind), capability(kind))
    }
}

fn refused(link: &Link, why: &str) -> JournalError {
    unavailable(format_args!("does not take a task: {why}{}", link.complaint()))
}

fn class_token(kind: &Kind) -> String {
    kind.class.as_deref().map_or_else(|| NO_CLASS.to_owned(), token)
}

/// What a worker's operator has to permit.
const fn capability(kind: &Kind) -> &'static str {
    match (kind.http, kind.env) {
        (false, false) => "plain",
        (true, false) => "http",
        (false, true) => "env",
        (true, true) => "http-env",
    }
}

fn name_of(kind: &Kind) -> String {
    format!("{}~{}", class_token(kind), capability(kind))
}

/// The kind that a consumer is for; none where it is not one of ours.
fn kind_of(name: &str) -> Option<Kind> {
    let (class, capability) = name.rsplit_once('~')?;
    let (http, env) = match capability {
        "plain" => (false, false),
        "http" => (true, false),
        "env" => (false, true),
        "http-env" => (true, true),
        _ => return None,
    };
    let class: Option<Name> = if class == NO_CLASS { None } else { Some(text_of(class)?.into()) };
    Some(Kind { class, http, env })
}

/// The text that a part of a subject stands for.
fn text_of(token: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), token.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        rest = tail;
        if *first == b'=' {
            let (digits, tail) = rest.split_at_checked(2)?;
            bytes.extend(hex::decode(digits).ok()?);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Whether a queue that is there gives each task to one worker, and loses none.
fn check(wanted: &Config, found: &Config) -> Result<(), JournalError> {
    let wrong = [
        (!wanted.subjects.iter().all(|subject| found.subjects.contains(subject)), "it does not take the subjects of tasks"),
        (found.retention != RetentionPolicy::WorkQueue, "its retention is not `workqueue`"),
        (found.discard != DiscardPolicy::New, "it discards old messages when it is full"),
    ];
    let wrong: Vec<_> = wrong.into_iter().filter_map(|(is_wrong, what)| is_wrong.then_some(what)).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let wrong = wrong.join(", ");
    Err(unavailable(format_args!("is not as this program makes it: the stream `{}`: {wrong}; delete it", found.name)))
}

#[cfg(test)]
mod tests {
    use engine::ports::Kind;

    use super::{kind_of, name_of};

    #[test]
    fn a_consumer_is_named_after_its_kind() {
        for class in [None, Some("small"), Some("a b~x"), Some("ä")] {
            for (http, env) in [(false, false), (true, false), (false, true), (true, true)] {
                let kind = Kind { class: class.map(Into::into), http, env };
                assert_eq!(kind_of(&name_of(&kind)), Some(kind));
            }
        }
        for other in ["mine", "a~b", "=G1~plain", "=~http"] {
            assert_eq!(kind_of(other), None, "{other}");
        }
    }
}
