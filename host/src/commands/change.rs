//! `host set` and `host supply`: change what has not begun in a run that goes on.
//!
//! Whoever drives the run makes the change itself, when a letter asks for it; where nobody does, it is made here.

use std::sync::Arc;
use std::time::Duration;

use engine::core::{Action, Input, Lineage, Run};
use engine::event::{Change, Payload, Settings};
use engine::ports::{Clock, Journal, JournalError, Order, SystemClock};
use journal::{Reader, RunRow, SqliteJournal};
use lang::plan::Plan;
use serde_json::{Value, json};

use crate::cli::{Global, SetArgs, SupplyArgs};
use crate::commands::control::{self, Answer, Post};
use crate::commands::session;
use crate::config::{Config, parse_duration, parse_size};
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::stored::StoredRun;

/// How long the owner of a run is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

const KEYS: &str = "`retry`, `backoff`, `timeout`, `deadline`, `priority`, `class`, `memory`, `fuel`";

/// Changes settings of a step, and input.
pub(crate) fn set(output: Output, global: &Global, args: &SetArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    if args.inputs.is_empty() && args.path.is_none() {
        return Err(Problem::usage("nothing is to be changed")
            .help(format!("write `host set RUN PATH KEY=VALUE` with {KEYS}, or `--input NAME=VALUE`")));
    }
    if args.path.is_some() && args.settings.is_empty() {
        return Err(Problem::usage("no setting is given").help(format!("write `KEY=VALUE` with one of {KEYS}")));
    }
    change(output, &config, &args.run, |plan| {
        let mut changes = Vec::new();
        if let Some(path) = &args.path {
            changes.push(Change::Policy { path: path.as_str().into(), settings: settings(&config, plan, &args.settings)? });
        }
        for text in &args.inputs {
            changes.push(input(plan, text)?);
        }
        Ok(changes)
    })
}

/// Gives the result of a step.
pub(crate) fn supply(output: Output, global: &Global, args: &SupplyArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let document: Value = serde_json::from_str(&args.value)
        .map_err(|error| Problem::new(Exit::Input, format!("`{}` is not JSON: {error}", args.value)))?;
    let output_value = Payload::Text(document.to_string().into());
    change(output, &config, &args.run, |_| Ok(vec![Change::Result { path: args.path.as_str().into(), output: output_value }]))
}

/// Checks changes against the run as it stands, and makes them durable, all or none.
fn change(
    output: Output,
    config: &Config,
    run: &str,
    changes: impl FnOnce(&Plan) -> Result<Vec<Change>, Problem>,
) -> Result<Exit, Problem> {
    let reader = session::open_reader(config)?;
    let row = reader.find(run)?;
    let journal = session::open_store(config, None)?;
    let stored = StoredRun::load(&journal, &row.id)?;
    if stored.has_ended() {
        return Err(ended(&row));
    }
    let (_, plans) = match stored.compile(output, &journal)? {
        Ok(compiled) => compiled,
        Err(exit) => return Ok(exit),
    };
    let changes = changes(plans.current())?;
    let told: Vec<String> = changes.iter().map(described).collect();
    let driven = config.is_driven(&journal, &row.owner);
    if driven && order(config, (&reader, &*journal), &row, &changes)? {
        output.document(&json!({ "run": &*row.id.0, "changed": told }), String::new);
        // Whoever made it may have taken the run over for that.
        let row = reader.find(&row.id.0)?;
        let by = match config.driver(&journal, &row.owner) {
            Some(owner) => format!("which `{owner}` drives"),
            None => "which is left to the hosts of its cluster".to_owned(),
        };
        output.note(&format!("changed {} of run {}, {by}", told.join(", "), row.id));
        return Ok(Exit::Done);
    }
    // The owner may have gone on before it went away.
    let stored = if driven { StoredRun::load(&journal, &row.id)? } else { stored };
    record(&journal, &stored, &plans, changes)?;
    output.document(&json!({ "run": &*row.id.0, "changed": told }), String::new);
    output.note(&format!("changed {} of run {}; go on with `host resume {}`", told.join(", "), row.id, row.id));
    Ok(Exit::Done)
}

/// Lets the owner of a run make changes. False when nobody drives it any more.
fn order(
    config: &Config,
    (reader, journal): (&Reader, &SqliteJournal),
    row: &RunRow,
    changes: &[Change],
) -> Result<bool, Problem> {
    let post = Post::send(journal, row, control::control(Order::Change(changes.to_vec())), PATIENCE)?;
    match post.answer(reader, journal, config)? {
        Answer::Taken => Ok(true),
        Answer::Refused(reason) => Err(refused(changes, &reason)),
        Answer::Ended(row) => Err(ended(&row)),
        Answer::Abandoned => {
            post.withdraw(journal)?;
            Ok(false)
        }
        Answer::None => Err(Problem::new(Exit::Waiting, post.unanswered(config, journal))
            .help("the change is made when it goes on; `host events` shows whether it was")),
    }
}

/// Makes changes durable in a run that nobody drives.
fn record(journal: &SqliteJournal, stored: &StoredRun, plans: &Lineage, changes: Vec<Change>) -> Result<(), Problem> {
    let mut replayed = Run::replay_lineage(plans, stored.id.clone(), "".into(), &stored.events)
        .map_err(|error| Problem::new(Exit::Store, error.to_string()))?;
    changes.iter().try_for_each(|change| replayed.check_change(change)).map_err(|reason| refused(&changes, &reason))?;
    let (mut actions, now) = (Vec::new(), SystemClock.now());
    for change in changes {
        replayed.handle(Input::Change(Box::new(change)), now, &mut actions);
    }
    replayed.flush(&mut actions);
    for action in actions {
        if let Action::Append(events) = action {
            futures::executor::block_on(journal.append(&stored.id, events)).map_err(went_on)?;
        }
    }
    Ok(())
}

fn ended(row: &RunRow) -> Problem {
    Problem::usage(format!("run `{}` has ended", row.id)).help(format!("`host retry {}` starts a new one", row.id))
}

fn went_on(error: JournalError) -> Problem {
    match error {
        JournalError::Fenced { run, .. } => {
            Problem::new(Exit::Store, format!("run `{run}` went on while it was looked at, so nothing was changed"))
        }
        other => other.into(),
    }
}

fn refused(changes: &[Change], reason: &str) -> Problem {
    let is_policy = |change: &Change| matches!(change, Change::Policy { .. });
    let is_meant = |change: &Change| matches!(change, Change::Policy { path, .. } if reason.contains(&format!("`{path}`")));
    let of_step = changes.iter().all(is_policy) || changes.iter().any(is_meant);
    let exit = if of_step { Exit::Usage } else { Exit::Input };
    Problem::new(exit, reason).help("only what has not begun can be changed; `host show` lists what has")
}

fn described(change: &Change) -> String {
    match change {
        Change::Policy { path, .. } => format!("the settings of `{path}`"),
        Change::Result { path, .. } => format!("the result of `{path}`"),
        Change::Input { name, .. } => format!("the input `{name}`"),
    }
}

fn settings(config: &Config, plan: &Plan, texts: &[String]) -> Result<Settings, Problem> {
    let mut settings = Settings::default();
    for text in texts {
        let (key, value) =
            text.split_once('=').ok_or_else(|| Problem::usage(format!("`{text}` is not of the form `KEY=VALUE`")))?;
        let wrong = || Problem::usage(format!("`{value}` is not a value of `{key}`"));
        let time = || parse_duration(value).map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        match key {
            "retry" => settings.retry = Some(value.parse().map_err(|_| wrong())?),
            "backoff" => settings.backoff = Some(time()?),
            "timeout" => settings.timeout = Some(time()?),
            "deadline" => settings.deadline = Some(time()?),
            "priority" => settings.priority = Some(value.parse().map_err(|_| wrong())?),
            "memory" => settings.memory = Some(parse_size(value)?),
            "fuel" => settings.fuel = Some(value.replace('_', "").parse().map_err(|_| wrong())?),
            "class" => settings.class = Some(class(config, plan, value)?),
            "allow" => {
                return Err(Problem::usage("`allow` cannot be changed: a run has the rights that it was started with")
                    .help("start a new run, with `host retry` or `host run`"));
            }
            other => return Err(Problem::usage(format!("`{other}` is not a setting of a step")).help(format!("one of {KEYS}"))),
        }
    }
    Ok(settings)
}

/// A class that the flow or the configuration declares.
fn class(config: &Config, plan: &Plan, name: &str) -> Result<Arc<str>, Problem> {
    let mut known: Vec<&str> =
        plan.classes.iter().map(|class| &*class.name).chain(config.classes.keys().map(String::as_str)).collect();
    if known.contains(&name) {
        return Ok(name.into());
    }
    known.sort_unstable();
    known.dedup();
    let help = if known.is_empty() { "none is declared".to_owned() } else { format!("one of {}", known.join(", ")) };
    Err(Problem::usage(format!("there is no class `{name}`")).help(help))
}

fn input(plan: &Plan, text: &str) -> Result<Change, Problem> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| Problem::usage(format!("`--input {text}` has no `=`")).help("write it as `--input name=value`"))?;
    let params = plan.flows.get(plan.entry).map_or(&[][..], |flow| &flow.params);
    let Some(param) = params.iter().find(|param| *param.name == *name) else {
        let known: Vec<String> = params.iter().map(|param| format!("`{}: {}`", param.name, param.ty)).collect();
        let help = if known.is_empty() { "it takes none".to_owned() } else { format!("it takes {}", known.join(", ")) };
        return Err(Problem::new(Exit::Input, format!("the flow has no parameter `{name}`")).help(help));
    };
    let parsed = catalog::json::parse_argument(value, &param.ty);
    let value =
        parsed.map_err(|error| Problem::new(Exit::Input, format!("the input `{name}` does not fit `{}`: {error}", param.ty)))?;
    Ok(Change::Input { name: name.to_owned(), value: Payload::Value(value) })
}
