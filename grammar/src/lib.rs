//! The text of a `.flow` file as a syntax tree with spans.
//!
//! # Steps
//!
//! 1. `scan` walks the text once without recursion: it checks brackets and bounds nesting, decides which
//!    newlines end a statement, and finds comments and items.
//! 2. `parse` gives the pest grammar in `flow.pest` one piece at a time: a flow's head, a statement of its body, or
//!    one other item.
//! 3. `build` turns pest's pairs into the [`ast`]; nothing of pest leaves this crate.
//! 4. Where a piece does not parse, `parse` reports it (`expected` finds the words), cuts out the smallest statement
//!    around the place, and parses the rest again.
//!
//! The way back is [`format()`](format::format) for a text and [`print`] for a tree.

pub mod ast;
mod build;
mod diagnostic;
mod diagnostics;
mod expected;
mod format;
mod habits;
mod heads;
mod keywords;
mod literal;
mod parse;
mod pieces;
mod scan;
mod span;

pub use diagnostic::{Diagnostic, Label, Severity};
pub use format::{format, print};
pub use keywords::is_keyword;
pub use parse::{MAX_SOURCE, Parsed, parse};
pub use span::{FileId, Ident, Span};

/// The grammar, compiled by pest.
mod rules {
    // The derive writes `Rule` and a private module per rule without documentation.
    #![allow(missing_docs, unreachable_pub)]

    #[derive(pest_derive::Parser)]
    #[grammar = "flow.pest"]
    pub(crate) struct FlowParser;
}
