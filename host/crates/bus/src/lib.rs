//! Messages between runs.
//!
//! # Steps
//!
//! 1. [`LocalBus`] writes what is sent into the inboxes of a store, where it is durable, and wakes the runs of its own
//!    process. Those of other processes look into their inboxes every [`POLL`].
//! 2. [`Agents`] are components of this process that answer for the roles that flows ask.
//! 3. [`MemoryMail`] keeps inboxes in memory, for runs that nobody needs to resume.
//! 4. [`Outside`] is what lies beyond a store: agents and listeners anywhere.
//! 5. [`nats`] is what many hosts share: the connection to a cluster, the journal on JetStream, and what programs that are no
//!    hosts take part with.

mod agents;
mod local;
mod memory;
pub mod nats;
mod outside;

pub use agents::{Agent, Agents};
pub use local::{LocalBus, POLL};
pub use memory::MemoryMail;
pub use outside::Outside;
