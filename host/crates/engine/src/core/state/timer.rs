//! Timers: absolute times that follow from the time of the event that set them.

use catalog::FailureKind;

use super::model::{ActivityId, Due, Timer};
use super::{Command, Misfit, State};
use crate::core::values::{failure, milliseconds};
use crate::event::{TimerId, Timestamp};

impl State {
    /// Whether a timer lets the run go on. Beside a step about which somebody has to decide a deadline does not: all that
    /// it can do is to end what waits.
    pub(crate) fn goes_on_in_time(&self, undecided: bool) -> bool {
        let ends = |due: &Due| matches!(due, Due::Deadline(_) | Due::Budget(_));
        self.timers.values().any(|timer| !(undecided && ends(&timer.due)))
    }

    /// Sets a timer so many milliseconds from now.
    pub(super) fn set_timer(&mut self, delay: u64, due: Due) -> TimerId {
        let id = TimerId(self.next_timer);
        self.next_timer += 1;
        let at = Timestamp(self.now.0.saturating_add(delay));
        self.timers.insert(id, Timer { at, due });
        self.commands.push(Command::SetTimer(id, at));
        id
    }

    /// Nobody waits for a timer any more.
    pub(super) fn clear_timer(&mut self, id: TimerId) {
        if self.timers.remove(&id).is_some() {
            self.commands.push(Command::ClearTimer(id));
        }
    }

    /// Ends a node so many nanoseconds from now, unless an earlier deadline of its own does.
    pub(super) fn set_deadline(&mut self, id: ActivityId, nanoseconds: u64) {
        let delay = milliseconds(nanoseconds);
        let Some(before) = self.activities.get(id).map(|activity| activity.deadline) else { return };
        if let Some(timer) = before {
            let earlier = self.timers.get(&timer).is_some_and(|timer| timer.at.0 <= self.now.0.saturating_add(delay));
            if earlier {
                return;
            }
            self.clear_timer(timer);
        }
        let timer = self.set_timer(delay, Due::Deadline(id));
        if let Some(activity) = self.activities.get_mut(id) {
            activity.deadline = Some(timer);
        }
    }

    /// A timer's time has come. One that was cleared meanwhile means nothing any more.
    pub(super) fn timer_fired(&mut self, id: TimerId) -> Result<(), Misfit> {
        if id.0 >= self.next_timer && id != TimerId::NONE {
            return Err(Misfit(format!("timer {} was never set", id.0)));
        }
        let Some(timer) = self.timers.remove(&id) else { return Ok(()) };
        match timer.due {
            Due::Retry(task) => self.start(task),
            Due::Wait(activity) => self.waited(activity),
            Due::Rate(node) => self.rate_due(node),
            Due::Budget(scope) => self.budget_due(scope),
            Due::Patience(task) => self.give_up(task),
            Due::Deadline(activity) => {
                if let Some(activity) = self.activities.get_mut(activity) {
                    activity.deadline = None;
                }
                let (path, message) = (self.path_of_activity(activity), self.overdue(activity));
                self.stop_and_fail(activity, failure(FailureKind::Timeout, message), path);
            }
        }
        Ok(())
    }
}
