//! Priority, keys, rates, budgets, breakers, and pauses when attempts are used up.

use std::sync::Arc;

use catalog::{Type, Value};
use engine::core::{BlockedBy, Input, Run};
use engine::event::{Amounts, Decision, Payload, TaskId, TimerId};
use lang::plan::{Backoff, Breaker, Budget, CallPlan, Expr, NodeKind, Plan, Rate, Slot};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, call, child, count, number, numbers, slot, wait};

use crate::script::{Script, id};

const MILLISECOND: u64 = 1_000_000;

fn text(text: &str) -> Option<Expr> {
    Some(Expr::Const(Value::string(text)))
}

/// Makes a step what it is.
type Change<'c> = &'c dyn Fn(&mut CallPlan);

/// `main()` of steps without order, each made by one of these, of which so many run at once.
fn beside(parallel: Option<u32>, steps: &[(&str, Change<'_>)]) -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut main = RegionDraft::new(0);
    for (name, change) in steps {
        let mut plan = call(function, vec![]);
        change(&mut plan);
        main.add(name, NodeKind::Call(Box::new(plan)));
    }
    let main = builder.region(main, number(7));
    let entry = builder.flow("main", &[], main);
    builder.flow_mut(entry).unwrap().parallel = parallel.map(count);
    builder.finish(entry)
}

/// `main()` with a `try` of a block with this budget, in which a map has a step `work` for each of four items, two at a time.
fn bounded(budget: Budget) -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut each = RegionDraft::new(1);
    let mut work = call(function, vec![slot(Slot(0))]);
    work.retry = Some(count(1));
    let made = each.add("work", NodeKind::Call(Box::new(work)));
    let each = builder.region(each, slot(made));
    let mut inner = RegionDraft::new(0);
    let kind = NodeKind::Map { list: numbers([1, 2, 3, 4]), body: child(each, &[]), collect: false };
    let policy = NodePolicy { parallel: Some(count(2)), ty: Type::list(Type::U64), ..NodePolicy::default() };
    inner.node("all", kind, &[], policy);
    let inner = builder.region(inner, Expr::Const(Value::string("enough")));
    let mut body = RegionDraft::new(0);
    let policy = NodePolicy { budget, ty: Type::String, ..NodePolicy::default() };
    let block = body.node("block", NodeKind::Block { body: child(inner, &[]) }, &[], policy);
    let body = builder.region(body, slot(block));
    let message = Expr::Field(Box::new(slot(Slot(0))), "message".into());
    let kind = Expr::Field(Box::new(slot(Slot(0))), "kind".into());
    let said = Expr::Text(vec![kind, Expr::Const(Value::string(": ")), message]);
    let handler = builder.region(RegionDraft::new(1), said);
    let mut main = RegionDraft::new(0);
    let tried = main.add("try", NodeKind::Try { body: child(body, &[]), handler: child(handler, &[]) });
    let main = builder.region(main, slot(tried));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

/// What a replay makes of the journal is what the run is.
#[track_caller]
fn replays(script: &Script) {
    let again = Run::replay(Arc::clone(&script.plan), id(), "here".into(), &script.journal).unwrap();
    assert_eq!(again.snapshot(), script.run.snapshot());
}

#[track_caller]
fn ends(script: &mut Script, end: &str) {
    assert_eq!(script.take_lines().last().unwrap(), end);
    replays(script);
}

fn priority(priority: i32) -> impl Fn(&mut CallPlan) {
    move |call| call.rules.priority = Some(Expr::Const(Value::S32(priority)))
}

#[test]
fn places_are_taken_by_priority_and_equals_keep_their_order() {
    let (low, high) = (priority(-1), priority(5));
    let nothing = |_: &mut CallPlan| {};
    let plan = beside(Some(1), &[("low", &low), ("a", &nothing), ("high", &high), ("b", &nothing), ("higher", &high)]);
    let mut script = Script::start(plan, &[], &[]);
    let mut order = Vec::new();
    while let Some(path) = script.in_flight.keys().next().cloned() {
        assert_eq!(script.running().len(), 1);
        order.push(path.replace("main/", ""));
        script.gives(&path, 1);
    }
    assert_eq!(order, ["high", "higher", "a", "b", "low"]);
    ends(&mut script, "ended succeeded 7");
}

fn locked(key: &'static str, backoff: Backoff) -> impl Fn(&mut CallPlan) {
    move |call| {
        call.rules.key = text(key);
        call.retry = Some(count(1));
        call.backoff = backoff.clone();
    }
}

#[test]
fn a_key_is_held_until_the_step_is_over_and_not_longer() {
    let (a, b) = (locked("a", Backoff::Constant(wait(50))), locked("b", Backoff::None));
    let mut script = Script::start(beside(None, &[("one", &a), ("two", &a), ("other", &b), ("three", &a)]), &[], &[]);
    assert_eq!(script.running(), ["main/one", "main/other"]);
    script.fails("main/one");
    assert_eq!(script.running(), ["main/other"], "the key is held while it waits for its retry");
    script.now = 50;
    script.input(Input::TimerDue(TimerId(0)));
    replays(&script);
    script.fails("main/one");
    ends_with_failure(&mut script, "main/other");
}

#[track_caller]
fn ends_with_failure(script: &mut Script, beside: &str) {
    assert_eq!(script.running(), [beside], "nothing starts when the run has failed");
    script.stops(beside);
    ends(script, "ended failed main/one network: no route");
}

#[test]
fn keys_go_on_in_order_and_a_step_that_waits_for_one_holds_no_place() {
    let a = locked("a", Backoff::Constant(wait(50)));
    let nothing = |_: &mut CallPlan| {};
    let mut script = Script::start(beside(Some(1), &[("one", &a), ("two", &a), ("free", &nothing), ("three", &a)]), &[], &[]);
    assert_eq!(script.running(), ["main/one"]);
    script.fails("main/one");
    assert_eq!(script.running(), ["main/free"], "the one place is free while the key is held");
    script.now = 50;
    script.input(Input::TimerDue(TimerId(0)));
    assert_eq!(script.running(), ["main/free"], "the holder of the key waits for the place");
    script.gives("main/free", 1);
    for step in ["one", "two", "three"] {
        let path = format!("main/{step}");
        assert_eq!(script.running(), [path.as_str()]);
        script.gives(&path, 1);
    }
    ends(&mut script, "ended succeeded 7");
}

#[test]
fn a_step_that_is_stopped_gives_its_key_back() {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let step = |deadline| {
        let mut plan = call(function, vec![]);
        plan.rules.key = text("a");
        (NodeKind::Call(Box::new(plan)), NodePolicy { deadline, ..NodePolicy::default() })
    };
    let mut body = RegionDraft::new(0);
    for (name, deadline) in [("slow", Some(wait(10))), ("waits", None)] {
        let (kind, policy) = step(deadline);
        body.node(name, kind, &[], policy);
    }
    let body = builder.region(body, number(0));
    let handler = builder.region(RegionDraft::new(1), number(1));
    let mut main = RegionDraft::new(0);
    let tried = main.add("try", NodeKind::Try { body: child(body, &[]), handler: child(handler, &[]) });
    let (kind, policy) = step(None);
    main.node("after", kind, &[tried], policy);
    let main = builder.region(main, slot(tried));
    let entry = builder.flow("main", &[], main);
    let mut script = Script::start(builder.finish(entry), &[], &[]);
    script.now = 10;
    script.input(Input::TimerDue(TimerId(0)));
    script.stops("main/try/slow");
    assert_eq!(script.running(), ["main/after"], "neither the stopped step nor the one that waited has the key");
    script.gives("main/after", 1);
    ends(&mut script, "ended succeeded 1");
}

fn paced(call: &mut CallPlan) {
    call.rules.rate = Some(Rate { count: 2, per: 100 * MILLISECOND });
}

/// `main()` that maps five items with a step that starts at most twice in 100 ms.
fn paced_map() -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut each = RegionDraft::new(1);
    let mut work = call(function, vec![slot(Slot(0))]);
    paced(&mut work);
    let made = each.add("work", NodeKind::Call(Box::new(work)));
    let each = builder.region(each, slot(made));
    let mut main = RegionDraft::new(0);
    let kind = NodeKind::Map { list: numbers(1..6), body: child(each, &[]), collect: false };
    let all = main.node("all", kind, &[], NodePolicy { ty: Type::list(Type::U64), ..NodePolicy::default() });
    let main = builder.region(main, slot(all));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

#[test]
fn a_rate_is_kept_over_all_instances_and_never_early() {
    let mut script = Script::start(paced_map(), &[], &[]);
    script.check(&[
        "1 run-started main",
        "invoke main/all[0]/work#1 work(1)",
        "invoke main/all[1]/work#1 work(2)",
        "set timer 0 at 100",
    ]);
    script.now = 40;
    script.gives("main/all[0]/work", 1);
    script.now = 99;
    script.input(Input::TimerDue(TimerId(0)));
    assert_eq!(script.running(), ["main/all[1]/work"]);
    script.now = 130;
    script.input(Input::TimerDue(TimerId(0)));
    assert_eq!(script.running(), ["main/all[1]/work", "main/all[2]/work", "main/all[3]/work"]);
    assert_eq!(script.take_lines().last().unwrap(), "set timer 1 at 230");
    replays(&script);
    script.run_all();
    script.now = 230;
    script.input(Input::TimerDue(TimerId(1)));
    script.run_all();
    ends(&mut script, "ended succeeded [1,3,4,5,6]");
}

#[test]
fn a_rate_holds_across_a_crash() {
    let mut script = Script::start(paced_map(), &[], &[]);
    script.now = 10;
    script.gives("main/all[0]/work", 1);
    let journal = script.journal.clone();
    let after = Script::recover(Arc::clone(&script.plan), journal);
    assert_eq!(after.running(), ["main/all[1]/work"], "what was lost starts again, the others when their time has come");
}

#[test]
fn a_step_that_waits_for_its_rate_can_be_stopped() {
    let mut script = Script::start(paced_map(), &[], &[]);
    script.take_lines();
    script.input(Input::Cancel { reason: "enough".into() });
    assert!(script.take_lines().contains(&"clear timer 0".to_owned()));
    script.stops("main/all[0]/work");
    script.stops("main/all[1]/work");
    ends(&mut script, "ended cancelled");
}

#[test]
fn a_block_fails_when_an_attempt_would_begin_beyond_its_steps() {
    let mut script = Script::start(bounded(Budget { steps: Some(number(3)), ..Budget::default() }), &[], &[]);
    script.fails("main/try/block/all[0]/work");
    assert_eq!(script.running().len(), 2, "the retry is the third attempt");
    script.gives("main/try/block/all[0]/work", 1);
    assert_eq!(script.take_lines().last().unwrap(), "stop step 1#1", "the fourth does not begin");
    replays(&script);
    script.stops("main/try/block/all[1]/work");
    ends(&mut script, "ended succeeded \"resource: the budget is used up: it has 3 steps, and 3 attempts were started\"");
}

#[test]
fn a_budget_that_is_enough_changes_nothing() {
    let mut script = Script::start(bounded(Budget { steps: Some(number(4)), ..Budget::default() }), &[], &[]);
    script.run_all();
    ends(&mut script, "ended succeeded \"enough\"");
}

#[test]
fn a_block_fails_when_too_much_fuel_was_billed() {
    // Each attempt of the tests is billed one unit.
    let mut script = Script::start(bounded(Budget { fuel: Some(number(2)), ..Budget::default() }), &[], &[]);
    script.gives("main/try/block/all[0]/work", 1);
    script.gives("main/try/block/all[1]/work", 1);
    script.stops("main/try/block/all[2]/work");
    ends(&mut script, "ended succeeded \"resource: the budget is used up: it has 2 units of fuel, and 2 were billed\"");
}

#[test]
fn the_time_of_a_budget_is_a_deadline_of_its_own_kind() {
    let mut script = Script::start(bounded(Budget { time: Some(wait(500)), ..Budget::default() }), &[], &[]);
    script.now = 500;
    script.input(Input::TimerDue(TimerId(0)));
    for item in [0, 1] {
        script.stops(&format!("main/try/block/all[{item}]/work"));
    }
    ends(&mut script, "ended succeeded \"resource: the budget is used up: it has a time of 500ms\"");
    let mut script = Script::start(bounded(Budget { time: Some(wait(500)), ..Budget::default() }), &[], &[]);
    script.run_all();
    assert!(script.take_lines().contains(&"clear timer 0".to_owned()));
}

fn fused(call: &mut CallPlan) {
    call.rules.breaker = Some(Breaker { failures: 2, within: 1000 * MILLISECOND, cooldown: 300 * MILLISECOND });
    call.retry = Some(count(3));
}

#[test]
fn a_breaker_opens_refuses_and_lets_one_trial_decide() {
    let mut script = Script::start(beside(None, &[("a", &fused), ("b", &fused), ("c", &fused)]), &[], &[]);
    script.take_lines();
    script.now = 100;
    script.fails("main/a");
    script.check(&["2 attempt-failed main/a#1 network: no route", "invoke main/a#2 work()"]);
    script.fails("main/b");
    script.check(&["3 attempt-failed main/b#1 network: no route", "set timer 0 at 400"]);
    script.now = 200;
    script.fails("main/a");
    script.check(&["4 attempt-failed main/a#2 network: no route", "set timer 1 at 400"]);
    script.fails("main/c");
    script.check(&["5 attempt-failed main/c#1 network: no route", "set timer 2 at 400"]);
    script.now = 400;
    for timer in 0..3 {
        script.input(Input::TimerDue(TimerId(timer)));
    }
    script.check(&["6 timer-fired 0", "invoke main/b#3 work()", "7 timer-fired 1", "8 timer-fired 2"]);
    replays(&script);
    script.gives("main/b", 1);
    assert_eq!(script.running(), ["main/a", "main/c"], "the trial went well, so those that waited for it start");
    script.run_all();
    ends(&mut script, "ended succeeded 7");
}

#[test]
fn a_trial_that_fails_opens_the_breaker_again() {
    let mut script = Script::start(beside(None, &[("a", &fused), ("b", &fused)]), &[], &[]);
    script.fails("main/a");
    script.fails("main/b");
    script.now = 300;
    script.input(Input::TimerDue(TimerId(0)));
    script.fails("main/b");
    assert_eq!(script.running(), ["main/a"]);
    script.gives("main/a", 1);
    let last = script.take_lines().pop().unwrap();
    let refused = "ended failed main/b dependency: `work` failed too often: its breaker is open for another 300ms";
    assert_eq!(last, refused, "a refused attempt uses up a retry like any other that fails");
    replays(&script);
}

#[test]
fn a_refused_attempt_says_how_long_its_breaker_is_open() {
    let once = |call: &mut CallPlan| {
        fused(call);
        call.retry = None;
        call.rules.breaker = Some(Breaker { failures: 1, within: MILLISECOND, cooldown: 300 * MILLISECOND });
    };
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut each = RegionDraft::new(1);
    let mut work = call(function, vec![slot(Slot(0))]);
    once(&mut work);
    let made = each.add("work", NodeKind::Call(Box::new(work)));
    let each = builder.region(each, slot(made));
    let mut main = RegionDraft::new(0);
    let kind = NodeKind::Map { list: numbers([1, 2]), body: child(each, &[]), collect: true };
    let policy = NodePolicy { parallel: Some(count(1)), ty: Type::list(Type::Unit), ..NodePolicy::default() };
    let all = main.node("all", kind, &[], policy);
    let main = builder.region(main, slot(all));
    let entry = builder.flow("main", &[], main);
    let mut script = Script::start(builder.finish(entry), &[], &[]);
    script.fails("main/all[0]/work");
    let last = script.take_lines().pop().unwrap();
    assert!(last.contains("`work` failed too often: its breaker is open for another 300ms"), "{last}");
    assert!(last.contains(r#""kind":"dependency""#) && last.contains(r#""retry_after":"300ms""#), "{last}");
    replays(&script);
}

fn pausing(call: &mut CallPlan) {
    call.retry = Some(count(1));
    call.rules.pauses = true;
}

fn used_up() -> Script {
    let mut script = Script::start(beside(None, &[("one", &pausing), ("other", &|_| {})]), &[], &[]);
    script.fails("main/one");
    script.fails("main/one");
    script.gives("main/other", 1);
    assert_eq!(script.take_lines().last().unwrap(), "idle main/one#2");
    replays(&script);
    script
}

#[test]
fn used_up_attempts_wait_for_an_operator() {
    let script = used_up();
    let blocked = script.run.blocked();
    assert!(matches!(&blocked[0].by, BlockedBy::Exhausted { message, .. } if message == "no route"), "{blocked:?}");
}

#[test]
fn an_operator_lets_a_used_up_step_run_again() {
    let mut script = used_up();
    script.input(Input::Decide { task: TaskId(0), decision: Decision::Retry(Amounts::default()) });
    script.check(&["5 operator-decision step 0 retry", "invoke main/one#3 work()"]);
    script.fails("main/one");
    assert_eq!(script.take_lines().last().unwrap(), "idle main/one#3", "one attempt for each decision");
    script.input(Input::Decide { task: TaskId(0), decision: Decision::Supply(Payload::Value(Value::U64(3))) });
    ends(&mut script, "ended succeeded 7");
}

#[test]
fn an_operator_lets_the_failure_of_a_used_up_step_go_its_way() {
    let mut script = used_up();
    script.input(Input::Decide { task: TaskId(0), decision: Decision::Fail("no".into()) });
    ends(&mut script, "ended failed main/one network: no route");
}
