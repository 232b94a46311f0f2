//! What the stream of changes says of the changes that are not in it any more.

use serde::{Deserialize, Serialize};

/// The version that is written.
pub(super) const VERSION: u32 = 1;

/// Where the document of a namespace is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pointer {
    pub(super) v: u32,
    /// The position of the last change that is in it.
    pub(super) position: u64,
    /// The document, as `sha256:…`.
    pub(super) blob: String,
    /// The one before, which somebody may be reading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) former: Option<String>,
    /// Positions of documents, and when each was written, in milliseconds since the Unix epoch: what was in one of them was no newer.
    pub(super) marks: Vec<(u64, u64)>,
}
