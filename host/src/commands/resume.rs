//! `host resume`: goes on with a run from what the store has of it.

use std::sync::Arc;
use std::time::Duration;

use engine::event::{Amounts, Decision, Payload, TaskId};
use engine::ports::{Journal, Order, Signal};
use engine::shell::TakeOver;
use journal::{RunRow, RunStatus, SqliteJournal};
use lang::plan::Plan;
use serde_json::json;

use crate::cli::{Global, ResumeArgs};
use crate::commands::control::{self, Answer, Post};
use crate::commands::session::{self, Session};
use crate::commands::{drive, signal};
use crate::config::{Config, parse_duration, parse_size};
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::roles::RoleAgents;
use crate::stored::StoredRun;

/// How long an order to a living owner is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Goes on with a run that nobody drives, and waits for the end. One that is driven elsewhere gets what was given.
pub(crate) fn run(output: Output, global: &Global, args: &ResumeArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let decisions = decisions(args)?;
    let reader = session::open_reader(&config)?;
    let row = reader.find(&args.run)?;
    let journal = session::open_store(&config, args.durability)?;
    if !args.take_over && !row.status.is_end() && config.is_driven(&journal, &row.owner) {
        return wake(output, &config, &journal, &row, (args, decisions));
    }
    let taken = Taken { decisions, signals: args.signals.clone(), parallel: args.parallel, runs: true, ..Taken::default() };
    match begin(output, &config, &journal, &row, taken)? {
        Ok((session, begin)) => drive::drive(output, &config, session, begin),
        Err(exit) => Ok(exit),
    }
}

/// What a run is given when it is taken over.
#[derive(Default)]
pub(crate) struct Taken {
    /// What becomes of it first.
    pub(crate) how: TakeOver,
    /// About steps whose outcome is not known.
    pub(crate) decisions: Vec<(TaskId, Decision)>,
    /// `NAME=JSON`
    pub(crate) signals: Vec<String>,
    /// Attempts that run at the same time.
    pub(crate) parallel: Option<u32>,
    /// Whether steps may run: then the components are made ready.
    pub(crate) runs: bool,
}

/// Makes the plan again and everything that runs it. When the program does not compile, the exit code says so.
pub(crate) fn begin(
    output: Output,
    config: &Config,
    journal: &Arc<SqliteJournal>,
    row: &RunRow,
    taken: Taken,
) -> Result<Result<(Session, drive::Begin), Exit>, Problem> {
    let stored = StoredRun::outline(journal, &row.id)?;
    if stored.has_ended() {
        return Err(Problem::usage(format!("run `{}` has ended", row.id)).help(format!("`host show {}` prints how", row.id)));
    }
    let (program, plans) = match stored.compile(output, journal)? {
        Ok(compiled) => compiled,
        Err(exit) => return Ok(Err(exit)),
    };
    let plan = plans.current();
    let signals = signals(&taken.signals, plan)?;
    let roles = RoleAgents::resumed(config, plan, program.roles, |digest| Ok(journal.blob(digest)?))?;
    let mut session = Session::open(config, Arc::clone(journal), taken.parallel, roles.agents)?;
    if taken.runs {
        session.load(program.world.bytes.values().chain(roles.bytes.values()))?;
    }
    let (id, how, decisions) = (row.id.clone(), taken.how, taken.decisions);
    Ok(Ok((session, drive::Begin::Resumed { id, plans, how, decisions, signals })))
}

/// Gives whoever drives a run, or is to, what was given here.
fn wake(
    output: Output,
    config: &Config,
    journal: &SqliteJournal,
    row: &RunRow,
    (args, decisions): (&ResumeArgs, Vec<(TaskId, Decision)>),
) -> Result<Exit, Problem> {
    let migrations = Some(StoredRun::outline(journal, &row.id)?.migrated());
    let decide = |(task, decision)| Order::Decide { task, migrations, decision };
    let mut orders: Vec<Order> = decisions.into_iter().map(decide).collect();
    orders.extend((row.status == RunStatus::Paused).then_some(Order::Resume));
    // What only hosts of a cluster write is taken over as one of them.
    let servers = if config.is_left_to_hosts(journal) { " --nats URL" } else { "" };
    let take_over = format!("`host resume {} --take-over{servers}`", row.id);
    if orders.is_empty() && args.signals.is_empty() {
        let (message, help) = match config.driver(journal, &row.owner) {
            Some(owner) => (
                format!("run `{}` is being driven by `{owner}`", row.id),
                format!("it needs no resume; where that process hangs, {take_over} takes the run away from it"),
            ),
            None => (
                format!("run `{}` is left to the hosts of its cluster", row.id),
                format!("it needs no resume; where none of them takes it over, {take_over} does"),
            ),
        };
        return Err(Problem::usage(message).help(help));
    }
    for text in &args.signals {
        let (name, value) = parts(text);
        signal::send(journal, row, name, value)?;
    }
    let posts = orders.into_iter().map(|order| Post::send(journal, row, control::control(order), PATIENCE));
    let posts: Vec<Post> = posts.collect::<Result<_, _>>()?;
    let reader = session::open_reader(config)?;
    let unheard = |message: String| {
        Problem::new(Exit::Waiting, message).help(format!("{take_over} takes the run over, with what was left for it"))
    };
    for post in posts {
        match post.answer(&reader, journal, config)? {
            Answer::Taken => {}
            Answer::Refused(reason) => return Err(Problem::usage(format!("run `{}` does not take it: {reason}", row.id))),
            Answer::Ended(row) => return Err(Problem::usage(format!("run `{}` has ended meanwhile: {}", row.id, row.status))),
            Answer::Abandoned => return Err(unheard(format!("nobody drives run `{}` any more", row.id))),
            Answer::None => return Err(unheard(post.unanswered(config, journal))),
        }
    }
    // Whoever took it may have taken the run over for that.
    let row = reader.find(&row.id.0)?;
    let owner = config.driver(journal, &row.owner);
    let line = match owner {
        Some(owner) => format!("run {} goes on, driven by `{owner}`", row.id),
        None => format!("run {} is left to the hosts of its cluster", row.id),
    };
    output.document(&json!({ "run": &*row.id.0, "status": "running", "owner": owner, "message": line }), || line.clone());
    Ok(Exit::Done)
}

fn decisions(args: &ResumeArgs) -> Result<Vec<(TaskId, Decision)>, Problem> {
    let mut all: Vec<(TaskId, Decision)> = args.retry.iter().map(|text| retry(text)).collect::<Result<_, _>>()?;
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

/// `TASK`, or `TASK=memory:512MiB,timeout:2m,fuel:1000`.
fn retry(text: &str) -> Result<(TaskId, Decision), Problem> {
    let form = "--retry TASK[=LIMIT:AMOUNT,…]";
    if !text.contains('=') {
        let (task, _) = split(form, &format!("{text}="))?;
        return Ok((task, Decision::Retry(Amounts::default())));
    }
    let (task, limits) = split(form, text)?;
    let mut amounts = Amounts::default();
    for limit in limits.split(',') {
        let amount = limit.split_once(':');
        match amount {
            Some(("memory", size)) => amounts.memory = Some(parse_size(size)?),
            Some(("timeout", time)) => {
                amounts.timeout = Some(u64::try_from(parse_duration(time)?.as_nanos()).unwrap_or(u64::MAX));
            }
            Some(("fuel", fuel)) => {
                let fuel =
                    fuel.replace('_', "").parse().map_err(|_| Problem::usage(format!("`{fuel}` is not an amount of fuel")))?;
                amounts.fuel = Some(fuel);
            }
            _ => {
                return Err(Problem::usage(format!("`{limit}` is not a limit"))
                    .help("write `memory:512MiB`, `timeout:2m` or `fuel:1000`, with commas between them"));
            }
        }
    }
    Ok((task, Decision::Retry(amounts)))
}

/// Signals that are given at once: nobody else has them, so they need no id.
fn signals(texts: &[String], plan: &Plan) -> Result<Vec<Signal>, Problem> {
    let signal = |text: &String| {
        let (name, value) = parts(text);
        let payload = signal::check(plan, name, value)?;
        Ok(Signal { name: name.into(), id: "".into(), payload: payload.into() })
    };
    texts.iter().map(signal).collect()
}

/// A signal's name and what it carries.
fn parts(text: &str) -> (&str, Option<&str>) {
    text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value)))
}

fn split<'a>(form: &str, text: &'a str) -> Result<(TaskId, &'a str), Problem> {
    let wrong = || Problem::usage(format!("`{text}` is not of the form `{form}`"));
    let (task, rest) = text.split_once('=').ok_or_else(wrong)?;
    Ok((TaskId(task.parse().map_err(|_| wrong())?), rest))
}
