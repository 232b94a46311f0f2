//! What parses and means something else than in other languages: names in texts, and `//` where it was to divide.

use std::ops::Range;

use catalog::Type;
use grammar::Span;
use grammar::ast::{Expr, TextPart};

use super::flow::FlowChecker;
use crate::diagnostics::lookalikes as say;

impl FlowChecker<'_, '_> {
    /// Warns of names in scope that stand in a text as other languages write their values.
    pub(super) fn names_in_text(&mut self, parts: &[TextPart], span: Span) {
        let loaded = self.g.loaded;
        let written = loaded.sources.text(span);
        if !written.starts_with('"') || written.starts_with("\"\"\"") || !written.contains(['$', '{']) {
            return;
        }
        let start = |at: usize| span.start.saturating_add(u32::try_from(at).unwrap_or(u32::MAX));
        let values = parts.iter().filter_map(|part| if let TextPart::Expr(value) = part { Some(value.span) } else { None });
        let values: Vec<usize> = values.map(|value| value.end.saturating_sub(span.start) as usize).collect();
        for found in lookalikes(written, &values) {
            let (Some(sign), Some(path)) = (written.get(found.whole.clone()), written.get(found.path)) else { continue };
            let name = path.split('.').next().unwrap_or(path);
            if self.find(name).is_some() {
                let at = Span { start: start(found.whole.start), end: start(found.whole.end), ..span };
                self.g.report(say::not_interpolated(sign, path, at));
            }
        }
    }

    /// Warns of a comment that is nothing but a whole number, or names of numbers, behind a whole number.
    pub(super) fn division_in_comment(&mut self, value: &Expr, ty: &Type) {
        if !is_whole(ty) {
            return;
        }
        let loaded = self.g.loaded;
        let Some(source) = loaded.sources.get(value.span.file) else { return };
        let rest = source.text.get(value.span.end as usize..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let Some(comment) = rest.trim_start().strip_prefix("//") else { return };
        let divisor = comment.trim();
        if comment.starts_with('/') || !divisor.split(['+', '-', '*', '/', '%']).all(|part| self.is_number(part.trim())) {
            return;
        }
        let lead = rest.len() - rest.trim_start().len();
        let at = |offset: usize| value.span.end.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
        let comment = Span { start: at(lead), end: at(rest.trim_end().len()), ..value.span };
        self.g.report(say::division(loaded.sources.text(value.span), divisor, comment, value.span));
    }

    /// Whether a word is a whole number, or a name in scope that has one.
    fn is_number(&self, word: &str) -> bool {
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
        }
        self.find(word).and_then(|binding| self.type_of(binding)).is_some_and(is_whole)
    }
}

const fn is_whole(ty: &Type) -> bool {
    matches!(ty, Type::S8 | Type::S16 | Type::S32 | Type::S64 | Type::U8 | Type::U16 | Type::U32 | Type::U64)
}

/// What looks like the value of a name.
struct Lookalike {
    /// With its sign or braces.
    whole: Range<usize>,
    /// The name, with fields.
    path: Range<usize>,
}

/// What looks like values of names in the source of a text; `values` are the ends of its real ones.
fn lookalikes(written: &str, values: &[usize]) -> Vec<Lookalike> {
    let bytes = written.as_bytes();
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        at = match (byte(at), byte(at + 1)) {
            (b'\\', b'u') => written.get(at..).and_then(|rest| rest.find('}')).map_or(at + 2, |length| at + length + 1),
            (b'\\', b'$') => at + 3,
            (b'\\', _) => at + 2,
            (b'$', b'{') => values.iter().find(|end| **end > at).map_or(at + 2, |end| end + 1),
            (b'$', _) => {
                let end = word_end(bytes, at + 1);
                found.extend((end > at + 1).then(|| Lookalike { whole: at..end, path: at + 1..end }));
                end.max(at + 1)
            }
            (b'{', _) => {
                let braced = braced(written, at);
                let end = braced.as_ref().map_or(at + 1, |braced| braced.whole.end);
                found.extend(braced);
                end
            }
            _ => at + 1,
        };
    }
    found
}

/// `{name}`, `{name.field}`, `{{ name }}` or `{name:.2f}`.
fn braced(written: &str, at: usize) -> Option<Lookalike> {
    let bytes = written.as_bytes();
    let double = bytes.get(at + 1) == Some(&b'{');
    let blanks = |from: usize| from + bytes.iter().skip(from).take_while(|byte| **byte == b' ').count();
    let start = blanks(at + if double { 2 } else { 1 });
    let mut end = word_end(bytes, start);
    while end > start && bytes.get(end) == Some(&b'.') && word_end(bytes, end + 1) > end + 1 {
        end = word_end(bytes, end + 1);
    }
    let mut close = blanks(end);
    if bytes.get(close) == Some(&b':') {
        let is_format =
            |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'.' | b',' | b'<' | b'>' | b'^' | b'+' | b'%');
        close += 1 + bytes.iter().skip(close + 1).take_while(is_format).count();
    }
    let closer = if double { "}}" } else { "}" };
    let closes = end > start && written.get(close..).is_some_and(|rest| rest.starts_with(closer));
    closes.then(|| Lookalike { whole: at..close + closer.len(), path: start..end })
}

/// Where the name that begins at `start` ends; `start` itself where none does.
fn word_end(bytes: &[u8], start: usize) -> usize {
    let begins = bytes.get(start).is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    let length = bytes.iter().skip(start).take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
    if begins { start + length } else { start }
}

#[cfg(test)]
mod tests {
    use super::lookalikes;

    #[test]
    fn names_are_found_as_other_languages_write_them() {
        for (written, whole) in [
            ("\"a $b c\"", vec!["$b"]),
            ("\"{a} {a.b} {{ a }} {a:.2f}\"", vec!["{a}", "{a.b}", "{{ a }}", "{a:.2f}"]),
            ("\"\\u{24}a \\${a} $ {} {1} {a b} { \\\"a\\\": 1 }\"", vec![]),
        ] {
            let found: Vec<&str> = lookalikes(written, &[]).into_iter().map(|found| &written[found.whole]).collect();
            assert_eq!(found, whole, "{written}");
        }
        assert!(lookalikes("\"${a}\"", &[4]).is_empty());
        assert_eq!(lookalikes("\"${f(b)} $c\"", &[7]).len(), 1);
    }
}
