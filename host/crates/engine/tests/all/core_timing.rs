//! Where the time of a run went, by virtual time.

use std::sync::Arc;

use catalog::Type;
use engine::core::{Input, Spent, timings};
use engine::event::Timestamp;
use lang::plan::{Backoff, Expr, NodeKind, Plan};
use testkit::simulator::build::{PlanBuilder, RegionDraft, call, count, slot, step, wait};

use crate::script::{Script, id};

/// `main()` with a step that is tried again after 50 ms and has a key, one that waits for the key, and one after both.
fn plan() -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let key = Some(Expr::Const(catalog::Value::string("k")));
    let mut risky = call(function, vec![]);
    risky.retry = Some(count(1));
    risky.backoff = Backoff::Constant(wait(50));
    risky.rules.key.clone_from(&key);
    let mut other = call(function, vec![]);
    other.rules.key = key;
    let mut main = RegionDraft::new(0);
    let a = main.add("a", NodeKind::Call(Box::new(risky)));
    let b = main.add("b", NodeKind::Call(Box::new(other)));
    let last = main.add("last", step(function, vec![slot(a), slot(b)]));
    let main = builder.region(main, slot(last));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

#[test]
fn each_millisecond_of_a_step_is_counted_where_it_was_spent() {
    let mut script = Script::start(plan(), &[], &[]);
    script.now = 10;
    script.fails("main/a");
    script.now = 60;
    script.input(Input::TimerDue(engine::event::TimerId(0)));
    script.now = 75;
    script.input(Input::Pause { reason: "lunch".into() });
    script.gives("main/a", 1);
    script.now = 100;
    script.input(Input::Resume);
    script.now = 130;
    script.gives("main/b", 1);
    script.now = 135;
    script.gives("main/last", 1);
    let all = timings(Arc::clone(&script.plan), id(), &script.journal).unwrap();
    let of = |path: &str| all.iter().find(|timing| *timing.path == *path).unwrap();
    assert_eq!(of("main/a").spent, Spent { running: 25, retry: 50, ..Spent::default() });
    assert_eq!((of("main/a").attempts, of("main/a").ended), (2, Some(Timestamp(75))));
    assert_eq!(of("main/b").spent, Spent { key: 75, held: 25, running: 30, ..Spent::default() });
    assert_eq!((of("main/last").ready, of("main/last").spent.total()), (Timestamp(130), 5));
    let order: Vec<&str> = all.iter().map(|timing| &*timing.path).collect();
    assert_eq!(order, ["main/b", "main/a", "main/last"], "what took longest first");
}
