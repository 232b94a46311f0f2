//! Choosing sentences: of a document by salience, of two pools by what they say together.

use std::collections::{BTreeMap, BTreeSet};

use crate::bindings::exports::flowhost::summary::api::{Keyword, Quote, Sentence};

/// What a keyword counts for that a chosen sentence has already.
const REPEATED: f64 = 0.5;
/// Sentences that share this part of all their terms say the same.
const SAME: f64 = 0.7;
/// What a document's own keywords count for beside those of the corpus.
const OWN: f64 = 0.5;

/// Terms by their share of the best one's score.
fn shares(keywords: &[Keyword]) -> BTreeMap<&str, f64> {
    let finite = || keywords.iter().filter(|keyword| keyword.score.is_finite() && keyword.score > 0.0);
    let best = finite().map(|keyword| keyword.score).fold(0.0, f64::max);
    finite().map(|keyword| (keyword.term.as_str(), keyword.score / best)).collect()
}

/// The sentences of a document with the most keywords for their length.
pub(crate) fn salient(
    source: &str,
    sentences: Vec<Sentence>,
    document: &[Keyword],
    corpus: &[Keyword],
    limit: usize,
) -> Vec<Quote> {
    let (corpus, document) = (shares(corpus), shares(document));
    let quote = |Sentence { text, position }| {
        let terms: BTreeSet<String> = prose::terms(&text).collect();
        let share = |shares: &BTreeMap<&str, f64>, term: &str| shares.get(term).copied().unwrap_or(0.0);
        let sum: f64 = terms.iter().map(|term| share(&corpus, term) + OWN * share(&document, term)).sum();
        Quote { text, source: source.to_owned(), position, score: sum / length(terms.len()) }
    };
    let mut quotes: Vec<Quote> = sentences.into_iter().map(quote).collect();
    quotes.sort_by(|x, y| y.score.total_cmp(&x.score).then(x.position.cmp(&y.position)));
    quotes.truncate(limit);
    quotes
}

/// Long sentences have more keywords by being long; very short ones win nothing by it.
fn length(terms: usize) -> f64 {
    (terms.max(4) as f64).sqrt()
}

/// A quote that may be chosen.
struct Candidate {
    quote: Quote,
    terms: BTreeSet<String>,
    /// Indices into what is left of each keyword.
    keywords: Vec<usize>,
}

/// Greedy choice: each time the quote that adds most to what the chosen ones say already.
pub(crate) fn merge(a: Vec<Quote>, b: Vec<Quote>, corpus: &[Keyword], limit: usize) -> Vec<Quote> {
    let shares = shares(corpus);
    let names: Vec<&str> = shares.keys().copied().collect();
    let mut left: Vec<f64> = shares.values().copied().collect();
    let mut candidates: Vec<Candidate> = a.into_iter().chain(b).map(|quote| candidate(quote, &names)).collect();
    candidates.sort_by(|x, y| order(&x.quote, &y.quote));
    let mut chosen: Vec<Candidate> = Vec::new();
    while chosen.len() < limit {
        let Some(best) = best(&candidates, &left) else { break };
        let next = candidates.remove(best);
        candidates.retain(|other| !same(&next.terms, &other.terms) && next.quote.text != other.quote.text);
        for &keyword in &next.keywords {
            if let Some(value) = left.get_mut(keyword) {
                *value *= REPEATED;
            }
        }
        chosen.push(next);
    }
    chosen.into_iter().map(|candidate| candidate.quote).collect()
}

/// A fixed order, so that the choice does not depend on which side a quote came from.
fn order(x: &Quote, y: &Quote) -> std::cmp::Ordering {
    y.score.total_cmp(&x.score).then_with(|| (&x.source, x.position, &x.text).cmp(&(&y.source, y.position, &y.text)))
}

fn candidate(quote: Quote, names: &[&str]) -> Candidate {
    let terms: BTreeSet<String> = prose::terms(&quote.text).collect();
    let keywords = terms.iter().filter_map(|term| names.binary_search(&term.as_str()).ok()).collect();
    Candidate { quote, terms, keywords }
}

/// The first of those with the greatest gain.
fn best(candidates: &[Candidate], left: &[f64]) -> Option<usize> {
    let gain = |candidate: &Candidate| {
        let sum: f64 = candidate.keywords.iter().filter_map(|&keyword| left.get(keyword)).sum();
        // Where no keyword is gained, the salience in its document still tells sentences apart.
        sum / length(candidate.terms.len()) + candidate.quote.score * 0.01
    };
    let mut found: Option<(usize, f64)> = None;
    for (index, candidate) in candidates.iter().enumerate() {
        let gain = gain(candidate);
        if found.is_none_or(|(_, most)| gain > most) {
            found = Some((index, gain));
        }
    }
    found.map(|(index, _)| index)
}

fn same(a: &BTreeSet<String>, b: &BTreeSet<String>) -> bool {
    let shared = a.intersection(b).count();
    let all = a.len() + b.len() - shared;
    all > 0 && shared as f64 >= SAME * all as f64
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{merge, salient};
    use crate::bindings::exports::flowhost::summary::api::{Keyword, Quote, Sentence};

    pub(crate) fn keyword(term: &str, score: f64) -> Keyword {
        Keyword { term: term.into(), score, documents: 3 }
    }

    pub(crate) fn quote(source: &str, position: u32, text: &str, score: f64) -> Quote {
        Quote { text: text.into(), source: source.into(), position, score }
    }

    fn texts(quotes: &[Quote]) -> Vec<&str> {
        quotes.iter().map(|quote| quote.text.as_str()).collect()
    }

    #[test]
    fn salience_by_hand() {
        let sentences = vec![
            Sentence { text: "Nothing special stands here.".into(), position: 0 },
            Sentence { text: "Honey fills the hive.".into(), position: 1 },
        ];
        let found = salient("a", sentences, &[keyword("hive", 2.0)], &[keyword("honey", 4.0), keyword("hive", 2.0)], 5);
        // honey 1 + hive 0.5 + hive 0.5 × 1, over the root of 4.
        assert!((found[0].score - 2.0 / 2.0).abs() < 1e-12);
        assert_eq!((found[0].position, found[0].source.as_str()), (1, "a"));
        assert_eq!(found[1].score, 0.0);
    }

    #[test]
    fn without_keywords_the_first_sentences_are_kept() {
        let sentences = (0..5).map(|position| Sentence { text: format!("Sentence number {position}."), position }).collect();
        let found = salient("a", sentences, &[], &[keyword("broken", f64::NAN)], 2);
        assert_eq!(found.iter().map(|quote| quote.position).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn merging_prefers_what_is_not_said_yet() {
        let corpus = [keyword("honey", 3.0), keyword("queen", 2.0)];
        let a = vec![quote("a", 0, "Honey is sweet for bears.", 0.9), quote("a", 1, "Honey keeps long in jars.", 0.8)];
        let b = vec![quote("b", 0, "The queen lays many eggs.", 0.5)];
        let found = merge(a, b, &corpus, 2);
        assert_eq!(texts(&found), ["Honey is sweet for bears.", "The queen lays many eggs."]);
    }

    #[test]
    fn near_repetitions_stay_once() {
        let a = vec![quote("a", 0, "This program comes with absolutely zero warranty.", 0.5)];
        let b = vec![quote("b", 7, "The program comes with absolutely zero warranty!", 0.5)];
        assert_eq!(merge(a.clone(), b.clone(), &[], 9).len(), 1);
        assert_eq!(merge(a.clone(), b.clone(), &[], 9), merge(b, a, &[], 9));
    }

    #[test]
    fn the_side_does_not_count_and_the_empty_pool_is_neutral() {
        let corpus = [keyword("honey", 3.0), keyword("queen", 2.0), keyword("wax", 1.0)];
        let a = vec![quote("a", 0, "Honey and wax are made.", 0.9)];
        let b = vec![quote("b", 0, "Wax candles burn slowly.", 0.5), quote("b", 2, "Queens need honey too.", 0.4)];
        assert_eq!(merge(a.clone(), b.clone(), &corpus, 3), merge(b.clone(), a, &corpus, 3));
        let alone = merge(b, vec![], &corpus, 3);
        assert_eq!(merge(vec![], alone.clone(), &corpus, 3), alone);
        assert!(merge(vec![], vec![], &corpus, 3).is_empty());
    }
}
