//! The recovery table in the core: what becomes of a step that goes on failing, row by row, and what a human can do.
//!
//! `tests/recovery/<kind>.txt` is what happens to a step that always fails with this kind, in a run that may ask a human;
//! `BLESS=1` writes it. The step stands beside one that does not depend on it, and before two that do.

use std::path::Path;

use catalog::{FailureKind, Type};
use engine::core::{BlockedBy, Input, Run};
use engine::event::{Amounts, Decision, Event, EventBody, Level, Payload, RunStarted, TaskId, Timestamp};
use engine::recovery::{Recovery, default_rows};
use lang::plan::{Grant, NodeKind, Plan};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, call, child, count, number, slot, step};

use crate::script::{Script, id};

const MIB: u64 = 1 << 20;

fn table(escalates: bool) -> Recovery {
    let mut table = Recovery { escalates, rows: default_rows(), ..Recovery::default() };
    table.bounds.defaults = Amounts { timeout: Some(60_000_000_000), memory: Some(1024 * MIB), fuel: Some(1000) };
    table.bounds.ceilings = Amounts { timeout: None, memory: Some(4096 * MIB), fuel: None };
    table
}

/// `main()`: `risky`, then `next`, then `last`; `other` beside them.
fn beside(make: impl FnOnce(&mut lang::plan::CallPlan)) -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut main = RegionDraft::new(0);
    let mut risky = call(function, vec![]);
    make(&mut risky);
    let risky = main.node("risky", NodeKind::Call(Box::new(risky)), &[], NodePolicy::default());
    main.add("other", step(function, vec![]));
    let next = main.add("next", step(function, vec![slot(risky)]));
    let last = main.add("last", step(function, vec![slot(next)]));
    let main = builder.region(main, slot(last));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

fn start(plan: Plan, table: Recovery) -> Script {
    Script::start_as(plan, &[], &["http *"], |started: &mut RunStarted| started.recovery = Some(table.into()))
}

fn effectful(call: &mut lang::plan::CallPlan) {
    call.grants = vec![Grant::Http("api.example.com".into())];
}

fn limit(kind: FailureKind) -> Option<&'static str> {
    (kind == FailureKind::Resource).then_some("memory")
}

/// Lets the step fail again and again, as long as it is tried. Gives how often that was.
fn keep_failing(script: &mut Script, path: &str, kind: FailureKind) -> u32 {
    let mut attempts = 0;
    while script.in_flight.contains_key(path) || script.next_timer().is_some() {
        if script.in_flight.contains_key(path) {
            script.fails_with(path, kind, limit(kind));
            attempts += 1;
        } else {
            script.fire_timer();
        }
    }
    attempts
}

#[test]
fn every_row_of_the_table() {
    for kind in FailureKind::ALL {
        let mut script = start(beside(|_| {}), table(true));
        keep_failing(&mut script, "main/risky", kind);
        if script.in_flight.contains_key("main/other") {
            script.gives("main/other", 1);
        }
        for path in script.running().into_iter().map(str::to_owned).collect::<Vec<_>>() {
            script.stops(&path);
        }
        let mut found = script.take_lines().join("\n");
        found.push('\n');
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recovery").join(format!("{kind}.txt"));
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&file, &found).unwrap();
        }
        assert_eq!(found, std::fs::read_to_string(&file).unwrap_or_default(), "{}", file.display());
        replays(&script);
    }
}

/// The same events give the same state.
fn replays(script: &Script) {
    let again = Run::replay(script.plan.clone(), id(), "here".into(), &script.journal).unwrap();
    assert_eq!(again.snapshot(), script.run.snapshot());
}

#[test]
fn without_a_human_the_third_level_fails() {
    for kind in FailureKind::ALL {
        let mut script = start(beside(|_| {}), table(false));
        keep_failing(&mut script, "main/risky", kind);
        script.stops("main/other");
        let last = script.take_lines().pop().unwrap();
        assert!(last.starts_with(&format!("ended failed main/risky {kind}")), "{last}");
    }
}

#[test]
fn the_flow_comes_first() {
    // Its own retries, then the table's.
    let mut script = start(beside(|call| call.retry = Some(count(2))), table(true));
    assert_eq!(keep_failing(&mut script, "main/risky", FailureKind::Internal), 4);
    // What the flow says about the end of attempts.
    let mut script = start(beside(|call| call.rules.fails = true), table(true));
    assert_eq!(keep_failing(&mut script, "main/risky", FailureKind::Network), 1);
    assert!(script.run.blocked().is_empty());
    let mut script = start(beside(|call| call.rules.pauses = true), table(true));
    assert_eq!(keep_failing(&mut script, "main/risky", FailureKind::Network), 1);
    assert!(matches!(script.run.blocked()[0].by, BlockedBy::Exhausted { .. }));
    // Whoever takes the failure.
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut body = RegionDraft::new(0);
    let risky = body.add("risky", step(function, vec![]));
    let body = builder.region(body, slot(risky));
    let handler = builder.region(RegionDraft::new(1), number(7));
    let mut main = RegionDraft::new(0);
    let tried = main.add("try", NodeKind::Try { body: child(body, &[]), handler: child(handler, &[]) });
    let main = builder.region(main, slot(tried));
    let entry = builder.flow("main", &[], main);
    let mut script = start(builder.finish(entry), table(true));
    script.fails_with("main/try/risky", FailureKind::Logic, None);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 7");
}

#[test]
fn a_race_takes_a_failure_only_while_it_can_still_be_won() {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let arms = (0..2).map(|arm| {
        let mut region = RegionDraft::new(0);
        let made = region.add(&format!("arm{arm}"), step(function, vec![]));
        (region, made)
    });
    let arms: Vec<_> =
        arms.collect::<Vec<_>>().into_iter().map(|(region, made)| child(builder.region(region, slot(made)), &[])).collect();
    let mut main = RegionDraft::new(0);
    let race = main.add("race", NodeKind::Race { arms, wanted: None });
    let main = builder.region(main, slot(race));
    let entry = builder.flow("main", &[], main);
    let mut script = start(builder.finish(entry), table(true));
    script.fails_with("main/race[0]/arm0", FailureKind::Logic, None);
    assert!(script.run.blocked().is_empty());
    script.fails_with("main/race[1]/arm1", FailureKind::Logic, None);
    assert_eq!(script.run.blocked().len(), 1, "now nothing else can win");
}

#[test]
fn a_step_with_effects_is_not_tried_again_unless_the_flow_says_so() {
    let mut script = start(beside(effectful), table(true));
    assert_eq!(keep_failing(&mut script, "main/risky", FailureKind::Network), 1);
    assert!(matches!(script.run.blocked()[0].by, BlockedBy::Escalated { kind: FailureKind::Network, .. }));
    let idempotent = |call: &mut lang::plan::CallPlan| {
        effectful(call);
        call.idempotent = true;
    };
    let mut script = start(beside(idempotent), table(true));
    assert_eq!(keep_failing(&mut script, "main/risky", FailureKind::Network), 6);
}

/// A run whose step is escalated, with nothing else left to do.
fn escalated() -> Script {
    let mut script = start(beside(|_| {}), table(true));
    script.fails_with("main/risky", FailureKind::Logic, None);
    script.gives("main/other", 1);
    script.take_lines();
    script
}

#[test]
fn a_human_retries_with_other_limits_supplies_or_lets_it_fail() {
    let limits = Amounts { memory: Some(2048 * MIB), ..Amounts::default() };
    let mut script = escalated();
    script.input(Input::Decide { task: TaskId(0), decision: Decision::Retry(limits) });
    assert_eq!(script.in_flight["main/risky"].wishes.memory, Some(2048 * MIB));
    assert_eq!(script.in_flight["main/risky"].previous_failure.as_ref().unwrap().message, "no route");
    script.check(&[
        "5 operator-decision step 0 retry with memory 2147483648",
        "6 attempt-started main/risky#2 with memory 2147483648",
        "invoke main/risky#2 work()",
    ]);
    script.fails_with("main/risky", FailureKind::Logic, None);
    let report = script.journal.iter().rev().find_map(|event| match &event.body {
        EventBody::Escalated(escalation) => Some((**escalation).clone()),
        _ => None,
    });
    let by: Vec<Level> = report.unwrap().tried.iter().map(|tried| tried.by).collect();
    assert_eq!(by, [Level::Flow, Level::Human], "it is asked again");
    script.input(Input::Decide { task: TaskId(0), decision: Decision::Supply(Payload::Text("5".into())) });
    assert_eq!(script.running(), ["main/next"]);
    replays(&script);
    let mut script = escalated();
    script.input(Input::Decide { task: TaskId(0), decision: Decision::Fail("no".into()) });
    assert_eq!(script.take_lines().last().unwrap(), "ended failed main/risky logic: no route", "its own failure goes its way");
}

#[test]
fn nobody_is_waited_for_longer_than_configured() {
    let mut script = start(beside(|_| {}), Recovery { patience: Some(5000), ..table(true) });
    script.fails_with("main/risky", FailureKind::Logic, None);
    script.gives("main/other", 1);
    script.take_lines();
    script.fire_timer();
    script.check(&[
        "5 timer-fired 0",
        "6 operator-decision step 0 fail nobody has decided within 5s",
        "7 run-ended failed main/risky logic: no route",
        "ended failed main/risky logic: no route",
    ]);
    replays(&script);
}

#[test]
fn a_crash_between_the_failure_and_the_report_loses_neither() {
    let script = escalated();
    for cut in 1..=script.journal.len() {
        let journal: Vec<Event> = script.journal[..cut].to_vec();
        let failed = journal.iter().any(|event| matches!(event.body, EventBody::AttemptFailed { .. }));
        let again = Script::recover(script.plan.clone(), journal);
        let reports = again.journal.iter().filter(|event| matches!(event.body, EventBody::Escalated(_))).count();
        assert_eq!(reports, usize::from(failed), "after {cut} events");
    }
}

#[test]
fn a_compensation_that_fails_is_escalated_and_can_be_done_again() {
    let mut script = saga(true);
    script.fails_with("main/charge.undo/refund", FailureKind::Error, None);
    assert!(matches!(script.run.blocked()[0].by, BlockedBy::Escalated { kind: FailureKind::Error, .. }), "whatever its kind");
    let task = script.run.blocked()[0].task;
    script.input(Input::Decide { task, decision: Decision::Retry(Amounts::default()) });
    script.gives("main/charge.undo/refund", 1);
    assert_eq!(script.take_lines().last().unwrap(), "ended failed main/ship error: no route");
    assert!(script.run.not_undone().is_empty());
    replays(&script);
}

#[test]
fn where_nobody_is_asked_the_run_says_what_is_not_undone() {
    let mut script = saga(false);
    script.fails_with("main/charge.undo/refund", FailureKind::Error, None);
    let paths: Vec<&str> = script.run.not_undone().iter().map(|(path, _)| &**path).collect();
    assert_eq!(paths, ["main/charge.undo/refund"]);
    let last = script.take_lines().pop().unwrap();
    assert!(last.starts_with("ended failed main/ship error: no route; `main/charge.undo/refund` failed to undo"), "{last}");
    replays(&script);
}

/// `charge` is done and is to be taken back, because `ship` failed.
fn saga(escalates: bool) -> Script {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut undo = RegionDraft::new(1);
    undo.add("refund", step(function, vec![]));
    let undo = builder.region(undo, number(0));
    let mut main = RegionDraft::new(0);
    let charge = main.add("charge", step(function, vec![]));
    let ship = main.add("ship", step(function, vec![slot(charge)]));
    let main = builder.region(main, slot(ship));
    let entry = builder.flow("main", &[], main);
    let mut plan = builder.finish(entry);
    let charge = plan.nodes.iter().find(|(_, node)| &*node.name == "charge").map(|(id, _)| id).unwrap();
    plan.nodes[charge].undo = Some(Box::new(lang::plan::UndoPlan { child: child(undo, &[]), always: false }));
    let mut script = start(plan, table(escalates));
    script.gives("main/charge", 1);
    script.fails_with("main/ship", FailureKind::Error, None);
    assert_eq!(script.running(), ["main/charge.undo/refund"]);
    script
}

#[test]
fn a_late_report_about_a_step_that_is_not_wanted_any_more_changes_nothing() {
    let mut script = start(beside(|_| {}), table(true));
    script.holds = true;
    script.fails_with("main/risky", FailureKind::Logic, None);
    script.input(Input::Cancel { reason: "enough".into() });
    script.commit_held();
    script.commit_held();
    script.stops("main/other");
    script.commit_held();
    script.commit_held();
    assert_eq!(script.take_lines().last().unwrap(), "ended cancelled");
    assert!(script.journal.iter().all(|event| event.at >= Timestamp(0)));
    replays(&script);
}
