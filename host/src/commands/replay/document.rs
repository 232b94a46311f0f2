//! A state for programs.

use engine::core::{Awaited, DoneNode, OpenNode, OpenRegion, Standing, StepStatus, Waiting, render_event};
use engine::event::Timestamp;
use lang::plan::NodeId;
use serde_json::{Value, json};

use super::{Moment, Recording, Version, text};
use crate::commands::documents;
use crate::output;

/// A state with its event.
pub(super) fn moment(recording: &Recording, moment: &Moment) -> Value {
    let Moment { view, version, event, node, led_to } = moment;
    let stored = journal::wire::encode(event);
    let blocked: Vec<Value> = view
        .blocked
        .iter()
        .map(|blocked| json!({ "task": blocked.task.0, "path": &*blocked.path, "because": blocked.by.to_string() }))
        .collect();
    json!({
        "run": &*recording.row.id.0,
        "flow": recording.row.flow,
        "seq": view.seq,
        "events": recording.len(),
        "damage": recording.damage.as_ref().map(ToString::to_string),
        "at": output::time(view.at),
        "event": {
            "kind": stored.kind,
            "path": &*stored.path,
            "text": render_event(event),
            "led_to": led_to,
            "source": node.and_then(|node| source(version, node)),
        },
        "state": text::state(view),
        "paused": view.paused,
        "cancelling": view.cancelling,
        "outcome": view.outcome.as_ref().map(documents::outcome),
        "open_regions": view.open_regions,
        "regions": view.regions.iter().map(|of| region(version, of)).collect::<Vec<_>>(),
        "blocked": blocked,
        "waiting": view.waiting.iter().map(waiting).collect::<Vec<_>>(),
        "steps": view.totals.steps,
        "attempts": view.totals.attempts,
        "bill": documents::bill(&view.totals.bill),
    })
}

fn source(version: &Version, node: NodeId) -> Option<Value> {
    let line = version.source(node)?;
    Some(json!({ "file": line.file, "line": line.line, "text": line.text }))
}

fn region(version: &Version, region: &OpenRegion) -> Value {
    let given = region.inputs.iter().map(|(name, value)| (name.to_string(), catalog::json::to_json(value)));
    let later = |node: &NodeId| json!({ "name": version.name(*node), "source": source(version, *node) });
    json!({
        "path": &*region.path,
        "given": given.collect::<serde_json::Map<_, _>>(),
        "done": region.done.iter().map(|of| done(version, of)).collect::<Vec<_>>(),
        "open": region.open.iter().map(|of| open(version, of)).collect::<Vec<_>>(),
        "later": region.waiting.iter().map(later).collect::<Vec<_>>(),
        "closing": region.closing,
    })
}

fn done(version: &Version, done: &DoneNode) -> Value {
    json!({ "path": &*done.path, "value": catalog::json::to_json(&done.value), "source": source(version, done.node) })
}

fn open(version: &Version, open: &OpenNode) -> Value {
    json!({
        "path": &*open.path,
        "standing": standing(&open.standing),
        "text": text::standing(open),
        "stopping": open.stopping,
        "deadline": open.deadline.map(output::time),
        "source": open.node.and_then(|node| source(version, node)),
    })
}

fn standing(standing: &Standing) -> Value {
    let time = |at: &Option<Timestamp>| at.map(output::time);
    match standing {
        Standing::Step { task, number, status, args } => {
            let until = if let StepStatus::Retry { until } = status { time(until) } else { None };
            let args: Vec<Value> = args.iter().map(catalog::json::to_json).collect();
            json!({ "step": { "task": task.0, "attempt": number, "status": status.name(), "until": until, "args": args } })
        }
        Standing::Wait(of) => json!({ "wait": of.as_ref().map(waiting) }),
        Standing::Emit { topic, sending } => json!({ "emit": { "topic": &**topic, "sending": sending } }),
        Standing::Items { done, of } => json!({ "items": { "done": done, "of": of } }),
        Standing::Iteration { number, max, value } => {
            json!({ "iteration": { "number": number, "max": max, "value": catalog::json::to_json(value) } })
        }
        Standing::Arms { won, wanted, failed } => json!({ "arms": { "won": won, "wanted": wanted, "failed": failed } }),
        Standing::Inside => json!("inside"),
    }
}

fn waiting(waiting: &Waiting) -> Value {
    let kind = match &waiting.what {
        Awaited::Time => "time",
        Awaited::Signal { .. } => "signal",
        Awaited::Message { .. } => "message",
        Awaited::Run { .. } => "run",
    };
    json!({ "path": &*waiting.path, "kind": kind, "what": waiting.what.to_string(), "until": waiting.until.map(output::time) })
}
