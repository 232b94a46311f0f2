//! Words, sentences and syllables, the same for every plugin that reads text.
//!
//! Whatever is returned occurs in the text: words in lower case, sentences with their whitespace
//! normalised, nothing else changed.

mod sentences;
mod stop_words;
mod syllables;
mod terms;

pub use sentences::{sentences, tidy};
pub use stop_words::is_stop_word;
pub use syllables::syllables;
pub use terms::{MAX_TERM_CHARS, counted_words, terms, words};
