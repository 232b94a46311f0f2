//! From syntax tree and catalogue to a checked, frozen [`plan`]. No I/O: a [`World`] gives texts and components.
//!
//! # Steps
//!
//! 1. `load` reads the root, its imports and its components through the [`World`], and parses each file once.
//! 2. `check` resolves names and types and gives the typed tree of [`ir`], or [`Diagnostic`]s, all worded in `diagnostics`.
//! 3. `lower` makes an editable graph of each region, simplifies it, and freezes it into a [`plan::Plan`].
//! 4. [`document`] writes down what a file declares and what its plans are granted.
//! 5. [`Report`] and [`to_json`] turn diagnostics into what an edge shows.

mod check;
mod compile;
mod diagnostics;
mod digest;
mod document;
pub mod eval;
pub mod explain;
mod freeze;
mod graph;
pub mod ir;
mod load;
mod lower;
pub mod plan;
mod policy;
mod quote;
pub mod render;
mod report;
mod secrets;
mod sessions;
mod sources;
mod suggest;
mod triggers;
mod world;

pub use compile::{Compilation, Entry, TestInfo, UsedComponent, compile};
pub use document::{DocumentOptions, document};
pub use grammar::{Diagnostic, Severity, Span};
pub use lower::invariants::check_plan;
pub use report::{Report, to_json};
pub use sessions::{SessionEvent, SessionHookInfo};
pub use sources::{Position, Source, Sources};
pub use suggest::closest;
pub use triggers::{TriggerInfo, TriggerKind};
pub use world::{ComponentProblem, LoadedComponent, World};
