//! What must be noticed when somebody else changes what is stored.

use engine::event::{EventBody, RunId, Seq};
use engine::ports::JournalError;

use super::{Open, Violation, append, expect_events, run, run_of};

/// What is done to a stored run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// The body of this event is changed.
    Change(Seq),
    /// This event is taken away; there are later ones.
    Lose(Seq),
}

/// Events of the run, each in an append of its own.
const EVENTS: u64 = 9;

/// Stores a run, lets `harm` do something to it in the store of that name, and looks whether the journal names what was done.
pub async fn check_harm(open: Open<'_>, harm: &dyn Fn(&str, &RunId, Harm)) -> Vec<Violation> {
    let cases = [
        ("change", Harm::Change(4), "event 4 is changed since written"),
        ("change-first", Harm::Change(1), "event 1 is changed since written"),
        ("change-last", Harm::Change(EVENTS), "event 9 is changed since written"),
        ("lose", Harm::Lose(5), "event 5 is missing"),
        ("lose-first", Harm::Lose(1), "event 1 is missing"),
    ];
    let mut violations = Vec::new();
    for (store, what, expected) in cases {
        let found = check(open, store, &|run| harm(store, run, what), expected).await;
        violations.extend(found.err().map(|what| Violation { check: store, what }));
    }
    violations
}

async fn check(open: Open<'_>, store: &str, harm: &dyn Fn(&RunId), expected: &str) -> Result<(), String> {
    let (run, other, events) = (run("r"), run("other"), run_of(EVENTS));
    let journal = open(store);
    for event in &events {
        append(&*journal, &run, std::slice::from_ref(event)).await?;
        append(&*journal, &other, std::slice::from_ref(event)).await?;
    }
    drop(journal);
    harm(&run);
    let journal = open(store);
    match journal.load(&run) {
        Err(JournalError::Damaged { what, .. }) if what == expected => {}
        Err(error) => return Err(format!("`{error}` instead of `{expected}`")),
        Ok(events) => return Err(format!("{} events were loaded as if nothing was wrong with them", events.len())),
    }
    // Nothing is wrong with the others.
    expect_events(&*journal, &other, &events)?;
    let mut more = events;
    more.extend(super::numbered(EVENTS + 1, [EventBody::Resumed]));
    append(&*journal, &other, more.get(EVENTS as usize..).unwrap_or_default()).await?;
    expect_events(&*journal, &other, &more)
}
