//! What the printer makes of a tree: words, and places where a line may end.

/// A laid out text before its lines are decided.
#[derive(Clone, Debug)]
pub(super) enum Doc {
    /// Nothing.
    Nil,
    /// A word or sign as it is written.
    Atom(Atom),
    /// A blank that is never a line's end.
    Space,
    /// Ends the line when its group does not fit on one; the flag says whether it is a blank otherwise.
    Line { blank: bool, gap: Gap },
    /// Always ends the line.
    Hard(Gap),
    /// A comma that is written where the group is broken.
    Comma,
    /// One after the other.
    Concat(Vec<Doc>),
    /// Lines that begin inside are indented once more.
    Indent(Box<Doc>),
    /// On one line when it fits.
    Group(Box<Doc>),
    /// A part of the source as it is, from `start` to `end`.
    Source { start: usize, end: usize, trivia: usize },
}

/// A word or sign.
#[derive(Clone, Debug)]
pub(super) struct Atom {
    pub(super) text: Box<str>,
    pub(super) role: Role,
    /// What stands around it in the source: an index that [`super::align`] sets, 0 for nothing.
    pub(super) trivia: usize,
}

/// What an atom is to the comments and blank lines beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// No more than itself.
    Word,
    /// An opening bracket: no blank line follows.
    Open,
    /// A closing bracket: no blank line before it, and comments before it are indented as what it closes.
    Close,
}

/// How many blank lines a line's end allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    /// None.
    None,
    /// One where the source has some.
    Kept,
    /// One.
    Blank,
}

pub(super) fn word(text: impl Into<Box<str>>) -> Doc {
    Doc::Atom(Atom { text: text.into(), role: Role::Word, trivia: 0 })
}

pub(super) fn open(text: &str) -> Doc {
    Doc::Atom(Atom { text: text.into(), role: Role::Open, trivia: 0 })
}

pub(super) fn close(text: &str) -> Doc {
    Doc::Atom(Atom { text: text.into(), role: Role::Close, trivia: 0 })
}

/// A blank, or a line's end.
pub(super) const LINE: Doc = Doc::Line { blank: true, gap: Gap::None };
/// Nothing, or a line's end.
pub(super) const SOFT: Doc = Doc::Line { blank: false, gap: Gap::None };
/// A line's end between things that may have a blank line between them.
pub(super) const HARD: Doc = Doc::Hard(Gap::Kept);
/// A line's end beside a bracket.
pub(super) const TIGHT: Doc = Doc::Hard(Gap::None);

pub(super) fn concat<const N: usize>(docs: [Doc; N]) -> Doc {
    Doc::Concat(docs.into())
}

pub(super) fn indent(doc: Doc) -> Doc {
    Doc::Indent(Box::new(doc))
}

pub(super) fn group(doc: Doc) -> Doc {
    Doc::Group(Box::new(doc))
}

/// The same with a blank before it, when there is one.
pub(super) fn spaced(doc: Option<Doc>) -> Doc {
    doc.map_or(Doc::Nil, |doc| concat([Doc::Space, doc]))
}

/// How a list between brackets is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    pub(super) open: &'static str,
    pub(super) close: &'static str,
    /// Blanks inside the brackets when it is on one line.
    pub(super) padded: bool,
    /// One element per line even where all would fit on one.
    pub(super) expanded: bool,
    /// A comma after the last element when there is one per line.
    pub(super) last_comma: bool,
}

pub(super) const PARENS: Listed = Listed { open: "(", close: ")", padded: false, expanded: false, last_comma: true };
pub(super) const SQUARE: Listed = Listed { open: "[", close: "]", ..PARENS };
pub(super) const BRACES: Listed = Listed { open: "{", close: "}", padded: true, ..PARENS };

/// Elements between brackets, separated by commas: on one line when they fit, else one per line.
pub(super) fn listed(elements: Vec<Doc>, how: Listed) -> Doc {
    if elements.is_empty() {
        return group(concat([open(how.open), SOFT, close(how.close)]));
    }
    let first = if how.expanded { TIGHT } else { Doc::Line { blank: how.padded, gap: Gap::None } };
    let mut inner = vec![first];
    for (index, element) in elements.into_iter().enumerate() {
        if index > 0 {
            inner.extend([word(","), Doc::Line { blank: true, gap: Gap::Kept }]);
        }
        inner.push(element);
    }
    if how.last_comma {
        inner.push(Doc::Comma);
    }
    let last = Doc::Line { blank: how.padded, gap: Gap::None };
    group(concat([open(how.open), indent(Doc::Concat(inner)), last, close(how.close)]))
}
