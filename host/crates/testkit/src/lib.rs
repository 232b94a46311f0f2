//! For tests: fakes of the engine's ports, the seeded simulator, components made from WIT, a world in memory,
//! NATS servers, and cases as data.

pub mod cases;
pub mod component;
pub mod fake;
pub mod nats;
pub mod simulator;
pub mod world;
