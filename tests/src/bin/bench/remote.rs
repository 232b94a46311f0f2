//! Steps on other hosts: what one costs over a step here, and how many steps that wait get through 1, 2 and 4 of them.
//!
//! Owner and workers have connections and sandboxes of their own, as in processes of their own, and share this machine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bus::nats::{ACK_WAIT, Connection, Dispatcher, Loader, Settings, Worker, WorkerOptions};
use catalog::{Digest, Value};
use engine::memory::MemoryJournal;
use engine::ports::{Begun, Elsewhere, Fate, Invocation, Invoker, Kind, Offer, SystemClock};
use engine::shell::{Engine, EngineConfig};
use sandbox::{Sandbox, SandboxConfig};
use testkit::component::invocation;
use testkit::nats::Server;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::median;
use crate::table::{Bound, Table};

/// Steps one after the other, of which the middle one counts.
const SINGLE: usize = 500;

/// Places of a worker.
const PLACES: usize = 32;

/// How long a step waits.
const WAIT: u64 = 50;

/// Steps that wait, for each worker.
const WAITING: usize = 640;

struct Kit(Sandbox);

impl Loader for Kit {
    fn is_ready(&self, digest: Digest) -> bool {
        self.0.is_loaded(digest)
    }

    fn load(&self, bytes: &[u8]) -> Result<(), String> {
        self.0.load(bytes).map(drop).map_err(|error| error.to_string())
    }
}

/// So many workers were there: each has a name of its own.
static WORKERS: AtomicUsize = AtomicUsize::new(0);

/// A worker, until it is stopped.
struct Hand {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

fn connect(server: &Server, namespace: &str) -> Connection {
    let namespace = namespace.parse().unwrap();
    Connection::open(&Settings { namespace, timeout: Duration::from_secs(10), ..Settings::new(vec![server.url()]) }).unwrap()
}

impl Hand {
    fn start(server: &Server, namespace: &str) -> Self {
        let (connection, sandbox) = (connect(server, namespace), Sandbox::new(SandboxConfig::default()).unwrap());
        let config = EngineConfig { parallel: PLACES as u32, ..EngineConfig::default() };
        let journal = Arc::new(MemoryJournal::new());
        let engine = Engine::new(Arc::new(sandbox.clone()), journal, Arc::new(SystemClock), config);
        let name = format!("worker/{}", WORKERS.fetch_add(1, Ordering::Relaxed));
        let options = WorkerOptions { permits: Vec::new(), only: None, labels: BTreeMap::new(), ack_wait: ACK_WAIT };
        let worker = Worker::open(&connection, &name, engine, Arc::new(Kit(sandbox)), |_| {}, options).unwrap();
        let (stop, stopping) = watch::channel(false);
        let task = tokio::spawn(async move {
            worker.run(stopping).await.unwrap();
            drop(connection);
        });
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

/// Runs an attempt elsewhere to its end.
async fn away(dispatcher: &Dispatcher, invocation: Invocation) {
    let kind = Kind { class: None, http: false, env: false };
    let offer = Offer {
        invocation: Box::new(invocation),
        kind,
        class_parallel: None,
        repeatable: true,
        lost: 0,
        begun: Begun::default(),
    };
    let mut errand = dispatcher.offer(offer);
    match errand.fate().await {
        Fate::Outcome(outcome) => assert!(outcome.result.is_ok(), "{outcome:?}"),
        other => panic!("{other:?}"),
    }
}

/// Measures both.
pub(crate) async fn measure(bytes: &[u8], table: &mut Table) {
    let server = Server::start();
    single(&server, bytes, table).await;
    let mut rates = Vec::new();
    for workers in [1, 2, 4] {
        let rate = waiting(&server, bytes, workers).await;
        table.figure(&format!("steps that wait {WAIT} ms, {workers} x {PLACES} places elsewhere"), "steps/s", rate);
        rates.push(rate);
    }
    table.figure("the most that one host could do of these", "steps/s", PLACES as f64 * 1000.0 / WAIT as f64);
    table.bounded("(r) 2 hosts to 1", "x", rates[1] / rates[0], Bound::Least(1.8));
    table.bounded("(r) 4 hosts to 1", "x", rates[2] / rates[0], Bound::Least(3.4));
}

/// One step after the other.
async fn single(server: &Server, bytes: &[u8], table: &mut Table) {
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    sandbox.load(bytes).unwrap();
    let step = invocation(bytes, "echo-number", vec![Value::S64(7)]).unwrap();
    let mut here = Vec::new();
    for _ in 0..SINGLE {
        let started = Instant::now();
        assert!(sandbox.invoke(step.clone()).await.result.is_ok());
        here.push(started.elapsed().as_secs_f64() * 1e6);
    }
    let hand = Hand::start(server, "single");
    let (connection, kit) = (connect(server, "single"), bytes.to_vec());
    let dispatcher = Dispatcher::open(&connection, Arc::new(move |_| Ok(kit.clone())), ACK_WAIT).unwrap();
    // The first one brings the component.
    away(&dispatcher, step.clone()).await;
    let mut there = Vec::new();
    for _ in 0..SINGLE {
        let started = Instant::now();
        away(&dispatcher, step.clone()).await;
        there.push(started.elapsed().as_secs_f64() * 1e6);
    }
    hand.stop().await;
    let (here, there) = (median(here), median(there));
    table.figure("a call here, p50", "us", here);
    table.figure("the same on another host, p50", "us", there);
    table.figure("what it costs to go there", "us", there - here);
}

/// Twice as many at a time as there are places, as of a large map: a step waits whenever a place becomes free.
async fn waiting(server: &Server, bytes: &[u8], workers: usize) -> f64 {
    let namespace = format!("waiting{workers}");
    let hands: Vec<Hand> = (0..workers).map(|_| Hand::start(server, &namespace)).collect();
    let (connection, kit) = (connect(server, &namespace), bytes.to_vec());
    let dispatcher = Arc::new(Dispatcher::open(&connection, Arc::new(move |_| Ok(kit.clone())), ACK_WAIT).unwrap());
    let (step, places) =
        (invocation(bytes, "slow", vec![Value::U64(WAIT)]).unwrap(), Arc::new(Semaphore::new(2 * workers * PLACES)));
    // All have the component when it begins.
    let some = async |count: usize| {
        let tasks = (0..count).map(|_| {
            let (dispatcher, step, places) = (Arc::clone(&dispatcher), step.clone(), Arc::clone(&places));
            tokio::spawn(async move {
                let _place = places.acquire_owned().await.unwrap();
                away(&dispatcher, step).await;
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.unwrap();
        }
    };
    some(workers * PLACES * 2).await;
    let started = Instant::now();
    some(workers * WAITING).await;
    let rate = (workers * WAITING) as f64 / started.elapsed().as_secs_f64();
    for hand in hands {
        hand.stop().await;
    }
    rate
}
