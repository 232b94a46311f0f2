//! Syllables of English words, counted as readability formulas commonly do.

/// How many syllables a word has: groups of vowels, less a silent final `e`, at least one. Words
/// without a Latin vowel, such as numbers, count as one.
#[must_use]
pub fn syllables(word: &str) -> usize {
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    let mut groups = 0;
    let mut in_group = false;
    for &letter in &letters {
        let vowel = is_vowel(letter);
        groups += usize::from(vowel && !in_group);
        in_group = vowel;
    }
    if groups > 1 && has_silent_e(&letters) {
        groups -= 1;
    }
    groups.max(1)
}

/// A final `e` is silent (`make`), `le` after a consonant is not (`table`); so are `es` and `ed`
/// (`makes`, `baked`) but not after the sounds that need the vowel (`boxes`, `wanted`).
fn has_silent_e(letters: &[char]) -> bool {
    match letters {
        [.., before, 'l', 'e'] => is_vowel(*before),
        [.., before, 'e'] => !is_vowel(*before),
        [.., before, 'e', 's'] => !is_vowel(*before) && !matches!(before, 's' | 'x' | 'z' | 'c' | 'g' | 'h' | 'l'),
        [.., before, 'e', 'd'] => !is_vowel(*before) && !matches!(before, 't' | 'd' | 'l'),
        _ => false,
    }
}

fn is_vowel(letter: char) -> bool {
    matches!(
        letter,
        'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'ä' | 'ö' | 'ü' | 'á' | 'à' | 'â' | 'é' | 'è' | 'ê' | 'í' | 'ó' | 'ô' | 'ú'
    )
}

#[cfg(test)]
mod tests {
    use super::syllables;

    #[test]
    fn common_words() {
        let cases = [
            ("cat", 1),
            ("the", 1),
            ("make", 1),
            ("makes", 1),
            ("baked", 1),
            ("table", 2),
            ("water", 2),
            ("wanted", 2),
            ("boxes", 2),
            ("banana", 3),
            ("software", 2),
            ("readability", 5),
            ("whale", 1),
            ("see", 1),
            ("yellow", 2),
        ];
        for (word, expected) in cases {
            assert_eq!(syllables(word), expected, "{word}");
        }
    }

    #[test]
    fn every_word_has_one_at_least() {
        for word in ["", "42", "hmm", "蜜蜂", "é"] {
            assert_eq!(syllables(word), 1, "{word}");
        }
    }
}
