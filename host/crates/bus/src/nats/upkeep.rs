//! Keeps the stream of changes short: what it has led to is written down, and what is older than that goes.
//!
//! # Steps
//!
//! 1. One host at a time writes down what its replica has beside events (`journal::standing`), as a blob, and says in the stream itself
//!    where that is ([`Pointer`]): whoever reads the stream in order finds the pointer before anything that it stands for is missing.
//! 2. Only what is in the document and has been in an older one for a stated time is taken out of the stream: a host that was away for
//!    less goes on as if nothing had been.
//! 3. A replica whose next change is not there any more goes on from the document ([`Skipped`]).

mod wire;

use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::Stream;
use catalog::Digest;
use engine::event::Timestamp;
use engine::ports::JournalError;
use journal::replica::{Feed, Follower};
use journal::standing::{Standing, Written};
use journal::wire::parse_digest;

use super::assets::{Assets, handle};
use super::blobs;
use super::connection::Link;
use super::fetch::last_in_time;
use super::mail;
use super::problem::{innermost, unavailable};
use wire::{Pointer, VERSION};

/// So many older documents are known by their positions.
const MOST_MARKS: usize = 1_000;

/// What became of keeping the stream short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortened {
    /// The position up to which changes are written down.
    pub written: u64,
    /// Messages that were taken out of the stream.
    pub purged: u64,
}

/// The subject of the pointer.
pub(super) fn subject(link: &Link) -> String {
    format!("flow.{}.mail.standing", link.namespace())
}

/// The pointer, as the stream's leader has it, with its place in the stream; 0 where there is none.
async fn pointer(link: &Link, stream: &Stream<()>) -> Result<(Option<Pointer>, u64), JournalError> {
    let Some(message) = last_in_time(link, stream, &subject(link)).await? else { return Ok((None, 0)) };
    let unreadable = |why: &dyn std::fmt::Display| {
        unavailable(format_args!("cannot be followed: what it says of older changes cannot be read: {why}"))
    };
    let pointer: Pointer = serde_json::from_slice(&message.payload).map_err(|error| unreadable(&error))?;
    if pointer.v != VERSION {
        return Err(unreadable(&format_args!("a newer program wrote it (version {})", pointer.v)));
    }
    Ok((Some(pointer), message.sequence))
}

/// Keeps what a replica has written down, and takes out of the stream what has been written down for so long. Another host that
/// does the same at this moment is let do it.
pub(super) async fn shorten(
    assets: &Assets,
    written: Written,
    keep: Duration,
    now: Timestamp,
) -> Result<Shortened, JournalError> {
    let link = &assets.link;
    let stream = handle(link, &mail::name(link)).await?;
    let (before, sequence) = pointer(link, &stream).await?;
    // One that lags behind has nothing to say, nor one that has seen nothing but the pointer since.
    let current = if written.position > sequence {
        // First what nobody reads any more, so that it is tried again where it stays.
        if let Some(unread) = before.as_ref().and_then(|before| before.former.as_deref()).and_then(parse_digest) {
            blobs::forget(&assets.objects, unread).await?;
        }
        let blob = blobs::put(&assets.objects, written.text.as_bytes()).await?;
        let pointer = next(before.as_ref(), written.position, blob, keep, now);
        publish(link, &pointer, sequence).await?;
        pointer
    } else {
        match before {
            Some(before) => before,
            None => return Ok(Shortened::default()),
        }
    };
    let purged = match settled(&current.marks, keep, now) {
        Some(position) => purge(link, &stream, position).await?,
        None => 0,
    };
    Ok(Shortened { written: current.position, purged })
}

/// What follows a pointer.
fn next(before: Option<&Pointer>, position: u64, blob: Digest, keep: Duration, now: Timestamp) -> Pointer {
    let mut marks = before.map(|before| before.marks.clone()).unwrap_or_default();
    marks.push((position, now.0));
    // What lies before the last settled one is purged with it.
    let settled = settled(&marks, keep, now).unwrap_or_default();
    marks.retain(|(position, _)| *position >= settled);
    if marks.len() > MOST_MARKS {
        // The oldest say least: what is purged with one of them is purged with the next.
        marks.remove(0);
    }
    Pointer { v: VERSION, position, blob: blob.to_string(), former: before.map(|before| before.blob.clone()), marks }
}

/// The last position that has been written down for so long.
fn settled(marks: &[(u64, u64)], keep: Duration, now: Timestamp) -> Option<u64> {
    let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
    marks.iter().filter(|(_, at)| at.saturating_add(keep) <= now.0).map(|(position, _)| *position).max()
}

/// Says where the document is, unless somebody else did meanwhile.
async fn publish(link: &Link, pointer: &Pointer, before: u64) -> Result<(), JournalError> {
    // Numbers and texts are always JSON.
    let text = serde_json::to_vec(pointer).unwrap_or_default();
    let message = PublishMessage::build().payload(text.into()).header(mail::ROLLUP, "sub").expected_last_subject_sequence(before);
    let sent = match link.context.send_publish(subject(link), message).await {
        Ok(sent) => sent.await.map(drop),
        Err(error) => Err(error),
    };
    sent.map_err(|error| {
        unavailable(format_args!("does not take where older changes are: {}{}", innermost(&error), link.complaint()))
    })
}

async fn purge(link: &Link, stream: &Stream<()>, position: u64) -> Result<u64, JournalError> {
    match stream.purge().sequence(position.saturating_add(1)).await {
        Ok(purged) => Ok(purged.purged),
        Err(error) => {
            let (name, why, complaint) = (mail::name(link), innermost(&error), link.complaint());
            Err(unavailable(format_args!(
                "keeps more than is needed: the stream `{name}` cannot be purged: {why}{complaint}; a host needs leave for `$JS.API.STREAM.PURGE.{name}`"
            )))
        }
    }
}

/// Whether a replica goes on from a document.
pub(super) enum Skipped {
    /// No: nothing that it lacks is gone.
    Nothing,
    /// Yes: all changes up to this position are in what it has now.
    To(u64),
}

/// Has a replica go on from the document where changes after its position are not in the stream any more.
pub(super) async fn skip(assets: &Assets, stream: &Stream<()>, follower: &Follower) -> Result<Skipped, JournalError> {
    let (link, position) = (&assets.link, follower.position(Feed::Changes)?);
    let info = stream.get_info().await;
    let info =
        info.map_err(|error| unavailable(format_args!("cannot be followed: {}{}", innermost(&error), link.complaint())))?;
    if info.state.first_sequence <= position.saturating_add(1) {
        return Ok(Skipped::Nothing);
    }
    // What is not there may also be what ended runs had got, which nobody needs.
    let Some(pointer) = pointer(link, stream).await?.0.filter(|pointer| pointer.position > position) else {
        return Ok(Skipped::Nothing);
    };
    let digest = parse_digest(&pointer.blob).ok_or_else(|| unavailable("cannot be followed: older changes have no digest"))?;
    let bytes = blobs::get(&assets.objects, digest).await?;
    let text = String::from_utf8_lossy(&bytes);
    let standing = Standing::read(&text)
        .map_err(|why| unavailable(format_args!("cannot be followed: older changes cannot be read: {why}")))?;
    let to = standing.position();
    follower.restore(standing).await?;
    Ok(Skipped::To(to))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use catalog::Digest;
    use engine::event::Timestamp;

    use super::{next, settled};

    #[test]
    fn what_was_written_down_goes_when_its_time_is_over() {
        let hour = Duration::from_secs(3600);
        let at = |hours: u64| Timestamp(hours * 3_600_000);
        let mut pointer = next(None, 10, Digest([0; 32]), hour * 3, at(0));
        assert_eq!(settled(&pointer.marks, hour * 3, at(2)), None);
        for hours in 1..10 {
            pointer = next(Some(&pointer), 10 + hours, Digest([hours as u8; 32]), hour * 3, at(hours));
            let expected = hours.checked_sub(3).map(|hours| 10 + hours);
            assert_eq!(settled(&pointer.marks, hour * 3, at(hours)), expected, "{hours}");
            assert!(pointer.marks.len() <= 4, "{:?}", pointer.marks);
        }
        assert_eq!((pointer.position, pointer.former), (19, Some(Digest([8; 32]).to_string())));
        // A clock that was set back keeps more.
        assert_eq!(settled(&pointer.marks, hour * 3, at(0)), None);
    }
}
