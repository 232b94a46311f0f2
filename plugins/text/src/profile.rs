//! What is worth knowing of a document, in bounded space.

use std::collections::{BTreeSet, HashMap};

use crate::bindings::exports::flowhost::text::api::{DocumentProfile, Sentence, Table, Term};

/// Weights are kept in whole millionths, so that adding them up in any order gives the same sum.
const MILLION: f64 = 1_000_000.0;

/// Documents with fewer terms than this count as having so many, lest a stub of five words outweigh texts.
const LEAST_LENGTH: usize = 20;

/// A term that is this part of a document has half the weight that a term can have.
const HALF: f64 = 0.1;

/// How often each term occurs.
struct Counts {
    /// With the place of the first occurrence, which decides between equal counts.
    by_term: HashMap<String, (usize, usize)>,
    total: usize,
}

/// The profile of a document: at most `max_terms` terms and `max_sentences` sentences.
pub(crate) fn profile(path: String, text: &str, max_terms: usize, max_sentences: usize) -> DocumentProfile {
    let counts = count(text);
    let words = prose::counted_words(text) as u64;
    let sentences: Vec<String> = prose::sentences(text).collect();
    DocumentProfile {
        path,
        words,
        sentence_count: sentences.len() as u64,
        table: Table { documents: 1, words, terms: top_terms(&counts, max_terms) },
        sentences: top_sentences(sentences, &counts, max_sentences),
    }
}

fn count(text: &str) -> Counts {
    let mut counts = Counts { by_term: HashMap::new(), total: 0 };
    for term in prose::terms(text) {
        let place = counts.total;
        counts.by_term.entry(term).or_insert((0, place)).0 += 1;
        counts.total += 1;
    }
    counts
}

/// `count / (count + max(total, 20) / 10)`: BM25's saturated term frequency, fully normalised by length.
fn weight(count: usize, total: usize) -> f64 {
    count as f64 / (count as f64 + HALF * total.max(LEAST_LENGTH) as f64)
}

fn top_terms(counts: &Counts, limit: usize) -> Vec<Term> {
    let mut all: Vec<(&String, &(usize, usize))> = counts.by_term.iter().collect();
    all.sort_by_key(|(_, (count, first))| (std::cmp::Reverse(*count), *first));
    all.truncate(limit);
    all.sort_by_key(|(term, _)| *term);
    let entry = |(term, (count, _)): (&String, &(usize, usize))| Term {
        term: term.clone(),
        documents: 1,
        weight: (weight(*count, counts.total) * MILLION).round() as u64,
    };
    all.into_iter().map(entry).collect()
}

/// A sentence that may be kept.
struct Candidate {
    sentence: Sentence,
    prose: bool,
    salience: f64,
}

/// Those with the most weight in their terms for their length; sentences of prose before other lines,
/// each text once.
fn top_sentences(sentences: Vec<String>, counts: &Counts, limit: usize) -> Vec<Sentence> {
    let mut seen = BTreeSet::new();
    let mut candidates = Vec::new();
    for (position, text) in (0..).zip(sentences) {
        if prose::tidy(&text, false) && seen.insert(text.clone()) {
            let (prose, salience) = (prose::tidy(&text, true), salience(&text, counts));
            candidates.push(Candidate { sentence: Sentence { text, position }, prose, salience });
        }
    }
    // The sort is stable, so the earlier of equal ones stays.
    candidates.sort_by(|x, y| y.prose.cmp(&x.prose).then(y.salience.total_cmp(&x.salience)));
    candidates.truncate(limit);
    let mut chosen: Vec<Sentence> = candidates.into_iter().map(|candidate| candidate.sentence).collect();
    chosen.sort_by_key(|sentence| sentence.position);
    chosen
}

fn salience(sentence: &str, counts: &Counts) -> f64 {
    let mut terms: Vec<String> = prose::terms(sentence).collect();
    terms.sort();
    terms.dedup();
    let count_of = |term: &String| counts.by_term.get(term).map_or(0, |(count, _)| *count);
    let sum: f64 = terms.iter().map(|term| weight(count_of(term), counts.total)).sum();
    sum / (terms.len().max(4) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::{profile, weight};

    #[test]
    fn weights_by_hand() {
        // 3 of 5 terms, counted as of 20: 3 / (3 + 2).
        assert!((weight(3, 5) - 0.6).abs() < 1e-12);
        // 10 of 1000: 10 / (10 + 100).
        assert!((weight(10, 1000) - 1.0 / 11.0).abs() < 1e-12);
        // A tenth of the document: a half.
        assert!((weight(7, 70) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn a_document_is_a_table_of_one() {
        let found = profile("a.txt".into(), "Bees visit flowers. Bees carry pollen.", 10, 10);
        let terms: Vec<_> = found.table.terms.iter().map(|t| (t.term.as_str(), t.documents, t.weight)).collect();
        assert_eq!(
            terms,
            [("bees", 1, 500_000), ("carry", 1, 333_333), ("flowers", 1, 333_333), ("pollen", 1, 333_333), ("visit", 1, 333_333),]
        );
        assert_eq!((found.words, found.table.words, found.table.documents, found.sentence_count), (6, 6, 1, 2));
    }

    #[test]
    fn the_most_frequent_terms_stay_and_earlier_ones_before_later_ones() {
        let found = profile(String::new(), "zebra yak xerus yak wolf", 2, 0);
        let terms: Vec<_> = found.table.terms.iter().map(|t| t.term.as_str()).collect();
        assert_eq!(terms, ["yak", "zebra"]);
        assert!(found.sentences.is_empty());
    }

    #[test]
    fn sentences_are_bounded_in_document_order_and_prose_first() {
        let text = "a list of small things\n\nNothing to see in that one place. \
                    The queen bee leads the bee hive. The hive needs the queen bee daily.";
        let found = profile(String::new(), text, 50, 2);
        let kept: Vec<_> = found.sentences.iter().map(|s| (s.position, s.text.as_str())).collect();
        assert_eq!(kept, [(2, "The queen bee leads the bee hive."), (3, "The hive needs the queen bee daily.")]);
        let more = profile(String::new(), text, 50, 9);
        assert_eq!(more.sentences.len(), 4);
    }

    #[test]
    fn repeated_sentences_count_once() {
        let found = profile(String::new(), &"The same sentence stands here again. ".repeat(50), 10, 10);
        assert_eq!(found.sentences.len(), 1);
        assert_eq!(found.sentence_count, 50);
    }

    #[test]
    fn empty_and_odd_texts_have_empty_profiles() {
        for text in ["", " \n\t", "\u{0}\u{1}", "… --- 42 17", &"q".repeat(1_000_000)] {
            let found = profile("x".into(), text, 10, 10);
            assert!(found.table.terms.is_empty() && found.sentences.is_empty(), "{:?}", text.get(..5));
            assert_eq!(found.table.documents, 1);
        }
    }
}
