//! From syntax tree and catalogue to a checked, frozen [`plan`]. No I/O: a [`World`] gives texts and components.

pub mod eval;
mod digest;
mod freeze;
mod graph;
pub mod ir;
mod lower;
pub mod plan;
mod policy;
pub mod render;
mod world;

pub use lower::invariants::check_plan;
pub use world::{ComponentProblem, LoadedComponent, World};
