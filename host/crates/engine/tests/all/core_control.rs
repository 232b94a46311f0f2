//! Orders in letters: once, durable, and answered; single steps of a paused run; the two steps of a cancellation.

use catalog::{Type, Value};
use engine::core::Input;
use engine::event::{Decision, TaskId};
use engine::ports::{Control, Mail, Order};
use lang::plan::{Plan, UndoPlan};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, child, slot, step};

use crate::runs::chain;
use crate::script::Script;

fn letter(id: &str, order: Order) -> Input {
    Input::Mail(Mail::Control(Control { id: id.into(), order }))
}

fn pause() -> Order {
    Order::Pause { reason: "lunch".into() }
}

fn cancel(gently: bool) -> Order {
    Order::Cancel { reason: "enough".into(), gently }
}

/// `main()` with so many steps that do not wait for each other.
fn wide(steps: usize) -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut main = RegionDraft::new(0);
    let mut last = None;
    for n in 0..steps {
        last = Some(main.add(&format!("s{n}"), step(function, vec![])));
    }
    let main = builder.region(main, slot(last.unwrap()));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

#[test]
fn an_order_in_a_letter_is_carried_out_once_also_by_the_next_owner() {
    let mut script = Script::start(chain(2), &[], &[]);
    script.take_lines();
    script.input(letter("c1", pause()));
    script.check(&["2 control-taken c1", "3 paused (lunch)"]);
    script.input(letter("c1", pause()));
    script.check(&[]);
    script.input(letter("c2", Order::Resume));
    script.check(&["4 control-taken c2", "5 resumed"]);
    script.input(letter("c1", pause()));
    script.check(&[]);
    let mut script = Script::recover(script.plan, script.journal);
    script.take_lines();
    script.input(letter("c1", pause()));
    script.check(&[]);
    assert!(script.run.has_taken("c1") && script.run.has_taken("c2") && !script.run.has_taken("c3"));
}

#[test]
fn what_does_not_fit_is_answered_in_the_journal() {
    let mut script = Script::start(chain(2), &[], &[]);
    script.take_lines();
    script.input(letter("c1", Order::Resume));
    script.input(letter("c2", Order::Advance { steps: 1 }));
    script.input(letter(
        "c3",
        Order::Decide { task: TaskId(0), migrations: Some(0), decision: Decision::Retry(engine::event::Amounts::default()) },
    ));
    script.check(&[
        "2 control-taken c1 refused: the run is not paused",
        "3 control-taken c2 refused: the run is not paused",
        "4 control-taken c3 refused: step 0 does not wait for a decision",
    ]);
    script.input(letter("c4", pause()));
    script.input(letter("c5", pause()));
    script.input(letter("c6", cancel(true)));
    script.input(letter("c7", cancel(true)));
    script.input(letter("c8", cancel(false)));
    script.input(letter("c9", cancel(false)));
    script.input(letter("c10", pause()));
    let refused: Vec<String> = script.take_lines().into_iter().filter(|line| line.contains("refused")).collect();
    assert_eq!(
        refused,
        [
            "7 control-taken c5 refused: the run is paused already",
            "10 control-taken c7 refused: the run is being cancelled already",
            "13 control-taken c9 refused: the run is being cancelled already, and what ran was told to stop",
            "14 control-taken c10 refused: the run is being cancelled",
        ]
    );
}

#[test]
fn a_paused_run_lets_exactly_so_many_steps_start() {
    let mut script = Script::start(chain(3), &[], &[]);
    script.input(letter("c1", pause()));
    script.gives("main/s0", 1);
    script.take_lines();
    script.input(letter("c2", Order::Advance { steps: 1 }));
    script.check(&["5 control-taken c2", "6 advanced 1", "invoke main/s1#1 work(1)"]);
    script.gives("main/s1", 2);
    script.check(&["7 attempt-succeeded main/s1#1 2", "idle paused (lunch)"]);
    script.input(letter("c3", Order::Resume));
    script.gives("main/s2", 3);
    assert_eq!(script.take_lines().last().unwrap(), "ended succeeded 3");
}

#[test]
fn what_is_held_longest_starts_first_and_the_rest_stays_held() {
    let mut script = Script::start_with(wide(4), &[], &[], |_| {});
    script.input(letter("c1", pause()));
    for step in ["main/s0", "main/s1", "main/s2"] {
        script.stops(step);
    }
    script.gives("main/s3", 1);
    assert!(script.running().is_empty(), "{:?}", script.running());
    script.input(letter("c2", Order::Advance { steps: 2 }));
    assert_eq!(script.running(), ["main/s0", "main/s1"]);
    // A replay holds the same.
    let again = Script::recover(std::sync::Arc::clone(&script.plan), script.journal.clone());
    assert!(again.run.is_paused());
    script.input(letter("c3", Order::Resume));
    assert_eq!(script.running(), ["main/s0", "main/s1", "main/s2"]);
}

#[test]
fn a_gentle_cancellation_lets_what_runs_finish_and_takes_it_back() {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let undo = builder.function("undo", Type::U64);
    let mut taken_back = RegionDraft::new(1);
    taken_back.add("undo", step(undo, vec![slot(lang::plan::Slot(0))]));
    let taken_back = builder.region(taken_back, lang::plan::Expr::Const(Value::Unit));
    let mut main = RegionDraft::new(0);
    let undo = Some(UndoPlan { child: child(taken_back, &[]), always: false });
    let policy = NodePolicy { undo, ..NodePolicy::default() };
    let a = main.node("a", step(function, vec![]), &[], policy);
    let b = main.add("b", step(function, vec![slot(a)]));
    let main = builder.region(main, slot(b));
    let entry = builder.flow("main", &[], main);
    let mut script = Script::start(builder.finish(entry), &[], &[]);
    script.take_lines();
    script.input(letter("c1", cancel(true)));
    script.check(&["2 control-taken c1", "3 cancel-requested gently (enough)"]);
    assert_eq!(script.running(), ["main/a"]);
    script.gives("main/a", 5);
    script.check(&["4 attempt-succeeded main/a#1 5", "invoke main/a.undo/undo#1 undo(5)"]);
    script.input(letter("c2", cancel(false)));
    script.check(&["5 control-taken c2", "6 cancel-requested (enough)"]);
    script.gives("main/a.undo/undo", 0);
    assert_eq!(script.take_lines().last().unwrap(), "ended cancelled");
}

#[test]
fn a_second_cancellation_stops_what_the_first_let_run() {
    let mut script = Script::start(wide(2), &[], &[]);
    script.take_lines();
    script.input(letter("c1", cancel(true)));
    script.input(letter("c2", cancel(false)));
    script.check(&[
        "2 control-taken c1",
        "3 cancel-requested gently (enough)",
        "4 control-taken c2",
        "5 cancel-requested (enough)",
        "stop step 0#1",
        "stop step 1#1",
    ]);
    script.stops("main/s0");
    script.stops("main/s1");
    assert_eq!(script.take_lines().last().unwrap(), "ended cancelled");
}
