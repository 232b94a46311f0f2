//! `host gc`: deletes what `[retention]` does not keep, and gives space back.

use std::path::Path;

use engine::event::{RunId, Timestamp};
use engine::ports::{Clock, SystemClock};
use journal::retention::{Candidate, Janitor, LEAST_GRACE, Pace, Retention, Space, Swept};
use journal::stats::StatsFilter;
use serde_json::{Value, json};

use crate::cli::{GcArgs, Global};
use crate::commands::{archive, session};
use crate::config::{Config, RetentionConfig, parse_duration, parse_size};
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};

/// So many runs are printed for people.
const SHOWN: usize = 50;

/// Runs that go into one archive.
const ARCHIVED: usize = 1_000;

/// What was done, or would be.
pub(crate) struct Report {
    runs: Vec<Candidate>,
    archives: Vec<String>,
    swept: Swept,
    before: Space,
    after: Space,
}

/// Cleans up.
pub(crate) fn run(output: Output, global: &Global, args: &GcArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let retention = retention(&config.retention)?;
    let report = if args.dry_run {
        let (reader, now) = (session::open_reader(&config)?, SystemClock.now());
        let (before, runs, swept) = (reader.space()?, reader.expired(&retention, now)?, reader.sweepable(&retention, now)?);
        Report { runs, archives: Vec::new(), swept, before, after: before }
    } else {
        clean_up(&config, &retention, Pace::Fast, args.compact)?
    };
    output.document(&document(&report, args.dry_run), || text(&report, args.dry_run));
    Ok(Exit::Done)
}

/// Deletes what is not kept, gives space back, and notes in the store that it was done.
pub(crate) fn clean_up(config: &Config, retention: &Retention, pace: Pace, compact: bool) -> Result<Report, Problem> {
    let (reader, now) = (session::open_reader(config)?, SystemClock.now());
    let mut janitor = Janitor::open(&config.store.path, pace)?;
    let (before, runs) = (reader.space()?, reader.expired(retention, now)?);
    // What goes is counted before.
    reader.stats(&StatsFilter::default())?;
    janitor.finish_deletions()?;
    let archives = delete(config, &mut janitor, &runs, now)?;
    let swept = janitor.sweep(retention, now)?;
    let after = if compact { janitor.compact()? } else { janitor.give_back()? };
    let report = Report { runs, archives, swept, before, after };
    janitor.note(&report.noted(now).to_string())?;
    Ok(report)
}

impl Report {
    /// What stays in the store of it.
    fn noted(&self, at: Timestamp) -> Value {
        let mut noted = document(self, false);
        if let Value::Object(fields) = &mut noted {
            fields.remove("dry_run");
            fields.insert("at".to_owned(), output::time(at).into());
            fields.insert("runs".to_owned(), self.runs.len().into());
        }
        noted
    }

    /// For a log: names and numbers.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 5] {
        let Swept { blobs, blob_bytes, cached, cached_bytes } = self.swept;
        let bytes = blob_bytes.saturating_add(cached_bytes);
        [
            ("runs", self.runs.len() as u64),
            ("blobs", blobs),
            ("cached", cached),
            ("swept-bytes", bytes),
            ("file-bytes", self.after.file),
        ]
    }
}

/// Deletes runs, after they are in an archive where the configuration asks for that; the files that were written.
fn delete(config: &Config, janitor: &mut Janitor, runs: &[Candidate], now: Timestamp) -> Result<Vec<String>, Problem> {
    let reader = session::open_reader(config)?;
    let mut archives = Vec::new();
    for part in runs.chunks(ARCHIVED) {
        if let Some(folder) = &config.retention.archive {
            let ids: Vec<RunId> = part.iter().map(|run| run.run.clone()).collect();
            archives.push(keep(&reader, &config.folder.join(folder), &ids, now, archives.len())?);
        }
        for run in part {
            janitor.delete(&run.run)?;
        }
    }
    Ok(archives)
}

fn keep(reader: &journal::Reader, folder: &Path, runs: &[RunId], now: Timestamp, part: usize) -> Result<String, Problem> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Problem::usage(format!("the folder `{}` cannot be made: {error}", folder.display())))?;
    let name = output::time(now).replace(':', "-");
    let file = folder.join(format!("{name}-{part}.archive"));
    archive::write(reader, "archive", runs, &file, false)?;
    Ok(file.display().to_string())
}

/// The configured rules.
pub(crate) fn retention(config: &RetentionConfig) -> Result<Retention, Problem> {
    let length = |text: &Option<String>| text.as_deref().map(parse_duration).transpose();
    let size = |text: &Option<String>| text.as_deref().map(parse_size).transpose();
    let label = |label: &String| match label.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (label.clone(), None),
    };
    let grace = length(&config.grace)?;
    if grace.is_some_and(|grace| grace < LEAST_GRACE) {
        return Err(Problem::usage("`[retention] grace` is shorter than two hours")
            .help("a run that is just being started may need what nothing names yet; write `2h` or more"));
    }
    Ok(Retention {
        succeeded: length(&config.succeeded)?,
        failed: length(&config.failed)?,
        cancelled: length(&config.cancelled)?,
        most_runs: config.max_runs,
        most_bytes: size(&config.max_size)?,
        keep_last: config.keep_last,
        keep_labels: config.keep_labels.iter().map(label).collect(),
        cache_age: length(&config.cache_age)?,
        cache_bytes: size(&config.cache_size)?,
        grace: grace.unwrap_or(LEAST_GRACE * 12),
    })
}

fn document(report: &Report, dry_run: bool) -> Value {
    let runs: Vec<Value> = report
        .runs
        .iter()
        .map(|run| {
            json!({
                "run": &*run.run.0,
                "flow": run.flow,
                "status": run.status.name(),
                "ended": output::time(run.ended),
                "events": run.events,
                "because": run.because.name(),
            })
        })
        .collect();
    let Swept { blobs, blob_bytes, cached, cached_bytes } = report.swept;
    json!({
        "dry_run": dry_run,
        "runs": runs,
        "archives": report.archives,
        "blobs": blobs,
        "blob_bytes": blob_bytes,
        "cached": cached,
        "cached_bytes": cached_bytes,
        "file_bytes": { "before": report.before.file, "after": report.after.file },
        "free_bytes": { "before": report.before.free, "after": report.after.free },
    })
}

fn text(report: &Report, dry_run: bool) -> String {
    let mut text = String::new();
    let done = if dry_run { "would be deleted" } else { "deleted" };
    let lines = report.runs.iter().take(SHOWN).map(|run| {
        let (ended, because) = (output::time(run.ended), run.because.name().to_owned());
        [run.run.to_string(), run.flow.clone(), run.status.name().to_owned(), ended, run.events.to_string(), because]
    });
    if !report.runs.is_empty() {
        text.push_str(&output::columns(["RUN", "FLOW", "STATUS", "ENDED", "EVENTS", "BECAUSE OF"], lines));
    }
    if report.runs.len() > SHOWN {
        text.push_str(&format!("and {} others\n", report.runs.len() - SHOWN));
    }
    let Swept { blobs, blob_bytes, cached, cached_bytes } = report.swept;
    text.push_str(&format!("{} runs {done}\n", report.runs.len()));
    text.push_str(&format!(
        "{blobs} blobs with {} KiB {done}, {cached} results of the cache with {} KiB\n",
        blob_bytes >> 10,
        cached_bytes >> 10
    ));
    for file in &report.archives {
        text.push_str(&format!("archived in {file}\n"));
    }
    let (before, after) = (report.before, report.after);
    if dry_run {
        text.push_str(&format!("the store has {} KiB, of which {} KiB are free\n", before.file >> 10, before.free >> 10));
    } else {
        text.push_str(&format!("the store had {} KiB, it has {} KiB\n", before.file >> 10, after.file >> 10));
    }
    if !dry_run && after.free > after.file / 2 && after.free > 1 << 20 {
        text.push_str("more than half of it is free and will be used again; `host gc --compact` writes it anew\n");
    }
    text
}
