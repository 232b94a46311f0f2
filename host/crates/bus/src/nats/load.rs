//! Reads a run back, checking its hash chain.

use catalog::Digest;
use engine::event::{Event, RunId, Seq, Timestamp};
use engine::ports::JournalError;
use journal::chain::{self, Hash, Link, Verifier};
use journal::wire::{WireError, decode};

use super::assets::Assets;
use super::fetch::{Stored, batch, last, pause};
use super::problem::unavailable;
use super::wire::{self, Holder, Outline, StoredEvent};

/// So often messages are looked for that a server does not have yet.
const ROUNDS: u32 = 10;

/// All messages of a run up to the last one that the leader knows.
pub(super) async fn fetch(assets: &Assets, run: &RunId) -> Result<Vec<Stored>, JournalError> {
    let subject = assets.subject(run);
    let end = last(&assets.link, &assets.events, &subject).await?;
    let end = end.ok_or_else(|| JournalError::NoSuchRun(run.to_string()))?.sequence;
    let (mut found, mut next, mut round) = (Vec::new(), 1, 0);
    while next <= end {
        let part = batch(&assets.link, &assets.events_name, &subject, next).await?;
        if part.is_empty() {
            if round == ROUNDS {
                return Err(unavailable(format_args!(
                    "cannot be read: no server gives the messages of run `{run}` after {} in the stream `{}`; check that its servers reach each other",
                    next - 1,
                    assets.events_name
                )));
            }
            pause(round).await;
            round += 1;
        }
        for message in part.into_iter().take_while(|message| message.sequence <= end) {
            next = message.sequence + 1;
            found.push(message);
        }
        if found.last().is_some_and(|message: &Stored| message.sequence == end) {
            break;
        }
    }
    Ok(found)
}

/// The events in these messages.
pub(super) fn replay(
    run: &RunId,
    messages: &[Stored],
    blob: &mut dyn FnMut(Digest) -> Result<Vec<u8>, JournalError>,
) -> Result<Vec<Event>, JournalError> {
    let mut replay = Replay {
        run,
        blob,
        verifier: Verifier::new(run),
        stored: Some(chain::genesis(run)),
        last: 0,
        events: Vec::new(),
        stop: None,
    };
    for message in messages {
        replay.message(message)?;
    }
    let last = replay.last;
    let damage = replay.verifier.finish(last);
    if !damage.is_none() {
        return Err(damaged(run, damage.to_string()));
    }
    replay.stop.map_or(Ok(replay.events), Err)
}

fn damaged(run: &RunId, what: String) -> JournalError {
    JournalError::Damaged { run: run.clone(), what }
}

struct Replay<'a> {
    run: &'a RunId,
    blob: &'a mut dyn FnMut(Digest) -> Result<Vec<u8>, JournalError>,
    verifier: Verifier,
    /// The hash that the message before says it ends with, where the next one follows it.
    stored: Option<Hash>,
    last: Seq,
    events: Vec<Event>,
    /// Why an event whose hash holds could still not be read.
    stop: Option<JournalError>,
}

impl Replay<'_> {
    fn message(&mut self, message: &Stored) -> Result<(), JournalError> {
        let unreadable = |run: &RunId, why: String| {
            damaged(run, format!("its message {} in the stream cannot be read: {why}", message.sequence))
        };
        let (outline, holder) = wire::read(&message.payload).map_err(|why| unreadable(self.run, why))?;
        match holder {
            Holder::Message(events) => self.commit(outline, &events),
            Holder::Blob(digest) => {
                let bytes = (self.blob)(digest).map_err(|error| unreadable(self.run, error.to_string()))?;
                let events = wire::read_array(&bytes).map_err(|why| unreadable(self.run, why))?;
                self.commit(outline, &events);
            }
        }
        Ok(())
    }

    /// A commit is whole or not: it has one hash, so where that does not hold, all its events are in doubt. One that is stored
    /// twice in a row, as may happen around an election, is one: its hash covers all of it.
    fn commit(&mut self, outline: Outline, events: &[StoredEvent<'_>]) {
        if outline.last == self.last && self.last > 0 && self.stored == Some(outline.hash) {
            return;
        }
        let before = self.stored.filter(|_| outline.first == self.last + 1);
        let hashes = before.and_then(|before| hashes(before, &outline, events));
        let mut whole = true;
        for (index, (seq, event)) in (outline.first..).zip(events).enumerate() {
            let of_chain = hashes.as_ref().and_then(|hashes| hashes.get(index).copied());
            let hash = of_chain.or((seq == outline.last).then_some(outline.hash));
            whole &= self.verifier.event(link(seq, event), hash);
            if whole && self.stop.is_none() {
                self.decode(seq, event);
            }
        }
        self.stored = Some(outline.hash);
        self.last = self.last.max(outline.last);
    }

    fn decode(&mut self, seq: Seq, event: &StoredEvent<'_>) {
        let mut blob = |digest| (self.blob)(digest).map_err(|error| error.to_string());
        match decode(&event.kind, &event.path, event.body.get(), &mut blob) {
            Ok(body) => self.events.push(Event { seq, at: Timestamp(event.at), body }),
            Err(error @ (WireError::UnknownKind(_) | WireError::UnknownVersion { .. })) => {
                self.stop = Some(unavailable(format_args!("has a run `{}` that cannot be read: event {seq}: {error}", self.run)));
            }
            Err(error) => self.stop = Some(damaged(self.run, format!("event {seq}: {error}"))),
        }
    }
}

/// The chain over the events of a commit, if it ends as the commit says.
fn hashes(before: Hash, outline: &Outline, events: &[StoredEvent<'_>]) -> Option<Vec<Hash>> {
    let mut hash = before;
    let hashes: Vec<_> = (outline.first..)
        .zip(events)
        .map(|(seq, event)| {
            hash = chain::next(&hash, link(seq, event));
            hash
        })
        .collect();
    let holds = hash == outline.hash && outline.first + events.len() as u64 == outline.last + 1;
    holds.then_some(hashes)
}

fn link<'a>(seq: Seq, event: &'a StoredEvent<'_>) -> Link<'a> {
    Link { seq, at: event.at, kind: &event.kind, path: &event.path, body: event.body.get() }
}
