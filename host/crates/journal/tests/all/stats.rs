//! How runs and steps went, summed up beside those who write.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use catalog::{FailureKind, Value};
use engine::event::{Attempt, Bill, CacheNote, Event, EventBody, Failure, Payload, RunId, RunOutcome, TaskId, Timestamp};
use engine::ports::Journal;
use journal::conformance::one_of_each;
use journal::retention::Retention;
use journal::stats::{Stats, StatsFilter, failure_rate};
use journal::{Options, Reader, SqliteJournal};
use rusqlite::Connection;

use crate::golden::{golden, restore};

const HOUR: u64 = 3_600_000;

fn open(folder: &Path) -> SqliteJournal {
    SqliteJournal::open(&folder.join("store.db"), &Options::default()).unwrap()
}

fn succeeded(attempt: Attempt, wall: u64, cache: Option<CacheNote>) -> EventBody {
    let bill = Bill { fuel: 10, peak_memory: wall * 100, wall, ..Bill::default() };
    EventBody::AttemptSucceeded { attempt, output: Payload::Value(Value::Unit), bill, cache, host: None }
}

fn failed(attempt: Attempt, wall: u64) -> EventBody {
    let failure = Failure { kind: FailureKind::Network, message: "no route".into(), details: None, retry_after: None };
    EventBody::AttemptFailed { attempt, failure, bill: Bill { fuel: 1, wall, ..Bill::default() }, host: None }
}

fn attempt(task: u64, number: u32, path: &str) -> Attempt {
    Attempt { task: TaskId(task), number, path: path.into() }
}

/// Starts a run of `flow` at a time; each body comes a millisecond later.
async fn run(journal: &SqliteJournal, id: &str, flow: &str, at: u64, bodies: Vec<EventBody>) {
    let mut first = one_of_each().remove(0).body;
    if let EventBody::RunStarted(started) = &mut first {
        started.flow = flow.to_owned();
    }
    let events: Vec<Event> =
        (1..).zip(std::iter::once(first).chain(bodies)).map(|(seq, body)| Event { seq, at: Timestamp(at + seq), body }).collect();
    journal.append(&RunId(id.into()), events.into()).await.unwrap();
}

fn end() -> EventBody {
    EventBody::RunEnded { outcome: RunOutcome::Succeeded(Payload::Value(Value::Unit)) }
}

/// A run ends with a failure.
fn failed_end() -> EventBody {
    one_of_each().into_iter().rev().map(|event| event.body).find(|body| matches!(body, EventBody::RunEnded { .. })).unwrap()
}

async fn fill(journal: &SqliteJournal) {
    let items = (0..100).map(|n| succeeded(attempt(n, 1, &format!("build/xs[{n}]/c")), 1000 + n * 10, None));
    run(journal, "one", "build", 0, items.chain([end()]).collect()).await;
    let retried = vec![
        failed(attempt(0, 1, "build/xs[0]/c"), 5),
        succeeded(attempt(0, 2, "build/xs[0]/c"), 7, None),
        succeeded(attempt(1, 1, "build/d"), 0, Some(CacheNote::Hit)),
        EventBody::AttemptCancelled { attempt: attempt(2, 1, "build/e"), host: None },
        EventBody::OutcomeUnknown { attempt: attempt(3, 1, "build/e"), host: None },
    ];
    run(journal, "two", "build", 5 * HOUR, retried).await;
    let outcome = failed_end();
    run(journal, "three", "deploy", 5 * HOUR, vec![failed(attempt(0, 1, "deploy/f"), 3), outcome]).await;
}

fn node<'a>(stats: &'a Stats, flow: &str, node: &str) -> &'a journal::stats::Tally {
    &stats.nodes[&(flow.to_owned(), node.to_owned())]
}

#[tokio::test]
async fn runs_and_attempts_are_summed_up() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    fill(&journal).await;
    let stats = journal.reader().stats(&StatsFilter::default()).unwrap();
    let build = &stats.flows["build"];
    assert_eq!((build.runs(), build.succeeded, build.open, build.durations.count()), (2, 1, 1, 1));
    assert_eq!((stats.flows["deploy"].failed, failure_rate(0, 1)), (1, Some(100.0)));
    let items = node(&stats, "build", "build/xs[]/c");
    assert_eq!((items.attempts(), items.succeeded, items.failed, items.retries), (102, 101, 1, 1));
    assert_eq!((items.fuel, items.memory, items.walls.largest()), (1011, 199_000, 1990));
    let median = items.walls.percentile(50).unwrap();
    assert!((1480..=1540).contains(&median), "{median}");
    let cached = node(&stats, "build", "build/d");
    assert_eq!((cached.hits, cached.succeeded, cached.walls.count()), (1, 1, 0));
    let stopped = node(&stats, "build", "build/e");
    assert_eq!((stopped.cancelled, stopped.unknown, failure_rate(stopped.succeeded, stopped.failed)), (1, 1, None));
    assert_eq!(build.attempts.attempts(), 105);
}

#[tokio::test]
async fn a_flow_or_a_time_is_selected() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    fill(&journal).await;
    let ask = |flow: Option<&str>, since, until| {
        let filter = StatsFilter {
            flow: flow.map(Into::into),
            since: Option::map(since, Timestamp),
            until: Option::map(until, Timestamp),
        };
        let stats = journal.reader().stats(&filter).unwrap();
        let flows: Vec<String> = stats.flows.iter().map(|(name, flow)| format!("{name} {}", flow.runs())).collect();
        (flows.join(", "), stats.nodes.values().map(journal::stats::Tally::attempts).sum::<u64>())
    };
    assert_eq!(ask(None, None, None), ("build 2, deploy 1".to_owned(), 106));
    assert_eq!(ask(Some("deploy"), None, None), ("deploy 1".to_owned(), 1));
    assert_eq!(ask(None, Some(5 * HOUR), None), ("build 1, deploy 1".to_owned(), 6));
    assert_eq!(ask(None, None, Some(5 * HOUR)), ("build 1".to_owned(), 100));
    assert_eq!(ask(Some("none"), None, None), (String::new(), 0));
}

/// What one process counted, the next one only adds to; and nothing counts twice, whoever asks.
#[tokio::test]
async fn what_is_counted_is_kept_and_nothing_counts_twice() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    fill(&journal).await;
    let path = folder.path().join("store.db");
    let first = journal.reader().stats(&StatsFilter::default()).unwrap();
    let rows = |sql: &str| Connection::open(&path).unwrap().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(rows("SELECT count(*) FROM node_stats"), 5);
    assert_eq!(rows("SELECT value FROM about WHERE key = 'node_stats'"), rows("SELECT max(id) FROM events"));
    let askers: Vec<_> = (0..4)
        .map(|n| {
            let path = path.clone();
            std::thread::spawn(move || {
                let reader = Reader::open(&path, Duration::from_secs(5)).unwrap();
                (0..5 + n).map(|_| reader.stats(&StatsFilter::default()).unwrap()).collect::<Vec<_>>()
            })
        })
        .collect();
    for n in 0..20 {
        run(&journal, &format!("more{n}"), "more", 9 * HOUR, vec![succeeded(attempt(0, 1, "more/s"), 1, None), end()]).await;
    }
    for asker in askers {
        for stats in asker.join().unwrap() {
            assert_eq!(stats.flows["build"], first.flows["build"]);
            let more = stats.flows.get("more").cloned().unwrap_or_default();
            // Attempts are counted before runs are listed.
            assert!(more.attempts.attempts() <= more.runs() && more.runs() <= 20, "{more:?}");
        }
    }
    let last = Reader::open(&path, Duration::from_secs(5)).unwrap().stats(&StatsFilter::default()).unwrap();
    assert_eq!(last.flows["more"].attempts.attempts(), 20);
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_summed_up_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(folder.path());
    fill(&journal).await;
    let expected = journal.reader().stats(&StatsFilter::default()).unwrap();
    drop(journal);
    let path = folder.path().join("store.db");
    Connection::open(&path).unwrap().execute_batch("DELETE FROM node_stats; DELETE FROM about").unwrap();
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    let reader = Reader::open(&path, Duration::from_secs(5)).unwrap();
    assert_eq!(reader.stats(&StatsFilter::default()).unwrap(), expected);
    assert_eq!(reader.stats(&StatsFilter::default()).unwrap(), expected);
    let left: i64 = Connection::open(&path).unwrap().query_row("SELECT count(*) FROM node_stats", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0);
}

/// More events than are counted in one part, of runs that are written at the same time.
#[tokio::test]
async fn a_long_journal_is_counted_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Arc::new(open(folder.path()));
    let steps = |flow: &str| -> Vec<EventBody> {
        (0..5_000).map(|n| succeeded(attempt(n, 1, &format!("{flow}/xs[{n}]/c")), n, None)).collect()
    };
    futures::future::join(run(&journal, "a", "a", 0, steps("a")), run(&journal, "b", "b", 0, steps("b"))).await;
    let stats = journal.reader().stats(&StatsFilter::default()).unwrap();
    let sum: Vec<u64> = stats.nodes.values().map(|tally| tally.walls.count()).collect();
    assert_eq!(sum, [5_000, 5_000]);
}

/// Stores of every released format, which nobody has opened for writing since.
#[test]
fn old_stores_are_summed_up_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    for version in testkit::cases::entries(&golden()).into_iter().filter(|version| version.join("kinds.sql").exists()) {
        let path = folder.path().join(version.file_name().unwrap());
        restore(&version.join("kinds.sql"), &path);
        let reader = Reader::open(&path, Duration::from_secs(1)).unwrap();
        let stats = reader.stats(&StatsFilter::default()).unwrap();
        let flow = &stats.flows["all kinds"];
        assert!(flow.failed == 1 && flow.open >= 1 && flow.attempts.attempts() >= 10, "{}: {flow:?}", path.display());
        let found = reader.verify().unwrap();
        // These were never started from files, so they have no programs.
        assert!(found.damaged.iter().all(|run| run.what.contains("its program")), "{found:?}");
        assert!(found.file.is_empty() && found.lost_events == 0 && found.runs == flow.runs(), "{found:?}");
        assert_eq!(reader.expired(&Retention::default(), Timestamp(u64::MAX)).unwrap(), []);
        assert_eq!(reader.about("kind").unwrap(), None);
    }
}
