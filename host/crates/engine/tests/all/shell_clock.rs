//! A clock that is set while a run waits for a time: it fires once, never early by that clock, and soon when the time has passed.

use std::sync::Arc;
use std::time::Duration;

use catalog::{Type, Value};
use engine::event::{Event, EventBody, RunId, RunOutcome};
use engine::memory::MemoryJournal;
use engine::ports::Journal;
use engine::shell::{Engine, EngineConfig, RunEnd, RunHandle};
use futures::future::FutureExt;
use lang::plan::{NodeKind, Plan, WaitPlan};
use testkit::fake::{FakeClock, FakeInvoker};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, slot, step, wait};

use crate::runs::{new_run, within};

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// A step, a wait of an hour, and another step.
fn nap() -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut main = RegionDraft::new(0);
    let first = main.add("first", step(function, vec![]));
    let policy = NodePolicy { ty: Type::Unit, ..NodePolicy::default() };
    let nap = main.node("nap", NodeKind::Wait(WaitPlan::Time(wait(HOUR))), &[first], policy);
    let last = main.node("last", step(function, vec![]), &[nap], NodePolicy::default());
    let main = builder.region(main, slot(last));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

struct World {
    clock: Arc<FakeClock>,
    journal: Arc<MemoryJournal>,
}

impl World {
    /// A run that waits for its hour.
    async fn waiting() -> (Self, RunHandle) {
        let world = Self { clock: Arc::default(), journal: Arc::new(MemoryJournal::new()) };
        world.clock.advance(100 * DAY);
        let invoker = FakeInvoker::new(|_| async { Ok(Value::U64(1)) }.boxed());
        let (journal, clock) = (Arc::clone(&world.journal), Arc::clone(&world.clock));
        let engine = Engine::new(Arc::new(invoker), journal, clock, EngineConfig::default());
        let handle = engine.start(new_run("r", &Arc::new(nap()), &[])).await.unwrap();
        let first = async {
            while !world.events().iter().any(|event| matches!(event.body, EventBody::AttemptSucceeded { .. })) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        within(first).await;
        (world, handle)
    }

    fn events(&self) -> Vec<Event> {
        self.journal.load(&RunId("r".into())).unwrap()
    }

    /// When the timer fired, each time.
    fn fired(&self) -> Vec<u64> {
        let fired = |event: &Event| matches!(event.body, EventBody::TimerFired { .. }).then_some(event.at.0);
        self.events().iter().filter_map(fired).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_forward_fires_what_has_passed_once() {
    let (world, handle) = World::waiting().await;
    world.clock.advance(DAY);
    let report = within(handle.wait()).await;
    assert!(matches!(report.outcome, RunEnd::Finished(RunOutcome::Succeeded(_))), "{:?}", report.outcome);
    assert_eq!(world.fired(), [101 * DAY]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_back_only_delays() {
    let (world, handle) = World::waiting().await;
    world.clock.advance(0_u64.wrapping_sub(DAY));
    world.clock.advance(2 * HOUR);
    // Two looks at the clock, more or less: nothing may have come of them.
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(world.fired(), [0_u64; 0]);
    world.clock.advance(DAY - HOUR);
    let report = within(handle.wait()).await;
    assert!(matches!(report.outcome, RunEnd::Finished(RunOutcome::Succeeded(_))), "{:?}", report.outcome);
    assert_eq!(world.fired(), [100 * DAY + HOUR]);
}
