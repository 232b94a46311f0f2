//! Plugin `summary`: summaries made of sentences taken whole from documents.

mod bindings;
mod draft;
mod pool;

use bindings::exports::flowhost::summary::api::{Draft, Guest, Keyword, Note, Quote, Sentence};

struct Plugin;

impl Guest for Plugin {
    fn salient(source: String, sentences: Vec<Sentence>, document: Vec<Keyword>, corpus: Vec<Keyword>, limit: u32) -> Vec<Quote> {
        pool::salient(&source, sentences, &document, &corpus, limit as usize)
    }

    fn merge(a: Vec<Quote>, b: Vec<Quote>, corpus: Vec<Keyword>, limit: u32) -> Vec<Quote> {
        pool::merge(a, b, &corpus, limit as usize)
    }

    fn compose(pool: Vec<Quote>, max_words: u32) -> Draft {
        draft::compose(pool, max_words)
    }

    fn revise(draft: Draft, pool: Vec<Quote>, notes: Vec<Note>, max_words: u32) -> Draft {
        draft::revise(draft, pool, &notes, max_words)
    }
}
