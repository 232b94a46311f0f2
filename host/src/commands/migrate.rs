//! `host migrate`: lets runs go on with another program, where what they have done fits it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bus::nats::HookRule;
use engine::event::{Event, EventBody, Migrated, RunId, Version};
use engine::ports::{Clock, Control, Journal, Mail, MailStore, MailWrite, Order, SystemClock};
use engine::shell::MIGRATING;
use journal::{Reader, RunFilter, RunRow, SqliteJournal};
use lang::plan::Plan;
use serde_json::{Value, json};

use crate::cli::{Global, MigrateArgs};
use crate::commands::control::{self, Answer, Post};
use crate::commands::{plan, selection, session};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::planner;
use crate::program;
use crate::roles::RoleAgents;
use crate::stored::StoredRun;
use crate::verdict::{self, Verdict};
use crate::world::{DiskWorld, ReadFiles};

/// How long the owner of a run is waited for: longer than what runs may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// What runs are to go on with.
struct Target {
    plan: Arc<Plan>,
    root: String,
    flow: Option<String>,
    files: ReadFiles,
}

/// Checks each run, and migrates those that fit.
pub(crate) fn run(output: Output, global: &Global, args: &MigrateArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let target = match &args.to {
        Some(path) => match compile(output, &config, path, args.flow.as_deref())? {
            Ok(target) => Some(target),
            Err(exit) => return Ok(exit),
        },
        None => None,
    };
    let reader = if args.all { selection::store(&config)? } else { Some(session::open_reader(&config)?) };
    let Some(reader) = reader else {
        report(output, &[]);
        return Ok(Exit::Done);
    };
    let mut rows = args.runs.iter().map(|run| Ok(reader.find(run)?)).collect::<Result<Vec<RunRow>, Problem>>()?;
    if let (true, Some(target)) = (args.all, &target) {
        let flow = target.plan.flows.get(target.plan.entry).map(|flow| flow.name.to_string());
        let digest = target.plan.digest().to_string();
        let found = reader.runs(&RunFilter { flow, ..RunFilter::default() })?;
        rows.extend(found.into_iter().filter(|row| !row.status.is_end() && row.plan != digest));
    }
    let journal = session::open_store(&config, None)?;
    let mut all = Vec::new();
    for row in rows {
        let driven = !row.status.is_end() && config.is_driven(&journal, &row.owner);
        let done = migrate(output, &config, (&reader, &journal), &row, (target.as_ref(), driven));
        if let ([_], Err(_)) = (args.runs.as_slice(), &done) {
            return done.map(|_| Exit::Done);
        }
        let verdict = done.unwrap_or_else(|problem| Verdict::Unknown(problem.message));
        all.push(Done { run: row.id, verdict, driven });
    }
    report(output, &all);
    Ok(if all.iter().all(|done| matches!(done.verdict, Verdict::Fits(_))) { Exit::Done } else { Exit::RunFailed })
}

/// What became of a run.
struct Done {
    run: RunId,
    verdict: Verdict,
    /// Somebody goes on with it already.
    driven: bool,
}

fn compile(output: Output, config: &Config, path: &Path, flow: Option<&str>) -> Result<Result<Target, Exit>, Problem> {
    let (world, root) = (DiskWorld::open(output, config, path)?, path.to_string_lossy().into_owned());
    Ok(plan::compile(output, &world, &root, plan::entry(flow))?.map(|plan| Target {
        plan: Arc::new(plan),
        root,
        flow: flow.map(str::to_owned),
        files: world.into_files(),
    }))
}

/// Migrates one run if it fits: to the target, else back to what it had before.
fn migrate(
    output: Output,
    config: &Config,
    (reader, journal): (&Reader, &Arc<SqliteJournal>),
    row: &RunRow,
    (target, driven): (Option<&Target>, bool),
) -> Result<Verdict, Problem> {
    let id = &row.id;
    let stored = StoredRun::load(journal, id)?;
    if stored.has_ended() {
        return Err(ended(id));
    }
    let (program, plans) = match stored.compile(output, journal)? {
        Ok(compiled) => compiled,
        Err(_) => return Err(Problem::new(Exit::Store, format!("the program of run `{id}` does not compile any more"))),
    };
    let (plan, packed) = match target {
        Some(target) => {
            let roles = RoleAgents::resumed(config, &target.plan, program.roles, |digest| Ok(journal.blob(digest)?))?;
            // The operator's hooks stay around the run, whatever it goes on with.
            let mut plan = Plan::clone(&target.plan);
            HookRule::put_around(&program.hooks, &mut plan);
            let roles = RoleAgents { hooks: program.hooks, ..roles };
            let pack = || program::pack(&**journal, &target.root, plan::entry(target.flow.as_deref()), &target.files, &roles);
            (Arc::new(plan), pack()?)
        }
        None => former(journal, &stored)?,
    };
    let version = Version { plan: plan.digest(), program: packed };
    if version.plan == stored.version().plan {
        return Err(Problem::usage(format!("run `{id}` belongs to this flow already")));
    }
    let verdict = verdict::check(&stored, &plans, &plan)?;
    if !matches!(verdict, Verdict::Fits(_)) {
        return Ok(verdict);
    }
    if driven && order(config, (reader, &**journal), row, version)? {
        return Ok(verdict);
    }
    // Whoever drove it may have gone on before it went away.
    let stored = if driven { StoredRun::load(journal, id)? } else { stored };
    append(journal, &stored, goes_on(&stored, vec![migrated(&stored, version)]))?;
    Ok(verdict)
}

fn ended(id: &RunId) -> Problem {
    Problem::usage(format!("run `{id}` has ended")).help(format!("`host retry {id}` starts a new one from it"))
}

/// Lets the owner of a run migrate it. False when nobody drives it any more.
fn order(config: &Config, (reader, journal): (&Reader, &SqliteJournal), row: &RunRow, to: Version) -> Result<bool, Problem> {
    let post = Post::send(journal, row, control::control(Order::Migrate(to)), PATIENCE)?;
    let nothing = |reason: &str| Problem::usage(format!("run `{}` was not migrated: {reason}", row.id));
    match post.answer(reader, journal, config)? {
        Answer::Taken => Ok(true),
        Answer::Refused(reason) => Err(nothing(&reason).help(format!("`host pause {}` it first, or wait", row.id))),
        Answer::Ended(row) => Err(ended(&row.id)),
        Answer::Abandoned => {
            post.withdraw(journal)?;
            Ok(false)
        }
        Answer::None => {
            let help = "it is migrated when that can be done; `host events` shows whether it was";
            Err(Problem::new(Exit::Waiting, post.unanswered(config, journal)).help(help))
        }
    }
}

/// Answers a letter that asks for a migration, as the owner of the run, which was left for that: the run is migrated if it
/// fits, and goes on unless it was paused before.
pub(crate) fn answer(journal: &SqliteJournal, id: &RunId, control: &Control) -> Result<(), Problem> {
    let Order::Migrate(to) = control.order else { return Ok(()) };
    let stored = StoredRun::load(journal, id)?;
    let refusal = match refusal(journal, &stored, to) {
        Ok(refusal) => refusal,
        Err(problem) => Some(problem.message),
    };
    let mut bodies = vec![EventBody::ControlTaken { id: Arc::clone(&control.id), refusal: refusal.clone() }];
    bodies.extend(refusal.is_none().then(|| migrated(&stored, to)));
    append(journal, &stored, goes_on(&stored, bodies))?;
    let is_it = |mail: &Mail| matches!(mail, Mail::Control(other) if other.id == control.id);
    let letters = journal.controls(id, 0)?.into_iter().filter(|letter| is_it(&letter.mail)).map(|letter| letter.no).collect();
    Ok(futures::executor::block_on(journal.write_mail(MailWrite::Remove(id.clone(), letters)))?)
}

/// What was only paused to be migrated is so no longer.
fn goes_on(stored: &StoredRun, mut bodies: Vec<EventBody>) -> Vec<EventBody> {
    bodies.extend((stored.paused_for() == Some(MIGRATING)).then_some(EventBody::Resumed));
    bodies
}

/// Why a run cannot be migrated.
fn refusal(journal: &SqliteJournal, stored: &StoredRun, to: Version) -> Result<Option<String>, Problem> {
    if stored.version().plan == to.plan {
        return Ok(Some("it belongs to this flow already".to_owned()));
    }
    let plan = planner::stored_plan(journal, to.program)?;
    Ok(match verdict::check(stored, &stored.plans(journal)?, &plan)? {
        Verdict::Fits(_) => None,
        other => Some(other.to_string()),
    })
}

fn migrated(stored: &StoredRun, to: Version) -> EventBody {
    EventBody::Migrated(Box::new(Migrated { from: stored.version(), to }))
}

/// What the run had before it was migrated.
fn former(journal: &SqliteJournal, stored: &StoredRun) -> Result<(Arc<Plan>, catalog::Digest), Problem> {
    let Some(former) = stored.former() else {
        return Err(Problem::usage(format!("run `{}` was never migrated, so there is nothing to go back to", stored.id)));
    };
    let plan = program::plan(&program::unpack(journal, former.program)?)?;
    Ok((Arc::new(plan), former.program))
}

/// Makes events durable. Whoever drives the run meanwhile is refused its next event, and does not own it any more.
fn append(journal: &SqliteJournal, stored: &StoredRun, bodies: Vec<EventBody>) -> Result<(), Problem> {
    let (next, at) = (stored.events.last().map_or(0, |event| event.seq) + 1, SystemClock.now());
    let events: Vec<Event> = (next..).zip(bodies).map(|(seq, body)| Event { seq, at, body }).collect();
    let appended = futures::executor::block_on(journal.append(&stored.id, Arc::from(events)));
    appended.map_err(|error| match error {
        engine::ports::JournalError::Fenced { .. } => {
            Problem::new(Exit::Store, format!("run `{}` went on while it was looked at, so nothing was changed", stored.id))
                .help("pause it first")
        }
        other => other.into(),
    })
}

fn report(output: Output, all: &[Done]) {
    let document: Value = all
        .iter()
        .map(|done| {
            let mut document = done.verdict.document(&done.run);
            if let Value::Object(fields) = &mut document {
                fields.insert("migrated".into(), json!(matches!(done.verdict, Verdict::Fits(_))));
            }
            document
        })
        .collect();
    output.document(&document, || {
        if all.is_empty() {
            return "no run to migrate".to_owned();
        }
        let line = |Done { run, verdict, driven }: &Done| match verdict {
            Verdict::Fits(_) if *driven => format!("{run}  migrated: {verdict}; it goes on\n"),
            Verdict::Fits(_) => format!("{run}  migrated: {verdict}; go on with `host resume {run}`\n"),
            _ => format!("{run}  left as it is, {verdict}\n"),
        };
        all.iter().map(line).collect()
    });
}
