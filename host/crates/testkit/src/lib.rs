//! For tests: fakes of the engine's ports, the seeded simulator, components made from WIT, and a world in memory.

pub mod component;
pub mod fake;
pub mod simulator;
pub mod world;
