//! The versions of a flow that a run goes through. They differ in steps that nothing depends on: one at the beginning,
//! `racyhead`, which gives all others other numbers, and one at the end, `racytail`.

use std::sync::Arc;

use catalog::Digest;
use engine::core::{Bug, Lineage, check_migration};
use engine::event::{Event, EventBody, Migrated, RunId, Timestamp, Version};
use lang::plan::Plan;

use super::generate::{self, Shape};
use super::outside::Outside;

/// The plans of a run.
pub(super) struct Versions {
    /// About so many steps each of them has.
    steps: u64,
    shape: Shape,
    pub(super) lineage: Lineage,
}

impl Versions {
    /// A run that begins with this version.
    pub(super) fn new(seed: u64, steps: u64, shape: Shape) -> Self {
        Self { steps, shape, lineage: Lineage::from(Arc::new(generate::plan(seed, steps, shape))) }
    }

    /// The one that the run goes on with.
    pub(super) const fn shape(&self) -> Shape {
        self.shape
    }

    pub(super) const fn steps(&self) -> u64 {
        self.steps
    }

    pub(super) fn plan(&self) -> Arc<Plan> {
        Arc::clone(self.lineage.current())
    }

    pub(super) fn plant(&mut self, bug: Option<Bug>) {
        if let Some(bug) = bug {
            self.lineage.plant(bug);
        }
    }
}

/// What stands for the digests of a version.
fn version(shape: Shape) -> Version {
    let mark = shape as u8;
    Version { plan: Digest([mark; 32]), program: Digest([mark | 0x80; 32]) }
}

impl Outside {
    /// Nobody drives the run: it is migrated to another version if it fits. It must not fit when a step has begun that the
    /// other version lacks, and must fit otherwise.
    pub(super) fn migrate(&mut self, to: Shape) -> Result<(), String> {
        let from = self.versions.shape;
        if from == to || self.durable.is_empty() || self.outcome().is_some() || self.is_ending() {
            return Ok(());
        }
        let plan = Arc::new(generate::plan(self.seed, self.versions.steps, to));
        let id = RunId("simulated".into());
        let checked = check_migration(&self.versions.lineage, &id, &self.durable, &plan).map_err(|error| error.to_string())?;
        let lacks = from.extra().iter().filter(|name| !to.extra().contains(name)).any(|name| self.has_begun(name));
        // A step more at the beginning may take the place of another one that has begun, and ends before anything is taken back.
        let bounded = plan.flows.get(plan.entry).is_some_and(|flow| flow.parallel.is_some());
        match checked {
            Err(_) if lacks || ((bounded || self.takes_back()) && !from.extra().contains(&"racyhead")) => {
                self.features.note("refused migration");
                return Ok(());
            }
            Err(why) => return Err(format!("the run does not fit {to:?} after {from:?}: {why}")),
            Ok(_) if lacks && self.bug.is_none() => {
                return Err(format!("the run fits {to:?} after {from:?}, which lacks a step"));
            }
            Ok(_) => {}
        }
        let (seq, at) = self.durable.last().map_or((1, Timestamp(1)), |event| (event.seq + 1, event.at));
        let body = EventBody::Migrated(Box::new(Migrated { from: version(from), to: version(to) }));
        self.versions.lineage.push(plan);
        self.versions.shape = to;
        self.features.note(if to.extra().len() < from.extra().len() { "migration back" } else { "migration" });
        self.store(&[Event { seq, at, body }])
    }

    fn has_begun(&self, name: &str) -> bool {
        let path = format!("main/{name}");
        self.durable.iter().any(|event| event.body.path().is_some_and(|of| **of == *path || of.starts_with(&format!("{path}."))))
    }

    fn takes_back(&self) -> bool {
        self.durable.iter().any(|event| event.body.path().is_some_and(|path| path.contains(".undo")))
    }

    /// Whether only handlers after the run are told.
    fn is_ending(&self) -> bool {
        self.durable.iter().any(|event| event.body.path().is_some_and(|path| path.starts_with("main.after")))
    }
}
