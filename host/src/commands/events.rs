//! `host events`: the journal of a run, as it is stored and verified.

use journal::EventRow;
use serde_json::{Value, json};

use crate::cli::Global;
use crate::commands::{documents, session};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};

/// Events that one read of the store brings.
const CHUNK: usize = 4096;

/// Prints all events; then fails when the journal is damaged.
pub(crate) fn run(output: Output, global: &Global, run: &str) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let reader = session::open_reader(&config)?;
    let row = reader.find(run)?;
    let mut events = Vec::new();
    loop {
        let after = events.last().map_or(0, |event: &EventRow| event.seq);
        let more = reader.events(&row.id, after, CHUNK)?;
        let last = more.len() < CHUNK;
        events.extend(more);
        if last {
            break;
        }
    }
    let document = events.iter().map(document).collect();
    output.document(&Value::Array(document), || table(&events));
    match reader.load_prefix(&row.id)?.damage {
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

fn table(events: &[EventRow]) -> String {
    let lines = events.iter().map(|event| {
        [
            event.seq.to_string(),
            output::time(event.at),
            event.kind.clone(),
            event.path.clone(),
            event.body.chars().take(100).collect(),
        ]
    });
    output::columns(["SEQ", "AT", "EVENT", "PATH", "BODY"], lines)
}
