//! Many runs at once over the store on disk: events and steps a second, how long a step takes, what it costs on disk,
//! and how fast a new owner takes runs over.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use catalog::Digest;
use engine::event::{Event, RunId};
use engine::ports::Journal;
use engine::shell::Engine;
use journal::{Durability, Options, SqliteJournal};
use lang::plan::Plan;

use crate::appends::{self, GROUP, WRITERS};
use crate::compile::chain;
use crate::steps::{engine, plan, program, run};
use crate::table::{Bound, Table};
use crate::{floor, median};

/// Runs at the same time.
const RUNS: u32 = 200;
/// Steps of a run, each needing the one before it.
const STEPS: u32 = 10;
/// Runs one after the other in each of the places, in one round.
const EACH: u32 = 20;
/// Rounds on a new store, and as many on one with history.
const TURNS: u32 = 5;
/// Runs that are taken over, and the events of each.
const OPEN: usize = 10_000;
const LENGTH: u32 = 100;

/// Times what many runs do at once.
pub(crate) async fn measure(bytes: &[u8], table: &mut Table) {
    let folder = tempfile::tempdir().unwrap();
    throughput(folder.path(), table).await;
    for (durability, name) in [(Durability::Full, "full"), (Durability::Process, "process")] {
        let path = folder.path().join(format!("{name}.db"));
        let journal = open(&path, durability);
        let (engine, program) = (engine(bytes, journal.clone()), program(&*journal));
        let flow = plan(chain(STEPS));
        let first = round(&engine, program, &flow, "first").await;
        let rate = format!("(f) {RUNS} runs of {STEPS} chained steps, {name}");
        match durability {
            Durability::Full => table.bounded(&rate, "steps/s", first.rate, Bound::Least(20_000.0)),
            Durability::Process => table.figure(&rate, "steps/s", first.rate),
        }
        table.figure(&format!("a durable step of these, p50, {name}"), "us", first.percentile(50));
        table.figure(&format!("a durable step of these, p99, {name}"), "us", first.percentile(99));
        let mut earlier = first.steps();
        while earlier < 100_000 {
            earlier += round(&engine, program, &flow, &format!("after{earlier}")).await.steps();
        }
        // The disk is not equally fast all the time: both kinds take turns.
        let (mut fresh, mut aged) = (Vec::new(), Vec::new());
        for turn in 0..TURNS {
            fresh.push(fresh_round(&folder.path().join(format!("{name}{turn}.db")), durability, bytes, &flow).await.rate);
            let round = round(&engine, program, &flow, &format!("turn{turn}")).await;
            earlier += round.steps();
            aged.push(round.rate);
        }
        let change = median(aged) / median(fresh);
        table.bounded(&format!("the same after 100,000 earlier steps, {name}"), "x", change, Bound::Least(0.9));
        drop((engine, journal));
        let size = std::fs::metadata(&path).unwrap().len();
        table.figure(&format!("on disk, {name}"), "bytes/step", size as f64 / f64::from(earlier));
    }
    recovery(folder.path(), bytes, table).await;
}

fn open(path: &Path, durability: Durability) -> Arc<SqliteJournal> {
    Arc::new(SqliteJournal::open(path, &Options { durability, ..Options::default() }).unwrap())
}

/// A round on a store in which nothing has happened yet.
async fn fresh_round(path: &Path, durability: Durability, bytes: &[u8], flow: &Arc<Plan>) -> Round {
    let journal = open(path, durability);
    let (engine, program) = (engine(bytes, journal.clone()), program(&*journal));
    round(&engine, program, flow, "fresh").await
}

/// What a round of runs took.
struct Round {
    /// Steps a second.
    rate: f64,
    /// Of each run, in microseconds for a step of it, in rising order.
    steps: Vec<f64>,
}

impl Round {
    fn steps(&self) -> u32 {
        self.steps.len() as u32 * STEPS
    }

    fn percentile(&self, percent: usize) -> f64 {
        self.steps[(self.steps.len() * percent / 100).min(self.steps.len() - 1)]
    }
}

async fn round(engine: &Engine, program: Digest, flow: &Arc<Plan>, name: &str) -> Round {
    let started = Instant::now();
    let places = (0..RUNS).map(|place| {
        let (engine, flow, name) = (engine.clone(), Arc::clone(flow), format!("{name}-{place}"));
        tokio::spawn(async move {
            let mut took = Vec::new();
            for number in 0..EACH {
                took.push(run(&engine, program, &flow, format!("{name}-{number}")).await * 1e6 / f64::from(STEPS));
            }
            took
        })
    });
    let mut steps = Vec::new();
    for place in places.collect::<Vec<_>>() {
        steps.extend(place.await.unwrap());
    }
    let rate = steps.len() as f64 * f64::from(STEPS) / started.elapsed().as_secs_f64();
    steps.sort_by(f64::total_cmp);
    Round { rate, steps }
}

/// Appends of many runs against a bare loop of group commits: the same rows, as many in each transaction as the runs
/// have on their way.
async fn throughput(folder: &Path, table: &mut Table) {
    let mut ratios = Vec::new();
    let mut rates = Vec::new();
    let mut floors = Vec::new();
    for number in 0..3 {
        let floor = floor::rows(folder, (WRITERS * GROUP) as u32);
        let rate = appends::rate(open(&folder.join(format!("appends{number}.db")), Durability::Full)).await;
        floors.push(floor);
        rates.push(rate);
        ratios.push(rate / floor);
    }
    table.figure("floor: raw SQLite, 512 rows per commit, full", "rows/s", median(floors));
    table.bounded("(e) journal, 64 runs, full", "events/s", median(rates), Bound::Least(100_000.0));
    table.bounded("(e) journal to raw group commits", "x", median(ratios), Bound::Least(0.4));
}

/// The flow of a chain, which waits for its operator before its end.
pub(crate) fn waiting(text: &str) -> String {
    let cut = text.rfind("    x").unwrap_or(text.len());
    let (head, tail) = text.split_at(cut);
    format!("{head}    wait signal go\n{tail}")
}

/// Takes over many runs that wait, each with some events behind it.
async fn recovery(folder: &Path, bytes: &[u8], table: &mut Table) {
    let journal = open(&folder.join("open.db"), Durability::Full);
    let flow = plan(waiting(&chain(LENGTH - 2)));
    let program = program(&*journal);
    let template = RunId("open".into());
    let new = engine::shell::NewRun {
        id: template.clone(),
        plan: Arc::clone(&flow),
        program,
        input: Vec::new(),
        labels: Vec::new(),
        permitted: Vec::new(),
        origin: None,
        trace: None,
    };
    let first = engine(bytes, journal.clone());
    let _ = first.start(new).await.unwrap().wait().await;
    let events: Arc<[Event]> = journal.load(&template).unwrap().into();
    for number in 0..OPEN {
        journal.append(&RunId(format!("open-{number}").into()), Arc::clone(&events)).await.unwrap();
    }
    let next = engine(bytes, journal.clone());
    let started = Instant::now();
    let tasks = 64;
    let takers = (0..tasks).map(|taker| {
        let (next, flow) = (next.clone(), Arc::clone(&flow));
        tokio::spawn(async move {
            for number in (taker..OPEN).step_by(tasks) {
                let handle = next.resume(RunId(format!("open-{number}").into()), Arc::clone(&flow)).await.unwrap();
                let _ = handle.wait().await;
            }
        })
    });
    for taker in takers.collect::<Vec<_>>() {
        taker.await.unwrap();
    }
    let took = started.elapsed().as_secs_f64();
    table.bounded(&format!("(g) take over {OPEN} open runs of {} events", events.len()), "s", took, Bound::Most(10.0));
}
