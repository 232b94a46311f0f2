//! From syntax tree and catalogue to a checked, frozen [`plan`]. No I/O: a [`World`] gives texts and components.

pub mod eval;
mod freeze;
mod graph;
pub mod ir;
mod lower;
pub mod plan;
mod policy;
mod world;

pub use world::{ComponentProblem, LoadedComponent, World};
