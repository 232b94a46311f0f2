//! Where top-level items begin and end.

use super::{Bracket, Class, MarkKind, RawItem, Scanner, offset};
use crate::keywords::ItemWord;

impl Scanner<'_> {
    /// A token outside all brackets: the first of an item, or more of the current one.
    pub(super) fn item_token(&mut self, start: usize, begins_line: bool) {
        let first = self.out.items.is_empty();
        let begins = first || begins_line || self.prev == Class::Close;
        if !begins {
            return;
        }
        let mut word = self.item_word(start);
        if self.next_sign(self.skip_word(start)) == b':' {
            word = ItemWord::Stray;
        }
        if word == ItemWord::Foreign && !self.next_sign(self.skip_word(start)).is_ascii_alphabetic() {
            word = ItemWord::Stray;
        }
        if !first && !self.is_new_item(word, begins_line) {
            return;
        }
        self.end_item();
        let indent = self.indent;
        self.out.items.push(RawItem { word, start: offset(start), end: offset(start), indent, body: None, refused: false });
    }

    /// What the word at `start` begins. Names that are written as elsewhere (`on-error`, `oné`) are one word in the clean text.
    fn item_word(&self, start: usize) -> ItemWord {
        let rest = self.clean.get(start..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_' || **byte >= 0x80).count();
        let word = rest.get(..length).and_then(|word| str::from_utf8(word).ok());
        word.map_or(ItemWord::Stray, ItemWord::of)
    }

    /// Indented lines and lines that begin no item belong to what stands before them.
    fn is_new_item(&self, word: ItemWord, begins_line: bool) -> bool {
        let Some(current) = self.out.items.last() else { return true };
        match word {
            ItemWord::Stray if current.word == ItemWord::Stray => false,
            ItemWord::Stray => begins_line && self.indent <= current.indent && self.byte(self.pos_of_line_token()) != b'{',
            // These words may well stand at the beginning of a line inside of another item.
            ItemWord::Interface | ItemWord::Role | ItemWord::Hook | ItemWord::Trigger | ItemWord::Test | ItemWord::Foreign => {
                begins_line && self.indent <= current.indent
            }
            _ => true,
        }
    }

    fn pos_of_line_token(&self) -> usize {
        self.line_start + self.indent as usize
    }

    /// The last token was the current item's last.
    pub(super) fn end_item(&mut self) {
        let end = offset(self.prev_end);
        if let Some(item) = self.out.items.last_mut() {
            item.end = item.end.max(end);
        }
    }

    /// A brace opened outside all others.
    pub(super) fn item_brace(&mut self, at: usize, of_with: bool) {
        if let Some(item) = self.out.items.last_mut() {
            item.body = if of_with { None } else { Some((offset(at), offset(at) + 1)) };
        }
    }

    /// The brace outside all others is closed.
    pub(super) fn item_brace_closed(&mut self, open: u32, end: usize) {
        if let Some(body) = self.out.items.last_mut().and_then(|item| item.body.as_mut())
            && body.0 == open
        {
            body.1 = offset(end);
        }
    }

    /// Gives up the current item and goes on at the next one that begins a line.
    pub(super) fn skip_item(&mut self) {
        self.skipped += 1;
        let rest = self.source.get(self.pos..).unwrap_or_default();
        let next = rest
            .match_indices('\n')
            .map(|(at, _)| self.pos + at)
            .find(|at| !matches!(self.item_word(at + 1), ItemWord::Stray | ItemWord::Foreign));
        let resume = next.unwrap_or(self.text.len());
        if let Some(item) = self.out.items.last_mut() {
            item.refused = true;
            item.end = offset(resume);
        }
        while let Some(outer) = self.outer.pop() {
            if self.level.bracket == Bracket::Brace {
                self.mark(resume, MarkKind::Close);
            }
            self.level = outer;
        }
        self.level = super::Level::new(Bracket::Top, 0, 0, 0);
        (self.depth, self.nesting) = (0, 0);
        self.pos = resume;
        self.newline = None;
        self.prev_end = resume;
        self.docs_from = self.out.doc_lines.len();
    }
}
