//! Whether a run can go on with another plan.

use std::fmt;
use std::sync::Arc;

use engine::core::{Fit, Incompatible, Lineage, ReplayError, check_migration};
use engine::event::RunId;
use journal::SqliteJournal;
use lang::plan::Plan;
use serde_json::{Value, json};

use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::stored::StoredRun;

/// What replaying a run against another plan says.
pub(crate) enum Verdict {
    /// It fits.
    Fits(Fit),
    /// It does not.
    Refused(Incompatible),
    /// Nobody can say: the run itself cannot be read.
    Unknown(String),
}

/// Replays a run against a plan.
pub(crate) fn check(stored: &StoredRun, plans: &Lineage, plan: &Arc<Plan>) -> Result<Verdict, Problem> {
    match check_migration(plans, &stored.id, &stored.events, plan) {
        Ok(Ok(fit)) => Ok(Verdict::Fits(fit)),
        Ok(Err(incompatible)) => Ok(Verdict::Refused(incompatible)),
        Err(error) => Err(unreadable(&stored.id, &error)),
    }
}

/// The same of a run that may be damaged.
pub(crate) fn of_run(output: Output, journal: &SqliteJournal, id: &RunId, plan: &Arc<Plan>) -> Verdict {
    let checked = || -> Result<Verdict, Problem> {
        let stored = StoredRun::load(journal, id)?;
        match stored.compile(output, journal)? {
            Ok((_, plans)) => check(&stored, &plans, plan),
            Err(_) => Err(Problem::new(Exit::Store, "its own program does not compile any more")),
        }
    };
    checked().unwrap_or_else(|problem| Verdict::Unknown(problem.message))
}

fn unreadable(id: &RunId, error: &ReplayError) -> Problem {
    Problem::new(Exit::Store, format!("run `{id}` does not fit its own program: {error}"))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fits(Fit { from: None }) => f.write_str("compatible"),
            Self::Fits(Fit { from: Some(path) }) => write!(f, "compatible from {path} on"),
            Self::Refused(why) => write!(f, "not compatible: {why}"),
            Self::Unknown(why) => write!(f, "not known: {why}"),
        }
    }
}

impl Verdict {
    /// For programs.
    pub(crate) fn document(&self, run: &RunId) -> Value {
        match self {
            Self::Fits(Fit { from }) => json!({ "run": &*run.0, "verdict": "compatible", "from": from.as_deref() }),
            Self::Refused(Incompatible { seq, path, reason }) => {
                json!({ "run": &*run.0, "verdict": "not_compatible", "event": seq, "path": path.as_deref(), "reason": reason })
            }
            Self::Unknown(reason) => json!({ "run": &*run.0, "verdict": "unknown", "reason": reason }),
        }
    }
}
