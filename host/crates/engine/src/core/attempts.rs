//! Attempts that are in flight, and how they begin: a pure step at once, any other when its `attempt-started` is durable.
//!
//! Of an attempt that had begun when a crash came, nobody knows the outcome. So a step that is not pure begins only
//! when it may expect to run soon: as many at once as there are places for them.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::Name;
use lang::plan::Target;

use super::action::{Action, CacheUse, Progress, StartAttempt};
use super::bugs::Bug;
use super::driver::Run;
use super::line::Line;
use super::state::Task;
use crate::event::{Attempt, Bill, Denial, EventBody, TaskId, Timestamp};
use crate::permit;
use crate::ports::GrantedCapability;

/// So many attempts that are not pure are begun at once; more would only wait for places.
#[derive(Clone, Debug, Default)]
pub struct Capacity {
    /// Altogether; none: no bound.
    pub total: Option<u32>,
    /// Of a class.
    pub classes: BTreeMap<Name, u32>,
}

/// Which attempts that are not pure begin only when the shell has all that they wait for. Whoever carries out the actions
/// of a run and says nothing is never asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// None: they begin as the [`Capacity`] lets them.
    #[default]
    Nobody,
    /// Those of steps with a key, a rate or a breaker.
    Shared,
    /// All of them.
    All,
}

/// The attempts that are not pure: what has begun, and what waits for room, by class.
#[derive(Debug, Default)]
pub(super) struct Effects {
    capacity: Capacity,
    admission: Admission,
    begun: u32,
    classes: BTreeMap<Option<Name>, Class>,
}

#[derive(Debug, Default)]
struct Class {
    begun: u32,
    waiting: Line,
}

impl Effects {
    pub(super) fn bound(&mut self, capacity: Capacity) {
        self.capacity = capacity;
    }

    pub(super) fn admit(&mut self, admission: Admission) {
        self.admission = admission;
    }

    /// Whether the shell is asked before an attempt of this step begins. The run of a plan holds nothing that others wait for.
    fn asks(&self, of: &Task) -> bool {
        let asks = match self.admission {
            Admission::Nobody => false,
            Admission::Shared => of.shared().is_some(),
            Admission::All => true,
        };
        asks && !matches!(of.target, Target::Plan(_))
    }

    /// Takes the next one for which there is room.
    fn next(&mut self) -> Option<(TaskId, Option<Name>)> {
        if self.capacity.total.is_some_and(|total| self.begun >= total.max(1)) {
            return None;
        }
        let bounds = &self.capacity.classes;
        let room = |name: &Option<Name>, class: &Class| {
            let bound = name.as_ref().and_then(|name| bounds.get(name));
            !class.waiting.is_empty() && bound.is_none_or(|bound| class.begun < (*bound).max(1))
        };
        // The highest priority, and among equals the first class.
        let open = self.classes.iter_mut().filter(|(name, class)| room(name, class));
        let (name, class) = open.min_by_key(|(_, class)| Reverse(class.waiting.first()))?;
        let next = class.waiting.pop()?;
        class.begun += 1;
        self.begun += 1;
        Some((next, name.clone()))
    }

    /// One has begun without asking for room.
    fn began(&mut self, class: Option<Name>) {
        self.begun += 1;
        self.classes.entry(class).or_default().begun += 1;
    }

    fn ended(&mut self, class: Option<&Name>) {
        self.begun = self.begun.saturating_sub(1);
        if let Some(class) = self.classes.get_mut(&class.cloned()) {
            class.begun = class.begun.saturating_sub(1);
        }
    }
}

/// An attempt that the state wants to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    number: u32,
    phase: Phase,
    /// Whether it is counted among the steps with effects that have begun.
    counted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It is not pure, and there is no room to begin it.
    Waiting,
    /// It is not pure, and the shell was asked for what it needs.
    Asking,
    /// Its `attempt-started` is not durable.
    Starting,
    /// It was handed out.
    Running,
    /// It was told to stop.
    Stopping,
    /// Its outcome is appended.
    Over,
}

impl Run {
    fn attempt(&self, task: TaskId, number: u32) -> Option<Attempt> {
        let path = Arc::clone(&self.state.tasks().get(&task)?.path);
        Some(Attempt { task, number, path })
    }

    /// Whether an attempt runs, wanted or not.
    pub(super) fn is_running(&self, task: TaskId, number: u32) -> bool {
        let runs = |flight: &Flight| flight.number == number && matches!(flight.phase, Phase::Running | Phase::Stopping);
        self.flights.get(&task).is_some_and(runs)
    }

    /// Whether an attempt is about to be invoked: its `attempt-started` is not durable yet.
    pub(crate) fn is_starting(&self, task: TaskId, number: u32) -> bool {
        self.flights.get(&task).is_some_and(|flight| flight.number == number && flight.phase == Phase::Starting)
    }

    /// An attempt goes on that began under another owner.
    pub(super) fn fly(&mut self, task: TaskId, number: u32, out: &mut Vec<Action>) {
        let Some(class) = self.state.tasks().get(&task).map(|task| task.class.clone()) else { return };
        self.effects.began(class);
        self.flights.insert(task, Flight { number, phase: Phase::Running, counted: true });
        self.invoke(task, out);
    }

    /// Marks a flight as over when an outcome of it is still awaited.
    pub(super) fn land(&mut self, task: TaskId, number: u32) -> Option<Attempt> {
        let flight = self.flights.get_mut(&task)?;
        if flight.number != number || !matches!(flight.phase, Phase::Asking | Phase::Running | Phase::Stopping) {
            return None;
        }
        flight.phase = Phase::Over;
        self.attempt(task, number)
    }

    /// Records the result of a step that is there already. False when it must run.
    pub(super) fn answer_given(&mut self, task: TaskId, now: Timestamp) -> bool {
        let number = self.state.tasks().get(&task).map_or(1, |task| task.number);
        let (Some((output, note)), Some(attempt)) = (self.state.given(task), self.attempt(task, number)) else { return false };
        self.record(now, EventBody::AttemptSucceeded { attempt, output, bill: Bill::default(), cache: Some(note), host: None });
        true
    }

    /// A pure step runs at once; any other when its `attempt-started` is durable, and so does one with raised limits, which
    /// are written down there.
    pub(super) fn start(&mut self, task: TaskId, number: u32, out: &mut Vec<Action>) {
        let Some(of) = self.state.tasks().get(&task) else { return };
        if of.pure_step && of.raised().is_empty() {
            self.flights.insert(task, Flight { number, phase: Phase::Running, counted: false });
            self.invoke(task, out);
            if self.has_bug(Bug::DoubleStart) {
                self.invoke(task, out);
            }
            return;
        }
        if self.effects.asks(of) {
            self.flights.insert(task, Flight { number, phase: Phase::Asking, counted: false });
            if let Some(start) = self.attempt_to_start(task, out) {
                out.push(Action::Admit(Box::new(start)));
            }
            return;
        }
        let (class, priority) = (of.class.clone(), of.priority());
        let rank = self.rank_of(task);
        self.flights.insert(task, Flight { number, phase: Phase::Waiting, counted: false });
        self.effects.classes.entry(class).or_default().waiting.push_ranked(priority, rank, task);
    }

    fn rank_of(&self, task: TaskId) -> u32 {
        self.state.node_of_task(task).map_or(0, |node| self.state.plan().rank(node))
    }

    /// Steps that are not pure and have no room to begin, at most so many.
    pub(crate) fn without_room(&self, most: usize) -> Vec<Arc<str>> {
        let waiting = self.flights.iter().filter(|(_, flight)| flight.phase == Phase::Waiting).take(most);
        waiting.filter_map(|(task, _)| Some(Arc::clone(&self.state.tasks().get(task)?.path))).collect()
    }

    /// Begins steps that are not pure while there is room.
    pub(super) fn begin_effects(&mut self, now: Timestamp, out: &mut Vec<Action>) {
        while let Some((task, class)) = self.effects.next() {
            match self.flights.get_mut(&task) {
                Some(flight) if flight.phase == Phase::Waiting => {
                    (flight.phase, flight.counted) = (Phase::Starting, true);
                    let number = flight.number;
                    self.begin_effect(task, number, now, out);
                }
                // It was stopped meanwhile.
                _ => self.effects.ended(class.as_ref()),
            }
        }
    }

    /// The shell has what an attempt needs. One that nobody wants any more is over.
    pub(super) fn admitted(&mut self, task: TaskId, number: u32, now: Timestamp, out: &mut Vec<Action>) {
        let Some(flight) = self.flights.get_mut(&task).filter(|flight| flight.number == number) else { return };
        match flight.phase {
            Phase::Asking => {
                (flight.phase, flight.counted) = (Phase::Starting, true);
                let class = self.state.tasks().get(&task).and_then(|task| task.class.clone());
                self.effects.began(class);
                self.begin_effect(task, number, now, out);
            }
            Phase::Stopping => self.withdraw(task, number, now),
            Phase::Waiting | Phase::Starting | Phase::Running | Phase::Over => {}
        }
    }

    fn begin_effect(&mut self, task: TaskId, number: u32, now: Timestamp, out: &mut Vec<Action>) {
        let Some(attempt) = self.attempt(task, number) else { return };
        for denial in self.agreed(task).1 {
            self.record(now, EventBody::Denied { attempt: attempt.clone(), denial });
        }
        let (host, raised) = (self.host(), self.state.tasks().get(&task).map(Task::raised).unwrap_or_default());
        let limits = (!raised.is_empty()).then_some(raised);
        self.record(now, EventBody::AttemptStarted { attempt, host, limits });
        if self.has_bug(Bug::EffectBeforeDurable) {
            self.invoke_started(task, out);
        }
    }

    /// An attempt's outcome is durable: it makes room.
    pub(super) fn remove_flight(&mut self, task: TaskId) {
        self.stalled.remove(&task);
        if self.flights.remove(&task).is_some_and(|flight| flight.counted) {
            self.effects.ended(self.state.tasks().get(&task).and_then(|task| task.class.as_ref()));
        }
    }

    /// The run is paused: what has no room yet does not begin when there is some.
    pub(super) fn withdraw_waiting(&mut self, now: Timestamp) {
        let waiting = self.flights.iter().filter(|(_, flight)| flight.phase == Phase::Waiting);
        let waiting: Vec<(TaskId, u32)> = waiting.map(|(task, flight)| (*task, flight.number)).collect();
        for (task, number) in waiting {
            self.withdraw(task, number, now);
        }
    }

    /// An attempt that was never invoked is over.
    fn withdraw(&mut self, task: TaskId, number: u32, now: Timestamp) {
        if let Some(flight) = self.flights.get_mut(&task) {
            flight.phase = Phase::Over;
        }
        if let Some(attempt) = self.attempt(task, number) {
            self.record(now, EventBody::AttemptCancelled { attempt, host: None });
        }
    }

    /// Invokes a step whose `attempt-started` is durable, unless it was stopped meanwhile.
    pub(super) fn invoke_started(&mut self, task: TaskId, out: &mut Vec<Action>) {
        if let Some(flight) = self.flights.get_mut(&task)
            && flight.phase == Phase::Starting
        {
            flight.phase = Phase::Running;
            self.invoke(task, out);
            if self.has_bug(Bug::DoubleStart) {
                self.invoke(task, out);
            }
        }
    }

    pub(super) fn stop(&mut self, task: TaskId, number: u32, now: Timestamp, out: &mut Vec<Action>) {
        let Some(flight) = self.flights.get_mut(&task) else { return };
        match flight.phase {
            Phase::Waiting | Phase::Starting => self.withdraw(task, number, now),
            Phase::Asking | Phase::Running => {
                flight.phase = Phase::Stopping;
                out.push(Action::Stop { task, number });
            }
            Phase::Stopping | Phase::Over => {}
        }
    }

    /// Lets an attempt not begin that has not begun. What was handed out is for the shell to let go.
    pub(super) fn withhold(&mut self, task: TaskId, number: u32, now: Timestamp) {
        if self.flights.get(&task).is_some_and(|flight| matches!(flight.phase, Phase::Waiting | Phase::Starting)) {
            self.withdraw(task, number, now);
        }
    }

    fn invoke(&self, task: TaskId, out: &mut Vec<Action>) {
        let Some(start) = self.attempt_to_start(task, out) else { return };
        out.push(Action::Progress(Progress::Started { task, path: Arc::clone(&start.path), number: start.number }));
        out.push(Action::Invoke(Box::new(start)));
    }

    /// The attempt of a step that is to be run now.
    fn attempt_to_start(&self, task: TaskId, out: &mut Vec<Action>) -> Option<StartAttempt> {
        let of = self.state.tasks().get(&task)?;
        let Some(target) = self.callees.get(&of.target) else {
            out.push(Action::Broken(format!("the plan has no component for `{}`", of.path)));
            return None;
        };
        let path = Arc::clone(&of.path);
        let output = self.state.plan().output_of(of.target).cloned();
        let cache = of.cache().zip(output).map(|(ttl, output)| CacheUse { ttl, output });
        Some(StartAttempt {
            task,
            number: of.number,
            target: target.clone(),
            args: of.args.clone(),
            grants: if of.pure_step { Vec::new() } else { self.agreed(task).0 },
            wishes: self.state.wishes_of(of),
            priority: of.priority(),
            rank: self.rank_of(task),
            cache,
            class: of.class.clone(),
            shared: of.shared(),
            repeatable: of.repeatable,
            idempotency_key: [&*self.id.0, "/", &path].concat().into(),
            previous_failure: of.previous.clone(),
            child: self.child_of(task),
            path,
        })
    }

    /// What a step is granted, and what it is denied before it begins.
    fn agreed(&self, task: TaskId) -> (Vec<GrantedCapability>, Vec<Denial>) {
        let (mut granted, mut denied) = (Vec::new(), Vec::new());
        let (permits, consented) = self.state.permissions();
        for grant in self.state.tasks().get(&task).map_or(&[][..], |task| &task.grants) {
            let agreed = permit::permitted(grant, permits, consented);
            if agreed.is_empty() {
                denied.push(denial_of(grant));
            }
            granted.extend(agreed);
        }
        granted.sort();
        granted.dedup();
        (granted, denied)
    }
}

fn denial_of(grant: &GrantedCapability) -> Denial {
    let (capability, subject) = match grant {
        GrantedCapability::Folder { host_path, .. } => ("files", &**host_path),
        GrantedCapability::Http(host) => ("network", &**host),
        GrantedCapability::Env(name) => ("env", &**name),
        GrantedCapability::Clock => ("clock", ""),
        GrantedCapability::Random => ("random", ""),
        GrantedCapability::Mail(of, subject) => (of.word(), &**subject),
    };
    Denial { capability: capability.to_owned(), subject: subject.to_owned() }
}
