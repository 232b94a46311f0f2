//! The tree as words and possible line ends; the parts are in the modules beside this one.

use super::align::Source;
use super::doc::{Doc, word};
use super::layout::lay_out;
use super::parens::{Part, Place};
use crate::ast::Expr;
use crate::span::Span;

/// Turns trees into documents.
#[derive(Clone, Copy, Debug)]
pub(super) struct Printer<'a> {
    /// What the tree was read from. Without it names and literals are written anew.
    pub(super) source: Option<&'a Source<'a>>,
}

impl Printer<'_> {
    /// Whether all of it is on one line in the source.
    pub(super) fn one_line(&self, span: Span) -> bool {
        self.source.is_some_and(|source| !source.slice(span.start as usize, span.end as usize).contains('\n'))
    }

    /// Whether the source begins a line between two places.
    pub(super) fn breaks_between(&self, start: u32, end: u32) -> bool {
        self.source.is_some_and(|source| source.slice(start as usize, end as usize).contains('\n'))
    }

    /// Whether the source begins with this at the span's start.
    pub(super) fn starts_with(&self, span: Span, sign: char) -> bool {
        self.source.is_some_and(|source| source.slice(span.start as usize, span.end as usize).starts_with(sign))
    }

    /// Documentation, when there is no source that has it as comments.
    pub(super) fn docs(&self, lines: &[Box<str>]) -> Doc {
        if self.source.is_some() {
            return Doc::Nil;
        }
        let line = |line: &str| {
            let blank = if line.is_empty() { "" } else { " " };
            [word(format!("///{blank}{line}")), super::doc::HARD]
        };
        Doc::Concat(lines.iter().flat_map(|text| line(text)).collect())
    }

    pub(super) fn on_one_line(&self, expr: &Expr) -> String {
        let doc = self.expr(expr, Place::Full, Part::Whole);
        lay_out(&doc, &[], "", usize::MAX).trim_end().into()
    }
}
