//! Tells tokens apart and hands each to the checks.

use super::{Bracket, Class, Scanner};
use crate::diagnostics;
use crate::keywords::{ItemWord, is_keyword};

impl Scanner<'_> {
    /// Takes what begins with `byte` at the current position; always moves on.
    pub(super) fn step(&mut self, byte: u8) {
        match byte {
            b' ' => self.pos += 1,
            b'\t' | b'\r' | 0x0b | 0x0c => {
                self.blank(self.pos, self.pos + 1);
                self.pos += 1;
            }
            b'\n' => self.line_end(),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word(),
            b'0'..=b'9' => self.number(),
            b'"' => self.text_start(),
            b'\'' => self.single_quote(),
            b'`' => self.foreign_text("`"),
            b'(' => self.open(Bracket::Paren),
            b'[' => self.open(Bracket::Square),
            b'{' => self.open(Bracket::Brace),
            b')' => self.close(Bracket::Paren),
            b']' => self.close(Bracket::Square),
            b'}' => self.close(Bracket::Brace),
            b'/' if self.byte(self.pos + 1) == b'/' => self.comment(),
            b'/' if self.byte(self.pos + 1) == b'*' => self.block_comment(),
            b'#' => self.hash_comment(),
            b';' => self.semicolon(),
            0x80.. => self.foreign_letter(),
            0..0x20 | 0x7f => {
                self.put(self.pos, 0x7f);
                self.plain(Class::Other, 1);
            }
            _ => self.sign(byte),
        }
    }

    /// Handles a token of `length` bytes at the current position and moves behind it. False when the item was
    /// given up because of it.
    pub(super) fn token(&mut self, class: Class, length: usize) -> bool {
        let start = self.pos;
        self.pos += length;
        self.before(class, start);
        let skipped = self.skipped;
        self.count(class, start);
        if self.skipped != skipped {
            return false;
        }
        self.after(class, start);
        true
    }

    /// A token after which nothing is left to do.
    pub(super) fn plain(&mut self, class: Class, length: usize) {
        let _given_up = self.token(class, length);
    }

    /// Remembers the token as the previous one.
    pub(super) fn after(&mut self, class: Class, start: usize) {
        self.prev = class;
        self.prev_start = start;
        self.prev_end = self.pos;
        self.prev_ends = matches!(class, Class::Operand | Class::Close | Class::Other);
    }

    /// Whether the previous token ends an operand, so that a sign that follows stands between two.
    pub(super) fn after_operand(&self) -> bool {
        matches!(self.prev, Class::Operand | Class::Close)
    }

    fn sign(&mut self, byte: u8) {
        let next = self.byte(self.pos + 1);
        match (byte, next) {
            (b'%', b'a'..=b'z' | b'A'..=b'Z' | b'_') if self.escapes() => self.escaped_word(),
            (b',', _) => self.plain(Class::Comma, 1),
            (b'.', _) => self.plain(Class::Dot, 1),
            (b'-', b'>')
            | (b'=', b'=' | b'>')
            | (b'!', b'=')
            | (b'?', b'?')
            | (b'<' | b'>' | b':', b'=')
            | (b'&', b'&')
            | (b'|', b'|') => {
                self.plain(Class::Infix, 2);
            }
            (b'-', _) => self.plain(Class::Minus, 1),
            (b'!', _) => self.plain(Class::Bang, 1),
            (b'<', _) => self.less_than(),
            (b'>', _) => self.greater_than(),
            (b':', _) => self.colon(),
            (b'+' | b'*' | b'/' | b'%' | b'=', _) => self.plain(Class::Infix, 1),
            _ => self.plain(Class::Other, 1),
        }
    }

    /// Whether a `%` before a letter belongs to a name: no operand stands before it, or a keyword follows.
    fn escapes(&self) -> bool {
        let word = self.slice(self.pos + 1, self.skip_word(self.pos + 1));
        !self.after_operand() || self.newline.is_some() || is_keyword(word)
    }

    fn less_than(&mut self) {
        let generic = matches!(self.slice(self.prev_start, self.prev_end), "list" | "option" | "result" | "tuple");
        if self.token(Class::Infix, 1) && generic {
            self.level.angles += 1;
            self.nesting += 1;
            self.check_nesting(self.prev_start);
        }
    }

    fn greater_than(&mut self) {
        if self.level.angles == 0 {
            return self.plain(Class::Infix, 1);
        }
        if !self.token(Class::Infix, 1) {
            return;
        }
        self.level.angles = self.level.angles.saturating_sub(1);
        self.nesting = self.nesting.saturating_sub(1);
        self.prev = Class::Operand;
        self.prev_ends = true;
    }

    /// A `:` at the end of a line that begins with `if`, `else` and the like opens a block elsewhere.
    fn colon(&mut self) {
        let start = self.pos;
        let after_word =
            matches!(self.slice(self.prev_start, self.prev_end), "else" | "try" | "catch" | "seq") && self.prev == Class::Keyword;
        let opens = self.level.opens_block || after_word;
        self.plain(Class::Infix, 1);
        let end = self.line_end_from(self.pos);
        let rest = self.slice(self.pos, end).trim_start();
        let at_end = rest.is_empty() || rest.starts_with("//") || rest.starts_with('#');
        if opens && at_end && matches!(self.level.bracket, Bracket::Top | Bracket::Brace) {
            let at = self.span(start, start + 1);
            let foreign = self.out.items.last().is_some_and(|item| item.word == ItemWord::Foreign);
            if self.level.bracket == Bracket::Top && foreign {
                // The item's first word is reported, and says enough.
                return;
            }
            let first = self.slice(self.line_start, start).trim_start();
            let word = first.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default();
            self.habit("colon", at, || diagnostics::block_colon(at, word));
            self.bad(start);
            // The next line is a statement, not what the `:` waits for.
            self.prev = Class::Other;
            self.prev_ends = true;
        }
    }

    /// Where the line of `from` ends. Remembered, since many tokens of a long line may ask.
    pub(super) fn line_end_from(&mut self, from: usize) -> usize {
        let (known_from, known_end) = self.known_line;
        if known_from <= from && from <= known_end {
            return known_end;
        }
        let rest = self.text.get(from..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(self.text.len(), |length| from + length);
        self.known_line = (from, end);
        end
    }

    /// Digits with what can follow them, as the grammar's `number`; after a dot a tuple's field.
    fn number(&mut self) {
        let field = self.prev == Class::Dot;
        let mut at = self.skip_word(self.pos);
        if !field && self.byte(at) == b'.' && self.byte(at + 1).is_ascii_digit() {
            at = self.skip_word(at + 1);
        }
        let exponent = matches!(self.byte(at.saturating_sub(1)), b'e' | b'E') && matches!(self.byte(at), b'+' | b'-');
        if !field && exponent && self.byte(at + 1).is_ascii_digit() {
            at = self.skip_word(at + 1);
        }
        self.plain(Class::Operand, at - self.pos);
    }

    pub(super) fn skip_word(&self, from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
    }

    fn comment(&mut self) {
        let (start, end) = (self.pos, self.line_end_from(self.pos));
        if let Some(brace) = self.brace_in_comment(start, end) {
            let at = self.span(start, brace + 1);
            self.report(diagnostics::brace_in_comment(at));
            self.blank(start, brace);
            self.pos = brace;
            return;
        }
        self.blank(start, end);
        self.pos = end;
        let text = self.slice(start, end);
        if text.starts_with("///") && !text.starts_with("////") {
            self.out.doc_lines.push((super::offset(start), super::offset(end)));
        } else {
            self.out.comments.push((super::offset(start), super::offset(start + text.trim_end().len())));
        }
    }

    /// The `{` that opens the block of a form, where a `//` that was to divide makes a comment of it.
    fn brace_in_comment(&self, start: usize, end: usize) -> Option<usize> {
        const FORMS: [&str; 9] = ["if", "else", "match", "map", "reduce", "loop", "require", "for", "while"];
        let line = self.slice(self.line_start, start).trim_start_matches([' ', '\t', '}']);
        let opens = line.split(|c: char| !c.is_ascii_alphabetic()).any(|word| FORMS.contains(&word));
        let text = self.slice(start, end).trim_end();
        let divisor = text.trim_start_matches('/').trim_start();
        let divides = divisor.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '('));
        let comment = text.starts_with("///") || line.contains('{');
        (opens && divides && !comment && self.after_operand() && text.ends_with('{')).then(|| start + text.len() - 1)
    }

    fn hash_comment(&mut self) {
        let end = self.line_end_from(self.pos);
        let at = self.span(self.pos, self.pos + 1);
        self.habit("#", at, || diagnostics::foreign_comment(at, "#"));
        self.blank(self.pos, end);
        self.pos = end;
    }

    fn block_comment(&mut self) {
        let at = self.span(self.pos, self.pos + 2);
        self.habit("/*", at, || diagnostics::foreign_comment(at, "/*"));
        let rest = self.source.get(self.pos + 2..).unwrap_or_default();
        let end = rest.find("*/").map_or(self.text.len(), |length| self.pos + 2 + length + 2);
        self.blank(self.pos, end);
        self.pos = end;
    }

    fn semicolon(&mut self) {
        let at = self.span(self.pos, self.pos + 1);
        self.habit(";", at, || diagnostics::semicolon(at));
        self.blank(self.pos, self.pos + 1);
        // As if the line ended here, so that what follows on this line is a statement of its own.
        if self.newline.is_none() {
            self.newline = Some(self.pos);
        }
        self.pos += 1;
    }
}
