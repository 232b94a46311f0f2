//! The shell with a bus: runs of one process that wait for each other, and inboxes that outlive a process.

use std::sync::Arc;
use std::time::Duration;

use bus::{LocalBus, MemoryMail};
use catalog::{Type, Value};
use engine::event::{Payload, RunId, RunOutcome};
use engine::memory::MemoryJournal;
use engine::ports::{MailStore, MailWrite, Message, Signal, SystemClock};
use engine::shell::{Awaited, Engine, EngineConfig, RunEnd, Update};
use futures::future::FutureExt;
use lang::plan::{Expr, NodeKind, Plan, WaitPlan};
use testkit::fake::FakeInvoker;
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, number, slot, wait};

use crate::runs::{new_run, within};

struct World {
    journal: Arc<MemoryJournal>,
    mail: Arc<MemoryMail>,
}

impl World {
    fn new() -> Self {
        Self { journal: Arc::new(MemoryJournal::new()), mail: Arc::new(MemoryMail::new()) }
    }

    /// As after the start of a process.
    fn engine(&self) -> Engine {
        let bus = LocalBus::new(Arc::clone(&self.mail) as Arc<dyn MailStore>);
        let invoker = FakeInvoker::new(|_| async move { Ok(Value::U64(0)) }.boxed());
        let journal = Arc::clone(&self.journal);
        Engine::with_bus(Arc::new(invoker), journal, Arc::new(SystemClock), Arc::new(bus), EngineConfig::default())
    }
}

fn plan_of(kind: NodeKind, policy: NodePolicy) -> Arc<Plan> {
    let mut builder = PlanBuilder::default();
    let mut main = RegionDraft::new(0);
    let made = main.node("it", kind, &[], policy);
    let main = builder.region(main, slot(made));
    let entry = builder.flow("main", &[], main);
    Arc::new(builder.finish(entry))
}

fn topic() -> Expr {
    Expr::Const(Value::string("t"))
}

fn receiver() -> Arc<Plan> {
    plan_of(NodeKind::Wait(WaitPlan::Message { topic: topic(), ty: Type::U64 }), NodePolicy::default())
}

fn sender(value: u64) -> Arc<Plan> {
    plan_of(NodeKind::Emit { topic: topic(), value: number(value) }, NodePolicy { ty: Type::Unit, ..NodePolicy::default() })
}

fn asking(deadline: Option<Expr>) -> Arc<Plan> {
    let kind = NodeKind::Wait(WaitPlan::Signal { name: "n".into(), ty: Type::U64 });
    plan_of(kind, NodePolicy { deadline, ..NodePolicy::default() })
}

fn run(id: &str) -> RunId {
    RunId(id.into())
}

fn given(end: &RunEnd) -> Value {
    match end {
        RunEnd::Finished(RunOutcome::Succeeded(Payload::Value(value))) => value.clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_reaches_the_runs_of_its_process_at_once() {
    let world = World::new();
    let engine = world.engine();
    let mut waiting = engine.start(new_run("waits", &receiver(), &[])).await.unwrap();
    while !matches!(within(waiting.next_update()).await, Some(Update::Waiting { .. })) {}
    assert_eq!(world.mail.waiting(&run("waits")).as_deref(), Some("message \"t\": u64 (main/it)"));
    let sent = within(engine.start(new_run("sends", &sender(7), &[])).await.unwrap().wait()).await;
    assert_eq!(given(&sent.outcome), Value::Unit);
    assert_eq!(given(&within(waiting.wait()).await.outcome), Value::U64(7));
    assert!(world.mail.letters(&run("waits"), 0, 9).unwrap().is_empty());
    assert_eq!(world.mail.waiting(&run("waits")), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_only_its_operator_can_move_ends_its_task_and_goes_on_with_the_signal() {
    let world = World::new();
    let plan = asking(None);
    let report = within(world.engine().start(new_run("r", &plan, &[])).await.unwrap().wait()).await;
    let RunEnd::Paused { blocked, waiting } = report.outcome else { panic!("{:?}", report.outcome) };
    assert!(blocked.is_empty());
    assert_eq!(waiting[0].what, Awaited::Signal { name: "n".into(), ty: Type::U64 });
    assert!(world.mail.waiting(&run("r")).is_some(), "other processes are told");
    let signal = Signal { name: "n".into(), id: "s".into(), payload: "5".into() };
    world.mail.write_mail(MailWrite::Signal(run("r"), signal)).await.unwrap();
    let report = within(world.engine().resume(run("r"), plan).await.unwrap().wait()).await;
    assert_eq!(given(&report.outcome), Value::U64(5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_can_be_given_to_a_resumed_run_at_once() {
    let world = World::new();
    let plan = asking(None);
    within(world.engine().start(new_run("r", &plan, &[])).await.unwrap().wait()).await;
    let handle = world.engine().resume(run("r"), plan).await.unwrap();
    handle.signal(Signal { name: "n".into(), id: "".into(), payload: "6".into() });
    assert_eq!(given(&within(handle.wait()).await.outcome), Value::U64(6));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_stays_for_a_timer_and_takes_a_signal_of_another_process_meanwhile() {
    let world = World::new();
    let handle = world.engine().start(new_run("r", &asking(Some(wait(50_000))), &[])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let signal = Signal { name: "n".into(), id: "s".into(), payload: "8".into() };
    world.mail.write_mail(MailWrite::Signal(run("r"), signal)).await.unwrap();
    assert_eq!(given(&within(handle.wait()).await.outcome), Value::U64(8));
    let report = within(world.engine().start(new_run("late", &asking(Some(wait(20))), &[])).await.unwrap().wait()).await;
    let RunEnd::Finished(RunOutcome::Failed { failure, .. }) = report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!((failure.kind.name(), &*failure.message), ("timeout", "the signal `n` did not come in time"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_that_came_while_nobody_owned_the_run_is_there_when_it_is_resumed() {
    let world = World::new();
    let plan = receiver();
    // A process dies, and with it all of its tasks.
    let (engine, begun) = (world.engine(), new_run("r", &plan, &[]));
    std::thread::spawn(move || drop(tokio::runtime::Runtime::new().unwrap().block_on(engine.start(begun)).unwrap()))
        .join()
        .unwrap();
    let skipped = Message { topic: "t".into(), id: "a".into(), payload: "\"no number\"".into(), trace: None };
    let taken = Message { topic: "t".into(), id: "b".into(), payload: "3".into(), trace: None };
    for message in [skipped, taken] {
        world.mail.write_mail(MailWrite::Publish(message)).await.unwrap();
    }
    let mut handle = world.engine().resume(run("r"), plan).await.unwrap();
    let mut notes = Vec::new();
    while let Some(update) = within(handle.next_update()).await {
        if let Update::Note { line } = update {
            notes.push(line);
        }
    }
    assert_eq!(given(&within(handle.wait()).await.outcome), Value::U64(3));
    assert_eq!(notes.len(), 1);
    assert!(notes[0].starts_with("a message on `t` does not fit and is skipped: "), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_bus_nothing_can_be_sent() {
    let invoker = FakeInvoker::new(|_| async move { Ok(Value::U64(0)) }.boxed());
    let engine = Engine::new(Arc::new(invoker), Arc::new(MemoryJournal::new()), Arc::new(SystemClock), EngineConfig::default());
    let report = within(engine.start(new_run("r", &sender(1), &[])).await.unwrap().wait()).await;
    let RunEnd::StoreFailed(error) = report.outcome else { panic!("{:?}", report.outcome) };
    assert_eq!(error.to_string(), "the message on `t` cannot be sent: this host has no bus");
}
