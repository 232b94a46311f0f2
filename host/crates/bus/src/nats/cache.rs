//! Results of steps for later runs, in a key-value bucket. They may get lost; then they are computed again.

use std::sync::Arc;

use async_nats::jetstream::kv::Operation;
use catalog::Digest;
use engine::event::Timestamp;
use engine::ports::{Cached, JournalError};
use tokio::sync::{mpsc, watch};

use super::assets::Assets;
use super::blobs;
use super::problem::{innermost, unavailable};
use super::wire::{cache_entry, read_cache_entry};

/// The longest text that is kept at all, as in the other stores.
const LONGEST: usize = 8 << 20;

/// The longest text that stands in the bucket itself.
const INLINE: usize = 256 << 10;

/// So often a write is tried when others write the same key.
const ROUNDS: u32 = 5;

/// Writes entries one after the other, in the order of the calls.
pub(super) struct CacheWriter {
    entries: mpsc::UnboundedSender<Entry>,
    /// How many were handed over; how many are done with.
    sent: std::sync::atomic::AtomicU64,
    done: watch::Receiver<u64>,
}

struct Entry {
    key: Digest,
    payload: String,
    at: Timestamp,
}

impl CacheWriter {
    /// The writer, and the task that does its work.
    pub(super) fn new(assets: Arc<Assets>) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (entries, mut waiting) = mpsc::unbounded_channel::<Entry>();
        let (finished, done) = watch::channel(0);
        let work = async move {
            while let Some(entry) = waiting.recv().await {
                // An entry that does not get there is computed again.
                let _ = write(&assets, &entry).await;
                finished.send_modify(|count| *count += 1);
            }
        };
        (Self { entries, sent: 0.into(), done }, work)
    }

    /// Hands over an entry.
    pub(super) fn put(&self, key: Digest, payload: &str, at: Timestamp) {
        if payload.len() <= LONGEST && self.entries.send(Entry { key, payload: payload.to_owned(), at }).is_ok() {
            self.sent.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        }
    }

    /// Ends when what was handed over so far is done with.
    pub(super) fn settled(&self) -> impl Future<Output = ()> + Send + 'static {
        let (mut done, sent) = (self.done.clone(), self.sent.load(std::sync::atomic::Ordering::SeqCst));
        async move {
            // Without a writer there is nothing to wait for.
            let _ = done.wait_for(|done| *done >= sent).await;
        }
    }
}

/// What the cache holds under this key.
pub(super) async fn read(assets: &Assets, key: Digest) -> Result<Option<Cached>, JournalError> {
    let asked = assets.cache.entry(hex::encode(key.0)).await;
    let found = asked.map_err(|error| unavailable(format_args!("cannot be asked for a result: {}", innermost(&error))))?;
    let Some(found) = found.filter(|entry| entry.operation == Operation::Put) else { return Ok(None) };
    let Some(entry) = read_cache_entry(&found.value) else { return Ok(None) };
    let at = Timestamp(entry.at);
    Ok(match entry.payload() {
        Some(Ok(payload)) => Some(Cached { payload: payload.to_owned(), at }),
        Some(Err(blob)) => {
            let bytes = blobs::get(&assets.objects, blob).await.ok();
            bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(|payload| Cached { payload, at })
        }
        None => None,
    })
}

/// Writes an entry unless a newer one is there.
async fn write(assets: &Assets, entry: &Entry) -> Result<(), JournalError> {
    let inline = entry.payload.len() <= INLINE;
    let payload =
        if inline { Ok(entry.payload.as_str()) } else { Err(blobs::put(&assets.objects, entry.payload.as_bytes()).await?) };
    let (key, text) = (hex::encode(entry.key.0), cache_entry(entry.at.0, payload));
    for _ in 0..ROUNDS {
        let Ok(found) = assets.cache.entry(key.as_str()).await else { continue };
        let newer =
            |found: &async_nats::jetstream::kv::Entry| read_cache_entry(&found.value).is_some_and(|old| old.at > entry.at.0);
        if found.as_ref().is_some_and(newer) {
            return Ok(());
        }
        let revision = found.map_or(0, |found| found.revision);
        if assets.cache.update(key.as_str(), text.clone().into(), revision).await.is_ok() {
            return Ok(());
        }
    }
    Ok(())
}
