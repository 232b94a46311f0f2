//! Two owners of one store at the same time.

use std::sync::Arc;

use engine::event::{Event, EventBody, RunId};
use engine::ports::{Journal, JournalError};
use futures::future::join_all;

use super::samples::numbered;
use super::{Open, append, expect_events, run, run_of};

/// Two want the same place in many runs at once: one of them gets it, the other is fenced, and the run is whole.
pub(super) async fn rivals(open: Open<'_>) -> Result<(), String> {
    let (first, second) = (open("rivals"), open("rivals"));
    join_all((0..30).map(|number| rivalry(&*first, &*second, number))).await.into_iter().collect()
}

async fn rivalry(first: &dyn Journal, second: &dyn Journal, number: u64) -> Result<(), String> {
    let (run, events) = (run(&format!("run-{number}")), run_of(3));
    append(first, &run, &events).await?;
    // The second has to know where the run ends.
    let found = second.load(&run).map_err(|error| error.to_string())?.len();
    let claim = |host: &str| numbered(found as u64 + 1, [EventBody::OwnerChanged { host: host.into() }, EventBody::Resumed]);
    let (ours, theirs) = (claim("first"), claim("second"));
    let appends = [first.append(&run, Arc::from(ours.as_slice())), second.append(&run, Arc::from(theirs.as_slice()))];
    let results = join_all(appends).await;
    let fenced = |result: &Result<(), JournalError>| matches!(result, Err(JournalError::Fenced { seq: 4, .. }));
    let won: &[Event] = match results.as_slice() {
        [Ok(()), refused] if fenced(refused) => &ours,
        [refused, Ok(())] if fenced(refused) => &theirs,
        other => return Err(format!("two owners of {run} at once: {other:?}")),
    };
    let all = [&events, won].concat();
    expect_events(first, &run, &all)?;
    expect_events(second, &run, &all)
}

/// A run goes from one owner to another and back. Whoever lost it has appends on their way, none of which is made.
pub(super) async fn change(open: Open<'_>) -> Result<(), String> {
    let (first, second, run) = (open("change"), open("change"), run("r"));
    let mut events = run_of(4);
    append(&*first, &run, &events).await?;
    for (owner, former) in [(&second, &first), (&first, &second), (&second, &first)] {
        take(&**owner, &run, &mut events, 3).await?;
        let late = |ahead: u64| former.append(&run, numbered(events.len() as u64 - 2 + ahead, [EventBody::Resumed]).into());
        let results = join_all([late(0), late(1), late(2)]).await;
        if !matches!(results.first(), Some(Err(JournalError::Fenced { .. }))) || results.iter().any(Result::is_ok) {
            return Err(format!("a former owner appended: {results:?}"));
        }
        expect_events(&**former, &run, &events)?;
    }
    Ok(())
}

/// Takes a run over and appends one event after the other.
async fn take(journal: &dyn Journal, run: &RunId, events: &mut Vec<Event>, count: u64) -> Result<(), String> {
    let found = journal.load(run).map_err(|error| error.to_string())?.len() as u64;
    for seq in found + 1..=found + count {
        let one = numbered(seq, [EventBody::OwnerChanged { host: format!("owner of {seq}").into() }]);
        append(journal, run, &one).await?;
        events.extend(one);
    }
    Ok(())
}
