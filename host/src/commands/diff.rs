//! `host diff`: what differs between two flows, and which runs of the old one can go on with the new one.

use std::path::Path;
use std::sync::Arc;

use journal::{RunFilter, RunRow, SqliteJournal};
use lang::plan::Plan;
use lang::render::{Change, Field, What, difference};
use serde_json::{Value, json};

use crate::cli::{DiffArgs, Global};
use crate::commands::{plan, selection, session};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::stored::StoredRun;
use crate::verdict::{self, Verdict};
use crate::world::DiskWorld;

/// Prints the differences, and the verdicts that are asked for.
pub(crate) fn run(output: Output, global: &Global, args: &DiffArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let new = match compile(output, &config, &args.new, args.flow.as_deref())? {
        Ok(plan) => Arc::new(plan),
        Err(exit) => return Ok(exit),
    };
    let mut runs = Vec::new();
    let old = if Path::new(&args.old).exists() {
        match compile(output, &config, Path::new(&args.old), args.flow.as_deref())? {
            Ok(plan) => Arc::new(plan),
            Err(exit) => return Ok(exit),
        }
    } else {
        let (row, journal) = find(&config, &args.old)?;
        let stored = StoredRun::load(&journal, &row.id)?;
        let (_, plans) = match stored.compile(output, &journal)? {
            Ok(compiled) => compiled,
            Err(exit) => return Ok(exit),
        };
        runs.push((row, verdict::check(&stored, &plans, &new)?));
        Arc::clone(plans.current())
    };
    if args.runs {
        runs = verdicts(output, &config, &old, &new)?;
    }
    let changes = difference(&old, &new);
    let document = json!({
        "old": old.digest().to_string(),
        "new": new.digest().to_string(),
        "changes": changes.iter().map(change_document).collect::<Value>(),
        "runs": runs.iter().map(|(row, verdict)| verdict.document(&row.id)).collect::<Value>(),
    });
    output.document(&document, || text(&changes, &runs, args.runs));
    Ok(Exit::Done)
}

/// The plan of a file. With `--json` the document of this command is the only one.
fn compile(output: Output, config: &Config, path: &Path, flow: Option<&str>) -> Result<Result<Plan, Exit>, Problem> {
    plan::compile(output, &DiskWorld::open(output, config, path)?, &path.to_string_lossy(), plan::entry(flow))
}

fn find(config: &Config, name: &str) -> Result<(RunRow, SqliteJournal), Problem> {
    let missing = |problem: Problem| problem.help(format!("`{name}` is neither a file here nor a run of the store"));
    let journal = session::open_for_reading(config).map_err(missing)?;
    let row = journal.reader().find(name).map_err(Problem::from).map_err(missing)?;
    Ok((row, journal))
}

/// The runs that have not ended and belong to the old plan.
fn verdicts(output: Output, config: &Config, old: &Plan, new: &Arc<Plan>) -> Result<Vec<(RunRow, Verdict)>, Problem> {
    let Some(reader) = selection::store(config)? else { return Ok(Vec::new()) };
    let journal = session::open_for_reading(config)?;
    let flow = old.flows.get(old.entry).map(|flow| flow.name.to_string());
    let rows = reader.runs(&RunFilter { flow, ..RunFilter::default() })?;
    let digest = old.digest().to_string();
    let of_old = rows.into_iter().filter(|row| !row.status.is_end() && row.plan == digest);
    Ok(of_old
        .map(|row| {
            let verdict = verdict::of_run(output, &journal, &row.id, new);
            (row, verdict)
        })
        .collect())
}

fn change_document(change: &Change) -> Value {
    let Change { path, what } = change;
    match what {
        What::Added { kind } => json!({ "path": path, "change": "added", "kind": kind }),
        What::Removed { kind } => json!({ "path": path, "change": "removed", "kind": kind }),
        What::Renamed { from } => json!({ "path": path, "change": "renamed", "from": from }),
        What::Changed(fields) => {
            let field = |Field { name, old, new }: &Field| json!({ "field": name, "old": old, "new": new });
            json!({ "path": path, "change": "changed", "fields": fields.iter().map(field).collect::<Value>() })
        }
    }
}

fn text(changes: &[Change], runs: &[(RunRow, Verdict)], listed: bool) -> String {
    let mut text = String::new();
    if changes.is_empty() {
        text.push_str("the flows are the same\n");
    }
    for Change { path, what } in changes {
        match what {
            What::Added { kind } => text.push_str(&format!("+ {path}: {kind}\n")),
            What::Removed { kind } => text.push_str(&format!("- {path}: {kind}\n")),
            What::Renamed { from } => text.push_str(&format!("> {path}: was {from}\n")),
            What::Changed(fields) => {
                text.push_str(&format!("~ {path}\n"));
                for Field { name, old, new } in fields {
                    text.push_str(&format!("    {name}: {} -> {}\n", shown(old), shown(new)));
                }
            }
        }
    }
    if listed && runs.is_empty() {
        text.push_str("\nno run of the old flow goes on\n");
    }
    if !runs.is_empty() {
        text.push('\n');
    }
    for (row, verdict) in runs {
        text.push_str(&format!("{}  {}  {verdict}\n", row.id, row.status.name()));
    }
    text
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}
