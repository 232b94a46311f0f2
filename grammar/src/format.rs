//! Writes a `.flow` file as everyone writes it.
//!
//! # Steps
//!
//! 1. `printer`, with `items`, `statements`, `forms`, `expr` and `literals` beside it, turns the tree into a `doc`: the
//!    words of the source in their order, and places where a line may end. Literals, names and types are taken from the
//!    source as written; `parens` says where parentheses are needed.
//! 2. `align` finds each word in the source again, and with it the comments and blank lines around it.
//! 3. `layout` decides which lines end: whatever fits on one line of [`WIDTH`] columns stands on one.
//!
//! # What holds for every text
//!
//! The result parses to the same tree but for spans, has the same comments in the same order, and is formatted itself.
//! A line ends only where a newline ends no statement. A comment stands between the same two words as before (commas and
//! parentheses aside), and since it ends its line in the source as well, the newline after it is as harmless as it was
//! there.
//!
//! [`format()`] does not rely on this: it parses its result and compares. An item whose text would come out otherwise is
//! left as it is written. None is known, so debug builds assert that there is none.

mod align;
mod doc;
mod expr;
mod forms;
mod items;
mod layout;
mod literals;
mod parens;
mod printer;
mod statements;

use crate::ast::File;
use crate::diagnostic::Diagnostic;
use crate::parse::parse;
use crate::scan::scan;
use crate::span::{FileId, Span};
use align::Source;
use doc::{Doc, Gap, word};
use printer::Printer;
use std::borrow::Cow;

/// Lines are ended before this column where that is possible.
const WIDTH: usize = 100;

/// The formatted text, with `\n` at each line's end and no byte order mark.
///
/// # Errors
/// What [`parse`] reports, when it reports anything: a text with errors is not formatted.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let parsed = parse(FileId(0), text);
    if !parsed.diagnostics.is_empty() {
        return Err(parsed.diagnostics);
    }
    let plain = normalised(text);
    let file = if *plain == *text { parsed.file } else { parse(FileId(0), &plain).file };
    Ok(Formatter::new(&plain, &file).checked())
}

/// The text of a tree, of which spans and comments are not looked at. Parsing it gives the tree again.
#[must_use]
pub fn print(file: &File) -> String {
    let mut parts: Vec<Part<'_>> = file.package.iter().map(Part::Package).collect();
    parts.extend(file.items.iter().map(Part::Item));
    let printer = Printer { source: None };
    let docs = parts.iter().enumerate().map(|(index, part)| [between(&parts, index), part.doc(&printer)]);
    layout::lay_out(&Doc::Concat(docs.flatten().collect()), &[], "", WIDTH)
}

/// With `\n` at each line's end and without a byte order mark.
fn normalised(text: &str) -> Cow<'_, str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains("\r\n") { Cow::Owned(text.replace("\r\n", "\n")) } else { Cow::Borrowed(text) }
}

/// What stands at the top of a file.
#[derive(Clone, Copy)]
enum Part<'a> {
    Package(&'a crate::ast::Package),
    Item(&'a crate::ast::Item),
}

impl Part<'_> {
    fn span(&self) -> Span {
        match self {
            Self::Package(package) => package.span,
            Self::Item(item) => items::span_of(item),
        }
    }

    fn doc(&self, printer: &Printer<'_>) -> Doc {
        match self {
            Self::Package(package) => printer.package(package),
            Self::Item(item) => printer.item(item),
        }
    }

    fn stands_apart(&self) -> bool {
        matches!(self, Self::Item(item) if items::stands_apart(item))
    }
}

/// The lines' end before a part.
fn between(parts: &[Part<'_>], index: usize) -> Doc {
    let before = index.checked_sub(1).and_then(|before| parts.get(before));
    let apart = [before, parts.get(index)].into_iter().flatten().any(Part::stands_apart);
    Doc::Hard(if apart && before.is_some() { Gap::Blank } else { Gap::Kept })
}

struct Formatter<'a> {
    text: &'a str,
    clean: String,
    comments: Vec<(u32, u32)>,
    file: &'a File,
    parts: Vec<Part<'a>>,
}

impl<'a> Formatter<'a> {
    fn new(text: &'a str, file: &'a File) -> Self {
        let scanned = scan(FileId(0), text);
        let mut comments = scanned.comments;
        comments.extend(scanned.doc_lines);
        comments.sort_unstable();
        let mut parts: Vec<Part<'a>> = file.package.iter().map(Part::Package).collect();
        parts.extend(file.items.iter().map(Part::Item));
        parts.sort_by_key(|part| part.span().start);
        Self { text, clean: scanned.clean, comments, file, parts }
    }

    /// The formatted text, or as much of it as means the same.
    fn checked(&self) -> String {
        if let Some(text) = self.write(&[]).filter(|text| is_same(self.text, self.file, text)) {
            return text;
        }
        let kept: Vec<usize> = (0..self.parts.len()).filter(|index| !self.stays_same(*index)).collect();
        debug_assert!(false, "not formatted:\n{}\n--- but\n{}", self.text, self.write(&[]).unwrap_or_default());
        let text = self.write(&kept).filter(|text| is_same(self.text, self.file, text));
        text.unwrap_or_else(|| self.text.into())
    }

    /// The text with some parts as they are; nothing when the words of another one are not found.
    fn write(&self, kept: &[usize]) -> Option<String> {
        let source = Source { text: self.text, clean: &self.clean, comments: &self.comments };
        let printer = Printer { source: Some(&source) };
        let mut docs = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            let span = part.span().range();
            let kept = kept.binary_search(&index).is_ok();
            let doc = if kept { Doc::Source { start: span.start, end: span.end, trivia: 0 } } else { part.doc(&printer) };
            docs.extend([between(&self.parts, index), doc]);
        }
        // The end of the file, for comments before it.
        docs.extend([doc::HARD, word("")]);
        let mut doc = Doc::Concat(docs);
        let trivia = align::align(&mut doc, &source).ok()?;
        Some(layout::lay_out(&doc, &trivia, self.text, WIDTH))
    }

    /// Whether a part can be formatted, tried by itself with the comments before it.
    fn stays_same(&self, index: usize) -> bool {
        let end = |part: &Part<'_>| part.span().end as usize;
        let start = index.checked_sub(1).and_then(|before| self.parts.get(before)).map_or(0, end);
        let text = self.text.get(start..self.parts.get(index).map_or(start, end)).unwrap_or_default();
        let file = parse(FileId(0), text).file;
        let alone = Formatter::new(text, &file);
        alone.write(&[]).is_some_and(|written| is_same(text, &file, &written))
    }
}

/// Whether the written text has the same tree and comments.
fn is_same(text: &str, file: &File, written: &str) -> bool {
    let parsed = parse(FileId(0), written);
    let comments = |text: &str, file: &File| -> Vec<String> {
        file.comments.iter().map(|at| text.get(at.range()).unwrap_or_default().trim_end().into()).collect()
    };
    parsed.diagnostics.is_empty()
        && comments(text, file) == comments(written, &parsed.file)
        && file.clone().without_spans() == parsed.file.without_spans()
}
