//! Changes that an operator makes in a run that goes on.

use std::sync::Arc;

use engine::core::Input;
use engine::event::{Change, EventBody, Payload, Settings, TimerId};
use lang::plan::Plan;

use crate::flows::plan;
use crate::script::{Script, started};

const FLOW: &str = "
flow main(n: u64, later: u64 = 3) -> u64 {
    let a = kit.work(n)
    let b = kit.send(a) with { allow: [http \"a.example.com\"] }
    let items = map x in [b, 2] with { parallel: 1 } { kit.work(x) }
    let c = if b > 100 { kit.sum(b, later) } else { kit.sum(1, later) }
    c + sum(items)
}";

fn start(plan: &Arc<Plan>) -> Script {
    Script::begin(Arc::clone(plan), started(plan, &[10, 3], &["http *"]))
}

fn policy(path: &str, settings: Settings) -> Change {
    Change::Policy { path: path.into(), settings }
}

fn supply(path: &str, json: &str) -> Change {
    Change::Result { path: path.into(), output: Payload::Text(json.into()) }
}

fn input(name: &str, json: &str) -> Change {
    Change::Input { name: name.to_owned(), value: Payload::Text(json.into()) }
}

#[track_caller]
fn change(script: &mut Script, change: Change) {
    assert_eq!(script.run.check_change(&change), Ok(()));
    script.input(Input::Change(Box::new(change)));
}

#[track_caller]
fn refused(script: &Script, change: &Change) -> String {
    script.run.check_change(change).unwrap_err()
}

#[test]
fn settings_hold_from_the_first_attempt_on() {
    let mut script = start(&plan(FLOW));
    change(&mut script, policy("main/b", Settings { retry: Some(1), ..Settings::default() }));
    let settings = Settings { backoff: Some(5_000_000_000), timeout: Some(7), fuel: Some(9), ..Settings::default() };
    change(&mut script, policy("main/b", settings));
    script.gives("main/a", 1);
    let attempt = &script.in_flight["main/b"];
    assert_eq!((attempt.wishes.timeout, attempt.wishes.fuel, attempt.wishes.memory), (Some(7), Some(9), None));
    script.take_lines();
    script.fails("main/b");
    assert!(script.take_lines().contains(&"set timer 0 at 5000".to_owned()), "both changes hold");
    script.now = 5000;
    script.input(Input::TimerDue(TimerId(0)));
    script.fails("main/b");
    assert!(matches!(script.journal.last().unwrap().body, EventBody::RunEnded { .. }), "one more attempt, no more");
}

#[test]
fn a_supplied_step_does_not_run() {
    let mut script = start(&plan(FLOW));
    change(&mut script, supply("main/b", "40"));
    change(&mut script, supply("main/items[1]/kit.work", "5"));
    script.take_lines();
    script.gives("main/a", 1);
    script.check(&[
        "4 attempt-succeeded main/a#1 1",
        "5 attempt-succeeded main/b#1 40 (cache: supplied)",
        "invoke main/items[0]/kit.work#1 work(40)",
        "invoke main/c/kit.sum#1 sum(1, 3)",
    ]);
    script.run_all();
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 51");
    // The journal leads to the same.
    let again = Script::recover(Arc::clone(&script.plan), script.journal[..5].to_vec());
    assert_eq!(again.running(), ["main/c/kit.sum", "main/items[0]/kit.work"]);
}

#[test]
fn what_is_ready_but_held_can_be_changed() {
    let mut script = start(&plan(FLOW));
    script.input(Input::Pause { reason: "a look".to_owned() });
    script.gives("main/a", 1);
    assert!(script.running().is_empty());
    change(&mut script, policy("main/b", Settings { timeout: Some(8), deadline: Some(1_000_000), ..Settings::default() }));
    change(&mut script, supply("main/b", "2"));
    script.input(Input::Resume);
    assert_eq!(script.running(), ["main/c/kit.sum", "main/items[0]/kit.work"]);
}

#[test]
fn input_changes_while_nothing_has_used_it() {
    let mut script = start(&plan(FLOW));
    change(&mut script, input("later", "50"));
    assert_eq!(refused(&script, &input("n", "1")), "`main/a` uses `n`, and has begun or is ready");
    script.gives("main/a", 1);
    script.gives("main/b", 1);
    assert_eq!(refused(&script, &input("later", "1")), "`main/c` uses `later`, and has begun or is ready");
    script.run_all();
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 57");
}

#[test]
fn what_has_begun_is_over_or_does_not_exist_is_not_changed() {
    let mut script = start(&plan(FLOW));
    let some = || Settings { retry: Some(1), ..Settings::default() };
    assert_eq!(refused(&script, &policy("main/a", some())), "`main/a` has begun");
    assert_eq!(refused(&script, &policy("main/x", some())), "the flow has no step `main/x`");
    assert_eq!(refused(&script, &policy("main/items", some())), "`main/items` is not a step");
    assert!(refused(&script, &supply("main/b", "\"text\"")).starts_with("`main/b` gives `u64`"));
    assert!(refused(&script, &input("later", "-1")).starts_with("the input `later` does not fit"));
    assert_eq!(refused(&script, &input("other", "1")), "the flow `main` has no parameter `other`");
    script.gives("main/a", 1);
    assert_eq!(refused(&script, &supply("main/a", "1")), "`main/a` has ended, or does not come any more");
    script.gives("main/b", 1);
    assert_eq!(refused(&script, &supply("main/items[0]/kit.work", "1")), "`main/items[0]/kit.work` has begun");
    assert_eq!(script.run.check_change(&supply("main/items[1]/kit.work", "1")), Ok(()));
    script.gives("main/c/kit.sum", 1);
    assert_eq!(refused(&script, &supply("main/c/kit.sum", "1")), "`main/c/kit.sum` has ended, or does not come any more");
    script.input(Input::Cancel { reason: String::new() });
    assert_eq!(refused(&script, &supply("main/items[1]/kit.work", "1")), "the run is ending");
}

#[test]
fn a_change_that_comes_too_late_means_nothing() {
    let mut script = start(&plan(FLOW));
    script.holds = true;
    script.gives("main/a", 1);
    script.input(Input::Change(Box::new(supply("main/b", "40"))));
    script.commit_held();
    script.holds = false;
    script.commit_held();
    assert_eq!(script.running(), ["main/b"], "it had become ready before the change was durable");
    let again = Script::recover(Arc::clone(&script.plan), script.journal.clone());
    assert!(again.running().contains(&"main/b") || !again.run.blocked().is_empty());
}
