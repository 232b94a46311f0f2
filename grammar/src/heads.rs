//! The parameters of a flow's head that does not parse, so that each can be looked at by itself.

use std::ops::Range;

/// The ranges between the commas of the first parentheses, without blanks around them.
pub(crate) fn parameters(head: &str) -> Vec<Range<usize>> {
    let Some(open) = head.find('(') else { return Vec::new() };
    let (mut found, mut from, mut brackets) = (Vec::new(), open + 1, Vec::new());
    let mut letters = head.bytes().enumerate().skip(open);
    while let Some((at, letter)) = letters.next() {
        match letter {
            b'"' => skip_text(&mut letters),
            b'(' | b'[' | b'{' => brackets.push(letter),
            // Types are opened right behind a name, and compared is with blanks.
            b'<' if head.get(..at).is_some_and(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric())) => {
                brackets.push(letter);
            }
            b'>' if brackets.last() == Some(&b'<') => {
                let _open = brackets.pop();
            }
            b')' | b']' | b'}' => while brackets.pop() == Some(b'<') {},
            _ => {}
        }
        if brackets.is_empty() || (letter == b',' && brackets.len() == 1) {
            found.extend(trimmed(head, from..at));
            from = at + 1;
        }
        if brackets.is_empty() {
            break;
        }
    }
    found
}

fn skip_text(letters: &mut impl Iterator<Item = (usize, u8)>) {
    while let Some((_, letter)) = letters.next() {
        match letter {
            b'"' => return,
            b'\\' => {
                let _escaped = letters.next();
            }
            _ => {}
        }
    }
}

fn trimmed(text: &str, range: Range<usize>) -> Option<Range<usize>> {
    let part = text.get(range.clone())?;
    let start = range.start + (part.len() - part.trim_start().len());
    let end = start + part.trim().len();
    (start < end).then_some(start..end)
}

#[cfg(test)]
mod tests {
    use super::parameters;

    #[test]
    fn commas_inside_of_types_and_defaults_do_not_separate() {
        let head = "flow f(a: tuple<u8, map<u8, u8>>, b = \"(,\", c: p = p { x: 1, y: g(1, 2) } , d < 3) -> result<a, b>";
        let found: Vec<&str> = parameters(head).into_iter().map(|range| &head[range]).collect();
        assert_eq!(found, ["a: tuple<u8, map<u8, u8>>", "b = \"(,\"", "c: p = p { x: 1, y: g(1, 2) }", "d < 3"]);
        assert!(parameters("flow f").is_empty() && parameters("flow f()").is_empty());
    }
}
