//! `host session list`: sessions, and how it stands with their runs.

use journal::{Reader, RunFilter, RunStatus, SessionRow};
use serde_json::{Value, json};

use crate::commands::selection;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};
use crate::sessions::{self, Document, HOOK_LABEL, LABEL};

/// A session as it is listed.
struct Line {
    session: SessionRow,
    root: String,
    live: usize,
    failed_hooks: Vec<String>,
}

/// Lists the sessions that are not over, or all. A store that was never made has none.
pub(super) fn run(output: Output, config: &Config, all: bool) -> Result<Exit, Problem> {
    let mut lines = Vec::new();
    if let Some(reader) = selection::store(config)? {
        for session in reader.sessions(all)? {
            lines.push(line(&reader, session)?);
        }
    }
    let document = lines.iter().map(document).collect();
    output.document(&Value::Array(document), || table(&lines));
    Ok(Exit::Done)
}

fn line(reader: &Reader, session: SessionRow) -> Result<Line, Problem> {
    let root = Document::read(&session.id, &session.document)?.root;
    let labels = vec![(LABEL.to_owned(), Some(session.id.clone())), (HOOK_LABEL.to_owned(), None)];
    let statuses = vec![RunStatus::Failed, RunStatus::Cancelled];
    let failed = reader.runs(&RunFilter { statuses, labels, ..RunFilter::default() })?;
    let live = sessions::live(reader, &session.id)?.len();
    Ok(Line { root, live, failed_hooks: failed.into_iter().map(|row| row.id.to_string()).collect(), session })
}

fn document(line: &Line) -> Value {
    let SessionRow { id, status, labels, opened, closed, .. } = &line.session;
    json!({
        "session": id,
        "status": status.name(),
        "file": line.root,
        "labels": labels,
        "opened": output::time(*opened),
        "closed": closed.map(output::time),
        "live_runs": line.live,
        "failed_hooks": line.failed_hooks,
    })
}

fn table(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "no sessions".to_owned();
    }
    let rows = lines.iter().map(|line| {
        let SessionRow { id, status, labels, opened, .. } = &line.session;
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let failed =
            if line.failed_hooks.is_empty() { String::new() } else { format!("failed: {}", line.failed_hooks.join(", ")) };
        [
            id.clone(),
            status.name().to_owned(),
            output::time(*opened),
            line.root.clone(),
            line.live.to_string(),
            labels.join(" "),
            failed,
        ]
    });
    output::columns(["SESSION", "STATUS", "OPENED", "FILE", "RUNS", "LABELS", "HOOKS"], rows)
}
