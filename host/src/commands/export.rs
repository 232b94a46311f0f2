//! `host export`: runs, attempts or events for spreadsheets and other programs, a row at a time.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};

use engine::event::CacheNote;
use journal::{AttemptRow, EventRow, Reader, RunRow};
use serde_json::Value;

use crate::cli::{ExportArgs, ExportFormat, ExportWhat, Global};
use crate::commands::documents;
use crate::commands::selection::{self, Wanted};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};

/// Names of columns.
type Names = &'static [&'static str];

const RUNS: Names = &[
    "run",
    "flow",
    "status",
    "owner",
    "created",
    "updated",
    "ended",
    "duration_ms",
    "events",
    "labels",
    "reason",
    "failure_kind",
    "failure_path",
    "plan",
    "program",
];
const STEPS: Names = &[
    "run",
    "flow",
    "task",
    "path",
    "attempt",
    "state",
    "host",
    "started",
    "ended",
    "wall_us",
    "fuel",
    "peak_memory",
    "host_calls",
    "bytes_in",
    "bytes_out",
    "cache",
    "failure_kind",
    "failure_message",
];
const EVENTS: Names = &["run", "seq", "at", "kind", "path", "body"];

/// Writes all rows of the runs that fit.
pub(crate) fn run(output: Output, global: &Global, args: &ExportArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let wanted = Wanted::of(&args.selection)?;
    let json = output.json() || args.format == ExportFormat::Json;
    let names = match args.what {
        ExportWhat::Runs => RUNS,
        ExportWhat::Steps => STEPS,
        ExportWhat::Events => EVENTS,
    };
    let reader = selection::store(&config)?;
    let target: Box<dyn Write> = match &args.output {
        Some(file) => Box::new(File::create(file).map_err(|error| unwritten(args, &error))?),
        None => Box::new(io::stdout().lock()),
    };
    let mut table = Table { out: BufWriter::new(target), names, json, rows: 0 };
    let written = table.begin().map_err(Stop::Io).and_then(|()| match &reader {
        Some(reader) => wanted.each(reader, &config.store.path, |run| rows(reader, args.what, &run, &mut table)),
        None => Ok(()),
    });
    match written.and_then(|()| table.end().map_err(Stop::Io)) {
        Ok(()) => {}
        Err(Stop::Store(error)) => return Err(error.into()),
        // A reader that went away is not an error of ours.
        Err(Stop::Io(error)) if error.kind() == ErrorKind::BrokenPipe && args.output.is_none() => {}
        Err(Stop::Io(error)) => return Err(unwritten(args, &error)),
    }
    if args.output.is_some() {
        output.note(&format!("{} rows written", table.rows));
    }
    Ok(Exit::Done)
}

fn unwritten(args: &ExportArgs, error: &io::Error) -> Problem {
    let target = args.output.as_ref().map_or_else(|| "standard output".to_owned(), |file| format!("`{}`", file.display()));
    Problem::usage(format!("{target} cannot be written: {error}"))
}

/// Why an export ends early.
enum Stop {
    Store(engine::ports::JournalError),
    Io(io::Error),
}

impl From<engine::ports::JournalError> for Stop {
    fn from(error: engine::ports::JournalError) -> Self {
        Self::Store(error)
    }
}

fn rows(reader: &Reader, what: ExportWhat, run: &RunRow, table: &mut Table) -> Result<(), Stop> {
    match what {
        ExportWhat::Runs => table.row(&run_row(run)).map_err(Stop::Io),
        ExportWhat::Steps => {
            let attempts = reader.attempts(&run.id)?;
            attempts.iter().try_for_each(|attempt| table.row(&step_row(run, attempt))).map_err(Stop::Io)
        }
        ExportWhat::Events => {
            let mut failed = Ok(());
            reader.each_event(&run.id, 0, |event| {
                if failed.is_ok() {
                    failed = table.row(&event_row(run, &event));
                }
            })?;
            failed.map_err(Stop::Io)
        }
    }
}

fn text<T: ToString + ?Sized>(text: &T) -> Value {
    Value::String(text.to_string())
}

fn run_row(run: &RunRow) -> Vec<Value> {
    let optional = |value: &Option<String>| value.clone().into();
    vec![
        text(&run.id),
        text(&run.flow),
        text(&run.status),
        text(&run.owner),
        text(&output::time(run.created)),
        text(&output::time(run.updated)),
        run.ended.map(output::time).into(),
        run.ended.map(|ended| ended.0.saturating_sub(run.created.0)).into(),
        run.last_seq.into(),
        Value::Object(run.labels.clone()),
        optional(&run.reason),
        optional(&run.failure_kind),
        optional(&run.failure_path),
        text(&run.plan),
        text(&run.program),
    ]
}

fn step_row(run: &RunRow, row: &AttemptRow) -> Vec<Value> {
    let bill = |number: fn(&engine::event::Bill) -> u64| Value::from(row.bill.as_ref().map(number));
    vec![
        text(&run.id),
        text(&run.flow),
        row.attempt.task.0.into(),
        text(&row.attempt.path),
        row.attempt.number.into(),
        text(row.state.name()),
        row.host.as_deref().into(),
        row.started.map(output::time).into(),
        row.ended.map(output::time).into(),
        bill(|bill| bill.wall),
        bill(|bill| bill.fuel),
        bill(|bill| bill.peak_memory),
        bill(|bill| bill.host_calls),
        bill(|bill| bill.bytes_in),
        bill(|bill| bill.bytes_out),
        row.cache.map(CacheNote::name).into(),
        row.failure.as_ref().map(|failure| failure.kind.name()).into(),
        row.failure.as_ref().map(|failure| failure.message.clone()).into(),
    ]
}

fn event_row(run: &RunRow, event: &EventRow) -> Vec<Value> {
    vec![
        text(&run.id),
        event.seq.into(),
        text(&output::time(event.at)),
        text(&event.kind),
        text(&event.path),
        documents::stored(&event.body),
    ]
}

/// What is written to.
struct Table {
    out: BufWriter<Box<dyn Write>>,
    names: Names,
    json: bool,
    rows: u64,
}

impl Table {
    fn begin(&mut self) -> io::Result<()> {
        if self.json {
            return self.out.write_all(b"[");
        }
        let names: Vec<Value> = self.names.iter().map(text).collect();
        self.out.write_all(csv(&names).as_bytes())
    }

    fn row(&mut self, cells: &[Value]) -> io::Result<()> {
        if self.json {
            let fields = self.names.iter().zip(cells).map(|(name, cell)| ((*name).to_owned(), cell.clone()));
            let separator = if self.rows == 0 { "\n" } else { ",\n" };
            write!(self.out, "{separator}{}", Value::Object(fields.collect()))?;
        } else {
            self.out.write_all(csv(cells).as_bytes())?;
        }
        self.rows += 1;
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        if self.json {
            self.out.write_all(if self.rows == 0 { b"]\n" } else { b"\n]\n" })?;
        }
        self.out.flush()
    }
}

/// A line of RFC 4180.
fn csv(cells: &[Value]) -> String {
    let cells: Vec<String> = cells.iter().map(cell).collect();
    format!("{}\r\n", cells.join(","))
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) if is_formula(text) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// Whether a spreadsheet would calculate it.
fn is_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::csv;

    #[test]
    fn cells_are_quoted_and_no_text_is_a_formula() {
        let cells = [json!("a"), json!("b,\"c\"\nd"), json!(-5), Value::Null, json!({"k": "v"}), json!("=1+1"), json!("+,")];
        assert_eq!(csv(&cells), "a,\"b,\"\"c\"\"\nd\",-5,,\"{\"\"k\"\":\"\"v\"\"}\",'=1+1,\"'+,\"\r\n");
    }
}
