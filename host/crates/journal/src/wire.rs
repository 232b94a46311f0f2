//! The stored form of an event: a kind, a path and a JSON body. The only place that knows it.
//!
//! Each body carries `"v"`, the version of its form. A change that an older program would misread raises
//! it; every version that was ever released is read for ever, as the golden journals in the tests show.

mod bodies;
mod change;
mod decode;
mod encode;
mod json;
mod recovery;

use std::sync::Arc;

use catalog::Digest;
use engine::event::Seq;

pub use change::{decode_change, encode_change};
pub use decode::{decode, parse_digest};
pub use encode::encode;
pub(crate) use encode::stored;

/// The version that new bodies carry.
pub const BODY_VERSION: u32 = 1;

/// A payload with a longer JSON text than this many bytes is kept as a blob.
pub const BLOB_THRESHOLD: usize = 16 * 1024;

/// The names of the kinds of events.
pub mod kind {
    /// Each name as a constant, and all of them in [`ALL`], so that none can be left out there.
    macro_rules! kinds {
        ($($(#[$doc:meta])+ $constant:ident = $name:literal;)+) => {
            $($(#[$doc])+ pub const $constant: &str = $name;)+

            /// All of them.
            pub const ALL: &[&str] = &[$($constant),+];

            /// The constant for a name that was read.
            pub(crate) fn known(name: &str) -> Option<&'static str> {
                ALL.iter().find(|known| **known == name).copied()
            }
        };
    }

    kinds! {
        /// [`engine::event::EventBody::RunStarted`]
        RUN_STARTED = "run-started";
        /// [`engine::event::EventBody::AttemptStarted`]
        ATTEMPT_STARTED = "attempt-started";
        /// [`engine::event::EventBody::Denied`]
        DENIED = "denied";
        /// [`engine::event::EventBody::Taken`]
        TAKEN = "taken";
        /// [`engine::event::EventBody::Posted`]
        POSTED = "posted";
        /// [`engine::event::EventBody::AttemptSucceeded`]
        ATTEMPT_SUCCEEDED = "attempt-succeeded";
        /// [`engine::event::EventBody::AttemptFailed`]
        ATTEMPT_FAILED = "attempt-failed";
        /// [`engine::event::EventBody::AttemptCancelled`]
        ATTEMPT_CANCELLED = "attempt-cancelled";
        /// [`engine::event::EventBody::OutcomeUnknown`]
        OUTCOME_UNKNOWN = "outcome-unknown";
        /// [`engine::event::EventBody::SignalReceived`]
        SIGNAL_RECEIVED = "signal-received";
        /// [`engine::event::EventBody::MessageReceived`]
        MESSAGE_RECEIVED = "message-received";
        /// [`engine::event::EventBody::MessageSent`]
        MESSAGE_SENT = "message-sent";
        /// [`engine::event::EventBody::TimerFired`]
        TIMER_FIRED = "timer-fired";
        /// [`engine::event::EventBody::Escalated`]
        ESCALATED = "escalated";
        /// [`engine::event::EventBody::OperatorDecision`]
        OPERATOR_DECISION = "operator-decision";
        /// [`engine::event::EventBody::Paused`]
        PAUSED = "paused";
        /// [`engine::event::EventBody::Resumed`]
        RESUMED = "resumed";
        /// [`engine::event::EventBody::CancelRequested`]
        CANCEL_REQUESTED = "cancel-requested";
        /// [`engine::event::EventBody::Advanced`]
        ADVANCED = "advanced";
        /// [`engine::event::EventBody::ControlTaken`]
        CONTROL_TAKEN = "control-taken";
        /// [`engine::event::EventBody::OwnerChanged`]
        OWNER_CHANGED = "owner-changed";
        /// [`engine::event::EventBody::Changed`]
        CHANGED = "changed";
        /// [`engine::event::EventBody::Migrated`]
        MIGRATED = "migrated";
        /// [`engine::event::EventBody::RunEnded`]
        RUN_ENDED = "run-ended";
    }
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Its position in the run.
    pub seq: Seq,
    /// When it was appended, in milliseconds since the Unix epoch; at most `i64::MAX`.
    pub at: u64,
    /// One of [`kind`].
    pub kind: &'static str,
    /// The path of the step that the event is about; empty for events of the whole run.
    pub path: Arc<str>,
    /// A JSON object.
    pub body: String,
    /// The payloads that the body names instead of carrying them.
    pub blobs: Vec<Blob>,
    /// What it changes in the list of runs.
    pub change: Option<Box<RunChange>>,
}

impl Encoded {
    /// About how much memory it holds, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.path.len() + self.body.len() + self.blobs.iter().map(|blob| blob.text.len()).sum::<usize>()
    }
}

/// A payload that is kept outside its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The sha256 of the text.
    pub digest: Digest,
    /// Its JSON text.
    pub text: String,
}

/// What an event changes in the list of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunChange {
    /// A new run.
    Started {
        /// The entry flow.
        flow: String,
        /// The plan.
        plan: Digest,
        /// The program.
        program: Digest,
        /// The host that owns it.
        owner: Arc<str>,
        /// A JSON object.
        labels: String,
    },
    /// Nothing new starts.
    Paused {
        /// Why.
        reason: String,
    },
    /// It goes on.
    Resumed,
    /// It is to end as cancelled.
    Cancelling {
        /// Why.
        reason: String,
    },
    /// A human is asked about a step.
    Escalated {
        /// The step.
        task: u64,
    },
    /// Somebody decided about a step.
    Decided {
        /// The step.
        task: u64,
    },
    /// It has another owner.
    Owned {
        /// Who.
        owner: Arc<str>,
    },
    /// It has another program.
    Migrated {
        /// The plan.
        plan: Digest,
        /// The program.
        program: Digest,
    },
    /// It ended with a value.
    Succeeded,
    /// It ended with a failure.
    Failed {
        /// The failure's kind.
        kind: &'static str,
        /// The failure's message.
        message: String,
        /// Where it came from.
        path: Arc<str>,
    },
    /// It ended as it was asked to.
    Cancelled,
}

/// Why a stored event could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A later program wrote it, or it was changed.
    #[error("the event kind `{0}` is not known to this program; a newer version may have written it")]
    UnknownKind(String),
    /// A later program wrote it.
    #[error("the version {found} of the event kind `{kind}` is not known to this program, which reads up to {BODY_VERSION}")]
    UnknownVersion {
        /// The kind.
        kind: String,
        /// The version in the body.
        found: u32,
    },
    /// The body is not of the form of its kind.
    #[error("the body of the `{kind}` event cannot be read: {what}")]
    Malformed {
        /// The kind.
        kind: String,
        /// What is wrong.
        what: String,
    },
    /// A blob that the body names could not be given.
    #[error("{0}")]
    Blob(String),
}

#[cfg(test)]
mod tests;
