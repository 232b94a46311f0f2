//! Words: keywords, names, and names that are written as elsewhere.

use super::{Bracket, Class, Scanner};
use crate::diagnostics;
use crate::keywords::{ItemWord, is_keyword, is_library_function};

impl Scanner<'_> {
    pub(super) fn word(&mut self) {
        let start = self.pos;
        let end = self.skip_word(start);
        if self.byte(end) >= 0x80 && self.next_letter_is_alphabetic(end) {
            return self.not_ascii(start);
        }
        if self.byte(end) == b'-' && self.byte(end + 1).is_ascii_alphabetic() && self.kebab_case(start, end) {
            return;
        }
        let word = self.slice(start, end);
        let class = match word {
            "true" | "false" | "none" => Class::Operand,
            _ if self.prev == Class::Dot || !is_keyword(word) || self.is_key(end, word) => Class::Operand,
            _ => Class::Keyword,
        };
        let after_undo = word == "always" && self.slice(self.prev_start, self.prev_end) == "undo";
        if !self.token(class, end - start) {
            return;
        }
        match word {
            "return" if class == Class::Keyword => self.prev_ends = true,
            "always" if after_undo => self.prev_ends = false,
            _ => {}
        }
    }

    /// `class: small` uses a keyword as a key.
    fn is_key(&self, end: usize, word: &str) -> bool {
        self.next_sign(end) == b':' && !matches!(word, "else" | "try" | "catch" | "seq")
    }

    pub(super) fn escaped_word(&mut self) {
        let (start, joins) = (self.pos, self.after_operand());
        let end = self.skip_word(start + 1);
        self.plain(Class::Operand, end - start);
        if joins {
            // Perhaps it is an operator after all.
            self.chain(start);
        }
    }

    fn next_letter_is_alphabetic(&self, at: usize) -> bool {
        self.source.get(at..).and_then(|rest| rest.chars().next()).is_some_and(char::is_alphabetic)
    }

    /// A name with letters outside ASCII is reported once and read with `_` in their place.
    fn not_ascii(&mut self, start: usize) {
        let rest = self.source.get(start..).unwrap_or_default();
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = self.slice(start, start + length);
        if self.foreign_names.insert(name) {
            let at = self.span(start, start + length);
            self.report(diagnostics::not_ascii(at, name));
        }
        for at in start..start + length {
            if self.byte(at) >= 0x80 {
                self.put(at, b'_');
            }
        }
        self.plain(Class::Operand, length);
    }

    /// A word that goes on with `-` and a letter. True when it was taken as a name.
    fn kebab_case(&mut self, start: usize, first_end: usize) -> bool {
        let mut end = first_end;
        while self.byte(end) == b'-' && self.byte(end + 1).is_ascii_alphabetic() {
            end = self.skip_word(end + 1);
        }
        let name = self.slice(start, end);
        let known = self.kebab.contains(name);
        if !known && !self.is_kebab_mistake(name, end) {
            return false;
        }
        if !known {
            self.kebab.insert(name);
            let at = self.span(start, end);
            self.report(diagnostics::kebab_case(at, name));
        }
        for at in start..end {
            if self.byte(at) == b'-' {
                self.put(at, b'_');
            }
        }
        self.plain(Class::Operand, end - start);
        true
    }

    /// Whether a subtraction is out of the question here.
    fn is_kebab_mistake(&self, name: &str, end: usize) -> bool {
        let before = self.slice(self.prev_start, self.prev_end);
        let item = self.out.items.last().map_or(ItemWord::Stray, |item| item.word);
        if item == ItemWord::Package && self.newline.is_none() {
            return false;
        }
        let declares = matches!(
            before,
            "let"
                | "var"
                | "const"
                | "flow"
                | "record"
                | "enum"
                | "variant"
                | "class"
                | "phase"
                | "map"
                | "reduce"
                | "loop"
                | "for"
                | "catch"
        );
        let next = self.next_sign(end);
        let last = name.rsplit('-').next().unwrap_or_default();
        let subtracts_call = name.matches('-').count() == 1 && is_library_function(last);
        declares
            || (before == "as" && matches!(item, ItemWord::Use | ItemWord::Import))
            || before == "->"
            || (self.prev == Class::Dot && next == b'(' && !subtracts_call)
            || (next == b':' && matches!(self.level.bracket, Bracket::Brace | Bracket::Paren))
            || (self.level.bracket != Bracket::Top
                && matches!(item, ItemWord::Record | ItemWord::Enum | ItemWord::Variant | ItemWord::Import))
            || (before == ":" && item == ItemWord::Flow && self.level.bracket == Bracket::Paren && self.outer.len() == 1)
    }
}
