//! What becomes of a run after a crash.

use std::sync::Arc;

use catalog::Type;
use engine::core::{Capacity, Input, Run};
use engine::event::{Amounts, Decision, EventBody, Payload, TaskId};
use lang::plan::{Backoff, Grant, NodeKind, Plan, Slot};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, call, child, count, numbers, slot, step, wait};

use crate::script::{Script, id};

/// Three steps beside each other: `pure`, `look` that reads the environment, `send` that has an effect; then `last`.
fn plan() -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut main = RegionDraft::new(0);
    let pure_step = main.add("pure", step(function, vec![]));
    let mut look = call(function, vec![]);
    look.grants = vec![Grant::Env("HOME".into())];
    let look = main.add("look", NodeKind::Call(Box::new(look)));
    let mut send = call(function, vec![]);
    send.grants = vec![Grant::Http("a.b".into())];
    let send = main.add("send", NodeKind::Call(Box::new(send)));
    let last = main.node("last", step(function, vec![slot(send)]), &[pure_step, look], NodePolicy::default());
    let main = builder.region(main, slot(last));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

fn crashed() -> Script {
    let mut script = Script::start(plan(), &[], &["http *", "env *"]);
    assert_eq!(script.running(), ["main/look", "main/pure", "main/send"]);
    script.take_lines();
    Script::recover(script.plan, script.journal)
}

#[test]
fn what_may_run_again_does_and_the_rest_waits_for_a_decision() {
    let mut script = crashed();
    script.check(&[
        "4 owner-changed there",
        "5 outcome-unknown main/look#1",
        "6 outcome-unknown main/send#1",
        "invoke main/pure#1 work()",
        "7 attempt-started main/look#2",
        "invoke main/look#2 work() Env(\"HOME\")",
    ]);
    script.run_all();
    assert_eq!(script.take_lines().last().unwrap(), "idle main/send#1");
    let supply = |value| Decision::Supply(Payload::Text(value));
    let error = script.run.check_decision(TaskId(2), &supply("\"x\"".into())).unwrap_err();
    assert!(!error.is_empty());
    script.input(Input::Decide { task: TaskId(2), decision: supply("41".into()) });
    script.run_all();
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 42");
}

#[test]
fn an_operator_may_retry_or_let_it_fail() {
    let mut script = crashed();
    script.run_all();
    script.take_lines();
    script.input(Input::Decide { task: TaskId(2), decision: Decision::Retry(Amounts::default()) });
    script.check(&[
        "10 operator-decision step 2 retry",
        "11 attempt-started main/send#2",
        "invoke main/send#2 work() Http(\"a.b\")",
    ]);
    let mut script = crashed();
    script.run_all();
    script.input(Input::Decide { task: TaskId(2), decision: Decision::Fail("it bounced".into()) });
    assert_eq!(script.take_lines().last().unwrap(), "ended failed main/send error: it bounced");
}

#[test]
fn a_second_crash_changes_nothing() {
    let mut script = crashed();
    script.gives("main/pure", 1);
    // Now it is known from the first moment that an operator has to decide, so nothing starts before.
    let mut again = Script::recover(script.plan, script.journal);
    assert_eq!(again.running(), Vec::<&str>::new());
    again.input(Input::Decide { task: TaskId(2), decision: Decision::Supply(Payload::Text("1".into())) });
    assert_eq!(again.running(), ["main/look"]);
    assert_eq!(again.in_flight["main/look"].number, 3);
}

#[test]
fn a_cancelled_run_ends_without_decisions() {
    let mut script = Script::start(plan(), &[], &["http *", "env *"]);
    script.input(Input::Cancel { reason: "enough".into() });
    let mut script = Script::recover(script.plan, script.journal);
    script.check(&[
        "5 owner-changed there",
        "6 outcome-unknown main/look#1",
        "7 outcome-unknown main/send#1",
        "8 run-ended cancelled",
        "ended cancelled",
    ]);
}

#[test]
fn only_as_many_effects_begin_as_have_places() {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut send = call(function, vec![slot(Slot(0))]);
    send.grants = vec![Grant::Http("a.b".into())];
    send.class = Some("mail".into());
    let mut body = RegionDraft::new(1);
    let sent = body.add("send", NodeKind::Call(Box::new(send)));
    let body = builder.region(body, slot(sent));
    let mut main = RegionDraft::new(0);
    let kind = NodeKind::Map { list: numbers(0..10), body: child(body, &[]), collect: false };
    let policy = NodePolicy { ty: Type::list(Type::U64), ..NodePolicy::default() };
    let form = main.node("map", kind, &[], policy);
    let main = builder.region(main, slot(form));
    let entry = builder.flow("main", &[], main);
    let capacity = Capacity { total: Some(5), classes: [("mail".into(), 2)].into() };
    let mut script = Script::start_with(builder.finish(entry), &[], &["http *"], |run| run.set_capacity(capacity));
    assert_eq!(script.running(), ["main/map[0]/send", "main/map[1]/send"]);
    script.gives("main/map[0]/send", 1);
    assert_eq!(script.running(), ["main/map[1]/send", "main/map[2]/send"]);
    let crashed = Script::recover(Arc::clone(&script.plan), script.journal.clone());
    assert_eq!(crashed.run.blocked().len(), 2, "the others had not begun");
    script.input(Input::Pause { reason: "lunch".into() });
    script.gives("main/map[1]/send", 1);
    script.gives("main/map[2]/send", 1);
    assert_eq!(script.running(), Vec::<&str>::new(), "nothing begins in a pause");
    script.input(Input::Resume);
    script.run_all();
    assert_eq!(script.run.totals().steps, 10);
}

#[test]
fn timers_are_set_again() {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut risky = call(function, vec![]);
    risky.retry = Some(count(1));
    risky.backoff = Backoff::Constant(wait(5000));
    let mut main = RegionDraft::new(0);
    let risky = main.add("risky", NodeKind::Call(Box::new(risky)));
    let main = builder.region(main, slot(risky));
    let entry = builder.flow("main", &[], main);
    let mut script = Script::start(builder.finish(entry), &[], &[]);
    script.fails("main/risky");
    let mut script = Script::recover(script.plan, script.journal);
    script.check(&["set timer 0 at 5000", "3 owner-changed there"]);
}

#[test]
fn a_run_that_has_ended_says_so_again() {
    let mut script = crashed();
    script.input(Input::Cancel { reason: "enough".into() });
    for path in ["main/pure", "main/look"] {
        script.stops(path);
    }
    assert_eq!(script.take_lines().last().unwrap(), "ended cancelled");
    // The end itself was lost.
    let mut journal = script.journal.clone();
    journal.pop();
    let mut again = Script::recover(Arc::clone(&script.plan), journal);
    again.check(&["11 run-ended cancelled", "ended cancelled"]);
    Script::recover(script.plan, script.journal).check(&["ended cancelled"]);
}

#[test]
fn a_journal_that_does_not_fit_is_refused() {
    let script = Script::start(plan(), &[], &["http *"]);
    let replay = |change: &dyn Fn(&mut Vec<engine::event::Event>)| {
        let mut events = script.journal.clone();
        change(&mut events);
        Run::replay(Arc::clone(&script.plan), id(), "x".into(), &events).err().unwrap().to_string()
    };
    assert_eq!(replay(&|events| events.clear()), "the journal has no events");
    assert_eq!(
        replay(&|events| {
            events.remove(1);
        }),
        "the journal goes from event 1 to event 3"
    );
    assert_eq!(
        replay(&|events| {
            events.remove(0);
        }),
        "the journal goes from event 0 to event 2"
    );
    let misfit = replay(&|events| {
        for event in events {
            if let EventBody::AttemptStarted { attempt, .. } = &mut event.body {
                attempt.path = "main/elsewhere".into();
            }
        }
    });
    assert!(misfit.starts_with("the journal does not fit this plan at event 3: step "), "{misfit}");
    let other = replay(&|events| {
        if let EventBody::RunStarted(started) = &mut events[0].body {
            started.flow = "other".into();
        }
    });
    assert_eq!(other, "the journal does not fit this plan at event 1: it starts the flow `other`, the plan starts `main`");
}
