//! Reads messages of one subject, and shows that one is being worked on.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use async_nats::header::NATS_SEQUENCE;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{self, AckKind};
use async_nats::{Message, StatusCode};
use engine::ports::JournalError;
use futures::StreamExt;
use serde_json::json;

use super::connection::Link;
use super::problem::{innermost, unavailable};

/// The most messages and bytes of one answer: less than a client's subscription and a server's connection hold.
const BATCH: usize = 512;
const BATCH_BYTES: usize = 4 << 20;

/// The status of the message after the last one of an answer.
const END_OF_BATCH: u16 = 204;

/// A message as it is stored.
pub(super) struct Stored {
    /// Its position in the stream.
    pub(super) sequence: u64,
    /// Its content.
    pub(super) payload: Vec<u8>,
}

/// The last message of a subject, as the stream's leader knows it.
pub(super) async fn last(link: &Link, stream: &Stream<()>, subject: &str) -> Result<Option<StreamMessage>, JournalError> {
    match stream.get_last_raw_message_by_subject(subject).await {
        Ok(message) => Ok(Some(message)),
        Err(error) => match error.kind() {
            LastRawMessageErrorKind::NoMessageFound => Ok(None),
            LastRawMessageErrorKind::JetStream(inner) => Err(unreadable(link, &inner.to_string())),
            _ => Err(unreadable(link, &innermost(&error))),
        },
    }
}

/// The same where the stream may have been made a moment ago, or is about to get another leader.
pub(super) async fn last_in_time(link: &Link, stream: &Stream<()>, subject: &str) -> Result<Option<StreamMessage>, JournalError> {
    patiently(link.settings.timeout * 3, || last(link, stream, subject)).await
}

/// Messages of a subject from a position of the stream on, in order: some of them, none where there are none. Any server that
/// keeps the stream may answer, also one that lags behind.
pub(super) async fn batch(link: &Link, stream: &str, subject: &str, from: u64) -> Result<Vec<Stored>, JournalError> {
    let client = &link.client;
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.map_err(|error| unreadable(link, &innermost(&error)))?;
    let request = json!({ "seq": from, "batch": BATCH, "max_bytes": BATCH_BYTES, "next_by_subj": subject }).to_string();
    let asked = client.publish_with_reply(format!("$JS.API.DIRECT.GET.{stream}"), inbox, request.into()).await;
    asked.map_err(|error| unreadable(link, &innermost(&error)))?;
    let mut found = Vec::new();
    loop {
        let next = tokio::time::timeout(link.settings.timeout, answers.next()).await;
        let Ok(Some(message)) = next else { return Err(unreadable(link, "no answer in time")) };
        match message.status {
            None => found.extend(stored(message)),
            Some(status) if status.as_u16() == END_OF_BATCH || status == StatusCode::NOT_FOUND => return Ok(found),
            Some(StatusCode::NO_RESPONDERS) => return Err(unreadable(link, "no server that keeps it is there")),
            Some(status) => {
                let what = message.description.unwrap_or_default();
                return Err(unreadable(link, &format!("{} {what}", status.as_u16())));
            }
        }
    }
}

/// Waits a moment for a server that lags behind; longer each time.
pub(super) async fn pause(round: u32) {
    let most = Duration::from_secs(1);
    tokio::time::sleep(Duration::from_millis(10).saturating_mul(1 << round.min(7)).min(most)).await;
}

/// Asks again as long as two requests may take: what another host has made a moment ago has no leader yet.
pub(super) async fn patiently<T, A: Future<Output = Result<T, JournalError>>>(
    timeout: Duration,
    ask: impl Fn() -> A,
) -> Result<T, JournalError> {
    let (begin, mut round) = (Instant::now(), 0);
    loop {
        match ask().await {
            Err(_) if begin.elapsed() < timeout * 2 => pause(round).await,
            done => return done,
        }
        round += 1;
    }
}

/// Does something about a message, and meanwhile shows its server so often that it is being done.
pub(super) async fn shown<T>(message: &jetstream::Message, every: Duration, work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        never = show(message, every) => match never {},
    }
}

async fn show(message: &jetstream::Message, every: Duration) -> Infallible {
    loop {
        tokio::time::sleep(every).await;
        // A server that does not hear it gives the message to another host.
        let _ = message.ack_with(AckKind::Progress).await;
    }
}

fn stored(message: Message) -> Option<Stored> {
    let sequence = message.headers.as_ref()?.get(NATS_SEQUENCE)?.as_str().parse().ok()?;
    Some(Stored { sequence, payload: message.payload.into() })
}

fn unreadable(link: &Link, why: &str) -> JournalError {
    unavailable(format_args!("cannot be read: {why}{}; check that its servers run and reach each other", link.complaint()))
}
