//! Drives a core by hand: what it asks for is kept as text, what happens is said by the test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::{Digest, FailureKind, Value};
use engine::core::{Action, Input, Lineage, Run, StartAttempt, render_action, render_event};
use engine::event::{Event, Payload, Posting, RunId, RunStarted, TaskId, TimerId, Timestamp};
use engine::ports::Outcome;
use lang::plan::{Plan, SEMANTICS_VERSION};
use testkit::fake::{failure, outcome};

/// A run, its journal, and what is in flight.
pub(crate) struct Script {
    pub(crate) plan: Arc<Plan>,
    pub(crate) run: Run,
    pub(crate) now: u64,
    pub(crate) journal: Vec<Event>,
    pub(crate) in_flight: BTreeMap<String, StartAttempt>,
    /// Batches that are appended and not committed; only used when `holds`.
    pub(crate) held: Vec<Arc<[Event]>>,
    pub(crate) holds: bool,
    pub(crate) lines: Vec<String>,
    timers: BTreeSet<(u64, TimerId)>,
    actions: Vec<Action>,
}

pub(crate) fn id() -> RunId {
    RunId("run".into())
}

pub(crate) fn started(plan: &Plan, input: &[u64], permitted: &[&str]) -> RunStarted {
    let flow = &plan.flows[plan.entry];
    let input = flow.params.iter().zip(input).map(|(param, n)| (param.name.to_string(), Payload::Value(Value::U64(*n))));
    RunStarted {
        flow: flow.name.to_string(),
        plan: Digest([0; 32]),
        program: Digest([0; 32]),
        input: input.collect(),
        labels: Vec::new(),
        semantics: SEMANTICS_VERSION,
        permitted: permitted.iter().map(|text| (*text).to_owned()).collect(),
        recovery: None,
        host: "here".into(),
        origin: None,
        within: None,
        trace: None,
    }
}

impl Script {
    /// Starts a run.
    pub(crate) fn start(plan: Plan, input: &[u64], permitted: &[&str]) -> Self {
        Self::start_with(plan, input, permitted, |_| {})
    }

    /// Starts a run with what is changed of its start.
    pub(crate) fn start_as(plan: Plan, input: &[u64], permitted: &[&str], change: impl FnOnce(&mut RunStarted)) -> Self {
        let plan = Arc::new(plan);
        let mut started = started(&plan, input, permitted);
        change(&mut started);
        let run = Run::new(Arc::clone(&plan), id(), "here".into());
        let mut script = Self::of(plan, run, Vec::new());
        script.input(Input::Start(Box::new(started)));
        script
    }

    /// Starts a run that is changed first.
    pub(crate) fn start_with(plan: Plan, input: &[u64], permitted: &[&str], change: impl FnOnce(&mut Run)) -> Self {
        let plan = Arc::new(plan);
        let started = started(&plan, input, permitted);
        let mut run = Run::new(Arc::clone(&plan), id(), "here".into());
        change(&mut run);
        let mut script = Self::of(plan, run, Vec::new());
        script.input(Input::Start(Box::new(started)));
        script
    }

    /// Starts a run with exactly this.
    pub(crate) fn begin(plan: Arc<Plan>, started: RunStarted) -> Self {
        let run = Run::new(Arc::clone(&plan), id(), "here".into());
        let mut script = Self::of(plan, run, Vec::new());
        script.input(Input::Start(Box::new(started)));
        script
    }

    /// Goes on from this journal.
    pub(crate) fn recover(plans: impl Into<Lineage>, journal: Vec<Event>) -> Self {
        let plans = plans.into();
        let run = Run::replay_lineage(&plans, id(), "there".into(), &journal).unwrap();
        let mut script = Self::of(Arc::clone(plans.current()), run, journal);
        script.now = 1_000_000;
        script.run.recover(Timestamp(script.now), &mut script.actions);
        script.perform();
        script
    }

    fn of(plan: Arc<Plan>, run: Run, journal: Vec<Event>) -> Self {
        let (in_flight, held) = (BTreeMap::new(), Vec::new());
        Self {
            plan,
            run,
            now: 0,
            journal,
            in_flight,
            held,
            holds: false,
            lines: Vec::new(),
            timers: BTreeSet::new(),
            actions: Vec::new(),
        }
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.run.handle(input, Timestamp(self.now), &mut self.actions);
        self.perform();
    }

    fn perform(&mut self) {
        loop {
            self.run.flush(&mut self.actions);
            if self.actions.is_empty() {
                return;
            }
            for action in std::mem::take(&mut self.actions) {
                if !matches!(action, Action::Progress(_) | Action::Append(_)) {
                    self.lines.push(render_action(&action));
                }
                match action {
                    Action::Append(batch) if self.holds => self.held.push(batch),
                    Action::Append(batch) => self.commit(&batch),
                    Action::Invoke(start) => {
                        self.in_flight.insert(start.path.to_string(), *start);
                    }
                    Action::SetTimer { timer, at } => {
                        self.timers.insert((at.0, timer));
                    }
                    Action::ClearTimer { timer } => self.timers.retain(|(_, set)| *set != timer),
                    _ => {}
                }
            }
        }
    }

    fn commit(&mut self, batch: &[Event]) {
        self.journal.extend_from_slice(batch);
        self.lines.extend(batch.iter().map(render_event));
        let through = batch.last().unwrap().seq;
        self.run.handle(Input::Committed { through }, Timestamp(self.now), &mut self.actions);
    }

    /// Commits what is held.
    pub(crate) fn commit_held(&mut self) {
        for batch in std::mem::take(&mut self.held) {
            self.commit(&batch);
        }
        self.perform();
    }

    fn take(&mut self, path: &str) -> (TaskId, u32) {
        let known: Vec<_> = self.in_flight.keys().cloned().collect();
        let start = self.in_flight.remove(path).unwrap_or_else(|| panic!("`{path}` does not run, but {known:?}"));
        (start.task, start.number)
    }

    /// An attempt gives a number.
    pub(crate) fn gives(&mut self, path: &str, value: u64) {
        self.gives_value(path, Value::U64(value));
    }

    /// An attempt gives a value.
    pub(crate) fn gives_value(&mut self, path: &str, value: Value) {
        let (task, number) = self.take(path);
        self.input(Input::Outcome { task, number, outcome: Box::new(outcome(Ok(value))) });
    }

    /// An attempt gives a number, and has sent messages.
    pub(crate) fn gives_and_posts(&mut self, path: &str, value: u64, messages: &[(&str, &str)]) {
        let (task, number) = self.take(path);
        let posted = messages.iter().map(|(topic, payload)| Posting { topic: (*topic).into(), payload: (*payload).into() });
        let outcome = Outcome { posted: posted.collect(), ..outcome(Ok(Value::U64(value))) };
        self.input(Input::Outcome { task, number, outcome: Box::new(outcome) });
    }

    /// An attempt fails.
    pub(crate) fn fails(&mut self, path: &str) {
        let (task, number) = self.take(path);
        let outcome = outcome(Err(failure(FailureKind::Network, "no route")));
        self.input(Input::Outcome { task, number, outcome: Box::new(outcome) });
    }

    /// An attempt fails with this kind; of a resource, which limit was used up.
    pub(crate) fn fails_with(&mut self, path: &str, kind: FailureKind, limit: Option<&str>) {
        let (task, number) = self.take(path);
        let details = limit.map(|limit| Arc::new(serde_json::json!({ "limit": limit })));
        let outcome = outcome(Err(engine::event::Failure { details, ..failure(kind, "no route") }));
        self.input(Input::Outcome { task, number, outcome: Box::new(outcome) });
    }

    /// The timer that is due next, as the actions have set it.
    pub(crate) fn next_timer(&self) -> Option<(u64, TimerId)> {
        self.timers.first().copied()
    }

    /// Its time comes.
    pub(crate) fn fire_timer(&mut self) {
        let (at, timer) = self.next_timer().expect("no timer is set");
        self.now = self.now.max(at);
        self.timers.remove(&(at, timer));
        self.input(Input::TimerDue(timer));
    }

    /// An attempt has stopped.
    pub(crate) fn stops(&mut self, path: &str) {
        let (task, number) = self.take(path);
        self.input(Input::Stopped { task, number, host: None });
    }

    /// Every attempt gives the sum of its arguments and one, until nothing runs.
    pub(crate) fn run_all(&mut self) {
        while let Some(path) = self.in_flight.keys().next().cloned() {
            let sum: u64 = self.in_flight[&path].args.iter().map(total).sum();
            self.gives(&path, sum + 1);
        }
    }

    /// The same until a step with this path runs.
    pub(crate) fn run_all_until(&mut self, path: &str) {
        while !self.in_flight.contains_key(path) {
            let next = self.in_flight.keys().next().cloned().unwrap();
            let sum: u64 = self.in_flight[&next].args.iter().map(total).sum();
            self.gives(&next, sum + 1);
        }
    }

    /// Paths of what runs.
    pub(crate) fn running(&self) -> Vec<&str> {
        self.in_flight.keys().map(String::as_str).collect()
    }

    /// What happened since the last time.
    pub(crate) fn take_lines(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lines)
    }

    /// Asserts what happened since the last time.
    #[track_caller]
    pub(crate) fn check(&mut self, expected: &[&str]) {
        let lines = self.take_lines();
        assert_eq!(lines, expected, "\nfound:\n{}\n", lines.join("\n"));
    }
}

fn total(value: &Value) -> u64 {
    match value {
        Value::U64(n) => *n,
        Value::List(items) => items.iter().map(total).sum(),
        _ => 0,
    }
}
