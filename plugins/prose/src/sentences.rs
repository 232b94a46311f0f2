//! Sentences of a text.

/// Words after which a full stop ends no sentence.
const ABBREVIATIONS: [&str; 30] = [
    "al", "approx", "art", "ca", "cf", "co", "corp", "dept", "dr", "e.g", "ed", "eds", "esp", "fig", "i.e", "inc", "jr", "ltd",
    "mr", "mrs", "ms", "no", "nos", "p", "pp", "prof", "sec", "sr", "st", "vs",
];

/// Each sentence in order, with single spaces between its words and otherwise as written.
///
/// A sentence ends at `.`, `!`, `?` or `…` before whitespace, unless the stop belongs to an
/// abbreviation, an initial or a list number, or the next word begins with a small letter; at the
/// full-width stops; at an empty line, and before and after what Markdown sets apart.
pub fn sentences(text: &str) -> impl Iterator<Item = String> + '_ {
    paragraphs(text).into_iter().flat_map(|paragraph| of_paragraph(&paragraph))
}

/// Runs of lines that belong together, as the words in them.
fn paragraphs(text: &str) -> Vec<Vec<&str>> {
    let mut all = vec![Vec::new()];
    for line in text.split(['\n', '\u{c}', '\u{b}']) {
        let words = line.split([' ', '\t', '\r']).filter(|word| !word.is_empty());
        let first = words.clone().next();
        let heading = first.is_some_and(|word| word.starts_with('#'));
        if first.is_none_or(begins_block) {
            all.push(Vec::new());
        }
        if let Some(paragraph) = all.last_mut() {
            paragraph.extend(words);
        }
        if heading {
            all.push(Vec::new());
        }
    }
    all.retain(|words| !words.is_empty());
    all
}

/// Whether a line that begins so starts something new: a heading, an item of a list, a row of a table.
fn begins_block(word: &str) -> bool {
    matches!(word, "-" | "*" | "+" | "•" | "–") || word.starts_with(['#', '|', '>'])
}

fn of_paragraph(words: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    let mut current = String::new();
    let mut count = 0;
    for (index, word) in words.iter().enumerate() {
        if !current.is_empty() {
            current.push(' ');
        }
        count += 1;
        let mut rest = *word;
        while let Some((head, tail)) = rest.split_once(['。', '！', '？']) {
            // The stop itself is what lies between head and tail.
            let stop = rest.get(head.len()..rest.len() - tail.len()).unwrap_or_default();
            current.push_str(head);
            current.push_str(stop);
            flush(&mut current, &mut all);
            rest = tail;
            count = 1;
        }
        current.push_str(rest);
        if ends_sentence(rest, words.get(index + 1).copied(), count == 1) {
            flush(&mut current, &mut all);
            count = 0;
        }
    }
    flush(&mut current, &mut all);
    all
}

fn flush(current: &mut String, all: &mut Vec<String>) {
    let sentence = std::mem::take(current);
    let trimmed = sentence.trim_matches(' ');
    if trimmed.contains(char::is_alphanumeric) {
        all.push(trimmed.to_owned());
    }
}

/// Whether a sentence ends with `word`, which `next` follows in the paragraph.
fn ends_sentence(word: &str, next: Option<&str>, alone: bool) -> bool {
    let core = word.trim_end_matches(['"', '\'', ')', ']', '}', '»', '”', '’', '*', '_', '`']);
    let Some(stop) = core.chars().next_back() else { return false };
    if !matches!(stop, '.' | '!' | '?' | '…') {
        return false;
    }
    let Some(next) = next else { return true };
    if next.chars().find(|c| c.is_alphanumeric()).is_some_and(char::is_lowercase) {
        return false;
    }
    stop != '.' || !is_abbreviation(core.trim_end_matches('.'), alone)
}

fn is_abbreviation(word: &str, alone: bool) -> bool {
    let word = word.trim_start_matches(['(', '[', '"', '\'', '“', '‘', '«', '*', '_', '`']);
    let mut chars = word.chars();
    let initial = matches!((chars.next(), chars.next()), (Some(first), None) if first.is_uppercase());
    // "1." or "(iv)." at the start numbers what follows.
    let number = alone && word.len() <= 4 && word.chars().all(|c| c.is_ascii_digit() || matches!(c, 'i' | 'v' | 'x' | ')'));
    initial || number || (word.len() <= 8 && ABBREVIATIONS.binary_search(&word.to_ascii_lowercase().as_str()).is_ok())
}

/// Whether a sentence can be shown by itself: a reasonable length, mostly letters, nothing but plain
/// spaces between its words. `strict` wants the form of a sentence of prose, too: a capital or a
/// caseless letter at its start and a stop at its end.
#[must_use]
pub fn tidy(sentence: &str, strict: bool) -> bool {
    const MAX_BYTES: usize = 600;
    if sentence.len() > MAX_BYTES
        || sentence.chars().any(|c| c.is_control() || (c.is_whitespace() && c != ' ') || c == '\u{feff}')
    {
        return false;
    }
    let chars = sentence.chars().count();
    let letters = sentence.chars().filter(|c| c.is_alphabetic()).count();
    let spaces = sentence.chars().filter(|&c| c == ' ').count();
    if letters * 10 < (chars - spaces) * 7 {
        return false;
    }
    let spaced = sentence.is_ascii() || spaces * 12 >= chars;
    let long_enough = if spaced { (3..=70).contains(&(spaces + 1)) } else { (8..=200).contains(&chars) };
    long_enough && (!strict || (is_prose(sentence) && (!spaced || spaces >= 4)))
}

fn is_prose(sentence: &str) -> bool {
    let starts = sentence.chars().next().is_some_and(|c| c.is_alphabetic() && !c.is_lowercase());
    let end = sentence.trim_end_matches(['"', '\'', ')', ']', '»', '”', '’']);
    starts && end.ends_with(['.', '!', '?', '…', '。', '！', '？'])
}

#[cfg(test)]
mod tests {
    use super::{ABBREVIATIONS, sentences, tidy};

    fn split(text: &str) -> Vec<String> {
        sentences(text).collect()
    }

    #[test]
    fn the_abbreviations_are_sorted() {
        assert!(ABBREVIATIONS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn stops_before_whitespace_end_sentences() {
        assert_eq!(split("One here. Two there! Is it?  \"Yes.\" End"), ["One here.", "Two there!", "Is it?", "\"Yes.\"", "End"]);
        assert_eq!(split("Version 1.2.3 of foo.bar is out. It runs."), ["Version 1.2.3 of foo.bar is out.", "It runs."]);
    }

    #[test]
    fn abbreviations_initials_and_numbers_end_none() {
        assert_eq!(
            split("Ask Dr. Who, e.g. Mr. J. Smith vs. The World. Then go."),
            ["Ask Dr. Who, e.g. Mr. J. Smith vs. The World.", "Then go."]
        );
        assert_eq!(split("1. Definitions are here. 2. Grants follow."), ["1. Definitions are here.", "2. Grants follow."]);
        assert_eq!(split("He waited ... and left. Done."), ["He waited ... and left.", "Done."]);
    }

    #[test]
    fn lines_are_joined_and_empty_lines_divide() {
        assert_eq!(split("A title\n\nOne line\r\n  goes\ton here.\n \t\nNext"), ["A title", "One line goes on here.", "Next"]);
        assert_eq!(split("page one\n\u{c}page two"), ["page one", "page two"]);
    }

    #[test]
    fn headings_items_and_rows_stand_apart() {
        assert_eq!(
            split("# Title\nText goes\non.\n- one\n  more\n* two\n| a | b |\n> said"),
            ["# Title", "Text goes on.", "- one more", "* two", "| a | b |", "> said",]
        );
        assert_eq!(split("a 3 - 2\nb"), ["a 3 - 2 b"]);
    }

    #[test]
    fn full_width_stops_need_no_space() {
        assert_eq!(split("蜜蜂很忙。花很多！真的？好"), ["蜜蜂很忙。", "花很多！", "真的？", "好"]);
    }

    #[test]
    fn nothing_and_punctuation_have_no_sentences() {
        assert!(split("").is_empty());
        assert!(split(" \n\n --- *** ...\n").is_empty());
    }

    #[test]
    fn a_huge_word_is_one_sentence() {
        assert_eq!(split(&"y".repeat(100_000)), ["y".repeat(100_000)]);
    }

    #[test]
    fn each_sentence_is_in_the_normalised_text() {
        let text = "Mixed  text.\nWith (odd) forms: e.g.\tthis; \"Quoted!\" he said.\n\n* item one\n* item 2. Ünïcode。終 X.";
        let normal = text.split([' ', '\n', '\t', '\r']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
        let found = split(text);
        assert!(found.len() > 4);
        for sentence in found {
            assert!(normal.contains(&sentence), "{sentence}");
        }
    }

    #[test]
    fn tidy_sentences_can_stand_alone() {
        assert!(tidy("Bees make honey in the hive.", true));
        assert!(tidy("蜜蜂在花园里采集花蜜。", true));
        assert!(!tidy("bees make honey in the hive", true));
        assert!(tidy("bees make honey in the hive", false));
        assert!(!tidy("Bees make\u{a0}honey in the hive.", false));
        assert!(!tidy("0x00 0x01 0x02 0x03 0x04", false));
        assert!(!tidy(&"Word ".repeat(200), false));
        assert!(!tidy("", false));
    }
}
