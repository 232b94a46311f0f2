//! Attempts on other hosts: what runs once, what runs again, and what becomes of that which nobody can run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bus::nats::{ACK_WAIT, Connection, DeadLetters, Dispatcher, Loader, WORK, Worker, WorkerOptions};
use catalog::{Digest, FailureKind, Type, Value};
use engine::event::{Bill, Denial, Failure, Payload, RunOutcome};
use engine::memory::MemoryJournal;
use engine::permit::Permit;
use engine::ports::{Begun, Elsewhere, Errand, Fate, GrantedCapability, Invocation, Invoker, Kind, Offer, Outcome, SystemClock};
use engine::shell::{Engine, EngineConfig, NewRun, RunEnd};
use futures::FutureExt;
use futures::future::BoxFuture;
use lang::plan::Plan;
use serde_json::Value as Json;
use testkit::component::component_from_wit;
use testkit::nats::Server;
use testkit::simulator::build;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::site::{eventually, run, settings};

/// Where something is lost: that is to be noticed soon.
const SHORT: Duration = Duration::from_millis(1500);

const WIT: &str = "package test:kit; world kit { export echo: func(text: string) -> result<string, string>; export work: func(n: u64) -> u64; }";

/// So many hosts were there: each has a name of its own.
static NAMES: AtomicUsize = AtomicUsize::new(0);

type Step = dyn Fn(Invocation) -> BoxFuture<'static, Outcome> + Send + Sync;

/// A host that runs tasks, with what it has run.
struct Hand {
    worker: Worker,
    name: String,
    ran: Arc<AtomicUsize>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    said: Arc<Mutex<Json>>,
    _connection: Connection,
}

struct Steps(Arc<Step>, Arc<AtomicUsize>);

impl Invoker for Steps {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Outcome> {
        self.1.fetch_add(1, Ordering::SeqCst);
        (self.0)(invocation)
    }
}

struct AllReady;

impl Loader for AllReady {
    fn is_ready(&self, _: Digest) -> bool {
        false
    }

    fn load(&self, bytes: &[u8]) -> Result<(), String> {
        if bytes == component() { Ok(()) } else { Err("another component".to_owned()) }
    }
}

fn component() -> Vec<u8> {
    component_from_wit(WIT).unwrap()
}

fn options(permits: &[&str]) -> WorkerOptions {
    let permits = permits.iter().map(|text| text.parse::<Permit>().unwrap()).collect();
    WorkerOptions { permits, only: None, labels: BTreeMap::new(), ack_wait: ACK_WAIT }
}

fn short() -> WorkerOptions {
    WorkerOptions { ack_wait: SHORT, ..options(&[]) }
}

impl Hand {
    fn start(
        server: &Server,
        namespace: &str,
        parallel: u32,
        step: impl Fn(Invocation) -> BoxFuture<'static, Outcome> + Send + Sync + 'static,
    ) -> Self {
        Self::with(server, namespace, parallel, options(&[]), step)
    }

    fn with(
        server: &Server,
        namespace: &str,
        parallel: u32,
        options: WorkerOptions,
        step: impl Fn(Invocation) -> BoxFuture<'static, Outcome> + Send + Sync + 'static,
    ) -> Self {
        Self::at(&server.url(), namespace, parallel, options, step)
    }

    fn at(
        url: &str,
        namespace: &str,
        parallel: u32,
        options: WorkerOptions,
        step: impl Fn(Invocation) -> BoxFuture<'static, Outcome> + Send + Sync + 'static,
    ) -> Self {
        let connection = Connection::open(&settings(url, namespace)).unwrap();
        let (ran, said) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Json>>::default());
        let invoker = Arc::new(Steps(Arc::new(step), Arc::clone(&ran)));
        let config = EngineConfig { parallel, ..EngineConfig::default() };
        let engine = Engine::new(invoker, Arc::new(MemoryJournal::new()), Arc::new(SystemClock), config);
        let says = Arc::clone(&said);
        let announce = move |value| *says.lock().unwrap() = value;
        let name = format!("host {}/worker", NAMES.fetch_add(1, Ordering::SeqCst));
        let worker = Worker::open(&connection, &name, engine, Arc::new(AllReady), announce, options).unwrap();
        let (stop, stopping) = watch::channel(false);
        let works = worker.clone();
        let task = tokio::spawn(async move { works.run(stopping).await.unwrap() });
        Self { worker, name, ran, stop, task, said, _connection: connection }
    }

    fn ran(&self) -> usize {
        self.ran.load(Ordering::SeqCst)
    }

    /// Ends it as `kill -9` does: nothing more is said.
    fn kill(&self) {
        self.task.abort();
    }
}

/// An owner's side.
struct Desk {
    dispatcher: Dispatcher,
    connection: Connection,
    /// An administrator.
    client: async_nats::Client,
    namespace: String,
}

impl Desk {
    async fn open(server: &Server, namespace: &str) -> Self {
        Self::at(&server.url(), namespace, ACK_WAIT).await
    }

    async fn at(url: &str, namespace: &str, ack_wait: Duration) -> Self {
        let connection = Connection::open(&settings(url, namespace)).unwrap();
        let dispatcher = Dispatcher::open(&connection, Arc::new(|_| Ok(component())), ack_wait).unwrap();
        let named = async_nats::ConnectOptions::with_user_and_password("flowhost".to_owned(), "change-me".to_owned());
        let client = named.connect(url).await.unwrap();
        Self { dispatcher, connection, client, namespace: namespace.to_owned() }
    }

    fn offer(&self, function: &str, arg: Value, change: impl FnOnce(&mut Offer)) -> Box<dyn Errand> {
        let mut offer = Offer {
            invocation: Box::new(invocation(function, arg)),
            kind: Kind { class: None, http: false, env: false },
            class_parallel: None,
            repeatable: false,
            lost: 0,
            begun: Begun::default(),
        };
        change(&mut offer);
        self.dispatcher.offer(offer)
    }

    fn dead(&self) -> Vec<bus::nats::DeadLetter> {
        tokio::task::block_in_place(|| DeadLetters::open(&self.connection).unwrap().list(&self.connection).unwrap())
    }

    async fn queue(&self) -> async_nats::jetstream::stream::Stream {
        let context = async_nats::jetstream::new(self.client.clone());
        context.get_stream(format!("FLOW_TASKS_{}", self.namespace)).await.unwrap()
    }

    async fn waits(&self) -> u64 {
        self.queue().await.cached_info().state.messages
    }
}

fn invocation(function: &str, arg: Value) -> Invocation {
    testkit::component::invocation(&component(), function, vec![arg]).unwrap()
}

fn outcome(result: Result<Value, Failure>) -> Outcome {
    Outcome { bill: Bill { fuel: 3, ..Bill::default() }, ..Outcome::new(result) }
}

/// Gives back what it gets.
fn echo(invocation: Invocation) -> BoxFuture<'static, Outcome> {
    async move { outcome(Ok(invocation.args[0].clone())) }.boxed()
}

/// Never comes to an end.
fn hang(_: Invocation) -> BoxFuture<'static, Outcome> {
    std::future::pending().boxed()
}

async fn fate(errand: &mut Box<dyn Errand>) -> Fate {
    tokio::time::timeout(Duration::from_secs(60), errand.fate()).await.expect("an answer within a minute")
}

#[track_caller]
fn ended(fate: Fate) -> Outcome {
    match fate {
        Fate::Outcome(outcome) => *outcome,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_gives_the_same_elsewhere() {
    let server = Server::start();
    let desk = Desk::open(&server, "same").await;
    let failure = Failure {
        kind: FailureKind::Permission,
        message: "it was denied".to_owned(),
        details: Some(Arc::new(serde_json::json!({ "code": 3 }))),
        retry_after: Some(10),
    };
    let fails = failure.clone();
    let hand = Hand::with(&server, "same", 4, options(&["http *.b"]), move |invocation| {
        let (fails, seen) = (fails.clone(), invocation);
        async move {
            assert_eq!((&*seen.idempotency_key, seen.number), ("r/main/step", 2));
            if seen.grants.is_empty() {
                return outcome(Ok(seen.args[0].clone()));
            }
            assert_eq!(seen.grants, [GrantedCapability::Http("a.b".into()), GrantedCapability::Clock]);
            let denials = vec![Denial { capability: "network".to_owned(), subject: "c.d".to_owned() }];
            Outcome { denials, log: vec!["a line".to_owned()], ..outcome(Err(fails)) }
        }
        .boxed()
    });
    // Too long for a message, there and back.
    for text in [String::new(), "ä\"\u{0}".to_owned(), "x".repeat(3 << 20)] {
        let mut errand = desk.offer("echo", Value::string(text.clone()), |_| {});
        let said = ended(fate(&mut errand).await);
        assert_eq!(said.result, Ok(Value::string(text.clone())));
        assert_eq!((said.bill.fuel, said.bill.bytes_in), (3, Value::string(text).size()));
    }
    let mut errand = desk.offer("echo", Value::string("x"), |offer| {
        offer.invocation.grants = vec![GrantedCapability::Http("a.b".into()), GrantedCapability::Clock];
        offer.kind.http = true;
        offer.kind.class = Some("small".into());
    });
    let said = ended(fate(&mut errand).await);
    assert_eq!((said.result, said.log), (Err(failure), vec!["a line".to_owned()]));
    assert_eq!(said.denials.first().map(|denial| &*denial.subject), Some("c.d"));
    assert_eq!(hand.ran(), 4);
    eventually("the queue is empty", async || desk.waits().await == 0).await;
    // It ends when it is told to, with nothing left.
    hand.stop.send_replace(true);
    hand.task.await.unwrap();
    assert_eq!((hand.worker.running(), &*hand.said.lock().unwrap()), (0, &Json::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_host_had_begun_is_not_begun_again_unless_it_may_be() {
    let server = Server::start();
    let desk = Desk::at(&server.url(), "dead", SHORT).await;
    let first = Hand::with(&server, "dead", 4, short(), hang);
    let begun = Begun::default();
    let mut effect = desk.offer("echo", Value::string("effect"), |offer| offer.begun = begun.clone());
    let mut pure = desk.offer("echo", Value::string("pure"), |offer| offer.repeatable = true);
    assert!(begun.told().is_none() && effect.fate().now_or_never().is_none() && pure.fate().now_or_never().is_none());
    let (effect, pure) = tokio::join!(
        async {
            let begun = async { eventually("both have begun", async || first.ran() == 2).await };
            let killed = async {
                begun.await;
                first.kill()
            };
            tokio::join!(fate(&mut effect), killed).0
        },
        fate(&mut pure)
    );
    assert!(matches!(effect, Fate::Unknown), "{effect:?}");
    assert_eq!(begun.host().as_deref(), Some(&*first.name), "whoever waits knows who had it");
    assert!(matches!(pure, Fate::Lost), "{pure:?}");
    // Whoever finds them in the queue is told that nobody waits for them.
    let second = Hand::with(&server, "dead", 4, short(), echo);
    eventually("the queue is empty", async || desk.waits().await == 0).await;
    assert_eq!(second.ran(), 0);
    let mut again = desk.offer("echo", Value::string("pure"), |offer| (offer.repeatable, offer.lost) = (true, 1));
    assert_eq!(ended(fate(&mut again).await).result, Ok(Value::string("pure")));
    // After so many lost hosts it is given up.
    let mut last = desk.offer("echo", Value::string("poison"), |offer| (offer.repeatable, offer.lost) = (true, 3));
    let failure = ended(fate(&mut last).await).result.unwrap_err();
    assert_eq!((failure.kind, &*failure.message), (FailureKind::Internal, "3 hosts were lost while they ran it"));
    let letters = desk.dead();
    assert_eq!(
        letters.iter().map(|letter| (&*letter.what, &*letter.why, letter.attempts)).collect::<Vec<_>>(),
        [("task", &*failure.message, 3)]
    );
    assert!(letters[0].payload.contains("poison") && letters[0].subject == "flow.dead.task.-.plain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_delivered_twice_runs_once() {
    let server = Server::start();
    let desk = Desk::at(&server.url(), "twice", SHORT).await;
    let mut errand = desk.offer("echo", Value::string("once"), |offer| offer.repeatable = true);
    assert!(errand.fate().now_or_never().is_none());
    let told = async {
        eventually("it is in the queue", async || desk.waits().await == 1).await;
        let stored = desk.queue().await.get_raw_message(1).await.unwrap();
        let context = async_nats::jetstream::new(desk.client.clone());
        for _ in 0..3 {
            context.publish(stored.subject.clone(), stored.payload.clone()).await.unwrap().await.unwrap();
        }
        Hand::with(&server, "twice", 4, short(), |invocation| {
            async move {
                tokio::time::sleep(SHORT * 2).await;
                echo(invocation).await
            }
            .boxed()
        })
    };
    let (said, hand) = tokio::join!(fate(&mut errand), told);
    assert_eq!(ended(said).result, Ok(Value::string("once")), "it took longer than the queue waits, and showed itself");
    eventually("the queue is empty", async || desk.waits().await == 0).await;
    assert_eq!(hand.ran(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_or_not_wanted_any_more_does_not_run() {
    let server = Server::start();
    let desk = Desk::at(&server.url(), "back", SHORT).await;
    let mut back = desk.offer("echo", Value::string("back"), |_| {});
    assert!(back.fate().now_or_never().is_none());
    let sent = async { eventually("it is in the queue", async || desk.waits().await == 1).await };
    tokio::select! { biased; _ = back.fate() => panic!("nobody is there"), () = sent => {} }
    assert!(back.take_back() && !back.take_back());
    let hand = Hand::with(&server, "back", 1, short(), hang);
    eventually("it is out of the queue", async || desk.waits().await == 0).await;
    assert_eq!(hand.ran(), 0);
    // One that runs is stopped.
    let mut runs = desk.offer("echo", Value::string("runs"), |_| {});
    let begun = async { eventually("it runs", async || hand.worker.running() == 1).await };
    tokio::select! { biased; _ = runs.fate() => panic!("it does not end"), () = begun => {} }
    assert!(!runs.take_back());
    drop(runs);
    eventually("it was stopped", async || hand.worker.running() == 0).await;
    // Whoever waits for that is told when it has stopped.
    let mut runs = desk.offer("echo", Value::string("runs"), |_| {});
    let begun = async { eventually("it runs", async || hand.worker.running() == 1).await };
    tokio::select! { biased; _ = runs.fate() => panic!("it does not end"), () = begun => {} }
    tokio::time::timeout(Duration::from_secs(60), runs.stop()).await.expect("it stops");
    drop(runs);
    eventually("it was stopped", async || hand.worker.running() == 0).await;
    // An owner that is gone wants nothing.
    let mut runs = desk.offer("echo", Value::string("runs"), |_| {});
    let begun = async { eventually("it runs", async || hand.worker.running() == 1).await };
    tokio::select! { biased; _ = runs.fate() => panic!("it does not end"), () = begun => {} }
    let Desk { dispatcher, connection, client, namespace } = desk;
    std::mem::forget(runs);
    drop(dispatcher);
    eventually("it was stopped", async || hand.worker.running() == 0).await;
    let desk = Desk {
        dispatcher: Dispatcher::open(&connection, Arc::new(|_| Ok(component())), SHORT).unwrap(),
        connection,
        client,
        namespace,
    };
    eventually("it is out of the queue", async || desk.waits().await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_kept_for_people_and_harms_nobody() {
    let server = Server::start();
    let desk = Desk::open(&server, "garbage").await;
    let hand = Hand::start(&server, "garbage", 2, echo);
    let mut errand = desk.offer("echo", Value::string("x"), |_| {});
    ended(fate(&mut errand).await);
    let context = async_nats::jetstream::new(desk.client.clone());
    let subject = "flow.garbage.task.-.plain";
    for text in ["no json", "{\"v\":1}", "{\"v\":9,\"new\":true}"] {
        context.publish(subject, text.into()).await.unwrap().await.unwrap();
    }
    let mut heard = desk.client.subscribe("flow.garbage.*.*").await.unwrap();
    let mut errand = desk.offer("work", Value::U64(3), |_| {});
    assert_eq!(ended(fate(&mut errand).await).result, Ok(Value::U64(3)));
    // Whatever is said where owners and workers listen.
    while let Some(Some(message)) = futures::StreamExt::next(&mut heard).now_or_never() {
        for text in ["", "no json", "{\"v\":1,\"says\":\"outcome\",\"task\":2,\"claim\":\"x\",\"worker\":\"y\"}"] {
            desk.client.publish(message.subject.clone(), text.into()).await.unwrap();
        }
    }
    let mut errand = desk.offer("work", Value::U64(4), |_| {});
    assert_eq!(ended(fate(&mut errand).await).result, Ok(Value::U64(4)));
    eventually("both are kept", async || desk.dead().len() == 2).await;
    // They are looked at side by side, and kept in any order.
    let mut kept: Vec<_> = desk.dead().into_iter().map(|letter| letter.payload).collect();
    kept.sort_unstable();
    assert_eq!(kept, ["no json", "{\"v\":1}"]);
    eventually("what is newer waits for a newer host", async || desk.waits().await == 1).await;
    assert_eq!(hand.ran(), 3);
    // What is sent again comes back, as nobody can read it yet.
    tokio::task::block_in_place(|| {
        let letters = DeadLetters::open(&desk.connection).unwrap();
        let mut all = letters.list(&desk.connection).unwrap();
        all.sort_unstable_by(|a, b| a.payload.cmp(&b.payload));
        letters.retry(&desk.connection, &all[0]).unwrap();
        letters.remove(&desk.connection, all[1].number).unwrap();
    });
    eventually("it is back", async || desk.dead().iter().map(|letter| &*letter.payload).eq(["no json"])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_operator_permits_is_given_back() {
    let server = Server::start();
    let desk = Desk::open(&server, "permits").await;
    let hand = Hand::with(&server, "permits", 2, options(&["http c.d"]), echo);
    let mut errand = desk.offer("echo", Value::string("x"), |offer| {
        offer.invocation.grants = vec![GrantedCapability::Http("a.b".into())];
        offer.kind.http = true;
    });
    // More than its ceilings is not narrowed either.
    let mut large = desk.offer("echo", Value::string("x"), |offer| offer.invocation.limits.memory = 64 << 30);
    let (said, too_large) = tokio::join!(fate(&mut errand), fate(&mut large));
    let Fate::Refused(why) = said else { panic!("{said:?}") };
    assert_eq!(&*why, "the operator of no host with room permits `http a.b`");
    assert!(matches!(&too_large, Fate::Refused(why) if why.contains("of memory")), "{too_large:?}");
    assert_eq!(hand.ran(), 0);
}

/// With a user that may do no more than the page about clusters says.
#[tokio::test(flavor = "multi_thread")]
async fn the_least_that_a_client_needs_is_enough() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cluster.md");
    let page = std::fs::read_to_string(page).unwrap();
    let block = page.split("```conf\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let server = Server::with(&format!("jetstream {{ store_dir: STORE }}\n{block}"));
    let url = server.url().replace("nats://", "nats://flowhost:change-me@");
    let desk = Desk::at(&url, "default", ACK_WAIT).await;
    let hand = Hand::at(&url, "default", 2, options(&[]), echo);
    for text in ["x".to_owned(), "x".repeat(1 << 20)] {
        let mut errand = desk.offer("echo", Value::string(text.as_str()), |_| {});
        assert_eq!(ended(fate(&mut errand).await).result, Ok(Value::string(text)));
    }
    assert_eq!((desk.dispatcher.scale().await.unwrap().queue, hand.ran()), (0, 2));
    let mut last = desk.offer("echo", Value::string("poison"), |offer| offer.lost = 3);
    assert!(ended(fate(&mut last).await).result.is_err());
    let letters = tokio::task::block_in_place(|| {
        let letters = DeadLetters::open(&desk.connection).unwrap();
        let all = letters.list(&desk.connection).unwrap();
        letters.retry(&desk.connection, &all[0]).unwrap();
        (all.len(), letters.list(&desk.connection).unwrap().len())
    });
    assert_eq!(letters, (1, 0));
}

/// `main()` maps this many items over a step of the component.
fn fan(items: u64) -> Arc<Plan> {
    let mut plan = build::fan(items, |_| {});
    let digest = catalog::decode(&component()).unwrap().digest;
    plan.components.values_mut().for_each(|component| component.digest = digest);
    plan.functions.values_mut().for_each(|function| function.params = vec![("n".into(), Type::U64)]);
    Arc::new(plan)
}

/// Waits a while, and gives its number back.
fn wait(invocation: Invocation) -> BoxFuture<'static, Outcome> {
    async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        echo(invocation).await
    }
    .boxed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_waiting_steps_spread_over_three_hosts() {
    let server = Server::start();
    let desk = Desk::open(&server, "spread").await;
    let hands: Vec<Hand> = (0..3).map(|_| Hand::start(&server, "spread", 8, wait)).collect();
    let (own, config) = (Arc::<AtomicUsize>::default(), EngineConfig { parallel: 8, ..EngineConfig::default() });
    let invoker = Arc::new(Steps(Arc::new(wait), Arc::clone(&own)));
    let engine = Engine::new(invoker, Arc::new(MemoryJournal::new()), Arc::new(SystemClock), config);
    let said =
        || hands.iter().enumerate().map(|(n, hand)| (format!("h{n}"), serde_json::json!({ WORK: &*hand.said.lock().unwrap() })));
    eventually("all have said what they run", async || said().all(|(_, value)| !value[WORK].is_null())).await;
    desk.dispatcher.see(said().collect());
    let kind = Kind { class: None, http: false, env: false };
    assert_eq!(desk.dispatcher.places(&kind), 24);
    let scale = desk.dispatcher.scale().await.unwrap();
    assert_eq!((scale.hosts, scale.places, scale.free, scale.queue, scale.running), (3, 24, 24, 0, 0));
    let engine = engine.with_elsewhere(Arc::new(desk.dispatcher));
    let new = NewRun {
        id: run("r"),
        plan: fan(1000),
        program: Digest([0; 32]),
        input: Vec::new(),
        labels: Vec::new(),
        permitted: Vec::new(),
        origin: None,
        trace: None,
    };
    let report = engine.start(new).await.unwrap().wait().await;
    assert_eq!(report.outcome, RunEnd::Finished(RunOutcome::Succeeded(Payload::Value(Value::list((0..1000).map(Value::U64))))));
    let ran: Vec<usize> = hands.iter().map(Hand::ran).chain([own.load(Ordering::SeqCst)]).collect();
    assert_eq!(ran.iter().sum::<usize>(), 1000, "{ran:?}");
    assert!(ran.iter().all(|ran| *ran >= 50), "{ran:?}");
}
