//! What must hold of the parser, the formatter, the compiler and the component reader whatever they are given.
//!
//! Each file of `fuzz_targets` hands one of [`properties`] what the fuzzer thinks of. Texts are changed by [`mutate`], which
//! knows tokens and brackets, since the changes of single bytes that libFuzzer makes seldom get past a parser.

#![allow(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "a panic is a finding")]

pub mod mutate;
pub mod properties;
mod round_trip;
mod tokens;
mod world;

/// The walk over a tree that the parser's own tests use: it reads the text at every span.
#[path = "../../tests/parse/dump.rs"]
mod dump;
