//! Messages between runs.
//!
//! # Steps
//!
//! 1. [`LocalBus`] writes what is sent into the inboxes of a store, where it is durable, and wakes the runs of its own
//!    process. Those of other processes look into their inboxes every [`POLL`].
//! 2. [`MemoryMail`] keeps inboxes in memory, for runs that nobody needs to resume.

mod local;
mod memory;

pub use local::{LocalBus, POLL};
pub use memory::MemoryMail;
