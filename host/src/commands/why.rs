//! `host why`: what a run, or a node of it, waits for, down to what all the others wait for.
//!
//! Everything is read off the journal: the run's state is made again from its events. What only the process knows that
//! drives the run, it notes in the store.

mod document;
mod failed;
mod history;
mod node;
mod times;
mod words;

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::core::{Explained, Lineage, Run};
use engine::event::{Event, EventBody, Timestamp};
use engine::ports::{Clock, JournalError, Live, Mail, MailStore, SystemClock};
use journal::{Options, Reader, RunRow, RunStatus, SqliteJournal};
use lang::Sources;

use crate::cli::{Global, WhyArgs};
use crate::commands::session;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::{self, Output};
use crate::owner;
use crate::stored::{Replayed, StoredRun};
use history::History;

/// Everything that is known of a run.
pub(crate) struct Known {
    row: RunRow,
    run: Run,
    plans: Lineage,
    sources: Sources,
    history: History,
    events: Vec<Event>,
    /// Whether its owner lives.
    driven: bool,
    now: Timestamp,
    /// What its owner noted that is not in the journal.
    live: Vec<Live>,
    /// Signals that were sent and that nobody has taken yet, because nobody drives the run.
    sent: Vec<Arc<str>>,
}

/// Prints what a run waits for.
pub(crate) fn run(output: Output, global: &Global, args: &WhyArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let reader = session::open_reader(&config)?;
    let row = reader.find(&args.run)?;
    let (known, damage) = read(output, &config, &reader, row)?;
    if args.times {
        return times::run(output, &known);
    }
    let path = args.node.as_deref().map(|node| node::resolve(&known, node)).transpose()?;
    let answer = match &path {
        Some(path) => known.about_node(path)?,
        None => known.about_run(),
    };
    let document = document::document(&known, path.as_deref(), &answer);
    output.document(&document, || answer.text());
    match damage {
        Some(damage) => Err(Problem::from(damage).help("what is said above follows from the events before the damage")),
        None if answer.operator => Ok(Exit::Waiting),
        None => Ok(Exit::Done),
    }
}

/// A run out of its journal, up to the first damage.
fn read(output: Output, config: &Config, reader: &Reader, row: RunRow) -> Result<(Known, Option<JournalError>), Problem> {
    let prefix = reader.load_prefix(&row.id)?;
    let no_start = || format!("the journal of run `{}` does not begin with its start", row.id);
    let Some(EventBody::RunStarted(started)) = prefix.events.first().map(|event| &event.body) else {
        return Err(prefix.damage.map_or_else(|| Problem::new(Exit::Store, no_start()), Problem::from));
    };
    let journal = SqliteJournal::open(&config.store.path, &Options { read_only: true, ..Options::default() })?;
    let stored = StoredRun { id: row.id.clone(), started: started.clone(), events: prefix.events };
    let Some(Replayed { run, plans, sources }) = stored.replay(output, &journal)? else {
        return Err(Problem::new(Exit::Store, format!("the program of run `{}` does not compile", row.id)));
    };
    let driven = !row.status.is_end() && owner::is_alive(&config.store.path, &row.owner);
    let live = if driven { reader.live(&row.id)? } else { Vec::new() };
    let sent = if driven { Vec::new() } else { sent(&journal, &row, &stored.events) };
    let (history, now) = (History::of(&stored.events), SystemClock.now());
    Ok((Known { row, run, plans, sources, history, events: stored.events, driven, now, live, sent }, prefix.damage))
}

/// The names of signals in the inbox of a run that its journal does not have. What cannot be read says nothing.
fn sent(journal: &SqliteJournal, row: &RunRow, events: &[Event]) -> Vec<Arc<str>> {
    const MOST: usize = 1_000;
    let taken: BTreeSet<&str> = events
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::SignalReceived { id, .. } => Some(&**id),
            _ => None,
        })
        .collect();
    let letters = journal.letters(&row.id, 0, MOST).unwrap_or_default().into_iter();
    let signals = letters.filter_map(|letter| match letter.mail {
        Mail::Signal(signal) if !taken.contains(&*signal.id) => Some(signal.name),
        _ => None,
    });
    signals.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Adds commands that are not there yet, also as a part of one that says more.
fn add(commands: &mut Vec<String>, more: Vec<String>) {
    for command in more {
        if !commands.iter().any(|known| known.starts_with(&command)) {
            commands.push(command);
        }
    }
}

/// An answer: lines for people, and what can be done.
pub(crate) struct Answer {
    headline: String,
    standing: Option<Explained>,
    lines: Vec<String>,
    commands: Vec<String>,
    /// Whether only an operator can move it.
    operator: bool,
}

impl Answer {
    fn text(&self) -> String {
        let mut text = self.headline.clone();
        for line in &self.lines {
            text.push('\n');
            text.push_str(line);
        }
        for command in &self.commands {
            text.push_str(&format!("\n  $ {command}"));
        }
        text
    }
}

impl Known {
    fn about_run(&self) -> Answer {
        let (headline, resume) = self.headline();
        if self.row.status == RunStatus::Failed {
            let (lines, commands) = failed::tell(self);
            return Answer { headline, standing: None, lines, commands, operator: false };
        }
        if self.row.status.is_end() {
            return Answer { headline, standing: None, lines: Vec::new(), commands: resume, operator: false };
        }
        let standing = self.run.explain();
        let (mut lines, mut commands) = (Vec::new(), Vec::new());
        for cause in &standing.because {
            words::tell(self, cause, 1, &mut lines, &mut commands);
        }
        for name in &self.sent {
            lines.push(format!("  the signal {name} is there already, and is taken when the run goes on"));
            let signal = format!("host signal {} {name}", self.row.id);
            commands.retain(|command| *command != signal && !command.starts_with(&format!("{signal} ")));
        }
        if standing.more > 0 {
            lines.push(format!("  and {} more", standing.more));
        }
        add(&mut commands, resume);
        let operator = !self.driven || self.row.status == RunStatus::Paused || standing.needs_operator();
        Answer { headline, standing: Some(standing), lines, commands, operator }
    }

    fn about_node(&self, path: &str) -> Result<Answer, Problem> {
        let standing = self.run.explain_node(path).map_err(|missing| node::unknown(self, path, &missing))?;
        let (mut lines, mut commands) = (Vec::new(), Vec::new());
        words::tell(self, &standing, 0, &mut lines, &mut commands);
        let headline = if lines.is_empty() { String::new() } else { lines.remove(0) };
        let waits = words::is_open(&standing) && !self.row.status.is_end();
        if waits && !self.driven {
            let (headline, resume) = self.headline();
            lines.push(format!("  {headline}"));
            add(&mut commands, resume);
        }
        let operator = waits && (!self.driven || standing.needs_operator());
        Ok(Answer { headline, standing: Some(standing), lines, commands, operator })
    }

    /// How it stands with the run as a whole, and what can be done about that.
    fn headline(&self) -> (String, Vec<String>) {
        let RunRow { id, owner, reason, .. } = &self.row;
        let because = reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
        let resume = || vec![format!("host resume {id}")];
        let ended = self.row.ended.map_or_else(String::new, |at| format!(" at {}", output::time(at)));
        match self.row.status {
            RunStatus::Succeeded => (format!("run {id} succeeded{ended}"), Vec::new()),
            RunStatus::Cancelled => (format!("run {id} was cancelled{ended}"), Vec::new()),
            RunStatus::Failed => {
                let kind = self.row.failure_kind.as_deref().unwrap_or("error");
                let path = self.row.failure_path.as_deref().unwrap_or_default();
                let why = reason.as_deref().unwrap_or_default();
                (format!("run {id} failed{ended} at `{path}`: {kind}: {why}; nothing took the failure"), Vec::new())
            }
            RunStatus::Paused => (format!("run {id} is paused{because}"), resume()),
            status if !self.driven => (format!("nobody drives run {id} ({status}): its owner `{owner}` is gone"), resume()),
            RunStatus::Running => (format!("run {id} is driven by `{owner}`"), Vec::new()),
            RunStatus::Cancelling => (format!("run {id} is being cancelled{because}, by `{owner}`"), Vec::new()),
        }
    }
}
