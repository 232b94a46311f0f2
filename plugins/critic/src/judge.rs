//! The verdict on a draft.

use std::collections::BTreeSet;

use crate::bindings::exports::flowhost::critic::api::{Keyword, Note, Verdict};
use crate::readability::flesch;

/// Parts of the score.
const COVERAGE: f64 = 0.75;
const READABILITY: f64 = 0.25;
/// Missing keywords that are noted at once.
const MISSING: usize = 5;
/// Flesch calls what is below "very difficult".
const HARD: f64 = 30.0;

pub(crate) fn terms_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    texts.into_iter().flat_map(prose::terms).collect()
}

/// What a keyword counts for; a score that is no positive number counts for nothing.
fn worth(keyword: &Keyword) -> f64 {
    if keyword.score.is_finite() { keyword.score.max(0.0) } else { 0.0 }
}

/// The share of the keywords' scores that the terms cover. With no keyword to cover, a text covers all
/// and no text nothing.
pub(crate) fn coverage(terms: &BTreeSet<String>, keywords: &[Keyword]) -> f64 {
    let all: f64 = keywords.iter().map(worth).sum();
    if all <= 0.0 {
        return if terms.is_empty() { 0.0 } else { 1.0 };
    }
    let there: f64 = keywords.iter().filter(|keyword| terms.contains(&keyword.term)).map(worth).sum();
    (there / all).clamp(0.0, 1.0)
}

pub(crate) fn judge(sentences: &[String], keywords: &[Keyword]) -> Verdict {
    let terms = terms_of(sentences.iter().map(String::as_str));
    let coverage = coverage(&terms, keywords);
    let readability = flesch(sentences.iter().map(String::as_str));
    let words: usize = sentences.iter().map(|sentence| prose::counted_words(sentence)).sum();
    Verdict {
        coverage,
        readability,
        score: COVERAGE * coverage + READABILITY * (readability / 100.0).clamp(0.0, 1.0),
        words: u32::try_from(words).unwrap_or(u32::MAX),
        notes: notes(sentences, &terms, keywords),
    }
}

/// The missing keywords that count most, then the hardest sentence where it is one of several.
fn notes(sentences: &[String], terms: &BTreeSet<String>, keywords: &[Keyword]) -> Vec<Note> {
    let mut missing: Vec<&Keyword> =
        keywords.iter().filter(|keyword| worth(keyword) > 0.0 && !terms.contains(&keyword.term)).collect();
    missing.sort_by(|x, y| y.score.total_cmp(&x.score).then_with(|| x.term.cmp(&y.term)));
    let mut notes: Vec<Note> = missing.into_iter().take(MISSING).map(|keyword| Note::Missing(keyword.term.clone())).collect();
    let hardest = sentences.iter().map(|sentence| (flesch([sentence.as_str()].into_iter()), sentence));
    if let Some((ease, sentence)) = hardest.min_by(|x, y| x.0.total_cmp(&y.0)).filter(|_| sentences.len() > 1)
        && ease < HARD
    {
        notes.push(Note::Hard(sentence.clone()));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::{coverage, judge, terms_of};
    use crate::bindings::exports::flowhost::critic::api::{Keyword, Note};

    fn keyword(term: &str, score: f64) -> Keyword {
        Keyword { term: term.into(), score, documents: 1 }
    }

    #[test]
    fn coverage_is_the_share_of_the_scores() {
        let keywords = [keyword("honey", 3.0), keyword("hive", 1.0)];
        assert_eq!(coverage(&terms_of(["Honey is here"]), &keywords), 0.75);
        assert_eq!(coverage(&terms_of(["HIVE", "honey."]), &keywords), 1.0);
        assert_eq!(coverage(&terms_of(["hives"]), &keywords), 0.0);
    }

    #[test]
    fn coverage_of_nothing() {
        assert_eq!(coverage(&terms_of(["anything"]), &[]), 1.0);
        assert_eq!(coverage(&terms_of([]), &[]), 0.0);
        assert_eq!(coverage(&terms_of(["honey"]), &[keyword("honey", f64::NAN), keyword("wax", -1.0)]), 1.0);
    }

    #[test]
    fn the_score_by_hand() {
        // Coverage 0.5; 3 words of 1 syllable: 206.835 - 3.045 - 84.6 = 119.19, clamped to 100.
        let verdict = judge(&["The wax melts.".into()], &[keyword("wax", 1.0), keyword("hive", 1.0)]);
        assert!((verdict.score - (0.75 * 0.5 + 0.25)).abs() < 1e-12);
        assert!((verdict.readability - 119.19).abs() < 1e-9);
        assert_eq!((verdict.words, verdict.notes), (3, vec![Note::Missing("hive".into())]));
    }

    #[test]
    fn notes_name_the_best_missing_keywords_and_one_hard_sentence() {
        let keywords: Vec<Keyword> = (0..9).map(|n| keyword(&format!("word{n}"), f64::from(n) + 1.0)).collect();
        let hard = "Institutional considerations necessitate characterization.";
        let verdict = judge(&["The cat sat.".into(), hard.into()], &keywords);
        let missing = |n: u32| Note::Missing(format!("word{n}"));
        assert_eq!(verdict.notes, [missing(8), missing(7), missing(6), missing(5), missing(4), Note::Hard(hard.into())]);
        assert!(judge(&[hard.into()], &[]).notes.is_empty());
    }

    #[test]
    fn nothing_to_judge_has_no_score_and_no_notes() {
        let verdict = judge(&[], &[]);
        assert_eq!((verdict.coverage, verdict.readability, verdict.score, verdict.words), (0.0, 0.0, 0.0, 0));
        assert!(verdict.notes.is_empty());
    }
}
