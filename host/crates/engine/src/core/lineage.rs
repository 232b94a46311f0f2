//! The plans that a run has had.

use std::sync::Arc;

use lang::plan::Plan;

#[cfg(feature = "planted-bugs")]
use super::bugs::Bug;
use super::bugs::Bugs;

/// The plan that a run was started with, and one for each migration. The last one is what it goes on with.
#[derive(Clone, Debug)]
pub struct Lineage {
    first: Arc<Plan>,
    later: Vec<Arc<Plan>>,
    pub(super) bugs: Bugs,
}

impl Lineage {
    /// Adds the plan of the next migration.
    pub fn push(&mut self, plan: Arc<Plan>) {
        self.later.push(plan);
    }

    /// Plants a bug in what is migrated.
    #[cfg(feature = "planted-bugs")]
    pub const fn plant(&mut self, bug: Bug) {
        self.bugs = Bugs::plant(bug);
    }

    /// The plan that the run goes on with.
    #[must_use]
    pub fn current(&self) -> &Arc<Plan> {
        self.later.last().unwrap_or(&self.first)
    }

    /// How often the run was migrated.
    #[must_use]
    pub fn migrations(&self) -> u64 {
        u64::try_from(self.later.len()).unwrap_or(u64::MAX)
    }

    /// All of them, in order.
    pub fn plans(&self) -> impl Iterator<Item = &Arc<Plan>> {
        std::iter::once(&self.first).chain(&self.later)
    }
}

impl From<Arc<Plan>> for Lineage {
    fn from(first: Arc<Plan>) -> Self {
        Self { first, later: Vec::new(), bugs: Bugs::default() }
    }
}
