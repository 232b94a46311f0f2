//! `host verify`, `host backup`, `host restore`: the store as a whole.

use journal::{Stop, Verification};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{BackupArgs, Global, RestoreArgs, VerifyArgs};
use crate::cluster;
use crate::commands::session;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;

/// So many damaged runs are printed for people.
const SHOWN: usize = 100;

/// Checks hash chains, blobs and the file.
pub(crate) fn verify(output: Output, global: &Global, args: &VerifyArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let reader = session::open_reader(&config)?;
    let found = match &args.run {
        Some(run) => reader.verify_run(&reader.find(run)?.id)?,
        None => reader.verify()?,
    };
    output.document(&document(&found), || text(&found));
    judge(&found, "the store")
}

/// Copies the store.
pub(crate) fn backup(output: Output, global: &Global, args: &BackupArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    cluster::follow(&config)?;
    let (store, file, force) = (config.store.path, args.file.clone(), args.force);
    let stop = Stop::default();
    let asked = stop.clone();
    let found = until_interrupted(&stop, move || journal::backup(&store, &file, force, &asked))?;
    output.document(&document(&found), || format!("written to {}: {}", args.file.display(), text(&found)));
    judge(&found, "the copy, as the store,")
}

/// Replaces the store by a copy.
pub(crate) fn restore(output: Output, global: &Global, args: &RestoreArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let found = journal::restore(&args.file, &config.store.path, args.force)?;
    output.document(&document(&found), || format!("restored {}: {}", config.store.path.display(), text(&found)));
    judge(&found, "what was restored")
}

/// Does something that can be stopped; a signal stops it.
fn until_interrupted<T: Send + 'static>(
    stop: &Stop,
    work: impl FnOnce() -> Result<T, engine::ports::JournalError> + Send + 'static,
) -> Result<T, Problem> {
    let cannot = |error: std::io::Error| Problem::new(Exit::Store, format!("signals cannot be received: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(cannot)?;
    runtime.block_on(async {
        let mut interrupts = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminations = signal(SignalKind::terminate()).map_err(cannot)?;
        let mut working = tokio::task::spawn_blocking(work);
        let done = loop {
            tokio::select! {
                done = &mut working => break done,
                _ = interrupts.recv() => stop.stop(),
                _ = terminations.recv() => stop.stop(),
            }
        };
        let done = done.map_err(|error| Problem::new(Exit::Store, format!("it broke off: {error}")))?;
        done.map_err(|error| if stop.is_asked() { Problem::new(Exit::Interrupted, error.to_string()) } else { error.into() })
    })
}

/// What is wrong, as an exit code.
fn judge(found: &Verification, what: &str) -> Result<Exit, Problem> {
    if found.is_sound() {
        return Ok(Exit::Done);
    }
    let help = match found.damaged.first() {
        Some(first) => format!(
            "what stands before the damage can still be read: `host events {}`; all other runs are whole. A backup may have the rest",
            first.run
        ),
        None => "take back a backup with `host restore`".to_owned(),
    };
    Err(Problem::new(Exit::Store, format!("{what} is damaged")).help(help))
}

pub(super) fn document(found: &Verification) -> Value {
    let damaged: Vec<Value> = found
        .damaged
        .iter()
        .map(|run| json!({ "run": &*run.run.0, "what": run.what, "readable_events": run.readable }))
        .collect();
    json!({
        "sound": found.is_sound(),
        "runs": found.runs,
        "events": found.events,
        "blobs": found.blobs,
        "file": found.file,
        "changed_blobs": found.changed_blobs,
        "damaged": damaged,
        "events_without_run": found.lost_events,
    })
}

fn text(found: &Verification) -> String {
    let Verification { runs, events, blobs, .. } = found;
    let verdict = if found.is_sound() { "nothing is lost or changed" } else { "not sound" };
    let mut text = format!("{runs} runs, {events} events, {blobs} blobs: {verdict}\n");
    for line in &found.file {
        text.push_str(&format!("the file: {line}\n"));
    }
    for digest in &found.changed_blobs {
        text.push_str(&format!("the blob {digest} was changed\n"));
    }
    if found.lost_events > 0 {
        text.push_str(&format!("{} events belong to no run\n", found.lost_events));
    }
    for run in found.damaged.iter().take(SHOWN) {
        text.push_str(&format!("{}; its first {} events can be read\n", run.what, run.readable));
    }
    if found.damaged.len() > SHOWN {
        text.push_str(&format!("and {} other runs\n", found.damaged.len() - SHOWN));
    }
    text
}
