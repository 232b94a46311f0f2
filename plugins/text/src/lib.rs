//! Plugin `text`: words, sentences and the profile of a document.

mod bindings;
mod profile;

use bindings::exports::flowhost::text::api::{DocumentProfile, Guest, Sentence};

struct Plugin;

impl Guest for Plugin {
    fn words(text: String, limit: u32) -> Vec<String> {
        prose::words(&text).take(limit as usize).map(str::to_lowercase).collect()
    }

    fn sentences(text: String, limit: u32) -> Vec<Sentence> {
        prose::sentences(&text).take(limit as usize).zip(0..).map(|(text, position)| Sentence { text, position }).collect()
    }

    fn profile(path: String, text: String, max_terms: u32, max_sentences: u32) -> DocumentProfile {
        profile::profile(path, &text, max_terms as usize, max_sentences as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::{Guest, Plugin};

    #[test]
    fn words_are_lower_case_and_bounded() {
        assert_eq!(Plugin::words("One, TWO three".into(), 2), ["one", "two"]);
        assert!(Plugin::words(String::new(), 2).is_empty());
    }

    #[test]
    fn sentences_are_counted_and_bounded() {
        let found = Plugin::sentences("First  one. Second one. Third one.".into(), 2);
        let pairs: Vec<_> = found.iter().map(|sentence| (sentence.position, sentence.text.as_str())).collect();
        assert_eq!(pairs, [(0, "First one."), (1, "Second one.")]);
    }
}
