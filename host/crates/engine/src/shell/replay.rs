//! The state of a run out of its journal.

use std::sync::Arc;

use super::{EngineError, Parts};
use crate::core::{Lineage, ReplayError, Run};
use crate::event::{Event, EventBody, RunId};
use crate::ports::JournalError;

/// Makes the state of a run. Its events are read one at a time, unless it was migrated: then they are numbered anew, and all
/// are needed at once.
pub(super) fn replay(parts: &Parts, lineage: &Lineage, id: &RunId) -> Result<Run, EngineError> {
    let mut run = Run::new(Arc::clone(lineage.current()), id.clone(), Arc::clone(&parts.config.host));
    hold(parts, &mut run);
    let mut migrated = lineage.plans().count() > 1;
    let mut problem = None;
    parts.journal.read(id, &mut |event| {
        migrated |= matches!(event.body, EventBody::Migrated(_));
        if migrated {
            return false;
        }
        let followed = check_plans(lineage, id, std::slice::from_ref(&event)).and_then(|()| Ok(run.follow(&event)?));
        problem = followed.err();
        problem.is_none()
    })?;
    match problem {
        Some(problem) => Err(run.lost_values().map_or(problem, |what| JournalError::Unavailable(what).into())),
        None if migrated => replay_migrated(parts, lineage, id),
        None if run.has_begun() => Ok(run),
        None => Err(ReplayError::Empty.into()),
    }
}

fn replay_migrated(parts: &Parts, lineage: &Lineage, id: &RunId) -> Result<Run, EngineError> {
    let events = parts.journal.load(id)?;
    check_plans(lineage, id, &events)?;
    let mut run = Run::replay_lineage(lineage, id.clone(), Arc::clone(&parts.config.host), &events)?;
    hold(parts, &mut run);
    Ok(run)
}

/// Gives a run its vault, once: what it has put away belongs to that one.
pub(super) fn hold(parts: &Parts, run: &mut Run) {
    if let Some(vault) = parts.journal.vault() {
        run.hold_in(vault);
    }
}

/// The plans must be those that the run was started with and migrated to.
fn check_plans(lineage: &Lineage, id: &RunId, events: &[Event]) -> Result<(), EngineError> {
    let stored = events.iter().filter_map(|event| match &event.body {
        EventBody::RunStarted(started) => Some(started.plan),
        EventBody::Migrated(migrated) => Some(migrated.to.plan),
        _ => None,
    });
    for (stored, plan) in stored.zip(lineage.plans()) {
        let given = plan.digest();
        if stored != given {
            return Err(EngineError::OtherPlan { run: id.clone(), stored, given });
        }
    }
    Ok(())
}
