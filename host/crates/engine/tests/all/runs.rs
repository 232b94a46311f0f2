//! Runs that are started on the shell, and plans that many tests run.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Digest, Type};
use engine::event::RunId;
use engine::shell::NewRun;
use lang::plan::{CallPlan, NodeKind, Plan, Slot};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, call, child, numbers, slot, step};

/// `main()` is a chain of so many steps.
pub(crate) fn chain(steps: usize) -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut main = RegionDraft::new(0);
    let mut last = main.add("s0", step(function, vec![]));
    for n in 1..steps {
        last = main.add(&format!("s{n}"), step(function, vec![slot(last)]));
    }
    let main = builder.region(main, slot(last));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

/// A run without input, to which this is permitted.
pub(crate) fn new_run(id: &str, plan: &Arc<Plan>, permitted: &[&str]) -> NewRun {
    NewRun {
        id: RunId(id.into()),
        plan: Arc::clone(plan),
        program: Digest([0; 32]),
        input: Vec::new(),
        labels: Vec::new(),
        permitted: permitted.iter().map(|text| (*text).to_owned()).collect(),
        origin: None,
    }
}

/// What a future gives that must not take for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it should not take so long")
}

/// `main()` maps this many items over a step `work`, which the test may change.
pub(crate) fn fan(items: u64, change: impl FnOnce(&mut CallPlan)) -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut work = call(function, vec![slot(Slot(0))]);
    change(&mut work);
    let mut body = RegionDraft::new(1);
    let made = body.add("work", NodeKind::Call(Box::new(work)));
    let body = builder.region(body, slot(made));
    let mut main = RegionDraft::new(0);
    let kind = NodeKind::Map { list: numbers(0..items), body: child(body, &[]), collect: false };
    let form = main.node("map", kind, &[], NodePolicy { ty: Type::list(Type::U64), ..NodePolicy::default() });
    let main = builder.region(main, slot(form));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}
