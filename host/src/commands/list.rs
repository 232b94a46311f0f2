//! `host ps`: runs, newest first.

use std::str::FromStr;

use journal::{Reader, RunFilter, RunRow, RunStatus};
use serde_json::json;

use crate::cli::{Global, PsArgs};
use crate::commands::session;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};

/// Lists the runs that fit. A store that was never made has none.
pub(crate) fn run(output: Output, global: &Global, args: &PsArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let status = args.status.as_deref().map(status).transpose()?;
    let filter = RunFilter { status, flow: args.flow.clone(), limit: usize::try_from(args.limit).ok() };
    let mut rows = Vec::new();
    if config.store.path.exists() {
        let reader = session::open_reader(&config)?;
        for row in reader.runs(&filter)? {
            let waiting = waiting(&reader, &row)?;
            rows.push((row, waiting));
        }
    }
    let document = rows.iter().map(|(row, waiting)| row_document(row, waiting.as_deref())).collect();
    output.document(&serde_json::Value::Array(document), || table(&rows));
    Ok(Exit::Done)
}

/// What a run that has not ended waits for.
pub(crate) fn waiting(reader: &Reader, row: &RunRow) -> Result<Option<String>, Problem> {
    if row.status.is_end() { Ok(None) } else { Ok(reader.waiting(&row.id)?) }
}

fn status(text: &str) -> Result<RunStatus, Problem> {
    RunStatus::from_str(text).map_err(|()| {
        let known: Vec<&str> = RunStatus::ALL.iter().map(|status| status.name()).collect();
        Problem::usage(format!("`{text}` is not a status")).help(format!("one of {}", known.join(", ")))
    })
}

/// A row of the list of runs, for programs.
pub(crate) fn row_document(row: &RunRow, waiting: Option<&str>) -> serde_json::Value {
    json!({
        "id": &*row.id.0,
        "flow": row.flow,
        "status": row.status.name(),
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

fn table(rows: &[(RunRow, Option<String>)]) -> String {
    if rows.is_empty() {
        return "no runs".to_owned();
    }
    let lines = rows.iter().map(|(row, waiting)| {
        let waits = waiting.as_ref().map(|what| format!("waits for {what}"));
        let reason = row.reason.clone().or(waits).unwrap_or_default();
        [
            row.id.to_string(),
            row.flow.clone(),
            row.status.name().to_owned(),
            output::time(row.created),
            row.last_seq.to_string(),
            reason.chars().take(60).collect(),
        ]
    });
    output::columns(["RUN", "FLOW", "STATUS", "STARTED", "EVENTS", ""], lines)
}
