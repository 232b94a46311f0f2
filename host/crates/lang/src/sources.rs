//! The source texts of one compilation, by [`FileId`].

use std::sync::Arc;

use grammar::{FileId, Span};

/// The files that were read, the root first.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<Source>,
}

/// A file that was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path that it was loaded from.
    pub path: String,
    /// Its text; empty when it could not be read.
    pub text: Arc<str>,
    lines: Vec<u32>,
}

/// A place for people: both count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The character in the line.
    pub column: u32,
}

impl Sources {
    pub(crate) const fn new() -> Self {
        Self { files: Vec::new() }
    }

    /// One file, whose id is 0.
    #[must_use]
    pub fn single(path: String, text: Arc<str>) -> Self {
        let mut sources = Self::new();
        sources.push(path, text);
        sources
    }

    /// The file with this id.
    #[must_use]
    pub fn get(&self, id: FileId) -> Option<&Source> {
        self.files.get(usize::from(id.0))
    }

    /// All files in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.files.iter()
    }

    /// How many files there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether nothing was read.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// What is written there; empty when the span does not fit its file.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        self.get(span.file).and_then(|source| source.text.get(span.range())).unwrap_or_default()
    }

    /// Where a span begins.
    #[must_use]
    pub fn position(&self, span: Span) -> Position {
        self.get(span.file).map_or(Position { line: 1, column: 1 }, |source| source.position(span.start))
    }

    pub(crate) fn push(&mut self, path: String, text: Arc<str>) {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let lines = std::iter::once(0).chain(breaks.map(|(at, _)| offset(at).saturating_add(1))).collect();
        self.files.push(Source { path, text, lines });
    }
}

impl Source {
    /// The line and column of a byte offset.
    #[must_use]
    pub fn position(&self, at: u32) -> Position {
        let line = self.lines.partition_point(|start| *start <= at).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start as usize..at as usize).unwrap_or_default();
        Position { line: offset(line), column: offset(before.chars().count()).saturating_add(1) }
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
