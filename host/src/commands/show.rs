//! `host show`: one run, with each attempt and what it used.

mod undone;

use std::sync::Arc;

use engine::event::{CacheNote, EventBody, Origin, RunOutcome};
use engine::ports::Live;
use journal::{AttemptRow, AttemptState, Reader, RunRow};
use serde_json::{Value, json};

use crate::cli::Global;
use crate::commands::list::{self, Listed};
use crate::commands::{documents, session};
use crate::config::Config;
use crate::escalation::amounts;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output, Widths};

/// Prints a run.
pub(crate) fn run(output: Output, global: &Global, run: &str) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let reader = session::open_reader(&config)?;
    let row = reader.find(run)?;
    let mut attempts = reader.attempts(&row.id)?;
    if !row.status.is_end() {
        under_way(&mut attempts, &reader.live(&row.id)?);
    }
    let Ends { input, outcome, origin } = ends(&reader, &row)?;
    let listed = Listed::of(&reader, &config.store.path, row)?;
    let mut document = if output.json() { list::row_document(&listed) } else { Value::Null };
    if let Value::Object(fields) = &mut document {
        fields.insert("plan".into(), json!(listed.row.plan));
        fields.insert("input".into(), input.clone());
        fields.insert("outcome".into(), outcome.as_ref().map_or(Value::Null, documents::outcome));
        fields.insert("origin".into(), origin.as_deref().map_or(Value::Null, |origin| origin_document(origin, &attempts)));
        fields.insert("steps".into(), attempts.iter().map(attempt_document).collect());
        fields.insert("undone".into(), undone::undone(&attempts, outcome.is_some()).iter().map(undone::document).collect());
    }
    output.document(&document, || {
        let mut head = head(&listed);
        if let Some(origin) = &origin {
            head.push_str(&format!("retries  {}, {} results reused\n", origin.run, reused(&attempts)));
        }
        text(head, &input, outcome.as_ref(), &attempts)
    });
    Ok(Exit::Done)
}

/// What a run was given, what it retries, and how it ended.
struct Ends {
    input: Value,
    origin: Option<Box<Origin>>,
    outcome: Option<RunOutcome>,
}

fn ends(reader: &Reader, row: &RunRow) -> Result<Ends, Problem> {
    let (mut first, mut last) = (None, None);
    reader.scan(&row.id, &mut |event| {
        if first.is_none() {
            first = Some(event.body.clone());
        }
        last = Some(event.body);
        true
    })?;
    let (input, origin) = match &first {
        Some(EventBody::RunStarted(started)) => {
            let input = started.input.iter().map(|(name, payload)| (name.clone(), documents::payload(payload))).collect();
            (input, started.origin.clone())
        }
        _ => (Value::Null, None),
    };
    let outcome = match last {
        Some(EventBody::RunEnded { outcome }) => Some(outcome),
        _ => None,
    };
    Ok(Ends { input, origin, outcome })
}

/// Says of attempts that run where that is, as the run's owner last noted.
fn under_way(attempts: &mut [AttemptRow], live: &[Live]) {
    for row in attempts.iter_mut().filter(|row| row.state == AttemptState::Running) {
        if let Some(runs) = live.iter().find(|live| live.path == row.attempt.path).and_then(|live| live.runs.as_ref()) {
            (row.host, row.elsewhere) = (Some(Arc::clone(&runs.host)), true);
        }
    }
}

/// How many steps have the result of the run that this one retries.
fn reused(attempts: &[AttemptRow]) -> usize {
    attempts.iter().filter(|row| row.cache == Some(CacheNote::Reused)).count()
}

fn origin_document(origin: &Origin, attempts: &[AttemptRow]) -> Value {
    json!({ "run": &*origin.run.0, "from": origin.from, "reused": reused(attempts) })
}

fn attempt_document(row: &AttemptRow) -> Value {
    json!({
        "task": row.attempt.task.0,
        "path": &*row.attempt.path,
        "attempt": row.attempt.number,
        "state": row.state.name(),
        "host": row.host.as_deref(),
        "elsewhere": row.elsewhere,
        "started": row.started.map(output::time),
        "ended": row.ended.map(output::time),
        "bill": row.bill.as_ref().map(documents::bill),
        "failure": row.failure.as_ref().map(documents::failure),
        "cache": row.cache.map(CacheNote::name),
        "limits": row.limits.as_ref().map(documents::amounts),
    })
}

fn head(listed: &Listed) -> String {
    let Listed { row, waiting, .. } = listed;
    let mut text = format!(
        "run      {}\nflow     {}\nstatus   {}\nstarted  {}\n",
        row.id,
        row.flow,
        listed.status(),
        output::time(row.created)
    );
    if let Some((parent, step)) = list::parent(row) {
        text.push_str(&format!("parent   {parent} at `{step}`\n"));
    }
    if let Some(ended) = row.ended {
        text.push_str(&format!("ended    {}\n", output::time(ended)));
    }
    match (&row.reason, &row.failure_kind, &row.failure_path) {
        (Some(reason), Some(kind), Some(path)) => {
            text.push_str(&format!("failed   at `{path}`: {kind}: {reason}\nnext     host why {0}; host retry {0}\n", row.id));
        }
        (Some(reason), ..) => text.push_str(&format!("because  {reason}\n")),
        (None, ..) => {}
    }
    if let Some(what) = waiting {
        text.push_str(&format!("waits    for {what}\n"));
    }
    text
}

fn text(mut text: String, input: &Value, outcome: Option<&RunOutcome>, attempts: &[AttemptRow]) -> String {
    text.push_str(&format!("input    {input}\n"));
    if let Some(outcome) = outcome {
        text.push_str(&format!("outcome  {:#}\n", documents::outcome(outcome)));
    }
    text.push('\n');
    // Lines are made twice, not kept: there may be very many.
    let head = ["TASK", "PATH", "TRY", "STATE", "FUEL", "MEMORY", "WALL", ""];
    let mut widths = Widths::of(head);
    attempts.iter().for_each(|row| widths.add(&attempt_line(row)));
    text.push_str(&widths.line(&head));
    for row in attempts {
        text.push('\n');
        text.push_str(&widths.line(&attempt_line(row)));
    }
    text.push('\n');
    text.push_str(&undone::text(&undone::undone(attempts, outcome.is_some())));
    text
}

fn attempt_line(row: &AttemptRow) -> [String; 8] {
    let bill = row.bill.unwrap_or_default();
    let cache = match row.cache {
        None => "",
        Some(CacheNote::Hit) => "out of the cache",
        Some(CacheNote::NoEntry) => "not in the cache: no entry",
        Some(CacheNote::Expired) => "not in the cache: expired",
        Some(CacheNote::Reused) => "reused from the run that is retried",
        Some(CacheNote::Supplied) => "supplied by an operator",
    };
    let failure = row.failure.as_ref().map(|failure| format!("{}: {}", failure.kind, failure.message));
    let raised = row.limits.as_ref().map(|limits| format!("with {}", amounts(limits)));
    let place = row.host.as_ref().filter(|_| row.elsewhere).map(|host| format!("on {host}"));
    let remark =
        [place, raised, Some(failure.unwrap_or_else(|| cache.to_owned()))].into_iter().flatten().filter(|part| !part.is_empty());
    let remark = remark.collect::<Vec<_>>().join("; ");
    [
        row.attempt.task.0.to_string(),
        row.attempt.path.to_string(),
        row.attempt.number.to_string(),
        row.state.name().to_owned(),
        bill.fuel.to_string(),
        format!("{} KiB", bill.peak_memory >> 10),
        format!("{:.1} ms", bill.wall as f64 / 1e3),
        remark.chars().take(100).collect(),
    ]
}
