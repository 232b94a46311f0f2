//! Plugin `keywords`: TF-IDF over tables of terms.

mod bindings;
mod rank;
mod table;

use bindings::exports::flowhost::keywords::api::{Guest, Keyword, Table, Vocabulary};

struct Plugin;

impl Guest for Plugin {
    fn merge(a: Table, b: Table, limit: u32) -> Table {
        table::merge(a, b, limit as usize)
    }

    fn frequencies(corpus: Table, limit: u32) -> Vocabulary {
        table::frequencies(corpus, limit as usize)
    }

    fn rank_document(document: Table, corpus: Vocabulary, limit: u32) -> Vec<Keyword> {
        rank::document(&document, &corpus, limit as usize)
    }

    fn rank_corpus(corpus: Table, limit: u32) -> Vec<Keyword> {
        rank::corpus(&corpus, limit as usize)
    }
}
