//! What an operator wants of the run: a pause, single steps, its end.

use super::{Command, State};
use crate::core::state::Status;
use crate::event::TaskId;

impl State {
    /// Whether steps may start.
    pub(crate) fn starts(&self) -> bool {
        self.cancelled || (self.unknown.is_empty() && (self.paused.is_none() || self.credit > 0))
    }

    /// So many steps may start though the run is paused.
    pub(crate) const fn credit(&self) -> u64 {
        self.credit
    }

    /// Whether somebody asked for the end.
    pub(crate) const fn cancelled(&self) -> bool {
        self.cancelled
    }

    /// Whether what still ran when the run was cancelled was told to stop.
    pub(crate) const fn hurried(&self) -> bool {
        self.hurried
    }

    /// Whether a control letter was read.
    pub(crate) fn has_taken(&self, id: &str) -> bool {
        self.controls.contains(id)
    }

    /// Goes on after a pause.
    pub(super) fn resume(&mut self) {
        self.paused = None;
        self.credit = 0;
        self.release_held();
    }

    /// So many more steps of a paused run may start: those that were held first.
    pub(super) fn advance(&mut self, steps: u32) {
        if self.paused.is_some() {
            self.credit = self.credit.saturating_add(steps.into());
            self.release_held();
        }
    }

    /// A step starts.
    pub(super) fn spend(&mut self) {
        if self.paused.is_some() && !self.cancelled {
            self.credit = self.credit.saturating_sub(1);
        }
    }

    /// The run is to end as cancelled; once more, and what runs is stopped.
    pub(super) fn cancel(&mut self, gently: bool) {
        if self.outcome.is_some() || self.is_ending() {
            return;
        }
        let first = !std::mem::replace(&mut self.cancelled, true);
        self.hurried |= !gently;
        if first {
            self.gently = gently;
            self.stop_root();
            self.gently = false;
        } else if !gently {
            self.stop_what_is_left();
        }
    }

    /// Stops the attempts of steps that nobody wants and that were let run.
    fn stop_what_is_left(&mut self) {
        let left = self.tasks.iter().filter(|(_, task)| task.status == Status::Running && self.is_stopping(task.activity));
        let left: Vec<(TaskId, u32)> = left.map(|(id, task)| (*id, task.number)).collect();
        self.commands.extend(left.into_iter().map(|(id, number)| Command::Stop(id, number)));
    }

    /// What a step that is stopped is told.
    pub(super) fn stop_attempt(&mut self, id: TaskId, number: u32) {
        let command = if self.gently { Command::Withdraw(id, number) } else { Command::Stop(id, number) };
        self.commands.push(command);
    }
}
