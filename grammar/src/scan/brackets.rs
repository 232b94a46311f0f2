//! Pairs brackets, and guesses which one is missing when they do not pair up.

use super::{Bracket, Class, Level, MarkKind, Scanner, offset};
use crate::diagnostics;
use crate::expected::closes_more;
use crate::span::Span;

impl Bracket {
    const fn text(self) -> &'static str {
        match self {
            Self::Top => "",
            Self::Paren => "(",
            Self::Square => "[",
            Self::Brace => "{",
            Self::Interpolation => "${",
        }
    }

    const fn closer(self) -> u8 {
        match self {
            Self::Paren => b')',
            Self::Square => b']',
            _ => b'}',
        }
    }

    /// Whether this closing kind can close that opening kind.
    fn closes(self, open: Self) -> bool {
        self == open || (self == Self::Brace && open == Self::Interpolation)
    }
}

impl Scanner<'_> {
    pub(super) fn open(&mut self, bracket: Bracket) {
        let start = self.pos;
        let of_with = self.slice(self.prev_start, self.prev_end) == "with";
        if !self.token(Class::Open, 1) {
            return;
        }
        if bracket == Bracket::Brace {
            self.level.bodies = self.level.bodies.saturating_sub(u32::from(!of_with));
            self.level.in_until &= self.level.bodies > 0;
            self.mark(start, MarkKind::Open);
            if self.level.bracket == Bracket::Top {
                self.item_brace(start, of_with);
            }
        }
        self.push(Level::new(bracket, offset(start), offset(self.line_start), self.line_indent()), start);
    }

    pub(super) fn push(&mut self, mut level: Level, start: usize) {
        // A form and its body are one level.
        level.weight = u32::from(level.bracket != Bracket::Brace || self.level.forms == 0);
        self.outer.push(self.level);
        self.level = level;
        self.depth += 1;
        self.nesting += level.weight;
        self.check_nesting(start);
    }

    fn line_indent(&self) -> u32 {
        let line = self.text.get(self.line_start..).unwrap_or_default();
        offset(line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count())
    }

    /// Leaves the innermost bracket; `end` is the offset after what closes it.
    pub(super) fn pop(&mut self, end: usize) -> Level {
        let closed = self.level;
        let Some(outer) = self.outer.pop() else { return closed };
        self.depth = self.depth.saturating_sub(1 + closed.chain);
        self.nesting = self.nesting.saturating_sub(closed.weight + closed.forms + closed.angles);
        self.level = outer;
        if closed.bracket == Bracket::Brace {
            self.mark(end.saturating_sub(1), MarkKind::Close);
            if outer.bracket == Bracket::Top {
                self.item_brace_closed(closed.at, end);
            }
        }
        closed
    }

    pub(super) fn close(&mut self, bracket: Bracket) {
        let start = self.pos;
        let first_on_line = self.newline.is_some() && self.slice(self.line_start, start).trim().is_empty();
        self.pos += 1;
        self.before(Class::Close, start);
        if bracket == Bracket::Brace && first_on_line && self.by_indent && !self.fit_indentation(start) {
            return self.stray(bracket, start);
        }
        if bracket == Bracket::Brace && !first_on_line && self.by_indent && self.is_typed_for_paren() {
            return self.wrong_closer(Bracket::Paren, start);
        }
        while !bracket.closes(self.level.bracket) {
            if !self.outer.iter().any(|level| bracket.closes(level.bracket)) || self.is_walled(bracket) {
                return self.wrong_closer(bracket, start);
            }
            self.close_unclosed(start, start);
        }
        self.count(Class::Close, start);
        let closed = self.pop(start + 1);
        self.after(Class::Close, start);
        if closed.bracket == Bracket::Interpolation {
            self.text_rest(closed.text_at as usize);
        }
    }

    /// A `)` does not close what was opened outside the braces around it, unless all stands on one line.
    fn is_walled(&self, bracket: Bracket) -> bool {
        bracket != Bracket::Brace
            && matches!(self.level.bracket, Bracket::Brace | Bracket::Interpolation)
            && self.level.line as usize != self.line_start
    }

    /// Whether a `}` stands on the line of the innermost `(` or `[`, and what it could close is on another line.
    fn is_typed_for_paren(&self) -> bool {
        let paren = matches!(self.level.bracket, Bracket::Paren | Bracket::Square) && self.level.line as usize == self.line_start;
        paren
            && self
                .outer
                .iter()
                .rev()
                .find(|level| level.bracket == Bracket::Brace)
                .is_some_and(|level| level.line < self.level.line)
    }

    /// Compares the indentation of a `}` with the lines of what it could close. False when it closes nothing.
    fn fit_indentation(&mut self, start: usize) -> bool {
        let opens = |level: &Level, indent: u32| matches!(level.bracket, Bracket::Brace) && level.indent <= indent;
        let braces = || self.outer.iter().chain([&self.level]).filter(|level| level.bracket == Bracket::Brace);
        if !braces().any(|level| level.indent == self.indent) {
            // No line fits exactly: one that is indented more than all lines that it could close is one too many.
            return braces().next_back().is_some_and(|level| level.indent >= self.indent);
        }
        while !opens(&self.level, self.indent) && self.level.bracket != Bracket::Top {
            let gap = self.prev_end;
            self.close_unclosed(gap, start);
        }
        true
    }

    fn wrong_closer(&mut self, bracket: Bracket, start: usize) {
        let at = self.span(start, start + 1);
        let found = self.slice(start, start + 1);
        let open = self.level;
        if bracket == Bracket::Brace || !matches!(open.bracket, Bracket::Paren | Bracket::Square) {
            return self.stray(bracket, start);
        }
        let open_at = self.span(open.at as usize, open.at as usize + 1);
        self.mismatches += 1;
        self.report(diagnostics::mismatched(open_at, open.bracket.text(), at, found));
        self.put(start, open.bracket.closer());
        self.pop(start + 1);
        self.after(Class::Close, start);
    }

    /// Reports a closing bracket that closes nothing, and reads on as if it were not there.
    fn stray(&mut self, bracket: Bracket, start: usize) {
        self.mismatches += 1;
        let at = self.span(start, start + 1);
        let open = (self.level.bracket != Bracket::Top).then(|| self.span(self.level.at as usize, self.level.at as usize + 1));
        let text = if bracket == Bracket::Brace { "}" } else { self.slice(start, start + 1) };
        self.report(diagnostics::unopened(at, text, open));
        self.blank(start, start + 1);
        if !self.prev_ends && self.prev != Class::Open {
            self.bad(self.prev_start);
        }
    }

    /// Reports the innermost bracket as unclosed before `before`, and leaves it. A brace is closed in the copy of the
    /// text, in the gap that begins at `gap`, so that what it holds is still parsed.
    pub(super) fn close_unclosed(&mut self, gap: usize, before: usize) {
        let level = self.level;
        let text = level.bracket.text();
        let open = self.span(level.at as usize, level.at as usize + text.len());
        let end = self.span(before, before + 1);
        self.mismatches += 1;
        // What is still open at the end of the text is one finding.
        let at_end =
            (before >= self.text.len()).then_some("brackets open at the end").filter(|_| self.level.bracket != Bracket::Top);
        let comment = self.closing_comment(level.at as usize);
        let unclosed = || match comment {
            Some(comment) => diagnostics::closed_in_comment(open, text, comment),
            None => diagnostics::unclosed(open, text, end),
        };
        match at_end.filter(|_| comment.is_none()) {
            Some(key) => self.habit(key, open, unclosed),
            None => self.report(unclosed()),
        }
        if level.bracket == Bracket::Brace && gap >= self.text.len() {
            self.prev_end = self.clean.len();
            self.pop(self.prev_end);
        } else if level.bracket == Bracket::Brace && gap + 1 < before {
            self.put(gap, b'}');
            self.prev_end = gap + 1;
            self.pop(gap + 1);
        } else {
            self.bad(level.at as usize);
            self.pop(gap + 1);
        }
        self.prev = Class::Close;
        self.prev_ends = true;
    }

    /// A comment that follows an operand on the line of a bracket, and closes it: its `//` was to divide.
    fn closing_comment(&self, open: usize) -> Option<Span> {
        let first = self.out.comments.partition_point(|(start, _)| (*start as usize) < open);
        let (start, end) = self.out.comments.get(first).map(|(start, end)| (*start as usize, *end as usize))?;
        let before = self.slice(open + 1, start);
        let operand = before.trim_end().ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ')' | ']'));
        let comment = self.slice(start, end).trim_start_matches('/').trim_start();
        let divides = comment.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '('));
        (operand && divides && !before.contains('\n') && closes_more(comment)).then(|| self.span(start, end))
    }

    /// At the first token of a line: brackets that this line shows to be unclosed.
    pub(super) fn close_by_line(&mut self, class: Class, start: usize, begins: bool) {
        let word = self.slice(start, self.skip_word(start));
        let item = begins && start == self.line_start && !matches!(word, "let" | "return" | "require");
        loop {
            let unclosed = match self.level.bracket {
                Bracket::Top => false,
                Bracket::Paren | Bracket::Square | Bracket::Interpolation => begins || self.is_outdented(class, start),
                // Only items stand outside all braces, so another line is inside them, indented or not.
                Bracket::Brace if self.outer.len() == 1 => item,
                Bracket::Brace => item || self.is_outdented(class, start),
            };
            if !unclosed {
                break;
            }
            let gap = self.prev_end;
            self.close_unclosed(gap, start);
        }
    }

    fn is_outdented(&self, class: Class, start: usize) -> bool {
        let continues = self.continues(class, start);
        let line = self.line_start != self.level.line as usize;
        let ended = self.prev_ends || self.level.bracket == Bracket::Brace;
        self.by_indent && line && ended && !continues && self.indent <= self.level.indent
    }

    /// A text or interpolation broke off at the end of this line and may have swallowed brackets of this line: they
    /// are dropped without a word, and a `{` at the line's end counts.
    pub(super) fn drop_line(&mut self, end: usize) {
        while self.level.bracket != Bracket::Top && self.level.line as usize == self.line_start {
            self.pop(end);
        }
        let line = self.slice(self.line_start, end);
        if line.trim_end().ends_with('{') {
            let at = self.line_start + line.trim_end().len() - 1;
            self.mark(at, MarkKind::Open);
            if self.level.bracket == Bracket::Top {
                self.item_brace(at, false);
            }
            self.push(Level::new(Bracket::Brace, offset(at), offset(self.line_start), self.line_indent()), at);
            self.prev = Class::Open;
            self.prev_ends = false;
        }
    }
}
