//! Runs that are started on the shell, and a plan that many tests run.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Digest, Type};
use engine::event::RunId;
use engine::shell::NewRun;
use lang::plan::Plan;
use testkit::simulator::build::{PlanBuilder, RegionDraft, slot, step};

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
        trace: None,
    }
}

/// What a future gives that must not take for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it should not take so long")
}
