//! Documents that are too long for a message: they wait in a bucket, which forgets them after a day.

use std::borrow::Cow;
use std::time::Duration;

use catalog::Digest;
use engine::ports::JournalError;

use super::super::assets::Objects;
use super::super::blobs;
use super::super::connection::Link;
use super::wire::{self, Parcel};

/// What is longer goes into the bucket, in bytes.
const INLINE: usize = 256 << 10;

/// How long it stays there.
const MAX_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The bucket.
#[derive(Clone)]
pub(super) struct Parcels(Objects);

impl Parcels {
    pub(super) async fn open(link: &Link) -> Result<Self, JournalError> {
        let bucket = format!("flow_{}_parcels", link.namespace());
        Ok(Self(Objects::open(link, bucket, "arguments and results on their way", MAX_AGE).await?))
    }

    /// A document as a message.
    pub(super) async fn wrap(&self, text: Vec<u8>) -> Result<Vec<u8>, JournalError> {
        match self.keep(&text).await? {
            Some(digest) => Ok(wire::write(&Parcel::of(digest))),
            None => Ok(text),
        }
    }

    /// Keeps a document that is too long for a message.
    pub(super) async fn keep(&self, text: &[u8]) -> Result<Option<Digest>, JournalError> {
        if text.len() <= INLINE { Ok(None) } else { blobs::put(&self.0, text).await.map(Some) }
    }

    /// The document of a message.
    pub(super) async fn unwrap<'a>(&self, message: &'a [u8]) -> Result<Cow<'a, [u8]>, JournalError> {
        match Parcel::in_message(message) {
            Some(digest) => Ok(Cow::Owned(self.get(digest).await?)),
            None => Ok(Cow::Borrowed(message)),
        }
    }

    /// The document with this digest.
    pub(super) async fn get(&self, digest: Digest) -> Result<Vec<u8>, JournalError> {
        blobs::get(&self.0, digest).await
    }
}
