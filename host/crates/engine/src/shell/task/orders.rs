//! Requests and orders of the operator: those that come too early wait, changes wait for what is being written, a migration for
//! what runs.

use std::sync::Arc;

use futures::stream::StreamExt;
use tokio::time::Instant;

use super::RunTask;
use crate::core::Input;
use crate::event::Seq;
use crate::ports::{Control, Mail, Order};
use crate::shell::handle::Request;
use crate::shell::{MIGRATING, RunEnd, Update};

/// So many steps that have not ended are named.
const MOST_NAMED: usize = 5;

impl RunTask {
    pub(super) fn request(&mut self, request: Option<Request>) {
        match request {
            None => self.listening = false,
            Some(Request::Pause(reason)) => {
                self.valve.shut();
                self.input(Input::Pause { reason });
            }
            // Whoever answers the letter decides whether it goes on.
            Some(Request::Resume) if self.leaving.is_some() => {}
            Some(Request::Resume) => self.resume(),
            Some(Request::Park) => self.parking = true,
            Some(Request::Cancel(reason)) => self.input(Input::Cancel { reason }),
            Some(Request::Control(control)) => self.control(0, control),
            Some(Request::Signal(signal)) => self.input(Input::Mail(Mail::Signal(signal))),
            Some(Request::Decide(task, decision)) => {
                self.decisions.push((task, decision));
                self.decide();
            }
        }
    }

    pub(super) fn resume(&mut self) {
        self.valve.open();
        self.input(Input::Resume);
    }

    /// Makes the decisions that fit by now. Gives whether there was one.
    pub(super) fn decide(&mut self) -> bool {
        let mut made = false;
        for (task, decision) in std::mem::take(&mut self.decisions) {
            if !self.run.blocked().iter().any(|blocked| blocked.task == task) {
                self.decisions.push((task, decision));
                continue;
            }
            match self.run.check_decision(task, &decision) {
                Ok(()) => {
                    self.input(Input::Decide { task, decision });
                    made = true;
                }
                Err(error) => self
                    .outlets
                    .tell(Update::Waiting { what: format!("the decision about step {} does not fit: {error}", task.0) }),
            }
        }
        made
    }

    /// Takes the control letters that have come.
    pub(super) fn collect_controls(&mut self) {
        match self.inbox.controls() {
            Ok(letters) => letters.into_iter().for_each(|(no, control)| self.control(no, control)),
            Err(error) => drop(self.end.get_or_insert(RunEnd::StoreFailed(error))),
        }
        self.inbox.committed(self.run.applied());
    }

    /// Carries an order out, of the letter with this number; 0 where it came otherwise.
    pub(super) fn control(&mut self, no: u64, control: Control) {
        match &control.order {
            Order::Change(_) => self.changes.push((no, control)),
            Order::Migrate(_) if self.leaving.is_none() && self.may_leave(&control) => self.leave(no, control),
            _ => self.order(no, control),
        }
    }

    fn may_leave(&self, control: &Control) -> bool {
        !self.run.has_taken(&control.id) && self.run.check_order(&control.order).is_ok()
    }

    /// Starts nothing new, so that the run can be migrated when what runs has ended.
    fn leave(&mut self, no: u64, control: Control) {
        if !self.run.is_pausing() {
            self.valve.shut();
            self.input(Input::Pause { reason: MIGRATING.to_owned() });
        }
        self.leaving = Some((no, control, Instant::now() + self.parts.config.quiet));
    }

    /// What runs has not come to its end: the run goes on as it is.
    pub(super) fn stay(&mut self) {
        let Some((no, control, _)) = self.leaving.take() else { return };
        let mut paths: Vec<&str> = self.running.values().map(|(_, _, path, _)| &**path).take(MOST_NAMED).collect();
        if self.running.len() > paths.len() {
            paths.push("…");
        }
        let reason = format!("what runs has not ended within {:?}: {}", self.parts.config.quiet, paths.join(", "));
        self.run.refuse(&control, reason, self.parts.clock.now());
        if no > 0 {
            self.inbox.handed(self.run.recorded(), no);
        }
        if self.run.paused_for() == Some(MIGRATING) {
            self.resume();
        }
    }

    /// Waits until all that was recorded is durable and applied, then makes the changes that were asked for. Nothing else is
    /// taken meanwhile, so what they are checked against is what they change.
    pub(super) async fn take_changes(&mut self) {
        if self.run.applied() < self.run.recorded()
            && let Some(done) = self.appends.next().await
        {
            self.appended(done);
            return;
        }
        std::mem::take(&mut self.changes).into_iter().for_each(|(no, control)| self.order(no, control));
    }

    fn order(&mut self, no: u64, control: Control) {
        let fits = self.run.check_order(&control.order).is_ok();
        match &control.order {
            // It may wait for one soon: what the last owner left is not known before it is durable.
            Order::Decide { .. } if !fits && !self.quiet && self.run.applied() < self.run.recorded() => {
                self.early.push((self.run.recorded(), no, control));
                return;
            }
            _ if !fits || self.run.has_taken(&control.id) => {}
            Order::Pause { .. } => self.valve.shut(),
            Order::Resume => self.valve.open(),
            // What takes effects back, and what may start in a pause, goes through another valve.
            Order::Cancel { .. } => std::mem::take(&mut self.valve).shut(),
            Order::Advance { .. } => self.valve = Arc::default(),
            Order::Decide { .. } | Order::Change(_) | Order::Migrate(_) => {}
        }
        self.input(Input::Mail(Mail::Control(control)));
        if no > 0 {
            self.inbox.handed(self.run.recorded(), no);
        }
    }

    /// Carries out the decisions that were too early and need not wait longer than for this event.
    pub(super) fn take_early(&mut self, through: Seq) {
        let (due, early): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.early).into_iter().partition(|(after, ..)| *after <= through);
        self.early = early;
        self.quiet = true;
        due.into_iter().for_each(|(_, no, control)| self.control(no, control));
        self.quiet = false;
    }
}
