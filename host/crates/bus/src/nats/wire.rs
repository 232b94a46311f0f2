//! The form of messages: a commit of a run's journal, and an entry of the cache.
//!
//! A commit is a JSON object with either `events` or, where these are too long for a message, the `blob` that holds the array, and
//! the version `v`, an `id`, the positions `first` and `last` of its events, and the `hash` of the chain after them in hexadecimal
//! digits. The events come first, so that their text is written once, when nothing else is known yet.
//! An event is an object with `at`, `kind`, `path` (left out when empty) and `body`, whose text the hash covers as it stands.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Range;

use catalog::Digest;
use catalog::json::write_string;
use engine::event::Seq;
use journal::chain::Hash;
use journal::wire::{Encoded, parse_digest};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The version that is written.
pub(super) const VERSION: u32 = 1;

/// A commit as it is stored.
#[derive(Debug, Deserialize)]
pub(super) struct Commit<'a> {
    v: u32,
    first: Seq,
    last: Seq,
    hash: String,
    #[serde(borrow, default)]
    events: Option<Vec<StoredEvent<'a>>>,
    #[serde(default)]
    blob: Option<String>,
}

/// An event as it is stored.
#[derive(Debug, Deserialize)]
pub(super) struct StoredEvent<'a> {
    /// Milliseconds since the Unix epoch.
    pub(super) at: u64,
    /// One of [`journal::wire::kind`].
    #[serde(borrow)]
    pub(super) kind: Cow<'a, str>,
    /// The step that it is about.
    #[serde(borrow, default)]
    pub(super) path: Cow<'a, str>,
    /// A JSON object.
    #[serde(borrow)]
    pub(super) body: &'a RawValue,
}

/// Where the events of a commit are, and what is known of them without reading them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outline {
    /// The position of the first.
    pub(super) first: Seq,
    /// The position of the last.
    pub(super) last: Seq,
    /// The chain after it.
    pub(super) hash: Hash,
}

/// What holds the events.
#[derive(Debug)]
pub(super) enum Holder<'a> {
    /// The message itself.
    Message(Vec<StoredEvent<'a>>),
    /// A blob.
    Blob(Digest),
}

/// What the text of a commit with events begins with.
const BEGIN: &str = "{\"events\":[";

/// The bytes of a commit beside its events and its id, at the most.
const REST: usize = 192;

/// The text of a commit whose end is not written yet.
#[derive(Debug)]
pub(super) struct Draft {
    text: String,
}

impl Draft {
    /// One without events, with room for so many bytes of them.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        let mut text = String::with_capacity(BEGIN.len() + bytes + REST);
        text.push_str(BEGIN);
        Self { text }
    }

    /// The length of the array of events, without brackets.
    pub(super) fn len(&self) -> usize {
        self.text.len() - BEGIN.len()
    }

    /// Adds an event, and says where its body is now.
    pub(super) fn push(&mut self, event: &Encoded) -> Range<usize> {
        self.separate();
        let out = &mut self.text;
        out.push_str("{\"at\":");
        out.push_str(itoa::Buffer::new().format(event.at));
        out.push_str(",\"kind\":");
        write_string(event.kind, out);
        if !event.path.is_empty() {
            out.push_str(",\"path\":");
            write_string(&event.path, out);
        }
        out.push_str(",\"body\":");
        let start = out.len();
        out.push_str(&event.body);
        let body = start..out.len();
        out.push('}');
        body
    }

    /// Adds the events of another one.
    pub(super) fn append(&mut self, other: &Self) {
        self.separate();
        self.text.push_str(other.text.get(BEGIN.len()..).unwrap_or_default());
    }

    /// The text of a body.
    pub(super) fn body(&self, place: &Range<usize>) -> &str {
        self.text.get(place.clone()).unwrap_or_default()
    }

    /// The text of the commit.
    pub(super) fn finish(mut self, outline: &Outline, id: &str) -> String {
        self.text.push(']');
        finish(self.text, outline, id)
    }

    /// The text of the array of events, for a blob.
    pub(super) fn array(self) -> String {
        let events = self.text.get(BEGIN.len()..).unwrap_or_default();
        format!("[{events}]")
    }

    fn separate(&mut self) {
        if self.text.len() > BEGIN.len() {
            self.text.push(',');
        }
    }
}

/// The text of a commit whose events are in a blob.
pub(super) fn commit_of_blob(outline: &Outline, id: &str, blob: Digest) -> String {
    finish(format!("{{\"blob\":\"{blob}\""), outline, id)
}

fn finish(mut out: String, outline: &Outline, id: &str) -> String {
    let Outline { first, last, hash } = outline;
    let hash = hex::encode(hash);
    // Writing to a text cannot fail.
    let _ = write!(out, ",\"v\":{VERSION},\"id\":\"{id}\",\"first\":{first},\"last\":{last},\"hash\":\"{hash}\"}}");
    out
}

/// Whether this is the commit with the id, which has no character that JSON escapes.
pub(super) fn is_commit(payload: &[u8], id: &str) -> bool {
    #[derive(Deserialize)]
    struct Named<'a> {
        id: &'a str,
    }
    serde_json::from_slice(payload).is_ok_and(|named: Named<'_>| named.id == id)
}

/// Reads a commit.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(payload: &[u8]) -> Result<(Outline, Holder<'_>), String> {
    let commit: Commit<'_> = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    if commit.v != VERSION {
        return Err(format!(
            "its version {} is not known to this program, which reads {VERSION}; a newer one may have written it",
            commit.v
        ));
    }
    let mut hash = Hash::default();
    hex::decode_to_slice(&commit.hash, &mut hash).map_err(|error| format!("its hash: {error}"))?;
    let outline = Outline { first: commit.first, last: commit.last, hash };
    match (commit.events, commit.blob) {
        (Some(events), None) => Ok((outline, Holder::Message(events))),
        (None, Some(blob)) => Ok((outline, Holder::Blob(parse_digest(&blob).ok_or("its blob has no digest")?))),
        _ => Err("it has no events".to_owned()),
    }
}

/// Reads the blob with the events of a commit.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read_array(bytes: &[u8]) -> Result<Vec<StoredEvent<'_>>, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// An entry of the cache, as it is stored.
#[derive(Debug, Deserialize)]
pub(super) struct CacheEntry<'a> {
    v: u32,
    /// When it was put there, in milliseconds since the Unix epoch.
    pub(super) at: u64,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
    #[serde(default)]
    blob: Option<String>,
}

impl CacheEntry<'_> {
    /// The JSON text, or the blob that holds it.
    pub(super) fn payload(&self) -> Option<Result<&str, Digest>> {
        match (self.payload, &self.blob) {
            (Some(payload), None) => Some(Ok(payload.get())),
            (None, Some(blob)) => parse_digest(blob).map(Err),
            _ => None,
        }
    }
}

/// The text of an entry of the cache.
pub(super) fn cache_entry(at: u64, payload: Result<&str, Digest>) -> String {
    match payload {
        Ok(payload) => format!("{{\"v\":{VERSION},\"at\":{at},\"payload\":{payload}}}"),
        Err(blob) => format!("{{\"v\":{VERSION},\"at\":{at},\"blob\":\"{blob}\"}}"),
    }
}

/// Reads such a text; none when this program cannot.
pub(super) fn read_cache_entry(bytes: &[u8]) -> Option<CacheEntry<'_>> {
    serde_json::from_slice(bytes).ok().filter(|entry: &CacheEntry<'_>| entry.v == VERSION)
}

#[cfg(test)]
mod tests {
    use super::{Draft, Holder, Outline, cache_entry, commit_of_blob, is_commit, read, read_array, read_cache_entry};
    use catalog::Digest;
    use journal::conformance::one_of_each;
    use journal::wire::{Encoded, encode};

    fn encoded() -> Vec<Encoded> {
        one_of_each().iter().map(encode).collect()
    }

    fn same(read: &[super::StoredEvent<'_>], written: &[Encoded]) -> bool {
        let pairs = read.iter().zip(written);
        read.len() == written.len()
            && pairs.into_iter().all(|(read, written)| {
                read.at == written.at
                    && read.kind == written.kind
                    && *read.path == *written.path
                    && read.body.get() == written.body
            })
    }

    #[test]
    fn a_commit_comes_back_to_the_byte() {
        let written = encoded();
        let outline = Outline { first: 1, last: written.len() as u64, hash: [7; 32] };
        let draft = |events: &[Encoded]| {
            let mut draft = Draft::with_capacity(0);
            for event in events {
                let body = draft.push(event);
                assert_eq!(draft.body(&body), event.body);
            }
            draft
        };
        let (before, after) = written.split_at(3);
        let mut both = draft(before);
        both.append(&draft(after));
        let message = both.finish(&outline, "a-1");
        assert_eq!(message, draft(&written).finish(&outline, "a-1"));
        let (found, holder) = read(message.as_bytes()).unwrap();
        assert_eq!(found, outline);
        let Holder::Message(events) = holder else { panic!("in a blob") };
        assert!(same(&events, &written), "{events:?}");
        assert!(is_commit(message.as_bytes(), "a-1") && !is_commit(message.as_bytes(), "a-2"));

        let array = draft(&written).array();
        assert!(same(&read_array(array.as_bytes()).unwrap(), &written));
        let message = commit_of_blob(&outline, "a-1", Digest([9; 32]));
        assert!(matches!(read(message.as_bytes()), Ok((found, Holder::Blob(Digest([9, ..])))) if found == outline));
        assert!(is_commit(message.as_bytes(), "a-1"));
    }

    #[test]
    fn what_is_no_commit_is_said() {
        let error = |text: &str| read(text.as_bytes()).unwrap_err();
        let hash = "00".repeat(32);
        assert!(error("[").contains("EOF"));
        assert!(error(&format!("{{\"v\":2,\"first\":1,\"last\":1,\"hash\":\"{hash}\",\"events\":[]}}")).contains("newer"));
        assert!(error(&format!("{{\"v\":1,\"first\":1,\"last\":1,\"hash\":\"{hash}\"}}")).contains("no events"));
        assert!(error("{\"v\":1,\"first\":1,\"last\":1,\"hash\":\"00\",\"events\":[]}").contains("hash"));
    }

    #[test]
    fn an_entry_of_the_cache_comes_back() {
        let text = cache_entry(7, Ok("{\"a\": 1}"));
        let entry = read_cache_entry(text.as_bytes()).unwrap();
        assert_eq!((entry.at, entry.payload()), (7, Some(Ok("{\"a\": 1}"))));
        let text = cache_entry(8, Err(Digest([1; 32])));
        assert_eq!(read_cache_entry(text.as_bytes()).unwrap().payload(), Some(Err(Digest([1; 32]))));
        assert!(read_cache_entry(b"{}").is_none());
    }
}
