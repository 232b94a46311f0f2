//! `host retry`: a new run that takes over what an ended one has done, as far as it is still valid.

use std::sync::Arc;

use engine::core::{Again, Retry, RetryError};
use engine::shell::NewRun;

use crate::cli::{Global, RetryArgs};
use crate::commands::session::{self, Session};
use crate::commands::{drive, run};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::roles::RoleAgents;
use crate::stored::StoredRun;
use crate::trace;

/// Looks at the old run, starts the new one, and waits for its end.
pub(crate) fn run(output: Output, global: &Global, args: &RetryArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let row = session::open_reader(&config)?.find(&args.run)?;
    let journal = session::open_store(&config, args.durability)?;
    let stored = StoredRun::load(&journal, &row.id)?;
    if !stored.has_ended() {
        return Err(problem(RetryError::NotEnded(row.id)));
    }
    let (packed, plans) = match stored.compile(output, &journal)? {
        Ok(compiled) => compiled,
        Err(exit) => return Ok(exit),
    };
    let mut retry = engine::core::retry(&plans, &row.id, &stored.events, &args.from).map_err(problem)?;
    retry.origin.repeats = args.yes;
    tell(output, &retry);
    check_repeats(&retry, args)?;
    let plan = Arc::clone(plans.current());
    let input = stored.input(&plan)?;
    let roles = RoleAgents::resumed(&config, &plan, packed.roles, |digest| Ok(engine::ports::Journal::blob(&*journal, digest)?))?;
    let mut session = Session::open(&config, journal, args.parallel, roles.agents)?;
    session.load(packed.world.bytes.values().chain(roles.bytes.values()))?;
    // A retry of a plan's run is a run of its own: no other one waits for it.
    let program = stored.version().program;
    let mut labels = stored.started.labels;
    labels.retain(|(key, _)| !matches!(key.as_str(), "parent" | "parent-step"));
    let new = NewRun {
        id: run::new_id(),
        plan,
        program,
        input,
        labels,
        permitted: stored.started.permitted,
        origin: Some(Box::new(retry.origin)),
        trace: trace::given(),
    };
    drive::drive(output, &config, session, drive::Begin::New(Box::new(new)))
}

/// Says what is taken over, and each effect that happens again.
fn tell(output: Output, retry: &Retry) {
    let Retry { origin, again, dropped } = retry;
    output.note(&format!("retries run {}: {} results are reused, {dropped} are not", origin.run, origin.results.len()));
    for Again { path, undone } in again {
        let why = if *undone { "its effect was taken back" } else { "its effect happens once more" };
        output.note(&format!("runs again: {path} ({why})"));
    }
}

/// An effect that was not taken back only happens again when the operator says so.
fn check_repeats(retry: &Retry, args: &RetryArgs) -> Result<(), Problem> {
    const MOST: usize = 5;
    let repeated: Vec<String> =
        retry.again.iter().filter(|again| !again.undone).map(|again| format!("`{}`", again.path)).collect();
    if args.yes || repeated.is_empty() {
        return Ok(());
    }
    let more = if repeated.len() > MOST { ", …" } else { "" };
    let shown = repeated.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!("{} that had succeeded would have their effects once more: {shown}{more}", counted(repeated.len()));
    Err(Problem::usage(message).help("look at what they did; add `--yes` to run them again"))
}

fn counted(steps: usize) -> String {
    if steps == 1 { "1 step".to_owned() } else { format!("{steps} steps") }
}

fn problem(error: RetryError) -> Problem {
    let message = error.to_string();
    match error {
        RetryError::Replay(_) => Problem::new(Exit::Store, message),
        RetryError::NotEnded(run) => Problem::usage(message).help(format!(
            "`host resume {run}` goes on with it, and keeps every result; a step that has not started need not be retried"
        )),
        RetryError::Succeeded(_) => Problem::usage(message).help("name what is to run again with `--from PATH`"),
        RetryError::NoSuchNode(_) => {
            Problem::usage(message).help("write the path as `host show` prints it, such as `main/items[3]/text.profile`")
        }
        RetryError::NotReached { .. } => {
            Problem::usage(message).help("it runs anyway when the new run comes to it; leave it out")
        }
    }
}
