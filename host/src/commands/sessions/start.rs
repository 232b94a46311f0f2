//! Has what is due of a session called: by the service, else here.

use std::sync::Arc;

use engine::event::RunOutcome;
use engine::ports::Journal;
use engine::shell::{RunEnd, RunReport};
use journal::SqliteJournal;
use serde_json::{Value, json};

use super::write;
use crate::cli::SocketArgs;
use crate::commands::drive;
use crate::commands::session::Session;
use crate::config::Config;
use crate::exit::Problem;
use crate::output::Output;
use crate::program;
use crate::roles::RoleAgents;
use crate::serve::client::Client;
use crate::serve::protocol::Request;
use crate::sessions::{self, HookRun};

/// Starts what is due, and says of each run which one it is. Without a service they are driven here, one after the other;
/// what becomes of them changes nothing about the session.
pub(super) fn due(
    output: Output,
    config: &Config,
    at: &SocketArgs,
    journal: &Arc<SqliteJournal>,
    id: &str,
) -> Result<Vec<Value>, Problem> {
    let session = sessions::find(&journal.reader(), id)?;
    let runs = sessions::due(&session)?;
    let documents = runs.iter().map(|run| json!({ "hook": run.name, "run": &*run.id.0 })).collect();
    let service = Client::connect(config, at.socket.as_deref()).and_then(|mut client| client.ask(&Request::Wake));
    if service.is_ok() {
        for run in &runs {
            output.note(&format!("run {} calls `{}`", run.id, run.name));
        }
        return Ok(documents);
    }
    for run in &runs {
        call(output, config, journal, run)?;
    }
    for note in sessions::done(&session) {
        write(journal, note)?;
    }
    Ok(documents)
}

/// Calls a handler here and says how it went.
fn call(output: Output, config: &Config, journal: &Arc<SqliteJournal>, run: &HookRun) -> Result<(), Problem> {
    if journal.reader().find(&run.id.0).is_ok_and(|row| row.id == run.id) {
        // It was started before, by whoever noted it no more.
        return Ok(());
    }
    let program = program::unpack(&**journal, run.program)?;
    let plan = Arc::new(program::plan(&program)?);
    let roles = RoleAgents::resumed(config, &plan, program.roles, |digest| Ok(journal.blob(digest)?))?;
    let mut session = Session::open(config, Arc::clone(journal), None, roles.agents)?;
    session.load(program.world.bytes.values().chain(roles.bytes.values()))?;
    let (report, _) = drive::carry(output, &session, drive::Begin::New(Box::new(run.new_run(plan)?)))?;
    tell(output, run, &report);
    Ok(())
}

fn tell(output: Output, run: &HookRun, report: &RunReport) {
    let (id, name) = (&run.id, &run.name);
    match &report.outcome {
        RunEnd::Finished(RunOutcome::Succeeded(_)) => output.note(&format!("run {id}: `{name}` was called")),
        RunEnd::Finished(RunOutcome::Failed { failure, .. }) => {
            let message = format!("`{name}` failed: {}: {}", failure.kind, failure.message);
            output.problem(&Problem::usage(message).help(format!("`host retry {id}` calls it again")));
        }
        RunEnd::Finished(RunOutcome::Cancelled) => output.note(&format!("run {id}: `{name}` was cancelled")),
        RunEnd::Paused { .. } | RunEnd::Leaves(_) => {
            output.note(&format!("run {id}: `{name}` has not ended; go on with `host resume {id}`"))
        }
        RunEnd::StoreFailed(error) => output.problem(&Problem::from(error.clone())),
    }
}
