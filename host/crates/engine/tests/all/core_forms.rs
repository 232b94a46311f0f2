//! What each kind of node does when nothing goes wrong.

use catalog::{Type, Value};
use engine::core::Run;
use lang::plan::{Expr, NodeKind, Plan, Slot};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, child, count, number, numbers, remainder_is, slot, step};

use crate::script::Script;

/// A flow `main(n)` whose only node `form` is made by this, with a region that is one step `work` of its inputs.
fn plan(inputs: u32, make: impl FnOnce(&mut PlanBuilder, lang::plan::RegionId) -> (NodeKind, NodePolicy)) -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut body = RegionDraft::new(inputs);
    let made = body.add("work", step(function, (0..inputs).map(|n| slot(Slot(n))).collect()));
    let body = builder.region(body, slot(made));
    let (kind, policy) = make(&mut builder, body);
    let mut main = RegionDraft::new(1);
    let form = main.node("form", kind, &[], policy);
    let main = builder.region(main, slot(form));
    let entry = builder.flow("main", &["n"], main);
    builder.finish(entry)
}

#[test]
fn a_chain_of_pure_steps_is_one_event_each() {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut main = RegionDraft::new(1);
    let a = main.add("a", step(function, vec![slot(Slot(0))]));
    let b = main.add("b", step(function, vec![slot(a)]));
    let main = builder.region(main, slot(b));
    let entry = builder.flow("main", &["n"], main);
    let mut script = Script::start(builder.finish(entry), &[5], &[]);
    script.run_all();
    script.check(&[
        "1 run-started main",
        "invoke main/a#1 work(5)",
        "2 attempt-succeeded main/a#1 6",
        "invoke main/b#1 work(6)",
        "3 attempt-succeeded main/b#1 7",
        "4 run-ended succeeded 7",
        "ended succeeded 7",
    ]);
}

#[test]
fn a_result_is_not_used_before_it_is_durable() {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut main = RegionDraft::new(0);
    let a = main.add("a", step(function, vec![]));
    let b = main.add("b", step(function, vec![]));
    let c = main.add("c", step(function, vec![slot(a), slot(b)]));
    let main = builder.region(main, slot(c));
    let entry = builder.flow("main", &[], main);
    let mut script = Script::start(builder.finish(entry), &[], &[]);
    script.holds = true;
    script.gives("main/a", 1);
    script.gives("main/b", 2);
    assert_eq!(script.running(), Vec::<&str>::new());
    script.commit_held();
    assert_eq!(script.running(), ["main/c"]);
}

#[test]
fn a_map_keeps_order_and_limit() {
    let mut script = Script::start(
        plan(1, |_, body| {
            let kind = NodeKind::Map { list: numbers([10, 20, 30]), body: child(body, &[]), collect: false };
            (kind, NodePolicy { parallel: Some(count(2)), ty: Type::list(Type::U64), ..NodePolicy::default() })
        }),
        &[0],
        &[],
    );
    assert_eq!(script.running(), ["main/form[0]/work", "main/form[1]/work"]);
    script.gives("main/form[1]/work", 21);
    assert_eq!(script.running(), ["main/form[0]/work", "main/form[2]/work"]);
    script.gives("main/form[2]/work", 31);
    script.gives("main/form[0]/work", 11);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded [11,21,31]");
}

#[test]
fn a_map_over_nothing_and_over_bytes() {
    let bytes = |list: Expr| {
        let mut builder = PlanBuilder::default();
        let body = builder.region(RegionDraft::new(1), slot(Slot(0)));
        let mut main = RegionDraft::new(0);
        let policy = NodePolicy { ty: Type::list(Type::U8), ..NodePolicy::default() };
        let form = main.node("form", NodeKind::Map { list, body: child(body, &[]), collect: false }, &[], policy);
        let main = builder.region(main, slot(form));
        let entry = builder.flow("main", &[], main);
        Script::start(builder.finish(entry), &[], &[]).take_lines().pop().unwrap()
    };
    assert_eq!(bytes(Expr::Const(Value::Bytes([1, 2, 3].into()))), "ended succeeded \"AQID\"");
    assert_eq!(bytes(Expr::Const(Value::Bytes([].into()))), "ended succeeded \"\"");
}

#[test]
fn a_map_without_a_limit_holds_a_window_of_items_only() {
    let mut script = Script::start(
        plan(1, |_, body| {
            let kind = NodeKind::Map { list: numbers(0..5000), body: child(body, &[]), collect: false };
            (kind, NodePolicy { ty: Type::list(Type::U64), ..NodePolicy::default() })
        }),
        &[0],
        &[],
    );
    assert_eq!(script.running().len(), 1024);
    assert!(script.run.open_regions() < 1030);
    script.run_all();
    assert_eq!(script.run.open_regions(), 0);
    assert_eq!(script.run.totals().steps, 5000);
}

#[test]
fn a_fold_goes_item_by_item() {
    let mut script = Script::start(
        plan(2, |_, body| {
            (NodeKind::Fold { init: slot(Slot(0)), list: numbers([1, 2]), body: child(body, &[]) }, NodePolicy::default())
        }),
        &[100],
        &[],
    );
    script.run_all();
    script.check(&[
        "1 run-started main",
        "invoke main/form[0]/work#1 work(100, 1)",
        "2 attempt-succeeded main/form[0]/work#1 102",
        "invoke main/form[1]/work#1 work(102, 2)",
        "3 attempt-succeeded main/form[1]/work#1 105",
        "4 run-ended succeeded 105",
        "ended succeeded 105",
    ]);
}

#[test]
fn a_tree_joins_neighbours_whatever_ends_first() {
    let tree =
        || plan(2, |_, body| (NodeKind::Tree { list: numbers([1, 2, 3, 4, 5]), body: child(body, &[]) }, NodePolicy::default()));
    let mut script = Script::start(tree(), &[0], &[]);
    assert_eq!(script.running(), ["main/form[1.0]/work", "main/form[1.1]/work"]);
    script.gives("main/form[1.1]/work", 34);
    script.gives("main/form[1.0]/work", 12);
    let joined = "main/form[2.0]/work";
    assert_eq!(script.in_flight[joined].args, [Value::U64(12), Value::U64(34)]);
    script.gives(joined, 1234);
    assert_eq!(script.in_flight["main/form[3.0]/work"].args, [Value::U64(1234), Value::U64(5)]);
    script.gives("main/form[3.0]/work", 12345);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 12345");
}

#[test]
fn a_tree_of_one_is_that_one_and_of_none_fails() {
    let tree = |items: Vec<u64>| {
        let plan = plan(2, |_, body| (NodeKind::Tree { list: numbers(items), body: child(body, &[]) }, NodePolicy::default()));
        Script::start(plan, &[0], &[]).take_lines().pop().unwrap()
    };
    assert_eq!(tree(vec![7]), "ended succeeded 7");
    assert!(tree(vec![]).starts_with("ended failed main/form logic: the list to reduce is empty"));
}

fn looping(max: u32, exhausted: bool) -> String {
    let mut script = Script::start(
        plan(1, |builder, body| {
            let until = builder.region(RegionDraft::new(1), remainder_is(slot(Slot(0)), 10, 0));
            let out = builder.region(RegionDraft::new(1), number(999));
            let exhausted = if exhausted { Some(child(out, &[])) } else { None };
            let (until, body) = (child(until, &[]), child(body, &[]));
            (NodeKind::Loop { init: slot(Slot(0)), until, body, max: count(max), exhausted }, NodePolicy::default())
        }),
        &[7],
        &[],
    );
    script.run_all();
    let bodies = script.run.totals().steps;
    format!("{bodies} {}", script.take_lines().pop().unwrap())
}

#[test]
fn a_loop_tests_before_each_body() {
    assert_eq!(looping(10, false), "3 ended succeeded 10");
    assert_eq!(looping(3, true), "3 ended succeeded 10");
    assert_eq!(looping(2, false), "2 ended succeeded 9");
    assert_eq!(looping(2, true), "2 ended succeeded 999");
    assert_eq!(looping(0, false), "0 ended succeeded 7");
}

#[test]
fn a_limit_on_a_block_counts_all_steps_below() {
    let mut script = Script::start(
        plan(1, |builder, body| {
            let mut block = RegionDraft::new(0);
            let ty = Type::list(Type::U64);
            let map = |n| NodeKind::Map { list: numbers(0..n), body: child(body, &[]), collect: false };
            let a = block.node("a", map(3), &[], NodePolicy { ty: ty.clone(), ..NodePolicy::default() });
            block.node("b", map(3), &[], NodePolicy { ty, ..NodePolicy::default() });
            let block = builder.region(block, Expr::Index(Box::new(slot(a)), Box::new(number(0))));
            (NodeKind::Block { body: child(block, &[]) }, NodePolicy { parallel: Some(count(2)), ..NodePolicy::default() })
        }),
        &[0],
        &[],
    );
    let mut order = Vec::new();
    while let Some(path) = script.running().first().map(|path| (*path).to_owned()) {
        assert!(script.running().len() <= 2);
        order.push(path.clone());
        script.gives(&path, 1);
    }
    assert_eq!(order.len(), 6);
    assert_eq!(order[0], "main/form/a[0]/work");
}

#[test]
fn a_return_ends_the_flow_around_it_after_what_runs_has_stopped() {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut early = RegionDraft::new(1);
    early.add("return", NodeKind::Return(slot(Slot(0))));
    let early = builder.region(early, Expr::Const(Value::Unit));
    let mut sub = RegionDraft::new(0);
    let first = sub.add("first", step(function, vec![]));
    sub.add("beside", step(function, vec![]));
    let condition = remainder_is(slot(first), 2, 0);
    let gate = sub.add("gate", NodeKind::If { condition, then: child(early, &[first]), otherwise: None });
    let last = sub.node("last", step(function, vec![]), &[gate], NodePolicy::default());
    let sub = builder.region(sub, slot(last));
    let sub = builder.flow("sub", &[], sub);
    let mut main = RegionDraft::new(0);
    let called = main.add("called", NodeKind::Flow { flow: sub, args: vec![] });
    let after = main.add("after", step(function, vec![slot(called)]));
    let main = builder.region(main, slot(after));
    let entry = builder.flow("main", &[], main);
    let mut script = Script::start(builder.finish(entry), &[], &[]);
    script.take_lines();
    script.gives("main/called/first", 4);
    script.check(&["2 attempt-succeeded main/called/first#1 4", "stop step 1#1"]);
    script.stops("main/called/beside");
    script.check(&["3 attempt-cancelled main/called/beside#1", "invoke main/after#1 work(4)"]);
}

#[test]
fn a_long_chain_of_expressions_needs_no_stack() {
    let mut builder = PlanBuilder::default();
    let mut main = RegionDraft::new(1);
    let mut last = Slot(0);
    for n in 0..100_000 {
        last = main.add(&format!("v{n}"), NodeKind::Value(slot(last)));
    }
    let main = builder.region(main, slot(last));
    let entry = builder.flow("main", &["n"], main);
    let script = Script::start(builder.finish(entry), &[3], &[]);
    assert_eq!(script.lines.last().unwrap(), "ended succeeded 3");
}

#[test]
fn a_loop_without_steps_is_bounded() {
    let plan = plan(1, |builder, _| {
        let until = builder.region(RegionDraft::new(1), Expr::Const(Value::Bool(false)));
        let body = builder.region(RegionDraft::new(1), slot(Slot(0)));
        let (until, body) = (child(until, &[]), child(body, &[]));
        (NodeKind::Loop { init: number(0), until, body, max: count(u32::MAX), exhausted: None }, NodePolicy::default())
    });
    let script = Script::start_with(plan, &[0], &[], |run| run.bound_work(10_000));
    assert_eq!(
        script.lines.last().unwrap(),
        "ended failed main resource: one event led to 10000 operations without a step in between"
    );
}

#[test]
fn the_same_events_give_the_same_state() {
    let mut script = Script::start(
        plan(1, |_, body| {
            let kind = NodeKind::Map { list: numbers(0..5), body: child(body, &[]), collect: false };
            (kind, NodePolicy { ty: Type::list(Type::U64), ..NodePolicy::default() })
        }),
        &[0],
        &[],
    );
    script.gives("main/form[3]/work", 1);
    script.gives("main/form[0]/work", 1);
    let again = Run::replay(script.plan.clone(), crate::script::id(), "x".into(), &script.journal).unwrap();
    assert_eq!(again.snapshot(), script.run.snapshot());
}
