//! Where the time of a run went: for each step, what it waited for and how long. Read off the events by replaying them.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::Name;

use super::action::ReplayError;
use super::driver::Run;
use super::lineage::Lineage;
use super::migrate::current_events;
use super::state::Status;
use crate::event::{Event, EventBody, RunId, TaskId, Timestamp};

/// What a step's time was spent on, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Waiting for its key.
    pub key: u64,
    /// Waiting for its rate or its breaker.
    pub rate: u64,
    /// Waiting for a place in a node around it.
    pub place: u64,
    /// Waiting until it may be tried again.
    pub retry: u64,
    /// Held: the run was paused, or somebody had to decide about another step.
    pub held: u64,
    /// Waiting for what handlers say.
    pub asked: u64,
    /// Waiting for a decision about itself.
    pub decision: u64,
    /// Handed out: waiting for a place of the host, and running.
    pub running: u64,
}

impl Spent {
    /// All of it.
    #[must_use]
    pub const fn total(&self) -> u64 {
        let Self { key, rate, place, retry, held, asked, decision, running } = self;
        *key + *rate + *place + *retry + *held + *asked + *decision + *running
    }

    fn of(&mut self, status: Status) -> &mut u64 {
        match status {
            Status::Ready | Status::Running | Status::Sending => &mut self.running,
            Status::Queued(_) => &mut self.place,
            Status::Held => &mut self.held,
            Status::Locked => &mut self.key,
            Status::Paced(..) | Status::Fused | Status::Refused => &mut self.rate,
            Status::Asking => &mut self.asked,
            Status::Backoff(_) => &mut self.retry,
            Status::Unknown => &mut self.decision,
        }
    }
}

/// The time of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Its path.
    pub path: Arc<str>,
    /// Its class.
    pub class: Option<Name>,
    /// Its key.
    pub key: Option<Arc<str>>,
    /// When it had all that it waits for.
    pub ready: Timestamp,
    /// When it was over; none while it is not.
    pub ended: Option<Timestamp>,
    /// Attempts that ended.
    pub attempts: u32,
    /// What its time was spent on; of an open step up to the last event.
    pub spent: Spent,
    /// Wall time of its attempts in microseconds. What it was handed out longer, it waited for a place of the host.
    pub worked: u64,
}

/// A step while it is open.
struct Open {
    timing: Timing,
    status: Status,
    since: Timestamp,
}

#[derive(Default)]
struct Watch {
    open: BTreeMap<TaskId, Open>,
    over: Vec<Timing>,
}

impl Watch {
    fn look(&mut self, run: &Run, event: &Event) {
        let (tasks, now) = (run.state.tasks(), event.at);
        let bill = match &event.body {
            EventBody::AttemptSucceeded { attempt, bill, .. } | EventBody::AttemptFailed { attempt, bill, .. } => {
                Some((attempt.task, bill.wall))
            }
            EventBody::AttemptCancelled { attempt, .. } => Some((attempt.task, 0)),
            _ => None,
        };
        if let Some((task, wall)) = bill
            && let Some(open) = self.open.get_mut(&task)
        {
            open.timing.attempts += 1;
            open.timing.worked = open.timing.worked.saturating_add(wall);
        }
        for (id, task) in tasks {
            let open = self.open.entry(*id).or_insert_with(|| Open {
                timing: Timing {
                    path: Arc::clone(&task.path),
                    class: task.class.clone(),
                    key: task.key().cloned(),
                    ready: now,
                    ended: None,
                    attempts: 0,
                    spent: Spent::default(),
                    worked: 0,
                },
                status: task.status,
                since: now,
            });
            if open.status != task.status {
                open.spend(now);
                open.status = task.status;
            }
        }
        let gone: Vec<TaskId> = self.open.keys().filter(|id| !tasks.contains_key(id)).copied().collect();
        for mut open in gone.into_iter().filter_map(|id| self.open.remove(&id)) {
            open.spend(now);
            open.timing.ended = Some(now);
            self.over.push(open.timing);
        }
    }
}

impl Open {
    fn spend(&mut self, now: Timestamp) {
        *self.timing.spent.of(self.status) += now.0.saturating_sub(self.since.0);
        self.since = now;
    }
}

/// Where the time of a run went, the steps that took longest first.
///
/// # Errors
/// As [`Run::replay_lineage`].
pub fn timings(plans: impl Into<Lineage>, id: RunId, events: &[Event]) -> Result<Vec<Timing>, ReplayError> {
    let lineage = plans.into();
    let events = current_events(&lineage, &id, events)?;
    let mut watch = Watch::default();
    let mut run = Run::new(Arc::clone(lineage.current()), id, "".into());
    for event in events.iter() {
        run.replay_next(event)?;
        watch.look(&run, event);
    }
    let now = events.last().map_or(Timestamp(0), |event| event.at);
    let mut all = watch.over;
    all.extend(watch.open.into_values().map(|mut open| {
        open.spend(now);
        open.timing
    }));
    all.sort_by(|a, b| b.spent.total().cmp(&a.spent.total()).then_with(|| a.ready.cmp(&b.ready)));
    Ok(all)
}
