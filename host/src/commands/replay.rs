//! `host replay`: any past state of a run, made again from its journal and the program that it was started with.
//!
//! Nothing is run and nothing is written; a bundle needs nothing beside its file.

mod document;
mod interactive;
mod text;

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use catalog::{Digest, Type};
use engine::core::{Lineage, ReplayError, Run, View, current_events};
use engine::event::{Decision, Event, EventBody, Payload, RunOutcome, Timestamp};
use engine::ports::JournalError;
use journal::{Options, Reader, RunRow, RunStatus, SqliteJournal};
use lang::Sources;
use lang::plan::{NodeId, Plan};

use crate::cli::{Global, ReplayArgs};
use crate::commands::{documents, selection, session};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::stored::{self, Line};
use crate::{planner, program};

/// Open regions that a state is shown with.
const REGIONS: usize = 200;

/// Shows one state, or asks for commands.
pub(crate) fn run(output: Output, global: &Global, args: &ReplayArgs) -> Result<Exit, Problem> {
    let recording = if Path::new(&args.what).is_file() {
        Recording::of_file(output, Path::new(&args.what), args.run.as_deref())?
    } else {
        if args.run.is_some() {
            return Err(Problem::usage(format!("`{}` is no file; `--run` is for a file with several runs", args.what)));
        }
        Recording::open(output, &Config::load(global)?, &args.what)?
    };
    let Some(recording) = recording else { return Ok(Exit::DoesNotCompile) };
    let chosen = recording.position(args)?;
    let terminals = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if args.interactive || (terminals && chosen.is_none() && !output.json()) {
        return interactive::run(&recording, chosen.unwrap_or(1));
    }
    let moment = recording.moment(chosen.unwrap_or(recording.len()))?;
    output.document(&document::moment(&recording, &moment), || text::moment(&recording, &moment));
    if chosen.is_none() {
        recording.check().map_err(|what| Problem::new(Exit::Store, what))?;
        output.note("replay gives what is stored");
    }
    Ok(Exit::Done)
}

/// A run that can be replayed.
pub(crate) struct Recording {
    row: RunRow,
    /// All that can be read.
    events: Vec<Event>,
    /// What is wrong with the others.
    damage: Option<JournalError>,
    /// What it was started with.
    first: Version,
    /// What each migration has changed to.
    later: Vec<Version>,
}

/// A program that a run has had.
struct Version {
    plan: Arc<Plan>,
    sources: Sources,
}

/// A state, and the event that led to it.
pub(crate) struct Moment<'r> {
    view: View,
    version: &'r Version,
    event: Event,
    /// The node that the event is about.
    node: Option<NodeId>,
    /// What the event led to, a line each.
    led_to: Vec<String>,
}

impl Recording {
    /// A run of a bundle, an archive or a backup. None when its flow does not compile, which is said.
    pub(crate) fn of_file(output: Output, file: &Path, run: Option<&str>) -> Result<Option<Self>, Problem> {
        let reader = Reader::open(file, Options::default().lock_timeout)?;
        let run = match run {
            Some(run) => run.to_owned(),
            None => only_run(&reader, file)?,
        };
        let journal = SqliteJournal::open(file, &Options { read_only: true, ..Options::default() })?;
        Self::read(output, &journal, &run)
    }

    /// A run of the store that the configuration names.
    pub(crate) fn open(output: Output, config: &Config, run: &str) -> Result<Option<Self>, Problem> {
        Self::read(output, &session::open_for_reading(config)?, run)
    }

    fn read(output: Output, journal: &SqliteJournal, run: &str) -> Result<Option<Self>, Problem> {
        let row = journal.reader().find(run)?;
        let prefix = journal.load_prefix(&row.id)?;
        let Some(EventBody::RunStarted(started)) = prefix.events.first().map(|event| &event.body) else {
            let unreadable = || Problem::new(Exit::Store, format!("the start of run `{}` cannot be read", row.id));
            return Err(prefix.damage.map_or_else(unreadable, Problem::from));
        };
        let Some(first) = Version::read(output, journal, &row, started.program, started.plan)? else { return Ok(None) };
        let mut later = Vec::new();
        for event in &prefix.events {
            if let EventBody::Migrated(migrated) = &event.body {
                let Some(version) = Version::read(output, journal, &row, migrated.to.program, migrated.to.plan)? else {
                    return Ok(None);
                };
                later.push(version);
            }
        }
        let (events, damage) = (prefix.events, prefix.damage);
        Ok(Some(Self { row, events, damage, first, later }))
    }

    /// How many events can be replayed.
    fn len(&self) -> u64 {
        self.events.len() as u64
    }

    /// The position that the command line names.
    fn position(&self, args: &ReplayArgs) -> Result<Option<u64>, Problem> {
        if let Some(at) = &args.at {
            let at = selection::time(at)?;
            let count = self.events.partition_point(|event| event.at <= at) as u64;
            let before = || Problem::usage(format!("run `{}` had not been started then", self.row.id));
            return if count == 0 { Err(before()) } else { Ok(Some(count)) };
        }
        match args.to {
            Some(seq) if seq == 0 || seq > self.len() => Err(self.out_of_reach(seq)),
            other => Ok(other),
        }
    }

    fn out_of_reach(&self, seq: u64) -> Problem {
        let readable = self.len();
        let (exit, why) = match &self.damage {
            Some(damage) if seq > readable => (Exit::Store, format!(" that can be read: {damage}")),
            _ => (Exit::Usage, String::new()),
        };
        Problem::new(exit, format!("there is no event {seq}; run `{}` has the events 1 to {readable}{why}", self.row.id))
    }

    /// The state after so many events.
    fn moment(&self, count: u64) -> Result<Moment<'_>, Problem> {
        let before = count.checked_sub(1).ok_or_else(|| self.out_of_reach(count))?;
        let before = usize::try_from(before).unwrap_or(usize::MAX);
        let event = self.events.get(before).ok_or_else(|| self.out_of_reach(count))?;
        let events = self.events.get(..=before).unwrap_or_default();
        let misfit = |error: ReplayError| Problem::new(Exit::Store, error.to_string());
        let (version, lineage) = self.versions(events);
        let events = current_events(&lineage, &self.row.id, events).map_err(misfit)?;
        let mut run = Run::new(Arc::clone(&version.plan), self.row.id.clone(), "replay".into());
        let (mut node, mut led_to) = (None, Vec::new());
        for next in events.iter() {
            let is_last = next.seq == count;
            if is_last {
                node = next.body.path().and_then(|path| run.node_of(path));
            }
            let lines = run.replay_next(next).map_err(misfit)?;
            if is_last {
                led_to = lines;
            }
        }
        let node = node.or_else(|| event.body.path().and_then(|path| run.node_of(path)));
        Ok(Moment { view: run.view(REGIONS), version, event: event.clone(), node, led_to })
    }

    /// The program that a run has after these events, and all plans up to it.
    fn versions(&self, events: &[Event]) -> (&Version, Lineage) {
        let migrations = events.iter().filter(|event| matches!(event.body, EventBody::Migrated(_))).count();
        let mut lineage = Lineage::from(Arc::clone(&self.first.plan));
        let mut last = &self.first;
        for version in self.later.iter().take(migrations) {
            lineage.push(Arc::clone(&version.plan));
            last = version;
        }
        (last, lineage)
    }

    /// What steps gave under a name, in the order in which it came.
    pub(crate) fn artifacts(&self) -> Result<Vec<Artifact>, Problem> {
        let misfit = |error: ReplayError| Problem::new(Exit::Store, error.to_string());
        let (version, lineage) = self.versions(&self.events);
        let events = current_events(&lineage, &self.row.id, &self.events).map_err(misfit)?;
        let mut run = Run::new(Arc::clone(&version.plan), self.row.id.clone(), "replay".into());
        let mut found = Vec::new();
        for event in events.iter() {
            let given = match &event.body {
                EventBody::AttemptSucceeded { attempt, output, .. } => Some((attempt.task, output)),
                EventBody::OperatorDecision { task, decision: Decision::Supply(output) } => Some((*task, output)),
                _ => None,
            };
            if let Some((task, output)) = given
                && let Some((name, ty)) = run.artifact_of(task)
            {
                let path = event.body.path().map_or_else(|| "".into(), Clone::clone);
                found.push(Artifact { name, path, ty, output: output.clone(), seq: event.seq, at: event.at });
            }
            run.replay_next(event).map_err(misfit)?;
        }
        Ok(found)
    }

    /// What is wrong with what cannot be read.
    pub(crate) const fn damage(&self) -> Option<&JournalError> {
        self.damage.as_ref()
    }

    /// Replays everything, and compares what follows with what is stored.
    pub(crate) fn check(&self) -> Result<(), String> {
        if let Some(damage) = &self.damage {
            return Err(damage.to_string());
        }
        let (_, lineage) = self.versions(&self.events);
        let run = Run::replay_lineage(&lineage, self.row.id.clone(), "replay".into(), &self.events)
            .map_err(|error| error.to_string())?;
        let view = run.view(0);
        let stored = self.events.last().and_then(|event| match &event.body {
            EventBody::RunEnded { outcome } => Some(outcome),
            _ => None,
        });
        if let (Some(derived), Some(stored)) = (&view.outcome, stored)
            && outcome(derived) != outcome(stored)
        {
            return Err(format!("the run was stored as ended with {}, replay gives {}", outcome(stored), outcome(derived)));
        }
        let expected = status(&view, stored);
        // A run that goes on may have gone on between the two reads.
        let same = self.row.last_seq == self.len();
        if same && expected != self.row.status {
            return Err(format!("the run is listed as {}, its events say {expected}", self.row.status));
        }
        Ok(())
    }
}

impl Version {
    /// A program out of the journal; none when it does not compile, which is said.
    fn read(
        output: Output,
        journal: &SqliteJournal,
        row: &RunRow,
        program: Digest,
        expected: Digest,
    ) -> Result<Option<Self>, Problem> {
        let program = program::unpack(journal, program)?;
        let compilation = lang::compile(&program.world, &program.root, program.entry());
        let Some(plan) = compilation.plan else {
            output.reports(&compilation.diagnostics, &compilation.sources);
            return Ok(None);
        };
        let plan = planner::with_hooks(journal, &program, plan)?;
        if plan.digest() != expected {
            let message = format!("this version of `host` makes another plan of the flow of run `{}` than the run has", row.id);
            return Err(Problem::new(Exit::Store, message).help("replay it with the version that started it"));
        }
        Ok(Some(Self { plan: Arc::new(plan), sources: compilation.sources }))
    }

    /// The name of a node.
    fn name(&self, node: NodeId) -> &str {
        self.plan.nodes.get(node).map_or("", |node| &node.name)
    }

    fn source(&self, node: NodeId) -> Option<Line<'_>> {
        stored::line(&self.plan, &self.sources, node)
    }
}

/// What a step gave under a name.
pub(crate) struct Artifact {
    pub(crate) name: Arc<str>,
    /// Of the step; empty where an operator supplied the result.
    pub(crate) path: Arc<str>,
    pub(crate) ty: Type,
    pub(crate) output: Payload,
    pub(crate) seq: u64,
    pub(crate) at: Timestamp,
}

/// The run of a file that has just one.
fn only_run(reader: &Reader, file: &Path) -> Result<String, Problem> {
    let runs = reader.runs(&journal::RunFilter { limit: Some(2), ..journal::RunFilter::default() })?;
    match runs.as_slice() {
        [only] => Ok(only.id.to_string()),
        [] => Err(Problem::new(Exit::Store, format!("`{}` has no run", file.display()))),
        _ => Err(Problem::usage(format!("`{}` has several runs", file.display()))
            .help(format!("choose one with `--run`; `host ps --store {}` lists them", file.display()))),
    }
}

/// What the events say about the run.
fn status(view: &View, ended: Option<&RunOutcome>) -> RunStatus {
    match ended {
        Some(RunOutcome::Succeeded(_)) => RunStatus::Succeeded,
        Some(RunOutcome::Failed { .. }) => RunStatus::Failed,
        Some(RunOutcome::Cancelled) => RunStatus::Cancelled,
        None if view.cancelling => RunStatus::Cancelling,
        None if view.paused.is_some() => RunStatus::Paused,
        None => RunStatus::Running,
    }
}

/// An outcome as text that does not depend on how its value is kept.
fn outcome(outcome: &RunOutcome) -> String {
    documents::outcome(&match outcome {
        RunOutcome::Succeeded(payload) => RunOutcome::Succeeded(Payload::Text(documents::payload(payload).to_string().into())),
        other => other.clone(),
    })
    .to_string()
}
