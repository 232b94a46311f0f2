//! Runs a test: the core in virtual time, its steps answered by mocks, nothing outside touched.
//!
//! # Steps
//!
//! 1. [`run`] drives one [`Run`] from its start. What it appends is durable at once, in memory.
//! 2. A step that a mock fits (`mocks`) is answered when its virtual time has come (`agenda`). Any other runs in the
//!    sandbox if it was granted nothing, or mail alone (`desk`), one at a time and in no virtual time; if it was granted anything else, or
//!    asks a role, the test ends. `seen` answers what the test asks about that. Handlers of hooks are steps like others.
//! 3. When nothing else is at hand the clock jumps to what comes next.
//! 4. [`crash_everywhere`] does it again, dies after each write of the journal in turn (`crash`), and compares (`compare`).
//! 5. [`place`] finds the node of a path, for whoever shows the report.
//!
//! The same plan gives the same events, but for the bound on real time.

mod agenda;
mod compare;
mod crash;
mod desk;
mod mocks;
mod place;
mod seen;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{Digest, FailureKind, Value};
use lang::plan::{MockTarget, Plan, SEMANTICS_VERSION, TRIAL, Target};

pub use crash::{CrashOptions, CrashReport, Difference, Outside, crash_everywhere};
pub use place::place;

use crate::core::{Action, Awaited, Capacity, Input, Run, StartAttempt, Waiting};
use crate::event::{Event, EventBody, Failure, RunId, RunOutcome, RunStarted, TaskId};
use crate::ports::{Asking, Callable, Callee, Invocation, Invoker, Message, Outcome};
use crate::shell::EngineConfig;
use agenda::{Agenda, Tick};
use crash::Crash;
use mocks::{Answer, Mocks};
use seen::Seen;

/// How far a test may go.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Outcomes and timers.
    pub events: u64,
    /// Real time.
    pub time: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { events: 1_000_000, time: Duration::from_secs(60) }
    }
}

/// What became of a test.
#[derive(Clone, Debug)]
pub struct TrialReport {
    /// How it ended.
    pub end: TrialEnd,
    /// Everything that happened, timed from 0.
    pub events: Vec<Event>,
    /// Who answered each attempt that began.
    pub answered: BTreeMap<(TaskId, u32), AnsweredBy>,
    /// How much virtual time passed.
    pub passed: Duration,
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq)]
pub enum TrialEnd {
    /// Every `assert` held.
    Passed,
    /// An `assert` did not hold, or something else failed that nothing caught.
    Failed {
        /// Why.
        failure: Failure,
        /// The path of the node that it came from.
        path: Arc<str>,
    },
    /// A step that is granted something, or asks a role, has no mock that fits, and does not run for real.
    Unmocked {
        /// Its path.
        path: Arc<str>,
        /// What it calls.
        target: Target,
        /// With what.
        args: Vec<Value>,
    },
    /// A `run plan` has no mock that fits.
    UnmockedPlan {
        /// Its path.
        path: Arc<str>,
    },
    /// The answer of a mock cannot be computed.
    Mock {
        /// Its index in [`Plan::mocks`].
        mock: usize,
        /// Why.
        failure: Failure,
    },
    /// Nothing goes on, and what the flow waits for never comes.
    Waits(Vec<Waiting>),
    /// More outcomes and timers than the bound.
    TooLong,
    /// More real time than the bound.
    TimedOut {
        /// The path of the step that was running in the sandbox.
        running: Option<Arc<str>>,
    },
    /// A mistake of the engine's own.
    Broken(String),
}

/// Who answered an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnsweredBy {
    /// The sandbox.
    Sandbox,
    /// A mock, by its index in [`Plan::mocks`].
    Mock(usize),
    /// The test itself: `calls`, `emitted`.
    Test,
}

/// Runs the test that a plan starts. Real steps go to `invoker`, with the limits of `config`.
pub async fn run(plan: Arc<Plan>, invoker: &dyn Invoker, config: &EngineConfig, bounds: Bounds) -> TrialReport {
    let mut trial = Trial::new(plan, config);
    trial.start();
    trial.drive(invoker, bounds).await;
    trial.report()
}

impl Trial<'_> {
    /// Goes on until the test ends, or its process dies.
    async fn drive(&mut self, invoker: &dyn Invoker, bounds: Bounds) {
        let begun = Instant::now();
        let mut ticks = 0;
        while self.end.is_none() && !self.crashed() {
            let left = bounds.time.saturating_sub(begun.elapsed());
            if left.is_zero() {
                self.end = Some(TrialEnd::TimedOut { running: None });
            } else if ticks >= bounds.events {
                self.end = Some(TrialEnd::TooLong);
            } else {
                self.go_on(invoker, left).await;
                ticks += 1;
            }
        }
    }
}

struct Trial<'c> {
    plan: Arc<Plan>,
    config: &'c EngineConfig,
    run: Run,
    agenda: Agenda,
    mocks: Mocks,
    /// Attempts that run for real, in the order in which they were asked for.
    real: VecDeque<Box<StartAttempt>>,
    /// Attempts of steps that are not pure.
    effects: BTreeSet<(TaskId, u32)>,
    seen: Seen,
    events: Vec<Event>,
    answered: BTreeMap<(TaskId, u32), AnsweredBy>,
    actions: Vec<Action>,
    /// Open waits for which a mock was looked for.
    seen_waits: BTreeSet<Arc<str>>,
    /// What the flow waits for when nothing else goes on.
    waiting: Vec<Waiting>,
    end: Option<TrialEnd>,
    /// Messages that were sent, by their ids.
    sent: BTreeMap<Arc<str>, Message>,
    /// The message that a component has taken last.
    handed: Option<Box<Message>>,
    crash: Crash,
}

impl<'c> Trial<'c> {
    fn new(plan: Arc<Plan>, config: &'c EngineConfig) -> Self {
        let run = Run::new(Arc::clone(&plan), RunId("test".into()), "test".into());
        let mut trial = Self {
            mocks: Mocks::of(&plan),
            plan,
            config,
            run,
            agenda: Agenda::default(),
            real: VecDeque::new(),
            effects: BTreeSet::new(),
            seen: Seen::default(),
            events: Vec::new(),
            answered: BTreeMap::new(),
            actions: Vec::new(),
            seen_waits: BTreeSet::new(),
            waiting: Vec::new(),
            end: None,
            sent: BTreeMap::new(),
            handed: None,
            crash: Crash::default(),
        };
        trial.bound_capacity();
        trial
    }

    /// So many attempts are begun at once as the plan says.
    fn bound_capacity(&mut self) {
        let declared = self.plan.classes.iter().filter_map(|class| Some((Arc::clone(&class.name), class.parallel?)));
        self.run.set_capacity(Capacity { total: None, classes: declared.collect() });
    }

    fn report(self) -> TrialReport {
        let end = self.end.unwrap_or(TrialEnd::Passed);
        let passed = Duration::from_millis(self.agenda.now().0);
        TrialReport { end, events: self.events, answered: self.answered, passed }
    }

    fn start(&mut self) {
        let flow = self.plan.flows.get(self.plan.entry).map_or_else(String::new, |flow| flow.name.to_string());
        // What is permitted is only told to mocks: of what is granted anything, only what has mail and nothing else runs.
        let mail = ["mail_send >", "mail_ask *", "mail_receive >"];
        let permitted = ["http *", "env *", "read_write /"].into_iter().chain(mail).map(str::to_owned).collect();
        self.input(Input::Start(Box::new(RunStarted {
            flow,
            plan: TRIAL,
            program: Digest([0; 32]),
            input: Vec::new(),
            labels: Vec::new(),
            semantics: SEMANTICS_VERSION,
            permitted,
            recovery: None,
            host: "test".into(),
            origin: None,
            within: None,
            trace: None,
        })));
    }

    /// Gives the core an input and does all that it asks for.
    fn input(&mut self, input: Input) {
        self.run.handle(input, self.agenda.now(), &mut self.actions);
        self.perform();
    }

    /// Does all that the core asks for.
    fn perform(&mut self) {
        loop {
            self.run.flush(&mut self.actions);
            if self.crashed() {
                return;
            }
            if self.actions.is_empty() || self.end.is_some() {
                return self.plan_mail();
            }
            for action in std::mem::take(&mut self.actions) {
                if !self.crashed() {
                    self.act(action);
                }
            }
        }
    }

    /// Lets senders answer the waits that have opened, and forgets what came too late.
    fn plan_mail(&mut self) {
        if !self.mocks.have_senders {
            return;
        }
        let open: BTreeMap<Arc<str>, Awaited> = self.run.waits().into_iter().map(|wait| (wait.path, wait.what)).collect();
        self.agenda.keep_mail(|wait| open.contains_key(wait));
        self.seen_waits.retain(|wait| open.contains_key(wait));
        for (wait, awaited) in open {
            if !self.seen_waits.insert(Arc::clone(&wait)) {
                continue;
            }
            match self.mocks.sent(&self.plan, &awaited) {
                None => {}
                Some(Ok((takes, mail))) => self.agenda.plan_mail(wait, takes, mail),
                Some(Err((mock, failure))) => return self.finish(TrialEnd::Mock { mock, failure }),
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Append(events) => self.append(&events),
            Action::Invoke(start) => self.invoke(*start),
            // Runs of a test share nothing, so they ask for nothing.
            Action::Admit(start) => {
                let StartAttempt { task, number, .. } = *start;
                self.run.handle(Input::Admitted { task, number }, self.agenda.now(), &mut self.actions);
            }
            Action::Stop { task, number } => self.stop(task, number),
            Action::SetTimer { timer, at } => self.agenda.set_timer(timer, at),
            Action::ClearTimer { timer } => self.agenda.clear_timer(timer),
            // A message goes nowhere but into what the test can ask for.
            Action::Publish { task, message } => {
                // After a crash it may be sent again, which receivers take for the same.
                if !self.sent.contains_key(&message.id) {
                    self.seen.message(&message);
                }
                self.sent.insert(Arc::clone(&message.id), *message);
                self.run.handle(Input::Published(task), self.agenda.now(), &mut self.actions);
            }
            Action::Hand { message, .. } => self.handed = message,
            Action::Idle(idle) => self.waiting = idle.waiting,
            Action::Progress(_) | Action::Listen { .. } | Action::Unlisten { .. } => {}
            Action::Ended(outcome) => self.finish(match outcome {
                RunOutcome::Succeeded(_) => TrialEnd::Passed,
                RunOutcome::Failed { failure, path } => TrialEnd::Failed { failure, path },
                RunOutcome::Cancelled => TrialEnd::Broken("the test was cancelled".to_owned()),
            }),
            Action::Broken(what) => self.finish(TrialEnd::Broken(what)),
        }
    }

    /// The first end is the one that counts.
    fn finish(&mut self, end: TrialEnd) {
        self.end.get_or_insert(end);
    }

    fn append(&mut self, events: &[Event]) {
        if self.dies_before() {
            return;
        }
        for event in events {
            if let EventBody::AttemptStarted { attempt, .. } = &event.body {
                self.effects.insert((attempt.task, attempt.number));
            }
        }
        self.events.extend_from_slice(events);
        if self.dies(events) {
            return;
        }
        if let Some(last) = events.last() {
            self.run.handle(Input::Committed { through: last.seq }, self.agenda.now(), &mut self.actions);
        }
    }

    fn invoke(&mut self, start: StartAttempt) {
        let attempt = (start.task, start.number);
        let Some(start) = self.invoke_again(start) else { return };
        if let Callable::Function(callee) = &start.target
            && callee.component == TRIAL
        {
            let Some(answer) = self.seen.answer(&callee.wit_name, &start.args) else {
                return self.finish(TrialEnd::Broken(format!("a test cannot answer `{}`", start.path)));
            };
            self.answered.insert(attempt, AnsweredBy::Test);
            return self.agenda.plan_outcome(attempt, 0, Outcome::new(Ok(answer)));
        }
        if matches!(start.target, Callable::Plan(_)) {
            return self.invoke_plan(&start);
        }
        let Some(target) = self.mocks.target(&start.target) else {
            return self.finish(TrialEnd::Broken(format!("the plan has nothing to call for `{}`", start.path)));
        };
        self.count_call(attempt, target);
        let args = mocks::received(&self.plan, target, &start.args);
        match self.mocks.answer(&self.plan, &MockTarget::Step(target), &args) {
            Some(answer) => self.answer(&start, answer),
            None if (self.effects.contains(&attempt) && !desk::has_only_mail(&start.grants))
                || matches!(target, Target::Role(_)) =>
            {
                self.finish(TrialEnd::Unmocked { path: start.path, target, args: start.args });
            }
            None => {
                self.answered.insert(attempt, AnsweredBy::Sandbox);
                self.real.push_back(Box::new(start));
            }
        }
    }

    /// A plan is not run in a test: a mock says what comes of it.
    fn invoke_plan(&mut self, start: &StartAttempt) {
        let text = start.args.get(..1).unwrap_or(&[]);
        match self.mocks.answer(&self.plan, &MockTarget::Plan, text) {
            Some(answer) => self.answer(start, answer),
            None => self.finish(TrialEnd::UnmockedPlan { path: Arc::clone(&start.path) }),
        }
    }

    /// What a mock answers comes when its time has come.
    fn answer(&mut self, start: &StartAttempt, answer: Result<Answer, (usize, Failure)>) {
        let attempt = (start.task, start.number);
        match answer {
            Ok(Answer { mock, takes, result }) => {
                self.answered.insert(attempt, AnsweredBy::Mock(mock));
                let (takes, result) = within(start.wishes.timeout, takes, result);
                self.agenda.plan_outcome(attempt, takes, Outcome::new(result));
            }
            Err((mock, failure)) => self.finish(TrialEnd::Mock { mock, failure }),
        }
    }

    fn invocation(&self, function: Arc<Callee>, start: StartAttempt, asking: Option<Arc<dyn Asking>>) -> Invocation {
        Invocation {
            limits: self.config.limits_of(start.wishes, start.class.as_ref()),
            function,
            args: start.args,
            grants: start.grants,
            idempotency_key: start.idempotency_key,
            number: start.number,
            previous_failure: start.previous_failure,
            asking,
        }
    }

    fn stop(&mut self, task: TaskId, number: u32) {
        self.agenda.withdraw((task, number));
        self.landed((task, number), true);
        self.real.retain(|start| (start.task, start.number) != (task, number));
        self.run.handle(Input::Stopped { task, number, host: None }, self.agenda.now(), &mut self.actions);
    }

    /// Lets the next thing happen: a real step ends, or else the clock jumps to what is planned.
    async fn go_on(&mut self, invoker: &dyn Invoker, left: Duration) {
        if let Some(start) = self.real.pop_front() {
            let (task, number, path) = (start.task, start.number, Arc::clone(&start.path));
            let Callable::Function(function) = start.target.clone() else { return };
            let (desk, mut questions) = desk::open();
            let desk = desk::has_only_mail(&start.grants).then_some(desk);
            let ending = tokio::time::timeout(left, invoker.invoke(self.invocation(function, *start, desk)));
            let mut ending = std::pin::pin!(ending);
            let ended = loop {
                tokio::select! {
                    biased;
                    ended = &mut ending => break ended,
                    Some(asked) = questions.recv() => self.serve(asked, &path, (task, number)),
                }
            };
            match ended {
                Ok(outcome) => self.ended((task, number), Box::new(outcome)),
                Err(_) => self.finish(TrialEnd::TimedOut { running: Some(path) }),
            }
            return;
        }
        match self.agenda.next() {
            Some(Tick::Ends(attempt, outcome)) => self.ended(attempt, outcome),
            Some(Tick::Decide(task, decision)) => self.decided(task, decision),
            Some(Tick::Timer(timer)) => self.input(Input::TimerDue(timer)),
            Some(Tick::Mail(wait, mail)) => self.came(wait, mail),
            None => {
                let waiting = std::mem::take(&mut self.waiting);
                self.finish(TrialEnd::Waits(waiting));
            }
        }
    }
}

/// What comes of an answer under the step's timeout, and when; in nanoseconds.
fn within(timeout: Option<u64>, takes: u64, result: Result<Value, Failure>) -> (u64, Result<Value, Failure>) {
    match timeout {
        Some(timeout) if takes > timeout => {
            let message = format!("the component ran longer than {:?}", Duration::from_nanos(timeout));
            (timeout, Err(Failure { kind: FailureKind::Timeout, message, details: None, retry_after: None }))
        }
        _ => (takes, result),
    }
}
