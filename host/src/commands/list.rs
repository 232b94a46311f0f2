//! `host ps`: runs, newest first.

use std::str::FromStr;

use journal::{RunFilter, RunRow, RunStatus};
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
    let rows = if config.store.path.exists() { session::open_reader(&config)?.runs(&filter)? } else { Vec::new() };
    let document = rows.iter().map(row_document).collect();
    output.document(&serde_json::Value::Array(document), || table(&rows));
    Ok(Exit::Done)
}

fn status(text: &str) -> Result<RunStatus, Problem> {
    RunStatus::from_str(text).map_err(|()| {
        let known: Vec<&str> = RunStatus::ALL.iter().map(|status| status.name()).collect();
        Problem::usage(format!("`{text}` is not a status")).help(format!("one of {}", known.join(", ")))
    })
}

/// A row of the list of runs, for programs.
pub(crate) fn row_document(row: &RunRow) -> serde_json::Value {
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
        "failure": row.failure_kind.as_ref().map(|kind| json!({ "kind": kind, "path": row.failure_path })),
    })
}

fn table(rows: &[RunRow]) -> String {
    if rows.is_empty() {
        return "no runs".to_owned();
    }
    let lines = rows.iter().map(|row| {
        let reason = row.reason.as_deref().unwrap_or_default();
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
