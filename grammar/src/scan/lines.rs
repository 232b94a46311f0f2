//! Decides at each token that follows a newline whether that newline ends a statement.

use super::{Bracket, Class, MarkKind, Scanner};

impl Scanner<'_> {
    /// A newline in the text.
    pub(super) fn line_end(&mut self) {
        self.check_interpolation_at_line_end();
        self.put(self.pos, b' ');
        if self.newline.is_none() {
            self.newline = Some(self.pos);
        }
        self.pos += 1;
        self.line_start = self.pos;
    }

    /// What must be settled before a token: newlines, documentation, items.
    pub(super) fn before(&mut self, class: Class, start: usize) {
        if self.out.doc_lines.len() > self.docs_from {
            let lines = self.docs_from..self.out.doc_lines.len();
            self.docs_from = lines.end;
            self.out.docs.push((super::offset(start), lines));
        }
        let Some(newline) = self.newline.take() else {
            if self.level.bracket == Bracket::Top {
                self.item_token(start, false);
            }
            return;
        };
        self.indent = super::offset(start.saturating_sub(self.line_start));
        let begins = self.begins_statement(start);
        self.close_by_line(class, start, begins);
        // A brace that was added takes the gap's first bytes.
        let newline = newline.max(self.prev_end);
        match self.level.bracket {
            Bracket::Top => {
                let ends = self.ends_statement(class, start, begins);
                if ends {
                    self.end_statement(newline, start);
                }
                self.item_token(start, ends);
            }
            Bracket::Brace if self.ends_statement(class, start, begins) => self.end_statement(newline, start),
            Bracket::Brace if self.prev == Class::Open => self.begin_statement(start),
            Bracket::Brace if self.prev == Class::Comma => self.mark(newline, MarkKind::Soft),
            _ => {}
        }
    }

    fn end_statement(&mut self, newline: usize, start: usize) {
        if !self.out.items.is_empty() {
            if self.prev != Class::Open {
                self.put(newline, b'\n');
            }
            self.mark(newline, MarkKind::Newline);
        }
        self.reset_chain(true);
        self.reset_angles();
        self.begin_statement(start);
    }

    fn begin_statement(&mut self, start: usize) {
        self.level.opens_block = matches!(
            self.slice(start, self.skip_word(start)),
            "if" | "elif"
                | "for"
                | "foreach"
                | "while"
                | "match"
                | "map"
                | "loop"
                | "try"
                | "seq"
                | "phase"
                | "race"
                | "any"
                | "test"
                | "def"
                | "flow"
                | "function"
                | "fn"
        );
        // Words that are no keywords, but open blocks elsewhere; keywords are counted when they come.
        if matches!(self.slice(start, self.skip_word(start)), "elif" | "elsif" | "elseif" | "def" | "function" | "fn") {
            self.level.bodies = 1;
        }
    }

    fn ends_statement(&self, class: Class, start: usize, begins: bool) -> bool {
        begins || (self.prev_ends && !self.continues(class, start))
    }

    /// Whether the token can only continue what stands before it.
    pub(super) fn continues(&self, class: Class, start: usize) -> bool {
        match class {
            Class::Infix | Class::Dot | Class::Comma | Class::Close => true,
            Class::Keyword | Class::Operand => match self.slice(start, self.pos) {
                "and" | "or" | "else" | "with" | "undo" | "after" | "catch" | "in" | "until" | "as" => class == Class::Keyword,
                "elif" | "elsif" | "elseif" => true,
                "max" => self.level.in_until,
                _ => false,
            },
            // The body of a form or flow may open on a line of its own.
            Class::Open => self.byte(start) == b'{' && (self.level.bodies > 0 || self.level.bracket == Bracket::Top),
            Class::Minus | Class::Bang | Class::Other => false,
        }
    }

    /// Whether the line begins with a word that only begins statements or items, whatever stood before.
    fn begins_statement(&self, start: usize) -> bool {
        let end = self.skip_word(start);
        let next = self.next_sign(end);
        match self.slice(start, end) {
            "let" | "return" | "require" => next != b':',
            "flow" | "record" | "enum" | "variant" | "use" | "import" | "package" | "class" => {
                start == self.line_start && !matches!(next, b':' | b',' | b'=' | b')' | b']' | b'}' | b'.')
            }
            _ => false,
        }
    }

    /// The first byte from `from` on that is no blank, on the same line.
    pub(super) fn next_sign(&self, from: usize) -> u8 {
        let rest = self.text.get(from..).unwrap_or_default();
        rest.iter().copied().find(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(0)
    }
}
