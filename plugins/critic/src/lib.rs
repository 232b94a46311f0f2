//! Plugin `critic`: coverage and readability of a draft, and what to change.

mod bindings;
mod judge;
mod readability;

use bindings::exports::flowhost::critic::api::{Guest, Keyword, Verdict};

struct Plugin;

impl Guest for Plugin {
    fn coverage(text: String, keywords: Vec<Keyword>) -> f64 {
        judge::coverage(&judge::terms_of([text.as_str()]), &keywords)
    }

    fn readability(text: String) -> f64 {
        let sentences: Vec<String> = prose::sentences(&text).collect();
        readability::flesch(sentences.iter().map(String::as_str))
    }

    fn judge(sentences: Vec<String>, keywords: Vec<Keyword>) -> Verdict {
        judge::judge(&sentences, &keywords)
    }
}

#[cfg(test)]
mod tests {
    use super::{Guest, Plugin};

    #[test]
    fn a_text_is_split_before_it_is_measured() {
        // 6 words, 2 sentences, 6 syllables: 206.835 - 1.015 * 3 - 84.6.
        assert!((Plugin::readability("The cat sat. The dog ran.".into()) - 119.19).abs() < 1e-9);
        assert_eq!(Plugin::coverage(String::new(), vec![]), 0.0);
    }
}
