//! One process that owns the run until it crashes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use catalog::{Digest, Value};
use engine::core::{Action, Admission, Capacity, Input, Progress, Run, StartAttempt};
use engine::event::{Event, Payload, RunId, RunStarted, TaskId, TimerId, Timestamp};
use engine::ports::{Callable, Control, Mail, Order, Outcome};
use lang::plan::SEMANTICS_VERSION;

use super::outside::Outside;
use super::rules;
use super::steps::{Behaviour, behave, is_handler};
use crate::fake::EagerVault;

/// A run of more events than this does not come to an end.
const MOST_EVENTS: usize = 30_000;

/// Why a machine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    Ended,
    Crashed,
}

/// Something that is going to happen.
pub(super) enum Tick {
    Begin,
    Ends(TaskId, u32, Box<Outcome>),
    Stopped(TaskId, u32),
    /// What an attempt needs before it begins is there.
    Admitted(TaskId, u32),
    /// What was appended reaches the disk.
    Durable,
    /// The process hears of it.
    Told(u64),
    Timer(TimerId),
    /// The n-th letter on this address comes, and with it the way for the next is free.
    Letter(usize, usize),
    /// One that has come comes again.
    Again(usize, usize),
    /// The bus answers.
    Published(TaskId),
    Pause,
    Resume,
    Cancel,
    /// An operator wants something.
    Order(Order),
    /// The same in a letter that was given before.
    Control(Control),
    /// An operator changes something that has not begun.
    Change,
    /// A human who has heard of an escalation decides.
    Look,
    /// The run of a plan waits for somebody, or goes on again.
    Stalls(TaskId, u32, bool),
}

/// The process.
pub(super) struct Machine {
    pub(super) run: Run,
    pub(super) random: fastrand::Rng,
    pub(super) now: u64,
    ticks: u64,
    pub(super) queue: BTreeMap<(u64, u64), Tick>,
    order: u64,
    /// Attempts that wait for what they need before they begin.
    asked: BTreeSet<(TaskId, u32)>,
    in_flight: BTreeMap<(TaskId, u32), Arc<str>>,
    appended: VecDeque<Arc<[Event]>>,
    writing: bool,
    ended: bool,
    /// So many letters were written.
    pub(super) letters: u64,
    pub(super) actions: Vec<Action>,
}

impl Machine {
    /// A process that starts the run, or takes it over.
    pub(super) fn begin(outside: &mut Outside, random: fastrand::Rng) -> Result<Self, String> {
        let id = RunId("simulated".into());
        let host: Arc<str> = "machine".into();
        outside.forget_asked();
        let (lineage, fresh) = (&outside.versions.lineage, outside.durable.is_empty());
        let mut run = if fresh {
            Run::new(outside.versions.plan(), id, host)
        } else {
            Run::replay_lineage(lineage, id, host, &outside.durable).map_err(|error| error.to_string())?
        };
        if let Some(bug) = outside.bug {
            run.plant(bug);
        }
        // What is put away there is compared with a replay that puts nothing away.
        run.hold_in(Arc::new(EagerVault));
        let mut random = random;
        let total = if random.bool() { Some(random.u32(1..6)) } else { None };
        run.set_capacity(Capacity { total, ..Capacity::default() });
        if total.is_some_and(|total| total % 2 == 1) {
            run.set_admission(Admission::All);
        }
        let now = outside.durable.last().map_or(1, |event| event.at.0 + 5);
        let mut machine = Self {
            run,
            random,
            now,
            ticks: 0,
            queue: BTreeMap::new(),
            order: 0,
            asked: BTreeSet::new(),
            in_flight: BTreeMap::new(),
            appended: VecDeque::new(),
            writing: false,
            ended: false,
            letters: 0,
            actions: Vec::new(),
        };
        if fresh {
            machine.at(0, Tick::Begin);
        } else {
            machine.run.recover(Timestamp(now), &mut machine.actions);
            if machine.run.is_paused() {
                machine.at(3, Tick::Resume);
            }
        }
        machine.expect_mail(outside);
        Ok(machine)
    }

    /// How much has happened.
    pub(super) const fn ticks(&self) -> u64 {
        self.ticks
    }

    /// Plans pauses and a cancellation.
    pub(super) fn disturb(&mut self, random: &mut fastrand::Rng, ticks: u64, cancels: bool) {
        if random.u32(..4) == 0 {
            self.at(random.u64(1..=ticks.max(2)), Tick::Pause);
        }
        if cancels {
            self.at(random.u64(1..=ticks.max(2)), Tick::Cancel);
        }
    }

    /// What is in the inbox comes in its order; what has come may come again.
    fn expect_mail(&mut self, outside: &Outside) {
        for address in 0..outside.inboxes.len() {
            let next = outside.arrived(address);
            let delay = self.random.u64(..600);
            self.at(delay, Tick::Letter(address, next));
            for before in 0..next {
                if self.random.u32(..3) == 0 {
                    let delay = self.random.u64(..300);
                    self.at(delay, Tick::Again(address, before));
                }
            }
        }
    }

    fn letter(&mut self, address: usize, number: usize, again: bool, outside: &Outside) -> Option<Mail> {
        let mail = outside.letter(address, number)?;
        if !again {
            let delay = self.random.u64(1..200);
            self.at(delay, Tick::Letter(address, number + 1));
        }
        if self.random.u32(..3) == 0 {
            let delay = self.random.u64(..100);
            self.at(delay, Tick::Again(address, number));
        }
        Some(mail)
    }

    pub(super) fn at(&mut self, delay: u64, tick: Tick) {
        self.order += 1;
        self.queue.insert((self.now + delay, self.order), tick);
    }

    /// Runs until the end, or until so much has happened.
    pub(super) fn run(&mut self, outside: &mut Outside, until: u64) -> Result<Stop, String> {
        loop {
            self.carry_out(outside)?;
            if self.ended {
                return if self.in_flight.is_empty() {
                    Ok(Stop::Ended)
                } else {
                    Err("the run ended while attempts ran".to_owned())
                };
            }
            if self.ticks >= until {
                return Ok(Stop::Crashed);
            }
            if outside.durable.len() > MOST_EVENTS {
                return Err("the run does not come to an end".to_owned());
            }
            let Some(((now, _), tick)) = self.queue.pop_first() else {
                return Err(format!("nothing happens any more, {} attempts are in flight", self.in_flight.len()));
            };
            self.now = now;
            self.ticks += 1;
            self.happen(tick, outside)?;
            // Inputs at hand are handled before the next append, as in the shell.
            while self.random.bool()
                && let Some(next) = self.queue.first_entry().filter(|next| next.key().0 == now)
            {
                let tick = next.remove();
                self.ticks += 1;
                self.happen(tick, outside)?;
            }
            outside.most_open = outside.most_open.max(self.run.open_regions());
        }
    }

    fn happen(&mut self, tick: Tick, outside: &mut Outside) -> Result<(), String> {
        let input = match tick {
            Tick::Begin => Input::Start(Box::new(started(outside))),
            Tick::Ends(task, number, outcome) => {
                if self.in_flight.remove(&(task, number)).is_none() {
                    return Ok(());
                }
                Input::Outcome { task, number, outcome }
            }
            Tick::Admitted(task, number) => {
                if !self.asked.remove(&(task, number)) {
                    return Ok(());
                }
                Input::Admitted { task, number }
            }
            Tick::Stopped(task, number) => {
                if !self.asked.remove(&(task, number)) && self.in_flight.remove(&(task, number)).is_none() {
                    return Ok(());
                }
                Input::Stopped { task, number, host: None }
            }
            Tick::Durable => return self.write(outside),
            Tick::Told(through) => Input::Committed { through },
            Tick::Timer(timer) => Input::TimerDue(timer),
            Tick::Letter(address, number) => match self.letter(address, number, false, outside) {
                Some(mail) => Input::Mail(mail),
                None => return Ok(()),
            },
            Tick::Again(address, number) => match self.letter(address, number, true, outside) {
                Some(mail) => Input::Mail(mail),
                None => return Ok(()),
            },
            Tick::Published(task) => Input::Published(task),
            Tick::Pause => {
                let delay = self.random.u64(20..200);
                self.at(delay, Tick::Resume);
                if self.random.bool() {
                    let steps = self.random.u32(1..4);
                    self.at(delay / 2, Tick::Order(Order::Advance { steps }));
                }
                Input::Pause { reason: "a break".to_owned() }
            }
            Tick::Resume => Input::Resume,
            // What hangs does not end by itself.
            Tick::Cancel if self.random.bool() => {
                let delay = self.random.u64(..100);
                let reason = || "enough".to_owned();
                self.at(delay, Tick::Order(Order::Cancel { reason: reason(), gently: false }));
                let control = self.control(Order::Cancel { reason: reason(), gently: true });
                self.letter_of(control, outside)
            }
            Tick::Cancel => Input::Cancel { reason: "enough".to_owned() },
            Tick::Order(order) => {
                let control = self.control(order);
                self.letter_of(control, outside)
            }
            Tick::Control(control) => self.letter_of(control, outside),
            Tick::Change => match self.change(outside) {
                Some(control) => self.letter_of(control, outside),
                None => return Ok(()),
            },
            Tick::Look => match self.look(outside) {
                Some(control) => self.letter_of(control, outside),
                None => return Ok(()),
            },
            Tick::Stalls(task, number, stalls) => {
                let what = stalls.then(|| "somebody".into());
                outside.features.note("stalled plan");
                Input::Stalled { task, number, what }
            }
        };
        self.run.handle(input, Timestamp(self.now), &mut self.actions);
        Ok(())
    }

    /// One or all of the appended batches reach the disk.
    fn write(&mut self, outside: &mut Outside) -> Result<(), String> {
        let count = if self.random.bool() { self.appended.len() } else { 1 };
        let batches: Vec<_> = self.appended.drain(..count.min(self.appended.len())).collect();
        for batch in batches {
            outside.store(&batch)?;
        }
        let through = outside.durable.len() as u64;
        let delay = self.random.u64(..3);
        self.at(delay, Tick::Told(through));
        self.writing = !self.appended.is_empty();
        if self.writing {
            let delay = self.random.u64(1..4);
            self.at(delay, Tick::Durable);
        }
        Ok(())
    }

    fn carry_out(&mut self, outside: &mut Outside) -> Result<(), String> {
        loop {
            self.run.flush(&mut self.actions);
            let actions = std::mem::take(&mut self.actions);
            if actions.is_empty() {
                return Ok(());
            }
            for action in actions {
                self.act(action, outside)?;
            }
            if self.run.applied() > outside.durable.len() as u64 {
                return Err("an event was used before it was durable".to_owned());
            }
        }
    }

    fn act(&mut self, action: Action, outside: &mut Outside) -> Result<(), String> {
        match action {
            Action::Append(batch) => {
                self.appended.push_back(batch);
                if !std::mem::replace(&mut self.writing, true) {
                    let delay = self.random.u64(1..4);
                    self.at(delay, Tick::Durable);
                }
            }
            Action::Invoke(start) => self.invoke(&start, outside)?,
            Action::Admit(start) => {
                self.asked.insert((start.task, start.number));
                let delay = self.random.u64(..40);
                self.at(delay, Tick::Admitted(start.task, start.number));
            }
            Action::Stop { task, number } => {
                let delay = self.random.u64(..10);
                self.at(delay, Tick::Stopped(task, number));
            }
            Action::SetTimer { timer, at } => {
                let delay = at.0.saturating_sub(self.now);
                self.at(delay, Tick::Timer(timer));
            }
            Action::Publish { task, message } => {
                if let Some(address) = outside.publish(&message)? {
                    let delay = self.random.u64(1..50);
                    self.at(delay, Tick::Letter(address, 0));
                }
                let delay = self.random.u64(1..20);
                self.at(delay, Tick::Published(task));
            }
            Action::Idle(idle) => self.decide(idle, outside)?,
            Action::Ended(_) => self.ended = true,
            Action::Broken(message) => return Err(message),
            // All that is sent fits; only escalations are told.
            Action::Progress(Progress::Note(text)) if text.contains("is escalated") => {
                let delay = self.random.u64(..200);
                self.at(delay, Tick::Look);
            }
            Action::Progress(Progress::Note(text)) => return Err(text),
            // All topics of the simulation are literal ones.
            Action::Progress(_)
            | Action::ClearTimer { .. }
            | Action::Listen { .. }
            | Action::Unlisten { .. }
            | Action::Hand { .. } => {}
        }
        Ok(())
    }

    fn invoke(&mut self, start: &StartAttempt, outside: &mut Outside) -> Result<(), String> {
        let key = (start.task, start.number);
        if self.in_flight.insert(key, Arc::clone(&start.path)).is_some() {
            return Err(format!("`{}` was started twice", start.path));
        }
        self.check_stopped(&start.path, outside)?;
        rules::key_is_free(self.in_flight.values(), &start.path)?;
        outside.limits.begin(&start.path, start.number, self.now)?;
        let (pure_step, repeatable) = kind_of(&start.path);
        outside.begin(start, repeatable, pure_step, self.now)?;
        let by_component = matches!(start.target, Callable::Function(_));
        if by_component && pure_step != start.grants.is_empty() && !start.path.contains("denied") {
            return Err(format!("`{}` has the wrong grants: {:?}", start.path, start.grants));
        }
        if start.child.is_some() && self.random.u32(..3) == 0 {
            self.at(1, Tick::Stalls(start.task, start.number, true));
            self.at(4, Tick::Stalls(start.task, start.number, false));
        }
        let failures = outside.failures(&start.path);
        match behave(outside.seed, &start.path, start.target.name(), &start.args, failures) {
            Behaviour::Ends(outcome) => {
                let delay = self.random.u64(1..40);
                self.at(delay, Tick::Ends(start.task, start.number, outcome));
            }
            Behaviour::Hangs => {}
        }
        Ok(())
    }

    /// When a failure is handled or a race is over, nothing of what failed or lost runs any more, and all is undone.
    fn check_stopped(&self, path: &str, outside: &Outside) -> Result<(), String> {
        let handled = path.match_indices(".catch").map(|(at, _)| format!("{}/", path.get(..at).unwrap_or_default()));
        let region = path.rsplit_once('/').map_or("", |(region, _)| region);
        let race = path.rsplit_once("past").map(|(_, race)| format!("{region}/{race}["));
        for body in handled.chain(race) {
            let wanted = |other: &&Arc<str>| other.starts_with(&body) && !other.contains(".after[");
            if let Some(other) = self.in_flight.values().find(wanted) {
                return Err(format!("`{path}` began while `{other}` was still running"));
            }
            outside.undone.check_below(&body, path)?;
        }
        Ok(())
    }

    /// After a crash: what the process knew is what the journal tells.
    pub(super) fn compare_with_replay(&self, outside: &Outside) -> Result<(), String> {
        if outside.durable.len() as u64 != self.run.applied() || self.run.applied() == 0 || outside.bug.is_some() {
            return Ok(());
        }
        let lineage = &outside.versions.lineage;
        let again = Run::replay_lineage(lineage, self.run.id().clone(), "machine".into(), &outside.durable);
        let again = again.map_err(|error| error.to_string())?;
        if again.snapshot() == self.run.snapshot() {
            Ok(())
        } else {
            Err(format!("replay gives another state:\n{}\n{}", self.run.snapshot(), again.snapshot()))
        }
    }
}

/// Whether a step is pure and whether it may be repeated, by its name: `…_e` has effects, `…_i` has effects and is idempotent,
/// `…_o` looks, `…_a` asks a role, `…_g` runs a plan, `…_m` sends messages. Handlers are pure.
fn kind_of(path: &str) -> (bool, bool) {
    let name = path.rsplit('/').next().unwrap_or(path);
    if is_handler(path) {
        return (true, true);
    }
    let has = |marks: &[&str]| marks.iter().any(|mark| name.contains(mark));
    (!has(&["_e", "_i", "_o", "_a", "_g", "_m"]), !has(&["_e", "_a"]))
}

fn started(outside: &Outside) -> RunStarted {
    let plan = outside.versions.plan();
    let flow = plan.flows.get(plan.entry);
    let number = |name: &str| if name == "m" { outside.input } else { outside.seed % 97 };
    let input = flow.map(|flow| {
        let value = |name: &str| Payload::Value(Value::U64(number(name)));
        flow.params.iter().map(|param| (param.name.to_string(), value(&param.name))).collect()
    });
    RunStarted {
        flow: flow.map_or_else(String::new, |flow| flow.name.to_string()),
        plan: Digest([1; 32]),
        program: Digest([2; 32]),
        input: input.unwrap_or_default(),
        labels: Vec::new(),
        semantics: SEMANTICS_VERSION,
        permitted: ["http *.example.com", "env HOME", "mail_send out.>"].map(str::to_owned).to_vec(),
        recovery: outside.recovery.clone(),
        host: "machine".into(),
        origin: outside.origin.clone().map(Box::new),
        within: None,
        trace: None,
    }
}
