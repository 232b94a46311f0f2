//! Tests of the lowering on typed trees built by hand.

use catalog::{Type, Value};
use cranelift_entity::EntityRef;
use grammar::{Severity, Span};

use super::invariants::check_plan;
use super::{Lowered, lower};
use crate::ir::{Arm, Expr, ExprKind, GrantKind, Pattern, Policy, Statement};
use crate::plan::{FlowId, FolderAccess, NodeId, NodeKind, Plan};
use crate::render::{critical_path, leaves, roots};
use look::{body, codes, errors, find, lowered, names, plan, program, waits};
use write::{
    Write, add, after, allow, block, boolean, count, duration, effect, equal, expr, give, grant, if_else, int, list, memory,
    name, require, rescue, value, with,
};

mod look;
mod write;

#[test]
fn a_chain_waits_by_data_alone() {
    let mut w = Write::default();
    let x = w.param("x", Type::S64);
    let call = w.call("p.f", vec![name(x)]);
    let (a, s1) = w.lets("a", call);
    let call = w.call("p.g", vec![name(a), name(x)]);
    let (b, s2) = w.lets("b", call);
    let plan = plan(w, vec![s1, s2, value(add(name(b), int(1)))]);
    assert_eq!(waits(&plan, "b"), ["a"]);
    assert_eq!(names(&plan, body(&plan)), ["a", "b"]);
    assert_eq!(roots(&plan), [find(&plan, "a")]);
    assert_eq!(leaves(&plan), [find(&plan, "b")]);
    assert_eq!(critical_path(&plan), [find(&plan, "a"), find(&plan, "b")]);
}

#[test]
fn steps_in_arguments_are_lifted_in_order() {
    let mut w = Write::default();
    let inner = w.call("p.f", vec![]);
    let other = w.call("p.f", vec![]);
    let outer = w.call("p.g", vec![add(inner, int(1)), other]);
    let (r, s) = w.lets("r", outer);
    let plan = plan(w, vec![s, value(name(r))]);
    assert_eq!(names(&plan, body(&plan)), ["p.f", "p.f#2", "r"]);
    assert_eq!(waits(&plan, "r"), ["p.f", "p.f#2"]);
}

#[test]
fn a_step_right_of_and_becomes_a_branch() {
    let mut w = Write::default();
    let x = w.param("x", Type::S64);
    let step = w.call("p.f", vec![name(x)]);
    let both = expr(ExprKind::And(Box::new(equal(name(x), int(1))), Box::new(equal(step, int(2)))), Type::Bool);
    let (c, s) = w.lets("c", both);
    let plan = plan(w, vec![s, value(name(c))]);
    let NodeKind::If { then, otherwise, .. } = &plan.nodes[find(&plan, "c")].kind else { panic!("no branch") };
    assert_eq!(names(&plan, then.region), ["p.f"]);
    assert_eq!(then.captures.len(), 1);
    assert!(names(&plan, otherwise.as_ref().expect("an else").region).is_empty());
}

#[test]
fn a_step_right_of_coalesce_becomes_an_arm() {
    let mut w = Write::default();
    let x = w.param("x", Type::option(Type::S64));
    let step = w.call("p.f", vec![]);
    let optional = Expr { ty: Type::option(Type::S64), ..name(x) };
    let whole = expr(ExprKind::Coalesce(Box::new(optional), Box::new(step)), Type::S64);
    let plan = plan(w, vec![value(whole)]);
    let NodeKind::Match { arms, .. } = &plan.nodes[find(&plan, "else")].kind else { panic!("no match") };
    assert!(names(&plan, arms[0].body.region).is_empty());
    assert_eq!(names(&plan, arms[1].body.region), ["p.f"]);
}

#[test]
fn a_pure_if_stays_an_expression() {
    let mut w = Write::default();
    let x = w.param("x", Type::S64);
    let (y, inner) = w.lets("y", add(name(x), int(1)));
    let then = block(vec![inner, value(add(name(y), name(y)))]);
    let (r, s) = w.lets("r", if_else(equal(name(x), int(0)), then, Some(give(int(3)))));
    let plan = plan(w, vec![s, value(name(r))]);
    assert_eq!(plan.regions.len(), 1);
    assert!(matches!(plan.nodes[find(&plan, "r")].kind, NodeKind::Value(_)));
}

#[test]
fn constants_and_members_need_no_node_and_unused_safe_values_go() {
    let mut w = Write::default();
    let x = w.param("x", Type::S64);
    let (a, s1) = w.lets("a", add(int(1), int(2)));
    let (_, s2) = w.lets("unused", equal(name(x), int(1)));
    let (_, s3) = w.lets("may_fail", add(name(x), int(1)));
    let plan = plan(w, vec![s1, s2, s3, value(name(a))]);
    assert_eq!(names(&plan, body(&plan)), ["may_fail"]);
}

#[test]
fn captures_go_through_all_regions_between() {
    let mut w = Write::default();
    let x = w.param("x", Type::S64);
    let call = w.call("p.f", vec![]);
    let (a, s1) = w.lets("a", call);
    let item = w.bind("item", Type::S64);
    let inner_item = w.bind("inner", Type::S64);
    let call = w.call("p.g", vec![name(a), name(inner_item), name(item)]);
    let inner =
        expr(ExprKind::Map { binding: inner_item, list: Box::new(list(vec![name(x)])), body: give(call) }, Type::list(Type::S64));
    let outer = expr(
        ExprKind::Map { binding: item, list: Box::new(list(vec![name(x)])), body: give(inner) },
        Type::list(Type::list(Type::S64)),
    );
    let (m, s2) = w.lets("m", outer);
    let plan = plan(w, vec![s1, s2, value(name(m))]);
    let NodeKind::Map { body: outer, .. } = &plan.nodes[find(&plan, "m")].kind else { panic!("no map") };
    assert_eq!(outer.captures.len(), 2, "`x` for the inner list and `a`");
    let NodeKind::Map { body: inner, .. } = &plan.nodes[find(&plan, "map")].kind else { panic!("no map") };
    assert_eq!(inner.captures.len(), 2, "`a` and `item`");
    assert_eq!(plan.regions[inner.region].inputs, 3);
    assert_eq!(waits(&plan, "m"), ["a"]);
}

#[test]
fn require_stands_between_effects_and_lets_pure_steps_pass() {
    let mut w = Write::default();
    let x = w.param("x", Type::S64);
    let mut statements = Vec::new();
    for n in 0..3 {
        let call = w.call("p.f", vec![]);
        statements.push(w.lets(&format!("before{n}"), effect(call)).1);
    }
    let call = w.call("p.f", vec![]);
    statements.push(w.lets("pure_before", call).1);
    statements.push(require(equal(name(x), int(1))));
    for n in 0..3 {
        let call = w.call("p.f", vec![]);
        statements.push(w.lets(&format!("later{n}"), effect(call)).1);
    }
    let call = w.call("p.f", vec![]);
    statements.push(w.lets("pure_after", call).1);
    let plan = plan(w, statements);
    assert_eq!(waits(&plan, "require"), ["before0", "before1", "before2"]);
    assert_eq!(waits(&plan, "later2"), ["require"]);
    assert!(waits(&plan, "pure_after").is_empty());
    assert_eq!(plan.successors.len(), 6);
}

#[test]
fn what_may_fail_by_itself_stays_behind_a_gate() {
    let mut w = Write::default();
    let xs = w.param("xs", Type::list(Type::S64));
    let first = || expr(ExprKind::Index(Box::new(name(xs)), Box::new(int(0))), Type::S64);
    let empty = equal(name(xs), list(vec![]));
    let early = if_else(empty, block(vec![Statement::Return(int(0), Span::default())]), None);
    let (head, s) = w.lets("head", add(first(), int(1)));
    let call = w.call("p.f", vec![first()]);
    let (step, s2) = w.lets("step", call);
    let plan = plan(w, vec![Statement::Do(early), s, s2, value(add(name(head), name(step)))]);
    assert_eq!(waits(&plan, "head"), ["if"]);
    assert_eq!(waits(&plan, "step"), ["if"]);
}

#[test]
fn an_early_return_is_a_gate_and_a_last_one_is_the_value() {
    let mut w = Write::default();
    let x = w.param("x", Type::S64);
    let call = w.call("p.f", vec![]);
    let (a, s1) = w.lets("a", effect(call));
    let early = if_else(equal(name(x), int(1)), block(vec![Statement::Return(int(0), Span::default())]), None);
    let call = w.call("p.f", vec![]);
    let (_, s2) = w.lets("b", effect(call));
    let plan = plan(w, vec![s1, Statement::Do(early), s2, Statement::Return(name(a), Span::default())]);
    assert_eq!(names(&plan, body(&plan)), ["a", "if", "b"]);
    assert_eq!(waits(&plan, "if"), ["a"]);
    assert_eq!(waits(&plan, "b"), ["if"]);
    assert!(waits(&plan, "return").is_empty());
}

#[test]
fn a_phase_waits_for_all_before_it_and_phases_follow_each_other() {
    let mut w = Write::default();
    let mut statements = Vec::new();
    let call = w.call("p.f", vec![]);
    statements.push(w.lets("pure", call).1);
    for phase in ["one", "two"] {
        let call = w.call("p.f", vec![]);
        let phase = expr(ExprKind::Phase(phase.into(), block(vec![Statement::Do(call)])), Type::Unit);
        statements.push(Statement::Do(phase));
    }
    let call = w.call("p.f", vec![]);
    statements.push(w.lets("last", effect(call)).1);
    let plan = plan(w, statements);
    assert_eq!(waits(&plan, "one"), ["pure"]);
    assert_eq!(waits(&plan, "two"), ["one"]);
    assert_eq!(waits(&plan, "last"), ["two"]);
}

#[test]
fn statements_of_seq_follow_each_other_and_join_where_they_are_wide() {
    let mut w = Write::default();
    let (f1, f2) = (w.call("p.a", vec![]), w.call("p.b", vec![]));
    let wide = expr(ExprKind::Tuple(vec![f1, f2]), Type::Unit);
    let call = w.call("p.c", vec![]);
    let (c, s2) = w.lets("c", call);
    let (_, pure) = w.lets("d", add(name(c), int(1)));
    let last = w.call("p.e", vec![]);
    let seq = expr(ExprKind::Seq(block(vec![Statement::Do(wide), s2, pure, value(last)])), Type::S64);
    let plan = plan(w, vec![value(seq)]);
    assert_eq!(waits(&plan, "join"), ["p.a", "p.b"]);
    assert_eq!(waits(&plan, "c"), ["join"]);
    assert_eq!(waits(&plan, "p.e"), ["c"]);
}

#[test]
fn after_orders_where_data_does_not_also_from_inside() {
    let mut w = Write::default();
    let call = w.call("p.f", vec![]);
    let (a, s1) = w.lets("a", call);
    let call = w.call("p.f", vec![]);
    let (_, s2) = w.lets("b", after(call, vec![a]));
    let call = w.call("p.inside", vec![]);
    let inside = if_else(boolean(true), give(after(call, vec![a])), Some(give(int(1))));
    let (_, s3) = w.lets("c", inside);
    let plan = plan(w, vec![s1, s2, s3]);
    assert_eq!(waits(&plan, "b"), ["a"]);
    assert_eq!(waits(&plan, "c"), ["a"]);
}

#[test]
fn after_a_later_name_moves_the_node_behind_it() {
    let mut w = Write::default();
    let later = w.bind("later", Type::S64);
    let call = w.call("p.f", vec![]);
    let (_, s1) = w.lets("first", after(call, vec![later]));
    let call = w.call("p.f", vec![]);
    let plan = plan(w, vec![s1, Statement::Let(later, call)]);
    assert_eq!(names(&plan, body(&plan)), ["later", "first"]);
}

#[test]
fn a_circle_is_reported_with_its_members() {
    let mut w = Write::default();
    let b = w.bind("b", Type::S64);
    let call = w.call("p.f", vec![]);
    let (a, s1) = w.lets("a", after(call, vec![b]));
    let call = w.call("p.g", vec![name(a)]);
    let found = errors(w, vec![s1, Statement::Let(b, call)]);
    assert_eq!(codes(&found), ["flow::cycle"]);
    assert_eq!(found[0].message, "steps wait for each other in a circle: `a` → `b` → `a`");
    assert_eq!(found[0].labels.len(), 2);
}

#[test]
fn a_step_after_itself_is_a_circle() {
    let mut w = Write::default();
    let a = w.bind("a", Type::S64);
    let call = w.call("p.f", vec![]);
    let found = errors(w, vec![Statement::Let(a, after(call, vec![a]))]);
    assert_eq!(found[0].message, "`a` waits for itself");
}

#[test]
fn a_circle_through_a_gate_is_found() {
    let mut w = Write::default();
    let b = w.bind("b", Type::S64);
    let call = w.call("p.f", vec![]);
    let (_, first) = w.lets("a", after(effect(call), vec![b]));
    let call = w.call("p.f", vec![]);
    let found = errors(w, vec![first, require(boolean(true)), Statement::Let(b, effect(call))]);
    assert_eq!(found[0].message, "steps wait for each other in a circle: `a` → `b` → `require` → `a`");
}

#[test]
fn a_fallback_becomes_a_try_around_one_node() {
    let mut w = Write::default();
    let inner = w.call("p.inner", vec![]);
    let outer = w.call("p.outer", vec![inner]);
    let fallback = w.call("p.fallback", vec![]);
    let (r, s) = w.lets("r", rescue(outer, fallback));
    let plan = plan(w, vec![s, value(name(r))]);
    assert_eq!(names(&plan, body(&plan)), ["p.inner", "r"]);
    let NodeKind::Try { body, handler } = &plan.nodes[find(&plan, "r")].kind else { panic!("no try") };
    assert_eq!(names(&plan, body.region), ["p.outer"]);
    assert_eq!(body.captures.len(), 1);
    assert_eq!(names(&plan, handler.region), ["p.fallback"]);
    assert_eq!(plan.regions[handler.region].inputs, 1);
}

fn loop_of(w: &mut Write) -> Expr {
    let text = w.bind("text", Type::S64);
    let test = w.call("p.score", vec![name(text)]);
    let next = w.call("p.revise", vec![name(text)]);
    expr(
        ExprKind::Loop {
            binding: text,
            init: Box::new(int(1)),
            until: Box::new(equal(test, int(3))),
            max: Box::new(count(5).expect("a count")),
            body: give(next),
        },
        Type::S64,
    )
}

#[test]
fn a_loop_has_regions_for_test_and_body() {
    let mut w = Write::default();
    let form = loop_of(&mut w);
    let plan = plan(w, vec![value(form)]);
    let NodeKind::Loop { until, body, exhausted, .. } = &plan.nodes[find(&plan, "loop")].kind else { panic!("no loop") };
    assert_eq!(names(&plan, until.region), ["p.score"]);
    assert_eq!(names(&plan, body.region), ["p.revise"]);
    assert!(exhausted.is_none());
}

#[test]
fn a_rescued_loop_fails_at_its_bound_into_the_one_fallback() {
    let mut w = Write::default();
    let form = loop_of(&mut w);
    let fallback = w.call("p.fallback", vec![]);
    let plan = plan(w, vec![value(rescue(form, fallback))]);
    let NodeKind::Loop { exhausted: Some(exhausted), .. } = &plan.nodes[find(&plan, "loop")].kind else { panic!("no loop") };
    assert_eq!(names(&plan, exhausted.region), ["exhausted"]);
    find(&plan, "p.fallback");
}

#[test]
fn a_match_gives_its_arms_what_the_pattern_binds() {
    let mut w = Write::default();
    let x = w.param("x", Type::option(Type::S64));
    let some = w.bind("some", Type::S64);
    let call = w.call("p.f", vec![name(some)]);
    let arms = vec![
        Arm { pattern: Pattern::Some(Box::new(Pattern::Bind(some))), guard: Some(equal(name(some), int(1))), body: give(call) },
        Arm { pattern: Pattern::Any, guard: None, body: give(int(0)) },
    ];
    let whole = expr(ExprKind::Match { subject: Box::new(name(x)), arms }, Type::S64);
    let plan = plan(w, vec![value(whole)]);
    let NodeKind::Match { arms, .. } = &plan.nodes[find(&plan, "match")].kind else { panic!("no match") };
    assert_eq!(plan.regions[arms[0].body.region].inputs, 1);
    assert!(matches!(arms[0].guard, Some(crate::plan::Expr::Binary(..))));
}

#[test]
fn folds_trees_and_tries_lower() {
    let mut w = Write::default();
    let xs = w.param("xs", Type::list(Type::S64));
    let (acc, item) = (w.bind("acc", Type::S64), w.bind("item", Type::S64));
    let call = w.call("p.f", vec![name(acc), name(item)]);
    let fold = ExprKind::Fold { acc, init: Box::new(int(0)), binding: item, list: Box::new(name(xs)), body: give(call) };
    let (f, s1) = w.lets("folded", expr(fold, Type::S64));
    let (left, right) = (w.bind("left", Type::S64), w.bind("right", Type::S64));
    let call = w.call("p.g", vec![name(left), name(right), name(f)]);
    let tree = ExprKind::Tree { left, right, list: Box::new(name(xs)), body: give(call) };
    let (t, s2) = w.lets("joined", expr(tree, Type::S64));
    let failure = w.bind("e", Type::S64);
    let call = w.call("p.h", vec![name(t)]);
    let attempt = ExprKind::Try { body: give(call), binding: failure, handler: give(name(f)) };
    let plan = plan(w, vec![s1, s2, value(expr(attempt, Type::S64))]);
    assert_eq!(waits(&plan, "joined"), ["folded"]);
    assert_eq!(waits(&plan, "try"), ["folded", "joined"]);
}

#[test]
fn limits_narrow_and_defaults_are_overridden_from_inside() {
    let mut w = Write::default();
    let n = w.param("n", Type::U64);
    let step = w.call("p.f", vec![]);
    let own = Policy { retry: count(0), memory: Some(name(n)), ..Policy::default() };
    let around =
        Policy { retry: count(3), memory: memory(100), timeout: duration(5), deadline: duration(9), ..Policy::default() };
    let seq = expr(ExprKind::Seq(give(with(step, own))), Type::S64);
    let plan = plan(w, vec![value(with(seq, around))]);
    let NodeKind::Call(call) = &plan.nodes[find(&plan, "p.f")].kind else { panic!("no call") };
    assert!(matches!(&call.retry, Some(crate::plan::Expr::Const(Value::U32(0)))));
    assert!(matches!(&call.timeout, Some(crate::plan::Expr::Const(Value::Duration(5)))));
    assert!(matches!(&call.memory, Some(crate::plan::Expr::Library(crate::plan::LibraryFunction::Min, args)) if args.len() == 2));
    assert!(plan.nodes[find(&plan, "seq")].deadline.is_some());
    assert!(plan.nodes[find(&plan, "p.f")].deadline.is_none());
}

#[test]
fn a_literal_that_widens_a_limit_is_refused_with_both_places() {
    let mut w = Write::default();
    let step = w.call("p.f", vec![]);
    let seq = expr(ExprKind::Seq(give(with(step, Policy { memory: memory(64 << 20), ..Policy::default() }))), Type::S64);
    let found = errors(w, vec![value(with(seq, Policy { memory: memory(32 << 20), ..Policy::default() }))]);
    assert_eq!(codes(&found), ["flow::widens_limit"]);
    assert_eq!(found[0].message, "`memory: 64MiB` is more than the `memory: 32MiB` that is set around it");
    assert_eq!(found[0].labels.len(), 2);
}

#[test]
fn grants_are_the_innermost_and_stay_within_the_outer() {
    let mut w = Write::default();
    let folder = w.param("folder", Type::Dir);
    let read = || GrantKind::Folder(FolderAccess::Read, Some(folder));
    let write = || GrantKind::Folder(FolderAccess::ReadWrite, Some(folder));
    let (narrow, whole) = (w.call("p.narrow", vec![]), w.call("p.whole", vec![]));
    let narrow = Statement::Do(with(narrow, allow(vec![read()])));
    let seq = expr(ExprKind::Seq(block(vec![narrow, Statement::Do(whole)])), Type::Unit);
    let plan = plan(w, vec![Statement::Do(with(seq, allow(vec![write()])))]);
    let granted = |name: &str| match &plan.nodes[find(&plan, name)].kind {
        NodeKind::Call(call) => call.effect(),
        _ => panic!("no call"),
    };
    assert_eq!(granted("p.narrow"), crate::plan::Effect::ReadOnly);
    assert_eq!(granted("p.whole"), crate::plan::Effect::Effectful);
    assert_eq!(plan.flows[plan.entry].params[0].access, Some(FolderAccess::ReadWrite));

    let mut w = Write::default();
    let folder = w.param("folder", Type::Dir);
    let step = w.call("p.f", vec![]);
    let step = with(step, allow(vec![GrantKind::Folder(FolderAccess::ReadWrite, Some(folder))]));
    let seq = expr(ExprKind::Seq(give(step)), Type::S64);
    let found = errors(w, vec![value(with(seq, allow(vec![GrantKind::Folder(FolderAccess::Read, Some(folder))])))]);
    assert_eq!(codes(&found), ["flow::widens_grant"]);
    assert_eq!(found[0].message, "`read_write folder` is not within what the `allow` around it allows");
}

fn through(mut step: Expr, policy: Policy) -> Expr {
    if let ExprKind::Call { through, .. } = &mut step.kind {
        **through = policy;
    }
    step
}

#[test]
fn the_use_caps_what_a_step_gets() {
    let mut w = Write::default();
    let step = w.call("p.f", vec![]);
    let step = through(step, allow(vec![GrantKind::Http("*.example.com".into())]));
    let both = vec![GrantKind::Http("api.example.com".into()), GrantKind::Clock];
    let seq = expr(ExprKind::Seq(give(step.clone())), Type::S64);
    let plan = plan(w, vec![value(with(seq, allow(both.clone())))]);
    let NodeKind::Call(call) = &plan.nodes[find(&plan, "p.f")].kind else { panic!("no call") };
    assert!(matches!(&*call.grants, [crate::plan::Grant::Http(host)] if &**host == "api.example.com"));
    let found = errors(Write::default(), vec![value(with(step, allow(both)))]);
    assert_eq!(codes(&found), ["flow::widens_grant"]);
    assert_eq!(found[0].message, "`clock` is not within what the `use` that the step goes through allows");
}

#[test]
fn a_retried_effect_that_is_not_idempotent_is_warned_of() {
    let mut w = Write::default();
    let retried = |idempotent| Policy {
        retry: count(2),
        idempotent,
        allow: Some(vec![grant(GrantKind::Http("example.com".into()))]),
        ..Policy::default()
    };
    let (one, two, three) = (w.call("p.one", vec![]), w.call("p.two", vec![]), w.call("p.three", vec![]));
    let pure = with(three, Policy { retry: count(2), ..Policy::default() });
    let statements = vec![with(one, retried(None)), with(two, retried(Some(true))), pure].into_iter().map(Statement::Do);
    let lowered = lowered(vec![w.flow("main", statements.collect())]);
    assert_eq!(codes(&lowered.warnings), ["flow::retry_not_idempotent"]);
    assert_eq!(lowered.warnings[0].severity, Severity::Warning);
    assert!(lowered.warnings[0].message.contains("`p.one`"));
}

#[test]
fn access_and_purity_come_through_called_flows() {
    let mut w = Write::default();
    let folder = w.param("folder", Type::Dir);
    let flow_call = |args: Vec<Expr>| expr(ExprKind::Flow { flow: FlowId::new(1), args }, Type::S64);
    let statements = vec![require(boolean(true)), value(flow_call(vec![name(folder)]))];
    let main = w.flow("main", statements);
    let mut w = Write::default();
    let dir = w.param("dir", Type::Dir);
    let step = w.call("p.f", vec![]);
    let step = with(step, allow(vec![GrantKind::Folder(FolderAccess::Read, Some(dir))]));
    let helper = w.flow("helper", vec![value(step)]);
    let Lowered { plan, .. } = lowered(vec![main.clone(), helper.clone()]);
    assert_eq!(plan.flows[plan.entry].params[0].access, Some(FolderAccess::Read));
    assert_eq!(waits(&plan, "helper"), ["require"]);

    let mut main = main;
    main.policy = allow(vec![GrantKind::Clock]);
    let found = lower(&program(vec![main, helper])).expect_err("it grants more");
    assert_eq!(codes(&found), ["flow::widens_grant"]);
}

#[test]
fn flows_that_call_each_other_are_refused() {
    let flow_call = |flow: usize| expr(ExprKind::Flow { flow: FlowId::new(flow), args: vec![] }, Type::S64);
    let flows =
        vec![Write::default().flow("a", vec![value(flow_call(1))]), Write::default().flow("b", vec![value(flow_call(0))])];
    assert_eq!(codes(&lower(&program(flows)).expect_err("a circle")), ["flow::recursion"]);
}

#[test]
fn a_rescued_map_collects_with_its_policy() {
    let mut w = Write::default();
    let item = w.bind("item", Type::S64);
    let call = w.call("p.f", vec![name(item)]);
    let map = expr(ExprKind::Map { binding: item, list: Box::new(list(vec![])), body: give(call) }, Type::list(Type::S64));
    let policy = Policy { collect: Some(true), parallel: count(2), ..Policy::default() };
    let plan = plan(w, vec![value(rescue(with(map, policy), list(vec![])))]);
    let node = &plan.nodes[find(&plan, "map")];
    assert!(matches!(node.kind, NodeKind::Map { collect: true, .. }));
    assert!(node.parallel.is_some());
    assert!(plan.nodes[find(&plan, "try")].parallel.is_none());
}

#[test]
fn nesting_is_refused_before_the_stack_ends() {
    let mut deep = int(1);
    for _ in 0..300 {
        deep = expr(ExprKind::Not(Box::new(deep)), Type::Bool);
    }
    let w = Write::default();
    plan(w, vec![value(deep.clone())]);
    for _ in 0..400 {
        deep = expr(ExprKind::Not(Box::new(deep)), Type::Bool);
    }
    assert_eq!(codes(&errors(Write::default(), vec![value(deep)])), ["flow::too_deep"]);
}

#[test]
fn names_that_are_not_bound_are_an_error_and_no_panic() {
    let mut w = Write::default();
    let never = w.bind("never", Type::S64);
    let call = w.call("p.f", vec![]);
    let found = errors(w, vec![Statement::Do(name(never)), Statement::Do(after(call, vec![never]))]);
    assert_eq!(codes(&found), ["flow::out_of_scope", "flow::out_of_scope"]);
}

fn sample(span_shift: u32, literal: i64) -> Plan {
    let mut w = Write::from(span_shift);
    let x = w.param("x", Type::S64);
    let item = w.bind("item", Type::S64);
    let call = w.call("p.f", vec![name(item), name(x)]);
    let step = with(call, Policy { retry: count(2), timeout: duration(1_000_000_000), ..Policy::default() });
    let map = ExprKind::Map { binding: item, list: Box::new(list(vec![name(x), int(literal)])), body: give(step) };
    let (m, s) = w.lets("m", expr(map, Type::list(Type::S64)));
    plan(w, vec![s, require(equal(name(x), int(1))), value(name(m))])
}

#[test]
fn the_digest_covers_meaning_and_not_places() {
    let plan = sample(0, 1);
    let digest = plan.digest();
    assert_eq!(digest, sample(500, 1).digest());
    assert_ne!(digest, sample(0, 2).digest());
    let mut other = sample(0, 1);
    other.files = vec!["elsewhere.flow".into()];
    assert_eq!(digest, other.digest());
    // A plan keeps the one that it was asked for, a copy finds its own.
    let mut other = plan.clone();
    other.nodes[NodeId::new(0)].name = "renamed".into();
    assert_ne!(plan.digest(), other.digest());
    // Changes only together with `SEMANTICS_VERSION` or the digest's own format.
    assert_eq!(digest.to_string(), "sha256:e320b97b3739a481bc508b0e3410826467a5727af5dfc9a0207ca1677550708a");
}

#[test]
fn edges_stay_linear() {
    let statements = |count: usize| {
        let mut w = Write::default();
        let x = w.param("x", Type::S64);
        let mut last = x;
        let mut statements = Vec::new();
        for n in 0..count {
            let call = w.call("p.f", vec![name(last)]);
            let (next, statement) = w.lets(&format!("s{n}"), if n % 2 == 0 { effect(call) } else { call });
            statements.push(statement);
            if n % 7 == 0 {
                statements.push(require(equal(name(next), int(1))));
            }
            last = next;
        }
        statements.push(value(name(last)));
        program(vec![w.flow("main", statements)])
    };
    let program = statements(20_000);
    let lowered = lower(&program).expect("it lowers");
    assert!(lowered.plan.successors.len() < 20_000 * 3);
    check_plan(&lowered.plan).expect("the plan is whole");
}
