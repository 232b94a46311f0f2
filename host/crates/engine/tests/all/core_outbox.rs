//! What steps have sent: nothing of it leaves before their result is durable, and all of it after. What they have taken is there again
//! when they do not succeed.

use std::sync::Arc;

use catalog::{Name, Type, Value, VariantType};
use engine::core::{Again, Input, Lineage, retry};
use engine::event::{EventBody, Posting, TaskId};
use engine::ports::{Mail, Message, Outcome};
use lang::plan::{
    Grant, HookEvent, HookInput, HookPhase, HookPlan, HookTarget, HookVerdict, MailUse, NodeKind, Plan, Slot, UndoPlan,
};
use testkit::fake::{failure, outcome};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, call, child, count, slot, step};

use crate::script::{Script, id};

const PERMITTED: [&str; 1] = ["mail_send t.>"];

/// `main()`: `tell` may send, `last` comes after it, `beside` runs at once.
fn telling(retries: u64) -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut main = RegionDraft::new(0);
    let mut tell = call(function, vec![]);
    tell.grants = vec![Grant::Mail(MailUse::Send, "t.>".into())];
    tell.retry = Some(count(u32::try_from(retries).unwrap()));
    let tell = main.node("tell", NodeKind::Call(Box::new(tell)), &[], NodePolicy::default());
    main.add("beside", step(function, vec![]));
    let last = main.add("last", step(function, vec![slot(tell)]));
    let main = builder.region(main, slot(last));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

const TWO: [(&str, &str); 2] = [("t.a", "1"), ("t.b", "{\"x\":2}")];

#[test]
fn messages_leave_when_the_result_is_durable_and_the_step_is_done_when_the_bus_has_them() {
    let mut script = Script::start(telling(0), &[], &PERMITTED);
    script.gives("main/beside", 1);
    script.take_lines();
    script.holds = true;
    script.gives_and_posts("main/tell", 5, &TWO);
    script.check(&[]);
    assert_eq!(script.held.len(), 1, "one append");
    script.holds = false;
    script.commit_held();
    script.check(&[
        "4 posted main/tell#1 t.a t.b",
        "5 attempt-succeeded main/tell#1 5",
        "publish run/main/tell.mail[0] t.a 1",
        "publish run/main/tell.mail[1] t.b {\"x\":2}",
    ]);
    script.input(Input::Published(TaskId(3)));
    script.check(&["6 message-sent main/tell.mail[1]#1"]);
    script.input(Input::Published(TaskId(2)));
    script.check(&["7 message-sent main/tell.mail[0]#1", "invoke main/last#1 work(5)"]);
}

#[test]
fn what_the_bus_has_not_said_is_sent_again_by_the_next_owner() {
    let mut script = Script::start(telling(0), &[], &PERMITTED);
    script.gives_and_posts("main/tell", 5, &TWO);
    script.input(Input::Published(TaskId(2)));
    let mut script = Script::recover(script.plan, script.journal);
    let lines = script.take_lines();
    let sent: Vec<&String> = lines.iter().filter(|line| line.starts_with("publish")).collect();
    assert_eq!(sent, ["publish run/main/tell.mail[1] t.b {\"x\":2}"], "{lines:?}");
    script.input(Input::Published(TaskId(3)));
    script.run_all();
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 6");
}

#[test]
fn what_was_sent_by_an_attempt_whose_end_is_lost_was_never_sent() {
    let mut script = Script::start(telling(0), &[], &PERMITTED);
    script.holds = true;
    script.gives_and_posts("main/tell", 5, &TWO);
    // Its process dies before that is durable. The step may run again: nothing of it came out.
    let mut script = Script::recover(script.plan, script.journal);
    assert!(script.running().contains(&"main/tell"), "{:?}", script.running());
    assert!(!script.lines.iter().any(|line| line.starts_with("publish")), "{:?}", script.lines);
    script.take_lines();
    script.gives_and_posts("main/tell", 5, &TWO[..1]);
    assert_eq!(script.take_lines().last().unwrap(), "publish run/main/tell.mail[0] t.a 1");
}

#[test]
fn a_failed_attempt_sends_nothing() {
    let mut script = Script::start(telling(1), &[], &PERMITTED);
    let start = script.in_flight.remove("main/tell").unwrap();
    let posted = vec![Posting { topic: "t.a".into(), payload: "1".into() }];
    let failed = Outcome { posted, ..outcome(Err(failure(catalog::FailureKind::Network, "no"))) };
    script.input(Input::Outcome { task: start.task, number: 1, outcome: Box::new(failed) });
    assert!(!script.lines.iter().any(|line| line.contains("posted") || line.starts_with("publish")), "{:?}", script.lines);
    script.gives_and_posts("main/tell", 5, &TWO[..1]);
    assert_eq!(script.take_lines().last().unwrap(), "publish run/main/tell.mail[0] t.a 1");
}

#[test]
fn what_has_left_arrives_though_nobody_wants_the_step_any_more() {
    let mut script = Script::start(telling(0), &[], &PERMITTED);
    script.gives_and_posts("main/tell", 5, &TWO[..1]);
    script.fails("main/beside");
    assert!(!script.lines.iter().any(|line| line.starts_with("ended")), "{:?}", script.lines);
    script.input(Input::Published(TaskId(2)));
    assert_eq!(script.take_lines().last().unwrap(), "ended failed main/beside network: no route");
}

/// `main()`: `tell` may send, each message under a handler that is asked before, and can be taken back; `beside` runs at once.
fn asked() -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let case = |name: &str, carries: Option<Type>| (Name::from(name), carries);
    let cases = vec![case("allow", None), case("veto", Some(Type::String)), case("rewrite", Some(Type::String))];
    let verdict = Type::Variant(Arc::new(VariantType { name: None, cases }));
    let guard = builder.function_of("guard", &[("message", Type::String)], verdict);
    let mut main = RegionDraft::new(0);
    let mut tell = call(function, vec![]);
    tell.grants = vec![Grant::Mail(MailUse::Send, "t.>".into())];
    let undo = builder.function("undo", Type::U64);
    let mut taken_back = RegionDraft::new(1);
    taken_back.add("undo", step(undo, vec![slot(Slot(0))]));
    let taken_back = builder.region(taken_back, slot(Slot(0)));
    let undo = Some(UndoPlan { child: child(taken_back, &[]), always: false });
    let tell = main.node("tell", NodeKind::Call(Box::new(tell)), &[], NodePolicy { undo, ..NodePolicy::default() });
    main.add("beside", step(function, vec![]));
    let main = builder.region(main, slot(tell));
    let entry = builder.flow("main", &[], main);
    let mut plan = builder.finish(entry);
    plan.hooks = vec![HookPlan {
        phase: HookPhase::Before,
        event: HookEvent::Message,
        target: HookTarget::All,
        call: call(guard, Vec::new()),
        inputs: vec![HookInput::Message],
        verdict: HookVerdict::Cases,
        span: lang::Span::default(),
    }];
    plan
}

fn said(case: &str, text: Option<&str>) -> Value {
    Value::Variant(case.into(), text.map(|text| Arc::new(Value::string(text))))
}

#[test]
fn handlers_are_asked_about_each_message_before_the_first_one_leaves() {
    let mut script = Script::start(asked(), &[], &PERMITTED);
    script.gives_and_posts("main/tell", 5, &TWO);
    assert_eq!(script.running(), ["main/beside", "main/tell.mail[0].before[0]", "main/tell.mail[1].before[0]"]);
    script.take_lines();
    script.gives_value("main/tell.mail[0].before[0]", said("rewrite", Some("\"tea\"")));
    assert!(!script.take_lines().iter().any(|line| line.starts_with("publish")), "not before all are agreed to");
    script.gives_value("main/tell.mail[1].before[0]", said("allow", None));
    let sent: Vec<String> = script.take_lines().into_iter().filter(|line| line.starts_with("publish")).collect();
    assert_eq!(sent, ["publish run/main/tell.mail[0] t.a \"tea\"", "publish run/main/tell.mail[1] t.b {\"x\":2}"]);
}

#[test]
fn a_veto_lets_no_message_of_the_step_leave_and_fails_it() {
    let mut script = Script::start(asked(), &[], &PERMITTED);
    script.gives("main/beside", 1);
    script.gives_and_posts("main/tell", 5, &TWO);
    script.gives_value("main/tell.mail[0].before[0]", said("allow", None));
    script.gives_value("main/tell.mail[1].before[0]", said("veto", Some("not today")));
    assert_eq!(script.running(), ["main/tell.undo/undo"], "what it did besides is taken back");
    script.gives("main/tell.undo/undo", 0);
    let lines = script.take_lines();
    assert!(!lines.iter().any(|line| line.starts_with("publish")), "{lines:?}");
    assert_eq!(lines.last().unwrap(), "ended failed main/tell permission: `step` refused it: not today");
    let found = retry(&Lineage::from(Arc::clone(&script.plan)), &id(), &script.journal, &[]).unwrap();
    assert_eq!(found.again, [Again { path: "main/tell".into(), undone: true }], "the operator hears that it is done again");
    assert_eq!(found.origin.results.iter().map(|result| &*result.path).collect::<Vec<_>>(), ["main/beside"]);
}

#[test]
fn what_a_step_did_is_taken_back_though_its_messages_have_not_left() {
    let mut script = Script::start(asked(), &[], &PERMITTED);
    script.gives_and_posts("main/tell", 5, &TWO);
    script.gives_value("main/tell.mail[0].before[0]", said("allow", None));
    script.fails("main/beside");
    script.run_all();
    let lines = script.take_lines();
    assert!(!lines.iter().any(|line| line.starts_with("publish")), "{lines:?}");
    assert!(lines.contains(&"invoke main/tell.undo/undo#1 undo(5)".to_owned()), "{lines:?}");
    // The same when it succeeds after it was told to stop.
    let mut script = Script::start(asked(), &[], &PERMITTED);
    script.fails("main/beside");
    script.gives_and_posts("main/tell", 5, &TWO);
    script.run_all();
    let lines = script.take_lines();
    assert!(!lines.iter().any(|line| line.starts_with("publish")), "{lines:?}");
    assert!(lines.contains(&"invoke main/tell.undo/undo#1 undo(5)".to_owned()), "{lines:?}");
}

#[test]
fn what_no_operator_permits_is_denied_before_the_step_begins() {
    let mut script = Script::start(telling(0), &[], &["mail_send other", "mail_ask *"]);
    let lines = script.take_lines();
    assert!(lines.contains(&"2 denied main/tell#1 mail_send t.>".to_owned()), "{lines:?}");
}

/// `main()`: `take` may take messages on `t`, and be tried twice.
fn taking() -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut main = RegionDraft::new(0);
    let mut take = call(function, vec![]);
    take.grants = vec![Grant::Mail(MailUse::Receive, "t".into())];
    take.retry = Some(count(1));
    let take = main.node("take", NodeKind::Call(Box::new(take)), &[], NodePolicy::default());
    let main = builder.region(main, slot(take));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

fn comes(script: &mut Script, id: &str, payload: &str) {
    let message = Message { topic: "t".into(), id: id.into(), payload: payload.into(), trace: None };
    script.input(Input::Mail(Mail::Message(message)));
}

/// What the attempt that runs gets when it looks for a message.
fn takes(script: &mut Script, number: u32) -> String {
    script.take_lines();
    script.input(Input::Receive { task: TaskId(0), number, topic: "t".into() });
    script.take_lines().pop().unwrap()
}

#[test]
fn an_attempt_takes_messages_in_order_and_gives_them_back_when_it_fails() {
    let mut script = Script::start(taking(), &[], &["mail_receive t"]);
    assert_eq!(takes(&mut script, 1), "hand step 0#1 nothing");
    assert!(!script.journal.iter().any(|event| matches!(event.body, EventBody::Taken { .. })), "nothing is recorded of nothing");
    for (id, payload) in [("a", "1"), ("b", "{\"x\":2}"), ("a", "1"), ("c", "3")] {
        comes(&mut script, id, payload);
    }
    assert_eq!(takes(&mut script, 1), "hand step 0#1 a 1");
    assert_eq!(takes(&mut script, 1), "hand step 0#1 b {\"x\":2}");
    script.fails("main/take");
    assert_eq!(takes(&mut script, 2), "hand step 0#2 a 1");
    assert_eq!(takes(&mut script, 2), "hand step 0#2 b {\"x\":2}");
    assert_eq!(takes(&mut script, 2), "hand step 0#2 c 3");
    assert_eq!(takes(&mut script, 2), "hand step 0#2 nothing");
    script.gives("main/take", 1);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 1");
}

#[test]
fn what_a_lost_attempt_took_is_there_again() {
    let mut script = Script::start(taking(), &[], &["mail_receive t"]);
    comes(&mut script, "a", "1");
    comes(&mut script, "b", "2");
    assert_eq!(takes(&mut script, 1), "hand step 0#1 a 1");
    let mut script = Script::recover(script.plan, script.journal);
    assert_eq!(script.running(), ["main/take"], "it may run again: it took nothing for good");
    assert_eq!(takes(&mut script, 2), "hand step 0#2 a 1");
    // One that is not there any more gets nothing, and takes nothing.
    assert_eq!(takes(&mut script, 1), "hand step 0#1 nothing");
    assert_eq!(takes(&mut script, 2), "hand step 0#2 b 2");
}

#[test]
fn a_message_that_comes_while_another_is_written_is_found() {
    let mut script = Script::start(taking(), &[], &["mail_receive t"]);
    script.holds = true;
    comes(&mut script, "a", "1");
    script.input(Input::Receive { task: TaskId(0), number: 1, topic: "t".into() });
    script.take_lines();
    script.holds = false;
    script.commit_held();
    assert_eq!(script.take_lines().pop().unwrap(), "hand step 0#1 a 1");
}
