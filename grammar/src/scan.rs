//! Step one: a single walk over the text, without recursion, before the recursive parser sees it.
//!
//! It checks that brackets and quotes pair up, bounds the depth of everything that later passes walk
//! recursively, decides which newlines end a statement, finds comments and items, and answers habits from
//! other languages that are visible in single tokens. Its result is a copy of the text, of the same length but for
//! closing braces added at the end, in which the grammar needs to know nothing of comments and lines.

mod brackets;
mod items;
mod limits;
mod lines;
mod strings;
mod tokens;
mod words;

pub(crate) use limits::MAX_NESTING;

use crate::diagnostic::Diagnostic;
use crate::keywords::ItemWord;
use crate::span::{FileId, Span, whole_characters};
use std::collections::{BTreeMap, BTreeSet};

/// As many errors are reported for one file.
pub(crate) const MAX_ERRORS: usize = 50;

/// What the scanner found.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// The text for the grammar.
    pub(crate) clean: String,
    /// The items in order.
    pub(crate) items: Vec<RawItem>,
    /// Braces and ends of statements in order of position.
    pub(crate) marks: Vec<Mark>,
    /// Comments that are not documentation.
    pub(crate) comments: Vec<(u32, u32)>,
    /// Documentation lines.
    pub(crate) doc_lines: Vec<(u32, u32)>,
    /// For the token at an offset, which of `doc_lines` stand before it; in order of offset.
    pub(crate) docs: Vec<(u32, std::ops::Range<usize>)>,
    /// Places that are reported already, whose statement cannot be parsed; not sorted.
    pub(crate) bad: Vec<u32>,
    /// What is to be reported.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// A top-level declaration, not yet parsed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawItem {
    /// What its first word begins.
    pub(crate) word: ItemWord,
    /// Offset of its first token.
    pub(crate) start: u32,
    /// Offset after its last token.
    pub(crate) end: u32,
    /// Columns that its first line is indented by.
    pub(crate) indent: u32,
    /// The last pair of braces that is not inside another one, unless it belongs to a `with`.
    pub(crate) body: Option<(u32, u32)>,
    /// Too deep to be parsed; already reported.
    pub(crate) refused: bool,
}

/// What statements can be told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkKind {
    /// `{`
    Open,
    /// `}`
    Close,
    /// A newline that ends a statement.
    Newline,
    /// A newline after a comma directly inside braces.
    Soft,
}

/// A place where a statement may begin or end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// Its offset.
    pub(crate) at: u32,
    /// Which.
    pub(crate) kind: MarkKind,
}

/// What a token does to newlines and chains beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// A name, literal or closed angle: ends an operand.
    Operand,
    /// A keyword.
    Keyword,
    /// An opening bracket.
    Open,
    /// A closing bracket: ends an operand.
    Close,
    Comma,
    Dot,
    /// An operator or another sign that stands between two things.
    Infix,
    Minus,
    Bang,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bracket {
    /// Outside all brackets.
    Top,
    Paren,
    Square,
    Brace,
    /// `${`
    Interpolation,
}

/// An open bracket and what has been seen directly inside it since the last statement or comma.
#[derive(Clone, Copy, Debug)]
struct Level {
    bracket: Bracket,
    at: u32,
    /// Offset of the beginning of its line.
    line: u32,
    /// Columns that this line is indented by.
    indent: u32,
    /// The text that an interpolation belongs to.
    text_at: u32,
    /// Operators, postfixes and fallbacks in a row.
    chain: u32,
    /// `chain` where the last `if` stood.
    chain_at_if: u32,
    else_ifs: u32,
    /// What the bracket itself adds to the nesting.
    weight: u32,
    /// Forms that may still be waiting for their body.
    forms: u32,
    /// Forms whose `{` has not come.
    bodies: u32,
    /// Open `list<` and the like.
    angles: u32,
    after_else: bool,
    /// A `reduce` whose `in` has not come: its comma separates no arguments.
    in_reduce: bool,
    /// Inside the names of an `after`.
    in_after: bool,
    /// An `until` has come and its loop's `{` has not: a `max` can follow.
    in_until: bool,
    /// The first word of the statement opens a block.
    opens_block: bool,
}

impl Level {
    const fn new(bracket: Bracket, at: u32, line: u32, indent: u32) -> Self {
        Self {
            bracket,
            at,
            line,
            indent,
            text_at: at,
            chain: 0,
            chain_at_if: 0,
            else_ifs: 0,
            weight: 1,
            forms: 0,
            bodies: 0,
            angles: 0,
            after_else: false,
            in_reduce: false,
            in_after: false,
            in_until: false,
            opens_block: false,
        }
    }
}

struct Scanner<'a> {
    file: FileId,
    source: &'a str,
    text: &'a [u8],
    clean: Vec<u8>,
    pos: usize,
    /// Guess missing brackets by indentation.
    by_indent: bool,
    level: Level,
    outer: Vec<Level>,
    /// Sum over all levels of what [`limits`] bounds.
    depth: u32,
    /// Sum over all levels of what the grammar recurses on.
    nesting: u32,
    line_start: usize,
    /// A stretch without newlines, up to a line's end.
    known_line: (usize, usize),
    /// The first newline since the last token.
    newline: Option<usize>,
    prev: Class,
    prev_start: usize,
    prev_end: usize,
    /// The last token can be the last of a statement.
    prev_ends: bool,
    /// Indentation of the current line.
    indent: u32,
    docs_from: usize,
    /// Names written with `-`, which are read as if written with `_`.
    kebab: BTreeSet<&'a str>,
    /// Names with letters outside ASCII that are reported.
    foreign_names: BTreeSet<&'a str>,
    /// Where a habit that is reported once per file stands in `out.diagnostics`.
    habits: BTreeMap<&'static str, usize>,
    mismatches: usize,
    /// How many items were given up.
    skipped: usize,
    out: Scan,
}

/// Walks the text; see the module's description.
pub(crate) fn scan(file: FileId, text: &str) -> Scan {
    let (plain, mismatches) = Scanner::new(file, text, false).run();
    if mismatches == 0 {
        return plain;
    }
    // Brackets do not pair up: indentation tells where, unless the text is not indented at all.
    let (by_indent, found) = Scanner::new(file, text, true).run();
    if found <= mismatches { by_indent } else { plain }
}

impl<'a> Scanner<'a> {
    fn new(file: FileId, source: &'a str, by_indent: bool) -> Self {
        let text = source.as_bytes();
        Self {
            file,
            source,
            text,
            clean: text.to_vec(),
            pos: 0,
            by_indent,
            level: Level::new(Bracket::Top, 0, 0, 0),
            outer: Vec::new(),
            depth: 0,
            nesting: 0,
            line_start: 0,
            known_line: (1, 0),
            newline: Some(0),
            prev: Class::Other,
            prev_start: 0,
            prev_end: 0,
            prev_ends: true,
            indent: 0,
            docs_from: 0,
            kebab: BTreeSet::new(),
            foreign_names: BTreeSet::new(),
            habits: BTreeMap::new(),
            mismatches: 0,
            skipped: 0,
            out: Scan::default(),
        }
    }

    fn run(mut self) -> (Scan, usize) {
        if self.text.starts_with(b"\xef\xbb\xbf") {
            self.blank(0, 3);
            self.pos = 3;
        }
        while let Some(&byte) = self.text.get(self.pos) {
            self.step(byte);
        }
        self.finish();
        self.out.clean = String::from_utf8(self.clean).unwrap_or_default();
        (self.out, self.mismatches)
    }

    fn finish(&mut self) {
        self.check_interpolation_at_line_end();
        while self.level.bracket != Bracket::Top {
            if self.level.bracket == Bracket::Brace {
                self.clean.push(b'}');
            }
            self.close_unclosed(self.text.len(), self.text.len());
        }
        self.end_item();
    }

    fn span(&self, start: usize, end: usize) -> Span {
        whole_characters(self.file, self.source, start, end)
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.source.get(start..end).unwrap_or_default()
    }

    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn put(&mut self, at: usize, byte: u8) {
        if let Some(place) = self.clean.get_mut(at) {
            *place = byte;
        }
    }

    fn blank(&mut self, start: usize, end: usize) {
        if let Some(range) = self.clean.get_mut(start..end) {
            range.fill(b' ');
        }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.out.diagnostics.len() < MAX_ERRORS {
            self.out.diagnostics.push(diagnostic);
        }
    }

    /// Reports a habit once per file; further places become labels of the first report.
    fn habit(&mut self, key: &'static str, at: Span, diagnostic: impl FnOnce() -> Diagnostic) {
        const MAX_PLACES: usize = 10;
        if let Some(first) = self.habits.get(key).and_then(|index| self.out.diagnostics.get_mut(*index)) {
            if first.labels.len() < MAX_PLACES {
                first.labels.push(crate::diagnostic::Label { span: at, text: "also here".into() });
            }
            return;
        }
        self.habits.insert(key, self.out.diagnostics.len());
        self.report(diagnostic());
    }

    fn bad(&mut self, at: usize) {
        self.out.bad.push(offset(at));
    }

    fn mark(&mut self, at: usize, kind: MarkKind) {
        self.out.marks.push(Mark { at: offset(at), kind });
    }
}

/// Offsets fit, since [`crate::MAX_SOURCE`] bounds the text.
pub(crate) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
