//! Sessions: labels that many runs share, and what a flow calls when one is opened and closed.
//!
//! # Steps
//!
//! 1. Whoever opens or closes a session notes it in the store, with what is to be called.
//! 2. [`due`] says which runs that makes. Their ids follow from the session, so that none starts twice, whoever starts them:
//!    the service, or the command where there is none.
//! 3. [`done`] notes that they have begun. What was not noted is started by the next one who looks.

mod document;
mod hooks;

use journal::{Reader, RunFilter, RunRow, RunStatus, SessionRow, SessionStatus};

pub(crate) use document::{Document, StoredHook};
pub(crate) use hooks::{HookRun, done, due};

use crate::exit::{Exit, Problem};

/// The label that runs have of their session.
pub(crate) const LABEL: &str = "session";

/// The label that says which handler a run calls.
pub(crate) const HOOK_LABEL: &str = "hook";

/// The session with this id, or an unambiguous beginning of it.
pub(crate) fn find(reader: &Reader, id: &str) -> Result<SessionRow, Problem> {
    let mut found = reader.find_sessions(id)?;
    match (found.pop(), found.pop()) {
        (Some(session), None) => Ok(session),
        (Some(_), Some(_)) => Err(Problem::new(Exit::Store, format!("more than one session begins with `{id}`"))),
        _ => Err(Problem::new(Exit::Store, format!("the store has no session `{id}`"))
            .help("`host session list --all` prints all of them")),
    }
}

/// The runs of a session that have not ended.
pub(crate) fn live(reader: &Reader, id: &str) -> Result<Vec<RunRow>, Problem> {
    let statuses = RunStatus::ALL.into_iter().filter(|status| !status.is_end()).collect();
    let labels = vec![(LABEL.to_owned(), Some(id.to_owned()))];
    Ok(reader.runs(&RunFilter { statuses, labels, ..RunFilter::default() })?)
}

/// Why a session with runs that have not ended is not closed.
pub(crate) fn busy(id: &str, live: usize) -> Problem {
    let runs = if live == 1 { "1 run that has".to_owned() } else { format!("{live} runs that have") };
    Problem::usage(format!("the session `{id}` has {runs} not ended")).help(format!(
        "`host session close {id} --wait` waits for the end, `--cancel` cancels; `host ps --label session={id}` prints all of its runs"
    ))
}

/// The labels of a run in a session: its own, and those of the session that it has not.
pub(crate) fn labelled(session: &SessionRow, own: Vec<(String, String)>) -> Result<Vec<(String, String)>, Problem> {
    if session.status != SessionStatus::Open {
        let message = format!("the session `{}` is {}: no run begins in it any more", session.id, session.status.name());
        return Err(Problem::usage(message).help("open another one with `host session open`"));
    }
    refuse_reserved(&own)?;
    let mut labels = own;
    for (key, value) in &session.labels {
        if !labels.iter().any(|(own, _)| own == key) {
            labels.push((key.clone(), value.clone()));
        }
    }
    labels.push((LABEL.to_owned(), session.id.clone()));
    Ok(labels)
}

/// Refuses labels that say something about sessions.
pub(crate) fn refuse_reserved(labels: &[(String, String)]) -> Result<(), Problem> {
    match labels.iter().find(|(key, _)| key == LABEL || key == HOOK_LABEL) {
        Some((key, _)) => {
            Err(Problem::usage(format!("the label `{key}` says which session a run is in, and cannot be given with `--label`"))
                .help("name the session with `--session`"))
        }
        None => Ok(()),
    }
}
