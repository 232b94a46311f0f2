//! A run as the store has it: its events, and the plan that they belong to.

use std::sync::Arc;

use catalog::{Digest, Value};
use engine::core::{Lineage, Run};
use engine::event::{Event, EventBody, Migrated, Payload, RunId, RunStarted, Version};
use engine::ports::Journal;
use journal::SqliteJournal;
use lang::Sources;
use lang::plan::{NodeId, Plan};

use crate::commands::check;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::planner;
use crate::program::{self, Program};

/// The events of a run, from the first to the last; of an outline only those that say what its program is and how it ended.
pub(crate) struct StoredRun {
    pub(crate) id: RunId,
    pub(crate) events: Vec<Event>,
    pub(crate) started: Box<RunStarted>,
}

/// The state of a stored run, and what it was made with.
pub(crate) struct Replayed {
    pub(crate) run: Run,
    pub(crate) plans: Lineage,
    pub(crate) sources: Sources,
}

/// A line of a flow.
pub(crate) struct Line<'a> {
    pub(crate) file: &'a str,
    /// Counted from 1.
    pub(crate) line: u32,
    pub(crate) text: &'a str,
}

/// Where a node stands: file, line, and the line itself.
pub(crate) fn line<'a>(plan: &Plan, sources: &'a Sources, node: NodeId) -> Option<Line<'a>> {
    let span = plan.nodes.get(node)?.span;
    let source = sources.get(span.file)?;
    let line = source.position(span.start).line;
    let text = source.text.lines().nth(line as usize - 1).unwrap_or_default().trim();
    Some(Line { file: &source.path, line, text })
}

impl StoredRun {
    /// Reads a run; all of its journal must be sound.
    pub(crate) fn load(journal: &SqliteJournal, id: &RunId) -> Result<Self, Problem> {
        Self::of(id, journal.load(id)?)
    }

    /// The same without the events between: a long run need not be in memory to be gone on with.
    pub(crate) fn outline(journal: &SqliteJournal, id: &RunId) -> Result<Self, Problem> {
        Self::of(id, journal.outline(id)?)
    }

    fn of(id: &RunId, events: Vec<Event>) -> Result<Self, Problem> {
        match events.first().map(|event| &event.body) {
            Some(EventBody::RunStarted(started)) => Ok(Self { id: id.clone(), started: started.clone(), events }),
            _ => Err(Problem::new(Exit::Store, format!("the journal of run `{id}` does not begin with its start"))),
        }
    }

    /// Whether the run has ended.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.events.last().map(|event| &event.body), Some(EventBody::RunEnded { .. }))
    }

    /// The program that it goes on with, and its plan.
    pub(crate) fn version(&self) -> Version {
        self.migrations().last().map_or(Version { plan: self.started.plan, program: self.started.program }, |last| last.to)
    }

    /// What it had before its last migration.
    pub(crate) fn former(&self) -> Option<Version> {
        self.migrations().last().map(|last| last.from)
    }

    /// How often it was migrated.
    pub(crate) fn migrated(&self) -> u64 {
        u64::try_from(self.migrations().count()).unwrap_or(u64::MAX)
    }

    fn migrations(&self) -> impl Iterator<Item = &Migrated> {
        self.events.iter().filter_map(|event| match &event.body {
            EventBody::Migrated(migrated) => Some(&**migrated),
            _ => None,
        })
    }

    /// All programs that it has had, the current one last.
    pub(crate) fn programs(&self) -> Vec<Digest> {
        std::iter::once(self.started.program).chain(self.migrations().map(|migrated| migrated.to.program)).collect()
    }

    /// The program that it goes on with, and the plans of all that it has had; when the last one does not compile, its
    /// diagnostics are printed and the exit code is returned.
    pub(crate) fn compile(&self, output: Output, journal: &SqliteJournal) -> Result<Result<(Program, Lineage), Exit>, Problem> {
        Ok(self.versions(output, journal)?.map(|(program, plans, _)| (program, plans)))
    }

    /// Its state, made again from its events; none when its program does not compile, whose diagnostics are printed then.
    pub(crate) fn replay(&self, output: Output, journal: &SqliteJournal) -> Result<Option<Replayed>, Problem> {
        let Ok((_, plans, sources)) = self.versions(output, journal)? else { return Ok(None) };
        let run = Run::replay_lineage(&plans, self.id.clone(), "".into(), &self.events);
        let run = run.map_err(|error| Problem::new(Exit::Store, format!("run `{}` cannot be read: {error}", self.id)))?;
        Ok(Some(Replayed { run, plans, sources }))
    }

    fn versions(&self, output: Output, journal: &SqliteJournal) -> Result<Result<(Program, Lineage, Sources), Exit>, Problem> {
        let (digests, mut former): (_, Vec<Plan>) = (self.programs(), Vec::new());
        let no_program = || Problem::new(Exit::Store, format!("run `{}` has no program", self.id));
        let (last, before) = digests.split_last().ok_or_else(no_program)?;
        for digest in before {
            let program = program::unpack(journal, *digest)?;
            former.push(planner::with_hooks(journal, &program, program::plan(&program)?)?);
        }
        let program = program::unpack(journal, *last)?;
        let compilation = lang::compile(&program.world, &program.root, program.entry());
        // Whoever wrote it has seen its warnings.
        let exit = check::failed(&compilation);
        if exit != Exit::Done {
            output.diagnostics(&[&compilation]);
            return Ok(Err(exit));
        }
        let plan = compilation.plan.ok_or_else(no_program)?;
        let plan = planner::with_hooks(journal, &program, plan)?;
        let mut plans = former.into_iter().chain([plan]).map(Arc::new);
        let mut lineage = Lineage::from(plans.next().ok_or_else(no_program)?);
        plans.for_each(|plan| lineage.push(plan));
        Ok(Ok((program, lineage, compilation.sources)))
    }

    /// The plans of all programs that it has had.
    pub(crate) fn plans(&self, journal: &SqliteJournal) -> Result<Lineage, Problem> {
        let mut lineage = Lineage::from(planner::stored_plan(journal, self.started.program)?);
        for migrated in self.migrations() {
            lineage.push(planner::stored_plan(journal, migrated.to.program)?);
        }
        Ok(lineage)
    }

    /// Why it is paused, if it is.
    pub(crate) fn paused_for(&self) -> Option<&str> {
        let last = self.events.iter().rev().find_map(|event| match &event.body {
            EventBody::Paused { reason } => Some(Some(reason.as_str())),
            EventBody::Resumed => Some(None),
            _ => None,
        });
        last.flatten()
    }

    /// Its input as values of the plan's types.
    pub(crate) fn input(&self, plan: &Plan) -> Result<Vec<(String, Value)>, Problem> {
        let params = plan.flows.get(plan.entry).map_or(&[][..], |flow| &flow.params);
        let input = self.started.input.iter().zip(params).map(|((name, payload), param)| {
            let value = match payload {
                Payload::Value(value) => Ok(value.clone()),
                Payload::Text(text) => catalog::json::parse(text, &param.ty),
            };
            let wrong =
                |error| Problem::new(Exit::Store, format!("the input `{name}` of run `{}` does not fit: {error}", self.id));
            Ok((name.clone(), value.map_err(wrong)?))
        });
        input.collect()
    }
}
