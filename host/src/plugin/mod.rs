//! `host plugin`: make, build and inspect components.

mod build;
mod create;
mod inspect;

pub(crate) use build::build;
pub(crate) use create::create;
pub(crate) use inspect::inspect;
