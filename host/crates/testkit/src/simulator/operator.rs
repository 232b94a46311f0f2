//! Who looks after a run: decides about steps, changes what has not begun, and gives some orders twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::Value;
use engine::core::{Blocked, BlockedBy, Idle, Input, Run};
use engine::event::{Amounts, Change, Decision, Payload, RunId, Settings, TaskId, Timestamp};
use engine::ports::{Control, Mail, Order};

use super::machine::{Machine, Tick};
use super::outside::Outside;
use super::steps::{Behaviour, behave, hash};

/// What an operator has changed, durably and in time.
#[derive(Default)]
pub(super) struct Changes {
    /// Results by path: these steps do not run.
    pub(super) given: BTreeMap<Arc<str>, Value>,
    /// The fuel of attempts by path.
    pub(super) fuel: BTreeMap<Arc<str>, u64>,
}

impl Outside {
    /// A change is durable. Whether it came in time only the events before it tell.
    pub(super) fn changed(&mut self, change: &Change) -> Result<(), String> {
        let run = Run::replay_lineage(&self.versions.lineage, RunId("simulated".into()), "operator".into(), &self.durable);
        if run.map_err(|error| error.to_string())?.check_change(change).is_err() {
            return Ok(());
        }
        match change {
            Change::Result { path, output: Payload::Value(value) } => {
                self.features.note("supplied result");
                self.changes.given.insert(Arc::clone(path), value.clone());
            }
            Change::Policy { path, settings } => {
                self.features.note("changed setting");
                self.changes.fuel.extend(settings.fuel.map(|amount| (Arc::clone(path), amount)));
            }
            Change::Input { value: Payload::Value(Value::U64(value)), .. } => {
                self.features.note("changed input");
                self.input = *value;
            }
            _ => {}
        }
        Ok(())
    }

    /// An attempt begins as the operator wanted it.
    pub(super) fn check_changes(&self, path: &str, args: &[Value], fuel: Option<u64>) -> Result<(), String> {
        if self.changes.given.contains_key(path) {
            return Err(format!("`{path}` runs though its result was supplied"));
        }
        if let Some(wanted) = self.changes.fuel.get(path)
            && fuel != Some(*wanted)
        {
            return Err(format!("`{path}` may use {fuel:?} units of fuel instead of {wanted}"));
        }
        if path == "main/racylate" && args != [Value::U64(self.input)] {
            return Err(format!("`{path}` is given {args:?} instead of {}", self.input));
        }
        Ok(())
    }
}

impl Machine {
    /// Plans what an operator changes, and gives again what was given to the last owner.
    pub(super) fn plan_orders(&mut self, random: &mut fastrand::Rng, ticks: u64, outside: &Outside) {
        if random.u32(..3) == 0 {
            for _ in 0..random.u32(1..4) {
                self.at(random.u64(1..=ticks.max(2)), Tick::Change);
            }
        }
        for letter in &outside.letters {
            if random.bool() {
                self.at(random.u64(1..60), Tick::Control(letter.clone()));
            }
        }
    }

    /// An order in a letter, which now and then comes twice.
    pub(super) fn letter_of(&mut self, control: Control, outside: &mut Outside) -> Input {
        if outside.letters.iter().any(|letter| letter.id == control.id) {
            outside.features.note("repeated order");
        } else {
            outside.letters.push(control.clone());
            if self.random.u32(..3) == 0 {
                let delay = self.random.u64(..80);
                self.at(delay, Tick::Control(control.clone()));
            }
        }
        Input::Mail(Mail::Control(control))
    }

    /// A change of what has not begun, if one is found.
    pub(super) fn change(&mut self, outside: &Outside) -> Option<Control> {
        for _ in 0..8 {
            let change = self.some_change(outside)?;
            // Now and then one that does not fit.
            if self.random.u32(..10) == 0 || self.run.check_change(&change).is_ok() {
                return Some(self.control(Order::Change(vec![change])));
            }
        }
        None
    }

    fn some_change(&mut self, outside: &Outside) -> Option<Change> {
        if self.random.u32(..8) == 0 {
            let value = Payload::Value(Value::U64(self.random.u64(..1000)));
            return Some(Change::Input { name: "m".to_owned(), value });
        }
        let (path, value) = self.random.choice(outside.wishes.as_slice())?.clone();
        if self.random.bool() {
            return Some(Change::Result { path, output: Payload::Value(value) });
        }
        let settings = Settings {
            priority: Some(self.random.i32(-3..4)),
            backoff: Some(self.random.u64(..20) * 1_000_000),
            fuel: Some(self.random.u64(1_000..1_000_000)),
            ..Settings::default()
        };
        Some(Change::Policy { path, settings })
    }

    /// A letter of its own for an order.
    pub(super) fn control(&mut self, order: Order) -> Control {
        self.letters += 1;
        Control { id: format!("{}-{}", self.now, self.letters).into(), order }
    }

    /// A human has heard of an escalation, and decides in a letter while other steps go on.
    pub(super) fn look(&mut self, outside: &mut Outside) -> Option<Control> {
        let mut blocked = self.run.blocked().into_iter().filter(|blocked| matches!(blocked.by, BlockedBy::Escalated { .. }));
        let Blocked { task, path, .. } = blocked.next()?;
        outside.features.note("escalation decided in a letter");
        outside.asked_in_a_letter(task, &path);
        let decision = about_escalated(outside.seed, &path);
        Some(self.control(Order::Decide { task, migrations: Some(self.run.migrations()), decision }))
    }

    /// The operator looks at the witness and decides.
    pub(super) fn decide(&mut self, idle: Idle, outside: &mut Outside) -> Result<(), String> {
        for Blocked { task, path, number, by } in idle.blocked {
            let decision = match by {
                BlockedBy::Exhausted { .. } => {
                    outside.asked(task, &path, true);
                    Decision::Fail("let it be".to_owned())
                }
                BlockedBy::Escalated { .. } => {
                    outside.check_told(task, &path)?;
                    outside.asked(task, &path, true);
                    about_escalated(outside.seed, &path)
                }
                BlockedBy::Unknown | BlockedBy::Repeats => about_unknown(task, &path, number, outside),
            };
            self.run.check_decision(task, &decision)?;
            self.run.handle(Input::Decide { task, decision }, Timestamp(self.now), &mut self.actions);
        }
        if idle.paused.is_some() && !self.queue.values().any(|tick| matches!(tick, Tick::Resume)) {
            self.at(1, Tick::Resume);
        }
        Ok(())
    }
}

/// What a human says about a step that failed. A compensation that always fails is let be.
fn about_escalated(seed: u64, path: &str) -> Decision {
    let chance = hash(seed, &["decision", path]);
    if !path.rsplit('/').next().is_some_and(|name| name.starts_with('e')) {
        Decision::Fail("let it be".to_owned())
    } else if chance.is_multiple_of(3) {
        Decision::Supply(Payload::Value(Value::U64(chance % 1000)))
    } else {
        Decision::Retry(Amounts::default())
    }
}

/// What the witness knows of an attempt that left no outcome.
fn about_unknown(task: TaskId, path: &Arc<str>, number: u32, outside: &mut Outside) -> Decision {
    let failures = outside.failures(path);
    let witness = outside.witness(path, number);
    let began = witness.is_some();
    let result = match witness.map(|(function, args)| behave(outside.seed, path, function, args, failures)) {
        Some(Behaviour::Ends(outcome)) => outcome.result.ok(),
        _ => None,
    };
    outside.asked(task, path, began);
    match result {
        Some(value) => Decision::Supply(Payload::Value(value)),
        None => Decision::Retry(Amounts::default()),
    }
}
