//! Flesch reading ease.

/// `206.835 - 1.015 * words / sentences - 84.6 * syllables / words` (R. Flesch, "A new readability
/// yardstick", 1948); 0 without words.
pub(crate) fn flesch<'a>(sentences: impl Iterator<Item = &'a str>) -> f64 {
    let (mut count, mut words, mut syllables) = (0_usize, 0_usize, 0_usize);
    for sentence in sentences {
        let before = words;
        for word in sentence.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)) {
            words += 1;
            syllables += word.split('-').filter(|part| part.contains(char::is_alphanumeric)).map(prose::syllables).sum::<usize>();
        }
        count += usize::from(words > before);
    }
    if words == 0 {
        return 0.0;
    }
    206.835 - 1.015 * words as f64 / count as f64 - 84.6 * syllables as f64 / words as f64
}

#[cfg(test)]
mod tests {
    use super::flesch;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
    }

    #[test]
    fn the_formula_by_hand() {
        // 6 words, 1 sentence, 6 syllables.
        near(flesch(["The cat sat on the mat."].into_iter()), 206.835 - 1.015 * 6.0 - 84.6);
        // 7 words, 2 sentences; yellow 2, banana 3, water 2: 11 syllables.
        near(flesch(["A yellow banana.", "We drink cold water."].into_iter()), 206.835 - 1.015 * 3.5 - 84.6 * 11.0 / 7.0);
    }

    #[test]
    fn parts_of_a_compound_are_counted_apart_in_one_word() {
        near(flesch(["well-made"].into_iter()), 206.835 - 1.015 - 84.6 * 2.0);
    }

    #[test]
    fn nothing_is_zero() {
        near(flesch([].into_iter()), 0.0);
        near(flesch(["", " - … "].into_iter()), 0.0);
    }
}
