//! `host ps`: the runs that fit, newest first unless told otherwise.

use std::path::Path;
use std::str::FromStr;

use journal::{Reader, RunOrder, RunRow};
use serde_json::json;

use crate::cli::{Global, PsArgs};
use crate::commands::selection::{self, ABANDONED, Wanted, is_abandoned};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};

/// A run as it is shown.
pub(crate) struct Listed {
    pub(crate) row: RunRow,
    /// What a run that has not ended waits for.
    pub(crate) waiting: Option<String>,
    abandoned: bool,
}

impl Listed {
    /// What is shown of a run of the store at this path.
    pub(crate) fn of(reader: &Reader, store: &Path, row: RunRow) -> Result<Self, Problem> {
        let waiting = if row.status.is_end() { None } else { reader.waiting(&row.id)? };
        let abandoned = is_abandoned(store, &row);
        Ok(Self { row, waiting, abandoned })
    }

    /// What its events say, unless nobody makes it true.
    pub(crate) fn status(&self) -> &'static str {
        if self.abandoned { ABANDONED } else { self.row.status.name() }
    }
}

/// Lists the runs that fit. A store that was never made has none.
pub(crate) fn run(output: Output, global: &Global, args: &PsArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let store = &config.store.path;
    let mut wanted = Wanted::of(&args.selection)?;
    wanted.filter.order = order(&args.sort)?;
    wanted.filter.reverse = args.reverse;
    wanted.filter.limit = usize::try_from(args.limit).ok();
    let mut listed = Vec::new();
    if let Some(reader) = selection::store(&config)? {
        wanted.filter.after = args.after.as_deref().map(|after| reader.find(after)).transpose()?.map(|run| run.id);
        wanted.each(&reader, store, |row| {
            listed.push(Listed::of(&reader, store, row)?);
            Ok::<_, Problem>(())
        })?;
    }
    let document = listed.iter().map(row_document).collect();
    output.document(&serde_json::Value::Array(document), || table(&listed));
    Ok(Exit::Done)
}

/// The run that a run's plan belongs to, and the path of the step.
pub(crate) fn parent(row: &RunRow) -> Option<(&str, &str)> {
    let label = |key| row.labels.get(key).and_then(serde_json::Value::as_str);
    Some((label("parent")?, label("parent-step")?))
}

fn order(text: &str) -> Result<RunOrder, Problem> {
    RunOrder::from_str(text).map_err(|()| {
        let known: Vec<&str> = RunOrder::ALL.iter().map(|order| order.name()).collect();
        Problem::usage(format!("runs cannot be sorted by `{text}`")).help(format!("one of {}", known.join(", ")))
    })
}

/// A row of the list of runs, for programs.
pub(crate) fn row_document(listed: &Listed) -> serde_json::Value {
    let Listed { row, waiting, .. } = listed;
    json!({
        "id": &*row.id.0,
        "flow": row.flow,
        "status": listed.status(),
        "owner": row.owner,
        "created": output::time(row.created),
        "updated": output::time(row.updated),
        "ended": row.ended.map(output::time),
        "events": row.last_seq,
        "labels": row.labels,
        "reason": row.reason,
        "waiting": waiting,
        "failure": row.failure_kind.as_ref().map(|kind| json!({ "kind": kind, "path": row.failure_path })),
    })
}

fn table(listed: &[Listed]) -> String {
    if listed.is_empty() {
        return "no runs".to_owned();
    }
    let lines = listed.iter().map(|listed| {
        let Listed { row, waiting, .. } = listed;
        let waits = waiting.as_ref().map(|what| format!("waits for {what}"));
        let plan = parent(row).map(|(parent, _)| format!("plan of {parent}"));
        let reason = row.reason.clone().or(waits).or(plan).unwrap_or_default();
        [
            row.id.to_string(),
            row.flow.clone(),
            listed.status().to_owned(),
            output::time(row.created),
            row.last_seq.to_string(),
            reason.chars().take(60).collect(),
        ]
    });
    output::columns(["RUN", "FLOW", "STATUS", "STARTED", "EVENTS", ""], lines)
}
