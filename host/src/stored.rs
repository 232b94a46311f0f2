//! A run as the store has it: its events, and the plan that they belong to.

use std::sync::Arc;

use catalog::{Digest, Value};
use engine::core::Lineage;
use engine::event::{Event, EventBody, Migrated, Payload, RunId, RunStarted, Version};
use engine::ports::Journal;
use journal::SqliteJournal;
use lang::plan::Plan;

use crate::commands::plan;
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
        let programs = self.programs();
        let mut lineage: Option<Lineage> = None;
        for (place, digest) in programs.iter().enumerate() {
            let program = program::unpack(journal, *digest)?;
            let last = place + 1 == programs.len();
            let plan = if last {
                match plan::compile(output, &program.world, &program.root, program.entry())? {
                    Ok(plan) => planner::with_hooks(journal, program.hooks_of, plan)?,
                    Err(exit) => return Ok(Err(exit)),
                }
            } else {
                planner::with_hooks(journal, program.hooks_of, program::plan(&program)?)?
            };
            let plan = Arc::new(plan);
            match &mut lineage {
                Some(lineage) => lineage.push(plan),
                None => lineage = Some(plan.into()),
            }
            if let (Some(lineage), true) = (&lineage, last) {
                return Ok(Ok((program, lineage.clone())));
            }
        }
        Err(Problem::new(Exit::Store, format!("run `{}` has no program", self.id)))
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
