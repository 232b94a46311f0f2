//! For tests: fakes of the engine's ports, and the seeded simulator.

pub mod fake;
pub mod simulator;
