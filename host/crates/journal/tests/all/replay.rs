//! A real run, kept as SQL: the events of a released format must lead to the same commands for ever.
//!
//! `tests/golden/<version>/run.flow` with `run.wit` is what was run, `run.sql` with `schema.sql` its journal, and
//! `run.commands.txt` what each event leads to. `BLESS=1` writes the last two where they are not there, and never again.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bus::LocalBus;
use catalog::{Digest, FailureKind, Value};
use engine::core::{Run, render_event};
use engine::event::{Amounts, Decision, Event, EventBody, Failure, RunId};
use engine::ports::{Invocation, Invoker, Journal, MailStore, MailWrite, Signal};
use engine::shell::{Engine, EngineConfig, NewRun, RunEnd, RunHandle, RunReport, Update};
use futures::future::FutureExt;
use journal::{Options, SqliteJournal};
use lang::plan::Plan;
use lang::{Entry, compile};
use testkit::cases::entries;
use testkit::fake::{FakeClock, FakeInvoker, failure};
use testkit::world::MemoryWorld;
use tokio::sync::Notify;

use crate::golden::{dump, golden, restore};

fn id() -> RunId {
    RunId("golden".into())
}

/// The plan that this version makes of a flow that was kept.
fn plan(version: &Path) -> Arc<Plan> {
    let compilation = compile(&MemoryWorld::from_folder(version).unwrap(), "run.flow", Entry::Default);
    Arc::new(compilation.plan.unwrap_or_else(|| panic!("{:?}", compilation.diagnostics)))
}

/// Each event with the commands that follow from it.
fn commands(plan: Arc<Plan>, events: &[Event]) -> String {
    let mut text = String::new();
    Run::replay_with(plan, id(), "anyone".into(), events, &mut |event, lines| {
        writeln!(text, "{}", render_event(event)).unwrap();
        lines.iter().for_each(|line| writeln!(text, "    {line}").unwrap());
    })
    .unwrap();
    text
}

/// The world of the recorded run: its clock, and a step `send` that stops at a gate.
#[derive(Default)]
struct Shop {
    clock: FakeClock,
    sending: Notify,
    send: Notify,
}

impl Shop {
    async fn serve(&self, invocation: Invocation) -> Result<Value, Failure> {
        match (invocation.function.wit_name.as_str(), invocation.args.as_slice()) {
            ("price", [Value::String(name)]) => match (&**name, invocation.number) {
                ("apple", _) => Ok(Value::U64(3)),
                ("pear", 2) => Ok(Value::U64(5)),
                ("pear", _) => Err(failure(FailureKind::Network, "no route")),
                _ => Err(failure(FailureKind::InvalidInput, "nobody sells it")),
            },
            ("add", [Value::U64(a), Value::U64(b)]) => Ok(Value::U64(a + b)),
            ("send", [Value::String(text)]) => {
                self.sending.notify_one();
                self.send.notified().await;
                Ok(Value::string(format!("sent: {text}")))
            }
            ("note", [Value::String(text)]) => Ok(Value::string(format!("noted: {text}"))),
            other => panic!("{other:?}"),
        }
    }

    /// Follows a run until `send` runs. Time goes on when an attempt is to be made again, as far as it has to.
    async fn until_sending(&self, handle: &mut RunHandle) {
        loop {
            tokio::select! {
                () = self.sending.notified() => return,
                update = handle.next_update() => {
                    if let Update::Failed { next: Some(_), .. } = update.expect("the run goes on") {
                        self.clock.advance(50);
                    }
                }
            }
        }
    }
}

/// A host with a name of its own, as after a crash.
fn host(name: &str, shop: &Arc<Shop>, journal: &Arc<SqliteJournal>) -> Engine {
    let served = Arc::clone(shop);
    let invoker: Arc<dyn Invoker> = Arc::new(FakeInvoker::new(move |invocation| {
        let shop = Arc::clone(&served);
        async move { shop.serve(invocation).await }.boxed()
    }));
    shop.clock.advance(1000);
    let bus = LocalBus::new(Arc::<SqliteJournal>::clone(journal));
    let journal: Arc<dyn Journal> = Arc::<SqliteJournal>::clone(journal);
    Engine::with_bus(
        invoker,
        journal,
        Arc::new(Ticking(Arc::clone(shop))),
        Arc::new(bus),
        EngineConfig { host: name.into(), ..EngineConfig::default() },
    )
}

/// The clock of a shop.
struct Ticking(Arc<Shop>);

impl engine::ports::Clock for Ticking {
    fn now(&self) -> engine::event::Timestamp {
        self.0.clock.now()
    }
}

/// A run that loses its host in the middle of an effect, waits for a decision, is paused, and ends.
async fn record(path: &Path, plan: &Arc<Plan>) -> Vec<Event> {
    let journal = Arc::new(SqliteJournal::open(path, &Options::default()).unwrap());
    let shop = Arc::new(Shop::default());
    shop.clock.advance(1_700_000_000_000);
    let names = ["apple", "pear", "stone"].map(Value::string);
    let new = NewRun {
        id: id(),
        plan: Arc::clone(plan),
        program: Digest([7; 32]),
        input: vec![("names".to_owned(), Value::list(names))],
        labels: vec![("kind".to_owned(), "golden".to_owned())],
        permitted: vec!["http mail.example.com".to_owned()],
        origin: None,
        trace: None,
    };
    let mut handle = host("first", &shop, &journal).start(new).await.unwrap();
    shop.until_sending(&mut handle).await;
    drop(handle);

    let blocked = host("second", &shop, &journal).resume(id(), Arc::clone(plan)).await.unwrap().wait().await;
    let RunEnd::Paused { blocked, .. } = blocked.outcome else { panic!("{blocked:?}") };
    assert_eq!(blocked.len(), 1);

    let mut handle = host("third", &shop, &journal).resume(id(), Arc::clone(plan)).await.unwrap();
    handle.decide(blocked[0].task, Decision::Retry(Amounts::default()));
    shop.until_sending(&mut handle).await;
    handle.pause("a break");
    while !journal.load(&id()).unwrap().iter().any(|event| matches!(event.body, EventBody::Paused { .. })) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    shop.send.notify_one();
    let paused: RunReport = handle.wait().await;
    assert_eq!(paused.outcome, RunEnd::Paused { blocked: Vec::new(), waiting: Vec::new() });

    let ended = host("fourth", &shop, &journal).resume(id(), Arc::clone(plan)).await.unwrap().wait().await;
    assert!(matches!(ended.outcome, RunEnd::Finished(_)), "{ended:?}");
    journal.load(&id()).unwrap()
}

/// A run that waits, loses its host meanwhile, gets a signal from outside, and a message from itself.
async fn record_waits(path: &Path, plan: &Arc<Plan>) -> Vec<Event> {
    let journal = Arc::new(SqliteJournal::open(path, &Options::default()).unwrap());
    let shop = Arc::new(Shop::default());
    shop.clock.advance(1_700_000_000_000);
    let new = NewRun {
        id: id(),
        plan: Arc::clone(plan),
        program: Digest([7; 32]),
        input: vec![("name".to_owned(), Value::string("apple"))],
        labels: Vec::new(),
        permitted: Vec::new(),
        origin: None,
        trace: None,
    };
    let mut handle = host("first", &shop, &journal).start(new).await.unwrap();
    until_waiting(&mut handle, "time").await;
    shop.clock.advance(50);
    until_waiting(&mut handle, "signal approval").await;
    drop(handle);
    let signal = Signal { name: "approval".into(), id: "from outside".into(), payload: "true".into() };
    journal.write_mail(MailWrite::Signal(id(), signal)).await.unwrap();

    let mut handle = host("second", &shop, &journal).resume(id(), Arc::clone(plan)).await.unwrap();
    until_waiting(&mut handle, "signal late").await;
    shop.clock.advance(10);
    let ended = handle.wait().await;
    assert!(matches!(ended.outcome, RunEnd::Finished(_)), "{ended:?}");
    journal.load(&id()).unwrap()
}

async fn until_waiting(handle: &mut RunHandle, what: &str) {
    loop {
        match handle.next_update().await.expect("the run goes on") {
            Update::Waiting { what: found } if found.starts_with(what) => return,
            _ => {}
        }
    }
}

#[tokio::test]
async fn todays_run_leads_to_the_frozen_commands() {
    let folder = tempfile::tempdir().unwrap();
    let of_version = |version| (golden().join(version), folder.path().join(version));
    let (version, path) = of_version("v1");
    let plan_of = plan(&version);
    leads_to(&version, &path, &plan_of, record(&path, &plan_of)).await;
    let (version, path) = of_version("v2");
    let plan_of = plan(&version);
    leads_to(&version, &path, &plan_of, record_waits(&path, &plan_of)).await;
}

async fn leads_to(version: &Path, path: &Path, plan: &Arc<Plan>, record: impl Future<Output = Vec<Event>>) {
    let plan = Arc::clone(plan);
    let recorded = tokio::time::timeout(Duration::from_secs(60), record).await;
    let found = commands(plan, &recorded.expect("the run does not take so long"));
    let (sql, frozen) = (version.join("run.sql"), version.join("run.commands.txt"));
    if std::env::var_os("BLESS").is_some() && !sql.exists() {
        std::fs::write(sql, dump(path)).unwrap();
        std::fs::write(&frozen, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(frozen).unwrap());
}

#[test]
fn every_golden_run_replays_to_the_same_commands() {
    let folder = tempfile::tempdir().unwrap();
    // A version that only adds tables has no run of its own.
    let versions: Vec<_> = entries(&golden()).into_iter().filter(|version| version.join("run.sql").exists()).collect();
    assert!(!versions.is_empty());
    for version in versions {
        let path = folder.path().join(version.file_name().unwrap());
        restore(&version.join("run.sql"), &path);
        let events = SqliteJournal::open(&path, &Options::default()).unwrap().load(&id()).unwrap();
        let expected = std::fs::read_to_string(version.join("run.commands.txt")).unwrap();
        assert_eq!(commands(plan(&version), &events), expected, "{}", version.display());
    }
}
