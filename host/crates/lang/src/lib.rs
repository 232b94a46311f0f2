//! From syntax tree and catalogue to a checked, frozen [`plan`]. No I/O: a [`World`] gives texts and components.

pub mod ir;
pub mod plan;
mod world;

pub use world::{ComponentProblem, LoadedComponent, World};
