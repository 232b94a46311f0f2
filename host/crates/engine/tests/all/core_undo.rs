//! Compensations: what is taken back, when, and in which order.

use catalog::{Type, Value};
use engine::core::Input;
use engine::event::TimerId;
use lang::plan::{Budget, Child, Expr, FunctionId, Grant, NodeKind, Plan, Slot, UndoPlan};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, call, child, count, number, numbers, slot, step, wait};

use crate::script::Script;

struct Saga {
    builder: PlanBuilder,
    work: FunctionId,
    cancel: FunctionId,
}

impl Saga {
    fn new() -> Self {
        let mut builder = PlanBuilder::default();
        let (work, cancel) = (builder.function("work", Type::U64), builder.function("cancel", Type::U64));
        Self { builder, work, cancel }
    }

    /// Calls `cancel` with what the node gave and a captured slot.
    fn undo(&mut self, captures: &[Slot], always: bool) -> UndoPlan {
        let inputs = u32::from(!always) + u32::try_from(captures.len()).unwrap();
        let mut body = RegionDraft::new(inputs);
        let mut cancel = call(self.cancel, (0..inputs).map(|input| slot(Slot(input))).collect());
        cancel.retry = Some(count(1));
        body.add("cancel", NodeKind::Call(Box::new(cancel)));
        UndoPlan { child: child(self.builder.region(body, number(0)), captures), always }
    }

    /// A step that is taken back.
    fn book(&mut self, draft: &mut RegionDraft, name: &str, after: &[Slot], captures: &[Slot]) -> Slot {
        let undo = Some(self.undo(captures, false));
        draft.node(name, step(self.work, vec![]), after, NodePolicy { undo, ..NodePolicy::default() })
    }

    fn last(&mut self, draft: &mut RegionDraft, after: &[Slot]) -> Slot {
        draft.node("last", step(self.work, vec![]), after, NodePolicy::default())
    }

    fn child(&mut self, draft: RegionDraft, result: Expr) -> Child {
        child(self.builder.region(draft, result), &[])
    }

    /// `main()` of this body in a `try` that gives the message of its failure.
    fn tried(mut self, body: RegionDraft) -> Plan {
        let body = self.child(body, Expr::Const(Value::string("")));
        let handler = self.child(RegionDraft::new(1), Expr::Field(Box::new(slot(Slot(0))), "message".into()));
        let mut main = RegionDraft::new(0);
        let tried = main.add("try", NodeKind::Try { body, handler });
        self.main(main, slot(tried))
    }

    fn main(mut self, draft: RegionDraft, result: Expr) -> Plan {
        let main = self.builder.region(draft, result);
        let entry = self.builder.flow("main", &[], main);
        self.builder.finish(entry)
    }
}

/// `a`, then `b`, then `last`, in a `try`.
fn two() -> Plan {
    let mut saga = Saga::new();
    let mut body = RegionDraft::new(0);
    let a = saga.book(&mut body, "a", &[], &[]);
    let b = saga.book(&mut body, "b", &[a], &[a]);
    saga.last(&mut body, &[b]);
    saga.tried(body)
}

#[test]
fn the_last_is_taken_back_first_and_one_at_a_time() {
    let mut script = Script::start(two(), &[], &[]);
    script.gives("main/try/a", 1);
    script.gives("main/try/b", 2);
    script.take_lines();
    script.fails("main/try/last");
    script.check(&["4 attempt-failed main/try/last#1 network: no route", "invoke main/try/b.undo/cancel#1 cancel(2, 1)"]);
    script.gives("main/try/b.undo/cancel", 0);
    script.check(&["5 attempt-succeeded main/try/b.undo/cancel#1 0", "invoke main/try/a.undo/cancel#1 cancel(1)"]);
    script.gives("main/try/a.undo/cancel", 0);
    script.check(&[
        "6 attempt-succeeded main/try/a.undo/cancel#1 0",
        "7 run-ended succeeded \"no route\"",
        "ended succeeded \"no route\"",
    ]);
}

#[test]
fn what_succeeds_stays() {
    let mut script = Script::start(two(), &[], &[]);
    script.gives("main/try/a", 1);
    script.gives("main/try/b", 2);
    script.gives("main/try/last", 3);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded \"\"");
}

#[test]
fn what_failed_or_was_interrupted_is_not_taken_back() {
    let mut saga = Saga::new();
    let mut body = RegionDraft::new(0);
    saga.book(&mut body, "a", &[], &[]);
    saga.book(&mut body, "b", &[], &[]);
    saga.book(&mut body, "c", &[], &[]);
    let mut script = Script::start(saga.tried(body), &[], &[]);
    script.fails("main/try/a");
    script.stops("main/try/b");
    script.take_lines();
    // It gave a value before it could be stopped, so its effect is there.
    script.gives("main/try/c", 5);
    script.check(&["4 attempt-succeeded main/try/c#1 5", "invoke main/try/c.undo/cancel#1 cancel(5)"]);
    script.gives("main/try/c.undo/cancel", 0);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded \"no route\"");
}

#[test]
fn always_takes_back_what_failed_and_what_was_interrupted() {
    let mut saga = Saga::new();
    let mut body = RegionDraft::new(0);
    let mut after = Vec::new();
    for name in ["a", "b", "c"] {
        let policy = NodePolicy { undo: Some(saga.undo(&[], true)), ..NodePolicy::default() };
        // The third one waits for both and never begins.
        let waits = if name == "c" { &*after } else { &[] };
        let made = body.node(name, step(saga.work, vec![]), waits, policy);
        after.push(made);
    }
    let mut script = Script::start(saga.tried(body), &[], &[]);
    script.fails("main/try/b");
    script.stops("main/try/a");
    assert_eq!(script.running(), ["main/try/a.undo/cancel"], "it ended last");
    script.gives("main/try/a.undo/cancel", 0);
    assert_eq!(script.running(), ["main/try/b.undo/cancel"]);
    script.gives("main/try/b.undo/cancel", 0);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded \"no route\"");
}

#[test]
fn effects_of_regions_that_have_ended_are_taken_back_with_the_rest() {
    let mut saga = Saga::new();
    let mut item = RegionDraft::new(1);
    let made = saga.book(&mut item, "in", &[], &[Slot(0)]);
    let item = saga.child(item, slot(made));
    let mut main = RegionDraft::new(0);
    let policy = NodePolicy { ty: Type::list(Type::U64), ..NodePolicy::default() };
    let map = main.node("map", NodeKind::Map { list: numbers([7, 8]), body: item, collect: false }, &[], policy);
    saga.book(&mut main, "beside", &[], &[]);
    saga.last(&mut main, &[map]);
    let mut script = Script::start(saga.main(main, number(0)), &[], &[]);
    script.gives("main/map[1]/in", 1);
    script.gives("main/beside", 2);
    script.gives("main/map[0]/in", 3);
    script.take_lines();
    script.fails("main/last");
    script.check(&["5 attempt-failed main/last#1 network: no route", "invoke main/map[0]/in.undo/cancel#1 cancel(3, 7)"]);
    script.gives("main/map[0]/in.undo/cancel", 0);
    script.gives("main/beside.undo/cancel", 0);
    script.gives("main/map[1]/in.undo/cancel", 0);
    assert_eq!(script.take_lines().last().unwrap(), "ended failed main/last network: no route");
}

#[test]
fn a_cancelled_run_is_taken_back_before_it_ends() {
    let mut script = Script::start(two(), &[], &[]);
    script.gives("main/try/a", 1);
    script.take_lines();
    script.input(Input::Cancel { reason: "enough".into() });
    script.stops("main/try/b");
    script.check(&[
        "3 cancel-requested (enough)",
        "stop step 1#1",
        "4 attempt-cancelled main/try/b#1",
        "invoke main/try/a.undo/cancel#1 cancel(1)",
    ]);
    script.input(Input::Cancel { reason: "again".into() });
    script.gives("main/try/a.undo/cancel", 0);
    assert_eq!(script.take_lines().last().unwrap(), "ended cancelled");
}

#[test]
fn a_cancel_does_not_stop_what_is_being_taken_back() {
    let mut script = Script::start(two(), &[], &[]);
    script.gives("main/try/a", 1);
    script.fails("main/try/b");
    script.take_lines();
    script.input(Input::Cancel { reason: "enough".into() });
    script.fails("main/try/a.undo/cancel");
    script.check(&[
        "4 cancel-requested (enough)",
        "5 attempt-failed main/try/a.undo/cancel#1 network: no route",
        "invoke main/try/a.undo/cancel#2 cancel(1)",
    ]);
    script.gives("main/try/a.undo/cancel", 0);
    assert_eq!(script.take_lines().last().unwrap(), "ended cancelled");
}

#[test]
fn a_deadline_does_not_stop_what_is_being_taken_back() {
    let mut saga = Saga::new();
    let mut body = RegionDraft::new(0);
    let a = saga.book(&mut body, "a", &[], &[]);
    saga.last(&mut body, &[a]);
    let body = saga.child(body, number(0));
    let mut main = RegionDraft::new(0);
    main.node("block", NodeKind::Block { body }, &[], NodePolicy { deadline: Some(wait(10)), ..NodePolicy::default() });
    let mut script = Script::start(saga.main(main, number(0)), &[], &[]);
    script.gives("main/block/a", 1);
    script.fails("main/block/last");
    script.now = 10;
    script.input(Input::TimerDue(TimerId(0)));
    assert_eq!(script.running(), ["main/block/a.undo/cancel"]);
    script.gives("main/block/a.undo/cancel", 0);
    assert_eq!(script.take_lines().last().unwrap(), "ended failed main/block timeout: the deadline passed");
}

#[test]
fn a_compensation_that_fails_is_told_and_the_others_run() {
    let mut script = Script::start(two(), &[], &[]);
    script.gives("main/try/a", 1);
    script.gives("main/try/b", 2);
    script.fails("main/try/last");
    script.fails("main/try/b.undo/cancel");
    script.fails("main/try/b.undo/cancel");
    script.gives("main/try/a.undo/cancel", 0);
    let message = "no route; `main/try/b.undo/cancel` failed to undo what was done: no route";
    assert_eq!(script.take_lines().last().unwrap(), &format!("ended succeeded \"{message}\""));
}

#[test]
fn a_loser_of_a_race_is_taken_back_before_the_race_ends() {
    let mut saga = Saga::new();
    let mut winner = RegionDraft::new(0);
    let won = saga.book(&mut winner, "win", &[], &[]);
    let mut loser = RegionDraft::new(0);
    let a = saga.book(&mut loser, "a", &[], &[]);
    let b = saga.last(&mut loser, &[a]);
    let arms = vec![saga.child(winner, slot(won)), saga.child(loser, slot(b))];
    let mut main = RegionDraft::new(0);
    let raced = main.add("race", NodeKind::Race { arms, wanted: None });
    saga.last(&mut main, &[raced]);
    let mut script = Script::start(saga.main(main, number(0)), &[], &[]);
    script.gives("main/race[1]/a", 1);
    script.gives("main/race[0]/win", 2);
    script.take_lines();
    script.stops("main/race[1]/last");
    script.check(&["4 attempt-cancelled main/race[1]/last#1", "invoke main/race[1]/a.undo/cancel#1 cancel(1)"]);
    script.gives("main/race[1]/a.undo/cancel", 0);
    assert_eq!(script.running(), ["main/last"]);
    script.fails("main/last");
    assert_eq!(script.running(), ["main/race[0]/win.undo/cancel"], "what the winner did belongs to the flow");
}

#[test]
fn what_is_done_before_a_return_belongs_to_the_flow() {
    let mut saga = Saga::new();
    let mut early = RegionDraft::new(0);
    let a = saga.book(&mut early, "a", &[], &[]);
    early.node("return", NodeKind::Return(slot(a)), &[a], NodePolicy::default());
    let then = saga.child(early, Expr::Const(Value::Unit));
    let mut body = RegionDraft::new(0);
    body.add("if", NodeKind::If { condition: Expr::Const(Value::Bool(true)), then, otherwise: None });
    let body = saga.builder.region(body, number(0));
    let flow = saga.builder.flow("early", &[], body);
    let mut main = RegionDraft::new(0);
    let called = main.add("early", NodeKind::Flow { flow, args: vec![] });
    saga.last(&mut main, &[called]);
    let mut script = Script::start(saga.main(main, slot(called)), &[], &[]);
    script.gives("main/early/if/a", 1);
    assert_eq!(script.running(), ["main/last"]);
    script.fails("main/last");
    assert_eq!(script.running(), ["main/early/if/a.undo/cancel"]);
}

#[test]
fn compensation_goes_on_after_a_crash_where_it_was() {
    let mut saga = Saga::new();
    let mut main = RegionDraft::new(0);
    let a = saga.book(&mut main, "a", &[], &[]);
    let mut undo = RegionDraft::new(1);
    let mut cancel = call(saga.cancel, vec![slot(Slot(0))]);
    cancel.grants = vec![Grant::Http("api.example.com".into())];
    undo.add("cancel", NodeKind::Call(Box::new(cancel)));
    let undo = Some(UndoPlan { child: saga.child(undo, number(0)), always: false });
    let b = main.node("b", step(saga.work, vec![]), &[a], NodePolicy { undo, ..NodePolicy::default() });
    saga.last(&mut main, &[b]);
    let mut script = Script::start(saga.main(main, number(0)), &[], &["http *"]);
    script.gives("main/a", 1);
    script.gives("main/b", 2);
    script.fails("main/last");
    assert_eq!(script.running(), ["main/b.undo/cancel"]);
    let mut script = Script::recover(script.plan, script.journal);
    let blocked = script.run.blocked();
    assert_eq!(&*blocked[0].path, "main/b.undo/cancel", "nobody knows whether it was done");
    script.input(Input::Decide {
        task: blocked[0].task,
        decision: engine::event::Decision::Retry(engine::event::Amounts::default()),
    });
    script.gives("main/b.undo/cancel", 0);
    let mut script = Script::recover(script.plan, script.journal);
    assert_eq!(script.running(), ["main/a.undo/cancel"]);
    script.gives("main/a.undo/cancel", 0);
    assert_eq!(script.take_lines().last().unwrap(), "ended failed main/last network: no route");
}

#[test]
fn a_compensation_without_end_is_ended() {
    let mut saga = Saga::new();
    let mut undo = RegionDraft::new(1);
    let until = saga.child(RegionDraft::new(1), Expr::Const(Value::Bool(false)));
    let body = saga.child(RegionDraft::new(1), slot(Slot(0)));
    undo.add("loop", NodeKind::Loop { init: slot(Slot(0)), until, body, max: count(u32::MAX), exhausted: None });
    let undo = Some(UndoPlan { child: saga.child(undo, number(0)), always: false });
    let mut main = RegionDraft::new(0);
    let a = main.node("a", step(saga.work, vec![]), &[], NodePolicy { undo, ..NodePolicy::default() });
    saga.last(&mut main, &[a]);
    let mut script = Script::start_with(saga.main(main, number(0)), &[], &[], |run| run.bound_work(1000));
    script.gives("main/a", 1);
    script.fails("main/last");
    let last = script.take_lines().pop().unwrap();
    assert!(last.starts_with("ended failed main"), "{last}");
    assert!(last.contains("1000 operations"), "{last}");
}

#[test]
fn what_is_taken_back_needs_no_budget() {
    let mut saga = Saga::new();
    let mut body = RegionDraft::new(0);
    let a = saga.book(&mut body, "a", &[], &[]);
    let b = saga.book(&mut body, "b", &[a], &[]);
    saga.last(&mut body, &[b]);
    let kind = NodeKind::Block { body: saga.child(body, number(0)) };
    let mut main = RegionDraft::new(0);
    let budget = Budget { steps: Some(number(2)), ..Budget::default() };
    main.node("block", kind, &[], NodePolicy { budget, ..NodePolicy::default() });
    let mut script = Script::start(saga.main(main, number(0)), &[], &[]);
    script.gives("main/block/a", 1);
    script.gives("main/block/b", 2);
    assert_eq!(script.running(), ["main/block/b.undo/cancel"]);
    script.gives("main/block/b.undo/cancel", 0);
    script.gives("main/block/a.undo/cancel", 0);
    let message = "the budget is used up: it has 2 steps, and 2 attempts were started";
    assert_eq!(script.take_lines().last().unwrap(), &format!("ended failed main/block resource: {message}"));
}
