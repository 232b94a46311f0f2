//! Failures that the flow does not take: what the recovery table does about them, and reports to a human.
//!
//! A step's own retries come first, then whatever takes its failure (`else`, `catch`, `race`, a collecting map), and only
//! then the table that the run began with. All that it decides follows from events.

use std::collections::BTreeSet;
use std::sync::Arc;

use lang::plan::{NodeId, NodeKind};

use super::model::{ActivityId, Backoff, Due, Escalated, Form, InstanceId, Role, Status};
use super::task::delay;
use super::{Command, Misfit, State};
use crate::core::action::Following;
use crate::event::{Amounts, Attempt, Escalation, Failure, Level, TaskId, Tried};
use crate::recovery::{Case, Measure, Next};

/// So many attempts are remembered of a step.
const MOST_TRIED: usize = 16;

/// A message of an attempt that was tried is cut after so many characters.
const MOST_SAID: usize = 300;

/// So many of the nodes that wait for an escalated step are named.
const MOST_PAUSED: usize = 50;

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Another one, so many milliseconds later.
    Retry(u64),
    /// An operator decides, and nothing starts until then.
    Pause,
    /// A human decides, and what does not depend on the step goes on.
    Escalate,
    /// The step fails.
    Fail,
}

impl State {
    /// Keeps what became of an attempt, for the report that may follow.
    pub(super) fn remember_attempt(&mut self, id: TaskId, failure: &Failure) {
        if self.recovery.0.is_none() {
            return;
        }
        let Some(task) = self.tasks.get_mut(&id).filter(|task| !task.is_hook) else { return };
        let number = task.number;
        let recovering = task.recovering.get_or_insert_default();
        if recovering.tried.len() >= MOST_TRIED {
            recovering.tried.remove(0);
        }
        recovering.tried.push(Tried {
            number,
            by: recovering.by.unwrap_or(Level::Flow),
            kind: failure.kind,
            message: failure.message.chars().take(MOST_SAID).collect(),
            limits: recovering.raised,
        });
    }

    /// What the table says about a step whose own attempts are used up.
    pub(super) fn ask_table(&mut self, id: TaskId, failure: &Failure) -> After {
        let Some(table) = self.recovery.0.clone() else { return After::Fail };
        let Some(task) = self.tasks.get(&id).filter(|task| !task.is_hook) else { return After::Fail };
        let Some(undoes) = self.not_taken(task.activity) else { return After::Fail };
        let used = task.recovering.as_ref().map_or((0, 0), |recovering| recovering.used);
        let case = Case {
            failure,
            repeatable: task.repeatable,
            denied: task.denied,
            undoes,
            class: task.class.as_ref(),
            wishes: task.wishes,
            raised: task.raised(),
            used,
        };
        match table.next(&case) {
            Next::Again(level, nth, measure, raised) => {
                let wait = self.wait_of(id, nth, measure);
                self.use_level(id, level, nth);
                self.wanted_by(id, level, raised);
                After::Retry(wait)
            }
            Next::Escalate => After::Escalate,
            Next::Fail => After::Fail,
        }
    }

    /// The attempt that follows the failed one of a step, if one does.
    pub(crate) fn following(&self, id: TaskId) -> Option<Following> {
        let task = self.tasks.get(&id).filter(|task| task.status != Status::Unknown)?;
        let wait = match task.status {
            Status::Backoff(timer) => self.timer(timer).map_or(0, |at| at.0.saturating_sub(self.now.0)),
            _ => 0,
        };
        let left = match task.recovering.as_ref().map(|recovering| recovering.used) {
            Some(used) if used != (0, 0) => self.left_by_table(task.previous.as_ref(), used),
            _ => task.retries_left,
        };
        Some(Following { number: task.number, last: task.number.saturating_add(left), wait })
    }

    /// How many attempts the table still has for a failure after these.
    fn left_by_table(&self, failure: Option<&Failure>, (agent, orchestrator): (u32, u32)) -> u32 {
        let row = self.recovery.0.as_ref().zip(failure).and_then(|(table, failure)| table.rows.get(&failure.kind));
        row.map_or(0, |row| row.agent.retry.saturating_sub(agent) + row.orchestrator.retry.saturating_sub(orchestrator))
    }

    /// The milliseconds before the n-th attempt of a level.
    fn wait_of(&self, id: TaskId, nth: u32, measure: Measure) -> u64 {
        let nanoseconds = |milliseconds: u64| milliseconds.saturating_mul(1_000_000);
        let Some(task) = self.tasks.get(&id).filter(|_| measure.backoff > 0) else { return 0 };
        let backoff = Backoff::Exponential { first: nanoseconds(measure.backoff), max: measure.max_backoff.map(nanoseconds) };
        delay(backoff, nth, &self.id.0, &task.path)
    }

    fn use_level(&mut self, id: TaskId, level: Level, nth: u32) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let used = &mut task.recovering.get_or_insert_default().used;
        match level {
            Level::Agent => used.0 = nth,
            Level::Orchestrator => used.1 = nth,
            Level::Flow | Level::Human => {}
        }
    }

    /// Who wants the next attempt of a step, and with which limits.
    pub(super) fn wanted_by(&mut self, id: TaskId, level: Level, limits: Amounts) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        if task.recovering.is_none() && limits.is_empty() {
            return;
        }
        let recovering = task.recovering.get_or_insert_default();
        recovering.by = Some(level);
        recovering.raised = limits.or(recovering.raised);
    }

    /// Whether nothing around a node takes its failure: a `try`, a race that can still succeed, a map that collects. If so,
    /// whether it belongs to a compensation.
    fn not_taken(&self, activity: ActivityId) -> Option<bool> {
        let mut at = self.activities.get(activity)?.place;
        while let Some((id, _)) = at {
            let instance = self.instances.get(id)?;
            let owner = self.activities.get(instance.owner)?;
            match &owner.form {
                Form::Try if instance.role == Role::Body => return None,
                Form::Map(form) if form.collect => return None,
                Form::Race(form) => {
                    let left = (form.won.len() as u64).saturating_sub(u64::from(form.failures) + 1);
                    if form.decided.is_some() || left >= u64::from(form.wanted) {
                        return None;
                    }
                }
                Form::Undo(_) => return Some(true),
                _ => {}
            }
            at = owner.place;
        }
        Some(false)
    }

    /// A human is asked about a step.
    pub(super) fn escalate(&mut self, id: TaskId, failure: Failure) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        task.status = Status::Unknown;
        task.failures += 1;
        task.previous = Some(failure);
        task.recovering.get_or_insert_default().escalated = Some(Escalated::default());
        self.escalated.insert(id);
        self.give_place(id);
        self.commands.push(Command::Escalate(id));
    }

    /// Escalated steps whose report is not durable, and those that nobody is waited for any more.
    pub(crate) fn untold(&self) -> (Vec<TaskId>, Vec<TaskId>) {
        let those = |wanted: fn(Escalated) -> bool| {
            let fits = |id: &&TaskId| self.tasks.get(id).and_then(super::Task::escalated).is_some_and(wanted);
            self.escalated.iter().filter(fits).copied().collect()
        };
        (those(|escalated| !escalated.told), those(|escalated| escalated.given_up))
    }

    /// The report about a step.
    pub(crate) fn escalation(&self, id: TaskId) -> Option<Escalation> {
        let task = self.tasks.get(&id).filter(|_| self.escalated.contains(&id))?;
        Some(Escalation {
            attempt: Attempt { task: id, number: task.number, path: Arc::clone(&task.path) },
            failure: task.previous.clone()?,
            tried: task.recovering.as_ref().map(|recovering| recovering.tried.clone()).unwrap_or_default(),
            paused: self.dependents(task.activity),
        })
    }

    /// The report is durable: now somebody has time to decide.
    pub(super) fn escalation_told(&mut self, attempt: &Attempt) -> Result<(), Misfit> {
        let id = attempt.task;
        if id.0 >= self.next_task && id != TaskId::NONE {
            return Err(Misfit(format!("step {} (`{}`) was never open", id.0, attempt.path)));
        }
        if !self.escalated.contains(&id) {
            // Meanwhile the step is not wanted any more.
            return Ok(());
        }
        let patience = self.recovery.0.as_ref().and_then(|table| table.patience);
        let patience = patience.map(|wait| self.set_timer(wait, Due::Patience(id)));
        if let Some(task) = self.tasks.get_mut(&id) {
            let escalated = Escalated { told: true, patience, given_up: false };
            task.recovering.get_or_insert_default().escalated = Some(escalated);
            let why = task.previous.as_ref().map(|failure| format!("{}: {}", failure.kind, failure.message));
            let note = format!("`{}` is escalated and waits for a decision: {}", task.path, why.unwrap_or_default());
            self.commands.push(Command::Note(note));
        }
        Ok(())
    }

    /// Nobody has decided in time.
    pub(super) fn give_up(&mut self, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        if let Some(escalated) = task.recovering.as_mut().and_then(|recovering| recovering.escalated.as_mut()) {
            (escalated.patience, escalated.given_up) = (None, true);
            self.commands.push(Command::GiveUp(id));
        }
    }

    /// Why nobody is waited for any more.
    pub(crate) fn out_of_patience(&self) -> String {
        let patience = self.recovery.0.as_ref().and_then(|table| table.patience).unwrap_or(0);
        format!("nobody has decided within {}", catalog::duration::display(patience.saturating_mul(1_000_000)))
    }

    /// A step does not wait for a human any more.
    pub(super) fn close_escalation(&mut self, id: TaskId) {
        if !self.escalated.remove(&id) {
            return;
        }
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let escalated = task.recovering.as_mut().and_then(|recovering| recovering.escalated.take());
        if let Some(timer) = escalated.and_then(|escalated| escalated.patience) {
            self.clear_timer(timer);
        }
    }

    /// The paths of the nodes that wait for a node, the nearest first, up to the end of the run. What only computes a value is
    /// not named. For a step of a compensation: up to the compensations that come after it.
    fn dependents(&self, activity: ActivityId) -> Vec<Arc<str>> {
        let mut paths = Vec::new();
        let mut at = self.activities.get(activity).and_then(|activity| activity.place);
        while let Some((id, node)) = at {
            self.followers(id, node, &mut paths);
            let owner = self.instances.get(id).and_then(|instance| self.activities.get(instance.owner));
            at = owner.and_then(|owner| owner.place);
            if let Some(Form::Undo(_)) = owner.map(|owner| &owner.form) {
                paths.extend(at.iter().flat_map(|(around, _)| self.undos_to_come(*around)));
                break;
            }
        }
        paths.truncate(MOST_PAUSED);
        paths
    }

    /// The compensations of a region that have not begun, in their order.
    fn undos_to_come(&self, id: InstanceId) -> Vec<Arc<str>> {
        let kept = self.instances.get(id).map(|instance| instance.undos.kept.values().rev());
        kept.into_iter().flatten().map(|undo| format!("{}.undo", undo.path).into()).collect()
    }

    /// The nodes of a region that wait for one of them, directly or not.
    fn followers(&self, id: InstanceId, node: NodeId, paths: &mut Vec<Arc<str>>) {
        let plan = self.plan();
        let after = |node: NodeId| {
            let range = plan.nodes.get(node).map_or(0..0, |node| node.successors.start as usize..node.successors.end as usize);
            plan.successors.get(range).unwrap_or_default()
        };
        let mut found: BTreeSet<NodeId> = after(node).iter().copied().collect();
        while let Some(next) = found.pop_first() {
            if paths.len() >= MOST_PAUSED {
                return;
            }
            // A node comes after all that it waits for, so none is found again.
            found.extend(after(next));
            let takes_time = |kind: &NodeKind| !matches!(kind, NodeKind::Value(_) | NodeKind::Return(_));
            if plan.nodes.get(next).is_some_and(|node| takes_time(&node.kind)) {
                paths.push(self.path(id, next));
            }
        }
    }

    /// Compensations that failed for good.
    pub(crate) fn not_undone(&self) -> &[(Arc<str>, Failure)] {
        &self.not_undone
    }
}
