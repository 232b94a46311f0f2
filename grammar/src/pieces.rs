//! A piece of the text that is parsed at once, and what recovery cuts out of it.

use crate::scan::{MAX_ERRORS, Mark, MarkKind, Scan, offset};
use crate::span::{FileId, Ident, Span};
use std::borrow::Cow;

/// A part that was cut out because it does not parse.
#[derive(Clone, Debug)]
struct Hole {
    start: u32,
    end: u32,
    binds: Option<Ident>,
}

/// A piece of the prepared text; offsets count in the whole text.
#[derive(Debug)]
pub(crate) struct Piece<'a> {
    scan: &'a Scan,
    file: FileId,
    start: u32,
    text: Cow<'a, str>,
    holes: Vec<Hole>,
}

/// The marks within `start..end`.
pub(crate) fn braces_in(marks: &[Mark], start: u32, end: u32) -> &[Mark] {
    let first = marks.partition_point(|mark| mark.at < start);
    let last = marks.partition_point(|mark| mark.at < end);
    marks.get(first..last).unwrap_or_default()
}

/// Splits `start..end` at the newlines that are in no inner braces.
pub(crate) fn statement_ranges(marks: &[Mark], start: u32, end: u32) -> impl Iterator<Item = (u32, u32)> {
    let mut depth = 0_u32;
    let mut from = start;
    let ends = marks.iter().filter_map(move |mark| match mark.kind {
        MarkKind::Open => {
            depth += 1;
            None
        }
        MarkKind::Close => {
            depth = depth.saturating_sub(1);
            None
        }
        MarkKind::Newline if depth == 0 => Some(mark.at),
        MarkKind::Newline | MarkKind::Soft => None,
    });
    ends.chain([end]).map(move |at| {
        let range = (from, at);
        from = at;
        range
    })
}

impl<'a> Piece<'a> {
    pub(crate) fn new(scan: &'a Scan, file: FileId, start: u32, end: u32) -> Self {
        let text = scan.clean.get(start as usize..end as usize).unwrap_or_default();
        Self { scan, file, start, text: Cow::Borrowed(text), holes: Vec::new() }
    }

    pub(crate) fn start(&self) -> u32 {
        self.start
    }

    pub(crate) fn end(&self) -> u32 {
        self.start + offset(self.text.len())
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn has_holes(&self) -> bool {
        !self.holes.is_empty()
    }

    /// Whether the statement around the place is cut out already, so that an error here comes from the cut.
    pub(crate) fn is_hole(&self, at: u32) -> bool {
        self.enclosing(at, false).is_some_and(|(start, end)| self.is_covered(start, end))
    }

    /// Whether the place is in a part that was cut out.
    pub(crate) fn is_cut_out(&self, at: u32) -> bool {
        self.holes.iter().any(|hole| hole.start <= at && at < hole.end)
    }

    /// The span of the hole at `at`, and the name of the `let` that stood there.
    pub(crate) fn hole(&self, at: u32) -> Option<(Span, Option<Ident>)> {
        let hole = self.holes.iter().find(|hole| hole.start == at)?;
        Some((Span::new(self.file, hole.start, hole.end), hole.binds.clone()))
    }

    /// The name that the whole piece binds when it is a `let`.
    pub(crate) fn whole_binds(&self) -> Option<Ident> {
        self.binds(self.start, self.scan.clean.get(self.start as usize..self.end() as usize).unwrap_or_default())
    }

    /// Cuts out the smallest statement around `at` that is not cut out yet. False when that is the whole piece.
    pub(crate) fn cut(&mut self, at: u32) -> bool {
        // Each cut copies the text, so their number is bounded like that of the reports.
        if self.holes.len() >= MAX_ERRORS {
            return false;
        }
        let Some((start, end)) = self.enclosing(at, true) else { return false };
        if start <= self.start && end >= self.end() {
            return false;
        }
        let binds = self.binds(start, self.scan.clean.get(start as usize..end as usize).unwrap_or_default());
        self.holes.retain(|hole| hole.start < start || hole.end > end);
        self.holes.push(Hole { start, end, binds });
        let mut bytes = std::mem::take(&mut self.text).into_owned().into_bytes();
        let range = (start - self.start) as usize..(end - self.start) as usize;
        if let Some(cut) = bytes.get_mut(range) {
            cut.fill(b' ');
            if let Some(first) = cut.first_mut() {
                *first = 1;
            }
        }
        match String::from_utf8(bytes) {
            Ok(text) => self.text = Cow::Owned(text),
            // Cuts begin and end at ASCII marks, so this does not happen; nothing is left to parse if it does.
            Err(_) => return false,
        }
        true
    }

    fn is_covered(&self, start: u32, end: u32) -> bool {
        self.holes.iter().any(|hole| hole.start <= start && end <= hole.end)
    }

    /// The smallest range between marks around `at` that is not blank and, with `more`, is not cut out yet.
    fn enclosing(&self, at: u32, more: bool) -> Option<(u32, u32)> {
        let marks = braces_in(&self.scan.marks, self.start, self.end());
        let mut at = at;
        loop {
            for soft in [true, false] {
                let (start, end) = self.between(marks, at, soft);
                if start < end && !(more && self.is_covered(start, end)) {
                    return Some((start, end));
                }
            }
            at = open_before(marks, at)?;
        }
    }

    /// The range around `at` between marks of the same braces, without blanks around it.
    fn between(&self, marks: &[Mark], at: u32, soft: bool) -> (u32, u32) {
        let ends = |kind: MarkKind| kind == MarkKind::Newline || (soft && kind == MarkKind::Soft);
        let split = marks.partition_point(|mark| mark.at < at);
        let (before, after) = marks.split_at_checked(split).unwrap_or((marks, &[]));
        let mut depth = 0_u32;
        let left = before.iter().rev().find(|mark| match mark.kind {
            MarkKind::Close => {
                depth += 1;
                false
            }
            MarkKind::Open if depth == 0 => true,
            MarkKind::Open => {
                depth -= 1;
                false
            }
            kind => depth == 0 && ends(kind),
        });
        depth = 0;
        let right = after.iter().find(|mark| match mark.kind {
            MarkKind::Open => {
                depth += 1;
                false
            }
            MarkKind::Close if depth == 0 => true,
            MarkKind::Close => {
                depth -= 1;
                false
            }
            kind => depth == 0 && ends(kind),
        });
        let start = left.map_or(self.start, |mark| mark.at + 1);
        let end = right.map_or_else(|| self.end(), |mark| mark.at);
        let text = self.scan.clean.get(start as usize..end as usize).unwrap_or_default();
        let blank = |c: char| matches!(c, ' ' | '\n');
        let lead = text.len() - text.trim_start_matches(blank).len();
        let mut kept = text.trim_end_matches(blank);
        if right.is_some_and(|mark| mark.kind == MarkKind::Soft) {
            kept = kept.trim_end_matches(',').trim_end_matches(blank);
        }
        (start + offset(lead), start + offset(kept.len().max(lead)))
    }

    fn binds(&self, start: u32, text: &str) -> Option<Ident> {
        let rest = ["let ", "var ", "const "].iter().find_map(|word| text.strip_prefix(word))?;
        let name_start = text.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = rest.get(..length).filter(|name| !name.is_empty())?;
        let from = start + offset(name_start);
        Some(Ident { name: name.into(), span: Span::new(self.file, from, from + offset(length)) })
    }
}

/// The brace that the place `at` is directly inside of.
fn open_before(marks: &[Mark], at: u32) -> Option<u32> {
    let mut depth = 0_u32;
    let before = marks.get(..marks.partition_point(|mark| mark.at < at)).unwrap_or_default();
    let open = before.iter().rev().find(|mark| match mark.kind {
        MarkKind::Close => {
            depth += 1;
            false
        }
        MarkKind::Open if depth == 0 => true,
        MarkKind::Open => {
            depth -= 1;
            false
        }
        MarkKind::Newline | MarkKind::Soft => false,
    });
    open.map(|mark| mark.at)
}
