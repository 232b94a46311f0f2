//! WIT types and values, and what a component exports and imports.
//!
//! # Steps
//!
//! 1. [`decode`] reads the bytes of a component, without compiling it, into a [`Component`].
//! 2. The checker in `lang` compares a flow's steps with its [`Signature`]s.
//! 3. At run time each [`Value`] has one of the [`Type`]s; [`json`] is the one mapping to and from JSON.

mod component;
mod decode;
pub mod duration;
mod failure;
mod held;
pub mod json;
pub mod packed;
mod types;
mod value;

pub use component::{Component, Digest, Function, Refusal, Signature};
pub use decode::{DecodeError, MAX_COMPONENT_SIZE, decode, snake_case};
pub use failure::{FailureKind, failure_type};
pub use held::{Held, Hold};
pub use types::{EnumType, FlagsType, Name, RecordType, Type, VariantType};
pub use value::{Items, Value};
