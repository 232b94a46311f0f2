//! Publishes what a run appends, as one message that is stored once or not at all.
//!
//! A message names the position of the run's message before it, which the server compares, and carries an id of its own. Not one
//! that the server compares, which would have it remember each id for minutes: the position keeps a commit from being stored twice,
//! and a header more costs as much as a hundred bytes of text. Where no
//! answer comes, or the server says that the position does not fit, the run's last message decides, as the stream's leader has it:
//! with the id of this message it is stored; a later one than the one before belongs to another owner, and the run is lost. Only
//! when it is still the one before, the same message is published again, with the same id and the same position: so it cannot be
//! there twice, and never follows what its owner does not know. A server says that a position does not fit also while it cannot
//! compare, such as after an election; hence the look.
//!
//! In a cluster positions and ids are compared by the leader before the servers agree, not when they do: around an election the
//! message before may be stored a second time. It is known by its chain, this one follows it, and a reader skips it.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use engine::event::{RunId, Seq};
use engine::ports::JournalError;
use journal::chain::{self, Hash, Link};
use journal::wire::{Blob, kind};

use super::blobs;
use super::fetch::{batch, last, pause};
use super::problem::{innermost, of_the_server, unavailable};
use super::wire::{self, Draft, Outline};
use super::writer::{Append, Caller, Line, Shared};

/// Where a run's journal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The position of its last event.
    pub(super) last: Seq,
    /// The chain after it.
    hash: Hash,
    /// The position in the stream of its last message; 0 for none.
    sequence: u64,
}

impl Head {
    /// Whether the journal ends here with a message of this content.
    fn is_end_of(&self, payload: &[u8]) -> bool {
        self.last > 0 && wire::read(payload).is_ok_and(|(outline, _)| outline.last == self.last && outline.hash == self.hash)
    }
}

/// What became of the appends of a run that were published together.
pub(super) struct Landed {
    pub(super) run: RunId,
    /// Where the journal ends now, unless that is not known, or of no more interest.
    pub(super) head: Option<Head>,
    /// Why the appends that wait behind these cannot be made either.
    pub(super) failed: Option<JournalError>,
}

/// Makes these appends of a run, and answers them.
pub(super) async fn commit(shared: Arc<Shared>, run: RunId, head: Option<Head>, appends: Vec<(Append, Caller)>) -> Landed {
    let first = appends.iter().find_map(|(_, caller)| caller.first);
    let head = match (head, first) {
        (Some(head), _) => Ok(head),
        // A new run needs no look: the server compares.
        (None, Some(1) | None) => Ok(Head { last: 0, hash: chain::genesis(&run), sequence: 0 }),
        (None, Some(_)) => shared.find_head(&run).await,
    };
    let mut batch = match head {
        Ok(head) => Batch::after(head),
        Err(error) => {
            appends.into_iter().for_each(|(_, caller)| caller.fail(&error));
            return Landed { run, head: None, failed: Some(error) };
        }
    };
    let mut accepted = Vec::new();
    for (append, caller) in appends {
        match batch.add(&run, append) {
            Ok(()) => accepted.push(caller),
            Err(error) => caller.answer(Err(error)),
        }
    }
    let (outline, ended) = (batch.outline(), batch.ended);
    let stored = shared.store(&run, batch).await;
    match stored {
        Ok(sequence) => {
            accepted.into_iter().for_each(|caller| caller.answer(Ok(())));
            let known = !ended && sequence > 0;
            let head = Head { last: outline.last, hash: outline.hash, sequence };
            Landed { run, head: known.then_some(head), failed: None }
        }
        Err(error) => {
            accepted.into_iter().for_each(|caller| caller.fail(&error));
            Landed { run, head: None, failed: Some(error) }
        }
    }
}

/// Events that become one message.
struct Batch {
    before: Head,
    last: Seq,
    hash: Hash,
    draft: Option<Draft>,
    blobs: Vec<Blob>,
    ended: bool,
}

impl Batch {
    fn after(head: Head) -> Self {
        let (last, hash) = (head.last, head.hash);
        Self { before: head, last, hash, draft: None, blobs: Vec::new(), ended: false }
    }

    /// Adds an append, if its events can follow.
    fn add(&mut self, run: &RunId, append: Append) -> Result<(), JournalError> {
        let Append { draft, lines, blobs } = append;
        let Some(first) = lines.first() else { return Ok(()) };
        if let Some(error) = refusal(run, self.last, first, &lines) {
            return Err(error);
        }
        for line in &lines {
            let body = draft.body(&line.body);
            self.hash = chain::next(&self.hash, Link { seq: line.seq, at: line.at, kind: line.kind, path: &line.path, body });
            self.last = line.seq;
            self.ended |= line.kind == kind::RUN_ENDED;
        }
        match &mut self.draft {
            Some(before) => before.append(&draft),
            None => self.draft = Some(draft),
        }
        self.blobs.extend(blobs);
        Ok(())
    }

    fn outline(&self) -> Outline {
        Outline { first: self.before.last + 1, last: self.last, hash: self.hash }
    }
}

/// Why these events cannot follow.
fn refusal(run: &RunId, last: Seq, first: &Line, lines: &[Line]) -> Option<JournalError> {
    let damaged = |what: String| Some(JournalError::Damaged { run: run.clone(), what });
    if first.seq <= last {
        return Some(JournalError::Fenced { run: run.clone(), seq: first.seq });
    }
    if let Some((wrong, expected)) = lines.iter().zip(last + 1..).find(|(line, expected)| line.seq != *expected) {
        return damaged(format!("event {} cannot be appended, because event {expected} is missing", wrong.seq));
    }
    if last == 0 && first.kind != kind::RUN_STARTED {
        return damaged(format!("it does not begin with `{}`", kind::RUN_STARTED));
    }
    None
}

/// A message, with all that makes it the same when it is published again.
struct Message {
    subject: String,
    id: String,
    /// The message before it.
    before: Head,
    text: Bytes,
}

/// What the server says of a publish.
enum Answer {
    /// It is stored, there.
    Stored(u64),
    /// Whether it is stored is not known.
    Doubt(String),
    /// It is not stored, and will not be.
    Refused(JournalError),
}

/// What the run's last message says of one that was published.
enum Found {
    /// It is this one, there.
    This(u64),
    /// It is the one before, there: this one is not stored, or not yet.
    Before(u64),
    /// It is even older: who answered lags behind, or the end of the run is gone.
    Older,
    /// Another one followed.
    Later,
}

/// What is to be done about a message that was in doubt.
enum Settled {
    /// Nothing: it is stored, there.
    Stored(u64),
    /// It is published again, after the message at this position.
    After(u64),
}

/// So often in a row the end of a run is older than it was, before it is believed.
const OLDER: u32 = 20;

impl Shared {
    /// Where a run's journal ends, asked of the server; patiently.
    async fn find_head(&self, run: &RunId) -> Result<Head, JournalError> {
        let (subject, begin, mut round) = (self.assets.subject(run), Instant::now(), 0);
        let message = loop {
            match last(&self.assets.link, &self.assets.events, &subject).await {
                Ok(message) => break message,
                Err(error) if begin.elapsed() >= self.patience() => return Err(error),
                Err(_) => pause(round).await,
            }
            round += 1;
        };
        let Some(message) = message else { return Ok(Head { last: 0, hash: chain::genesis(run), sequence: 0 }) };
        let (outline, _) = wire::read(&message.payload).map_err(|why| JournalError::Damaged {
            run: run.clone(),
            what: format!("its last message, {} in the stream, cannot be read: {why}", message.sequence),
        })?;
        Ok(Head { last: outline.last, hash: outline.hash, sequence: message.sequence })
    }

    /// Stores a batch: first what it names, then itself.
    async fn store(&self, run: &RunId, batch: Batch) -> Result<u64, JournalError> {
        for blob in &batch.blobs {
            self.keep(blob.text.as_bytes()).await?;
        }
        let (outline, before, id) = (batch.outline(), batch.before, self.next_id());
        let text = match batch.draft {
            None => return Ok(before.sequence),
            Some(draft) if draft.len() <= self.commit_bytes() => draft.finish(&outline, &id),
            Some(draft) => wire::commit_of_blob(&outline, &id, self.keep(draft.array().as_bytes()).await?),
        };
        let message = Message { subject: self.assets.subject(run), id, before, text: text.into() };
        self.publish(run, &outline, message).await
    }

    /// Keeps a blob; patiently. The same bytes twice are the same blob, so that nothing is in doubt.
    async fn keep(&self, bytes: &[u8]) -> Result<catalog::Digest, JournalError> {
        let (begin, mut round) = (Instant::now(), 0);
        loop {
            match blobs::put(&self.assets.objects, bytes).await {
                Err(_) if begin.elapsed() < self.patience() => pause(round).await,
                done => return done,
            }
            round += 1;
        }
    }

    /// Publishes until it is known whether the message is stored.
    async fn publish(&self, run: &RunId, outline: &Outline, mut message: Message) -> Result<u64, JournalError> {
        let begin = Instant::now();
        loop {
            let why = match self.try_publish(&message).await {
                Answer::Stored(sequence) => return Ok(sequence),
                Answer::Refused(error) => return Err(error),
                Answer::Doubt(why) => why,
            };
            match self.settle(run, outline, &message, begin, &why).await? {
                Settled::Stored(sequence) => return Ok(sequence),
                Settled::After(sequence) => message.before.sequence = sequence,
            }
        }
    }

    /// Where the message is stored, or after which one it is to be published again.
    async fn settle(
        &self,
        run: &RunId,
        outline: &Outline,
        message: &Message,
        begin: Instant,
        why: &str,
    ) -> Result<Settled, JournalError> {
        let (mut round, mut older) = (0, 0);
        loop {
            let found = self.look_for(message).await;
            match found {
                Ok(Found::This(sequence)) => return Ok(Settled::Stored(sequence)),
                Ok(Found::Later) => return Err(JournalError::Fenced { run: run.clone(), seq: outline.first }),
                Ok(Found::Older) if older == OLDER => {
                    let what = format!("events before {} are missing at the end", outline.first);
                    return Err(JournalError::Damaged { run: run.clone(), what });
                }
                _ if begin.elapsed() >= self.patience() => {
                    return Err(gave_up(&self.assets.link.complaint(), begin.elapsed(), why));
                }
                Ok(Found::Before(sequence)) => {
                    pause(round).await;
                    return Ok(Settled::After(sequence));
                }
                Ok(Found::Older) => older += 1,
                Err(_) => older = 0,
            }
            pause(round).await;
            round += 1;
        }
    }

    async fn look_for(&self, message: &Message) -> Result<Found, JournalError> {
        let Message { subject, id, before, .. } = message;
        let Some(found) = last(&self.assets.link, &self.assets.events, subject).await? else {
            return Ok(if before.sequence == 0 { Found::Before(0) } else { Found::Older });
        };
        let sequence = found.sequence;
        if wire::is_commit(&found.payload, id) {
            return Ok(Found::This(sequence));
        }
        Ok(match sequence.cmp(&before.sequence) {
            Ordering::Less => Found::Older,
            Ordering::Equal => Found::Before(sequence),
            Ordering::Greater if before.is_end_of(&found.payload) && self.follows(message, sequence).await? => {
                Found::Before(sequence)
            }
            Ordering::Greater => Found::Later,
        })
    }

    /// Whether nothing of the run lies between the message before and the one at this position.
    async fn follows(&self, message: &Message, sequence: u64) -> Result<bool, JournalError> {
        let from = message.before.sequence + 1;
        let found = batch(&self.assets.link, &self.assets.events_name, &message.subject, from).await?;
        Ok(found.first().is_some_and(|first| first.sequence == sequence))
    }

    async fn try_publish(&self, message: &Message) -> Answer {
        let publish =
            PublishMessage::build().payload(message.text.clone()).expected_last_subject_sequence(message.before.sequence);
        let sent = self.assets.link.context.send_publish(message.subject.clone(), publish).await;
        let acknowledged = match sent {
            Ok(acknowledgement) => acknowledgement.await,
            Err(error) => Err(error),
        };
        match acknowledged {
            Ok(acknowledged) => Answer::Stored(acknowledged.sequence),
            Err(error) => self.judge(&error),
        }
    }

    /// What an error means for the message.
    fn judge(&self, error: &PublishError) -> Answer {
        let name = &self.assets.events_name;
        match error.kind() {
            PublishErrorKind::StreamNotFound => {
                return Answer::Doubt(format!("the stream `{name}` is not there, or has no leader"));
            }
            PublishErrorKind::MaxPayloadExceeded => {
                return Answer::Refused(unavailable(format_args!("takes no messages of this size: {}", innermost(error))));
            }
            _ => {}
        }
        match of_the_server(error).map(|inner| (inner.error_code(), inner.to_string())) {
            Some((code, what)) if is_full(code) => Answer::Refused(unavailable(format_args!(
                "is full: the stream `{name}` takes no more ({what}); make room or raise its limits, and resume the run"
            ))),
            Some((code, what)) if is_final(code) => {
                Answer::Refused(unavailable(format_args!("cannot be written: the stream `{name}`: {what}")))
            }
            // Anything else may pass, such as an election.
            Some((_, what)) => Answer::Doubt(what),
            None => Answer::Doubt(innermost(error)),
        }
    }
}

/// Whether there is no room.
pub(super) fn is_full(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::STREAM_STORE_FAILED
            | ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::MEMORY_RESOURCES_EXCEEDED
    )
}

/// Whether trying again is of no use.
pub(super) fn is_final(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::JETSTREAM_NOT_ENABLED
            | ErrorCode::JETSTREAM_NOT_ENABLED_FOR_ACCOUNT
            | ErrorCode::STREAM_SEALED
            | ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM
    )
}

fn gave_up(complaint: &str, waited: Duration, why: &str) -> JournalError {
    unavailable(format_args!(
        "did not answer for {} s: {why}{complaint}; whether the last events were stored is not known; resume the run when its servers are back",
        waited.as_secs()
    ))
}
