//! The virtual clock, and what is planned.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::{Decision, TaskId, TimerId, Timestamp};
use crate::ports::{Mail, Outcome};

/// An attempt of a step.
pub(super) type AttemptId = (TaskId, u32);

/// When something is planned, and the how many-eth plan it was.
type Slot = (Timestamp, u64);

/// Something that is going to happen.
pub(super) enum Tick {
    /// A mocked attempt ends.
    Ends(AttemptId, Box<Outcome>),
    Timer(TimerId),
    /// What the wait with this path waits for.
    Mail(Arc<str>, Mail),
    /// Somebody who knows the outside decides about a step whose outcome the run does not know.
    Decide(TaskId, Decision),
}

/// What is planned, by virtual time; of the same time in the order in which it was planned.
#[derive(Default)]
pub(super) struct Agenda {
    now: Timestamp,
    plans: u64,
    planned: BTreeMap<Slot, Tick>,
    timers: BTreeMap<TimerId, Slot>,
    attempts: BTreeMap<AttemptId, Slot>,
    mail: BTreeMap<Arc<str>, Slot>,
}

impl Agenda {
    /// Milliseconds since the beginning.
    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    fn plan(&mut self, at: Timestamp, tick: Tick) -> Slot {
        self.plans += 1;
        let slot = (at.max(self.now), self.plans);
        self.planned.insert(slot, tick);
        slot
    }

    /// An attempt ends in so many nanoseconds.
    pub(super) fn plan_outcome(&mut self, attempt: AttemptId, takes: u64, outcome: Outcome) {
        let at = Timestamp(self.now.0.saturating_add(takes.div_ceil(1_000_000)));
        let slot = self.plan(at, Tick::Ends(attempt, Box::new(outcome)));
        self.attempts.insert(attempt, slot);
    }

    /// An attempt ends at this time.
    pub(super) fn plan_outcome_at(&mut self, attempt: AttemptId, at: Timestamp, outcome: Box<Outcome>) {
        let slot = self.plan(at, Tick::Ends(attempt, outcome));
        self.attempts.insert(attempt, slot);
    }

    /// A decision is made at this time.
    pub(super) fn plan_decision(&mut self, task: TaskId, at: Timestamp, decision: Decision) {
        self.plan(at, Tick::Decide(task, decision));
    }

    /// What is left when the process dies: the time, the mail that is on its way, and what was about to come of attempts.
    pub(super) fn crash(self) -> (Self, Vec<(AttemptId, Timestamp, Box<Outcome>)>) {
        let mut left = Self { now: self.now, ..Self::default() };
        let mut lost = Vec::new();
        for ((at, _), tick) in self.planned {
            match tick {
                Tick::Ends(attempt, outcome) => lost.push((attempt, at, outcome)),
                Tick::Mail(wait, mail) => {
                    let slot = left.plan(at, Tick::Mail(Arc::clone(&wait), mail));
                    left.mail.insert(wait, slot);
                }
                Tick::Timer(_) | Tick::Decide(..) => {}
            }
        }
        (left, lost)
    }

    /// Forgets an attempt.
    pub(super) fn withdraw(&mut self, attempt: AttemptId) {
        if let Some(slot) = self.attempts.remove(&attempt) {
            self.planned.remove(&slot);
        }
    }

    pub(super) fn set_timer(&mut self, timer: TimerId, at: Timestamp) {
        self.clear_timer(timer);
        let slot = self.plan(at, Tick::Timer(timer));
        self.timers.insert(timer, slot);
    }

    pub(super) fn clear_timer(&mut self, timer: TimerId) {
        if let Some(slot) = self.timers.remove(&timer) {
            self.planned.remove(&slot);
        }
    }

    /// What a wait waits for comes in so many nanoseconds.
    pub(super) fn plan_mail(&mut self, wait: Arc<str>, takes: u64, mail: Mail) {
        let at = Timestamp(self.now.0.saturating_add(takes.div_ceil(1_000_000)));
        let slot = self.plan(at, Tick::Mail(Arc::clone(&wait), mail));
        self.mail.insert(wait, slot);
    }

    /// Forgets the mail of waits that are over.
    pub(super) fn keep_mail(&mut self, is_open: impl Fn(&Arc<str>) -> bool) {
        let planned = &mut self.planned;
        self.mail.retain(|wait, slot| {
            let open = is_open(wait);
            if !open {
                planned.remove(slot);
            }
            open
        });
    }

    /// Jumps to what comes next and takes it.
    pub(super) fn next(&mut self) -> Option<Tick> {
        let ((at, _), tick) = self.planned.pop_first()?;
        self.now = at;
        match &tick {
            Tick::Ends(attempt, _) => drop(self.attempts.remove(attempt)),
            Tick::Timer(timer) => drop(self.timers.remove(timer)),
            Tick::Mail(wait, _) => drop(self.mail.remove(wait)),
            Tick::Decide(..) => {}
        }
        Some(tick)
    }
}
