//! Many runs that append at the same time and wait for each append, over whatever journal.

use std::sync::Arc;
use std::time::Instant;

use engine::event::{Attempt, Bill, Event, EventBody, Payload, RunId, TaskId, Timestamp};
use engine::ports::Journal;
use tokio::task::JoinHandle;

/// Runs that append at the same time.
pub(crate) const WRITERS: u64 = 64;
/// What each of them appends, beside its start.
pub(crate) const APPENDS: u64 = 500;
/// Events of an append.
pub(crate) const GROUP: u64 = 8;
/// All that is appended.
pub(crate) const EVENTS: u64 = WRITERS * APPENDS * GROUP;

/// Events a second that are appended.
pub(crate) async fn rate(journal: Arc<dyn Journal>) -> f64 {
    let first = journal::conformance::one_of_each().remove(0);
    let started = Instant::now();
    let writers = (0..WRITERS).map(|writer| {
        let (journal, first) = (Arc::clone(&journal), first.clone());
        tokio::spawn(async move {
            let run = RunId(format!("writer-{writer}").into());
            journal.append(&run, Arc::from([first])).await.unwrap();
            for number in 0..APPENDS {
                let from = 2 + number * GROUP;
                let events: Vec<Event> = (from..from + GROUP).map(succeeded).collect();
                journal.append(&run, events.into()).await.unwrap();
            }
        })
    });
    rate_of(writers.collect(), started).await
}

/// The same of writers that have begun.
pub(crate) async fn rate_of(writers: Vec<JoinHandle<()>>, started: Instant) -> f64 {
    for writer in writers {
        writer.await.unwrap();
    }
    EVENTS as f64 / started.elapsed().as_secs_f64()
}

/// An event of more than 200 bytes.
pub(crate) fn succeeded(seq: u64) -> Event {
    let attempt = Attempt { task: TaskId(seq), number: 1, path: "digest/profiles/text.profile".into() };
    let output = Payload::Value(catalog::Value::string("0123456789".repeat(6)));
    let bill = Bill { fuel: 123_456, peak_memory: 1 << 20, wall: 345, host_calls: 3, bytes_in: 99, bytes_out: 60, attempts: 0 };
    let body = EventBody::AttemptSucceeded { attempt, output, bill, cache: None, host: None };
    Event { seq, at: Timestamp(1_700_000_000_000 + seq), body }
}
