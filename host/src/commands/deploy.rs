//! `host deploy`: programs that the service starts when their triggers say so.

mod list;

use std::path::Path;

use engine::event::Timestamp;
use engine::ports::{Clock, SystemClock};
use journal::{DeployWrite, Deployment, Reader, SqliteJournal, Topic};
use lang::Entry;
use serde_json::json;

use crate::cli::{DeployArgs, DeployCommand, Global};
use crate::commands::{check, entries, run, session};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::serve::client;
use crate::serve::deployment::{Document, When};
use crate::world::DiskWorld;

/// The longest name of a deployment.
const MAX_NAME: usize = 100;

/// Deploys, or changes what is deployed.
pub(crate) fn run(output: Output, global: &Global, args: &DeployArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    match &args.command {
        None => return deploy_all(output, &config, args),
        Some(DeployCommand::List) => return list::run(output, &config),
        Some(DeployCommand::Remove { name }) => {
            let (journal, found) = open(&config, name)?;
            write(&journal, DeployWrite::Remove(found.name))?;
        }
        Some(DeployCommand::Pause { name }) => {
            let (journal, found) = open(&config, name)?;
            write(&journal, DeployWrite::Pause(found.name, true))?;
        }
        Some(DeployCommand::Resume { name }) => {
            let (journal, found) = open(&config, name)?;
            // What passed while it was paused was not missed.
            settle(&journal, &Document::read(name, &found.document)?, name, |_| true)?;
            write(&journal, DeployWrite::Pause(found.name, false))?;
        }
        Some(DeployCommand::Rollback { name, version }) => rollback(output, &config, name, *version)?,
    }
    client::wake(&config, None);
    Ok(Exit::Done)
}

fn write(journal: &SqliteJournal, write: DeployWrite) -> Result<(), Problem> {
    Ok(futures::executor::block_on(journal.write_deployment(write))?)
}

/// The store, and the current version of a deployment.
fn open(config: &Config, name: &str) -> Result<(std::sync::Arc<SqliteJournal>, Deployment), Problem> {
    let found = find(&session::open_reader(config)?, name)?
        .ok_or_else(|| Problem::usage(format!("nothing is deployed as `{name}`")).help("`host deploy list` prints what is"))?;
    Ok((session::open_store(config, None)?, found))
}

fn find(reader: &Reader, name: &str) -> Result<Option<Deployment>, Problem> {
    Ok(reader.deployments()?.into_iter().find(|found| found.current && found.name == name))
}

fn deploy_all(output: Output, config: &Config, args: &DeployArgs) -> Result<Exit, Problem> {
    if args.name.is_some() && args.flow_files.len() > 1 {
        return Err(Problem::usage("`--name` names one deployment, and several files are given"));
    }
    let mut done = Vec::new();
    for file in &args.flow_files {
        match deploy(output, config, args, file)? {
            Ok(deployed) => done.push(deployed),
            Err(exit) => return Ok(exit),
        }
    }
    client::wake(config, None);
    let document = done.iter().map(|found| json!({ "name": found.name, "version": found.version })).collect();
    output.document(&document, || done.iter().map(|found| format!("{} version {}\n", found.name, found.version)).collect());
    Ok(Exit::Done)
}

/// Compiles a file, keeps the program of each of its triggers, and makes this the current version.
fn deploy(output: Output, config: &Config, args: &DeployArgs, file: &Path) -> Result<Result<Deployment, Exit>, Problem> {
    let permitted = run::permitted(config, &args.allow)?;
    let labels = run::labels(&args.labels)?.into_iter().collect();
    let name = name_of(args, file)?;
    let root = file.to_string_lossy();
    let world = DiskWorld::open(output, config, file)?;
    let compilation = lang::compile(&world, &root, Entry::None);
    let exit = check::failed(&compilation);
    if exit != Exit::Done || !output.json() {
        output.diagnostics(&[&compilation]);
    }
    if exit != Exit::Done {
        return Ok(Err(exit));
    }
    if compilation.triggers.is_empty() {
        return Err(Problem::usage(format!("`{root}` has no trigger, so nothing would ever start it"))
            .help("add one, such as `on schedule \"0 9 * * mon-fri\" in \"Europe/Berlin\" -> main()`"));
    }
    let mut document = Document::new(&root, permitted, labels, args.missed, args.overlap);
    let journal = session::open_store(config, None)?;
    let entries = (0..compilation.triggers.len()).map(Entry::Trigger);
    match entries::pack(output, config, &journal, (&root, world), entries)? {
        Ok(programs) => compilation.triggers.iter().zip(programs).for_each(|(trigger, program)| document.add(trigger, program)),
        Err(exit) => return Ok(Err(exit)),
    }
    let reader = journal.reader();
    refuse_taken_paths(&reader, &name, &document)?;
    let before = find(&reader, &name)?.filter(|found| !found.paused);
    let before = before.map(|found| Document::read(&name, &found.document)).transpose()?;
    settle(&journal, &document, &name, |item| {
        !before.iter().flat_map(|before| &before.triggers).any(|trigger| trigger.item == item)
    })?;
    write(&journal, DeployWrite::Put { name: name.clone(), document: document.write()?, topics: topics(&document) })?;
    let deployed = find(&reader, &name)?;
    deployed.map(Ok).ok_or_else(|| Problem::new(Exit::Store, format!("the deployment `{name}` was removed meanwhile")))
}

/// The name on the command line, else that of the file.
fn name_of(args: &DeployArgs, file: &Path) -> Result<String, Problem> {
    let stem = || file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = args.name.clone().unwrap_or_else(stem);
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(fits) {
        return Err(Problem::usage(format!("`{name}` cannot be the name of a deployment"))
            .help("name it with `--name`: letters, digits, `-`, `_` and `.`, at most 100"));
    }
    Ok(name)
}

/// A path starts one deployment.
fn refuse_taken_paths(reader: &Reader, name: &str, document: &Document) -> Result<(), Problem> {
    for other in reader.deployments()?.into_iter().filter(|other| other.current && other.name != name) {
        let theirs = Document::read(&other.name, &other.document)?;
        for trigger in &theirs.triggers {
            if let When::Webhook { path } = &trigger.when
                && document.triggers.iter().any(|ours| ours.when == trigger.when)
            {
                return Err(Problem::usage(format!("the webhook `{path}` belongs to the deployment `{}`", other.name)));
            }
        }
    }
    Ok(())
}

fn topics(document: &Document) -> Vec<Topic> {
    let topic = |trigger: &crate::serve::deployment::StoredTrigger| match &trigger.when {
        When::Event { topic } => Some(Topic { item: trigger.item.clone(), pattern: topic.clone() }),
        When::Schedule { .. } | When::Webhook { .. } => None,
    };
    document.triggers.iter().filter_map(topic).collect()
}

/// Schedules that begin to fire now have missed nothing.
fn settle(journal: &SqliteJournal, document: &Document, name: &str, begins: impl Fn(&str) -> bool) -> Result<(), Problem> {
    let now: Timestamp = SystemClock.now();
    for trigger in &document.triggers {
        if matches!(trigger.when, When::Schedule { .. }) && begins(&trigger.item) {
            let (name, item) = (name.to_owned(), trigger.item.clone());
            write(journal, DeployWrite::Mark { name, item, mark: now, run: None })?;
        }
    }
    Ok(())
}

fn rollback(output: Output, config: &Config, name: &str, version: Option<u32>) -> Result<(), Problem> {
    let (journal, current) = open(config, name)?;
    let versions: Vec<Deployment> = journal.reader().deployments()?.into_iter().filter(|found| found.name == name).collect();
    let wanted = match version {
        Some(version) => versions.iter().find(|found| found.version == version),
        None => versions.iter().find(|found| found.version < current.version),
    };
    let known = || versions.iter().map(|found| found.version.to_string()).collect::<Vec<_>>().join(", ");
    let wanted = wanted.ok_or_else(|| {
        let what = version.map_or("no earlier version".to_owned(), |version| format!("no version {version}"));
        Problem::usage(format!("the deployment `{name}` has {what}")).help(format!("its versions: {}", known()))
    })?;
    let (document, before) = (Document::read(name, &wanted.document)?, Document::read(name, &current.document)?);
    settle(&journal, &document, name, |item| !before.triggers.iter().any(|trigger| trigger.item == item))?;
    write(&journal, DeployWrite::Select(name.to_owned(), wanted.version))?;
    output.document(&json!({ "name": name, "version": wanted.version }), || format!("{name} version {}", wanted.version));
    Ok(())
}
