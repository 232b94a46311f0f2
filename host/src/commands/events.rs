//! `host events`: the journal of a run, as it is stored and verified.

use journal::EventRow;
use serde_json::{Value, json};

use crate::cli::Global;
use crate::commands::{documents, session};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output, Parts, Widths};

const HEAD: [&str; 5] = ["SEQ", "AT", "EVENT", "PATH", "BODY"];

/// Prints all events; then fails when the journal is damaged. A long one is never in memory as a whole.
pub(crate) fn run(output: Output, global: &Global, run: &str) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let reader = session::open_reader(&config)?;
    let row = reader.find(run)?;
    let mut parts = Parts::new();
    if output.json() {
        reader.each_event(&row.id, 0, |event| parts.item(&document(&event)))?;
        parts.end_list();
    } else {
        let mut widths = Widths::of(HEAD);
        reader.each_event(&row.id, 0, |event| widths.add(&line(&event)))?;
        parts.line(&widths.line(&HEAD));
        reader.each_event(&row.id, 0, |event| parts.line(&widths.line(&line(&event))))?;
    }
    drop(parts);
    match reader.scan(&row.id, &mut |_| true)? {
        Some(damage) => Err(damage.into()),
        None => Ok(Exit::Done),
    }
}

fn document(event: &EventRow) -> Value {
    json!({
        "seq": event.seq,
        "at": output::time(event.at),
        "kind": event.kind,
        "path": event.path,
        "body": documents::stored(&event.body),
    })
}

fn line(event: &EventRow) -> [String; 5] {
    [
        event.seq.to_string(),
        output::time(event.at),
        event.kind.clone(),
        event.path.clone(),
        event.body.chars().take(100).collect(),
    ]
}
