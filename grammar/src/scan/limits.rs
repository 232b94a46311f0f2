//! Bounds on everything that the grammar or a later pass walks recursively.
//!
//! The grammar recurses on brackets, on angles of types and on forms in heads (`if if x`); [`MAX_NESTING`] bounds their
//! sum. The tree is also as deep as chains are long: `a + b + …`, `not not …`, `a.b.c…`, `f() else g() else …`.
//! [`MAX_CHAIN`] bounds one chain, [`MAX_DEPTH`] all chains and brackets around one place together.

use super::{Class, Scanner};
use crate::diagnostics;

/// Brackets, types and forms inside each other.
pub(crate) const MAX_NESTING: u32 = 64;
/// Operators, calls, fields and fallbacks of one expression.
pub(crate) const MAX_CHAIN: u32 = 200;
/// Branches of one `if`.
pub(crate) const MAX_ELSE_IFS: u32 = 256;
/// The depth of the tree.
pub(crate) const MAX_DEPTH: u32 = 256;

impl Scanner<'_> {
    /// Counts a token that is not a bracket, or an opening bracket before it is opened.
    pub(super) fn count(&mut self, class: Class, start: usize) {
        let after_operand = self.after_operand();
        self.count_else(class, start);
        match class {
            Class::Infix => match self.slice(start, self.pos) {
                ":" | "=" | "=>" | "->" | ":=" => {}
                _ => self.chain(start),
            },
            Class::Minus | Class::Bang | Class::Dot => self.chain(start),
            Class::Open if after_operand => self.chain(start),
            Class::Keyword => self.count_keyword(start),
            // A comma between the arguments of a type ends nothing.
            Class::Comma if !self.level.in_reduce && !self.level.in_after && self.level.angles == 0 => self.reset_chain(true),
            _ => {}
        }
        if !matches!(class, Class::Comma | Class::Operand) && self.slice(start, self.pos) != "after" {
            self.level.in_after = false;
        }
    }

    fn count_else(&mut self, class: Class, start: usize) {
        if !std::mem::take(&mut self.level.after_else) {
            return;
        }
        if self.slice(start, self.pos) == "if" {
            self.else_if(start);
        } else if class == Class::Open && self.byte(start) == b'{' {
            self.level.bodies += 1;
        } else {
            self.chain(start);
        }
    }

    fn else_if(&mut self, start: usize) {
        self.level.else_ifs += 1;
        self.level.forms = self.level.forms.saturating_sub(1);
        self.nesting = self.nesting.saturating_sub(1);
        self.depth = self.depth.saturating_sub(self.level.chain.saturating_sub(self.level.chain_at_if));
        self.level.chain = self.level.chain.min(self.level.chain_at_if);
        if self.level.else_ifs > MAX_ELSE_IFS {
            self.too_deep(start, "branches in one `if`", MAX_ELSE_IFS);
        }
    }

    fn count_keyword(&mut self, start: usize) {
        match self.slice(start, self.pos) {
            "else" => self.level.after_else = true,
            "seq" | "phase" | "try" | "catch" | "race" | "any" => self.level.bodies += 1,
            "and" | "or" | "not" | "as" | "with" => self.chain(start),
            "after" => {
                self.level.in_after = true;
                self.chain(start);
            }
            "if" => {
                self.level.chain_at_if = self.level.chain;
                self.form(start);
            }
            "reduce" => {
                self.level.in_reduce = true;
                self.form(start);
            }
            "in" => {
                self.level.in_reduce = false;
                self.level.bodies = self.level.bodies.max(1);
            }
            "until" => {
                self.level.in_until = true;
                self.level.bodies = self.level.bodies.max(1);
            }
            "match" | "map" | "loop" | "for" | "foreach" | "while" => self.form(start),
            _ => {}
        }
    }

    fn form(&mut self, start: usize) {
        self.level.forms += 1;
        self.level.bodies += 1;
        self.nesting += 1;
        self.check_nesting(start);
    }

    pub(super) fn chain(&mut self, start: usize) {
        self.level.chain += 1;
        self.depth += 1;
        if self.level.chain > MAX_CHAIN {
            self.too_deep(start, "operators, calls and fields in one expression", MAX_CHAIN);
        } else {
            self.check_nesting(start);
        }
    }

    pub(super) fn check_nesting(&mut self, start: usize) {
        if self.nesting > MAX_NESTING {
            self.too_deep(start, "levels of nesting", MAX_NESTING);
        } else if self.depth > MAX_DEPTH {
            self.too_deep(start, "levels of brackets, operators and calls inside each other", MAX_DEPTH);
        }
    }

    /// A statement or an argument ends.
    pub(super) fn reset_chain(&mut self, forms: bool) {
        self.depth = self.depth.saturating_sub(self.level.chain);
        self.level.chain = 0;
        self.level.chain_at_if = 0;
        self.level.else_ifs = 0;
        if forms {
            self.nesting = self.nesting.saturating_sub(self.level.forms);
            self.level.forms = 0;
        }
        self.level.bodies = 0;
        self.level.in_until = false;
        self.level.in_reduce = false;
        self.level.after_else = false;
    }

    /// A statement ends, and with it what only looked like the angle of a type. A comma may stand between two.
    pub(super) fn reset_angles(&mut self) {
        self.nesting = self.nesting.saturating_sub(self.level.angles);
        self.level.angles = 0;
    }

    fn too_deep(&mut self, start: usize, what: &str, limit: u32) {
        let at = self.span(start, self.pos.max(start + 1));
        self.report(diagnostics::too_deep(at, what, limit));
        self.skip_item();
    }
}
