//! The part of a run that is not in the journal: what is appended and not yet durable, what is in flight.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use catalog::Value;
use lang::plan::{Plan, Target};

use super::action::{Action, Blocked, Idle, Input, Progress, Totals};
use super::attempts::{Admission, Capacity, Effects, Flight};
use super::bugs::{Bug, Bugs};
use super::control::Asked;
use super::state::{Command, State};
use crate::event::{
    Attempt, Decision, Event, EventBody, Failure, Payload, RunId, RunOutcome, Seq, TaskId, TimerId, Timestamp, Trace,
};
use crate::ports::{Callable, Callee, Order, Outcome, Vault};

/// A run. Its owner gives it inputs, carries out its actions, and calls [`Run::flush`] when it has no more inputs at hand.
pub struct Run {
    pub(super) id: RunId,
    pub(super) state: State,
    pub(super) callees: BTreeMap<Target, Callable>,
    host: Arc<str>,
    /// The position of the last event that was made.
    pub(super) last: Seq,
    /// The position of the last event that was applied.
    pub(super) applied: Seq,
    fresh: Vec<Event>,
    /// Appended and not yet all applied.
    waiting: VecDeque<Arc<[Event]>>,
    pub(super) flights: BTreeMap<TaskId, Flight>,
    pub(super) effects: Effects,
    /// Runs of plans that wait for somebody, by their steps.
    pub(super) stalled: BTreeMap<TaskId, Arc<str>>,
    /// Timers whose firing is appended.
    fired: BTreeSet<TimerId>,
    /// Steps with an appended decision.
    pub(super) decided: BTreeSet<TaskId>,
    /// Signals and messages that are appended, by their ids; those without one are only counted.
    pub(super) arriving: (BTreeSet<Arc<str>>, usize),
    /// Messages whose sending is appended.
    pub(super) published: BTreeSet<TaskId>,
    /// What was last asked for and is not durable yet.
    pub(super) asked: Asked,
    pub(super) totals: Totals,
    /// How often it was migrated.
    pub(super) migrations: u64,
    pub(super) ended: bool,
    pub(super) idle: bool,
    bugs: Bugs,
}

impl Run {
    /// A run to which nothing has happened yet.
    #[must_use]
    pub fn new(plan: Arc<Plan>, id: RunId, host: Arc<str>) -> Self {
        let callee = |function: &lang::plan::FunctionRef| {
            let component = plan.components.get(function.component)?;
            Some(Callable::Function(Arc::new(Callee {
                component: component.digest,
                interface: function.interface.clone(),
                wit_name: function.wit_name.clone(),
                params: function.params.clone(),
                result: function.result.clone(),
            })))
        };
        let functions = plan.functions.iter().filter_map(|(id, function)| Some((Target::Function(id), callee(function)?)));
        let roles = plan.roles.iter().map(|(id, role)| (Target::Role(id), Callable::Role(Arc::new(role.clone()))));
        let plans = plan.plans.iter().map(|(id, of)| (Target::Plan(id), Callable::Plan(Arc::new(of.clone()))));
        let callees = functions.chain(roles).chain(plans).collect();
        Self {
            state: State::new(plan, id.clone(), Bugs::default()),
            id,
            callees,
            host,
            last: 0,
            applied: 0,
            fresh: Vec::new(),
            waiting: VecDeque::new(),
            flights: BTreeMap::new(),
            effects: Effects::default(),
            stalled: BTreeMap::new(),
            fired: BTreeSet::new(),
            decided: BTreeSet::new(),
            arriving: (BTreeSet::new(), 0),
            published: BTreeSet::new(),
            asked: Asked::default(),
            totals: Totals::default(),
            migrations: 0,
            ended: false,
            idle: false,
            bugs: Bugs::default(),
        }
    }

    /// Plants a bug; before anything happens to the run, or after its replay.
    #[cfg(feature = "planted-bugs")]
    pub fn plant(&mut self, bug: Bug) {
        self.bugs = Bugs::plant(bug);
        self.state.plant(self.bugs);
    }

    /// Changes how many operations may follow from one event before the run fails. A run must be replayed with the
    /// bound that it began with; this is for tests of the bound.
    pub const fn bound_work(&mut self, most: u64) {
        self.state.bound_work(most);
    }

    /// Puts large values that it collects there from now on. It does the same with it and without.
    pub fn hold_in(&mut self, vault: Arc<dyn Vault>) {
        self.state.hold_in(vault);
    }

    /// Why it cannot go on in this process, when values that it had put away are lost. Its journal is whole.
    #[must_use]
    pub fn lost_values(&self) -> Option<String> {
        self.state.lost_values()
    }

    /// Bounds the attempts with effects that are begun at once.
    pub fn set_capacity(&mut self, capacity: Capacity) {
        self.effects.bound(capacity);
    }

    /// Says which attempts with effects are asked for before they begin.
    pub fn set_admission(&mut self, admission: Admission) {
        self.effects.admit(admission);
    }

    pub(super) fn has_bug(&self, bug: Bug) -> bool {
        self.bugs.has(bug)
    }

    pub(super) fn host(&self) -> Arc<str> {
        Arc::clone(&self.host)
    }

    /// The run's id.
    #[must_use]
    pub const fn id(&self) -> &RunId {
        &self.id
    }

    /// Its plan.
    #[must_use]
    pub fn plan(&self) -> Arc<Plan> {
        self.state.plan()
    }

    /// What it has used so far.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// The position of the last event that has changed the state.
    #[must_use]
    pub const fn applied(&self) -> Seq {
        self.applied
    }

    /// The position of the last event that was made, durable or not.
    #[must_use]
    pub const fn recorded(&self) -> Seq {
        self.last
    }

    /// How many attempts run.
    #[must_use]
    pub fn running(&self) -> usize {
        self.flights.len()
    }

    /// Whether something is recorded and not yet given out with [`Run::flush`].
    #[must_use]
    pub fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Whether the run is paused, durably.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.state.paused().is_some()
    }

    /// The trace that all that leaves the run is in, where whoever started it said one.
    #[must_use]
    pub const fn trace(&self) -> Option<&Trace> {
        self.state.trace()
    }

    /// Why the run is paused, durably.
    #[must_use]
    pub fn paused_for(&self) -> Option<&str> {
        self.state.paused()
    }

    /// The state as text, to compare: the same events give the same text.
    #[must_use]
    pub fn snapshot(&self) -> String {
        format!("{:?}", self.state)
    }

    /// How many regions are open: what a run holds in memory.
    #[must_use]
    pub fn open_regions(&self) -> usize {
        self.state.open_regions()
    }

    /// Steps that an operator has to decide about.
    #[must_use]
    pub fn blocked(&self) -> Vec<Blocked> {
        let undecided = self.state.undecided().filter(|(id, _)| !self.decided.contains(id));
        undecided.map(|(task, _)| self.state.blocked_of(task)).collect()
    }

    /// Whether a decision can be taken: the step waits for one, and a supplied value is of its type.
    ///
    /// # Errors
    /// Says what is wrong with the decision.
    pub fn check_decision(&self, task: TaskId, decision: &Decision) -> Result<(), String> {
        if !self.blocked().iter().any(|blocked| blocked.task == task) {
            return Err(format!("step {} does not wait for a decision", task.0));
        }
        match decision {
            Decision::Supply(payload) => self.state.check_supply(task, payload),
            _ => Ok(()),
        }
    }

    /// Whether a change can be made now: it concerns only what has not begun, and a value is of its type.
    ///
    /// # Errors
    /// Says why not, for people.
    pub fn check_change(&self, change: &crate::event::Change) -> Result<(), String> {
        self.state.check_change(change)
    }

    /// Takes an input. What comes out must be carried out in order; events come out with [`Run::flush`].
    pub fn handle(&mut self, input: Input, now: Timestamp, out: &mut Vec<Action>) {
        match input {
            Input::Start(started) => {
                if self.last == 0 {
                    self.record(now, EventBody::RunStarted(started));
                }
            }
            Input::Outcome { task, number, outcome } => self.outcome(task, number, *outcome, now),
            Input::Stopped { task, number, host } => self.stopped(task, number, host, now),
            Input::Unknown { task, number, host } => self.unknown(task, number, host, now),
            Input::Admitted { task, number } => self.admitted(task, number, now, out),
            Input::Committed { through } => self.committed(through, now, out),
            Input::TimerDue(timer) => self.timer_due(timer, now, out),
            Input::Pause { reason } => self.ask_for(Order::Pause { reason }, now),
            Input::Resume => self.ask_for(Order::Resume, now),
            Input::Cancel { reason } => self.ask_for(Order::Cancel { reason, gently: false }, now),
            Input::Mail(mail) => self.receive(mail, now, out),
            Input::Stalled { task, number, what } => self.stall(task, number, what),
            Input::Published(task) => self.published(task, now),
            Input::Receive { task, number, topic } => self.take_next(task, number, topic, now, out),
            Input::Change(change) => self.ask_for(Order::Change(vec![*change]), now),
            Input::Decide { task, decision } => self.ask_for(Order::Decide { task, migrations: None, decision }, now),
        }
        if self.bugs.has(Bug::UsedBeforeDurable) {
            self.flush(out);
            self.committed(self.last, now, out);
        }
    }

    /// Writes down that a human is asked about a step.
    pub(super) fn report(&mut self, task: TaskId, now: Timestamp) {
        if let Some(escalation) = self.state.escalation(task) {
            self.record(now, EventBody::Escalated(Box::new(escalation)));
        }
    }

    /// Decides as nobody else did in time, unless somebody just does.
    pub(super) fn give_up(&mut self, task: TaskId, now: Timestamp) {
        if self.decided.insert(task) {
            let decision = Decision::Fail(self.state.out_of_patience());
            self.record(now, EventBody::OperatorDecision { task, decision });
        }
    }

    /// Compensations that failed and were not done in another way, with the paths of the steps that failed in them.
    #[must_use]
    pub fn not_undone(&self) -> &[(Arc<str>, Failure)] {
        self.state.not_undone()
    }

    /// Gives what was recorded since the last time as one append, and says when nothing goes on.
    pub fn flush(&mut self, out: &mut Vec<Action>) {
        if !self.fresh.is_empty() {
            self.idle = false;
            let batch: Arc<[Event]> = std::mem::take(&mut self.fresh).into();
            if self.bugs.has(Bug::DroppedEvent) && self.last % 16 == 15 {
                let kept: Arc<[Event]> = batch.iter().filter(|event| !is_outcome(&event.body)).cloned().collect();
                out.push(Action::Append(kept));
            } else {
                out.push(Action::Append(Arc::clone(&batch)));
            }
            self.waiting.push_back(batch);
            return;
        }
        let at_rest = self.flights.keys().all(|task| self.stalled.contains_key(task));
        let quiet = self.waiting.is_empty() && at_rest && !self.over() && self.last > 0;
        if quiet && !self.idle && !self.state.is_sending() {
            let blocked = self.blocked();
            let idle = Idle {
                paused: self.state.paused().map(str::to_owned),
                timers: self.state.goes_on_in_time(!blocked.is_empty()),
                blocked,
                waiting: self.state.open_waits().into_iter().chain(self.stalled_runs()).collect(),
                messages: self.state.takes_messages(),
                advancing: self.state.credit() > 0,
            };
            if idle.paused.is_some() || !idle.blocked.is_empty() || !idle.waiting.is_empty() {
                self.idle = true;
                out.push(Action::Idle(idle));
            } else if !idle.timers {
                self.idle = true;
                out.push(Action::Broken("nothing runs, nothing waits, and the run has not ended".into()));
            }
        }
    }

    /// Whether nothing more is to be recorded.
    pub(super) fn over(&self) -> bool {
        self.ended || self.state.outcome().is_some()
    }

    /// Makes an event.
    pub(super) fn record(&mut self, at: Timestamp, body: EventBody) {
        self.last += 1;
        self.fresh.push(Event { seq: self.last, at, body });
    }

    fn outcome(&mut self, task: TaskId, number: u32, outcome: Outcome, now: Timestamp) {
        let Some(attempt) = self.land(task, number) else { return };
        for denial in outcome.denials {
            self.record(now, EventBody::Denied { attempt: attempt.clone(), denial });
        }
        if outcome.result.is_ok() && !outcome.posted.is_empty() {
            self.record(now, EventBody::Posted { attempt: attempt.clone(), messages: outcome.posted.into() });
        }
        let (bill, cache, host) = (outcome.bill, outcome.cache, outcome.host);
        self.record(
            now,
            match outcome.result {
                Ok(value) => EventBody::AttemptSucceeded { attempt, output: Payload::Value(value), bill, cache, host },
                Err(failure) => EventBody::AttemptFailed { attempt, failure, bill, host },
            },
        );
    }

    fn stopped(&mut self, task: TaskId, number: u32, host: Option<Arc<str>>, now: Timestamp) {
        if let Some(attempt) = self.land(task, number) {
            self.record(now, EventBody::AttemptCancelled { attempt, host });
        }
    }

    fn unknown(&mut self, task: TaskId, number: u32, host: Option<Arc<str>>, now: Timestamp) {
        if let Some(attempt) = self.land(task, number) {
            self.record(now, EventBody::OutcomeUnknown { attempt, host });
        }
    }

    fn timer_due(&mut self, timer: TimerId, now: Timestamp, out: &mut Vec<Action>) {
        let Some(at) = self.state.timer(timer) else { return };
        if at > now {
            out.push(Action::SetTimer { timer, at });
        } else if self.fired.insert(timer) {
            self.record(now, EventBody::TimerFired { timer });
        }
    }

    /// Applies what has become durable.
    fn committed(&mut self, through: Seq, now: Timestamp, out: &mut Vec<Action>) {
        while self.applied < through {
            let Some(batch) = self.waiting.front().cloned() else { return };
            for event in batch.iter() {
                if event.seq <= self.applied || event.seq > through {
                    continue;
                }
                if let Err(misfit) = self.apply(event, now, out) {
                    out.push(Action::Broken(misfit));
                    return;
                }
            }
            if batch.last().is_none_or(|event| event.seq <= self.applied) {
                self.waiting.pop_front();
            }
        }
    }

    /// Applies one event and does what follows.
    fn apply(&mut self, event: &Event, now: Timestamp, out: &mut Vec<Action>) -> Result<(), String> {
        self.idle = false;
        let (started, failed) = self.note(event, out);
        self.state.apply(event).map_err(|misfit| format!("event {}: {}", event.seq, misfit.0))?;
        self.applied = event.seq;
        if let Some((progress, task)) = failed {
            let next = self.state.following(task);
            out.push(Action::Progress(match progress {
                Progress::Failed { task, path, failure, .. } => Progress::Failed { task, path, failure, next },
                other => other,
            }));
        }
        if let Some(task) = started {
            self.invoke_started(task, out);
        }
        if let EventBody::RunEnded { outcome } = &event.body {
            self.ended = true;
            out.push(Action::Ended(outcome.clone()));
        }
        for command in self.state.take_commands() {
            self.carry_out(command, now, out);
        }
        if matches!(event.body, EventBody::Paused { .. }) {
            self.withdraw_waiting(now);
        }
        self.begin_effects(now, out);
        Ok(())
    }

    /// What an event means for flights, totals and people: the attempt that may now be invoked, the failure to be told.
    fn note(&mut self, event: &Event, out: &mut Vec<Action>) -> (Option<TaskId>, Option<(Progress, TaskId)>) {
        self.totals.count(&event.body);
        let task_path = |attempt: &Attempt| (attempt.task, Arc::clone(&attempt.path));
        match &event.body {
            EventBody::AttemptStarted { attempt, .. } => return (Some(attempt.task), None),
            EventBody::AttemptSucceeded { attempt, bill, cache, .. } => {
                self.remove_flight(attempt.task);
                let (task, path) = task_path(attempt);
                out.push(Action::Progress(Progress::Succeeded { task, path, bill: *bill, cache: *cache }));
            }
            EventBody::AttemptFailed { attempt, failure, .. } => {
                self.remove_flight(attempt.task);
                let (task, path) = task_path(attempt);
                let failure = failure.clone();
                return (None, Some((Progress::Failed { task, path, failure, next: None }, task)));
            }
            EventBody::AttemptCancelled { attempt, .. } => {
                self.remove_flight(attempt.task);
                let (task, path) = task_path(attempt);
                out.push(Action::Progress(Progress::Cancelled { task, path }));
            }
            // After a crash there is no flight: what is not known then is told with what the run waits for.
            EventBody::OutcomeUnknown { attempt, host } if self.flights.contains_key(&attempt.task) => {
                self.remove_flight(attempt.task);
                let (task, path) = task_path(attempt);
                let name = host.as_ref().map_or_else(String::new, |host| format!(", `{host}`,"));
                let lost = format!("the host that ran `{path}`{name} does not answer: how the attempt ended is not known");
                out.push(Action::Progress(Progress::Note(lost)));
                out.push(Action::Progress(Progress::Cancelled { task, path }));
            }
            EventBody::Denied { attempt, denial } => {
                out.push(Action::Progress(Progress::Denied { path: Arc::clone(&attempt.path), denial: denial.clone() }));
            }
            EventBody::TimerFired { timer } => {
                self.fired.remove(timer);
            }
            EventBody::SignalReceived { id, .. } | EventBody::MessageReceived { id, .. } => self.arrived(id),
            EventBody::MessageSent { attempt } => {
                self.published.remove(&attempt.task);
            }
            EventBody::OperatorDecision { task, .. } => {
                self.decided.remove(task);
            }
            EventBody::Paused { .. } | EventBody::Resumed => self.asked.pause = None,
            EventBody::CancelRequested { .. } => self.asked.cancel = None,
            _ => {}
        }
        (None, None)
    }

    fn carry_out(&mut self, command: Command, now: Timestamp, out: &mut Vec<Action>) {
        match command {
            Command::Start(task, number) => {
                if !self.answer_given(task, now) {
                    self.start(task, number, out);
                }
            }
            Command::Stop(task, number) => self.stop(task, number, now, out),
            Command::Withdraw(task, number) => self.withhold(task, number, now),
            Command::Refused(task, path, failure) => {
                let next = self.state.following(task);
                out.push(Action::Progress(Progress::Failed { task, path, failure, next }));
            }
            Command::SetTimer(timer, at) => out.push(Action::SetTimer { timer, at }),
            Command::ClearTimer(timer) => out.push(Action::ClearTimer { timer }),
            Command::Publish(task) => {
                let message = self.state.emit(task).map(|emit| Box::new(emit.message.clone()));
                out.extend(message.map(|message| Action::Publish { task, message }));
            }
            Command::Hand(task, number, message) => out.push(Action::Hand { task, number, message: message.map(Box::new) }),
            Command::Listen(topic) => out.push(Action::Listen { topic }),
            Command::Unlisten(topic) => out.push(Action::Unlisten { topic }),
            Command::Note(text) => out.push(Action::Progress(Progress::Note(text))),
            Command::Escalate(task) if self.bugs.has(Bug::EscalationUntold) && task.0 % 2 == 0 => {}
            Command::Escalate(task) => self.report(task, now),
            Command::GiveUp(task) => self.give_up(task, now),
            Command::End(outcome) => self.record(now, EventBody::RunEnded { outcome }),
        }
    }
}

fn is_outcome(body: &EventBody) -> bool {
    matches!(body, EventBody::AttemptSucceeded { .. } | EventBody::AttemptFailed { .. })
}

/// The outcome that a run's events end with, if they do.
pub(super) fn end_of(event: &Event) -> Option<&RunOutcome> {
    match &event.body {
        EventBody::RunEnded { outcome } => Some(outcome),
        _ => None,
    }
}

/// A value's JSON, for people.
pub(super) fn json(value: &Value) -> String {
    let mut text = String::new();
    catalog::json::write_json(value, &mut text);
    text
}
