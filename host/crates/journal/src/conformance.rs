//! What every adapter of [`Journal`] must do, as checks that are given a way to open one.
//!
//! An adapter's tests call [`check_all`] with a function that opens the store of a given name: the same
//! name twice is two owners of the same store, as two processes would be.

mod harm;
mod owners;
mod samples;

use std::future::Future;
use std::sync::Arc;

use catalog::{Digest, FailureKind, Value};
use engine::event::{
    Attempt, Bill, CacheNote, Decision, Event, EventBody, Failure, Payload, RunId, RunOutcome, TaskId, Timestamp,
};
use engine::ports::{Cached, Journal, JournalError};
use futures::future::join_all;

pub use harm::{Harm, check_harm};
pub use samples::{escalated, one_of_each};
use samples::{numbered, started};

/// Opens the store with this name.
pub type Open<'a> = &'a dyn Fn(&str) -> Arc<dyn Journal>;

/// What was found, by the check that found it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{check}: {what}")]
pub struct Violation {
    /// The check.
    pub check: &'static str,
    /// What is wrong.
    pub what: String,
}

/// Runs all checks and gives what each of them found wrong.
pub async fn check_all(open: Open<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut note = |check, result: Result<(), String>| violations.extend(result.err().map(|what| Violation { check, what }));
    note("order", order(open).await);
    note("every kind", every_kind(open).await);
    note("reload", reload(open).await);
    note("one at a time", one_at_a_time(open).await);
    note("fence", fence(open).await);
    note("fence of a new run", fence_of_a_new_run(open).await);
    note("all or nothing", all_or_nothing(open).await);
    note("gap", gap(open).await);
    note("dropped future", dropped_future(open).await);
    note("idle", idle(open).await);
    note("large payload", large_payload(open).await);
    note("blobs", blobs(open).await);
    note("cache", cache(open).await);
    note("unknown", unknown(open).await);
    note("many runs", many_runs(open).await);
    note("large append", large_append(open).await);
    note("rivals", owners::rivals(open).await);
    note("change of owners", owners::change(open).await);
    violations
}

/// `count` events of a run from its start.
fn run_of(count: u64) -> Vec<Event> {
    let step = |task| EventBody::AttemptSucceeded {
        attempt: Attempt { task: TaskId(task), number: 1, path: format!("main/step[{task}]").into() },
        output: Payload::Value(Value::string(format!("result {task}"))),
        bill: Bill::default(),
        cache: (task == 1).then_some(CacheNote::Hit),
        host: (task == 2).then(|| "host-2/7".into()),
    };
    numbered(1, std::iter::once(started("steps")).chain((0..count.saturating_sub(1)).map(step)))
}

/// Events as they are after loading: values as text.
fn as_loaded(events: &[Event]) -> Vec<Event> {
    events.iter().cloned().map(|event| Event { body: body_as_loaded(event.body), ..event }).collect()
}

fn body_as_loaded(body: EventBody) -> EventBody {
    match body {
        EventBody::RunStarted(mut started) => {
            started.input = started.input.into_iter().map(|(name, value)| (name, text(&value))).collect();
            EventBody::RunStarted(started)
        }
        EventBody::AttemptSucceeded { attempt, output, bill, cache, host } => {
            EventBody::AttemptSucceeded { attempt, output: text(&output), bill, cache, host }
        }
        EventBody::SignalReceived { name, id, payload } => EventBody::SignalReceived { name, id, payload: text(&payload) },
        EventBody::MessageReceived { topic, id, payload } => EventBody::MessageReceived { topic, id, payload: text(&payload) },
        EventBody::OperatorDecision { task, decision: Decision::Supply(value) } => {
            EventBody::OperatorDecision { task, decision: Decision::Supply(text(&value)) }
        }
        EventBody::RunEnded { outcome: RunOutcome::Succeeded(value) } => {
            EventBody::RunEnded { outcome: RunOutcome::Succeeded(text(&value)) }
        }
        other => other,
    }
}

fn text(payload: &Payload) -> Payload {
    match payload {
        Payload::Value(value) => {
            let mut out = String::new();
            catalog::json::write_json(value, &mut out);
            Payload::Text(out.into())
        }
        Payload::Text(text) => Payload::Text(text.clone()),
    }
}

async fn append(journal: &dyn Journal, run: &RunId, events: &[Event]) -> Result<(), String> {
    journal.append(run, events.into()).await.map_err(|error| format!("append: {error}"))
}

/// Without the values, of which it takes a copy.
fn expect_events(journal: &dyn Journal, run: &RunId, expected: &[Event]) -> Result<(), String> {
    let loaded = journal.load(run).map_err(|error| format!("load: {error}"))?;
    let expected = as_loaded(expected);
    match loaded.iter().zip(&expected).find(|(left, right)| !same(left, right)) {
        Some((left, right)) => Err(format!("loaded {left:?} instead of {right:?}")),
        None if loaded.len() != expected.len() => Err(format!("loaded {} events instead of {}", loaded.len(), expected.len())),
        None => Ok(()),
    }
}

/// An adapter in memory may give the values back as they are.
fn same(loaded: &Event, expected: &Event) -> bool {
    as_loaded(std::slice::from_ref(loaded)).first() == Some(expected)
}

async fn expect_error<F>(what: &str, future: F, fits: impl Fn(&JournalError) -> bool) -> Result<(), String>
where
    F: Future<Output = Result<(), JournalError>>,
{
    match future.await {
        Err(error) if fits(&error) => Ok(()),
        other => Err(format!("{what}: {other:?}")),
    }
}

fn run(id: &str) -> RunId {
    RunId(id.into())
}

async fn order(open: Open<'_>) -> Result<(), String> {
    let (journal, run, events) = (open("order"), run("r"), run_of(200));
    // Several appends under way at once are made in the order of the calls, however they are awaited.
    let mut appends: Vec<_> = events.chunks(3).map(|chunk| journal.append(&run, chunk.into())).collect();
    appends.reverse();
    for result in join_all(appends).await {
        result.map_err(|error| error.to_string())?;
    }
    expect_events(&*journal, &run, &events)
}

async fn every_kind(open: Open<'_>) -> Result<(), String> {
    let (journal, run, events) = (open("kinds"), run("r"), one_of_each());
    append(&*journal, &run, &events).await?;
    expect_events(&*journal, &run, &events)?;
    let mut done = run_of(2);
    done.extend(numbered(3, [EventBody::RunEnded { outcome: RunOutcome::Succeeded(Payload::Value(Value::U8(3))) }]));
    append(&*journal, &self::run("done"), &done).await?;
    expect_events(&*journal, &self::run("done"), &done)?;
    let mut cancelled = run_of(1);
    cancelled.extend(numbered(2, [EventBody::RunEnded { outcome: RunOutcome::Cancelled }]));
    append(&*journal, &self::run("cancelled"), &cancelled).await?;
    expect_events(&*journal, &self::run("cancelled"), &cancelled)
}

async fn reload(open: Open<'_>) -> Result<(), String> {
    let (run, events) = (run("r"), run_of(20));
    let journal = open("reload");
    append(&*journal, &run, events.get(..12).unwrap_or_default()).await?;
    drop(journal);
    let journal = open("reload");
    append(&*journal, &run, events.get(12..).unwrap_or_default()).await?;
    expect_events(&*journal, &run, &events)?;
    // What was loaded can be appended elsewhere and is the same again.
    let loaded = journal.load(&run).map_err(|error| error.to_string())?;
    append(&*journal, &self::run("copy"), &loaded).await?;
    expect_events(&*journal, &self::run("copy"), &events)
}

async fn one_at_a_time(open: Open<'_>) -> Result<(), String> {
    let (journal, events) = (open("one-at-a-time"), run_of(30));
    let runs: Vec<RunId> = (0..20).map(|number| run(&format!("r{number}"))).collect();
    // Events of one run that stand together, and those of many that stand between each other.
    append(&*journal, &run("alone"), &events).await?;
    for event in &events {
        for run in &runs {
            append(&*journal, run, std::slice::from_ref(event)).await?;
        }
    }
    for run in runs.iter().chain([&run("alone")]) {
        let mut read = Vec::new();
        let all = journal.read(run, &mut |event| {
            read.push(event);
            true
        });
        all.map_err(|error| format!("read: {error}"))?;
        let loaded = journal.load(run).map_err(|error| format!("load: {error}"))?;
        if read != loaded {
            return Err(format!("read {} events and loaded {} others", read.len(), loaded.len()));
        }
        let mut taken = 0;
        let some = journal.read(run, &mut |event| {
            taken = event.seq;
            taken < 7
        });
        some.map_err(|error| format!("read: {error}"))?;
        if taken != 7 {
            return Err(format!("the reader wanted 7 events and was given {taken}"));
        }
    }
    expect_events(&*journal, &run("r7"), &events)
}

async fn fence(open: Open<'_>) -> Result<(), String> {
    let (run, events) = (run("r"), run_of(5));
    let (first, second) = (open("fence"), open("fence"));
    append(&*first, &run, &events).await?;
    let taken = numbered(6, [EventBody::OwnerChanged { host: "second".into() }]);
    append(&*second, &run, &taken).await?;
    let late = numbered(6, [EventBody::Resumed, EventBody::Resumed]);
    let fenced = |error: &JournalError| *error == JournalError::Fenced { run: run.clone(), seq: 6 };
    expect_error("the former owner appended", first.append(&run, late.into()), fenced).await?;
    let all = [events, taken].concat();
    expect_events(&*first, &run, &all)?;
    expect_events(&*second, &run, &all)
}

async fn fence_of_a_new_run(open: Open<'_>) -> Result<(), String> {
    let (run, events) = (run("r"), run_of(2));
    let (first, second) = (open("new"), open("new"));
    append(&*first, &run, &events).await?;
    let fenced = |error: &JournalError| *error == JournalError::Fenced { run: run.clone(), seq: 1 };
    expect_error("a run was started twice", second.append(&run, events.clone().into()), fenced).await?;
    expect_error("a run was started twice by its owner", first.append(&run, events.clone().into()), fenced).await?;
    expect_events(&*second, &run, &events)
}

async fn all_or_nothing(open: Open<'_>) -> Result<(), String> {
    let (journal, run, events) = (open("all"), run("r"), run_of(5));
    append(&*journal, &run, events.get(..3).unwrap_or_default()).await?;
    // The first of these is already there, the others are new.
    let overlap = events.get(2..).unwrap_or_default();
    expect_error("an overlap was appended", journal.append(&run, overlap.into()), |error| {
        matches!(error, JournalError::Fenced { seq: 3, .. })
    })
    .await?;
    expect_events(&*journal, &run, events.get(..3).unwrap_or_default())?;
    append(&*journal, &run, events.get(3..).unwrap_or_default()).await?;
    append(&*journal, &run, &[]).await?;
    expect_events(&*journal, &run, &events)
}

async fn gap(open: Open<'_>) -> Result<(), String> {
    let (journal, run, events) = (open("gap"), run("r"), run_of(6));
    append(&*journal, &run, events.get(..2).unwrap_or_default()).await?;
    let later = events.get(3..).unwrap_or_default();
    expect_error("a gap was appended", journal.append(&run, later.into()), |error| matches!(error, JournalError::Damaged { .. }))
        .await?;
    expect_events(&*journal, &run, events.get(..2).unwrap_or_default())
}

async fn dropped_future(open: Open<'_>) -> Result<(), String> {
    let (journal, run, events) = (open("dropped"), run("r"), run_of(4));
    let (early, late) = events.split_at(2);
    drop(journal.append(&run, early.into()));
    append(&*journal, &run, late).await?;
    expect_events(&*journal, &run, &events)
}

async fn idle(open: Open<'_>) -> Result<(), String> {
    let (journal, run, events) = (open("idle"), run("r"), run_of(50));
    for event in &events {
        journal.append_idle(&run, std::slice::from_ref(event).into()).await.map_err(|error| error.to_string())?;
    }
    expect_events(&*journal, &run, &events)
}

async fn large_payload(open: Open<'_>) -> Result<(), String> {
    let (journal, run) = (open("large"), run("r"));
    let large = Payload::Value(Value::string("a \"large\" text ✓\n".repeat(100_000)));
    let details = serde_json::Value::from("d".repeat(100_000));
    let attempt = Attempt { task: TaskId(0), number: 1, path: "main/step".into() };
    let failure =
        Failure { kind: FailureKind::Error, message: "large".to_owned(), details: Some(Arc::new(details)), retry_after: None };
    let mut events = run_of(1);
    if let Some(EventBody::RunStarted(started)) = events.first_mut().map(|event| &mut event.body) {
        started.input.push(("text".to_owned(), large.clone()));
    }
    events.extend(numbered(
        2,
        [
            EventBody::AttemptFailed { attempt: attempt.clone(), failure: failure.clone(), bill: Bill::default(), host: None },
            EventBody::AttemptSucceeded { attempt, output: large.clone(), bill: Bill::default(), cache: None, host: None },
            EventBody::RunEnded { outcome: RunOutcome::Succeeded(large) },
        ],
    ));
    append(&*journal, &run, &events).await?;
    expect_events(&*journal, &run, &events)
}

/// One append is whole, however large it is.
async fn large_append(open: Open<'_>) -> Result<(), String> {
    let (journal, run) = (open("large-append"), run("r"));
    let step = |task: u64| EventBody::AttemptSucceeded {
        attempt: Attempt { task: TaskId(task), number: 1, path: format!("main/step[{task}]").into() },
        output: Payload::Value(Value::string(format!("{task} ").repeat(1000))),
        bill: Bill::default(),
        cache: None,
        host: None,
    };
    let events = numbered(1, std::iter::once(started("large")).chain((0..400).map(step)));
    let (early, late) = events.split_at(300);
    append(&*journal, &run, early).await?;
    append(&*journal, &run, late).await?;
    expect_events(&*journal, &run, &events)
}

async fn blobs(open: Open<'_>) -> Result<(), String> {
    let journal = open("blobs");
    for bytes in [&b""[..], b"abc", &vec![0xff; 3_000_000]] {
        let digest = journal.put_blob(bytes).map_err(|error| error.to_string())?;
        let again = journal.put_blob(bytes).map_err(|error| error.to_string())?;
        if digest != again {
            return Err("the same bytes have two digests".to_owned());
        }
        let loaded = open("blobs").blob(digest).map_err(|error| error.to_string())?;
        if loaded != bytes {
            return Err(format!("{} bytes came back as {}", bytes.len(), loaded.len()));
        }
    }
    let abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    match journal.put_blob(b"abc") {
        Ok(digest) if digest.to_string() == abc => Ok(()),
        other => Err(format!("the digest is not the sha256: {other:?}")),
    }
}

async fn cache(open: Open<'_>) -> Result<(), String> {
    let journal = open("cache");
    let (key, other) = (Digest([7; 32]), Digest([8; 32]));
    let put = |payload: &str, at| {
        let kept = journal.put_cached(key, payload, Timestamp(at));
        // What is queued after it is written after it.
        kept.and_then(|()| journal.put_blob(payload.as_bytes())).map_err(|error| error.to_string())
    };
    put("1", 10)?;
    put("[2]", 20)?;
    put("3", 15)?;
    let found = |key| open("cache").cached(key).map_err(|error| error.to_string());
    match (found(key)?, found(other)?) {
        (Some(Cached { payload, at: Timestamp(20) }), None) if payload == "[2]" => Ok(()),
        other => Err(format!("the cache does not hold the latest result: {other:?}")),
    }
}

async fn unknown(open: Open<'_>) -> Result<(), String> {
    let journal = open("unknown");
    match journal.load(&run("nobody")) {
        Err(JournalError::NoSuchRun(id)) if id == "nobody" => {}
        other => return Err(format!("a run that is not there: {other:?}")),
    }
    match journal.blob(Digest([9; 32])) {
        Err(JournalError::NoSuchBlob(_)) => Ok(()),
        other => Err(format!("a blob that is not there: {other:?}")),
    }
}

async fn many_runs(open: Open<'_>) -> Result<(), String> {
    let journal = open("many");
    let events = run_of(25);
    let one = |number: u32| {
        let (journal, events) = (&journal, &events);
        async move {
            let run = run(&format!("run-{number}"));
            for chunk in events.chunks(1 + number as usize % 4) {
                append(&**journal, &run, chunk).await?;
            }
            expect_events(&**journal, &run, events)
        }
    };
    join_all((0..100).map(one)).await.into_iter().collect()
}
