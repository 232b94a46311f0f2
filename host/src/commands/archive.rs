//! `host bundle`, `host archive`, `host import`: runs in files of their own.

use std::path::{Path, PathBuf};

use engine::event::RunId;
use engine::ports::{Clock, SystemClock};
use journal::retention::{Janitor, Pace};
use journal::{Copied, Reader, RunRow};
use serde_json::{Value, json};

use crate::cli::{ArchiveArgs, BundleArgs, Global, ImportArgs};
use crate::commands::replay::Recording;
use crate::commands::session;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};

/// What whoever passes a file on should know about it.
const CONTAINS: &str = "inputs, results, messages and failures of the runs in plain text, their labels, the names of hosts, \
    the flow files and the components; no values of environment variables, and nothing of the configuration but what was permitted";

/// Writes a run to a file and checks that it replays from there.
pub(crate) fn bundle(output: Output, global: &Global, args: &BundleArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let reader = session::open_reader(&config)?;
    let run = reader.find(&args.run)?;
    let file = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{}.bundle", run.id)));
    let copied = write(&reader, "bundle", std::slice::from_ref(&run.id), &file, args.force)?;
    output.document(&copied_document(&copied, Some(&file)), || {
        format!("{}: run {} with {} events and {} blobs", file.display(), run.id, copied.events, copied.blobs)
    });
    output.note(&format!("it contains {CONTAINS}"));
    if let Some(what) = Recording::of_file(output, &file, None)?.and_then(|recording| recording.check().err()) {
        return Err(Problem::new(Exit::Store, format!("the bundle is written, and does not replay: {what}")));
    }
    Ok(Exit::Done)
}

/// Writes ended runs to a file; then they may be deleted.
pub(crate) fn archive(output: Output, global: &Global, args: &ArchiveArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let reader = session::open_reader(&config)?;
    let mut runs: Vec<RunRow> = Vec::new();
    for run in &args.runs {
        let run = reader.find(run)?;
        if !run.status.is_end() {
            return Err(
                Problem::usage(format!("run `{}` has not ended", run.id)).help(format!("`host bundle {}` copies it", run.id))
            );
        }
        if runs.iter().all(|known| known.id != run.id) {
            runs.push(run);
        }
    }
    let ids: Vec<RunId> = runs.into_iter().map(|run| run.id).collect();
    let copied = write(&reader, "archive", &ids, &args.output, args.force)?;
    let mut deleted = 0;
    if args.delete {
        deleted = delete(&config, &ids)?;
    }
    let mut document = copied_document(&copied, Some(&args.output));
    if let Value::Object(fields) = &mut document {
        fields.insert("deleted".into(), deleted.into());
    }
    output.document(&document, || {
        let gone = if args.delete { format!("; {deleted} deleted from the store") } else { String::new() };
        format!("{}: {} runs with {} events and {} blobs{gone}", args.output.display(), copied.runs, copied.events, copied.blobs)
    });
    Ok(Exit::Done)
}

fn delete(config: &Config, runs: &[RunId]) -> Result<u64, Problem> {
    // What goes is counted before.
    session::open_reader(config)?.stats(&journal::stats::StatsFilter::default())?;
    let mut janitor = Janitor::open(&config.store.path, Pace::Fast)?;
    let mut deleted = 0;
    for run in runs {
        deleted += u64::from(janitor.delete(run)?);
    }
    Ok(deleted)
}

/// Takes runs out of a file.
pub(crate) fn import(output: Output, global: &Global, args: &ImportArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let source = Reader::open(&args.file, journal::Options::default().lock_timeout)?;
    let runs = args.runs.iter().map(|run| Ok(source.find(run)?.id)).collect::<Result<Vec<_>, Problem>>()?;
    let copied = journal::import(&args.file, &config.store.path, &runs)?;
    output.document(&copied_document(&copied, None), || {
        let known = if copied.present > 0 { format!("; {} were there already", copied.present) } else { String::new() };
        format!("{} runs with {} events and {} blobs{known}", copied.runs, copied.events, copied.blobs)
    });
    Ok(Exit::Done)
}

/// Writes runs to a file, which says what it is, and checks it.
pub(crate) fn write(reader: &Reader, kind: &str, runs: &[RunId], file: &Path, replace: bool) -> Result<Copied, Problem> {
    let about = [
        ("kind", kind.to_owned()),
        ("made", output::time(SystemClock.now())),
        ("by", concat!("host ", env!("CARGO_PKG_VERSION")).to_owned()),
        ("contains", CONTAINS.to_owned()),
    ];
    let copied = journal::export(reader, runs, file, &about, replace)?;
    let found = Reader::open(file, journal::Options::default().lock_timeout)?.verify()?;
    match found.damaged.first() {
        Some(run) if kind == "archive" => {
            Err(Problem::new(Exit::Store, format!("{} is written, and not whole: {}", file.display(), run.what)))
        }
        _ => Ok(copied),
    }
}

fn copied_document(copied: &Copied, file: Option<&Path>) -> Value {
    json!({
        "file": file.map(|file| file.display().to_string()),
        "runs": copied.runs,
        "present": copied.present,
        "events": copied.events,
        "blobs": copied.blobs,
    })
}
