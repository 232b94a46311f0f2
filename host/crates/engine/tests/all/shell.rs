//! The shell: real tasks, a journal in memory that can be slow or fail.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catalog::{Digest, FailureKind, Value};
use engine::event::{Decision, Event, EventBody, Failure, Payload, RunId, RunOutcome, TaskId};
use engine::memory::MemoryJournal;
use engine::ports::{Invocation, Invoker, Journal, JournalError, SystemClock};
use engine::shell::{ClassLimits, Engine, EngineConfig, EngineError, NewRun, RunEnd, RunReport, Update};
use futures::future::{BoxFuture, FutureExt};
use lang::plan::{Class, Grant, Plan};
use testkit::fake::{FakeInvoker, failure};
use testkit::simulator::build::{count, fan, wait};

use crate::runs::{chain, new_run, within};

fn new(plan: &Arc<Plan>) -> NewRun {
    new_run("r1", plan, &["http *"])
}

fn sum(invocation: &Invocation) -> u64 {
    invocation.args.iter().map(|arg| if let Value::U64(n) = arg { *n } else { 0 }).sum::<u64>() + 1
}

fn adder() -> Arc<dyn Invoker> {
    Arc::new(FakeInvoker::new(|invocation| async move { Ok(Value::U64(sum(&invocation))) }.boxed()))
}

fn engine(invoker: Arc<dyn Invoker>, journal: Arc<dyn Journal>, config: EngineConfig) -> Engine {
    Engine::new(invoker, journal, Arc::new(SystemClock), config)
}

fn value(report: &RunReport) -> &Value {
    match &report.outcome {
        RunEnd::Finished(RunOutcome::Succeeded(Payload::Value(value))) => value,
        other => panic!("{other:?}"),
    }
}

/// A journal that is slow, or fails after so many appends.
struct Trouble {
    inner: MemoryJournal,
    delay: Duration,
    left: AtomicUsize,
    error: JournalError,
    failed: AtomicBool,
}

impl Trouble {
    fn slow(delay: Duration) -> Self {
        Self {
            inner: MemoryJournal::new(),
            delay,
            left: AtomicUsize::new(usize::MAX),
            error: JournalError::Unavailable("full".into()),
            failed: AtomicBool::new(false),
        }
    }

    fn failing(after: usize, error: JournalError) -> Self {
        Self {
            inner: MemoryJournal::new(),
            delay: Duration::ZERO,
            left: AtomicUsize::new(after),
            error,
            failed: AtomicBool::new(false),
        }
    }
}

impl Journal for Trouble {
    fn append(&self, run: &RunId, events: Arc<[Event]>) -> BoxFuture<'static, Result<(), JournalError>> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        let done = match left {
            Ok(_) => self.inner.append(run, events),
            Err(_) if self.failed.swap(true, Ordering::SeqCst) => {
                let what = "what the failed append would have written is missing".to_owned();
                futures::future::ready(Err(JournalError::Damaged { run: run.clone(), what })).boxed()
            }
            Err(_) => {
                // Slower than those behind it, which are then answered together with it.
                let (error, delay) = (self.error.clone(), self.delay * 20);
                async move {
                    tokio::time::sleep(delay).await;
                    Err(error)
                }
                .boxed()
            }
        };
        let delay = self.delay;
        async move {
            tokio::time::sleep(delay).await;
            done.await
        }
        .boxed()
    }

    fn load(&self, run: &RunId) -> Result<Vec<Event>, JournalError> {
        self.inner.load(run)
    }

    fn put_blob(&self, bytes: &[u8]) -> Result<Digest, JournalError> {
        self.inner.put_blob(bytes)
    }

    fn blob(&self, digest: Digest) -> Result<Vec<u8>, JournalError> {
        self.inner.blob(digest)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fan_out_and_a_chain_come_to_their_values() {
    let plan = Arc::new(fan(3000, |_| {}));
    let engine = engine(adder(), Arc::new(MemoryJournal::new()), EngineConfig::default());
    let report = within(engine.start(new(&plan)).await.unwrap().wait()).await;
    assert_eq!(*value(&report), Value::list((1..=3000).map(Value::U64)));
    assert_eq!((report.steps, report.attempts, report.bill.fuel), (3000, 3000, 3000));
    let plan = Arc::new(chain(500));
    let report = within(engine.start(NewRun { id: RunId("r2".into()), ..new(&plan) }).await.unwrap().wait()).await;
    assert_eq!(*value(&report), Value::U64(500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_are_grouped_while_the_journal_is_slow() {
    let plan = Arc::new(fan(2000, |_| {}));
    let journal = Arc::new(Trouble::slow(Duration::from_millis(5)));
    let engine = engine(adder(), journal.clone(), EngineConfig::default());
    let report = within(engine.start(new(&plan)).await.unwrap().wait()).await;
    assert_eq!(report.steps, 2000);
    let appends = usize::MAX - journal.left.load(Ordering::SeqCst);
    assert!(appends < 500, "{appends} appends for 2000 outcomes");
}

/// Counts attempts that run at the same time.
#[derive(Default)]
struct Gauge {
    now: AtomicU32,
    most: AtomicU32,
}

fn gauged(gauge: &Arc<Gauge>) -> Arc<dyn Invoker> {
    let gauge = Arc::clone(gauge);
    Arc::new(FakeInvoker::new(move |_| {
        let gauge = Arc::clone(&gauge);
        async move {
            let now = gauge.now.fetch_add(1, Ordering::SeqCst) + 1;
            gauge.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(2)).await;
            gauge.now.fetch_sub(1, Ordering::SeqCst);
            Ok(Value::U64(0))
        }
        .boxed()
    }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_limits_of_process_and_class_hold_over_all_runs() {
    let most = async |config: EngineConfig, plan: Plan| {
        let (gauge, plan) = (Arc::new(Gauge::default()), Arc::new(plan));
        let engine = engine(gauged(&gauge), Arc::new(MemoryJournal::new()), config);
        let first = engine.start(new(&plan)).await.unwrap();
        let second = engine.start(NewRun { id: RunId("r2".into()), ..new(&plan) }).await.unwrap();
        within(first.wait()).await;
        within(second.wait()).await;
        gauge.most.load(Ordering::SeqCst)
    };
    assert_eq!(most(EngineConfig { parallel: 5, ..EngineConfig::default() }, fan(50, |_| {})).await, 5);
    let mut config = EngineConfig::default();
    config.classes.insert("heavy".into(), ClassLimits { parallel: Some(3), ..ClassLimits::default() });
    assert_eq!(most(config, fan(50, |call| call.class = Some("heavy".into()))).await, 3);
    let mut plan = fan(50, |call| call.class = Some("own".into()));
    plan.classes.push(Class { name: "own".into(), parallel: Some(2), memory: None, fuel: None, timeout: None });
    assert_eq!(most(EngineConfig::default(), plan).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_begins_nothing_and_a_resumed_run_goes_on() {
    let plan = Arc::new(fan(400, |_| {}));
    let journal = Arc::new(MemoryJournal::new());
    let gauge = Arc::new(Gauge::default());
    let config = EngineConfig { parallel: 4, ..EngineConfig::default() };
    let first = engine(gauged(&gauge), journal.clone(), config);
    let mut handle = first.start(new(&plan)).await.unwrap();
    let mut succeeded = 0;
    while let Some(update) = within(handle.next_update()).await {
        succeeded += u32::from(matches!(update, Update::Succeeded { .. }));
        if succeeded == 20 {
            handle.pause("a break");
        }
    }
    let report = within(handle.wait()).await;
    assert_eq!(report.outcome, RunEnd::Paused { blocked: Vec::new(), waiting: Vec::new() });
    assert!(report.steps < 100, "{} steps ran after all", report.steps);
    let second = engine(adder(), journal, EngineConfig::default());
    let report = within(second.resume(RunId("r1".into()), Arc::clone(&plan)).await.unwrap().wait()).await;
    assert_eq!(report.steps, 400);
    let Value::List(items) = value(&report) else { panic!() };
    assert_eq!(items.len(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_drops_what_runs() {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let (dropped, begun) = (Arc::new(AtomicBool::new(false)), Arc::new(tokio::sync::Notify::new()));
    let (flag, begins) = (Arc::clone(&dropped), Arc::clone(&begun));
    let invoker = FakeInvoker::new(move |_| {
        let (guard, begins) = (Dropped(Arc::clone(&flag)), Arc::clone(&begins));
        async move {
            let _guard = guard;
            begins.notify_one();
            futures::future::pending::<Result<Value, Failure>>().await
        }
        .boxed()
    });
    let plan = Arc::new(chain(1));
    let engine = engine(Arc::new(invoker), Arc::new(MemoryJournal::new()), EngineConfig::default());
    let mut handle = engine.start(new(&plan)).await.unwrap();
    within(begun.notified()).await;
    handle.cancel("enough");
    let mut updates = Vec::new();
    while let Some(update) = within(handle.next_update()).await {
        updates.push(update);
    }
    let (task, path): (_, Arc<str>) = (TaskId(0), "main/s0".into());
    let begun = Update::Started { task, path: Arc::clone(&path), number: 1 };
    assert_eq!(updates, [begun, Update::Cancelled { task, path }, Update::Ended]);
    assert_eq!(within(handle.wait()).await.outcome, RunEnd::Finished(RunOutcome::Cancelled));
    assert!(dropped.load(Ordering::SeqCst));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_stops_the_run_and_says_why() {
    let plan = Arc::new(chain(10));
    let error = JournalError::Unavailable("the disk is full".into());
    let journal = Arc::new(Trouble::failing(3, error.clone()));
    let first = engine(adder(), journal.clone(), EngineConfig::default());
    let report = within(first.start(new(&plan)).await.unwrap().wait()).await;
    assert_eq!(report.outcome, RunEnd::StoreFailed(error.clone()));
    assert_eq!(journal.load(&RunId("r1".into())).unwrap().len(), 3);
    let nothing = engine(adder(), Arc::new(Trouble::failing(0, error.clone())), EngineConfig::default());
    assert_eq!(nothing.start(new(&plan)).await.err(), Some(EngineError::Journal(error)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_failure_of_the_store_is_the_reason() {
    let plan = Arc::new(fan(3000, |_| {}));
    let error = JournalError::Unavailable("the disk is full".into());
    let journal = Trouble { delay: Duration::from_millis(2), ..Trouble::failing(3, error.clone()) };
    let report =
        within(engine(adder(), Arc::new(journal), EngineConfig::default()).start(new(&plan)).await.unwrap().wait()).await;
    assert_eq!(report.outcome, RunEnd::StoreFailed(error));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_owner_ends_the_first_one() {
    let plan = Arc::new(fan(1, |_| {}));
    let journal = Arc::new(MemoryJournal::new());
    let (begin, wait) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let (begun, waited) = (Arc::clone(&begin), Arc::clone(&wait));
    let slow = FakeInvoker::new(move |_| {
        let (begun, waited) = (Arc::clone(&begun), Arc::clone(&waited));
        async move {
            begun.notify_one();
            waited.notified().await;
            Ok(Value::U64(1))
        }
        .boxed()
    });
    let first = engine(Arc::new(slow), journal.clone(), EngineConfig::default()).start(new(&plan)).await.unwrap();
    within(begin.notified()).await;
    let second = engine(adder(), journal, EngineConfig::default()).resume(RunId("r1".into()), Arc::clone(&plan)).await.unwrap();
    assert_eq!(*value(&within(second.wait()).await), Value::list([Value::U64(1)]));
    wait.notify_one();
    let report = within(first.wait()).await;
    assert!(matches!(report.outcome, RunEnd::StoreFailed(JournalError::Fenced { seq: 2, .. })), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_the_host_is_a_failed_step() {
    let plan = Arc::new(chain(1));
    let invoker = FakeInvoker::new(|_| async move { panic!("on purpose") }.boxed());
    let engine = engine(Arc::new(invoker), Arc::new(MemoryJournal::new()), EngineConfig::default());
    let report = within(engine.start(new(&plan)).await.unwrap().wait()).await;
    let RunEnd::Finished(RunOutcome::Failed { failure, path }) = report.outcome else { panic!() };
    assert_eq!((failure.kind, &*path), (FailureKind::Internal, "main/s0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_outcome_waits_for_a_decision_made_before_or_after() {
    let plan = Arc::new(fan(1, |call| call.grants = vec![Grant::Http("a.b".into())]));
    let journal = Arc::new(MemoryJournal::new());
    let hang = FakeInvoker::new(|_| futures::future::pending().boxed());
    let id = RunId("r1".into());
    let mut first = engine(Arc::new(hang), journal.clone(), EngineConfig::default()).start(new(&plan)).await.unwrap();
    assert!(matches!(within(first.next_update()).await, Some(Update::Started { .. })));
    drop(first);
    let engine = engine(adder(), journal.clone(), EngineConfig::default());
    let report = within(engine.resume(id.clone(), Arc::clone(&plan)).await.unwrap().wait()).await;
    let RunEnd::Paused { blocked, .. } = report.outcome else { panic!("{report:?}") };
    assert_eq!((&*blocked[0].path, blocked[0].number), ("main/map[0]/work", 1));
    let handle = engine.resume(id.clone(), Arc::clone(&plan)).await.unwrap();
    handle.decide(blocked[0].task, Decision::Supply(Payload::Value(Value::U64(77))));
    assert_eq!(*value(&within(handle.wait()).await), Value::list([Value::U64(77)]));
    let ended = journal.load(&id).unwrap().pop().unwrap();
    assert!(matches!(ended.body, EventBody::RunEnded { .. }));
    let report = within(engine.resume(id, plan).await.unwrap().wait()).await;
    assert_eq!(*value(&report), Value::list([Value::U64(77)]), "a run that has ended says so again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_wait_and_see_the_failure_before() {
    let plan = Arc::new(fan(1, |call| {
        call.retry = Some(count(2));
        call.backoff = lang::plan::Backoff::Constant(wait(20));
    }));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let invoker = FakeInvoker::new(move |invocation: Invocation| {
        let before = invocation.previous_failure.map(|failure| failure.message);
        log.lock().unwrap().push((invocation.number, invocation.idempotency_key.to_string(), before));
        let last = invocation.number == 3;
        async move { if last { Ok(Value::U64(1)) } else { Err(failure(FailureKind::Network, "no route")) } }.boxed()
    });
    let engine = engine(Arc::new(invoker), Arc::new(MemoryJournal::new()), EngineConfig::default());
    let begun = std::time::Instant::now();
    let report = within(engine.start(new(&plan)).await.unwrap().wait()).await;
    assert_eq!((report.steps, report.attempts), (1, 3));
    assert!(begun.elapsed() >= Duration::from_millis(38));
    let key = || "r1/main/map[0]/work".to_owned();
    let before = || Some("no route".to_owned());
    assert_eq!(*seen.lock().unwrap(), [(1, key(), None), (2, key(), before()), (3, key(), before())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_that_nobody_reads_do_not_hold_the_run_up() {
    let plan = Arc::new(fan(10_000, |_| {}));
    let engine = engine(adder(), Arc::new(MemoryJournal::new()), EngineConfig::default());
    let handle = engine.start(new(&plan)).await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), async {
        while handle.dropped_updates() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(within(handle.wait()).await.steps, 10_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_that_does_not_fit_is_refused() {
    let plan = Arc::new(chain(1));
    let engine = engine(adder(), Arc::new(MemoryJournal::new()), EngineConfig::default());
    let with = |input: Vec<(String, Value)>, permitted: Vec<String>| NewRun { input, permitted, ..new(&plan) };
    let error = engine.start(with(vec![("x".into(), Value::Unit)], Vec::new())).await.err().unwrap();
    assert_eq!(error.to_string(), "the flow `main` takes no input");
    let error = engine.start(with(Vec::new(), vec!["everything".into()])).await.err().unwrap();
    assert!(error.to_string().starts_with("`everything` is not a capability"), "{error}");
}
