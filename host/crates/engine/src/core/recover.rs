//! A run out of its journal.

use std::sync::Arc;

use lang::plan::Plan;

use super::action::{Action, ReplayError};
use super::bugs::Bug;
use super::driver::{Run, end_of};
use super::lineage::Lineage;
use super::migrate::current_events;
use crate::event::{Attempt, Event, EventBody, RunId, Timestamp};

impl Run {
    /// Makes the state from a run's events, which are all of them from the first.
    ///
    /// # Errors
    /// When the events have a gap, or do not follow from the plan.
    pub fn replay(plan: Arc<Plan>, id: RunId, host: Arc<str>, events: &[Event]) -> Result<Self, ReplayError> {
        let mut run = Self::new(plan, id, host);
        events.iter().try_for_each(|event| run.follow(event))?;
        run.has_begun().then_some(run).ok_or(ReplayError::Empty)
    }

    /// Like [`Run::replay`]; tells what each event leads to, as lines of stable text. Golden journals are compared with it.
    ///
    /// # Errors
    /// As [`Run::replay`].
    pub fn replay_with(
        plan: Arc<Plan>,
        id: RunId,
        host: Arc<str>,
        events: &[Event],
        tell: &mut dyn FnMut(&Event, &[String]),
    ) -> Result<Self, ReplayError> {
        let mut run = Self::new(plan, id, host);
        run.read(events, tell)?;
        Ok(run)
    }

    /// Applies the events of a run to one to which nothing has happened yet.
    pub(super) fn read(&mut self, events: &[Event], tell: &mut dyn FnMut(&Event, &[String])) -> Result<(), ReplayError> {
        let run = self;
        if events.is_empty() {
            return Err(ReplayError::Empty);
        }
        for event in events {
            let lines = run.replay_next(event)?;
            tell(event, &lines);
        }
        Ok(())
    }

    /// Like [`Run::replay`] for a run that may have been migrated: with all plans that it has had.
    ///
    /// # Errors
    /// As [`Run::replay`]; also when what came before a migration does not fit the plan after it.
    pub fn replay_lineage(lineage: &Lineage, id: RunId, host: Arc<str>, events: &[Event]) -> Result<Self, ReplayError> {
        let events = current_events(lineage, &id, events)?;
        let mut run = Self::replay(Arc::clone(lineage.current()), id, host, &events)?;
        run.migrations = lineage.migrations();
        Ok(run)
    }

    /// Replays one more event, and tells what it leads to. Only for a run that is not driven, from [`Run::new`] on.
    ///
    /// # Errors
    /// As [`Run::replay`].
    pub fn replay_next(&mut self, event: &Event) -> Result<Vec<String>, ReplayError> {
        self.apply_next(event)?;
        let commands = self.state.take_commands();
        Ok(commands.iter().map(|command| self.render_command(command)).collect())
    }

    /// Whether something has happened to it.
    pub(crate) const fn has_begun(&self) -> bool {
        self.last > 0
    }

    /// Replays one more event, as [`Run::replay_next`], and does not tell.
    pub(crate) fn follow(&mut self, event: &Event) -> Result<(), ReplayError> {
        self.apply_next(event)?;
        self.state.forget_commands();
        Ok(())
    }

    fn apply_next(&mut self, event: &Event) -> Result<(), ReplayError> {
        if event.seq != self.last + 1 {
            return Err(ReplayError::Gap { before: self.last, after: event.seq });
        }
        let begins = matches!(event.body, EventBody::RunStarted(_));
        if begins != (event.seq == 1) || self.ended {
            let reason = if begins || self.ended { "the run has another beginning or end" } else { "it does not begin the run" };
            return Err(ReplayError::Misfit { seq: event.seq, reason: reason.into() });
        }
        self.state.apply(event).map_err(|misfit| ReplayError::Misfit { seq: event.seq, reason: misfit.0 })?;
        self.totals.count(&event.body);
        (self.last, self.applied) = (event.seq, event.seq);
        self.ended = end_of(event).is_some();
        Ok(())
    }

    /// Goes on after a replay, as the new owner: what ran and left no outcome is accounted for, timers are set again.
    pub fn recover(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        if let Some(outcome) = self.state.outcome().cloned() {
            if self.ended {
                out.push(Action::Ended(outcome));
            } else {
                self.record(now, EventBody::RunEnded { outcome });
            }
            return;
        }
        self.record(now, EventBody::OwnerChanged { host: self.host() });
        for (task, number, path) in self.lost_steps() {
            self.record(now, EventBody::OutcomeUnknown { attempt: Attempt { task, number, path }, host: None });
        }
        if !self.has_bug(Bug::PlanForgotten) {
            self.continue_plans(now, out);
        }
        let (untold, given_up) = self.state.untold();
        untold.into_iter().for_each(|task| self.report(task, now));
        given_up.into_iter().for_each(|task| self.give_up(task, now));
        if self.has_bug(Bug::SignalLost) {
            self.state.lose_mail();
        }
        out.extend(self.state.computed_topics().into_iter().map(|topic| Action::Listen { topic }));
        if !self.has_bug(Bug::TimersForgotten) {
            out.extend(self.state.timers().map(|(timer, at)| Action::SetTimer { timer, at }));
        }
    }
}
