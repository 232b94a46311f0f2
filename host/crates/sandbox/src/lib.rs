//! Invokes exported functions of components in wasmtime, under limits and grants.
//!
//! # Steps
//!
//! 1. [`Sandbox::load`] compiles a component, or takes its code from the cache, checks its imports and links it once.
//! 2. The first invocation of a function prepares how values cross its border ([`convert`]).
//! 3. Each invocation gets a store and an instance of its own, in which it can reach what it was granted
//!    ([`grants`]) and use as much as its limits allow ([`limits`]).
//! 4. What the guest returns, or why it ended, becomes an outcome ([`failure`]), with a bill.

mod config;
mod convert;
mod denials;
mod error;
mod failure;
mod grants;
mod host;
mod invoke;
mod limits;
mod load;
mod log;
mod places;
mod state;
mod ticker;

pub use config::{SandboxConfig, engine_config};
pub use error::SandboxError;
pub use load::{Loaded, Origin, Sandbox};
