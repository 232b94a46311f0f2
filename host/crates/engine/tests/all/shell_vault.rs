//! Runs whose collected values are held elsewhere than in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use catalog::{Digest, Held, Hold, Type, Value};
use engine::event::{Event, EventBody, Payload, RunId, RunOutcome};
use engine::memory::MemoryJournal;
use engine::ports::{Bounds, Journal, JournalError, SystemClock, Vault};
use engine::shell::{Engine, EngineConfig, EngineError, RunEnd};
use futures::future::{BoxFuture, FutureExt};
use lang::plan::{NodeKind, Plan, Slot};
use testkit::fake::{EagerVault, FakeInvoker};
use testkit::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, child, numbers, slot, step};

use crate::runs::{new_run, within};

/// `main()` makes a list of so many items and adds it up in a step for each and in one for all.
fn sums(items: u64) -> Arc<Plan> {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut body = RegionDraft::new(1);
    let made = body.add("work", step(function, vec![slot(Slot(0))]));
    let body = builder.region(body, slot(made));
    let mut main = RegionDraft::new(0);
    let policy = || NodePolicy { ty: Type::list(Type::U64), ..NodePolicy::default() };
    let first =
        main.node("first", NodeKind::Map { list: numbers(0..items), body: child(body, &[]), collect: false }, &[], policy());
    let second = main.node("second", NodeKind::Map { list: slot(first), body: child(body, &[]), collect: false }, &[], policy());
    let all = main.add("all", step(function, vec![slot(second)]));
    let main = builder.region(main, slot(all));
    let entry = builder.flow("main", &[], main);
    Arc::new(builder.finish(entry))
}

fn total(value: &Value) -> u64 {
    match value {
        Value::U64(n) => *n,
        Value::List(items) => items.iter().map(total).sum(),
        other => panic!("a step was given {other:?}"),
    }
}

/// A journal in memory with a vault for each run.
struct Vaulted {
    inner: MemoryJournal,
    make: fn() -> Arc<dyn Vault>,
}

fn eager() -> Arc<dyn Vault> {
    Arc::new(EagerVault)
}

fn lossy() -> Arc<dyn Vault> {
    Arc::new(Lossy::default())
}

impl Journal for Vaulted {
    fn append(&self, run: &RunId, events: Arc<[Event]>) -> BoxFuture<'static, Result<(), JournalError>> {
        self.inner.append(run, events)
    }

    fn load(&self, run: &RunId) -> Result<Vec<Event>, JournalError> {
        self.inner.load(run)
    }

    fn vault(&self) -> Option<Arc<dyn Vault>> {
        Some((self.make)())
    }

    fn put_blob(&self, bytes: &[u8]) -> Result<Digest, JournalError> {
        self.inner.put_blob(bytes)
    }

    fn blob(&self, digest: Digest) -> Result<Vec<u8>, JournalError> {
        self.inner.blob(digest)
    }
}

fn engine(journal: Arc<dyn Journal>) -> Engine {
    let adder = FakeInvoker::new(|invocation| {
        let given: Vec<Value> = invocation.args;
        async move { Ok(Value::U64(given.iter().map(total).sum::<u64>() + 1)) }.boxed()
    });
    Engine::new(Arc::new(adder), journal, Arc::new(SystemClock), EngineConfig::default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_are_given_what_was_held() {
    let plan = sums(2000);
    let journal = Arc::new(Vaulted { inner: MemoryJournal::new(), make: eager });
    let report = within(engine(journal).start(new_run("r1", &plan, &[])).await.unwrap().wait()).await;
    let RunEnd::Finished(RunOutcome::Succeeded(Payload::Value(value))) = report.outcome else { panic!("{report:?}") };
    assert_eq!(value, Value::U64((2..2002).sum::<u64>() + 1));
    assert!(!value.has_held());
}

/// Loses one value in a hundred.
#[derive(Default)]
struct Lossy {
    puts: std::sync::atomic::AtomicU64,
    lost: Arc<AtomicBool>,
}

struct Slip {
    value: Option<Value>,
    lost: Arc<AtomicBool>,
}

impl Hold for Slip {
    fn size(&self) -> u64 {
        8
    }

    fn is_document(&self) -> bool {
        false
    }

    fn open(&self) -> Value {
        self.value.clone().unwrap_or_else(|| {
            self.lost.store(true, Ordering::SeqCst);
            Value::Unit
        })
    }
}

impl Vault for Lossy {
    fn put(&self, value: Value) -> Value {
        let number = self.puts.fetch_add(1, Ordering::SeqCst);
        let value = (number % 100 != 99).then_some(value);
        Value::Held(Held::new(Arc::new(Slip { value, lost: Arc::clone(&self.lost) })))
    }

    fn bounds(&self) -> Bounds {
        Bounds { resident: 0, least: 0 }
    }

    fn trouble(&self) -> Option<String> {
        self.lost.load(Ordering::SeqCst).then(|| "a value is lost".to_owned())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_comes_of_a_value_that_is_lost() {
    let plan = sums(2000);
    let journal = Arc::new(Vaulted { inner: MemoryJournal::new(), make: lossy });
    let report = within(engine(journal.clone()).start(new_run("r1", &plan, &[])).await.unwrap().wait()).await;
    assert_eq!(report.outcome, RunEnd::StoreFailed(JournalError::Unavailable("a value is lost".into())));
    let events = journal.load(&report.id).unwrap();
    let strange = |event: &&Event| !matches!(event.body, EventBody::RunStarted(_) | EventBody::AttemptSucceeded { .. });
    assert_eq!(events.iter().find(strange), None);
    // The next owner has all that it needs.
    let next = Arc::new(MemoryJournal::new());
    next.append(&report.id, events.into()).await.unwrap();
    let report = within(engine(next).resume(report.id, Arc::clone(&plan)).await.unwrap().wait()).await;
    let RunEnd::Finished(RunOutcome::Succeeded(Payload::Value(value))) = report.outcome else { panic!("{report:?}") };
    assert_eq!(value, Value::U64((2..2002).sum::<u64>() + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_away_in_a_replay_may_be_lost_later() {
    let plan = sums(2000);
    let whole = Arc::new(MemoryJournal::new());
    let report = within(engine(whole.clone()).start(new_run("r1", &plan, &[])).await.unwrap().wait()).await;
    let events = whole.load(&report.id).unwrap();
    // The first map is nearly done: its results are there and none of them was looked into.
    let journal = Arc::new(Vaulted { inner: MemoryJournal::new(), make: lossy });
    journal.append(&report.id, events.get(..1990).unwrap().into()).await.unwrap();
    let handle = engine(journal.clone()).resume(report.id.clone(), Arc::clone(&plan)).await.unwrap();
    let lost = JournalError::Unavailable("a value is lost".into());
    assert_eq!(within(handle.wait()).await.outcome, RunEnd::StoreFailed(lost.clone()));
    // Later, when the replay itself looks into them, it says the same.
    let journal = Arc::new(Vaulted { inner: MemoryJournal::new(), make: lossy });
    journal.append(&report.id, events.get(..3000).unwrap().into()).await.unwrap();
    let refused = engine(journal).resume(report.id, plan).await.err();
    assert_eq!(refused, Some(EngineError::Journal(lost)));
}
