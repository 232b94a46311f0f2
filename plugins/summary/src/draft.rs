//! Composing and revising drafts out of a pool of quotes.

use crate::bindings::exports::flowhost::summary::api::{Draft, Note, Quote};

/// Keywords that one revision adds at most; the critic looks again before the next ones.
const ADDED_AT_ONCE: usize = 2;

/// The first quotes of the pool that fit, in the order of their documents.
pub(crate) fn compose(pool: Vec<Quote>, max_words: u32) -> Draft {
    let mut chosen = Vec::new();
    let mut words = 0;
    for quote in pool {
        let more = count(&quote.text);
        if words + more <= max_words as usize {
            words += more;
            chosen.push(quote);
        }
    }
    write(chosen)
}

/// Adds what is missing, or where the pool has none of it, takes out the first hard sentence.
pub(crate) fn revise(draft: Draft, pool: Vec<Quote>, notes: &[Note], max_words: u32) -> Draft {
    let mut quotes = draft.quotes;
    let mut added: Vec<Quote> = Vec::new();
    for note in notes {
        let Note::Missing(term) = note else { continue };
        if added.len() == ADDED_AT_ONCE || added.iter().any(|quote| has(quote, term)) {
            continue;
        }
        let fits = |quote: &&Quote| {
            has(quote, term)
                && count(&quote.text) <= max_words as usize
                && !quotes.iter().chain(&added).any(|old| old.text == quote.text)
        };
        // The shortest one leaves most room.
        if let Some(best) = pool.iter().filter(fits).min_by_key(|quote| count(&quote.text)) {
            added.push(best.clone());
        }
    }
    if added.is_empty() {
        take_out_hard(&mut quotes, notes);
    }
    make_room(&mut quotes, &mut added, max_words as usize);
    quotes.append(&mut added);
    write(quotes)
}

fn take_out_hard(quotes: &mut Vec<Quote>, notes: &[Note]) {
    let hard = notes.iter().find_map(|note| match note {
        Note::Hard(text) => quotes.iter().position(|quote| quote.text == *text),
        Note::Missing(_) => None,
    });
    if let Some(index) = hard.filter(|_| quotes.len() > 1) {
        quotes.remove(index);
    }
}

/// Drops the least salient old quotes until all fit, then the last of the new ones.
fn make_room(quotes: &mut Vec<Quote>, added: &mut Vec<Quote>, max_words: usize) {
    let words = |quotes: &[Quote]| quotes.iter().map(|quote| count(&quote.text)).sum::<usize>();
    while words(quotes) + words(added) > max_words {
        let least = quotes.iter().enumerate().min_by(|(_, x), (_, y)| x.score.total_cmp(&y.score)).map(|(index, _)| index);
        match least {
            Some(index) => drop(quotes.remove(index)),
            None if added.pop().is_none() => break,
            None => {}
        }
    }
}

fn has(quote: &Quote, term: &str) -> bool {
    prose::terms(&quote.text).any(|found| found == term)
}

fn count(text: &str) -> usize {
    prose::counted_words(text)
}

/// The draft of these quotes: ordered by document, one paragraph for each.
fn write(mut quotes: Vec<Quote>) -> Draft {
    quotes.sort_by(|x, y| (&x.source, x.position, &x.text).cmp(&(&y.source, y.position, &y.text)));
    let mut text = String::new();
    let mut source: Option<&str> = None;
    for quote in &quotes {
        if let Some(before) = source {
            text.push_str(if before == quote.source { " " } else { "\n\n" });
        }
        text.push_str(&quote.text);
        source = Some(&quote.source);
    }
    let words = u32::try_from(count(&text)).unwrap_or(u32::MAX);
    Draft { text, words, quotes }
}

#[cfg(test)]
mod tests {
    use super::{compose, revise};
    use crate::bindings::exports::flowhost::summary::api::{Note, Quote};
    use crate::pool::tests::quote;

    fn pool() -> Vec<Quote> {
        vec![
            quote("b", 4, "Honey is made by bees.", 0.9),
            quote("a", 1, "The queen lays all eggs.", 0.8),
            quote("b", 2, "Notwithstanding institutional considerations, apiculture perseveres.", 0.3),
            quote("c", 0, "Wax is used for candles.", 0.2),
        ]
    }

    #[test]
    fn a_draft_has_the_first_quotes_that_fit_by_document() {
        let draft = compose(pool(), 10);
        assert_eq!(draft.text, "The queen lays all eggs.\n\nHoney is made by bees.");
        assert_eq!((draft.words, draft.quotes.len()), (10, 2));
    }

    #[test]
    fn sentences_of_one_document_share_a_paragraph() {
        let draft = compose(pool(), 15);
        assert_eq!(
            draft.text,
            "The queen lays all eggs.\n\n\
             Notwithstanding institutional considerations, apiculture perseveres. Honey is made by bees."
        );
        assert_eq!(draft.words, 15);
    }

    #[test]
    fn no_room_or_no_pool_gives_an_empty_draft() {
        for draft in [compose(pool(), 0), compose(vec![], 100)] {
            assert_eq!((draft.text.as_str(), draft.words, draft.quotes.len()), ("", 0, 0));
        }
    }

    #[test]
    fn a_missing_keyword_is_added_and_the_least_salient_makes_room() {
        let draft = revise(compose(pool(), 10), pool(), &[Note::Missing("wax".into())], 10);
        assert_eq!(draft.text, "Honey is made by bees.\n\nWax is used for candles.");
    }

    #[test]
    fn a_hard_sentence_goes_when_nothing_can_be_added() {
        let hard = "Notwithstanding institutional considerations, apiculture perseveres.";
        let notes = [Note::Missing("unheard".into()), Note::Hard(hard.into())];
        let draft = revise(compose(pool(), 100), pool(), &notes, 100);
        assert_eq!(draft.quotes.len(), 3);
        assert!(!draft.text.contains(hard));
    }

    #[test]
    fn notes_that_cannot_be_met_change_nothing() {
        let before = compose(pool(), 100);
        let notes = [Note::Missing("unheard".into()), Note::Hard("Not in the draft.".into())];
        assert_eq!(revise(before.clone(), pool(), &notes, 100), before);
        assert_eq!(revise(before.clone(), pool(), &[], 100), before);
        let empty = compose(vec![], 100);
        assert_eq!(revise(empty.clone(), vec![], &notes, 100), empty);
    }

    #[test]
    fn the_last_sentence_stays() {
        let one = compose(vec![quote("a", 0, "Only this sentence exists.", 1.0)], 100);
        let notes = [Note::Hard("Only this sentence exists.".into())];
        assert_eq!(revise(one.clone(), vec![], &notes, 100), one);
    }

    #[test]
    fn a_revision_fits_even_when_the_bound_has_shrunk() {
        let draft = revise(compose(pool(), 100), pool(), &[], 5);
        assert_eq!(draft.text, "Honey is made by bees.");
        assert_eq!(revise(draft, pool(), &[Note::Missing("wax".into())], 0).words, 0);
    }
}
