//! `host session close`: lets no run begin in a session any more, waits for those that have not ended, and has the hooks of its
//! end called. A close that was interrupted leaves the session `closing`, and is repeated.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::ports::Order;
use journal::{RunRow, SessionStatus, SessionWrite, SqliteJournal};
use serde_json::json;

use super::{start, write};
use crate::cli::{SessionCloseArgs, SocketArgs};
use crate::commands::{control, session};
use crate::config::{Config, parse_duration};
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::sessions;

/// How often it is looked whether runs have ended.
const LOOK: Duration = Duration::from_millis(100);

/// How long runs may take that are cancelled, unless something else is said.
const PATIENCE: Duration = Duration::from_secs(30);

/// Closes a session.
pub(super) fn run(output: Output, config: &Config, at: &SocketArgs, args: &SessionCloseArgs) -> Result<Exit, Problem> {
    let timeout = args.timeout.as_deref().map(parse_duration).transpose()?;
    let found = sessions::find(&session::open_reader(config)?, &args.session)?;
    let id = &found.id;
    if found.status == SessionStatus::Closed {
        return Err(Problem::usage(format!("the session `{id}` is closed already")));
    }
    let journal = session::open_store(config, None)?;
    let reader = journal.reader();
    write(&journal, SessionWrite::Close(id.clone()))?;
    // What was to be called at its beginning is a part of it.
    if found.starting {
        start::due(output, config, at, &journal, id)?;
        if !wait(timeout.or(Some(PATIENCE)), || Ok(!sessions::find(&reader, id)?.starting))? {
            let message = format!("the hooks of the start of session `{id}` have not been started, so it is not closed yet");
            return Err(Problem::new(Exit::Waiting, message).help("the log of the service says why; then close it again"));
        }
    }
    let live = sessions::live(&reader, id)?;
    if !live.is_empty() {
        if !args.cancel && !args.wait {
            // One that somebody else is closing stays so.
            if found.status == SessionStatus::Open {
                write(&journal, SessionWrite::Reopen(id.clone()))?;
            }
            return Err(sessions::busy(id, live.len()));
        }
        if !end(output, config, &journal, (id, live), args, timeout)? {
            let left = sessions::live(&reader, id)?;
            output.problem(&unended(id, &left));
            return Ok(Exit::Waiting);
        }
    }
    write(&journal, SessionWrite::Closed(id.clone()))?;
    let hooks = start::due(output, config, at, &journal, id)?;
    output.document(&json!({ "session": id, "hooks": hooks }), || format!("session {id} is closed"));
    Ok(Exit::Done)
}

/// Whether all runs have ended in time.
fn end(
    output: Output,
    config: &Config,
    journal: &Arc<SqliteJournal>,
    (id, live): (&str, Vec<RunRow>),
    args: &SessionCloseArgs,
    timeout: Option<Duration>,
) -> Result<bool, Problem> {
    let reader = journal.reader();
    let timeout = if args.cancel { Some(timeout.unwrap_or(PATIENCE)) } else { timeout };
    if args.cancel {
        let order = Order::Cancel { reason: format!("session {id} is closed"), gently: true };
        for line in control::give(output, config, (&reader, journal), live, &order, timeout)? {
            output.note(&line);
        }
    } else {
        output.note(&format!("waiting for {}", counted(&live)));
    }
    wait(timeout, || Ok(sessions::live(&reader, id)?.is_empty()))
}

/// Whether it is so in time.
fn wait(timeout: Option<Duration>, mut is_so: impl FnMut() -> Result<bool, Problem>) -> Result<bool, Problem> {
    let begun = Instant::now();
    loop {
        if is_so()? {
            return Ok(true);
        }
        if timeout.is_some_and(|timeout| begun.elapsed() >= timeout) {
            return Ok(false);
        }
        std::thread::sleep(LOOK);
    }
}

fn unended(id: &str, left: &[RunRow]) -> Problem {
    let runs: Vec<String> = left.iter().map(|row| format!("`{}` ({})", row.id, row.status)).collect();
    Problem::new(Exit::Waiting, format!("the session `{id}` is closing, and these runs have not ended: {}", runs.join(", ")))
        .help(format!("`host why RUN` says what one waits for; then `host session close {id} --wait` or `--cancel` again"))
}

fn counted(live: &[RunRow]) -> String {
    if live.len() == 1 { "1 run".to_owned() } else { format!("{} runs", live.len()) }
}
