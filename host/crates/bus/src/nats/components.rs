//! Components on their way between hosts: by their digest, verified on arrival.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use catalog::Digest;
use engine::ports::JournalError;

use super::assets::Objects;
use super::blobs;
use super::connection::Link;

/// Where an owner has the bytes of its components. Blocks.
pub type Source = Arc<dyn Fn(Digest) -> Result<Vec<u8>, JournalError> + Send + Sync>;

/// The components that a namespace knows.
#[derive(Clone)]
pub(super) struct Components {
    objects: Objects,
    /// Those that are known to be there.
    there: Arc<Mutex<BTreeSet<Digest>>>,
}

impl Components {
    pub(super) async fn open(link: &Link) -> Result<Self, JournalError> {
        Ok(Self { objects: Objects::payloads(link).await?, there: Arc::default() })
    }

    /// Makes sure that other hosts find a component.
    pub(super) async fn keep(&self, digest: Digest, source: &Source) -> Result<(), JournalError> {
        if self.there.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest) {
            return Ok(());
        }
        if !blobs::is_there(&self.objects, digest).await? {
            let source = Arc::clone(source);
            let bytes = tokio::task::spawn_blocking(move || source(digest)).await;
            let bytes = bytes.unwrap_or(Err(JournalError::NoSuchBlob(digest)))?;
            blobs::put(&self.objects, &bytes).await?;
        }
        self.there.lock().unwrap_or_else(PoisonError::into_inner).insert(digest);
        Ok(())
    }

    /// The bytes of a component, whose digest they have.
    pub(super) async fn get(&self, digest: Digest) -> Result<Vec<u8>, JournalError> {
        blobs::get(&self.objects, digest).await
    }
}
