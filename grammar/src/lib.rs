//! The text of a `.flow` file as a syntax tree with spans.
//!
//! # Steps
//!
//! 1. `scan` walks the text once without recursion: it checks brackets and bounds nesting, decides which
//!    newlines end a statement, and finds comments.
//! 2. The pest grammar in `flow.pest` parses each top-level item.
//! 3. `build` turns pest's pairs into the [`ast`]; nothing of pest leaves this crate.
//! 4. Where an item does not parse, the broken statement is reported, cut out, and the rest parsed again.

pub mod ast;
mod diagnostic;
mod span;

pub use diagnostic::{Diagnostic, Label, Severity};
pub use span::{FileId, Ident, Span};
