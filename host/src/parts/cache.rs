//! Components that were pulled, by digest, beside the cache of compiled ones.

use std::path::PathBuf;
use std::sync::Arc;

use catalog::Digest;
use sha2::Digest as _;

use crate::commands::session::cache_dir;

/// A folder of files that are called by their digest.
pub(super) struct Cache {
    /// None: there is no place for it, and nothing is kept.
    folder: Option<PathBuf>,
}

impl Cache {
    pub(super) fn open() -> Self {
        Self { folder: cache_dir().map(|folder| folder.join("pulled")) }
    }

    /// The bytes with this digest. A file that has not the digest of its name is as good as none.
    pub(super) fn get(&self, digest: Digest) -> Option<Arc<[u8]>> {
        let bytes = std::fs::read(self.path(digest)?).ok()?;
        (Digest(sha2::Sha256::digest(&bytes).into()) == digest).then(|| bytes.into())
    }

    /// Keeps what was verified. That it could not be kept costs time and nothing else.
    pub(super) fn put(&self, digest: Digest, bytes: &[u8]) {
        let Some(path) = self.path(digest).filter(|path| !path.is_file() || self.get(digest).is_none()) else { return };
        let Some(folder) = path.parent() else { return };
        let fresh = folder.join(format!("{}.{}", hex::encode(digest.0), std::process::id()));
        let kept = std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&fresh, bytes))
            .and_then(|()| std::fs::rename(&fresh, &path));
        if kept.is_err() {
            let _ = std::fs::remove_file(&fresh);
        }
    }

    fn path(&self, digest: Digest) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(format!("{}.wasm", hex::encode(digest.0))))
    }
}
