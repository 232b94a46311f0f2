//! Decides where lines end, and writes the comments.

use super::align::{Comment, Trivia};
use super::doc::{Atom, Doc, Gap, Role};

/// Columns of one level of indentation.
const STEP: usize = 4;

/// Whether the lines of a group are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Flat,
    Broken,
}

/// A line that has begun, but not yet with anything on it.
#[derive(Clone, Copy, Debug)]
struct Start {
    indent: usize,
    gap: Gap,
}

struct Layout<'a> {
    width: usize,
    source: &'a str,
    trivia: &'a [Trivia<'a>],
    out: String,
    column: usize,
    start: Option<Start>,
    /// A blank is due before the next word.
    blank: bool,
    /// The last thing written is an opening bracket.
    opened: bool,
    /// Comments that end the line on which the last word stands.
    trailing: Vec<&'a str>,
}

/// What is still to be written.
type Work<'d> = (usize, Mode, &'d Doc);

/// The text of a document whose atoms refer to `trivia` of `source`.
pub(super) fn lay_out<'a>(doc: &'a Doc, trivia: &'a [Trivia<'a>], source: &'a str, width: usize) -> String {
    let mut layout = Layout {
        width,
        source,
        trivia,
        out: String::new(),
        column: 0,
        start: Some(Start { indent: 0, gap: Gap::None }),
        blank: false,
        opened: true,
        trailing: Vec::new(),
    };
    layout.run(doc);
    layout.finish()
}

impl<'a> Layout<'a> {
    fn run(&mut self, doc: &'a Doc) {
        let mut work: Vec<Work<'a>> = vec![(0, Mode::Broken, doc)];
        while let Some((indent, mode, doc)) = work.pop() {
            match doc {
                Doc::Nil => {}
                Doc::Atom(atom) => self.atom(atom, indent),
                Doc::Space => self.blank = true,
                Doc::Line { blank, .. } if mode == Mode::Flat => self.blank |= *blank,
                Doc::Line { gap, .. } | Doc::Hard(gap) => self.end_line(indent, *gap),
                Doc::Comma if mode == Mode::Flat => {}
                Doc::Comma => self.write(","),
                Doc::Concat(docs) => work.extend(docs.iter().rev().map(|doc| (indent, mode, doc))),
                Doc::Indent(doc) => work.push((indent + STEP, mode, doc)),
                Doc::Group(inner) => {
                    let flat = mode == Mode::Flat || self.fits(inner, &work);
                    work.push((indent, if flat { Mode::Flat } else { Mode::Broken }, inner));
                }
                Doc::Source { start, end, trivia } => {
                    self.before(*trivia, Role::Word, indent);
                    let text = self.source.get(*start..*end).unwrap_or_default();
                    self.write(text);
                    self.opened = false;
                }
            }
        }
    }

    fn finish(mut self) -> String {
        self.end_line(0, Gap::None);
        let length = self.out.trim_end().len();
        self.out.truncate(length);
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        self.out
    }

    fn atom(&mut self, atom: &'a Atom, indent: usize) {
        if &*atom.text == "," {
            self.write(",");
        } else {
            self.before(atom.trivia, atom.role, indent);
            self.write(&atom.text);
        }
        self.opened = atom.role == Role::Open;
        self.trailing.extend(self.trivia.get(atom.trivia).into_iter().flat_map(|trivia| trivia.after.iter().copied()));
    }

    /// Comments and blank lines before a word.
    fn before(&mut self, trivia: usize, role: Role, indent: usize) {
        let found = self.trivia.get(trivia);
        let comments: &'a [Comment<'a>] = found.map_or(&[], |found| &found.before);
        if self.start.is_none() && (!comments.is_empty() || !self.trailing.is_empty()) {
            // No line may end here by itself, but the comment ends it, as it does in the source.
            let step = if self.out.ends_with('}') { 0 } else { STEP };
            self.end_line(indent + step, Gap::None);
        }
        for comment in comments {
            let Some(start) = self.start.take() else { break };
            let shown = if role == Role::Close { start.indent + STEP } else { start.indent };
            self.begin_line(Start { indent: shown, ..start }, comment.blank);
            self.out.push_str(comment.text);
            self.out.push('\n');
            self.opened = false;
            let gap = if start.gap == Gap::None { Gap::None } else { Gap::Kept };
            self.start = Some(Start { gap, ..start });
        }
        if let Some(start) = self.start.take() {
            self.begin_line(start, found.is_some_and(|found| found.blank) && role != Role::Close);
        }
    }

    fn begin_line(&mut self, start: Start, blank: bool) {
        let gap = match start.gap {
            Gap::None => false,
            Gap::Kept => blank && !self.opened,
            Gap::Blank => !self.out.is_empty(),
        };
        if gap {
            self.out.push('\n');
        }
        self.out.extend(std::iter::repeat_n(' ', start.indent));
        self.column = start.indent;
        self.blank = false;
    }

    fn write(&mut self, text: &str) {
        if text != "," && std::mem::take(&mut self.blank) {
            self.out.push(' ');
            self.column += 1;
        }
        self.out.push_str(text);
        match text.rsplit_once('\n') {
            Some((_, last)) => self.column = last.chars().count(),
            None => self.column += text.chars().count(),
        }
    }

    fn end_line(&mut self, indent: usize, gap: Gap) {
        for (index, comment) in std::mem::take(&mut self.trailing).into_iter().enumerate() {
            if index == 0 {
                self.out.push(' ');
            } else {
                self.out.push('\n');
                self.out.extend(std::iter::repeat_n(' ', indent));
            }
            self.out.push_str(comment);
        }
        if self.start.is_none() {
            self.out.push('\n');
        }
        self.blank = false;
        self.start = Some(Start { indent, gap });
    }

    /// Whether the group and what follows it up to the next possible line's end fit on the line.
    fn fits(&self, group: &'a Doc, rest: &[Work<'a>]) -> bool {
        let column = self.start.map_or(self.column + usize::from(self.blank), |start| start.indent);
        let mut probe = Probe { left: self.width.saturating_sub(column), first: true, ended: !self.trailing.is_empty() };
        let mut work = vec![group];
        while let Some(doc) = work.pop() {
            match probe.inside(doc, self.trivia, &mut work) {
                None => {}
                Some(answer) => return answer,
            }
        }
        let mut after = rest.iter().rev();
        let mut work: Vec<(Mode, &Doc)> = Vec::new();
        loop {
            let Some((mode, doc)) = work.pop().or_else(|| after.next().map(|(_, mode, doc)| (*mode, *doc))) else { return true };
            match doc {
                Doc::Hard(_) => return true,
                Doc::Line { .. } if mode == Mode::Broken => return true,
                Doc::Concat(docs) => work.extend(docs.iter().rev().map(|doc| (mode, doc))),
                Doc::Indent(doc) | Doc::Group(doc) => work.push((mode, doc)),
                Doc::Comma if mode == Mode::Flat => {}
                _ => {
                    if let Some(answer) = probe.after(doc, self.trivia) {
                        return answer;
                    }
                }
            }
        }
    }
}

/// Measures a group on one line.
struct Probe {
    left: usize,
    /// Nothing has been seen yet.
    first: bool,
    /// A comment ends the line here.
    ended: bool,
}

impl Probe {
    fn take(&mut self, columns: usize) -> Option<bool> {
        match self.left.checked_sub(columns) {
            Some(left) => {
                self.left = left;
                None
            }
            None => Some(false),
        }
    }

    fn text(&mut self, text: &str) -> Option<bool> {
        match text.split_once('\n') {
            // What follows a text of several lines begins anew on its last line.
            Some((first, _)) => Some(self.take(first.chars().count()).is_none()),
            None => self.take(text.chars().count()),
        }
    }

    /// A part of the group itself.
    fn inside<'d>(&mut self, doc: &'d Doc, trivia: &[Trivia<'_>], work: &mut Vec<&'d Doc>) -> Option<bool> {
        match doc {
            Doc::Nil | Doc::Comma => None,
            Doc::Atom(atom) => {
                let found = trivia.get(atom.trivia);
                if &*atom.text != "," {
                    let commented = !self.first && found.is_some_and(|found| !found.before.is_empty());
                    if commented || (!self.first && self.ended) {
                        return Some(false);
                    }
                    self.first = false;
                }
                self.ended |= found.is_some_and(|found| !found.after.is_empty());
                self.text(&atom.text)
            }
            Doc::Space | Doc::Line { blank: true, .. } => self.take(1),
            Doc::Line { blank: false, .. } => None,
            Doc::Hard(_) | Doc::Source { .. } => Some(false),
            Doc::Concat(docs) => {
                work.extend(docs.iter().rev());
                None
            }
            Doc::Indent(doc) | Doc::Group(doc) => {
                work.push(doc);
                None
            }
        }
    }

    /// A word after the group.
    fn after(&mut self, doc: &Doc, trivia: &[Trivia<'_>]) -> Option<bool> {
        match doc {
            Doc::Atom(atom) => {
                let found = trivia.get(atom.trivia);
                let commented = found.is_some_and(|found| !found.before.is_empty());
                if &*atom.text != "," && (self.ended || commented) {
                    return Some(true);
                }
                self.ended |= found.is_some_and(|found| !found.after.is_empty());
                self.text(&atom.text)
            }
            Doc::Space => self.take(1),
            Doc::Line { blank, .. } => self.take(usize::from(*blank)),
            Doc::Comma => self.take(1),
            _ => None,
        }
    }
}
