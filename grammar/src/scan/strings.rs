//! Texts, characters, and what is written in their place.

use super::{Bracket, Class, Level, Scanner, offset};
use crate::diagnostics;

impl Scanner<'_> {
    /// A `"`.
    pub(super) fn text_start(&mut self) {
        let start = self.pos;
        if self.slice(start, start + 3) == "\"\"\"" {
            return self.raw_text();
        }
        if self.token(Class::Operand, 1) {
            self.text_rest(start);
        }
    }

    fn raw_text(&mut self) {
        let start = self.pos;
        if !self.token(Class::Operand, 3) {
            return;
        }
        let rest = self.source.get(self.pos..).unwrap_or_default();
        let length = rest.find("\"\"\"");
        if length.is_none() {
            let (at, end) = (self.span(start, start + 3), self.span(self.text.len(), self.text.len()));
            self.report(diagnostics::unclosed_text(at, end, true));
            self.bad(start);
            // Its brackets are unknown, so none is missing.
            while self.level.bracket != Bracket::Top {
                self.close_quietly(start);
            }
        }
        self.pos = length.map_or(self.text.len(), |length| self.pos + length + 3);
        let lines = self.slice(start, self.pos);
        if let Some(last) = lines.rfind('\n') {
            self.line_start = start + last + 1;
        }
        self.prev_end = self.pos;
    }

    fn close_quietly(&mut self, at: usize) {
        if self.level.bracket == Bracket::Brace {
            self.clean.push(b'}');
        }
        let end = if self.level.bracket == Bracket::Brace { self.clean.len() } else { at + 1 };
        let _closed = self.pop(end);
    }

    /// The rest of the text that began at `start`: up to its end, or to the next interpolation.
    pub(super) fn text_rest(&mut self, start: usize) {
        loop {
            match self.byte(self.pos) {
                b'"' => {
                    self.pos += 1;
                    return self.after(Class::Operand, start);
                }
                b'\\' if !matches!(self.byte(self.pos + 1), b'\n' | b'\r') => self.pos += 2,
                b'$' if self.byte(self.pos + 1) == b'{' => return self.interpolation(start),
                b'\n' => return self.unclosed_text(start),
                0 if self.pos >= self.text.len() => return self.unclosed_text(start),
                _ => self.pos += 1,
            }
        }
    }

    fn interpolation(&mut self, text_at: usize) {
        let at = self.pos;
        self.pos += 2;
        let mut level = Level::new(Bracket::Interpolation, offset(at), offset(self.line_start), 0);
        level.text_at = offset(text_at);
        self.after(Class::Open, at);
        self.push(level, at);
    }

    fn unclosed_text(&mut self, start: usize) {
        self.pos = self.pos.min(self.text.len());
        let end = self.slice(start, self.pos).trim_end().len() + start;
        self.after(Class::Operand, start);
        self.bad(start);
        if self.level_of_interpolation().is_some() {
            return self.check_interpolation_at_line_end();
        }
        let (at, end) = (self.span(start, end), self.span(end, end + 1));
        self.report(diagnostics::unclosed_text(at, end, false));
        self.drop_line(self.pos);
    }

    fn level_of_interpolation(&self) -> Option<Level> {
        let mut inner = std::iter::once(&self.level).chain(self.outer.iter().rev());
        inner.find(|level| level.bracket == Bracket::Interpolation).copied()
    }

    /// An interpolation ends on the line on which it begins.
    pub(super) fn check_interpolation_at_line_end(&mut self) {
        let Some(level) = self.level_of_interpolation() else { return };
        let at = level.at as usize;
        let (open, end) = (self.span(at, at + 2), self.span(self.pos, self.pos + 1));
        self.report(diagnostics::unclosed_interpolation(open, end));
        self.bad(at);
        self.drop_line(self.pos);
        self.prev_end = self.pos;
        if self.prev != Class::Open {
            self.prev = Class::Operand;
            self.prev_ends = true;
        }
    }

    /// A character, or a text in single quotes.
    pub(super) fn single_quote(&mut self) {
        let start = self.pos;
        if self.slice(start, start + 3) == "'''" {
            return self.foreign_text("'''");
        }
        let end = self.line_end_from(start);
        let line = self.slice(start + 1, end);
        if let Some(length) = char_length(line) {
            self.plain(Class::Operand, length + 2);
            return;
        }
        let Some(length) = line.find('\'') else {
            let at = self.span(start, start + 1);
            self.report(diagnostics::unclosed_char(at));
            self.plain(Class::Operand, 1);
            return self.bad(start);
        };
        let at = self.span(start, start + length + 2);
        self.report(diagnostics::single_quotes(at));
        self.requote(start + 1, start + 1 + length);
        self.put(start, b'"');
        self.put(start + 1 + length, b'"');
        self.plain(Class::Operand, length + 2);
    }

    /// A text between backticks or three single quotes, perhaps of several lines; it is read as a text without values.
    pub(super) fn foreign_text(&mut self, quote: &'static str) {
        let (start, width) = (self.pos, quote.len());
        let rest = self.source.get(start + width..).unwrap_or_default();
        let Some(length) = rest.find(quote) else {
            let (at, end) = (self.span(start, start + width), self.span(self.text.len(), self.text.len()));
            self.habit("unclosed quotes", at, || diagnostics::unclosed_foreign_text(at, end, quote));
            self.plain(Class::Operand, width);
            return self.bad(start);
        };
        let (close, end) = (start + width + length, start + width + length + width);
        let at = self.span(start, end);
        self.habit(quote, at, || if width == 1 { diagnostics::backticks(at) } else { diagnostics::triple_quotes(at) });
        self.requote(start + width, close);
        self.blank(start, start + width);
        self.blank(close, end);
        self.put(start + width - 1, b'"');
        self.put(close, b'"');
        self.plain(Class::Operand, end - start);
        if let Some(last) = self.slice(start, end).rfind('\n') {
            self.line_start = start + last + 1;
        }
    }

    /// Makes the text between foreign quotes safe to stand between `"`.
    fn requote(&mut self, start: usize, end: usize) {
        for at in start..end {
            match self.byte(at) {
                b'"' => self.put(at, b'\''),
                b'\\' => self.put(at, b'/'),
                b'$' => self.put(at, b'.'),
                _ => {}
            }
        }
    }

    /// A letter outside ASCII where no text is.
    pub(super) fn foreign_letter(&mut self) {
        let start = self.pos;
        let rest = self.source.get(start..).unwrap_or_default();
        let Some(letter) = rest.chars().next() else {
            self.pos += 1;
            return;
        };
        let length = letter.len_utf8();
        match letter {
            '\u{a0}' | '\u{200b}' | '\u{feff}' | '\u{202f}' | '\u{2028}' => {
                self.blank(start, start + length);
                self.pos += length;
            }
            '“' | '”' | '„' | '«' | '‘' | '’' => self.smart_quote(start, length),
            _ if letter.is_alphabetic() => self.word(),
            _ => {
                self.plain(Class::Other, length);
            }
        }
    }

    fn smart_quote(&mut self, start: usize, length: usize) {
        let end = self.line_end_from(start);
        let line = self.slice(start + length, end);
        let Some((close, quote)) = line.char_indices().find(|(_, c)| matches!(c, '“' | '”' | '»' | '’' | '‘' | '"'))
        else {
            let at = self.span(start, start + length);
            self.report(diagnostics::smart_quotes(at));
            self.plain(Class::Operand, length);
            return self.bad(start);
        };
        let (close, end) = (start + length + close, start + length + close + quote.len_utf8());
        let at = self.span(start, end);
        self.habit("smart quotes", at, || diagnostics::smart_quotes(at));
        self.requote(start + length, close);
        self.blank(start, start + length);
        self.put(start + length - 1, b'"');
        self.blank(close, end);
        self.put(close, b'"');
        self.plain(Class::Operand, end - start);
    }
}

/// The length of what stands between the quotes of a character, if `line` begins with one and its closing quote.
fn char_length(line: &str) -> Option<usize> {
    let mut letters = line.char_indices();
    let (_, first) = letters.next()?;
    if first == '\'' {
        return None;
    }
    if line.starts_with("\\u{") {
        let end = line.find('}')? + 1;
        return (line.get(end..)?.starts_with('\'') && !line.get(..end)?.contains('\'')).then_some(end);
    }
    if first == '\\' {
        letters.next()?;
    }
    let (end, quote) = letters.next()?;
    (quote == '\'').then_some(end)
}
