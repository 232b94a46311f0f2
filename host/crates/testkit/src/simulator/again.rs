//! A run that has ended is retried: what it had done is taken over, and the new one comes to the same.

use std::collections::BTreeSet;

use engine::core::retry;
use engine::event::{Origin, RunId, RunOutcome};

use super::outside::Outside;
use super::versions::Versions;
use super::{disturbed, settled, told};

/// Retries a run, with crashes.
pub(super) fn retried(calm: &Outside, ended: &Outside, random: &mut fastrand::Rng, ticks: u64) -> Result<Outside, String> {
    let failed = matches!(ended.outcome(), Some(RunOutcome::Failed { .. }));
    let mut from = Vec::new();
    if !failed || random.bool() {
        from.extend(random.choice(ended.wishes.as_slice()).map(|(path, _)| path.to_string()));
    }
    let looked = retry(&ended.versions.lineage, &RunId("simulated".into()), &ended.durable, &from);
    let mut origin = looked.map_err(|error| format!("it cannot be retried: {error}"))?.origin;
    origin.repeats = random.bool();
    let shape = ended.versions.shape();
    let mut again = Outside::new(ended.seed, Versions::new(ended.seed, ended.versions.steps(), shape));
    again.features.note("retried run");
    if !from.is_empty() {
        again.features.note("retried from a node");
    }
    let other_input = random.bool();
    if other_input {
        again.features.note("retried with other input");
        again.input = ended.input + 1;
    } else {
        again.input = ended.input;
    }
    again.bug = ended.bug;
    again.expect_rest(ended, &origin);
    again.origin = Some(origin);
    disturbed(&mut again, random, ticks, false)?;
    check(calm, &again)?;
    if other_input && !again.has_run("main/racylate") {
        return Err("`main/racylate` did not run though its argument is another one".to_owned());
    }
    Ok(again)
}

fn check(calm: &Outside, again: &Outside) -> Result<(), String> {
    let (wanted, found) = (told(calm), told(again));
    if wanted != found {
        return Err(format!("the retried run came to {found:?} instead of {wanted:?}"));
    }
    let known: BTreeSet<String> = settled(calm).into_iter().collect();
    match settled(again).into_iter().find(|line| line.contains(" gave ") && !known.contains(line)) {
        Some(line) => Err(format!("in the retried run {line}")),
        None => Ok(()),
    }
}

impl Outside {
    /// What was waited for and is taken over does not come again; what the run had sent itself is still on its way.
    fn expect_rest(&mut self, ended: &Self, origin: &Origin) {
        let reused: BTreeSet<&str> = origin.results.iter().filter_map(|result| result.path.strip_prefix("main/")).collect();
        for (inbox, before) in self.inboxes.iter_mut().zip(&ended.inboxes) {
            inbox.take_over(before, &reused);
        }
    }
}
