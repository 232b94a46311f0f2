//! Retries, failures, deadlines, cancellation, pauses.

use catalog::{FailureKind, Type, Value};
use engine::core::Input;
use engine::event::{Failure, TimerId};
use lang::plan::{Backoff, Expr, Grant, NodeKind, Plan, Slot};
use testkit::fake::{failure, outcome};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, call, child, count, number, numbers, slot, step, wait};

use crate::script::Script;

/// `main()` with a step `risky`, made by this, and `other` beside it, in a `try` whose handler gives the failure's message.
fn guarded(make: impl FnOnce(&mut lang::plan::CallPlan) -> NodePolicy) -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut body = RegionDraft::new(0);
    let mut risky = call(function, vec![]);
    let policy = make(&mut risky);
    let risky = body.node("risky", NodeKind::Call(Box::new(risky)), &[], policy);
    body.add("other", step(function, vec![]));
    let body = builder.region(body, slot(risky));
    let handler = builder.region(RegionDraft::new(1), Expr::Field(Box::new(slot(Slot(0))), "message".into()));
    let mut main = RegionDraft::new(0);
    let tried = main.add("try", NodeKind::Try { body: child(body, &[]), handler: child(handler, &[]) });
    let main = builder.region(main, slot(tried));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

#[test]
fn a_component_that_asks_for_a_later_attempt_is_waited_for_a_day_at_most() {
    const DAY: u64 = 24 * 60 * 60 * 1000;
    for (asked, expected) in [(1000, 1000), (DAY, DAY), (u64::MAX, DAY)] {
        let retried = |risky: &mut lang::plan::CallPlan| {
            risky.retry = Some(count(1));
            NodePolicy::default()
        };
        let mut script = Script::start(guarded(retried), &[], &[]);
        let start = script.in_flight.remove("main/try/risky").unwrap();
        let later = Failure { retry_after: Some(asked), ..failure(FailureKind::Network, "later") };
        let outcome = Box::new(outcome(Err(later)));
        script.input(Input::Outcome { task: start.task, number: 1, outcome });
        assert_eq!(script.next_timer().unwrap().0, script.now + expected);
    }
}

#[test]
fn a_failure_is_caught_when_what_ran_beside_it_has_stopped() {
    let mut script = Script::start(guarded(|_| NodePolicy::default()), &[], &[]);
    script.take_lines();
    script.fails("main/try/risky");
    script.check(&["2 attempt-failed main/try/risky#1 network: no route", "stop step 1#1"]);
    script.gives("main/try/other", 1);
    script.check(&[
        "3 attempt-succeeded main/try/other#1 1",
        "4 run-ended succeeded \"no route\"",
        "ended succeeded \"no route\"",
    ]);
}

#[test]
fn retries_come_after_their_waits_and_are_counted() {
    let plan = guarded(|call| {
        call.retry = Some(count(2));
        call.backoff = Backoff::Constant(wait(50));
        NodePolicy::default()
    });
    let mut script = Script::start(plan, &[], &[]);
    script.gives("main/try/other", 1);
    script.take_lines();
    script.now = 10;
    script.fails("main/try/risky");
    script.check(&["3 attempt-failed main/try/risky#1 network: no route", "set timer 0 at 60"]);
    script.now = 59;
    script.input(Input::TimerDue(TimerId(0)));
    script.check(&["set timer 0 at 60"]);
    script.now = 61;
    script.input(Input::TimerDue(TimerId(0)));
    script.check(&["4 timer-fired 0", "invoke main/try/risky#2 work()"]);
    assert_eq!(script.in_flight["main/try/risky"].previous_failure.as_ref().unwrap().message, "no route");
    script.fails("main/try/risky");
    script.input(Input::TimerDue(TimerId(1)));
    script.now = 200;
    script.input(Input::TimerDue(TimerId(1)));
    script.fails("main/try/risky");
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded \"no route\"");
}

#[test]
fn a_deadline_is_over_all_attempts() {
    let plan = guarded(|call| {
        call.retry = Some(count(100));
        NodePolicy { deadline: Some(wait(1000)), ..NodePolicy::default() }
    });
    let mut script = Script::start(plan, &[], &[]);
    script.fails("main/try/risky");
    script.fails("main/try/risky");
    script.gives("main/try/other", 1);
    script.take_lines();
    script.now = 1000;
    script.input(Input::TimerDue(TimerId(0)));
    script.check(&["5 timer-fired 0", "stop step 0#3"]);
    script.stops("main/try/risky");
    script.check(&[
        "6 attempt-cancelled main/try/risky#3",
        "7 run-ended succeeded \"the deadline passed\"",
        "ended succeeded \"the deadline passed\"",
    ]);
}

#[test]
fn a_collecting_map_goes_on() {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut body = RegionDraft::new(1);
    let made = body.add("work", step(function, vec![slot(Slot(0))]));
    let body = builder.region(body, slot(made));
    let mut main = RegionDraft::new(0);
    let kind = NodeKind::Map { list: numbers([1, 2, 3]), body: child(body, &[]), collect: true };
    let form = main.node("form", kind, &[], NodePolicy { ty: Type::list(Type::Unit), ..NodePolicy::default() });
    let main = builder.region(main, slot(form));
    let entry = builder.flow("main", &[], main);
    let mut script = Script::start(builder.finish(entry), &[], &[]);
    script.fails("main/form[1]/work");
    script.gives("main/form[2]/work", 3);
    script.gives("main/form[0]/work", 1);
    let failure = r#"{"err":{"details":null,"kind":"network","message":"no route","retry_after":null}}"#;
    assert_eq!(script.take_lines().last().unwrap(), &format!("ended succeeded [{{\"ok\":1}},{failure},{{\"ok\":3}}]"));
}

#[test]
fn an_uncaught_failure_names_where_it_came_from() {
    let mut builder = PlanBuilder::default();
    let mut main = RegionDraft::new(1);
    let zero = Expr::Binary(lang::plan::Operator::Div, Box::new(number(1)), Box::new(slot(Slot(0))));
    main.add("divide", NodeKind::Value(zero));
    let main = builder.region(main, slot(Slot(1)));
    let entry = builder.flow("main", &["n"], main);
    let mut script = Script::start(builder.finish(entry), &[0], &[]);
    let last = script.take_lines().pop().unwrap();
    assert!(last.starts_with("ended failed main/divide calculation: "), "{last}");
}

#[test]
fn what_is_cancelled_cannot_be_caught() {
    let mut script = Script::start(guarded(|_| NodePolicy::default()), &[], &[]);
    script.take_lines();
    script.input(Input::Cancel { reason: "enough".into() });
    script.check(&["2 cancel-requested (enough)", "stop step 0#1", "stop step 1#1"]);
    script.stops("main/try/risky");
    script.fails("main/try/other");
    assert_eq!(script.take_lines().last().unwrap(), "ended cancelled");
    script.input(Input::Cancel { reason: "again".into() });
    script.check(&[]);
}

#[test]
fn a_pause_lets_what_runs_finish_and_starts_nothing() {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut main = RegionDraft::new(0);
    let a = main.add("a", step(function, vec![]));
    let b = main.add("b", step(function, vec![slot(a)]));
    let main = builder.region(main, slot(b));
    let entry = builder.flow("main", &[], main);
    let mut script = Script::start(builder.finish(entry), &[], &[]);
    script.take_lines();
    script.input(Input::Pause { reason: "lunch".into() });
    script.check(&["2 paused (lunch)"]);
    script.gives("main/a", 1);
    script.check(&["3 attempt-succeeded main/a#1 1", "idle paused (lunch)"]);
    script.input(Input::Resume);
    script.check(&["4 resumed", "invoke main/b#1 work(1)"]);
}

#[test]
fn a_denied_capability_is_an_event_and_the_step_runs_without_it() {
    let plan = || {
        guarded(|call| {
            call.grants = vec![Grant::Http("api.example.com".into()), Grant::Clock];
            NodePolicy::default()
        })
    };
    let mut script = Script::start(plan(), &[], &[]);
    script.check(&[
        "1 run-started main",
        "invoke main/try/other#1 work()",
        "2 denied main/try/risky#1 network api.example.com",
        "3 attempt-started main/try/risky#1",
        "invoke main/try/risky#1 work() Clock",
    ]);
    let mut script = Script::start(plan(), &[], &["http *.example.com"]);
    script.check(&[
        "1 run-started main",
        "invoke main/try/other#1 work()",
        "2 attempt-started main/try/risky#1",
        "invoke main/try/risky#1 work() Http(\"api.example.com\") Clock",
    ]);
}

#[test]
fn a_step_that_is_stopped_before_its_start_is_durable_is_never_invoked() {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut body = RegionDraft::new(0);
    let first = body.add("first", step(function, vec![]));
    body.add("other", step(function, vec![]));
    let mut send = call(function, vec![slot(first)]);
    send.grants = vec![Grant::Http("a.b".into())];
    let send = body.add("send", NodeKind::Call(Box::new(send)));
    let body = builder.region(body, slot(send));
    let handler = builder.region(RegionDraft::new(1), number(0));
    let mut main = RegionDraft::new(0);
    let tried = main.add("try", NodeKind::Try { body: child(body, &[]), handler: child(handler, &[]) });
    let main = builder.region(main, slot(tried));
    let entry = builder.flow("main", &[], main);
    let mut script = Script::start(builder.finish(entry), &[], &["http *"]);
    script.take_lines();
    script.holds = true;
    script.gives("main/try/first", 1);
    script.fails("main/try/other");
    script.commit_held();
    script.commit_held();
    script.commit_held();
    script.check(&[
        "2 attempt-succeeded main/try/first#1 1",
        "3 attempt-failed main/try/other#1 network: no route",
        "4 attempt-started main/try/send#1",
        "5 attempt-cancelled main/try/send#1",
        "6 run-ended succeeded 0",
        "ended succeeded 0",
    ]);
}

#[test]
fn values_of_the_wrong_type_are_not_supplied() {
    let script = Script::start(guarded(|_| NodePolicy::default()), &[], &[]);
    let supply = engine::event::Decision::Supply(engine::event::Payload::Value(Value::Unit));
    let refused = script.run.check_decision(engine::event::TaskId(0), &supply);
    assert_eq!(refused.unwrap_err(), "step 0 does not wait for a decision");
}
