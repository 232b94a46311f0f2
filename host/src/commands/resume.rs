//! `host resume`: goes on with a run from what the store has of it.

use engine::event::{Decision, Payload, TaskId};
use engine::ports::{Journal, Signal};
use lang::plan::Plan;

use crate::cli::{Global, ResumeArgs};
use crate::commands::session::{self, Session};
use crate::commands::{drive, signal};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::owner;
use crate::roles::RoleAgents;
use crate::stored::StoredRun;

/// Makes the plan again, replays the journal, and waits for the end.
pub(crate) fn run(output: Output, global: &Global, args: &ResumeArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let decisions = decisions(args)?;
    let reader = session::open_reader(&config)?;
    let row = reader.find(&args.run)?;
    if !args.take_over && !row.status.is_end() && owner::is_alive(&config.store.path, &row.owner) {
        let message = format!("run `{}` is being driven by `{}`", row.id, row.owner);
        return Err(Problem::usage(message).help(format!(
            "it needs no resume; where that process hangs, `host resume {} --take-over` takes the run away from it",
            row.id
        )));
    }
    let journal = session::open_store(&config, args.durability)?;
    let stored = StoredRun::load(&journal, &row.id)?;
    if stored.has_ended() {
        return Err(Problem::usage(format!("run `{}` has ended", row.id)).help(format!("`host show {}` prints how", row.id)));
    }
    let (program, plans) = match stored.compile(output, &journal)? {
        Ok(compiled) => compiled,
        Err(exit) => return Ok(exit),
    };
    let plan = plans.current();
    let signals = signals(args, plan)?;
    let roles = RoleAgents::resumed(&config, plan, program.roles, |digest| Ok(journal.blob(digest)?))?;
    let mut session = Session::open(&config, journal, args.parallel, roles.agents)?;
    session.load(program.world.bytes.values().chain(roles.bytes.values()))?;
    drive::drive(output, &session, drive::Begin::Resumed { id: row.id, plans, decisions, signals })
}

fn decisions(args: &ResumeArgs) -> Result<Vec<(TaskId, Decision)>, Problem> {
    let mut all: Vec<(TaskId, Decision)> = args.retry.iter().map(|task| (TaskId(*task), Decision::Retry)).collect();
    for text in &args.supply {
        let (task, value) = split("--supply TASK=JSON", text)?;
        let document: serde_json::Value =
            serde_json::from_str(value).map_err(|error| Problem::new(Exit::Input, format!("`{value}` is not JSON: {error}")))?;
        all.push((task, Decision::Supply(Payload::Text(document.to_string().into()))));
    }
    for text in &args.fail {
        let (task, message) = split("--fail TASK=MESSAGE", text)?;
        all.push((task, Decision::Fail(message.to_owned())));
    }
    Ok(all)
}

/// Signals that are given at once: nobody else has them, so they need no id.
fn signals(args: &ResumeArgs, plan: &Plan) -> Result<Vec<Signal>, Problem> {
    let signal = |text: &String| {
        let (name, value) = text.split_once('=').map_or((text.as_str(), None), |(name, value)| (name, Some(value)));
        let payload = signal::check(plan, name, value)?;
        Ok(Signal { name: name.into(), id: "".into(), payload: payload.into() })
    };
    args.signals.iter().map(signal).collect()
}

fn split<'a>(form: &str, text: &'a str) -> Result<(TaskId, &'a str), Problem> {
    let wrong = || Problem::usage(format!("`{text}` is not of the form `{form}`"));
    let (task, rest) = text.split_once('=').ok_or_else(wrong)?;
    Ok((TaskId(task.parse().map_err(|_| wrong())?), rest))
}
