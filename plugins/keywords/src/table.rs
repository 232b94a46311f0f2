//! Joining tables of terms.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::bindings::exports::flowhost::keywords::api::{Frequency, Table, Term, Vocabulary};

/// The counts of both. As long as nothing is cut off, the grouping and the order do not count: all
/// that is added are whole numbers.
pub(crate) fn merge(a: Table, b: Table, limit: usize) -> Table {
    let mut terms: BTreeMap<String, (u32, u64)> = BTreeMap::new();
    for entry in a.terms.into_iter().chain(b.terms) {
        let sum = terms.entry(entry.term).or_default();
        sum.0 = sum.0.saturating_add(entry.documents);
        sum.1 = sum.1.saturating_add(entry.weight);
    }
    let terms = terms.into_iter().map(|(term, (documents, weight))| Term { term, documents, weight }).collect();
    Table {
        documents: a.documents.saturating_add(b.documents),
        words: a.words.saturating_add(b.words),
        terms: most_frequent(terms, limit).0,
    }
}

/// Document frequencies of the most frequent terms.
pub(crate) fn frequencies(corpus: Table, limit: usize) -> Vocabulary {
    let (kept, floor) = most_frequent(corpus.terms, limit);
    let terms = kept.into_iter().map(|entry| Frequency { term: entry.term, documents: entry.documents }).collect();
    Vocabulary { documents: corpus.documents, floor, terms }
}

/// The `limit` terms that are in the most documents, the weightier ones among equals, sorted by term;
/// and in how many documents the first one is that was cut off, 1 when there is none.
fn most_frequent(mut terms: Vec<Term>, limit: usize) -> (Vec<Term>, u32) {
    let mut floor = 1;
    if terms.len() > limit {
        terms.sort_by(|x, y| (Reverse((x.documents, x.weight)), &x.term).cmp(&(Reverse((y.documents, y.weight)), &y.term)));
        floor = terms.get(limit).map_or(1, |first| first.documents.max(1));
        terms.truncate(limit);
    }
    terms.sort_by(|x, y| x.term.cmp(&y.term));
    (terms, floor)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{frequencies, merge};
    use crate::bindings::exports::flowhost::keywords::api::{Table, Term};

    pub(crate) fn table(documents: u32, terms: &[(&str, u32, u64)]) -> Table {
        let terms = terms.iter().map(|&(term, documents, weight)| Term { term: term.into(), documents, weight }).collect();
        Table { documents, words: 10 * u64::from(documents), terms }
    }

    #[test]
    fn merging_adds() {
        let sum = merge(table(1, &[("a", 1, 500), ("c", 1, 2)]), table(2, &[("b", 2, 9), ("c", 1, 3)]), 10);
        assert_eq!(sum, table(3, &[("a", 1, 500), ("b", 2, 9), ("c", 2, 5)]));
    }

    #[test]
    fn merging_is_associative_and_commutative_and_has_a_neutral_table() {
        let parts = [
            table(1, &[("a", 1, 333_333), ("b", 1, 1)]),
            table(1, &[("b", 1, 666_667), ("c", 1, 7)]),
            table(1, &[("a", 1, 142_857), ("c", 1, 142_858)]),
        ];
        let [a, b, c] = parts;
        let left = merge(merge(a.clone(), b.clone(), 9), c.clone(), 9);
        assert_eq!(left, merge(a.clone(), merge(b.clone(), c.clone(), 9), 9));
        assert_eq!(left, merge(merge(c, a, 9), b, 9));
        assert_eq!(merge(table(0, &[]), left.clone(), 9), left);
    }

    #[test]
    fn the_terms_of_the_most_documents_are_kept() {
        let sum = merge(table(2, &[("a", 1, 9), ("b", 2, 1)]), table(2, &[("c", 1, 8), ("d", 1, 9)]), 2);
        assert_eq!(sum, table(4, &[("a", 1, 9), ("b", 2, 1)]));
        assert!(merge(table(1, &[("a", 1, 1)]), table(1, &[]), 0).terms.is_empty());
    }

    #[test]
    fn the_floor_is_the_most_that_a_missing_term_can_have() {
        let corpus = table(9, &[("a", 9, 1), ("b", 4, 1), ("c", 4, 2)]);
        let cut = frequencies(corpus.clone(), 2);
        assert_eq!((cut.floor, cut.documents), (4, 9));
        assert_eq!(cut.terms.iter().map(|t| t.term.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(frequencies(corpus, 3).floor, 1);
    }

    #[test]
    fn tables_that_are_not_sorted_or_huge_in_count_are_taken() {
        let sum = merge(table(u32::MAX, &[("b", u32::MAX, u64::MAX), ("a", 1, 1)]), table(1, &[("b", 1, 1)]), 5);
        assert_eq!(sum.documents, u32::MAX);
        assert_eq!(sum.terms.last().map(|t| (t.documents, t.weight)), Some((u32::MAX, u64::MAX)));
    }
}
