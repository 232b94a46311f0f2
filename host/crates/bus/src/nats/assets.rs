//! The streams and buckets of a namespace: made where they are missing, refused where they would lose something.

use std::time::{Duration, Instant};

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::object_store::{self, ObjectStore};
use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{ErrorCode, kv};
use engine::event::RunId;
use engine::ports::JournalError;

use super::connection::Link;
use super::fetch::{patiently, pause};
use super::problem::{innermost, unavailable};

/// How long the server remembers ids of messages. A commit that is published again after it is held off by the position of the
/// one before it.
const DUPLICATES: Duration = Duration::from_secs(120);

/// What is said of servers that do not see each other yet, or are about to get another leader.
const UNSETTLED: [&str; 2] = ["peer offline", "timed out"];

/// What a journal keeps on the server.
pub(super) struct Assets {
    pub(super) link: Link,
    /// Commits of runs.
    pub(super) events: Stream<()>,
    pub(super) events_name: String,
    /// Payloads.
    pub(super) objects: Objects,
    /// Results for later runs.
    pub(super) cache: kv::Store,
}

impl Assets {
    /// Finds or makes them.
    pub(super) async fn open(link: Link) -> Result<Self, JournalError> {
        let namespace = link.namespace().as_str().to_owned();
        let events_name = format!("FLOW_EVENTS_{namespace}");
        find_or_make(&link, events(&link, &events_name), check).await?;
        let objects = Objects::payloads(&link).await?;
        let cache = keys(&link, &format!("flow_{namespace}_cache"), "results of steps for later runs", Duration::ZERO).await?;
        let events = handle(&link, &events_name).await?;
        Ok(Self { link, events, events_name, objects, cache })
    }

    /// The subject of a run's commits.
    pub(super) fn subject(&self, run: &RunId) -> String {
        format!("flow.{}.ev.{}", self.link.namespace(), token(&run.0))
    }
}

/// Bytes by their sha256.
#[derive(Clone)]
pub(super) struct Objects {
    pub(super) link: Link,
    pub(super) store: ObjectStore,
    pub(super) stream: Stream<()>,
    pub(super) bucket: String,
}

impl Objects {
    /// Payloads, programs and components, which stay.
    pub(super) async fn payloads(link: &Link) -> Result<Self, JournalError> {
        Self::open(link, format!("flow_{}_blobs", link.namespace()), "payloads by their sha256", Duration::ZERO).await
    }

    /// Finds or makes a bucket. What is in it stays so long; for ever where that is zero.
    pub(super) async fn open(link: &Link, bucket: String, what: &str, max_age: Duration) -> Result<Self, JournalError> {
        let store = objects(link, &bucket, what, max_age).await?;
        let stream = handle(link, &format!("OBJ_{bucket}")).await?;
        Ok(Self { link: link.clone(), store, stream, bucket })
    }
}

/// Text as one part of a subject: letters, digits, `-` and `_` stay, other bytes are written `=XX`.
pub(super) fn token(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            out.push(char::from(byte));
        } else {
            out.push('=');
            out.push_str(&hex::encode_upper([byte]));
        }
    }
    out
}

/// The text of such a part; none when it is not one.
pub(super) fn untoken(part: &str) -> Option<String> {
    let mut parts = part.split('=');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at_checked(2)?;
        let mut byte = [0];
        hex::decode_to_slice(code, &mut byte).ok()?;
        bytes.extend(byte);
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Nothing in it may ever go but what is purged on purpose.
fn events(link: &Link, name: &str) -> Config {
    Config {
        name: name.to_owned(),
        description: Some("flowhost: the journal of runs, a message for each commit".to_owned()),
        subjects: vec![format!("flow.{}.ev.*", link.namespace())],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        num_replicas: link.replicas(),
        duplicate_window: DUPLICATES,
        deny_delete: true,
        allow_direct: true,
        ..Config::default()
    }
}

pub(super) async fn find_or_make(
    link: &Link,
    wanted: Config,
    check: impl Fn(&Config, &Config) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let find = async || match link.context.get_stream(&wanted.name).await {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_missing(&error.kind()) => Ok(None),
        Err(error) => Err(unavailable(format_args!("does not answer: {}{}", innermost(&error), link.complaint()))),
    };
    match patiently(link.settings.timeout, find).await? {
        Some(found) => check(&wanted, &found.cached_info().config),
        None => make(link, wanted).await,
    }
}

fn is_missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

async fn make(link: &Link, wanted: Config) -> Result<(), JournalError> {
    let name = wanted.name.clone();
    placed(link, &name, wanted.num_replicas, || link.context.create_stream(wanted.clone())).await.map(drop)
}

/// Makes a stream or a bucket. A cluster that has just found together does not answer for a moment, or says that some of its servers
/// are away: then it is tried again.
async fn placed<T, E, A>(link: &Link, name: &str, replicas: usize, make: impl Fn() -> A) -> Result<T, JournalError>
where
    E: std::error::Error,
    A: Future<Output = Result<T, E>>,
{
    let (begin, mut round) = (Instant::now(), 0);
    loop {
        let why = match make().await {
            Ok(made) => return Ok(made),
            Err(error) => innermost(&error),
        };
        // What this client may not do is not answered either, and complained about.
        let unsettled = UNSETTLED.iter().any(|sign| why.contains(sign)) && link.complaint().is_empty();
        if !unsettled || begin.elapsed() > link.settings.timeout * 3 {
            return Err(not_made(link, name, replicas, &why));
        }
        pause(round).await;
        round += 1;
    }
}

fn not_made(link: &Link, name: &str, replicas: usize, why: &str) -> JournalError {
    let complaint = link.complaint();
    unavailable(format_args!(
        "cannot be made: the stream `{name}`, kept by {replicas} servers, is refused: {why}{complaint}; check that so many servers have JetStream and room, or set how many replicas there are"
    ))
}

/// Whether a stream that is there keeps what it gets.
pub(super) fn check(wanted: &Config, found: &Config) -> Result<(), JournalError> {
    let wrong = [
        (!wanted.subjects.iter().all(|subject| found.subjects.contains(subject)), "it does not take the subjects of runs"),
        (found.retention != RetentionPolicy::Limits, "its retention is not `limits`"),
        (found.discard != DiscardPolicy::New, "it discards old messages when it is full"),
        (!found.max_age.is_zero(), "it deletes messages by age"),
        (found.max_messages > 0 && found.discard != DiscardPolicy::New, "it deletes messages by number"),
        (found.max_messages_per_subject > 0, "it keeps only some messages of each run"),
        (found.storage != StorageType::File, "it is kept in memory"),
        (found.no_ack, "it does not acknowledge"),
        (!found.allow_direct, "it does not allow direct reading"),
    ];
    let wrong: Vec<_> = wrong.into_iter().filter_map(|(is_wrong, what)| is_wrong.then_some(what)).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    Err(unavailable(format_args!(
        "is not safe: the stream `{}` is not as this program makes it: {}; mend its configuration, or use another namespace",
        found.name,
        wrong.join(", ")
    )))
}

async fn objects(link: &Link, bucket: &str, what: &str, max_age: Duration) -> Result<ObjectStore, JournalError> {
    if let Ok(found) = link.context.get_object_store(bucket).await {
        return Ok(found);
    }
    let config = object_store::Config {
        bucket: bucket.to_owned(),
        description: Some(format!("flowhost: {what}")),
        max_age,
        storage: StorageType::File,
        num_replicas: link.replicas(),
        ..object_store::Config::default()
    };
    let make = || link.context.create_object_store(config.clone());
    placed(link, &format!("OBJ_{bucket}"), link.replicas(), make).await
}

/// Finds or makes a bucket of keys with their last values. What is in it stays so long; for ever where that is zero.
pub(super) async fn keys(link: &Link, bucket: &str, what: &str, max_age: Duration) -> Result<kv::Store, JournalError> {
    if let Ok(found) = link.context.get_key_value(bucket).await {
        return Ok(found);
    }
    let config = kv::Config {
        bucket: bucket.to_owned(),
        description: format!("flowhost: {what}"),
        history: 1,
        max_age,
        storage: StorageType::File,
        num_replicas: link.replicas(),
        ..kv::Config::default()
    };
    let make = || link.context.create_key_value(config.clone());
    placed(link, &format!("KV_{bucket}"), link.replicas(), make).await
}

pub(super) async fn handle(link: &Link, name: &str) -> Result<Stream<()>, JournalError> {
    link.context.get_stream_no_info(name).await.map_err(unavailable)
}

#[cfg(test)]
mod tests {
    use super::{token, untoken};

    #[test]
    fn any_id_is_one_part_of_a_subject_and_no_two_are_the_same() {
        assert_eq!(token("01J-ab_9"), "01J-ab_9");
        assert_eq!(token("a.b *>=ä"), "a=2Eb=20=2A=3E=3D=C3=A4");
        assert_ne!(token("a=2E"), token("a."));
        for text in ["01J-ab_9", "a.b *>=ä", "", "="] {
            assert_eq!(untoken(&token(text)).as_deref(), Some(text));
        }
        assert_eq!((untoken("a=2"), untoken("a=ZZ"), untoken("=FF")), (None, None, None));
    }
}
