//! `host deploy list`: what is deployed, and when it fires next.

use engine::event::Timestamp;
use engine::ports::{Clock, SystemClock};
use journal::{Deployment, Reader};
use serde_json::{Value, json};

use crate::commands::selection;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};
use crate::serve::deployment::{Document, StoredTrigger, When};
use crate::serve::schedule::Schedule;

/// A trigger as it is listed.
struct Line {
    name: String,
    version: u32,
    state: &'static str,
    trigger: String,
    flow: String,
    next: Option<Timestamp>,
    last: Option<String>,
}

/// Lists the triggers of all deployments. A store that was never made has none.
pub(super) fn run(output: Output, config: &Config) -> Result<Exit, Problem> {
    let mut lines = Vec::new();
    let mut documents = Vec::new();
    if let Some(reader) = selection::store(config)? {
        let stored = reader.deployments()?;
        for current in stored.iter().filter(|found| found.current) {
            let found = lines_of(&reader, current)?;
            let versions = stored.iter().filter(|found| found.name == current.name).map(|found| found.version);
            documents.push(document(current, &found, &versions.collect::<Vec<_>>()));
            lines.extend(found);
        }
    }
    output.document(&Value::Array(documents), || table(lines));
    Ok(Exit::Done)
}

fn lines_of(reader: &Reader, current: &Deployment) -> Result<Vec<Line>, Problem> {
    let Document { triggers, .. } = Document::read(&current.name, &current.document)?;
    triggers
        .into_iter()
        .map(|trigger| {
            let mark = reader.trigger_mark(&current.name, &trigger.item)?;
            let (mark, last) = mark.map_or((current.at, None), |mark| (mark.mark, mark.run));
            let next = if current.paused { None } else { next(&trigger, mark) };
            let StoredTrigger { item, flow, .. } = trigger;
            let state = if current.paused { "paused" } else { "active" };
            let last = last.map(|run| run.to_string());
            Ok(Line { name: current.name.clone(), version: current.version, state, trigger: item, flow, next, last })
        })
        .collect()
}

/// The next time of a schedule; one that has passed and was not taken up yet is in the past.
fn next(trigger: &StoredTrigger, mark: Timestamp) -> Option<Timestamp> {
    let When::Schedule { cron, zone } = &trigger.when else { return None };
    Schedule::new(cron, zone.as_deref()).ok()?.next_after(mark.max(SystemClock.now()))
}

fn document(current: &Deployment, lines: &[Line], versions: &[u32]) -> Value {
    let trigger = |line: &Line| json!({ "trigger": line.trigger, "flow": line.flow, "next": line.next.map(output::time), "last_run": line.last });
    json!({
        "name": current.name,
        "version": current.version,
        "versions": versions,
        "state": if current.paused { "paused" } else { "active" },
        "deployed": output::time(current.at),
        "triggers": lines.iter().map(trigger).collect::<Vec<_>>(),
    })
}

fn table(lines: Vec<Line>) -> String {
    if lines.is_empty() {
        return "nothing is deployed".to_owned();
    }
    let rows = lines.into_iter().map(|line| {
        let next = line.next.map_or_else(|| "-".to_owned(), output::time);
        [line.name, line.version.to_string(), line.state.to_owned(), next, line.trigger]
    });
    output::columns(["NAME", "VERSION", "STATE", "NEXT", "TRIGGER"], rows)
}
