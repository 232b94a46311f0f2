//! Waits, signals, messages and `emit` in the core.

use std::sync::Arc;

use catalog::{FailureKind, Type, Value};
use engine::core::mail::{MAX_KEPT, check_signal, signals};
use engine::core::{Action, Input, Run};
use engine::event::{TaskId, TimerId, Timestamp};
use engine::ports::{Mail, Message, Signal};
use lang::plan::{Expr, NodeKind, Plan, Slot, WaitPlan};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, child, number, numbers, slot, step, wait};

use crate::script::Script;

fn text(text: &str) -> Expr {
    Expr::Const(Value::string(text))
}

fn nothing() -> NodePolicy {
    NodePolicy { ty: Type::Unit, ..NodePolicy::default() }
}

fn signal_node(name: &str) -> NodeKind {
    NodeKind::Wait(WaitPlan::Signal { name: name.into(), ty: Type::U64 })
}

fn message_node(topic: Expr) -> NodeKind {
    NodeKind::Wait(WaitPlan::Message { topic, ty: Type::U64 })
}

fn signal(name: &str, id: &str, payload: &str) -> Input {
    Input::Mail(Mail::Signal(Signal { name: name.into(), id: id.into(), payload: payload.into() }))
}

fn message(topic: &str, id: &str, payload: &str) -> Input {
    Input::Mail(Mail::Message(Message { topic: topic.into(), id: id.into(), payload: payload.into(), trace: None }))
}

/// `main(n)` with the nodes that `draw` adds; gives its slot.
fn plan(draw: impl FnOnce(&mut PlanBuilder, &mut RegionDraft) -> Slot) -> Plan {
    let mut builder = PlanBuilder::default();
    let mut main = RegionDraft::new(0);
    let result = draw(&mut builder, &mut main);
    let main = builder.region(main, slot(result));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

/// A step, a wait of 100 ms, a step.
fn nap() -> Plan {
    plan(|builder, main| {
        let function = builder.function("work", Type::U64);
        let first = main.add("first", step(function, vec![]));
        let nap = main.node("nap", NodeKind::Wait(WaitPlan::Time(wait(100))), &[first], nothing());
        main.node("last", step(function, vec![slot(first)]), &[nap], NodePolicy::default())
    })
}

#[test]
fn a_wait_is_a_durable_timer() {
    let mut script = Script::start(nap(), &[], &[]);
    script.now = 50;
    script.gives("main/first", 1);
    script.take_lines();
    let mut script = Script::recover(script.plan, script.journal);
    assert!(script.take_lines().contains(&"set timer 0 at 150".to_owned()), "the same time for another owner");
    script.now = 149;
    script.input(Input::TimerDue(TimerId(0)));
    script.check(&["set timer 0 at 150"]);
    script.now = 150;
    script.input(Input::TimerDue(TimerId(0)));
    script.run_all();
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 2");
}

#[test]
fn a_wait_tells_what_it_waits_for() {
    let plan = plan(|_, main| {
        let policy = NodePolicy { deadline: Some(wait(500)), ..NodePolicy::default() };
        main.node("go", signal_node("approval"), &[], policy)
    });
    let mut script = Script::start(plan, &[], &[]);
    script.check(&["1 run-started main", "set timer 0 at 500", "idle main/go waits for signal approval: u64"]);
}

#[test]
fn a_signal_that_does_not_come_in_time_is_a_failure_of_kind_timeout() {
    let plan = plan(|builder, main| {
        let mut body = RegionDraft::new(0);
        let policy = NodePolicy { deadline: Some(wait(500)), ..NodePolicy::default() };
        let got = body.node("go", signal_node("approval"), &[], policy);
        let body = builder.region(body, slot(got));
        let mut handler = RegionDraft::new(1);
        let message = Expr::Field(Box::new(slot(Slot(0))), "message".into());
        let condition = Expr::Const(Value::Bool(false));
        handler.node("say", NodeKind::Require { condition, message, details: None }, &[], nothing());
        let handler = builder.region(handler, number(0));
        main.add("try", NodeKind::Try { body: child(body, &[]), handler: child(handler, &[]) })
    });
    let mut script = Script::start(plan, &[], &[]);
    script.now = 500;
    script.input(Input::TimerDue(TimerId(0)));
    let last = script.take_lines().pop().unwrap();
    assert_eq!(last, "ended failed main/try.catch/say logic: the signal `approval` did not come in time");
}

fn two_waits() -> Plan {
    plan(|builder, main| {
        let function = builder.function("work", Type::U64);
        let first = main.add("one", signal_node("n"));
        let then = main.add("step", step(function, vec![slot(first)]));
        let second = main.node("two", signal_node("n"), &[then], NodePolicy::default());
        main.add("last", step(function, vec![slot(then), slot(second)]))
    })
}

#[test]
fn what_comes_before_its_wait_is_kept_in_order_also_over_a_takeover() {
    let mut script = Script::start(two_waits(), &[], &[]);
    script.take_lines();
    script.input(signal("n", "a", "10"));
    script.check(&["2 signal-received n 10", "invoke main/step#1 work(10)"]);
    script.input(signal("n", "b", "20"));
    script.input(signal("n", "c", "30"));
    script.take_lines();
    let mut script = Script::recover(script.plan, script.journal);
    script.gives("main/step", 1);
    assert_eq!(script.in_flight["main/last"].args, [Value::U64(1), Value::U64(20)]);
}

#[test]
fn the_same_signal_counts_once() {
    let mut script = Script::start(two_waits(), &[], &[]);
    script.input(signal("n", "a", "10"));
    script.input(signal("n", "a", "10"));
    script.holds = true;
    script.input(signal("n", "b", "20"));
    script.input(signal("n", "b", "20"));
    script.commit_held();
    script.holds = false;
    let mut again = Script::recover(script.plan, script.journal);
    again.input(signal("n", "a", "10"));
    again.input(signal("n", "b", "20"));
    let received = again.journal.iter().filter(|event| format!("{event:?}").contains("SignalReceived")).count();
    assert_eq!(received, 2);
    // Without an id each one is another.
    again.input(signal("n", "", "1"));
    again.input(signal("n", "", "1"));
    let received = again.journal.iter().filter(|event| format!("{event:?}").contains("SignalReceived")).count();
    assert_eq!(received, 4);
}

#[test]
fn a_wrong_signal_is_refused_and_the_run_goes_on() {
    let mut script = Script::start(two_waits(), &[], &[]);
    script.take_lines();
    for wrong in [signal("n", "a", "\"ten\""), signal("m", "b", "1"), signal("n", "c", "{")] {
        script.input(wrong);
    }
    script.check(&[]);
    script.input(signal("n", "d", "10"));
    assert_eq!(script.running(), ["main/step"]);
    let known = signals(&script.plan);
    let refused = |name: &str, payload: &str| check_signal(&known, name, payload).unwrap_err().to_string();
    assert_eq!(refused("m", "1"), "the flow waits for no signal `m`: it waits for `n`");
    assert!(refused("n", "true").starts_with("the signal `n` carries `u64`: "), "{}", refused("n", "true"));
    assert!(refused("n", &" ".repeat(2 << 20)).ends_with("at most 1048576 are taken"));
}

#[test]
fn the_first_wait_that_opened_takes_what_comes() {
    let plan = plan(|builder, main| {
        let mut body = RegionDraft::new(1);
        let got = body.add("got", signal_node("n"));
        let body = builder.region(body, slot(got));
        let policy = NodePolicy { ty: Type::list(Type::U64), ..NodePolicy::default() };
        main.node("map", NodeKind::Map { list: numbers(0..3), body: child(body, &[]), collect: false }, &[], policy)
    });
    let mut script = Script::start(plan, &[], &[]);
    for (id, value) in [("a", "7"), ("b", "8"), ("c", "9")] {
        script.input(signal("n", id, value));
    }
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded [7,8,9]");
}

#[test]
fn a_message_that_does_not_fit_is_recorded_and_skipped() {
    let plan = plan(|_, main| main.add("m", message_node(text("t"))));
    let mut script = Script::start(plan, &[], &[]);
    script.take_lines();
    script.input(message("other", "x", "1"));
    script.check(&[]);
    script.input(message("t", "a", "\"one\""));
    script.check(&["2 message-received a t \"one\"", "idle main/m waits for message \"t\": u64"]);
    script.input(message("t", "b", "not json"));
    script.check(&[]);
    script.input(message("t", "c", "1"));
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 1");
    Run::replay(script.plan, crate::script::id(), "x".into(), &script.journal).unwrap();
}

#[test]
fn a_computed_topic_is_listened_to_while_its_wait_is_open() {
    let plan = plan(|builder, main| {
        let function = builder.function("work", Type::U64);
        let first = main.add("first", step(function, vec![]));
        let topic = Expr::Text(vec![text("t."), slot(first)]);
        main.add("m", message_node(topic))
    });
    let mut script = Script::start(plan, &[], &[]);
    script.input(message("t.5", "early", "1"));
    script.take_lines();
    script.gives("main/first", 5);
    script.check(&["2 attempt-succeeded main/first#1 5", "listen t.5", "idle main/m waits for message \"t.5\": u64"]);
    let mut script = Script::recover(script.plan, script.journal);
    assert!(script.take_lines().contains(&"listen t.5".to_owned()));
    script.input(message("t.5", "a", "2"));
    script.check(&["4 message-received a t.5 2", "unlisten t.5", "5 run-ended succeeded 2", "ended succeeded 2"]);
}

fn emitting() -> Plan {
    plan(|builder, main| {
        let function = builder.function("work", Type::U64);
        let first = main.add("first", step(function, vec![]));
        let sent = main.node("emit", NodeKind::Emit { topic: text("t"), value: slot(first) }, &[], nothing());
        main.node("last", step(function, vec![]), &[sent], NodePolicy::default())
    })
}

#[test]
fn an_emit_is_done_when_the_bus_has_it_and_is_sent_again_after_a_takeover() {
    let mut script = Script::start(emitting(), &[], &[]);
    script.gives("main/first", 5);
    assert_eq!(script.take_lines().last().unwrap(), "publish run/main/emit t 5");
    assert_eq!(script.running(), Vec::<&str>::new());
    let mut script = Script::recover(script.plan, script.journal);
    script.check(&["3 owner-changed there", "publish run/main/emit t 5"]);
    script.input(Input::Published(TaskId(1)));
    script.input(Input::Published(TaskId(1)));
    script.check(&["4 message-sent main/emit#1", "invoke main/last#1 work()"]);
    let script = Script::recover(script.plan, script.journal);
    assert!(!script.lines.iter().any(|line| line.starts_with("publish")), "{:?}", script.lines);
}

#[test]
fn a_paused_run_sends_nothing_new() {
    let mut script = Script::start(emitting(), &[], &[]);
    script.input(Input::Pause { reason: "lunch".into() });
    script.gives("main/first", 5);
    script.take_lines();
    script.input(Input::Resume);
    script.check(&["4 resumed", "publish run/main/emit t 5"]);
}

#[test]
fn a_topic_or_message_that_cannot_be_sent_is_a_failure() {
    let failing = |topic: Expr, value: Expr| {
        let plan = plan(|_, main| main.node("emit", NodeKind::Emit { topic, value }, &[], nothing()));
        Script::start(plan, &[], &[]).take_lines().pop().unwrap()
    };
    let blank = failing(Expr::Text(vec![text("")]), number(1));
    assert_eq!(blank, "ended failed main/emit invalid_input: the topic is empty");
    let large = failing(text("t"), Expr::Const(Value::string("x".repeat(2 << 20))));
    assert!(large.starts_with(&format!("ended failed main/emit {}: the message on `t` has ", FailureKind::Resource)), "{large}");
}

#[test]
fn only_so_much_is_kept() {
    let plan = plan(|builder, main| {
        let function = builder.function("work", Type::U64);
        let first = main.add("first", step(function, vec![]));
        main.node("m", message_node(text("t")), &[first], NodePolicy::default())
    });
    let plan = Arc::new(plan);
    let mut script = Script::start(Plan::clone(&plan), &[], &[]);
    for n in 0..MAX_KEPT + 10 {
        script.input(message("t", &n.to_string(), "1"));
    }
    assert_eq!(script.journal.len(), MAX_KEPT + 1);
    let mut out = Vec::new();
    let more = message("t", "more", "1");
    script.run.handle(more, Timestamp(1), &mut out);
    let [Action::Progress(told)] = out.as_slice() else { panic!("{out:?}") };
    assert!(format!("{told:?}").contains("no more are kept"), "{told:?}");
}
