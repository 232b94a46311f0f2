//! `host migrate`: lets runs go on with another program, where what they have done fits it.

use std::path::Path;
use std::sync::Arc;

use engine::event::{Event, EventBody, Migrated, RunId, Version};
use engine::ports::{Clock, Journal, SystemClock};
use journal::{RunFilter, RunRow, SqliteJournal};
use lang::plan::Plan;
use serde_json::{Value, json};

use crate::cli::{Global, MigrateArgs};
use crate::commands::{plan, session};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::owner;
use crate::program;
use crate::roles::RoleAgents;
use crate::stored::StoredRun;
use crate::verdict::{self, Verdict};
use crate::world::{DiskWorld, ReadFiles};

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
    if args.all && !config.store.path.exists() {
        report(output, &[]);
        return Ok(Exit::Done);
    }
    let reader = session::open_reader(&config)?;
    let mut rows = args.runs.iter().map(|run| Ok(reader.find(run)?)).collect::<Result<Vec<RunRow>, Problem>>()?;
    if let (true, Some(target)) = (args.all, &target) {
        let flow = target.plan.flows.get(target.plan.entry).map(|flow| flow.name.to_string());
        let digest = target.plan.digest().to_string();
        let found = reader.runs(&RunFilter { flow, ..RunFilter::default() })?;
        rows.extend(found.into_iter().filter(|row| !row.status.is_end() && row.plan != digest));
    }
    let journal = session::open_store(&config, None)?;
    let mut all = Vec::new();
    for RunRow { id, owner, status, .. } in rows {
        let done = if !status.is_end() && owner::is_alive(&config.store.path, &owner) {
            Err(driven(&id, &owner))
        } else {
            migrate(output, &config, &journal, &id, target.as_ref())
        };
        if let ([_], Err(_)) = (args.runs.as_slice(), &done) {
            return done.map(|_| Exit::Done);
        }
        all.push((id, done.unwrap_or_else(|problem| Verdict::Unknown(problem.message))));
    }
    report(output, &all);
    Ok(if all.iter().all(|(_, verdict)| matches!(verdict, Verdict::Fits(_))) { Exit::Done } else { Exit::RunFailed })
}

fn driven(id: &RunId, owner: &str) -> Problem {
    Problem::usage(format!("run `{id}` is being driven by `{owner}`")).help("let it pause first: then nobody drives it")
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
    journal: &Arc<SqliteJournal>,
    id: &RunId,
    target: Option<&Target>,
) -> Result<Verdict, Problem> {
    let stored = StoredRun::load(journal, id)?;
    if stored.has_ended() {
        return Err(Problem::usage(format!("run `{id}` has ended")).help(format!("`host retry {id}` starts a new one from it")));
    }
    let (program, plans) = match stored.compile(output, journal)? {
        Ok(compiled) => compiled,
        Err(_) => return Err(Problem::new(Exit::Store, format!("the program of run `{id}` does not compile any more"))),
    };
    let (plan, packed) = match target {
        Some(target) => {
            let roles = RoleAgents::resumed(config, &target.plan, program.roles, |digest| Ok(journal.blob(digest)?))?;
            let pack = || program::pack(&**journal, &target.root, plan::entry(target.flow.as_deref()), &target.files, &roles);
            (Arc::clone(&target.plan), pack()?)
        }
        None => former(journal, &stored)?,
    };
    let version = Version { plan: plan.digest(), program: packed };
    if version.plan == stored.version().plan {
        return Err(Problem::usage(format!("run `{id}` belongs to this flow already")));
    }
    let verdict = verdict::check(&stored, &plans, &plan)?;
    if let Verdict::Fits(_) = &verdict {
        append(journal, &stored, version)?;
    }
    Ok(verdict)
}

/// What the run had before it was migrated.
fn former(journal: &SqliteJournal, stored: &StoredRun) -> Result<(Arc<Plan>, catalog::Digest), Problem> {
    let Some(former) = stored.former() else {
        return Err(Problem::usage(format!("run `{}` was never migrated, so there is nothing to go back to", stored.id)));
    };
    let plan = program::plan(&program::unpack(journal, former.program)?)?;
    Ok((Arc::new(plan), former.program))
}

/// Makes the change durable. Whoever drives the run meanwhile is refused its next event, and does not own it any more.
fn append(journal: &SqliteJournal, stored: &StoredRun, to: Version) -> Result<(), Problem> {
    let seq = stored.events.last().map_or(0, |event| event.seq) + 1;
    let body = EventBody::Migrated(Box::new(Migrated { from: stored.version(), to }));
    let event = Event { seq, at: SystemClock.now(), body };
    let appended = futures::executor::block_on(journal.append(&stored.id, Arc::from([event])));
    appended.map_err(|error| match error {
        engine::ports::JournalError::Fenced { .. } => {
            Problem::new(Exit::Store, format!("run `{}` went on while it was looked at, so nothing was changed", stored.id))
                .help("pause it first")
        }
        other => other.into(),
    })
}

fn report(output: Output, all: &[(RunId, Verdict)]) {
    let document: Value = all
        .iter()
        .map(|(id, verdict)| {
            let mut document = verdict.document(id);
            if let Value::Object(fields) = &mut document {
                fields.insert("migrated".into(), json!(matches!(verdict, Verdict::Fits(_))));
            }
            document
        })
        .collect();
    output.document(&document, || {
        if all.is_empty() {
            return "no run to migrate".to_owned();
        }
        let line = |(id, verdict): &(RunId, Verdict)| match verdict {
            Verdict::Fits(_) => format!("{id}  migrated: {verdict}; go on with `host resume {id}`\n"),
            _ => format!("{id}  left as it is, {verdict}\n"),
        };
        all.iter().map(line).collect()
    });
}
