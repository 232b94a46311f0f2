//! Breakers: after so many failures of a function, attempts fail without being invoked, until one is tried again.
//!
//! Calls of the same function with equal settings share one. Closed: failures are counted. Open: attempts are refused.
//! When the cooldown is over, one attempt is the trial, others wait for what becomes of it.

use std::collections::VecDeque;

use catalog::FailureKind;
use lang::plan::{Breaker, Target};

use super::model::{Status, Work};
use super::{Command, State};
use crate::core::line::Line;
use crate::core::values::{failure, milliseconds};
use crate::event::{Bill, Failure, TaskId, Timestamp};

/// What tells breakers apart.
pub(super) type FuseId = (Target, Breaker);

/// A breaker.
#[derive(Debug, Default)]
pub(super) struct Fuse {
    /// Failures while it is closed, oldest first.
    failures: VecDeque<Timestamp>,
    /// It is open until then; from then on a trial decides. None: closed.
    open_until: Option<Timestamp>,
    trial: Option<TaskId>,
    /// Those that wait for the trial's end.
    line: Line,
}

/// What an attempt says about its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It answered.
    Works,
    /// It failed in a way that counts.
    Fails,
    /// The attempt was stopped, or nobody knows.
    Unknown,
}

impl Verdict {
    /// Of a failure, and of what its attempt used. What lies in the arguments, the flow or its permissions says that the
    /// function answers; what the host refused before it began says nothing.
    pub(super) fn of(failure: &Failure, bill: &Bill) -> Self {
        if *bill == Bill::default() && failure.refused_by().is_some() {
            return Self::Unknown;
        }
        match failure.kind {
            FailureKind::InvalidInput | FailureKind::Calculation | FailureKind::Logic | FailureKind::Permission => Self::Works,
            FailureKind::Resource
            | FailureKind::Timeout
            | FailureKind::Network
            | FailureKind::Dependency
            | FailureKind::Internal
            | FailureKind::Error => Self::Fails,
        }
    }
}

impl State {
    /// Whether the breaker of a step lets an attempt start; if not, it is refused, or waits for the trial.
    pub(super) fn pass_breaker(&mut self, id: TaskId) -> bool {
        let now = self.now;
        let Some(task) = self.tasks.get_mut(&id) else { return false };
        let Some(fuse) = task.breaker().and_then(|id| self.fuses.get_mut(&id)) else { return true };
        let Some(until) = fuse.open_until else { return true };
        if now < until {
            task.status = Status::Refused;
            self.work.push_back(Work::Refuse(id, until.0 - now.0));
            return false;
        }
        if fuse.trial.is_some_and(|trial| trial != id) {
            fuse.line.push(task.priority(), id);
            task.status = Status::Fused;
            return false;
        }
        true
    }

    /// The step that tries whether a function answers again, of those that share the breaker of this one.
    pub(super) fn trial_of(&self, id: TaskId) -> Option<TaskId> {
        self.fuses.get(&self.tasks.get(&id)?.breaker()?)?.trial
    }

    /// Until when the breaker of a step is open, if it is.
    pub(super) fn open_breaker(&self, id: TaskId) -> Option<Timestamp> {
        let until = self.fuses.get(&self.tasks.get(&id)?.breaker()?)?.open_until?;
        Some(until).filter(|until| *until > self.now)
    }

    /// An attempt starts; with an open breaker it is the trial.
    pub(super) fn begin_trial(&mut self, id: TaskId) {
        let fuse = self.tasks.get(&id).and_then(super::model::Task::breaker).and_then(|id| self.fuses.get_mut(&id));
        if let Some(fuse) = fuse.filter(|fuse| fuse.open_until.is_some()) {
            fuse.trial = Some(id);
        }
    }

    /// An attempt fails without being invoked. It waits for the rest of the cooldown before it is tried again.
    pub(super) fn refuse(&mut self, id: TaskId, left: u64) {
        if !self.waits_as(id, Status::Refused) {
            return;
        }
        let Some(task) = self.tasks.get(&id) else { return };
        let plan = self.plan();
        let name = plan.name_of(task.target);
        let time = catalog::duration::display(left.saturating_mul(1_000_000));
        let message = format!("`{name}` failed too often: its breaker is open for another {time}");
        let failure = Failure { retry_after: Some(left), ..failure(FailureKind::Dependency, message) };
        self.commands.push(Command::Refused(id, std::sync::Arc::clone(&task.path), failure.clone()));
        self.attempt_failed(id, failure);
    }

    /// An attempt has ended.
    pub(super) fn judge(&mut self, id: TaskId, verdict: Verdict) {
        let now = self.now;
        let Some(fuse_id) = self.tasks.get(&id).and_then(super::model::Task::breaker) else { return };
        let fuse = self.fuses.entry(fuse_id).or_default();
        let (settings, was_trial) = (fuse_id.1, fuse.trial == Some(id));
        let opened = Timestamp(now.0.saturating_add(milliseconds(settings.cooldown)));
        match verdict {
            Verdict::Fails if was_trial => fuse.open_until = Some(opened),
            Verdict::Works if was_trial => fuse.open_until = None,
            Verdict::Fails if fuse.open_until.is_none() => {
                fuse.failures.push_back(now);
                let counts = |at: &Timestamp| now.0 < at.0.saturating_add(milliseconds(settings.within));
                while fuse.failures.front().is_some_and(|at| !counts(at)) {
                    fuse.failures.pop_front();
                }
                if fuse.failures.len() >= settings.failures as usize {
                    fuse.failures.clear();
                    fuse.open_until = Some(opened);
                }
            }
            _ => {}
        }
        if was_trial {
            fuse.trial = None;
            let mut waiting = std::mem::take(&mut fuse.line);
            while let Some(next) = waiting.pop() {
                if self.waits_as(next, Status::Fused) {
                    self.start(next);
                }
            }
        }
    }
}
