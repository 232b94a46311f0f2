//! Words of a text, and those among them that can be keywords.

use crate::stop_words::is_stop_word;

/// Longer words (encoded data, run-together text) are no terms.
pub const MAX_TERM_CHARS: usize = 40;

/// Each maximal run of letters, digits and underscores, as written.
pub fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// The words that can be keywords, in order and in lower case: they begin with a letter, have no
/// underscore, are neither very short nor very long, and are no English stop words.
pub fn terms(text: &str) -> impl Iterator<Item = String> {
    words(text).filter_map(term)
}

fn term(word: &str) -> Option<String> {
    if !word.starts_with(char::is_alphabetic) || word.contains('_') || word.len() > MAX_TERM_CHARS * 4 {
        return None;
    }
    let chars = word.chars().count();
    let least = if word.is_ascii() { 3 } else { 2 };
    if chars < least || chars > MAX_TERM_CHARS {
        return None;
    }
    let lower = word.to_lowercase();
    (!is_stop_word(&lower)).then_some(lower)
}

/// How many words a reader counts: pieces between whitespace that have a letter or digit.
#[must_use]
pub fn counted_words(text: &str) -> usize {
    text.split_whitespace().filter(|piece| piece.contains(char::is_alphanumeric)).count()
}

#[cfg(test)]
mod tests {
    use super::{MAX_TERM_CHARS, counted_words, terms, words};

    fn terms_of(text: &str) -> Vec<String> {
        terms(text).collect()
    }

    #[test]
    fn words_are_runs_of_letters_digits_and_underscores() {
        assert_eq!(words("a-b c_d, don't 42%").collect::<Vec<_>>(), ["a", "b", "c_d", "don", "t", "42"]);
        assert_eq!(words(" \u{feff}\t—…").count(), 0);
    }

    #[test]
    fn terms_are_lower_case_without_stop_words_numbers_and_identifiers() {
        assert_eq!(terms_of("The Hives, the HIVES' and hive_id 2001 sha256 ab"), ["hives", "hives", "sha256"]);
    }

    #[test]
    fn other_scripts_have_terms() {
        assert_eq!(terms_of("Größe und ÉCOLE — 蜜蜂"), ["größe", "und", "école", "蜜蜂"]);
        assert_eq!(terms_of("ΟΔΟΣ"), ["οδος"]);
    }

    #[test]
    fn huge_words_are_no_terms() {
        assert!(terms_of(&"x".repeat(1 << 20)).is_empty());
        assert!(terms_of(&"é".repeat(MAX_TERM_CHARS + 1)).is_empty());
        assert_eq!(terms_of(&"é".repeat(MAX_TERM_CHARS)).len(), 1);
    }

    #[test]
    fn a_reader_counts_pieces_with_letters() {
        assert_eq!(counted_words("don't stop - 3 times, e.g. * here"), 6);
        assert_eq!(counted_words(""), 0);
    }
}
