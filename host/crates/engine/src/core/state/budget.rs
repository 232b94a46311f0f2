//! Budgets: what all in a block may use together. A budget stands in a scope, so that a step finds those around it.

use catalog::{FailureKind, Value};
use lang::plan;

use super::State;
use super::model::{ActivityId, Due, ScopeId};
use crate::core::bugs::Bug;
use crate::core::values::{evaluate_duration, evaluate_u64, failure, milliseconds};
use crate::event::{Bill, Failure, TaskId, TimerId};

/// The bounds of a budget; time in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) steps: Option<u64>,
    pub(super) fuel: Option<u64>,
    pub(super) time: Option<u64>,
}

impl Bounds {
    /// Over a frame; none when there is no budget.
    pub(super) fn evaluate(budget: &plan::Budget, frame: &[Option<Value>]) -> Result<Option<Self>, Failure> {
        if budget.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            steps: evaluate_u64(budget.steps.as_ref(), frame)?,
            fuel: evaluate_u64(budget.fuel.as_ref(), frame)?,
            time: evaluate_duration(budget.time.as_ref(), frame)?,
        }))
    }
}

/// A budget and what was used of it.
#[derive(Debug)]
pub(crate) struct Budget {
    owner: ActivityId,
    bounds: Bounds,
    /// Attempts that started.
    started: u64,
    /// Fuel that was billed.
    billed: u64,
    pub(super) timer: Option<TimerId>,
}

impl Budget {
    /// The node that it bounds.
    pub(super) const fn owner(&self) -> ActivityId {
        self.owner
    }

    /// Attempts and fuel that are left.
    pub(super) fn left(&self) -> (Option<u64>, Option<u64>) {
        let left = |bound: Option<u64>, used: u64| bound.map(|bound| bound.saturating_sub(used));
        (left(self.bounds.steps, self.started), left(self.bounds.fuel, self.billed))
    }

    /// Sets attempts and fuel aside.
    pub(super) const fn take(&mut self, (steps, fuel): (u64, u64)) {
        self.started = self.started.saturating_add(steps);
        self.billed = self.billed.saturating_add(fuel);
    }

    /// Takes back what was set aside.
    pub(super) const fn put_back(&mut self, (steps, fuel): (u64, u64)) {
        self.started = self.started.saturating_sub(steps);
        self.billed = self.billed.saturating_sub(fuel);
    }

    /// Why no further attempt may begin.
    fn used_up(&self) -> Option<String> {
        match (self.bounds.steps, self.bounds.fuel) {
            (Some(steps), _) if self.started >= steps => {
                Some(format!("the budget is used up: it has {steps} steps, and {} attempts were started", self.started))
            }
            (_, Some(fuel)) if self.billed >= fuel => {
                Some(format!("the budget is used up: it has {fuel} units of fuel, and {} were billed", self.billed))
            }
            _ => None,
        }
    }
}

impl State {
    /// Bounds what all in a node may use, inside the budgets around it.
    pub(super) fn add_budget(&mut self, id: ActivityId, bounds: Bounds) {
        self.add_scope(id, u32::MAX);
        let Some(scope) = self.activities.get(id).and_then(|activity| activity.scope) else { return };
        let timer = bounds.time.map(|time| self.set_timer(milliseconds(time), Due::Budget(scope)));
        if let Some(scope) = self.scopes.get_mut(scope) {
            scope.budget = Some(Box::new(Budget { owner: id, bounds, started: 0, billed: 0, timer }));
        }
    }

    /// Counts an attempt that is about to start; if a budget around it is used up, the outermost such block fails instead.
    pub(super) fn within_budget(&mut self, id: TaskId) -> bool {
        let Some(task) = self.tasks.get(&id) else { return false };
        let activity = task.activity;
        let (innermost, counts) = (task.scope, task.failures == 0 || !self.bugs.0.has(Bug::BudgetNotCounted));
        let mut over = None;
        let mut at = innermost;
        while let Some(scope) = at.and_then(|id| self.scopes.get(id)) {
            let budget = scope.budget.as_ref();
            over = budget.and_then(|budget| Some((budget.owner, budget.used_up()?))).or(over);
            at = scope.parent;
        }
        if let Some((owner, message)) = over {
            let path = self.path_of_activity(owner);
            self.stop_and_fail(owner, failure(FailureKind::Resource, message), path);
            // What takes an effect back is not stopped, and runs though nothing is left.
            if self.is_stopping(activity) {
                return false;
            }
        }
        if counts {
            self.each_budget(innermost, |budget| budget.started += 1);
        }
        true
    }

    /// An attempt was billed.
    pub(super) fn bill(&mut self, id: TaskId, bill: &Bill) {
        self.give_back(id, bill.attempts);
        let innermost = self.tasks.get(&id).and_then(|task| task.scope);
        self.each_budget(innermost, |budget| budget.take((0, bill.fuel)));
    }

    pub(super) fn each_budget(&mut self, innermost: Option<ScopeId>, mut change: impl FnMut(&mut Budget)) {
        let mut at = innermost;
        while let Some(scope) = at.and_then(|id| self.scopes.get_mut(id)) {
            if let Some(budget) = &mut scope.budget {
                change(budget);
            }
            at = scope.parent;
        }
    }

    /// The time of a budget is over.
    pub(super) fn budget_due(&mut self, id: ScopeId) {
        let Some(budget) = self.scopes.get_mut(id).and_then(|scope| scope.budget.as_mut()) else { return };
        budget.timer = None;
        let (owner, time) = (budget.owner, budget.bounds.time.unwrap_or(0));
        let path = self.path_of_activity(owner);
        let message = format!("the budget is used up: it has a time of {}", catalog::duration::display(time));
        self.stop_and_fail(owner, failure(FailureKind::Resource, message), path);
    }
}
