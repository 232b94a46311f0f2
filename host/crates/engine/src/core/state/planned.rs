//! What the run of a plan may use. While it runs, what its budget says is set aside from the budgets around its step, so
//! that plans side by side cannot use the same twice, and plans inside each other never more than the outermost has.

use catalog::{Digest, FailureKind};
use lang::plan::{CallPlan, Node, Target};

use super::State;
use super::budget::Bounds;
use super::model::{ActivityId, Status, Task};
use crate::core::action::Wishes;
use crate::core::values::{Frame, failure};
use crate::event::{Amounts, Failure, TaskId, Within};

/// So many runs may be inside each other, the first one not counted.
pub(crate) const MOST_NESTED: u32 = 8;

/// What the run of a step's plan may use.
#[derive(Debug)]
pub(crate) struct Planned {
    bounds: Bounds,
    /// What of it the budgets around had left when the attempt began: attempts, fuel.
    given: (Option<u64>, Option<u64>),
    /// What is set aside in the budgets around.
    aside: (u64, u64),
}

impl State {
    /// What a call may use that runs a plan; none for any other.
    pub(super) fn planned(&self, call: &CallPlan, node: Option<&Node>, frame: &Frame) -> Result<Option<Box<Planned>>, Failure> {
        if !matches!(call.target, Target::Plan(_)) {
            return Ok(None);
        }
        if self.within.as_ref().is_some_and(|within| within.depth >= MOST_NESTED) {
            let message = format!("plans run plans, {MOST_NESTED} deep: no further one is started");
            return Err(failure(FailureKind::Resource, message));
        }
        let bounds = match node {
            Some(node) => Bounds::evaluate(&node.budget, frame)?,
            None => None,
        };
        let missing = || failure(FailureKind::Internal, "the plan promises a budget for a plan that it runs");
        let bounds = bounds.ok_or_else(missing)?;
        Ok(Some(Box::new(Planned { bounds, given: (bounds.steps, bounds.fuel), aside: (0, 0) })))
    }

    /// An attempt begins: what its run may use is set aside.
    pub(super) fn set_aside(&mut self, id: TaskId) {
        self.give_back(id, 0);
        let Some(task) = self.tasks.get(&id) else { return };
        let (Some(planned), innermost) = (&task.planned, task.scope) else { return };
        let (mut steps, mut fuel) = (planned.bounds.steps, planned.bounds.fuel);
        let mut at = innermost;
        while let Some(scope) = at.and_then(|id| self.scopes.get(id)) {
            let left = scope.budget.as_ref().map_or((None, None), |budget| budget.left());
            (steps, fuel) = (least(steps, left.0), least(fuel, left.1));
            at = scope.parent;
        }
        let aside = (steps.unwrap_or(0), fuel.unwrap_or(0));
        self.each_budget(innermost, |budget| budget.take(aside));
        if let Some(planned) = self.tasks.get_mut(&id).and_then(|task| task.planned.as_mut()) {
            (planned.given, planned.aside) = ((steps, fuel), aside);
        }
    }

    /// An attempt has ended whose run has used so many attempts; fuel is billed apart. Of one that is stopped for good
    /// nobody is told what it used, so what was set aside counts as used.
    pub(super) fn give_back(&mut self, id: TaskId, attempts: u64) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let (innermost, Some(planned)) = (task.scope, &mut task.planned) else { return };
        let aside = std::mem::take(&mut planned.aside);
        self.each_budget(innermost, |budget| {
            budget.put_back(aside);
            budget.take((attempts, 0));
        });
    }

    /// What the run of a step's plan is held to; none when the step runs no plan.
    pub(crate) fn within_step(&self, id: TaskId) -> Option<Within> {
        let task = self.tasks.get(&id)?;
        let planned = task.planned.as_ref()?;
        let around = self.within.as_deref().copied().unwrap_or_default();
        let (steps, fuel) = planned.given;
        Some(Within {
            depth: around.depth + 1,
            steps,
            fuel,
            time: planned.bounds.time,
            deadline: task.wishes.timeout,
            attempt_memory: least(task.wishes.memory, around.attempt_memory),
            attempt_fuel: least(least(task.wishes.fuel, fuel), around.attempt_fuel),
        })
    }

    /// Holds the run to what the step may use that started it.
    pub(super) fn hold_within(&mut self, root: ActivityId) {
        let Some(within) = self.within.clone() else { return };
        if let Some(deadline) = within.deadline {
            self.set_deadline(root, deadline);
        }
        if within.steps.is_some() || within.fuel.is_some() || within.time.is_some() {
            self.add_budget(root, Bounds { steps: within.steps, fuel: within.fuel, time: within.time });
        }
    }

    /// What an attempt asks for, and what it never gets more of.
    pub(crate) fn wishes_of(&self, task: &Task) -> Wishes {
        let around = self.within.as_deref().copied().unwrap_or_default();
        let (most_memory, most_fuel) = (around.attempt_memory, around.attempt_fuel);
        let Amounts { timeout, memory, fuel } = task.raised().or(task.wishes);
        Wishes { timeout, memory, fuel, most_memory, most_fuel }
    }

    /// What the run was started with, and what its operator permitted.
    pub(crate) fn origin(&self) -> (Digest, Vec<String>) {
        (self.program_digest, self.permits.iter().map(ToString::to_string).collect())
    }

    /// The attempts that stand for runs of plans and have begun, and whether they are not wanted any more.
    pub(crate) fn open_plans(&self) -> Vec<(TaskId, u32, bool)> {
        let open = self.tasks.iter().filter(|(_, task)| task.planned.is_some() && task.status == Status::Running && task.started);
        open.map(|(id, task)| (*id, task.number, self.is_stopping(task.activity))).collect()
    }
}

fn least(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}
