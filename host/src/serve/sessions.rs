//! Opens and closes sessions for those who ask over the socket, and starts what is called then.

use std::sync::Arc;
use std::time::Duration;

use journal::{SessionRow, SessionStatus, SessionWrite};
use serde_json::{Value, json};

use super::protocol::SessionOpening;
use super::{Parts, submit};
use crate::commands::run;
use crate::exit::Problem;
use crate::sessions::{self, Document};

/// How often sessions are looked for that nobody told of.
const LOOK: Duration = Duration::from_secs(1);

/// When it is tried again after a failure.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens a session. When it says so, the session is in the store; its hooks are called after.
pub(super) async fn open(parts: &Arc<Parts>, opening: SessionOpening) -> Result<Value, Problem> {
    let SessionOpening { document, labels } = opening;
    sessions::refuse_reserved(&labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>())?;
    for hook in &document.hooks {
        let wrong = || Problem::usage(format!("the hook `{}` does not name the digest of a program", hook.handler));
        parts.programs.get(parts, hook.program().ok_or_else(wrong)?).await?;
    }
    let id = run::new_id().0.to_string();
    // What could not be read again is refused before it is written.
    let text = document.write()?;
    Document::read(&id, &text)?;
    parts.journal.write_session(SessionWrite::Open { id: id.clone(), document: text, labels }).await?;
    parts.sessions.notify_one();
    Ok(json!({ "session": id }))
}

/// Closes a session whose runs have ended.
pub(super) async fn close(parts: &Arc<Parts>, session: &str) -> Result<Value, Problem> {
    let found = sessions::find(&parts.reader, session)?;
    let id = || found.id.clone();
    if found.status == SessionStatus::Closed {
        return Err(Problem::usage(format!("the session `{}` is closed already", found.id)));
    }
    parts.journal.write_session(SessionWrite::Close(id())).await?;
    // The runs of its start hooks are runs of it.
    if found.starting {
        start(parts, &found).await?;
    }
    let live = sessions::live(&parts.reader, &found.id)?.len();
    if live > 0 {
        // One that somebody else is closing stays so.
        if found.status == SessionStatus::Open {
            parts.journal.write_session(SessionWrite::Reopen(id())).await?;
        }
        return Err(sessions::busy(&found.id, live));
    }
    parts.journal.write_session(SessionWrite::Closed(id())).await?;
    parts.sessions.notify_one();
    Ok(json!({ "session": found.id }))
}

/// Starts until the service stops.
pub(super) async fn watch(parts: Arc<Parts>) {
    loop {
        let pause = if !parts.leads() || look(&parts).await { LOOK } else { PATIENCE };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = parts.sessions.notified() => {}
            () = parts.stopped() => return,
        }
    }
}

/// Whether all of them could be started. One that cannot holds up no other.
async fn look(parts: &Arc<Parts>) -> bool {
    let pending = match parts.reader.pending_sessions() {
        Ok(pending) => pending,
        Err(error) => {
            parts.log.problem("sessions-failed", &[("why", &error.to_string())]);
            return false;
        }
    };
    let mut all = true;
    for session in pending {
        if parts.is_stopping() {
            return true;
        }
        if let Err(problem) = start(parts, &session).await {
            parts.log.problem("session-failed", &[("session", &session.id), ("why", &problem.message)]);
            all = false;
        }
    }
    all
}

async fn start(parts: &Arc<Parts>, session: &SessionRow) -> Result<(), Problem> {
    for run in sessions::due(session)? {
        let loaded = parts.programs.get(parts, run.program).await?;
        submit::begin(parts, &loaded, run.new_run(Arc::clone(&loaded.plan))?).await?;
        parts.log.note("session-hook", &[("session", &session.id), ("hook", &run.name), ("run", &run.id.0)]);
    }
    for write in sessions::done(session) {
        parts.journal.write_session(write).await?;
    }
    Ok(())
}
