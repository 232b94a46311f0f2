//! `host ps`: runs, newest first.

use std::path::Path;
use std::str::FromStr;

use journal::{Reader, RunFilter, RunRow, RunStatus};
use serde_json::json;

use crate::cli::{Global, PsArgs};
use crate::commands::session;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};
use crate::owner;

/// The status of a run that would go on if a process drove it.
const ABANDONED: &str = "abandoned";

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

fn is_abandoned(store: &Path, row: &RunRow) -> bool {
    matches!(row.status, RunStatus::Running | RunStatus::Cancelling) && !owner::is_alive(store, &row.owner)
}

/// Lists the runs that fit. A store that was never made has none.
pub(crate) fn run(output: Output, global: &Global, args: &PsArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let wanted = args.status.as_deref().map(status).transpose()?;
    let mut listed = Vec::new();
    if config.store.path.exists() {
        let reader = session::open_reader(&config)?;
        for row in rows(&reader, &config.store.path, args, wanted)? {
            listed.push(Listed::of(&reader, &config.store.path, row)?);
        }
    }
    let document = listed.iter().map(row_document).collect();
    output.document(&serde_json::Value::Array(document), || table(&listed));
    Ok(Exit::Done)
}

/// Which runs are wanted.
#[derive(Clone, Copy)]
enum Wanted {
    Stored(RunStatus),
    Abandoned,
}

/// The runs that fit, latest first.
fn rows(reader: &Reader, store: &Path, args: &PsArgs, wanted: Option<Wanted>) -> Result<Vec<RunRow>, Problem> {
    let limit = usize::try_from(args.limit).unwrap_or(usize::MAX);
    let filter = |status, limit| RunFilter { status, flow: args.flow.clone(), limit };
    let (open, abandoned): (&[RunStatus], bool) = match wanted {
        None => return Ok(reader.runs(&filter(None, Some(limit)))?),
        Some(Wanted::Abandoned) => (&[RunStatus::Running, RunStatus::Cancelling], true),
        Some(Wanted::Stored(RunStatus::Running)) => (&[RunStatus::Running], false),
        Some(Wanted::Stored(RunStatus::Cancelling)) => (&[RunStatus::Cancelling], false),
        Some(Wanted::Stored(status)) => return Ok(reader.runs(&filter(Some(status), Some(limit)))?),
    };
    let mut found = Vec::new();
    for status in open {
        found.extend(reader.runs(&filter(Some(*status), None))?);
    }
    // Only their owners tell these two apart.
    found.retain(|row| is_abandoned(store, row) == abandoned);
    found.sort_by_key(|row| std::cmp::Reverse(row.created));
    found.truncate(limit);
    Ok(found)
}

fn status(text: &str) -> Result<Wanted, Problem> {
    if text == ABANDONED {
        return Ok(Wanted::Abandoned);
    }
    RunStatus::from_str(text).map(Wanted::Stored).map_err(|()| {
        let known: Vec<&str> = RunStatus::ALL.iter().map(|status| status.name()).collect();
        Problem::usage(format!("`{text}` is not a status")).help(format!("one of {ABANDONED}, {}", known.join(", ")))
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
        let reason = row.reason.clone().or(waits).unwrap_or_default();
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
