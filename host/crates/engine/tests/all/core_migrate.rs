//! Migrations: which runs can go on with another plan, and how they go on.

use std::sync::Arc;

use catalog::Digest;
use engine::core::{Fit, Incompatible, Input, Lineage, Run, check_migration};
use engine::event::{Decision, Event, EventBody, Migrated, TimerId, Timestamp, Version};
use engine::ports::{Control, Mail, Order};
use lang::plan::Plan;

use crate::flows::{plan, plan_of_new_kit};
use crate::script::{Script, id, started};

fn start(plan: &Arc<Plan>) -> Script {
    Script::begin(Arc::clone(plan), started(plan, &[10], &["http *"]))
}

fn fits(script: &Script, new: &Arc<Plan>) -> Result<Fit, Incompatible> {
    check_migration(&Lineage::from(Arc::clone(&script.plan)), &id(), &script.journal, new).unwrap()
}

#[track_caller]
fn refused(script: &Script, new: &str) -> String {
    fits(script, &plan(new)).unwrap_err().reason
}

fn from(script: &Script, new: &str) -> Option<String> {
    fits(script, &plan(new)).unwrap().from.map(|path| path.to_string())
}

/// The journal with a migration at its end.
fn migrated(mut journal: Vec<Event>) -> Vec<Event> {
    let version = Version { plan: Digest([0; 32]), program: Digest([0; 32]) };
    let seq = journal.len() as u64 + 1;
    journal.push(Event { seq, at: Timestamp(0), body: EventBody::Migrated(Box::new(Migrated { from: version, to: version })) });
    journal
}

fn lineage(plans: &[&Arc<Plan>]) -> Lineage {
    let mut all = Lineage::from(Arc::clone(plans[0]));
    plans[1..].iter().for_each(|plan| all.push(Arc::clone(plan)));
    all
}

const TWO: &str = "
flow main(n: u64) -> u64 {
    let a = kit.send(n) with { allow: [http \"a.example.com\"] }
    let b = kit.work(a)
    b
}";

/// `a` is done, `b` runs.
fn half() -> Script {
    let mut script = start(&plan(TWO));
    script.gives("main/a", 1);
    assert_eq!(script.running(), ["main/b"]);
    script
}

#[test]
fn a_step_after_what_is_done_is_run_when_its_turn_comes() {
    let new = plan(
        "flow main(n: u64) -> u64 {
            let a = kit.send(n) with { allow: [http \"a.example.com\"] }
            let b = kit.work(a)
            let c = kit.work(b)
            c
        }",
    );
    let script = half();
    assert_eq!(fits(&script, &new), Ok(Fit { from: None }));
    let mut after = Script::recover(lineage(&[&script.plan, &new]), migrated(script.journal));
    assert_eq!(after.running(), ["main/b"], "what is done is not done again");
    after.run_all();
    assert_eq!(after.take_lines().last().unwrap(), "ended succeeded 3");
}

#[test]
fn a_step_before_what_is_not_done_is_run_first() {
    let text = "
flow main(n: u64) -> u64 {
    let a = kit.send(n) with { allow: [http \"a.example.com\"] }
    let x = kit.work(a)
    let b = kit.work(x)
    b
}";
    let mut script = half();
    assert_eq!(from(&script, text).as_deref(), Some("main/x"));
    let mut after = Script::recover(lineage(&[&script.plan, &plan(text)]), migrated(script.journal.clone()));
    assert_eq!(after.running(), ["main/x"]);
    after.run_all();
    assert_eq!(after.take_lines().last().unwrap(), "ended succeeded 3");
    script.holds = true;
    script.gives("main/b", 2);
    script.journal.extend(script.held.concat().into_iter().take(1));
    assert_eq!(
        refused(&script, text),
        "`main/b` has begun or ended, and the new flow comes to it only after something that this run has not done"
    );
}

#[test]
fn what_is_done_must_be_the_same_in_the_new_flow() {
    let script = half();
    let with = |a: &str| {
        let step = format!("let a = {a} with {{ allow: [http \"a.example.com\"] }}");
        TWO.replace("let a = kit.send(n) with { allow: [http \"a.example.com\"] }", &step)
    };
    assert_eq!(refused(&script, &with("kit.send(n + 1)")), "`main/a` has other arguments in the new flow");
    assert_eq!(
        refused(&script, &with("kit.back(n)")),
        "`main/a` called `test:kit/api@1.0.0.send`, and the new flow calls `test:kit/api@1.0.0.back` there"
    );
    let renamed = TWO.replace("let a", "let first").replace("work(a)", "work(first)");
    assert_eq!(refused(&script, &renamed), "`main/a` has begun or ended, and the new flow has no such step");
    // What has not ended may change, and so may the name of a step that has not begun and the component.
    assert_eq!(from(&script, &TWO.replace("kit.work(a)", "kit.work(a + 1)")).as_deref(), Some("main/b"));
    assert_eq!(from(&script, &TWO.replace("let b", "let c").replace("    b\n", "    c\n")).as_deref(), Some("main/c"));
    assert_eq!(fits(&script, &plan_of_new_kit(TWO)), Ok(Fit { from: None }));
    let other = "flow other(n: u64) -> u64 { kit.work(n) }";
    assert_eq!(refused(&script, other), "it starts the flow `main`, the plan starts `other`");
}

#[test]
fn steps_and_timers_are_found_whatever_their_numbers() {
    let old = "
flow main(n: u64) -> u64 {
    let a = kit.work(n)
    let b = kit.work(n + 1)
    let slow = kit.work(n + 2) with { retry: 3, backoff: constant(10m) }
    a + b + slow
}";
    let new = "
flow main(n: u64) -> u64 {
    let x = kit.work(n) with { deadline: 1h }
    let b = kit.work(n + 1) with { deadline: 2h }
    let slow = kit.work(n + 2) with { retry: 3, backoff: constant(10m) }
    let a = kit.work(n)
    a + b + slow + x
}";
    let mut script = start(&plan(old));
    script.gives("main/b", 5);
    script.fails("main/slow");
    script.now = 700_000;
    script.input(Input::TimerDue(TimerId(0)));
    script.gives("main/a", 7);
    assert_eq!(from(&script, new).as_deref(), Some("main/x"));
    let mut after = Script::recover(lineage(&[&script.plan, &plan(new)]), migrated(script.journal.clone()));
    assert_eq!(after.running(), ["main/slow", "main/x"]);
    after.gives("main/slow", 1);
    after.gives("main/x", 1);
    assert_eq!(after.take_lines().last().unwrap(), "ended succeeded 14");
    assert_eq!(
        refused(&script, &new.replace(", backoff: constant(10m)", "")),
        "a timer fired that the new flow does not set: the next attempt of `main/slow`"
    );
    assert_eq!(
        refused(&script, &new.replace("retry: 3, ", "")),
        "a timer fired that the new flow does not set: the next attempt of `main/slow`"
    );
}

#[test]
fn a_new_parameter_has_its_default() {
    let script = half();
    let with = |param: &str| TWO.replace("n: u64", &format!("n: u64, {param}")).replace("    b\n", "    b + extra\n");
    let new = plan(&with("extra: u64 = 5"));
    assert_eq!(fits(&script, &new), Ok(Fit { from: None }));
    let mut after = Script::recover(lineage(&[&script.plan, &new]), migrated(script.journal.clone()));
    after.run_all();
    assert_eq!(after.take_lines().last().unwrap(), "ended succeeded 7");
    assert_eq!(refused(&script, &with("extra: u64")), "the parameter `extra` is new and has no default");
}

#[test]
fn a_run_goes_back_while_nothing_was_done_that_only_the_new_flow_has() {
    let text = "
flow main(n: u64) -> u64 {
    let a = kit.send(n) with { allow: [http \"a.example.com\"] }
    let x = kit.work(a)
    let b = kit.work(a)
    let last = kit.sum(b, x)
    last
}";
    let new = plan(text);
    let old = plan(&text.replace("kit.sum(b, x)", "kit.sum(b, 1)").replace("    let x = kit.work(a)\n", ""));
    let mut script = start(&old);
    script.gives("main/a", 1);
    let mut after = Script::recover(lineage(&[&old, &new]), migrated(script.journal));
    let both = lineage(&[&old, &new]);
    after.gives("main/b", 2);
    assert_eq!(
        check_migration(&both, &id(), &after.journal, &old).unwrap(),
        Ok(Fit { from: Some("main/last".into()) }),
        "`b` is in both"
    );
    let mut back = Script::recover(lineage(&[&old, &new, &old]), migrated(after.journal.clone()));
    back.run_all();
    assert_eq!(back.take_lines().last().unwrap(), "ended succeeded 4");
    // The whole journal replays for ever.
    let whole = Run::replay_lineage(&lineage(&[&old, &new, &old]), id(), "anyone".into(), &back.journal).unwrap();
    assert_eq!(whole.recorded(), back.journal.len() as u64);
    let again = Run::replay_lineage(&lineage(&[&old, &new]), id(), "anyone".into(), &back.journal);
    assert!(again.is_err(), "a plan is missing");

    after.gives("main/x", 2);
    let refused = check_migration(&both, &id(), &after.journal, &old).unwrap().unwrap_err();
    assert_eq!(refused.reason, "`main/x` has begun or ended, and the new flow has no such step");
}

#[test]
fn what_was_decided_before_a_migration_meets_no_step_after_it() {
    let new = plan(TWO);
    let script = start(&plan(TWO));
    assert_eq!(script.running(), ["main/a"], "and its outcome gets lost");
    let mut after = Script::recover(lineage(&[&script.plan, &new]), migrated(script.journal));
    let task = after.run.blocked()[0].task;
    let letter = |id: &str, migrations| {
        let order = Order::Decide { task, migrations: Some(migrations), decision: Decision::Fail("no".into()) };
        Input::Mail(Mail::Control(Control { id: id.into(), order }))
    };
    after.take_lines();
    after.input(letter("before", 0));
    after.check(&[
        "6 control-taken before refused: the run was migrated since this was decided, and its steps have other numbers now",
        "idle main/a#1",
    ]);
    after.input(letter("after", after.run.migrations()));
    assert_eq!(after.take_lines().last().unwrap(), "ended failed main/a error: no");
}

#[test]
fn a_migrated_run_survives_a_crash_anywhere() {
    let new = plan(
        &TWO.replace("    b\n", "    let c = kit.send(b) with { allow: [http \"a.example.com\"], idempotent: true }\n    c\n"),
    );
    let script = half();
    let plans = lineage(&[&script.plan, &new]);
    let journal = migrated(script.journal);
    let mut whole = Script::recover(plans.clone(), journal.clone());
    whole.run_all();
    assert_eq!(whole.take_lines().last().unwrap(), "ended succeeded 3");
    for length in journal.len()..whole.journal.len() {
        let mut script = Script::recover(plans.clone(), whole.journal[..length].to_vec());
        script.run_all();
        let lines = script.take_lines();
        assert!(!lines.iter().any(|line| line.contains("invoke main/a")), "{lines:?}");
        assert_eq!(lines.last().unwrap(), "ended succeeded 3", "after {length}");
    }
}
