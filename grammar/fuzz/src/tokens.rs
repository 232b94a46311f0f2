//! A text as tokens, well enough to take it apart and put it together again.

use std::ops::Range;
use std::sync::LazyLock;

/// The grammar: its quoted parts are the words and signs of the language.
const GRAMMAR: &str = include_str!("../../src/flow.pest");

/// Words that are names to the grammar and mean something to the compiler.
const NAMES: &str = "bool s8 s16 s32 s64 u8 u16 u32 u64 f32 f64 char string list option result tuple json dir duration \
    some ok err len keys join split contains min max sum sort_by zip range json concat take reverse flatten trim lower upper \
    starts_with ends_with to_f64 string count has text tools main lib n x 0 1 2 255 256 9_223_372_036_854_775_808 0.5 1e309 \
    retry backoff exponential linear timeout deadline budget on_error on_exhausted collect fail class memory fuel priority \
    parallel key rate cache idempotent allow breaker read write read_write http clock random env 250ms 30s 5m 24h 7d 64KiB 32MiB";

/// Every word of the language.
pub(crate) static WORDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut words: Vec<Vec<u8>> = NAMES.split_whitespace().map(|word| word.as_bytes().to_vec()).collect();
    for line in GRAMMAR.lines() {
        let rule = line.split("//").next().unwrap_or(line);
        words.extend(tokens(rule.as_bytes()).into_iter().filter_map(quoted));
    }
    words.extend(["\n", "\r\n", "\t", "\"", "\"\"\"", "${", "//", "///", "é", "“", "\u{1}"].map(|word| word.as_bytes().to_vec()));
    words.sort();
    words.dedup();
    words
});

fn quoted(token: &[u8]) -> Option<Vec<u8>> {
    let inner = token.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    (!inner.is_empty() && !inner.contains(&b'\\')).then(|| inner.to_vec())
}

/// Cuts a text into words, blanks, lines, quoted texts and signs, and leaves nothing out.
pub(crate) fn tokens(text: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (token, after) = rest.split_at(length(rest));
        found.push(token);
        rest = after;
    }
    found
}

fn length(text: &[u8]) -> usize {
    let run = |of: fn(&u8) -> bool| text.iter().position(|byte| !of(byte)).unwrap_or(text.len());
    match text[0] {
        first if is_word(&first) => run(is_word),
        b' ' => run(|byte| *byte == b' '),
        b'"' => string(text),
        _ if [b"->", b"=>", b"==", b"!=", b"<=", b">=", b"??", b"//", b"${"].iter().any(|sign| text.starts_with(*sign)) => 2,
        _ => 1,
    }
}

/// Underscores bind, and so do all bytes of a character beyond ASCII.
fn is_word(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_' || *byte >= 0x80
}

/// The length of a quoted text of one line, or of its quote when it has no end there.
fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\n' => break,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    1
}

/// From a token to the one that closes it, or the token alone.
pub(crate) fn tree(tokens: &[&[u8]], at: usize) -> Range<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match *token {
            b"(" | b"[" | b"{" | b"${" => depth += 1,
            b")" | b"]" | b"}" if depth > 0 => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at..index + 1;
        }
    }
    at..at + 1
}

/// The line that a token stands in, with its end.
pub(crate) fn line(tokens: &[&[u8]], at: usize) -> Range<usize> {
    let is_end = |token: &&[u8]| *token == b"\n";
    let start = tokens[..at].iter().rposition(is_end).map_or(0, |end| end + 1);
    let end = tokens[at..].iter().position(is_end).map_or(tokens.len(), |end| at + end + 1);
    start..end
}

#[cfg(test)]
mod tests {
    use super::{WORDS, line, tokens, tree};

    #[test]
    fn a_text_is_its_tokens() {
        let text = b"let x = f(a, [\"b\\\"c\"]) ?? \"open\n}";
        let found = tokens(text);
        assert_eq!(found.concat(), text);
        assert!(found.contains(&b"\"b\\\"c\"".as_slice()) && found.contains(&b"??".as_slice()));
    }

    #[test]
    fn a_tree_ends_where_it_closes() {
        let found = tokens(b"f(a[1]) {\nb\n");
        assert_eq!(found[tree(&found, 1)].concat(), b"(a[1])");
        assert_eq!(found[tree(&found, 0)].concat(), b"f");
        let open = found.iter().position(|token| *token == b"{").unwrap();
        assert_eq!(found[tree(&found, open)].concat(), b"{");
        assert_eq!(found[line(&found, open + 2)].concat(), b"b\n");
    }

    #[test]
    fn the_words_are_those_of_the_grammar() {
        for word in ["flow", "match", "until", "=>", "??", "elif", "s64", "parallel"] {
            assert!(WORDS.iter().any(|known| known == word.as_bytes()), "{word}");
        }
    }
}
