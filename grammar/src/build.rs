//! Step three: pest's pairs into the syntax tree.
//!
//! Nothing here can panic on a shape that the grammar does not produce: such a place becomes an error node with a
//! diagnostic of its own.

mod declarations;
mod effects;
mod expr;
mod fold;
mod forms;
mod items;
mod patterns;
mod statements;
mod texts;
mod types;

use crate::ast::{Expr, ExprKind};
use crate::diagnostic::Diagnostic;
use crate::diagnostics;
use crate::keywords::is_keyword;
use crate::pieces::Piece;
use crate::rules::Rule;
use crate::scan::{MAX_ERRORS, Scan, offset};
use crate::span::{FileId, Ident, Span, whole_characters};

type Pair<'i> = pest::iterators::Pair<'i, Rule>;
type Pairs<'i> = pest::iterators::Pairs<'i, Rule>;

/// Builds the tree of one piece.
pub(crate) struct Build<'p> {
    file: FileId,
    base: u32,
    /// The text as written.
    text: &'p str,
    piece: &'p Piece<'p>,
    scan: &'p Scan,
    diagnostics: &'p mut Vec<Diagnostic>,
    used_docs: &'p mut Vec<usize>,
}

/// The parts of a pair that mean something by themselves, in order.
struct Parts<'i> {
    pairs: Pairs<'i>,
    span: Span,
}

impl<'i> Iterator for Parts<'i> {
    type Item = Pair<'i>;

    fn next(&mut self) -> Option<Self::Item> {
        self.pairs.by_ref().find(|pair| !is_decoration(pair.as_rule()))
    }
}

impl Parts<'_> {
    /// Whether the next part is a `rule`.
    fn next_is(&self, rule: Rule) -> bool {
        self.pairs.clone().find(|pair| !is_decoration(pair.as_rule())).is_some_and(|pair| pair.as_rule() == rule)
    }
}

/// Signs and words that are in the tree's shape already.
fn is_decoration(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::arrow
            | Rule::colon
            | Rule::comma
            | Rule::langle
            | Rule::lcurly
            | Rule::lparen
            | Rule::lsquare
            | Rule::nl
            | Rule::rangle
            | Rule::rcurly
            | Rule::rparen
            | Rule::rsquare
            | Rule::EOI
            | Rule::kw_after
            | Rule::kw_allow
            | Rule::kw_any
            | Rule::kw_as
            | Rule::kw_ask
            | Rule::kw_assert
            | Rule::kw_cast
            | Rule::kw_catch
            | Rule::kw_class
            | Rule::kw_emit
            | Rule::kw_enum
            | Rule::kw_event
            | Rule::kw_fails
            | Rule::kw_flow
            | Rule::kw_from
            | Rule::kw_hook
            | Rule::kw_if
            | Rule::kw_import
            | Rule::kw_in
            | Rule::kw_interface
            | Rule::kw_loop
            | Rule::kw_map
            | Rule::kw_match
            | Rule::kw_message
            | Rule::kw_mock
            | Rule::kw_of
            | Rule::kw_on
            | Rule::kw_package
            | Rule::kw_phase
            | Rule::kw_plan
            | Rule::kw_race
            | Rule::kw_record
            | Rule::kw_recursive
            | Rule::kw_reduce
            | Rule::kw_require
            | Rule::kw_return
            | Rule::kw_role
            | Rule::kw_run
            | Rule::kw_schedule
            | Rule::kw_seq
            | Rule::kw_signal
            | Rule::kw_takes
            | Rule::kw_test
            | Rule::kw_times
            | Rule::kw_try
            | Rule::kw_undo
            | Rule::kw_until
            | Rule::kw_use
            | Rule::kw_variant
            | Rule::kw_wait
            | Rule::kw_webhook
            | Rule::kw_with
    )
}

impl<'p> Build<'p> {
    pub(crate) fn new(
        file: FileId,
        text: &'p str,
        piece: &'p Piece<'p>,
        scan: &'p Scan,
        diagnostics: &'p mut Vec<Diagnostic>,
        used_docs: &'p mut Vec<usize>,
    ) -> Self {
        Self { file, base: piece.start(), text, piece, scan, diagnostics, used_docs }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.diagnostics.len() < MAX_ERRORS {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Where a pair stands, without the blanks that the grammar skipped at its end.
    fn span(&self, pair: &Pair<'_>) -> Span {
        let span = pair.as_span();
        let length = span.as_str().trim_end_matches([' ', '\n']).len();
        self.range(span.start(), span.start() + length)
    }

    fn range(&self, start: usize, end: usize) -> Span {
        let base = self.base as usize;
        whole_characters(self.file, self.text, base + start, base + end)
    }

    fn within_text(&self, span: Span) -> Span {
        whole_characters(self.file, self.text, span.start as usize, span.end as usize)
    }

    fn parts<'i>(&self, pair: Pair<'i>) -> Parts<'i> {
        let span = self.span(&pair);
        Parts { pairs: pair.into_inner(), span }
    }

    fn internal(&mut self, at: Span) -> Expr {
        self.report(diagnostics::internal(at));
        Expr { kind: ExprKind::Error, span: at }
    }

    /// A name; a keyword in its place is reported.
    fn ident(&mut self, pair: &Pair<'_>) -> Ident {
        let span = self.span(pair);
        let text = pair.as_str();
        let name = text.strip_prefix('%').unwrap_or(text);
        if pair.as_rule() == Rule::word && name.len() == text.len() && is_keyword(name) {
            let method = name == "map" && self.text.get(..span.start as usize).is_some_and(|before| before.ends_with('.'));
            self.report(if method { diagnostics::map_method(span) } else { diagnostics::keyword_as_name(span, name) });
        }
        Ident { name: name.into(), span }
    }

    /// A word that may be a keyword without being taken for one.
    fn key(&self, pair: &Pair<'_>) -> Ident {
        let text = pair.as_str();
        Ident { name: text.strip_prefix('%').unwrap_or(text).into(), span: self.span(pair) }
    }

    fn next_ident(&mut self, parts: &mut Parts<'_>) -> Ident {
        match parts.next() {
            Some(pair) if matches!(pair.as_rule(), Rule::word | Rule::name) => self.ident(&pair),
            _ => {
                let span = self.internal(parts.span).span;
                Ident { name: "".into(), span }
            }
        }
    }

    fn next_expr(&mut self, parts: &mut Parts<'_>) -> Expr {
        match parts.next() {
            Some(pair) if matches!(pair.as_rule(), Rule::expr | Rule::head | Rule::bare) => self.expr(pair),
            _ => self.internal(parts.span),
        }
    }

    /// The lines of documentation before the pair.
    fn docs(&mut self, pair: &Pair<'_>) -> Vec<Box<str>> {
        self.docs_at(self.base + offset(pair.as_span().start()))
    }

    fn docs_at(&mut self, at: u32) -> Vec<Box<str>> {
        let Ok(index) = self.scan.docs.binary_search_by_key(&at, |(owner, _)| *owner) else { return Vec::new() };
        let Some((_, lines)) = self.scan.docs.get(index) else { return Vec::new() };
        self.used_docs.push(index);
        let lines = self.scan.doc_lines.get(lines.clone()).unwrap_or_default();
        let line = |(start, end): &(u32, u32)| {
            let line = self.text.get(*start as usize..*end as usize).unwrap_or_default();
            let line = line.trim_start_matches('/');
            line.strip_prefix(' ').unwrap_or(line).trim_end().into()
        };
        lines.iter().map(line).collect()
    }
}
