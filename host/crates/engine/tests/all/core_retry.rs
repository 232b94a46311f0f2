//! Retries: which results of a run another one takes over, and what it runs again.

use std::sync::Arc;

use engine::core::{Blocked, BlockedBy, Input, Lineage, Retry, RetryError, retry};
use engine::event::{Decision, Event, EventBody, Origin};
use engine::ports::{Mail, Signal};
use lang::plan::Plan;

use crate::flows::plan;
use crate::script::{Script, id, started};

/// A script of the flow with one number as its input.
fn start(plan: &Arc<Plan>) -> Script {
    Script::begin(Arc::clone(plan), started(plan, &[10], &["http *"]))
}

fn look(script: &Script, from: &[&str]) -> Result<Retry, RetryError> {
    let from: Vec<String> = from.iter().map(|path| (*path).to_owned()).collect();
    retry(&Lineage::from(Arc::clone(&script.plan)), &id(), &script.journal, &from)
}

/// The run that retries another one.
fn again(script: &Script, origin: Origin) -> Script {
    let started = engine::event::RunStarted { origin: Some(Box::new(origin)), ..started(&script.plan, &[10], &["http *"]) };
    Script::begin(Arc::clone(&script.plan), started)
}

fn paths(retry: &Retry) -> Vec<&str> {
    retry.origin.results.iter().map(|result| &*result.path).collect()
}

const LINE: &str = "
flow main(n: u64) -> u64 {
    let a = kit.work(n)
    let b = kit.send(a) with { allow: [http \"a.example.com\"] }
    let beside = kit.work(7)
    kit.work(b) after beside
}";

#[test]
fn what_had_failed_runs_again_and_the_rest_is_taken_over() {
    let mut first = start(&plan(LINE));
    first.gives("main/a", 1);
    first.gives("main/beside", 2);
    first.fails("main/b");
    let found = look(&first, &[]).unwrap();
    assert_eq!(paths(&found), ["main/a", "main/beside"]);
    assert!(found.again.is_empty() && found.dropped == 0);
    let mut second = again(&first, found.origin);
    second.check(&[
        "1 run-started main",
        "2 attempt-succeeded main/a#1 1 (cache: reused)",
        "3 attempt-succeeded main/beside#1 2 (cache: reused)",
        "4 attempt-started main/b#1",
        "invoke main/b#1 send(1) Http(\"a.example.com\")",
    ]);
    second.gives("main/b", 3);
    second.run_all();
    assert_eq!(second.take_lines().last().unwrap(), "ended succeeded 4");
    assert_eq!(second.run.totals().bill.fuel, 2, "what is taken over costs nothing");
}

#[test]
fn what_is_named_runs_again_with_all_that_follows_by_data_or_order() {
    let mut first = start(&plan(LINE));
    first.run_all();
    let found = look(&first, &["main/b"]).unwrap();
    assert_eq!(paths(&found), ["main/a", "main/beside"]);
    assert_eq!(found.again.iter().map(|again| (&*again.path, again.undone)).collect::<Vec<_>>(), [("main/b", false)]);
    assert_eq!(found.dropped, 2);
    // Only the order makes the last step follow.
    let found = look(&first, &["main/beside"]).unwrap();
    assert_eq!(paths(&found), ["main/a", "main/b"]);
    let found = look(&first, &["main"]).unwrap();
    assert!(paths(&found).is_empty());
    // What the first run took over, its retry can take over as well.
    let mut second = again(&first, look(&first, &["main/beside"]).unwrap().origin);
    second.run_all();
    assert_eq!(paths(&look(&second, &["main/beside"]).unwrap()), ["main/a", "main/b"]);
}

#[test]
fn iterations_follow_each_other_and_items_do_not() {
    let flow = "
flow main(n: u64) -> u64 {
    let items = map x in [n, 2, 3] { kit.work(x) }
    let folded = reduce acc = n, x in items { kit.sum(acc, x) }
    let tree = reduce a, b in [n, 2, 3, 4, 5] { kit.sum(a, b) }
    let looped = loop v = n until kit.work(v) > 20 max 4 { kit.work(v) }
    folded + tree + looped
}";
    let mut first = start(&plan(flow));
    first.run_all();
    assert!(first.take_lines().last().unwrap().starts_with("ended succeeded"));
    let dropped = |from: &str| {
        let found = look(&first, &[from]).unwrap();
        let kept = paths(&found);
        let all = first.journal.iter().filter_map(|event| match &event.body {
            EventBody::AttemptSucceeded { attempt, .. } => Some(attempt.path.to_string()),
            _ => None,
        });
        let mut dropped: Vec<String> = all.filter(|path| !kept.contains(&path.as_str())).collect();
        dropped.sort();
        dropped
    };
    assert_eq!(
        dropped("main/items[1]"),
        ["main/folded[0]/kit.sum", "main/folded[1]/kit.sum", "main/folded[2]/kit.sum", "main/items[1]/kit.work"]
    );
    assert_eq!(dropped("main/folded[1]/kit.sum"), ["main/folded[1]/kit.sum", "main/folded[2]/kit.sum"]);
    assert_eq!(dropped("main/tree[1.1]"), ["main/tree[1.1]/kit.sum", "main/tree[2.0]/kit.sum", "main/tree[3.0]/kit.sum"]);
    let looped = dropped("main/looped[1]");
    assert!(looped.iter().any(|path| path == "main/looped.until[2]/kit.work"), "{looped:?}");
    assert!(!looped.iter().any(|path| path == "main/looped.until[1]/kit.work"), "{looped:?}");
}

#[test]
fn what_was_taken_back_is_not_taken_over_nor_what_followed_from_it() {
    let flow = "
flow main(n: u64) -> u64 {
    let pure = kit.work(n)
    let booked = kit.send(n) with { allow: [http \"a.example.com\"] } undo kit.back(1)
    let used = kit.work(3) after booked
    kit.sum(used, pure)
}";
    let mut first = start(&plan(flow));
    first.gives("main/pure", 1);
    first.gives("main/booked", 2);
    first.gives("main/used", 3);
    let last = first.running()[0].to_owned();
    first.fails(&last);
    first.run_all();
    let found = look(&first, &[]).unwrap();
    assert_eq!(paths(&found), ["main/pure"]);
    assert_eq!(found.again.iter().map(|again| (&*again.path, again.undone)).collect::<Vec<_>>(), [("main/booked", true)]);
    let second = again(&first, found.origin);
    assert_eq!(second.running(), ["main/booked"]);
}

const FALLBACK: &str = "
flow main(n: u64) -> u64 {
    let a = kit.work(n) else kit.work(5)
    let b = kit.send(a) with { allow: [http \"a.example.com\"] }
    kit.work(b)
}";

#[test]
fn an_effect_with_other_arguments_waits_for_the_operator() {
    let mut first = start(&plan(FALLBACK));
    let body = first.running()[0].to_owned();
    first.fails(&body);
    first.run_all_until("main/b");
    first.gives("main/b", 8);
    let last = first.running()[0].to_owned();
    first.fails(&last);
    let found = look(&first, &[]).unwrap();
    assert!(paths(&found).contains(&"main/b"), "{found:?}");

    let mut second = again(&first, found.origin.clone());
    assert_eq!(second.running(), [body.as_str()], "what failed has no result");
    second.gives(&body, 77);
    let blocked = second.run.blocked();
    let [Blocked { task, by: BlockedBy::Repeats, .. }] = blocked.as_slice() else { panic!("{blocked:?}") };
    assert!(second.running().is_empty());
    second.input(Input::Decide { task: *task, decision: Decision::Retry(engine::event::Amounts::default()) });
    second.run_all();
    assert!(second.take_lines().last().unwrap().starts_with("ended succeeded"));

    let mut second = again(&first, Origin { repeats: true, ..found.origin.clone() });
    second.gives(&body, 77);
    assert_eq!(second.running(), ["main/b"]);

    // The same value as before: its result still stands.
    let mut second = again(&first, found.origin);
    second.gives(&body, 6);
    assert_eq!(second.running(), [last.as_str()]);
}

#[test]
fn waits_and_messages_are_taken_over() {
    let flow = "
flow main(n: u64) -> u64 {
    wait 10m
    let go = wait signal go: u64
    emit \"orders.new\" go
    kit.work(go)
}";
    let mut first = start(&plan(flow));
    first.now = 700_000;
    first.input(Input::TimerDue(engine::event::TimerId(0)));
    first.input(Input::Mail(Mail::Signal(Signal { name: "go".into(), id: "".into(), payload: "4".into() })));
    let emit = first.journal.len();
    assert!(first.take_lines().iter().any(|line| line.starts_with("publish")), "after {emit} events");
    first.input(Input::Published(engine::event::TaskId(0)));
    let last = first.running()[0].to_owned();
    first.fails(&last);
    let found = look(&first, &[]).unwrap();
    assert_eq!(found.origin.results.len(), 3, "{found:?}");
    let mut second = again(&first, found.origin);
    let lines = second.take_lines();
    assert!(!lines.iter().any(|line| line.starts_with("publish") || line.starts_with("set timer")), "{lines:?}");
    assert_eq!(second.running(), [last.as_str()]);
    // Sending again is an effect.
    let found = look(&first, &["main/go"]);
    let again = found.unwrap().again;
    assert_eq!(again.len(), 1, "{again:?}");
}

#[test]
fn a_retry_survives_a_crash_anywhere_without_the_run_that_it_retries() {
    let mut first = start(&plan(LINE));
    first.gives("main/a", 1);
    first.gives("main/beside", 2);
    first.fails("main/b");
    let mut whole = again(&first, look(&first, &[]).unwrap().origin);
    whole.run_all();
    let journal: Vec<Event> = whole.journal.clone();
    for length in 1..journal.len() {
        let mut script = Script::recover(Arc::clone(&whole.plan), journal[..length].to_vec());
        let blocked = script.run.blocked();
        for step in blocked {
            script.input(Input::Decide { task: step.task, decision: Decision::Retry(engine::event::Amounts::default()) });
        }
        script.run_all();
        let lines = script.take_lines();
        assert!(!lines.iter().any(|line| line.contains("invoke main/a") || line.contains("invoke main/beside")), "{lines:?}");
        assert!(matches!(script.journal.last().unwrap().body, EventBody::RunEnded { .. }), "after {length}: {lines:?}");
    }
}

#[test]
fn what_cannot_be_retried_is_refused() {
    let mut first = start(&plan(LINE));
    assert_eq!(look(&first, &[]), Err(RetryError::NotEnded(id())));
    first.fails("main/a");
    first.stops("main/beside");
    assert_eq!(look(&first, &["main/c"]), Err(RetryError::NoSuchNode("main/c".to_owned())));
    for hostile in ["", "main/", "/", "main//a", "main/a[0]", "main/a.undo", "main/a[", "main/a[99999999999999999999]", "mäin"] {
        assert_eq!(look(&first, &[hostile]), Err(RetryError::NoSuchNode(hostile.to_owned())));
    }
    assert_eq!(look(&first, &["main/b"]), Err(RetryError::NotReached { run: id(), path: "main/b".to_owned() }));
    let mut first = start(&plan(LINE));
    first.run_all();
    assert_eq!(look(&first, &[]), Err(RetryError::Succeeded(id())));
}
