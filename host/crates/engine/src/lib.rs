//! Runs a plan: a pure core, a tokio shell around it, and the ports between them.
//!
//! # Steps
//!
//! 1. [`event`] says what is stored of a run.
//! 2. [`core`] is a pure state machine: inputs in, actions out, no clock, no I/O, no randomness.
//! 3. [`shell`] gives the core its inputs and carries out its actions.
//! 4. [`trial`] does the same for a test, in virtual time.
//! 5. [`ports`] are what the shell asks for; adapters live in other crates, but for [`memory`].
//! 6. [`permit`] is what an operator permits, as text; [`recovery`] what is done about failures that a flow does not take.

pub mod core;
pub mod event;
pub mod memory;
pub mod permit;
pub mod ports;
pub mod recovery;
pub mod shell;
pub mod trial;
