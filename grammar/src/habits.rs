//! What other languages write, recognised by what stands around the place where the grammar stopped.
//!
//! The grammar only knows that something else was expected there. Most likely mistakes are answered here rather than by
//! rules of the grammar, which then stays the language's own.

mod items;
mod shapes;
mod signs;
mod types;
mod words;

pub(crate) use items::{Item, declares, item};
pub(crate) use shapes::shape;
pub(crate) use words::{TAKE_APART, key};

use crate::diagnostic::Diagnostic;
use crate::diagnostics;
use crate::span::{FileId, whole_characters};

/// The surroundings of the place.
pub(crate) struct Spot<'a> {
    pub(crate) file: FileId,
    /// The text as written.
    pub(crate) text: &'a str,
    /// Where what was found begins and ends.
    pub(crate) at: usize,
    pub(crate) end: usize,
    /// The innermost statement before the place, from `start` on.
    pub(crate) statement: &'a str,
    pub(crate) start: usize,
    /// What the grammar would have taken, as messages name it.
    pub(crate) expected: &'a [&'static str],
}

/// How a habit is answered.
pub(crate) enum Answer {
    /// The text at these offsets is another language's.
    Foreign(usize, usize, String),
    /// It is this language's, but stands where it means nothing.
    Misplaced(usize, usize, String),
    /// Something is missing or too much; this mends it.
    Help(String),
}

/// The answer to a habit, or to a form that is not complete.
pub(crate) fn answer(spot: &Spot<'_>) -> Option<Answer> {
    types::answer(spot).or_else(|| words::answer(spot)).or_else(|| signs::answer(spot))
}

/// An answer as a diagnostic; a help alone goes to `plain`.
pub(crate) fn diagnostic(answer: Answer, spot: &Spot<'_>, plain: Diagnostic) -> Diagnostic {
    let shown = |start, end| (whole_characters(spot.file, spot.text, start, end), spot.text.get(start..end).unwrap_or_default());
    match answer {
        Answer::Foreign(start, end, help) => {
            let (at, theirs) = shown(start, end);
            diagnostics::foreign(at, theirs, &help)
        }
        Answer::Misplaced(start, end, help) => {
            let (at, word) = shown(start, end);
            diagnostics::misplaced(at, word, &help)
        }
        Answer::Help(help) => plain.help(help),
    }
}

impl<'a> Spot<'a> {
    /// What stands at the place.
    pub(crate) fn found(&self) -> &'a str {
        self.text.get(self.at..self.end).unwrap_or_default()
    }

    /// What follows on the line.
    pub(crate) fn rest(&self) -> &'a str {
        self.text.get(self.end..).unwrap_or_default().lines().next().unwrap_or_default()
    }

    /// The word before the place, with its offset; empty when a sign stands there.
    pub(crate) fn word_before(&self) -> (usize, &'a str) {
        word_at_end(self.statement, self.start)
    }

    /// The first word of the statement.
    pub(crate) fn first_word(&self) -> &'a str {
        let length = self.statement.find(|c: char| !is_word(c)).unwrap_or(self.statement.len());
        self.statement.get(..length).unwrap_or_default()
    }

    pub(crate) fn expects(&self, text: &str) -> bool {
        self.expected.contains(&text)
    }

    /// The bracket that is open at the place, with what stands in it before the place.
    pub(crate) fn bracket(&self) -> Option<(char, &'a str)> {
        let mut open = Vec::new();
        let mut quoted = false;
        for (at, letter) in self.statement.char_indices() {
            match letter {
                '"' => quoted = !quoted,
                '(' | '[' if !quoted => open.push((letter, at + 1)),
                ')' | ']' if !quoted => drop(open.pop()),
                _ => {}
            }
        }
        let (bracket, at) = open.pop()?;
        Some((bracket, self.statement.get(at..)?))
    }
}

/// The beginning of the innermost statement before `at`: after the last end of a statement or brace outside of quotes.
pub(crate) fn statement_start(clean: &str, at: usize) -> usize {
    let before = clean.get(..at).unwrap_or_default();
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    let mut start = line;
    let mut quoted = false;
    for (offset, letter) in clean.get(line..at).unwrap_or_default().char_indices() {
        match letter {
            '"' => quoted = !quoted,
            '{' | '}' if !quoted => start = line + offset + 1,
            _ => {}
        }
    }
    let blanks = clean.get(start..at).unwrap_or_default();
    start + blanks.len() - blanks.trim_start().len()
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The word that ends a text which begins at `start`, with its offset.
fn word_at_end(text: &str, start: usize) -> (usize, &str) {
    let text = text.trim_end();
    let from = text
        .rfind(|c: char| !is_word(c))
        .map_or(0, |at| at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8));
    (start + from, text.get(from..).unwrap_or_default())
}
