//! Control letters and the shell: what they do to a run that another process drives, or nobody.

use std::sync::Arc;
use std::time::Duration;

use bus::{LocalBus, MemoryMail};
use catalog::{Digest, Value};
use engine::event::{Change, EventBody, Payload, RunId, RunOutcome, Version};
use engine::memory::MemoryJournal;
use engine::ports::{Control, Journal, MailStore, MailWrite, Order, SystemClock};
use engine::shell::{Engine, EngineConfig, MIGRATING, NewRun, RunEnd, TakeOver};
use futures::future::FutureExt;
use lang::plan::Plan;
use testkit::fake::FakeInvoker;
use tokio::sync::Semaphore;

use crate::runs::{chain, new_run, within};

/// What outlives a process, and permits for steps: each step needs one to end.
struct World {
    journal: Arc<MemoryJournal>,
    mail: Arc<MemoryMail>,
    permits: Arc<Semaphore>,
}

impl World {
    fn new() -> Self {
        let (journal, mail) = (Arc::new(MemoryJournal::new()), Arc::new(MemoryMail::new()));
        Self { journal, mail, permits: Arc::new(Semaphore::new(0)) }
    }

    /// As after the start of a process.
    fn engine(&self) -> Engine {
        self.engine_with(EngineConfig::default())
    }

    fn engine_with(&self, config: EngineConfig) -> Engine {
        let bus = LocalBus::new(Arc::clone(&self.mail) as Arc<dyn MailStore>);
        let permits = Arc::clone(&self.permits);
        let invoker = FakeInvoker::new(move |_| {
            let permits = Arc::clone(&permits);
            async move {
                permits.acquire().await.unwrap().forget();
                Ok(Value::U64(1))
            }
            .boxed()
        });
        let journal = Arc::clone(&self.journal);
        Engine::with_bus(Arc::new(invoker), journal, Arc::new(SystemClock), Arc::new(bus), config)
    }

    async fn send(&self, id: &str, order: Order) {
        let control = Control { id: id.into(), order };
        self.mail.write_mail(MailWrite::Control(run(), control)).await.unwrap();
    }

    /// Waits until the journal has such an event.
    async fn until(&self, fits: impl Fn(&EventBody) -> bool) {
        let found = async {
            while !self.journal.load(&run()).unwrap().iter().any(|event| fits(&event.body)) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        within(found).await;
    }

    fn kinds(&self) -> Vec<&'static str> {
        let kind = |body: &EventBody| match body {
            EventBody::RunStarted(_) => "started",
            EventBody::AttemptSucceeded { .. } => "succeeded",
            EventBody::AttemptCancelled { .. } => "stopped",
            EventBody::ControlTaken { refusal: None, .. } => "taken",
            EventBody::ControlTaken { .. } => "refused",
            EventBody::Paused { .. } => "paused",
            EventBody::Resumed => "resumed",
            EventBody::Advanced { .. } => "advanced",
            EventBody::CancelRequested { gently: true, .. } => "cancel gently",
            EventBody::CancelRequested { .. } => "cancel",
            EventBody::OwnerChanged { .. } => "owner",
            EventBody::Changed(_) => "changed",
            EventBody::RunEnded { .. } => "ended",
            _ => "other",
        };
        self.journal.load(&run()).unwrap().iter().map(|event| kind(&event.body)).collect()
    }
}

fn run() -> RunId {
    RunId("r".into())
}

fn new(plan: &Arc<Plan>) -> NewRun {
    new_run("r", plan, &[])
}

fn is_paused(end: &RunEnd) -> bool {
    matches!(end, RunEnd::Paused { .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_letter_of_another_process_reaches_a_run_that_waits_for_nothing() {
    let world = World::new();
    let plan = Arc::new(chain(3));
    let handle = world.engine().start(new(&plan)).await.unwrap();
    world.send("c1", Order::Pause { reason: "a break".into() }).await;
    world.until(|body| matches!(body, EventBody::Paused { .. })).await;
    world.permits.add_permits(1);
    let report = within(handle.wait()).await;
    assert!(is_paused(&report.outcome), "{:?}", report.outcome);
    assert_eq!(world.kinds(), ["started", "taken", "paused", "succeeded"]);
    assert!(world.mail.controls(&run(), 0).unwrap().is_empty(), "the letter is taken out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_wait_for_the_next_owner_and_those_that_stop_come_before_anything_starts() {
    let world = World::new();
    let plan = Arc::new(chain(3));
    let handle = world.engine().start(new(&plan)).await.unwrap();
    // The process dies.
    drop(handle);
    world.send("c1", Order::Pause { reason: "a break".into() }).await;
    let how = TakeOver { stays_paused: true, orders: Vec::new() };
    let report = within(world.engine().take_over(run(), Arc::clone(&plan), how).await.unwrap().wait()).await;
    assert!(is_paused(&report.outcome), "{:?}", report.outcome);
    assert_eq!(world.kinds(), ["started", "taken", "paused", "owner"]);
    // One more step, by an order that comes with the takeover.
    world.permits.add_permits(1);
    let control = Control { id: "c2".into(), order: Order::Advance { steps: 1 } };
    let how = TakeOver { stays_paused: true, orders: vec![control] };
    let report = within(world.engine().take_over(run(), Arc::clone(&plan), how).await.unwrap().wait()).await;
    assert!(is_paused(&report.outcome), "{:?}", report.outcome);
    assert_eq!(world.kinds()[4..], ["owner", "taken", "advanced", "succeeded"]);
    // The end, without another step.
    let control = Control { id: "c3".into(), order: Order::Cancel { reason: "enough".into(), gently: true } };
    let how = TakeOver { stays_paused: true, orders: vec![control] };
    let report = within(world.engine().take_over(run(), plan, how).await.unwrap().wait()).await;
    assert_eq!(report.outcome, RunEnd::Finished(RunOutcome::Cancelled));
    assert_eq!(world.kinds()[8..], ["taken", "cancel gently", "owner", "ended"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancellation_is_gentle_first_and_then_is_not() {
    let world = World::new();
    let handle = world.engine().start(new(&Arc::new(chain(2)))).await.unwrap();
    world.send("c1", Order::Cancel { reason: "enough".into(), gently: true }).await;
    world.until(|body| matches!(body, EventBody::CancelRequested { gently: true, .. })).await;
    // The step still runs: it would end with a permit. Nobody gives one.
    world.send("c2", Order::Cancel { reason: "now".into(), gently: false }).await;
    assert_eq!(within(handle.wait()).await.outcome, RunEnd::Finished(RunOutcome::Cancelled));
    assert_eq!(world.kinds(), ["started", "taken", "cancel gently", "taken", "cancel", "stopped", "ended"]);
    assert!(world.mail.controls(&run(), 0).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_checked_against_what_is_durable() {
    let world = World::new();
    let handle = world.engine().start(new(&Arc::new(chain(3)))).await.unwrap();
    let result = |path: &str| Change::Result { path: path.into(), output: Payload::Text("7".into()) };
    // The first step has begun; of two changes that come together none is made then.
    world.send("c1", Order::Change(vec![result("main/s1"), result("main/s0")])).await;
    world.until(|body| matches!(body, EventBody::ControlTaken { .. })).await;
    world.send("c2", Order::Change(vec![result("main/s1"), result("main/s2")])).await;
    world.until(|body| matches!(body, EventBody::Changed(_))).await;
    // One permit is enough: what was supplied does not run.
    world.permits.add_permits(1);
    let value = Payload::Value(Value::U64(7));
    assert_eq!(within(handle.wait()).await.outcome, RunEnd::Finished(RunOutcome::Succeeded(value)));
    let wanted = ["started", "refused", "taken", "changed", "changed", "succeeded", "succeeded", "succeeded", "ended"];
    assert_eq!(world.kinds(), wanted);
    assert!(world.mail.controls(&run(), 0).unwrap().is_empty());
}

fn migrate() -> Order {
    Order::Migrate(Version { plan: Digest([1; 32]), program: Digest([2; 32]) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_is_left_for_its_migration_when_what_runs_has_ended() {
    let world = World::new();
    let plan = Arc::new(chain(3));
    let handle = world.engine().start(new(&plan)).await.unwrap();
    world.send("c1", migrate()).await;
    world.until(|body| matches!(body, EventBody::Paused { reason } if reason == MIGRATING)).await;
    world.permits.add_permits(1);
    let report = within(handle.wait()).await;
    let RunEnd::Leaves(control) = report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!((&*control.id, &control.order), ("c1", &migrate()));
    assert_eq!(world.kinds(), ["started", "paused", "succeeded"]);
    // Nobody has answered the letter: the next owner finds it.
    let report = within(world.engine().adopt(run(), plan).await.unwrap().wait()).await;
    assert!(matches!(report.outcome, RunEnd::Leaves(_)), "{:?}", report.outcome);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_steps_do_not_end_is_not_migrated_and_goes_on() {
    let world = World::new();
    let config = EngineConfig { quiet: Duration::from_millis(50), ..EngineConfig::default() };
    let handle = world.engine_with(config).start(new(&Arc::new(chain(2)))).await.unwrap();
    world.send("c1", migrate()).await;
    world.until(|body| matches!(body, EventBody::Resumed)).await;
    world.permits.add_permits(2);
    let report = within(handle.wait()).await;
    assert!(matches!(report.outcome, RunEnd::Finished(RunOutcome::Succeeded(_))), "{:?}", report.outcome);
    assert_eq!(world.kinds(), ["started", "paused", "refused", "resumed", "succeeded", "succeeded", "ended"]);
    let reason = world.journal.load(&run()).unwrap().into_iter().find_map(|event| match event.body {
        EventBody::ControlTaken { refusal, .. } => refusal,
        _ => None,
    });
    assert!(reason.as_ref().is_some_and(|reason| reason.contains("main/s0")), "{reason:?}");
}
