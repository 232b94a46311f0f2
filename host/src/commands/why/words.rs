//! What a node waits for, in words.

use engine::core::{Awaited, Blocked, BlockedBy, Condition, Explained, Waiting};
use engine::event::{Failure, Timestamp};
use engine::ports::Live;
use journal::RunStatus;

use super::Known;
use super::history::{End, Last};
use crate::commands::signal;
use crate::output;

/// Lines of a node and of what it waits for, and the commands that can move it.
pub(super) fn tell(known: &Known, standing: &Explained, depth: usize, lines: &mut Vec<String>, commands: &mut Vec<String>) {
    lines.push(format!("{}{} {}", "  ".repeat(depth), standing.path, condition(known, standing)));
    super::add(commands, answers(known, &standing.condition));
    for cause in &standing.because {
        tell(known, cause, depth + 1, lines, commands);
    }
    if standing.more > 0 {
        lines.push(format!("{}and {} more", "  ".repeat(depth + 1), standing.more));
    }
}

/// Whether something is still to come.
pub(super) fn is_open(standing: &Explained) -> bool {
    standing.condition != Condition::Done && (standing.condition != Condition::Absent || !standing.because.is_empty())
}

/// The condition of a node, as the end of a sentence that its path begins.
pub(super) fn condition(known: &Known, standing: &Explained) -> String {
    match &standing.condition {
        Condition::Done => done(known, &standing.path),
        Condition::Absent => absent(known, standing),
        Condition::Starting => "starts as soon as what has happened is durable".to_owned(),
        Condition::Dependencies => match standing.because.as_slice() {
            [only] if standing.more == 0 => format!("waits for `{}`", only.path),
            many => format!("waits for {} nodes that are not done", many.len() + standing.more),
        },
        Condition::Inside { form, progress } => inside(form, *progress),
        Condition::Stopping { failure: Some(failure) } => format!("is being ended, because it failed: {}", failed(failure)),
        Condition::Stopping { failure: None } => "is being ended: nobody wants its value any more".to_owned(),
        Condition::Undoing => "is being taken back".to_owned(),
        Condition::Running { number, .. } => running(known, &standing.path, *number),
        Condition::Key { key, holder } => format!("waits for the key `{key}`, which `{holder}` has"),
        Condition::Places { around, limit } => {
            let steps = if *limit == 1 { "one step runs".to_owned() } else { format!("{limit} steps run") };
            format!("waits for a place: in `{around}` at most {steps} at once")
        }
        Condition::Rate { count, per, until } => {
            let next = until.map_or_else(String::new, |until| format!("; the next one may {}", when(known, until)));
            let attempts = if *count == 1 { "one attempt starts".to_owned() } else { format!("{count} attempts start") };
            format!("waits for its rate: at most {attempts} in {}{next}", catalog::duration::display(*per))
        }
        Condition::Trial { trial: Some(trial) } => format!("waits for `{trial}`: its breaker is open, and that is the trial"),
        Condition::Trial { trial: None } => "waits for the trial of its breaker, which is open".to_owned(),
        Condition::Backoff { until, number, failure, breaker } => backoff(known, *until, *number, failure.as_ref(), *breaker),
        Condition::Paused { reason } => format!("is held: the run is paused ({reason})"),
        Condition::Undecided { about } => format!("is held until there is a decision about `{about}`"),
        Condition::Asking => "waits for what a handler says".to_owned(),
        Condition::Decision(blocked) => decision(blocked),
        Condition::Waits(waiting) => waits(known, waiting),
        Condition::Sending { topic } => format!("waits until its message on `{topic}` is durable"),
    }
}

fn inside(form: &str, progress: Option<(usize, usize)>) -> String {
    match (form, progress) {
        ("race", Some((won, wanted))) => format!("is under way: {won} of {wanted} arms have succeeded"),
        ("loop", Some((iteration, max))) => format!("is under way: iteration {iteration} of at most {max}"),
        (_, Some((done, all))) => format!("is under way: {done} of {all} items are done"),
        (form, None) => format!("is under way ({form})"),
    }
}

fn running(known: &Known, path: &str, number: u32) -> String {
    let live = known.live.iter().find(|live| *live.path == *path);
    if let Some(Live { runs: Some(runs), .. }) = live {
        return format!("runs on `{}`: attempt {number}, since {}", runs.host, ago(known, runs.since));
    }
    if let Some(live) = live {
        let next = live.until.map_or_else(String::new, |until| format!("; it may go on {}", when(known, until)));
        return format!("{}{next}", live.what);
    }
    let since = known.history.of_step(path).filter(|last| last.number == number && matches!(last.end, End::Open));
    let since = since.and_then(|last| last.started).map_or_else(String::new, |at| format!(", since {}", ago(known, at)));
    if known.driven {
        format!("runs: attempt {number}{since}")
    } else {
        format!("was running when its owner went away: attempt {number}{since}")
    }
}

fn backoff(known: &Known, until: Timestamp, number: u32, failure: Option<&Failure>, breaker: Option<Timestamp>) -> String {
    let last = failure.map_or_else(String::new, |failure| format!("; the last one failed: {}", failed(failure)));
    let open =
        breaker.map_or_else(String::new, |until| format!("; its breaker is open, a trial may start {}", when(known, until)));
    format!("waits for attempt {number}, {}{last}{open}", when(known, until))
}

fn decision(blocked: &Blocked) -> String {
    match &blocked.by {
        BlockedBy::Unknown => format!(
            "needs a decision: whether attempt {} had its effect is not known, its host died meanwhile; look at the outside world",
            blocked.number
        ),
        BlockedBy::Repeats => format!("needs a decision: {}", blocked.by),
        BlockedBy::Exhausted { kind, message } => {
            format!("needs a decision: its attempts are used up, the last one failed: {kind}: {message}")
        }
        BlockedBy::Escalated { kind, message } => {
            format!(
                "needs a decision: it is escalated, the last attempt failed: {kind}: {message}; `host escalations` has the report"
            )
        }
    }
}

fn waits(known: &Known, waiting: &Waiting) -> String {
    let until = waiting.until.map(|until| when(known, until));
    match (&waiting.what, until) {
        (Awaited::Time, Some(until)) => format!("waits for a time: {until}"),
        (Awaited::Time, None) => "waits for a time".to_owned(),
        (what, Some(until)) => format!("waits for {what}; without it, it goes on {until}"),
        (what, None) => format!("waits for {what}"),
    }
}

fn done(known: &Known, path: &str) -> String {
    match known.history.of_step(path) {
        Some(last) => ended(known, path, last),
        None => match known.history.inside(path) {
            (0, _) => "is done".to_owned(),
            (steps, Some(at)) => format!("is done: {}, the last one ended {}", count(steps, "step"), output::time(at)),
            (steps, None) => format!("is done: {}", count(steps, "step")),
        },
    }
}

/// What became of a step that is over.
fn ended(known: &Known, path: &str, last: &Last) -> String {
    let (number, at) = (last.number, output::time(last.at));
    let place = last.host.as_ref().map_or_else(String::new, |host| format!(" on `{host}`"));
    let took = catalog::duration::display(last.wall.saturating_mul(1_000));
    match &last.end {
        End::Succeeded => format!("is done: attempt {number} gave its result {at}{place} and took {took}"),
        End::Failed(failure) => {
            let taken = match known.run.catcher(path) {
                Some((by, what)) => format!("; the {what} of `{by}` took the failure"),
                None => "; nothing took the failure".to_owned(),
            };
            format!("failed: attempt {number} ended {at}{place}: {}{taken}", failed(failure))
        }
        End::Stopped => format!("was stopped {at}{place}: nobody wanted its result"),
        End::Unknown => format!("was left without an outcome {at}{place}"),
        End::Open => format!("began attempt {number} {at} and was not heard of again"),
    }
}

fn absent(known: &Known, standing: &Explained) -> String {
    if let Some(last) = known.history.of_step(&standing.path) {
        return ended(known, &standing.path, last);
    }
    match (known.history.inside(&standing.path), standing.because.first()) {
        ((steps, Some(at)), _) if steps > 0 => {
            format!("is done: {}, the last one ended {}", count(steps, "step"), output::time(at))
        }
        (_, None) if known.row.status == RunStatus::Cancelled => "has not ended: the run was cancelled before".to_owned(),
        (_, None) if known.row.status == RunStatus::Failed => "has not ended: the run failed before".to_owned(),
        (_, Some(around)) => format!("is not there yet; whether it comes depends on `{}`", around.path),
        (_, None) => "was not started: the run went another way".to_owned(),
    }
}

/// The commands that move something which waits like this.
fn answers(known: &Known, condition: &Condition) -> Vec<String> {
    let run = &known.row.id;
    match condition {
        Condition::Decision(blocked) => {
            let task = blocked.task.0;
            vec![
                format!("host resume {run} --retry {task}"),
                format!("host resume {run} --supply {task}=JSON"),
                format!("host resume {run} --fail {task}=MESSAGE"),
            ]
        }
        Condition::Paused { .. } => vec![format!("host resume {run}")],
        Condition::Waits(Waiting { what: Awaited::Signal { name, ty }, .. }) => {
            let mut commands = vec![format!("host signal {run} {name} {}", signal::example(ty)).trim_end().to_owned()];
            commands.extend((!known.driven).then(|| format!("host resume {run}")));
            commands
        }
        Condition::Waits(Waiting { what: Awaited::Message { topic, ty }, .. }) => {
            vec![format!("host send {topic} {}", signal::example(ty)).trim_end().to_owned()]
        }
        _ => Vec::new(),
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn failed(failure: &Failure) -> String {
    format!("{}: {}", failure.kind, failure.message)
}

/// A time to come, with how long that is.
fn when(known: &Known, until: Timestamp) -> String {
    let left = until.0.saturating_sub(known.now.0);
    if left == 0 {
        format!("at {} (now)", output::time(until))
    } else {
        format!("at {} (in {})", output::time(until), span(left))
    }
}

/// How long ago a time was.
fn ago(known: &Known, at: Timestamp) -> String {
    span(known.now.0.saturating_sub(at.0))
}

/// Milliseconds, in whole seconds where there are many.
fn span(milliseconds: u64) -> String {
    let shown = if milliseconds >= 10_000 { milliseconds / 1_000 * 1_000 } else { milliseconds };
    catalog::duration::display(shown.saturating_mul(1_000_000)).to_string()
}
