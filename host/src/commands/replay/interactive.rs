//! Through a run, event by event: reads commands from standard input, a line each.

use std::io::{BufRead, Write};

use super::{Moment, Recording, text};
use crate::commands::selection;
use crate::exit::{Exit, Problem};
use crate::output::{self, write_out};

const HELP: &str = "\
n [COUNT]  forwards (also an empty line)    p [COUNT]  backwards
g SEQ      to an event                      t TIME     to a time
f TEXT     forwards to the next event with this text
l          the events around this one       v PATH     the whole value of a node that is done
q          ends";

/// Events that are listed before and after the current one.
const AROUND: u64 = 5;

/// What a line asks for.
enum Asked {
    Go(u64),
    List,
    Value(String),
    Help,
    Quit,
    /// It cannot be done, and why.
    Cannot(String),
}

/// Asks until the end of input, or `q`.
pub(super) fn run(recording: &Recording, start: u64) -> Result<Exit, Problem> {
    let mut lines = std::io::stdin().lock().lines();
    let mut at = start;
    let mut moment = recording.moment(at)?;
    write_out(text::moment(recording, &moment).trim_end());
    loop {
        prompt(at, recording.len());
        let Some(Ok(line)) = lines.next() else { return Ok(Exit::Done) };
        match asked(recording, at, &line) {
            Asked::Quit => return Ok(Exit::Done),
            Asked::Help => write_out(HELP),
            Asked::Cannot(why) => write_out(&why),
            Asked::List => write_out(list(recording, at).trim_end()),
            Asked::Value(path) => write_out(&value(&moment, &path)),
            Asked::Go(to) => match recording.moment(to) {
                Ok(found) => {
                    (at, moment) = (to, found);
                    write_out(text::moment(recording, &moment).trim_end());
                }
                Err(problem) => write_out(&problem.message),
            },
        }
    }
}

fn prompt(at: u64, of: u64) {
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "[{at}/{of}] n p g t f l v q, ? for help: ").and_then(|()| out.flush());
}

fn asked(recording: &Recording, at: u64, line: &str) -> Asked {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).map_or((line, ""), |(word, rest)| (word, rest.trim()));
    let count = || if rest.is_empty() { Some(1) } else { rest.parse::<u64>().ok() };
    match word {
        "" | "n" => count().map_or_else(|| no_number(rest), |count| forwards(recording, at, count)),
        "p" => count().map_or_else(|| no_number(rest), |count| backwards(at, count)),
        "g" => rest.parse().map_or_else(|_| no_number(rest), Asked::Go),
        "t" => to_time(recording, rest),
        "f" => find(recording, at, rest),
        "l" => Asked::List,
        "v" => Asked::Value(rest.to_owned()),
        "q" => Asked::Quit,
        "?" | "h" | "help" => Asked::Help,
        other => Asked::Cannot(format!("`{}` is no command; `?` lists them", text::cut(other))),
    }
}

fn no_number(text: &str) -> Asked {
    Asked::Cannot(format!("`{}` is no number of events", text::cut(text)))
}

fn forwards(recording: &Recording, at: u64, count: u64) -> Asked {
    match &recording.damage {
        _ if at < recording.len() => Asked::Go(at.saturating_add(count).min(recording.len())),
        Some(damage) => Asked::Cannot(format!("what follows cannot be read: {damage}")),
        None => Asked::Cannot("this is the last event".to_owned()),
    }
}

fn backwards(at: u64, count: u64) -> Asked {
    if at > 1 { Asked::Go(at.saturating_sub(count).max(1)) } else { Asked::Cannot("this is the first event".to_owned()) }
}

fn to_time(recording: &Recording, text: &str) -> Asked {
    match selection::time(text) {
        Ok(time) => Asked::Go((recording.events.partition_point(|event| event.at <= time) as u64).max(1)),
        Err(problem) => Asked::Cannot(problem.message),
    }
}

fn find(recording: &Recording, at: u64, wanted: &str) -> Asked {
    let later = recording.events.iter().filter(|event| event.seq > at);
    let found = later.into_iter().find(|event| engine::core::render_event(event).contains(wanted));
    found.map_or_else(|| Asked::Cannot(format!("no later event has `{}`", text::cut(wanted))), |event| Asked::Go(event.seq))
}

fn list(recording: &Recording, at: u64) -> String {
    let around = recording.events.iter().filter(|event| event.seq + AROUND >= at && event.seq <= at + AROUND);
    let line = |event: &engine::event::Event| {
        let mark = if event.seq == at { ">" } else { " " };
        format!("{mark} {}  {}\n", output::time(event.at), text::cut(&engine::core::render_event(event)))
    };
    around.map(line).collect()
}

fn value(moment: &Moment, path: &str) -> String {
    let done = moment.view.regions.iter().flat_map(|region| &region.done);
    let found = done.into_iter().find(|done| &*done.path == path || done.path.rsplit('/').next() == Some(path));
    match found {
        Some(done) => format!("{} = {:#}", done.path, catalog::json::to_json(&done.value)),
        None => format!("no node `{}` is done and still there", text::cut(path)),
    }
}
