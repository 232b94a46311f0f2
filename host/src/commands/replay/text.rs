//! A state for people.

use catalog::Value;
use engine::core::{OpenNode, OpenRegion, Standing, StepStatus, View, render_event};
use lang::plan::NodeId;

use super::{Moment, Recording, Version};
use crate::output;

/// So many letters of a value or an event are shown.
const LETTERS: usize = 100;

/// So many nodes of a region are shown.
const NODES: usize = 40;

/// A state with its event.
pub(super) fn moment(recording: &Recording, moment: &Moment) -> String {
    let Moment { view, version, event, node, led_to } = moment;
    let mut text = format!(
        "run {} of flow {}: event {} of {}, {}\n",
        recording.row.id,
        recording.row.flow,
        view.seq,
        recording.len(),
        output::time(view.at)
    );
    text.push_str(&format!("  {}\n", cut(&render_event(event))));
    if let Some(line) = node.and_then(|node| place(version, node)) {
        text.push_str(&format!("      {line}\n"));
    }
    for line in led_to {
        text.push_str(&format!("  → {}\n", cut(line)));
    }
    text.push_str(&format!("state     {}\n", state(view)));
    let totals = &view.totals;
    text.push_str(&format!("used      {} steps, {} attempts, {} fuel\n", totals.steps, totals.attempts, totals.bill.fuel));
    for blocked in &view.blocked {
        text.push_str(&format!("blocked   step {} ({}): {}\n", blocked.task.0, blocked.path, blocked.by));
    }
    for region in &view.regions {
        text.push('\n');
        push_region(version, region, &mut text);
    }
    if view.open_regions > view.regions.len() {
        text.push_str(&format!("\nand {} other open regions\n", view.open_regions - view.regions.len()));
    }
    text
}

/// What the run does, in words.
pub(super) fn state(view: &View) -> String {
    use engine::event::RunOutcome;
    match &view.outcome {
        Some(RunOutcome::Succeeded(_)) => "succeeded".to_owned(),
        Some(RunOutcome::Failed { failure, path }) => cut(&format!("failed at {path}: {}: {}", failure.kind, failure.message)),
        Some(RunOutcome::Cancelled) => "cancelled".to_owned(),
        None if view.cancelling => "is being cancelled".to_owned(),
        None => match &view.paused {
            Some(reason) => format!("paused: {reason}"),
            None => "running".to_owned(),
        },
    }
}

fn push_region(version: &Version, region: &OpenRegion, text: &mut String) {
    let closing = if region.closing { "  (ends early)" } else { "" };
    text.push_str(&format!("{}{closing}\n", region.path));
    for (name, value) in &region.inputs {
        text.push_str(&format!("  given   {name} = {}\n", json(value)));
    }
    for done in region.done.iter().take(NODES) {
        let line = format!("  done    {} = {}", version.name(done.node), json(&done.value));
        push_line(version, Some(done.node), &line, text);
    }
    for open in region.open.iter().take(NODES) {
        let line = format!("  open    {}: {}", open_name(version, open), standing(open));
        push_line(version, open.node, &line, text);
    }
    for node in region.waiting.iter().take(NODES) {
        push_line(version, Some(*node), &format!("  later   {}", version.name(*node)), text);
    }
    let left = |all: usize| all.saturating_sub(NODES);
    let more = left(region.done.len()) + left(region.open.len()) + left(region.waiting.len());
    if more > 0 {
        text.push_str(&format!("  and {more} other nodes\n"));
    }
}

fn push_line(version: &Version, node: Option<NodeId>, line: &str, text: &mut String) {
    let place = node.and_then(|node| place(version, node));
    match place {
        Some(place) => text.push_str(&format!("{line:<60}  {place}\n")),
        None => text.push_str(&format!("{line}\n")),
    }
}

fn open_name<'a>(version: &'a Version, open: &'a OpenNode) -> &'a str {
    open.node.map_or(&*open.path, |node| version.name(node))
}

/// `main.flow:12: let b = kit.echo(a)`
fn place(version: &Version, node: NodeId) -> Option<String> {
    let line = version.source(node)?;
    Some(format!("{}:{}: {}", line.file, line.line, cut(line.text)))
}

/// How far a node is, in words.
pub(super) fn standing(open: &OpenNode) -> String {
    let mut text = match &open.standing {
        Standing::Step { task, number, status, args } => {
            let args: Vec<String> = args.iter().map(json).collect();
            let until = match status {
                StepStatus::Retry { until: Some(until) } => format!(" at {}", output::time(*until)),
                _ => String::new(),
            };
            format!("step {}, attempt {number} {}{until}, with ({})", task.0, status.name(), args.join(", "))
        }
        Standing::Wait(Some(waiting)) => {
            let until = waiting.until.map(|until| format!(" until {}", output::time(until)));
            format!("waits for {}{}", waiting.what, until.unwrap_or_default())
        }
        Standing::Wait(None) => "waits".to_owned(),
        Standing::Emit { topic, sending: true } => format!("sends a message on \"{topic}\""),
        Standing::Emit { topic, sending: false } => format!("is to send a message on \"{topic}\""),
        Standing::Items { done, of } => format!("{done} of {of} items"),
        Standing::Iteration { number, max, value } => format!("iteration {number} of at most {max}, with {}", json(value)),
        Standing::Arms { won, wanted, failed } => format!("{won} of {wanted} arms won, {failed} failed"),
        Standing::Inside => "what is in it goes on".to_owned(),
    };
    if let Some(deadline) = open.deadline {
        text.push_str(&format!(", until {}", output::time(deadline)));
    }
    if open.stopping {
        text.push_str(", is being stopped");
    }
    text
}

/// The beginning of a value's JSON.
fn json(value: &Value) -> String {
    let mut text = String::new();
    catalog::json::write_json(value, &mut text);
    cut(&text)
}

/// One line, not too long.
pub(super) fn cut(text: &str) -> String {
    let line: String = text.chars().take(LETTERS).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.chars().nth(LETTERS).is_some() { format!("{line}…") } else { line }
}
