//! Ranking by TF-IDF.

use crate::bindings::exports::flowhost::keywords::api::{Keyword, Table, Vocabulary};

const MILLION: f64 = 1_000_000.0;

/// `ln((N + 1) / (n + 0.5))` for a term in `n` of `N` documents: never negative, close to 0 for a
/// term that is everywhere, and defined for a corpus of one.
fn inverse_document_frequency(documents: u32, of: u32) -> f64 {
    let all = f64::from(of.max(documents));
    ((all + 1.0) / (f64::from(documents) + 0.5)).ln()
}

/// How many documents must have a term for it to stand for a corpus.
const fn enough_documents(corpus: u32) -> u32 {
    match corpus {
        0..10 => 1,
        10..50 => 2,
        _ => 3,
    }
}

/// A document's keywords: the weight of each term in it times its inverse document frequency.
pub(crate) fn document(document: &Table, corpus: &Vocabulary, limit: usize) -> Vec<Keyword> {
    let documents_of = |term: &str| {
        let found = corpus.terms.binary_search_by(|entry| entry.term.as_str().cmp(term)).ok();
        found.and_then(|index| corpus.terms.get(index)).map_or(corpus.floor, |entry| entry.documents)
    };
    let ranked = document.terms.iter().map(|entry| {
        let documents = documents_of(&entry.term).max(1);
        let score = entry.weight as f64 / MILLION * inverse_document_frequency(documents, corpus.documents);
        Keyword { term: entry.term.clone(), score, documents }
    });
    best(ranked.collect(), limit)
}

/// A term must be in so many documents to have half of its score for the corpus: what only a few
/// documents speak of may be there by chance.
const HALF_SUPPORT: f64 = 10.0;

/// A corpus's keywords: TF-IDF summed over the documents, times the square of the inverse document
/// frequency, times `n / (n + 10)` for a term in `n` documents. The plain sum is greatest for words that
/// are in a third of all documents, which are those of the kind of text (a licence, a manual). With the
/// square it is greatest for words in a twentieth, which are those of a topic.
pub(crate) fn corpus(corpus: &Table, limit: usize) -> Vec<Keyword> {
    let ranked = |least: u32| -> Vec<Keyword> {
        let enough = corpus.terms.iter().filter(|entry| entry.documents >= least);
        enough
            .map(|entry| {
                let factor = inverse_document_frequency(entry.documents, corpus.documents);
                let documents = f64::from(entry.documents);
                let support = documents / (documents + HALF_SUPPORT);
                Keyword {
                    term: entry.term.clone(),
                    score: entry.weight as f64 / MILLION * factor * factor * factor * support,
                    documents: entry.documents,
                }
            })
            .collect()
    };
    let shared = ranked(enough_documents(corpus.documents));
    best(if shared.is_empty() { ranked(1) } else { shared }, limit)
}

fn best(mut keywords: Vec<Keyword>, limit: usize) -> Vec<Keyword> {
    keywords.sort_by(|x, y| y.score.total_cmp(&x.score).then(y.documents.cmp(&x.documents)).then_with(|| x.term.cmp(&y.term)));
    keywords.truncate(limit);
    keywords
}

#[cfg(test)]
mod tests {
    use super::{corpus, document, inverse_document_frequency};
    use crate::bindings::exports::flowhost::keywords::api::Keyword;
    use crate::table::tests::table;
    use crate::table::{frequencies, merge};

    fn terms(keywords: &[Keyword]) -> Vec<&str> {
        keywords.iter().map(|keyword| keyword.term.as_str()).collect()
    }

    #[test]
    fn inverse_document_frequencies_by_hand() {
        // ln(10 / 1.5), ln(10 / 9.5), ln(2 / 1.5)
        assert!((inverse_document_frequency(1, 9) - 1.897_119_984_885_881).abs() < 1e-12);
        assert!((inverse_document_frequency(9, 9) - 0.051_293_294_387_550_5).abs() < 1e-12);
        assert!((inverse_document_frequency(1, 1) - 0.287_682_072_451_780_9).abs() < 1e-12);
        assert!(inverse_document_frequency(5, 1) > 0.0);
    }

    #[test]
    fn a_document_by_hand() {
        let all = table(9, &[("common", 9, 5_000_000), ("rare", 1, 500_000)]);
        let one = table(1, &[("common", 1, 800_000), ("rare", 1, 500_000)]);
        let ranked = document(&one, &frequencies(all, 9), 9);
        assert_eq!(terms(&ranked), ["rare", "common"]);
        assert!((ranked[0].score - 0.5 * 1.897_119_984_885_881).abs() < 1e-9);
        assert!((ranked[1].score - 0.8 * 0.051_293_294_387_550_5).abs() < 1e-9);
    }

    #[test]
    fn a_corpus_by_hand() {
        // weight 2.0 × ln(10 / 3.5)³ × 3 / (3 + 10)
        let ranked = corpus(&table(9, &[("topic", 3, 2_000_000)]), 9);
        assert!((ranked[0].score - 2.0 * 1.049_822_124_498_677_7_f64.powi(3) * 3.0 / 13.0).abs() < 1e-9);
    }

    #[test]
    fn words_of_a_topic_win_over_words_of_everywhere() {
        let mut all = table(0, &[]);
        for number in 0..200 {
            let mut entries = vec![("license", 1, 900_000), ("software", 1, 600_000)];
            if number % 3 == 0 {
                entries.push(("warranty", 1, 400_000));
            }
            if number % 10 == 0 {
                entries = vec![("hive", 1, 700_000), ("license", 1, 500_000)];
            }
            all = merge(all, table(1, &entries), 1000);
        }
        assert_eq!(terms(&corpus(&all, 2)), ["hive", "warranty"]);
    }

    #[test]
    fn a_word_of_one_document_does_not_stand_for_a_large_corpus() {
        let all = table(60, &[("alone", 1, 999_999), ("shared", 3, 300_000)]);
        assert_eq!(terms(&corpus(&all, 9)), ["shared"]);
        assert_eq!(terms(&corpus(&table(60, &[("alone", 1, 999_999)]), 9)), ["alone"]);
    }

    #[test]
    fn nothing_has_no_keywords() {
        assert!(corpus(&table(0, &[]), 9).is_empty());
        assert!(document(&table(1, &[]), &frequencies(table(0, &[]), 9), 9).is_empty());
        assert!(corpus(&table(1, &[("a", 1, 1)]), 0).is_empty());
    }

    #[test]
    fn equal_scores_are_ordered_by_term() {
        assert_eq!(terms(&corpus(&table(1, &[("b", 1, 5), ("a", 1, 5)]), 9)), ["a", "b"]);
    }
}
