//! What acts between the runs of a process, in virtual time: keys, rates, breakers, lines of classes, memory and cpu.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catalog::{FailureKind, Type, Value};
use engine::event::{EventBody, Failure, RunId, RunOutcome, Timestamp};
use engine::memory::MemoryJournal;
use engine::ports::{Clock, Journal};
use engine::shell::{
    Breakers, ClassLimits, Engine, EngineConfig, EngineError, HostBudget, NewRun, RunEnd, RunHandle, RunReport, Update,
};
use futures::FutureExt;
use futures::future::join_all;
use lang::plan::{Backoff, Breaker, CallPlan, Expr, Grant, NodeKind, Plan, Rate};
use testkit::fake::{FakeInvoker, failure};
use testkit::simulator::build::{PlanBuilder, RegionDraft, call, child, count, slot, wait};
use tokio::time::Instant;

use crate::runs::{new_run, within};

const SECOND: u64 = 1_000_000_000;
const MIB: u64 = 1 << 20;

/// The attempts of whatever run.
const ANY: &str = "";

/// Goes with tokio's time.
struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000 + u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

/// What was seen of attempts.
#[derive(Default)]
struct Seen {
    /// The runs whose attempts began, with the seconds since the beginning.
    began: Vec<(String, u64)>,
    /// Memory of those that run.
    running: BTreeMap<String, u64>,
    most_memory: u64,
    most_at_once: usize,
}

/// An engine whose steps take a second, and fail as often as they are told to.
struct Bench {
    engine: Engine,
    journal: Arc<MemoryJournal>,
    seen: Arc<Mutex<Seen>>,
    fails: Arc<Mutex<BTreeMap<String, Vec<FailureKind>>>>,
}

impl Bench {
    fn new(config: EngineConfig) -> Self {
        Self::on(Arc::new(MemoryJournal::new()), config)
    }

    /// The same with steps that take so long.
    fn with_steps(step: Duration, config: EngineConfig) -> Self {
        Self::make(Arc::new(MemoryJournal::new()), step, config)
    }

    fn on(journal: Arc<MemoryJournal>, config: EngineConfig) -> Self {
        Self::make(journal, Duration::from_secs(1), config)
    }

    fn make(journal: Arc<MemoryJournal>, step: Duration, config: EngineConfig) -> Self {
        let (seen, fails, began) = (Arc::<Mutex<Seen>>::default(), Arc::<Mutex<BTreeMap<_, Vec<_>>>>::default(), Instant::now());
        let (log, failing) = (Arc::clone(&seen), Arc::clone(&fails));
        let invoker = FakeInvoker::new(move |invocation| {
            let run = invocation.idempotency_key.split('/').next().unwrap().to_owned();
            let (log, failing, memory) = (Arc::clone(&log), Arc::clone(&failing), invocation.limits.memory);
            async move {
                {
                    let mut seen = log.lock().unwrap();
                    seen.began.push((run.clone(), began.elapsed().as_secs()));
                    seen.running.insert(run.clone(), memory);
                    seen.most_memory = seen.most_memory.max(seen.running.values().sum());
                    seen.most_at_once = seen.most_at_once.max(seen.running.len());
                }
                let _running = Running(&log, &run);
                tokio::time::sleep(step).await;
                let mut failing = failing.lock().unwrap();
                let fails = [&*run, ANY].into_iter().find_map(|run| failing.get_mut(run).and_then(Vec::pop));
                fails.map_or(Ok(Value::U64(1)), |kind| Err(failure(kind, "on purpose")))
            }
            .boxed()
        });
        let clock = Arc::new(VirtualClock(began));
        let engine = Engine::new(Arc::new(invoker), Arc::<MemoryJournal>::clone(&journal), clock, config);
        Self { engine, journal, seen, fails }
    }

    async fn start(&self, run: &str, plan: &Plan) -> RunHandle {
        self.engine.start(new(run, plan)).await.unwrap()
    }

    fn fails(&self, run: &str, kinds: &[FailureKind]) {
        self.fails.lock().unwrap().insert(run.to_owned(), kinds.to_vec());
    }

    fn began(&self) -> Vec<(String, u64)> {
        self.seen.lock().unwrap().began.clone()
    }

    fn order(&self) -> Vec<String> {
        self.began().into_iter().map(|(run, _)| run).collect()
    }

    /// The attempts of a run that its journal says have begun.
    fn started(&self, run: &str) -> usize {
        let events = self.journal.load(&RunId(run.into())).unwrap();
        events.iter().filter(|event| matches!(event.body, EventBody::AttemptStarted { .. })).count()
    }
}

/// Takes a run out of those that run when its attempt ends, however.
struct Running<'a>(&'a Mutex<Seen>, &'a str);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().running.remove(self.1);
    }
}

fn new(run: &str, plan: &Plan) -> NewRun {
    new_run(run, &Arc::new(plan.clone()), &["http *"])
}

/// A flow of one step `work`, which the test may change.
fn one(change: impl FnOnce(&mut CallPlan)) -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut work = call(function, vec![]);
    change(&mut work);
    let mut main = RegionDraft::new(0);
    let made = main.add("work", NodeKind::Call(Box::new(work)));
    let main = builder.region(main, slot(made));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}

fn text(value: &str) -> Option<Expr> {
    Some(Expr::Const(Value::String(value.into())))
}

fn keyed(priority: i32) -> Plan {
    one(|call| {
        call.rules.key = text("account");
        call.rules.priority = Some(Expr::Const(Value::S32(priority)));
    })
}

fn effect(call: &mut CallPlan) {
    call.grants = vec![Grant::Http("a.b".into())];
}

fn sized(mib: u64) -> Plan {
    one(|call| call.memory = Some(Expr::Const(Value::U64(mib * MIB))))
}

/// Until all that can happen now has happened.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

async fn failed(handle: RunHandle) -> Failure {
    match within(handle.wait()).await.outcome {
        RunEnd::Finished(RunOutcome::Failed { failure, .. }) => failure,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn succeeded(report: &RunReport) {
    assert!(matches!(report.outcome, RunEnd::Finished(RunOutcome::Succeeded(_))), "{:?}", report.outcome);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_runs_with_one_key_go_by_priority_and_age() {
    let bench = Bench::with_steps(Duration::from_millis(10), EngineConfig::default());
    let first = bench.start("first", &keyed(0)).await;
    settle().await;
    let plans = [keyed(0), keyed(1), keyed(2)];
    let mut handles = Vec::new();
    for n in 0..1000 {
        handles.push(bench.start(&format!("{n:04}"), &plans[n % 3]).await);
    }
    let by_priority = |priority: usize| (0..1000).filter(move |n| n % 3 == priority).map(|n| format!("{n:04}"));
    let expected: Vec<String> = ["first".to_owned()].into_iter().chain([2, 1, 0].into_iter().flat_map(by_priority)).collect();
    succeeded(&first.wait().await);
    for report in join_all(handles.into_iter().map(RunHandle::wait)).await {
        succeeded(&report);
    }
    assert_eq!(bench.order(), expected);
    assert_eq!(bench.seen.lock().unwrap().most_at_once, 1);
    let (what, times, _) = &bench.engine.gates().held_back[0];
    assert_eq!((what.as_str(), *times), ("key `account`", 1000));
}

#[tokio::test(start_paused = true)]
async fn who_comes_late_does_not_pass_for_ever() {
    let bench = Bench::new(EngineConfig::default());
    let mut handles = vec![bench.start("first", &keyed(0)).await, bench.start("patient", &keyed(0)).await];
    // Each second one comes that is more urgent.
    for n in 0..20 {
        settle().await;
        handles.push(bench.start(&format!("urgent {n}"), &keyed(1)).await);
        tokio::time::sleep(Duration::from_millis(999)).await;
    }
    join_all(handles.into_iter().map(RunHandle::wait)).await.iter().for_each(succeeded);
    let place = bench.order().iter().position(|run| run == "patient").unwrap();
    assert!((9..=12).contains(&place), "a point of priority is worth ten seconds, it was number {place}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_and_a_cancelled_one_give_the_key_back() {
    let bench = Bench::new(EngineConfig::default());
    bench.fails("first", &[FailureKind::Error]);
    let first = bench.start("first", &keyed(0)).await;
    settle().await;
    let (waits, third) = (bench.start("waits", &keyed(0)).await, bench.start("third", &keyed(0)).await);
    settle().await;
    waits.cancel("not wanted");
    let report = waits.wait().await;
    assert_eq!(report.outcome, RunEnd::Finished(RunOutcome::Cancelled));
    assert_eq!(bench.order(), ["first"], "it ended while another had the key");
    assert_eq!(failed(first).await.kind, FailureKind::Error);
    succeeded(&third.wait().await);
    // One that is cancelled while it has the key.
    let fourth = bench.start("fourth", &keyed(0)).await;
    settle().await;
    let fifth = bench.start("fifth", &keyed(0)).await;
    settle().await;
    fourth.cancel("not wanted");
    assert_eq!(fourth.wait().await.outcome, RunEnd::Finished(RunOutcome::Cancelled));
    succeeded(&fifth.wait().await);
    assert_eq!(bench.order(), ["first", "third", "fourth", "fifth"]);
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_leaves_the_line_at_once_and_comes_back() {
    let plan = one(|call| {
        call.rules.key = text("account");
        effect(call);
    });
    let bench = Bench::new(EngineConfig::default());
    let first = bench.start("first", &plan).await;
    settle().await;
    let second = bench.start("second", &plan).await;
    settle().await;
    second.pause("drained");
    let report = second.wait().await;
    assert!(matches!(report.outcome, RunEnd::Paused { .. }), "{:?}", report.outcome);
    assert_eq!(bench.order(), ["first"]);
    assert_eq!((bench.started("first"), bench.started("second")), (1, 0), "what only waits has not begun");
    let again = bench.engine.resume(RunId("second".into()), Arc::new(plan)).await.unwrap();
    let (first, again) = tokio::join!(first.wait(), again.wait());
    succeeded(&first);
    succeeded(&again);
    assert_eq!(bench.order(), ["first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_leaves_no_doubt_about_what_only_waited() {
    let plan = one(|call| {
        call.rules.key = text("account");
        effect(call);
    });
    let journal = Arc::new(MemoryJournal::new());
    let bench = Bench::on(Arc::clone(&journal), EngineConfig::default());
    let first = bench.start("first", &plan).await;
    settle().await;
    let second = bench.start("second", &plan).await;
    settle().await;
    drop((first, second));
    let bench = Bench::on(journal, EngineConfig::default());
    let plan = Arc::new(plan);
    let first = bench.engine.resume(RunId("first".into()), Arc::clone(&plan)).await.unwrap().wait().await;
    let RunEnd::Paused { blocked, .. } = first.outcome else { panic!("{first:?}") };
    assert_eq!(blocked.len(), 1, "it had begun");
    succeeded(&bench.engine.resume(RunId("second".into()), plan).await.unwrap().wait().await);
}

#[tokio::test(start_paused = true)]
async fn a_rate_holds_over_all_runs() {
    let rate = Rate { count: 2, per: 3 * SECOND };
    let (plan, other) = (one(|call| call.rules.rate = Some(rate)), one(|_| {}));
    let bench = Bench::new(EngineConfig::default());
    let mut handles = Vec::new();
    for n in 0..5 {
        handles.push(bench.start(&format!("{n}"), &plan).await);
    }
    handles.push(bench.start("other", &other).await);
    join_all(handles.into_iter().map(RunHandle::wait)).await.iter().for_each(succeeded);
    let expected = [("0", 0), ("1", 0), ("other", 0), ("2", 3), ("3", 3), ("4", 6)];
    assert_eq!(bench.began(), expected.map(|(run, at)| (run.to_owned(), at)));
}

#[tokio::test(start_paused = true)]
async fn a_breaker_that_one_run_opened_holds_another() {
    let breaker = Breaker { failures: 1, within: 60 * SECOND, cooldown: 30 * SECOND };
    let plan = one(|call| {
        call.rules.breaker = Some(breaker);
        call.retry = Some(count(1));
        effect(call);
    });
    let bench = Bench::new(EngineConfig::default());
    bench.fails("first", &[FailureKind::Error, FailureKind::Network]);
    let first = bench.start("first", &one(|call| call.rules.breaker = Some(breaker))).await;
    assert_eq!(failed(first).await.kind, FailureKind::Network);
    assert_eq!(bench.engine.gates().breakers[0].open_for, Some(Duration::from_secs(30)));
    let mut second = bench.start("second", &plan).await;
    let mut refusal = None;
    while refusal.is_none() {
        if let Update::Failed { failure, next, .. } = second.next_update().await.unwrap() {
            refusal = Some((failure, next));
        }
    }
    let (refusal, next) = refusal.unwrap();
    assert_eq!((refusal.kind, next.is_some()), (FailureKind::Dependency, true));
    assert!(refusal.message.starts_with("`work` failed too often in the runs of this host: its breaker is open for another"));
    assert_eq!(bench.started("second"), 0, "what was refused did not begin");
    succeeded(&second.wait().await);
    assert_eq!(bench.began(), [("first".to_owned(), 0), ("second".to_owned(), 31)]);
    assert!(bench.engine.gates().breakers.is_empty(), "the trial closed it");
}

#[tokio::test(start_paused = true)]
async fn one_trial_decides_for_all_runs() {
    let breaker = Breaker { failures: 1, within: 60 * SECOND, cooldown: 30 * SECOND };
    let config = EngineConfig { breakers: Breakers { plugin: Some(breaker), ..Breakers::default() }, ..EngineConfig::default() };
    let plan = one(|call| {
        call.retry = Some(count(5));
        call.backoff = Backoff::Constant(wait(10));
    });
    let bench = Bench::new(config);
    bench.fails(ANY, &[FailureKind::Network; 2]);
    let mut handles = vec![bench.start("a", &plan).await];
    tokio::time::sleep(Duration::from_secs(2)).await;
    for run in ["b", "c"] {
        handles.push(bench.start(run, &plan).await);
    }
    join_all(handles.into_iter().map(RunHandle::wait)).await.iter().for_each(succeeded);
    let began: Vec<u64> = bench.began().into_iter().map(|(_, at)| at).collect();
    assert_eq!(began, [0, 31, 62, 63, 63], "the trial fails, the next one does not, and both others waited for it");
}

#[tokio::test(start_paused = true)]
async fn a_full_class_sends_to_its_fallback_or_refuses() {
    let plan = one(|call| call.class = Some("small".into()));
    let small = ClassLimits { parallel: Some(1), queue: Some(1), memory: Some(64 * MIB), ..ClassLimits::default() };
    let mut config = EngineConfig::default();
    config.classes.insert("small".into(), small.clone());
    let bench = Bench::new(config.clone());
    let (first, second) = (bench.start("first", &plan).await, bench.start("second", &plan).await);
    settle().await;
    let refused = failed(bench.start("third", &plan).await).await;
    assert_eq!(refused.kind, FailureKind::Resource);
    assert_eq!(refused.message, "class `small` is full: `first/main/work` has its only place, and its queue (1) is full");
    succeeded(&first.wait().await);
    succeeded(&second.wait().await);

    config.classes.insert("small".into(), ClassLimits { fallback: Some("large".into()), ..small });
    config.classes.insert("large".into(), ClassLimits { parallel: Some(1), memory: Some(100 * MIB), ..ClassLimits::default() });
    let bench = Bench::new(config);
    let mut handles = Vec::new();
    for run in ["first", "second", "third", "fourth"] {
        handles.push(bench.start(run, &plan).await);
        settle().await;
    }
    assert_eq!(bench.order(), ["first", "third"]);
    assert_eq!(bench.seen.lock().unwrap().running["third"], 100 * MIB, "the limits are those of the fallback");
    join_all(handles.into_iter().map(RunHandle::wait)).await.iter().for_each(succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_full_class_refuses_effects_too_before_they_begin() {
    let plan = one(|call| {
        call.class = Some("small".into());
        effect(call);
    });
    let mut config = EngineConfig::default();
    let class = ClassLimits { parallel: Some(1), queue: Some(0), ..ClassLimits::default() };
    config.classes.insert("small".into(), class);
    let bench = Bench::new(config);
    let first = bench.start("first", &plan).await;
    settle().await;
    assert_eq!(failed(bench.start("second", &plan).await).await.kind, FailureKind::Resource);
    assert_eq!((bench.started("first"), bench.started("second")), (1, 0));
    succeeded(&first.wait().await);
}

#[tokio::test(start_paused = true)]
async fn memory_and_cpu_are_given_out_before_an_attempt_begins() {
    let budget = HostBudget { memory: Some(1000 * MIB), cpu: Some(4) };
    let mut config = EngineConfig { budget, ..EngineConfig::default() };
    config.classes.insert("wide".into(), ClassLimits { cpu: Some(3), ..ClassLimits::default() });
    let bench = Bench::new(config);
    let (small, large) = (sized(400), sized(800));
    let wide = one(|call| call.class = Some("wide".into()));
    let mut handles = Vec::new();
    for (run, plan) in [("a", &small), ("large", &large), ("b", &small), ("c", &small), ("d", &small)] {
        handles.push(bench.start(run, plan).await);
        settle().await;
    }
    assert_eq!(bench.order(), ["a"], "those behind the large one wait, though they would fit");
    join_all(handles.into_iter().map(RunHandle::wait)).await.iter().for_each(succeeded);
    assert_eq!(bench.order(), ["a", "large", "b", "c", "d"]);
    assert_eq!(bench.seen.lock().unwrap().most_memory, 800 * MIB);
    let (first, second) = (bench.start("e", &wide).await, bench.start("f", &wide).await);
    succeeded(&first.wait().await);
    succeeded(&second.wait().await);
    let began = bench.began();
    assert_eq!(began[6].1, began[5].1 + 1, "six units of cpu are not there");
}

#[tokio::test(start_paused = true)]
async fn what_can_never_fit_is_refused_before_its_run_or_when_it_is_to_run() {
    let config = EngineConfig { budget: HostBudget { memory: Some(512 * MIB), cpu: None }, ..EngineConfig::default() };
    let bench = Bench::new(config);
    let refused = bench.engine.start(new("large", &sized(1024))).await.err().unwrap();
    let why = "the step `work` can never run: it needs 1024 MiB, and this host has 512 MiB for all steps together";
    assert_eq!(refused, EngineError::NeverFits(why.to_owned()));
    assert!(bench.journal.runs().is_empty());
    // Where something takes its failure, the run may go on without it.
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut work = call(function, vec![]);
    work.memory = Some(Expr::Const(Value::U64(1024 * MIB)));
    let mut body = RegionDraft::new(0);
    let made = body.add("work", NodeKind::Call(Box::new(work)));
    let body = builder.region(body, slot(made));
    let handler = RegionDraft::new(1);
    let handler = builder.region(handler, Expr::Const(Value::U64(7)));
    let mut main = RegionDraft::new(0);
    let form = main.add("try", NodeKind::Try { body: child(body, &[]), handler: child(handler, &[]) });
    let main = builder.region(main, slot(form));
    let entry = builder.flow("main", &[], main);
    let plan = builder.finish(entry);
    succeeded(&bench.start("taken", &plan).await.wait().await);
    assert!(bench.order().is_empty(), "it was never invoked");
}
