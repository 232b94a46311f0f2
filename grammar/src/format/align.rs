//! Finds the words of a document in the source again, and with them what stands between: comments and blank lines.
//!
//! The printer writes the words of the source in their order. Only commas and parentheses may be missing on either side,
//! so a walk over both texts at once finds each word's place, and a comment stays between the words where it was.

use super::doc::Doc;

/// A source text, prepared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// As written, with `\n` at each line's end.
    pub(super) text: &'a str,
    /// The same length, with blanks for comments.
    pub(super) clean: &'a str,
    /// Where the comments are, documentation among them, in order.
    pub(super) comments: &'a [(u32, u32)],
}

/// A comment on a line of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comment<'a> {
    /// From the slashes to the last letter.
    pub(super) text: &'a str,
    /// A blank line stands before it.
    pub(super) blank: bool,
}

/// What stands around a word.
#[derive(Clone, Debug, Default)]
pub(super) struct Trivia<'a> {
    pub(super) before: Vec<Comment<'a>>,
    /// A blank line stands directly before the word.
    pub(super) blank: bool,
    /// What ends the word's line.
    pub(super) after: Vec<&'a str>,
}

/// The document is not made of the source's words.
#[derive(Debug)]
pub(super) struct Mismatch;

impl<'a> Source<'a> {
    /// The text of a range.
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    /// Whether a comment stands in the range.
    pub(super) fn has_comment(&self, start: usize, end: usize) -> bool {
        let first = self.comments.partition_point(|(at, _)| (*at as usize) < start);
        self.comments.get(first).is_some_and(|(at, _)| (*at as usize) < end)
    }

    /// How many lines end between the last thing before `at` and `at`.
    fn lines_before(&self, at: usize) -> usize {
        let before = self.text.get(..at).unwrap_or_default();
        let kept = before.trim_end_matches(char::is_whitespace).len();
        before.get(kept..).unwrap_or_default().matches('\n').count()
    }
}

struct Walk<'a> {
    source: &'a Source<'a>,
    at: usize,
    comments: std::slice::Iter<'a, (u32, u32)>,
    /// Index 0 is for words with nothing around them.
    trivia: Vec<Trivia<'a>>,
    /// Comments before a comma, which go to the next word.
    carried: Vec<Comment<'a>>,
}

/// Sets the trivia of each atom.
pub(super) fn align<'a>(doc: &mut Doc, source: &'a Source<'a>) -> Result<Vec<Trivia<'a>>, Mismatch> {
    let comments = source.comments.iter();
    let mut walk = Walk { source, at: 0, comments, trivia: vec![Trivia::default()], carried: Vec::new() };
    let mut last = None;
    walk.doc(doc, &mut last)?;
    let rest = walk.source.clean.get(walk.at..).unwrap_or_default();
    let used_up = walk.comments.len() == 0 && walk.carried.is_empty() && rest.chars().all(|c| is_blank(c) || may_be_missing(c));
    if used_up { Ok(walk.trivia) } else { Err(Mismatch) }
}

fn is_blank(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\u{b}'
}

fn may_be_missing(c: char) -> bool {
    matches!(c, ',' | '(' | ')')
}

/// The trivia index of the last word.
type Last<'d> = Option<&'d mut usize>;

impl<'a> Walk<'a> {
    fn doc<'d>(&mut self, doc: &'d mut Doc, last: &mut Last<'d>) -> Result<(), Mismatch> {
        match doc {
            Doc::Atom(atom) => {
                let comma = &*atom.text == ",";
                let Some((start, end)) = self.find(&atom.text) else {
                    let optional = atom.text.chars().all(may_be_missing);
                    return if optional && !atom.text.is_empty() { Ok(()) } else { Err(Mismatch) };
                };
                self.around(start, &mut atom.trivia, last, comma);
                self.at = end;
                if !comma || last.is_none() {
                    *last = Some(&mut atom.trivia);
                }
            }
            Doc::Source { start, end, trivia } => {
                let (from, to) = (*start, *end);
                self.around(from, trivia, last, false);
                self.at = to;
                while self.comments.as_slice().first().is_some_and(|(at, _)| (*at as usize) < to) {
                    let _inside = self.comments.next();
                }
                *last = Some(trivia);
            }
            Doc::Concat(docs) => {
                for doc in docs {
                    self.doc(doc, last)?;
                }
            }
            Doc::Indent(doc) | Doc::Group(doc) => self.doc(doc, last)?,
            Doc::Nil | Doc::Space | Doc::Line { .. } | Doc::Hard(_) | Doc::Comma => {}
        }
        Ok(())
    }

    /// Where the word stands next, beyond commas and parentheses that are not written.
    fn find(&self, text: &str) -> Option<(usize, usize)> {
        let mut at = self.at;
        loop {
            let rest = self.source.clean.get(at..)?;
            let start = at + (rest.len() - rest.trim_start_matches(is_blank).len());
            if let Some(end) = self.matches(start, text) {
                return Some((start, end));
            }
            let next = self.source.clean.get(start..)?.chars().next().filter(|next| may_be_missing(*next))?;
            at = start + next.len_utf8();
        }
    }

    fn matches(&self, start: usize, text: &str) -> Option<usize> {
        if text.is_empty() {
            return (start == self.source.clean.len()).then_some(start);
        }
        let mut letters = self.source.clean.get(start..)?.char_indices().filter(|(_, c)| !is_blank(*c));
        let mut end = start;
        for wanted in text.chars().filter(|c| !is_blank(*c)) {
            let (at, found) = letters.next()?;
            if found != wanted {
                return None;
            }
            end = start + at + found.len_utf8();
        }
        Some(end)
    }

    /// Hands out the comments before `start`, where a word stands.
    fn around(&mut self, start: usize, trivia: &mut usize, last: &mut Last<'_>, comma: bool) {
        let mut before = if comma { Vec::new() } else { std::mem::take(&mut self.carried) };
        while let Some((from, to)) = self.comments.as_slice().first().map(|(from, to)| (*from as usize, *to as usize)) {
            if from >= start {
                break;
            }
            let _taken = self.comments.next();
            let text = self.source.slice(from, to).trim_end();
            let lines = self.source.lines_before(from);
            let own_line = lines > 0 || self.source.text.get(..from).is_none_or(|text| text.trim().is_empty());
            match last {
                Some(last) if !own_line => {
                    let index = self.index(last);
                    if let Some(trivia) = self.trivia.get_mut(index) {
                        trivia.after.push(text);
                    }
                }
                _ => before.push(Comment { text, blank: lines > 1 }),
            }
        }
        if comma {
            self.carried.extend(before);
            return;
        }
        let blank = self.source.lines_before(start) > 1;
        if blank || !before.is_empty() {
            let index = self.index(trivia);
            if let Some(trivia) = self.trivia.get_mut(index) {
                trivia.before = before;
                trivia.blank = blank;
            }
        }
    }

    fn index(&mut self, trivia: &mut usize) -> usize {
        if *trivia == 0 {
            *trivia = self.trivia.len();
            self.trivia.push(Trivia::default());
        }
        *trivia
    }
}
