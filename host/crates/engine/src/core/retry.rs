//! What a retry of a run takes over from it, and what it runs again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lang::plan::Plan;

use super::action::ReplayError;
use super::driver::Run;
use super::lineage::Lineage;
use super::migrate::current_events;
use super::place::{After, Place};
use super::state::History;
use crate::event::{Event, EventBody, Origin, Payload, Reusable, RunId, RunOutcome};

/// A run that is to be retried, looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Retry {
    /// What the new run takes over.
    pub origin: Origin,
    /// What had an effect, and runs again all the same, in the order in which it was done.
    pub again: Vec<Again>,
    /// So many results are not taken over.
    pub dropped: usize,
}

/// A step with an effect that had succeeded and is to run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// Its path.
    pub path: Arc<str>,
    /// Whether its effect was taken back.
    pub undone: bool,
}

/// Why a run cannot be retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryError {
    /// Its journal cannot be read.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// It goes on, or can.
    #[error("run `{0}` has not ended")]
    NotEnded(RunId),
    /// Nothing failed, and no node is named.
    #[error("run `{0}` succeeded: nothing of it has to run again")]
    Succeeded(RunId),
    /// No node of the plan has this path.
    #[error("the flow has no node `{0}`")]
    NoSuchNode(String),
    /// Nothing at or after this path has begun.
    #[error("run `{run}` never came to `{path}`")]
    NotReached {
        /// The run.
        run: RunId,
        /// What was named.
        path: String,
    },
}

/// Says what a retry takes over of the run with these events: every result but those at or after the paths in `from`, and
/// those at or after what was taken back. What failed has no result, so it runs again by itself.
///
/// # Errors
/// The run has not ended, or a path is not one of it.
pub fn retry(lineage: &Lineage, id: &RunId, events: &[Event], from: &[String]) -> Result<Retry, RetryError> {
    let plan = lineage.current();
    let events = &*current_events(lineage, id, events)?;
    let succeeded = match events.last().map(|event| &event.body) {
        Some(EventBody::RunEnded { outcome }) => matches!(outcome, RunOutcome::Succeeded(_)),
        _ => return Err(RetryError::NotEnded(id.clone())),
    };
    if succeeded && from.is_empty() {
        return Err(RetryError::Succeeded(id.clone()));
    }
    let mut run = Run::new(Arc::clone(plan), id.clone(), "".into());
    run.state.keep_history();
    run.read(events, &mut |_, _| {})?;
    let history = run.state.take_history();
    let named = named(plan, id, events, &history, from)?;
    let undone = history.undone.keys().flat_map(|path| Place::find(plan, path));
    let after = After::new(plan, named.into_iter().chain(undone));
    let (mut results, mut again, mut dropped) = (BTreeMap::new(), Vec::new(), 0);
    for (order, done) in history.done.iter().enumerate() {
        let places = Place::find(plan, &done.path);
        let valid = done.whole && !places.is_empty() && !places.iter().any(|place| place.is_undo() || after.contains(place));
        if valid {
            let output = Payload::Value(done.value.clone());
            results.insert(&done.path, (order, Reusable { path: Arc::clone(&done.path), key: done.key, output }));
        } else if !places.iter().any(Place::is_undo) {
            dropped += 1;
            if done.effect {
                again.push(Again { path: Arc::clone(&done.path), undone: was_undone(&history, &done.path) });
            }
        }
    }
    let mut results: Vec<(usize, Reusable)> = results.into_values().collect();
    results.sort_by_key(|(order, _)| *order);
    let results = results.into_iter().map(|(_, result)| result).collect();
    let origin = Origin { run: id.clone(), from: from.to_vec(), repeats: false, results };
    Ok(Retry { origin, again, dropped })
}

/// The places that are named, each of which the run has come to.
fn named(plan: &Plan, id: &RunId, events: &[Event], history: &History, from: &[String]) -> Result<Vec<Place>, RetryError> {
    let mut all = Vec::new();
    if from.is_empty() {
        return Ok(all);
    }
    let begun: BTreeSet<&str> = events.iter().filter_map(attempted).chain(history.done.iter().map(|done| &*done.path)).collect();
    let begun: Vec<Place> = begun.into_iter().flat_map(|path| Place::find(plan, path)).collect();
    for path in from {
        let places = Place::find(plan, path);
        if places.is_empty() {
            return Err(RetryError::NoSuchNode(path.clone()));
        }
        let after = After::new(plan, places.iter().cloned());
        if !begun.iter().any(|place| after.contains(place)) {
            return Err(RetryError::NotReached { run: id.clone(), path: path.clone() });
        }
        all.extend(places);
    }
    Ok(all)
}

/// The path of a step of which an attempt ended or began.
fn attempted(event: &Event) -> Option<&str> {
    match &event.body {
        EventBody::AttemptStarted { attempt, .. }
        | EventBody::AttemptSucceeded { attempt, .. }
        | EventBody::AttemptFailed { attempt, .. }
        | EventBody::AttemptCancelled { attempt, .. }
        | EventBody::OutcomeUnknown { attempt, .. }
        | EventBody::MessageSent { attempt } => Some(&attempt.path),
        EventBody::RunEnded { outcome: RunOutcome::Failed { path, .. } } => Some(path),
        _ => None,
    }
}

/// Whether what a step did was taken back, by its own compensation or one of a node around it.
fn was_undone(history: &History, path: &str) -> bool {
    history.undone.iter().any(|(undone, done)| {
        *done && path.strip_prefix(&**undone).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[', '.']))
    })
}
