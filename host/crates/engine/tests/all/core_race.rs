//! Races, and flows that call themselves.

use catalog::Type;
use lang::plan::{Expr, NodeKind, Operator, Plan, Slot};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, child, count, number, slot, step, wait};

use crate::script::Script;

/// `main()` gives what three arms of one step each come to.
fn race(wanted: Option<Expr>, policy: NodePolicy) -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let arms = (0..3).map(|_| {
        let mut arm = RegionDraft::new(0);
        let made = arm.add("work", step(function, vec![]));
        child(builder.region(arm, slot(made)), &[])
    });
    let arms = arms.collect();
    let mut main = RegionDraft::new(0);
    let raced = main.node("race", NodeKind::Race { arms, wanted }, &[], policy);
    let main = builder.region(main, slot(raced));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

fn listed() -> NodePolicy {
    NodePolicy { ty: Type::list(Type::U64), ..NodePolicy::default() }
}

#[test]
fn the_first_success_wins_when_the_others_have_stopped() {
    let mut script = Script::start(race(None, NodePolicy::default()), &[], &[]);
    assert_eq!(script.running(), ["main/race[0]/work", "main/race[1]/work", "main/race[2]/work"]);
    script.fails("main/race[0]/work");
    script.take_lines();
    script.gives("main/race[2]/work", 7);
    script.check(&["3 attempt-succeeded main/race[2]/work#1 7", "stop step 1#1"]);
    script.gives("main/race[1]/work", 8);
    script.check(&["4 attempt-succeeded main/race[1]/work#1 8", "5 run-ended succeeded 7", "ended succeeded 7"]);
}

#[test]
fn the_first_two_are_given_in_the_order_of_the_arms() {
    let mut script = Script::start(race(Some(count(2)), listed()), &[], &[]);
    script.gives("main/race[2]/work", 9);
    script.gives("main/race[0]/work", 3);
    script.take_lines();
    script.stops("main/race[1]/work");
    script.check(&["4 attempt-cancelled main/race[1]/work#1", "5 run-ended succeeded [3,9]", "ended succeeded [3,9]"]);
}

#[test]
fn it_fails_when_too_many_have_failed() {
    let mut script = Script::start(race(Some(count(2)), listed()), &[], &[]);
    script.fails("main/race[1]/work");
    script.take_lines();
    script.fails("main/race[0]/work");
    script.check(&["3 attempt-failed main/race[0]/work#1 network: no route", "stop step 2#1"]);
    script.stops("main/race[2]/work");
    let last = "2 of 3 arms failed and 2 must succeed, the last with: no route";
    assert_eq!(script.take_lines().last().unwrap(), &format!("ended failed main/race[0]/work network: {last}"));

    let mut script = Script::start(race(None, NodePolicy::default()), &[], &[]);
    script.fails("main/race[1]/work");
    script.fails("main/race[2]/work");
    script.fails("main/race[0]/work");
    let last = "ended failed main/race[0]/work network: all 3 arms failed, the last with: no route";
    assert_eq!(script.take_lines().last().unwrap(), last);
}

#[test]
fn a_computed_count_out_of_range_fails() {
    for wanted in [0, 4] {
        let mut script = Script::start(race(Some(count(wanted)), listed()), &[], &[]);
        let message = format!("ended failed main/race calculation: `any {wanted} of` has 3 arms: the number is from 1 to 3");
        assert_eq!(script.take_lines().last().unwrap(), &message);
    }
}

#[test]
fn a_deadline_ends_a_race() {
    let policy = NodePolicy { deadline: Some(wait(100)), parallel: Some(count(1)), ..NodePolicy::default() };
    let mut script = Script::start(race(None, policy), &[], &[]);
    assert_eq!(script.running(), ["main/race[0]/work"]);
    script.now = 100;
    script.input(engine::core::Input::TimerDue(engine::event::TimerId(0)));
    script.stops("main/race[0]/work");
    assert_eq!(script.take_lines().last().unwrap(), "ended failed main/race timeout: the deadline passed");
}

/// `main(n)` calls `count(n)`, which calls itself with one less until that is 0, and gives how often it was called.
fn recursion(bound: u32) -> Plan {
    let mut builder = PlanBuilder::default();
    let one = |operator, a| Expr::Binary(operator, Box::new(a), Box::new(number(1)));
    let mut again = RegionDraft::new(1);
    let flow = builder.next_flow();
    let called = again.add("count", NodeKind::Flow { flow, args: vec![one(Operator::Sub, slot(Slot(0)))] });
    let again = builder.region(again, one(Operator::Add, slot(called)));
    let last = builder.region(RegionDraft::new(0), number(1));
    let mut body = RegionDraft::new(1);
    let condition = Expr::Binary(Operator::Gt, Box::new(slot(Slot(0))), Box::new(number(0)));
    let kind = NodeKind::If { condition, then: child(again, &[Slot(0)]), otherwise: Some(child(last, &[])) };
    let deeper = body.add("if", kind);
    let body = builder.region(body, slot(deeper));
    let flow = builder.flow("count", &["n"], body);
    builder.flow_mut(flow).unwrap().recursion = Some(bound);
    let mut main = RegionDraft::new(1);
    let called = main.add("count", NodeKind::Flow { flow, args: vec![slot(Slot(0))] });
    let main = builder.region(main, slot(called));
    let entry = builder.flow("main", &["n"], main);
    builder.finish(entry)
}

#[test]
fn a_flow_calls_itself_as_often_as_its_bound_allows() {
    let mut script = Script::start(recursion(3), &[2], &[]);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 3");
    let mut script = Script::start(recursion(3), &[3], &[]);
    let message = "`count` is called inside itself more often than its bound allows: `recursive max 3`";
    let path = "main/count/if/count/if/count/if/count";
    assert_eq!(script.take_lines().last().unwrap(), &format!("ended failed {path} resource: {message}"));
}

#[test]
fn the_deepest_recursion_is_no_depth_of_the_stack() {
    let run = || {
        let mut script = Script::start(recursion(1000), &[999], &[]);
        assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 1000");
        let mut script = Script::start(recursion(1000), &[1000], &[]);
        assert!(script.take_lines().last().unwrap().contains(" resource: "));
    };
    std::thread::Builder::new().stack_size(128 * 1024).spawn(run).unwrap().join().unwrap();
}
