//! Measures the journal against the floor: the same rows in the same groups through a bare connection.
//!
//! `cargo run --release -p journal --example append`

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement, not part of the program")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::Value;
use engine::event::{Attempt, Bill, Event, EventBody, Payload, RunId, TaskId, Timestamp};
use engine::ports::Journal;
use journal::conformance::one_of_each;
use journal::{Durability, Options, SqliteJournal, wire};
use rusqlite::Connection;

const RUNS: u64 = 64;
const EVENTS: u64 = 4_000;
const CHAIN: u64 = 5_000;
const MODES: [Durability; 2] = [Durability::Full, Durability::Process];

fn step(seq: u64) -> Event {
    if seq == 1 {
        return one_of_each().remove(0);
    }
    let attempt = Attempt { task: TaskId(seq), number: 1, path: "digest/profiles/text.profile".into() };
    let output = Payload::Value(Value::string("0123456789".repeat(6)));
    let bill = Bill { fuel: 123_456, peak_memory: 1 << 20, wall: 345, host_calls: 3, bytes_in: 99, bytes_out: 60, attempts: 0 };
    Event {
        seq,
        at: Timestamp(1_700_000_000_000 + seq),
        body: EventBody::AttemptSucceeded { attempt, output, bill, cache: None, host: None },
    }
}

/// The processor time of the threads of this process that have this name. Unlike rates, it hardly depends on what
/// else the machine does.
fn processor(name: &str) -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |path: std::path::PathBuf| {
        let comm = std::fs::read_to_string(path.join("comm")).ok()?;
        let stat = std::fs::read_to_string(path.join("schedstat")).ok()?;
        let nanos = stat.split(' ').next()?.parse().ok()?;
        (comm.trim() == name).then_some(Duration::from_nanos(nanos))
    };
    threads.filter_map(|thread| of(thread.path())).sum()
}

fn micros(used: Duration, events: u64) -> f64 {
    used.as_secs_f64() * 1e6 / events as f64
}

fn rate(events: u64, took: Duration) -> f64 {
    events as f64 / took.as_secs_f64()
}

/// Encoded rows, inserted by one thread in groups of this size.
fn floor(path: &Path, durability: Durability, events: u64, group: usize) -> f64 {
    drop(SqliteJournal::open(path, &Options::default()).unwrap());
    let connection = Connection::open(path).unwrap();
    let synchronous = if durability == Durability::Full { "FULL" } else { "NORMAL" };
    connection.pragma_update(None, "synchronous", synchronous).unwrap();
    connection.pragma_update(None, "wal_autocheckpoint", 4000).unwrap();
    let rows: Vec<_> = (2..events + 2).map(|seq| wire::encode(&step(seq))).collect();
    let mut insert = connection
        .prepare("INSERT INTO events (run, seq, prev, at, kind, path, body, hash) VALUES (1, ?1, ?1, ?2, ?3, ?4, ?5, ?6)")
        .unwrap();
    let (mut begin, mut commit) = (connection.prepare("BEGIN IMMEDIATE").unwrap(), connection.prepare("COMMIT").unwrap());
    let before = processor("append");
    let start = Instant::now();
    for group in rows.chunks(group) {
        begin.raw_execute().unwrap();
        for row in group {
            insert.execute((row.seq as i64, row.at as i64, row.kind, &*row.path, &row.body, &[7; 32][..])).unwrap();
        }
        commit.raw_execute().unwrap();
    }
    let took = start.elapsed();
    println!("    bare: {:.2} µs an event", micros(processor("append") - before, events));
    rate(events, took)
}

/// Many runs at once, each of which waits for its append of `each` events before the next.
async fn many(path: &Path, durability: Durability, each: usize) -> f64 {
    let journal = Arc::new(SqliteJournal::open(path, &Options { durability, ..Options::default() }).unwrap());
    let before = processor("tokio-rt-worker");
    let start = Instant::now();
    let runs: Vec<_> = (0..RUNS)
        .map(|number| {
            let journal = Arc::clone(&journal);
            tokio::spawn(async move {
                let run = RunId(format!("run-{number}").into());
                let mut next = 1;
                while next <= EVENTS {
                    let events: Vec<_> = (next..).take(each).map(step).collect();
                    next += each as u64;
                    journal.append(&run, events.into()).await.unwrap();
                }
            })
        })
        .collect();
    for run in runs {
        run.await.unwrap();
    }
    let took = start.elapsed();
    println!(
        "    processor time an event: writer {:.2} µs, callers {:.2} µs",
        micros(processor("journal"), RUNS * EVENTS),
        micros(processor("tokio-rt-worker") - before, RUNS * EVENTS)
    );
    rate(RUNS * EVENTS, took)
}

/// One run that waits for each event.
async fn chain(path: &Path, durability: Durability, idle: bool) -> f64 {
    let journal = SqliteJournal::open(path, &Options { durability, ..Options::default() }).unwrap();
    let task = async move {
        let run = RunId("chain".into());
        let start = Instant::now();
        for seq in 1..=CHAIN {
            let events = Arc::from([step(seq)]);
            let append = if idle { journal.append_idle(&run, events) } else { journal.append(&run, events) };
            append.await.unwrap();
        }
        rate(CHAIN, start.elapsed())
    };
    tokio::spawn(task).await.unwrap()
}

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let mut stores = 0;
    let mut store = || {
        stores += 1;
        folder.path().join(format!("{stores}.db"))
    };
    for durability in MODES {
        println!("{durability:?}");
        let bare = floor(&store(), durability, CHAIN, 1);
        let plain = chain(&store(), durability, false).await;
        let idle = chain(&store(), durability, true).await;
        println!("  chain, commits/s: bare {bare:.0}, journal {plain:.0}, journal idle {idle:.0} (ratio {:.2})", idle / bare);
        for each in [1, 8, 64] {
            let bare = floor(&store(), durability, RUNS * EVENTS, RUNS as usize * each);
            let ours = many(&store(), durability, each).await;
            println!(
                "  {RUNS} runs, {each} events an append, events/s: bare {bare:.0}, journal {ours:.0} (ratio {:.2})",
                ours / bare
            );
        }
    }
}
