//! Journals of every released format, as SQL text, must open, verify and decode to the expected events for ever.
//!
//! `tests/golden/<version>/schema.sql` is what that version adds to the tables of those before, `<name>.sql` fills them, and
//! `<name>.events.txt` is what that decodes to. Each is written once, by the version that it is named after (`BLESS=1` writes rows that are
//! not there), and never again; a version that writes rows as the one before has its tables only.
//! What else stands beside `run.sql` is for `replay`.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use catalog::{Digest, FailureKind, Value};
use engine::event::{
    Attempt, Bill, CacheNote, Change, Event, EventBody, Failure, Migrated, Origin, Payload, Posting, Reusable, RunId, RunOutcome,
    Settings, TaskId, Timestamp, Trace, Version, Within,
};
use engine::ports::Journal;
use journal::conformance::{escalated, one_of_each};
use journal::{FORMAT_VERSION, Options, Reader, RunFilter, SqliteJournal, wire};
use rusqlite::Connection;
use testkit::cases::entries;

/// Runs by id.
type Runs = Vec<(&'static str, Vec<Event>)>;

pub(crate) fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The journals that each version is frozen with.
pub(crate) fn journals() -> Vec<(&'static str, Runs)> {
    let all = one_of_each();
    let unfinished = all.iter().take(10).cloned().collect();
    vec![
        ("kinds", vec![("all", all), ("unfinished", unfinished), ("cached", cached())]),
        ("blobs", vec![("large", large())]),
        ("versions", versions()),
        ("changes", vec![("changed", changed())]),
        ("recovery", vec![("escalated", escalated())]),
        ("taken", vec![("one", taken())]),
        ("posted", vec![("few", posted(2)), ("many", posted(300))]),
        ("planned", vec![("bounded", planned(true)), ("unbounded", planned(false))]),
        ("elsewhere", vec![("spread", spread())]),
    ]
}

fn large() -> Vec<Event> {
    let output = Payload::Value(Value::string("0123456789abcdef".repeat(1025)));
    let attempt = Attempt { task: TaskId(0), number: 1, path: "main/step".into() };
    let mut events: Vec<_> = one_of_each().into_iter().take(1).collect();
    let bodies = [
        EventBody::AttemptSucceeded { attempt, output: output.clone(), bill: Bill::default(), cache: None, host: None },
        EventBody::RunEnded { outcome: RunOutcome::Succeeded(output) },
    ];
    events.extend((2..).zip(bodies).map(|(seq, body)| Event { seq, at: Timestamp(1_700_000_000_000 + seq), body }));
    events
}

/// An attempt that has sent messages.
fn posted(count: u32) -> Vec<Event> {
    let mut events: Vec<_> = one_of_each().into_iter().take(1).collect();
    let attempt = Attempt { task: TaskId(0), number: 1, path: "main/step".into() };
    let message = |n| Posting { topic: "orders.\"new\"".into(), payload: format!("{{\"id\":{n},\"item\":\"\u{e4}\"}}").into() };
    let sent = |n: u32| Attempt { task: TaskId(u64::from(n) + 1), number: 1, path: format!("main/step.mail[{n}]").into() };
    let (output, bill) = (Payload::Value(Value::Unit), Bill::default());
    let bodies = [
        EventBody::Posted { attempt: attempt.clone(), messages: (0..count).map(message).collect() },
        EventBody::AttemptSucceeded { attempt, output, bill, cache: None, host: None },
        EventBody::MessageSent { attempt: sent(0) },
        EventBody::MessageSent { attempt: sent(1) },
    ];
    events.extend((2..).zip(bodies).map(|(seq, body)| Event { seq, at: Timestamp(1_700_000_000_000 + seq), body }));
    events
}

/// An attempt that has taken a message.
fn taken() -> Vec<Event> {
    let mut events: Vec<_> = one_of_each().into_iter().take(1).collect();
    let attempt = Attempt { task: TaskId(0), number: 1, path: "main/step".into() };
    let body = EventBody::Taken { attempt, topic: "orders.\"new\"".into() };
    events.push(Event { seq: 2, at: Timestamp(1_700_000_000_002), body });
    events
}

/// The run of a plan, and a step of it that ran a plan itself.
fn planned(bounded: bool) -> Vec<Event> {
    let mut events: Vec<_> = one_of_each().into_iter().take(1).collect();
    let within = if bounded {
        let bound = |n: u64| Some(n * 1_000);
        Within {
            depth: 2,
            steps: bound(1),
            fuel: bound(2),
            time: bound(3),
            deadline: bound(4),
            attempt_memory: bound(5),
            attempt_fuel: bound(6),
        }
    } else {
        Within { depth: 1, ..Within::default() }
    };
    if let Some(EventBody::RunStarted(started)) = events.first_mut().map(|event| &mut event.body) {
        started.within = Some(Box::new(within));
    }
    let attempt = Attempt { task: TaskId(0), number: 1, path: "main/plan".into() };
    let bill = Bill { fuel: 5, attempts: 7, ..Bill::default() };
    let output = Payload::Text(r#"{"done":true}"#.into());
    let body = EventBody::AttemptSucceeded { attempt, output, bill, cache: None, host: None };
    events.push(Event { seq: 2, at: Timestamp(1_700_000_000_002), body });
    events
}

/// A run in somebody's trace, and each way in which an attempt ends that another host ran.
fn spread() -> Vec<Event> {
    let mut events: Vec<_> = one_of_each().into_iter().take(1).collect();
    if let Some(EventBody::RunStarted(started)) = events.first_mut().map(|event| &mut event.body) {
        started.trace = Trace::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    }
    let attempt = |task| Attempt { task: TaskId(task), number: 1, path: format!("main/step[{task}]").into() };
    let host = || Some(Arc::from("host-2 \"b\"/17-00ab3f"));
    let failure = Failure { kind: FailureKind::Network, message: "no route".to_owned(), details: None, retry_after: None };
    let (output, cache) = (Payload::Value(Value::Unit), Some(CacheNote::NoEntry));
    let bodies = [
        EventBody::AttemptSucceeded { attempt: attempt(0), output, bill: Bill::default(), cache, host: host() },
        EventBody::AttemptFailed { attempt: attempt(1), failure, bill: Bill::default(), host: host() },
        EventBody::AttemptCancelled { attempt: attempt(2), host: host() },
        EventBody::OutcomeUnknown { attempt: attempt(3), host: host() },
    ];
    events.extend((2..).zip(bodies).map(|(seq, body)| Event { seq, at: Timestamp(1_700_000_000_000 + seq), body }));
    events
}

/// Each thing that the cache may have said.
fn cached() -> Vec<Event> {
    let mut events: Vec<_> = one_of_each().into_iter().take(1).collect();
    for (task, note) in [CacheNote::Hit, CacheNote::NoEntry, CacheNote::Expired].into_iter().enumerate() {
        let task = task as u64;
        let attempt = Attempt { task: TaskId(task), number: 1, path: format!("main/step[{task}]").into() };
        let output = Payload::Value(Value::U64(task));
        let body = EventBody::AttemptSucceeded { attempt, output, bill: Bill::default(), cache: Some(note), host: None };
        events.push(Event { seq: task + 2, at: Timestamp(1_700_000_000_002 + task), body });
    }
    events
}

/// A run that takes over results, one of them large, and goes on with another program.
fn versions() -> Runs {
    let mut events: Vec<_> = one_of_each().into_iter().take(1).collect();
    let text = "0123456789abcdef".repeat(1025);
    if let Some(Event { body: EventBody::RunStarted(started), .. }) = events.first_mut() {
        let result =
            |path: &str, output: Value| Reusable { path: path.into(), key: Digest([9; 32]), output: Payload::Value(output) };
        started.origin = Some(Box::new(Origin {
            run: RunId("before".into()),
            from: vec!["main/step".to_owned(), "main/\"b\"[3]".to_owned()],
            repeats: true,
            results: vec![result("main/a", Value::U64(1)), result("main/large", Value::string(text.as_str()))],
        }));
    }
    let attempt = Attempt { task: TaskId(0), number: 1, path: "main/large".into() };
    let output = Payload::Value(Value::string(text));
    let version = |n| Version { plan: Digest([n; 32]), program: Digest([n + 1; 32]) };
    let bodies = [
        EventBody::AttemptSucceeded { attempt, output, bill: Bill::default(), cache: Some(CacheNote::Reused), host: None },
        EventBody::Migrated(Box::new(Migrated { from: version(1), to: version(3) })),
    ];
    events.extend((2..).zip(bodies).map(|(seq, body)| Event { seq, at: Timestamp(1_700_000_000_000 + seq), body }));
    vec![("retried", events)]
}

/// Each thing that an operator may change.
fn changed() -> Vec<Event> {
    let mut events: Vec<_> = one_of_each().into_iter().take(1).collect();
    let all = Settings {
        retry: Some(3),
        backoff: Some(1),
        timeout: Some(2),
        deadline: Some(u64::MAX),
        priority: Some(-7),
        class: Some("a \"class\"".into()),
        memory: Some(4),
        fuel: Some(5),
    };
    let path = || Arc::from("main/step[3]/kit.work");
    let changes = [
        Change::Policy { path: path(), settings: all },
        Change::Policy { path: path(), settings: Settings { fuel: Some(1), ..Settings::default() } },
        Change::Result { path: path(), output: Payload::Value(Value::Unit) },
        Change::Input { name: "count".to_owned(), value: Payload::Value(Value::U64(4)) },
    ];
    let attempt = Attempt { task: TaskId(0), number: 1, path: path() };
    let (output, cache) = (Payload::Value(Value::Unit), Some(CacheNote::Supplied));
    let bodies = changes.map(|change| EventBody::Changed(Box::new(change)));
    let bodies =
        bodies.into_iter().chain([EventBody::AttemptSucceeded { attempt, output, bill: Bill::default(), cache, host: None }]);
    events.extend((2..).zip(bodies).map(|(seq, body)| Event { seq, at: Timestamp(1_700_000_000_000 + seq), body }));
    events
}

/// What makes the tables of a store.
fn schema(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    let mut sql =
        format!("PRAGMA application_id = {};\nPRAGMA user_version = {};\n", pragma("application_id"), pragma("user_version"));
    let mut tables = connection
        .prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY rowid")
        .unwrap();
    for statement in tables.query_map([], |row| row.get::<_, String>(0)).unwrap() {
        writeln!(sql, "{};", statement.unwrap()).unwrap();
    }
    sql
}

/// What fills them.
pub(crate) fn dump(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let mut sql = String::new();
    for table in ["runs", "events", "heads", "blobs", "cache", "escalations", "outbox"] {
        let columns: Vec<String> = connection
            .prepare(&format!("SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')"))
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        // When a blob was written is not part of what is compared.
        let values = columns.join(" || ', ' || ").replace("quote(at)", if table == "blobs" { "'0'" } else { "quote(at)" });
        let order = if table == "escalations" { "run, task" } else { "rowid" };
        let mut rows = connection.prepare(&format!("SELECT {values} FROM {table} ORDER BY {order}")).unwrap();
        for row in rows.query_map([], |row| row.get::<_, String>(0)).unwrap() {
            writeln!(sql, "INSERT INTO {table} VALUES ({});", row.unwrap()).unwrap();
        }
    }
    sql
}

/// Every run with its row and its events, written again from what they decoded to.
fn render(journal: &SqliteJournal) -> String {
    let mut text = String::new();
    let mut runs = journal.reader().runs(&RunFilter::default()).unwrap();
    runs.reverse();
    for run in runs {
        let failure = (run.failure_kind.as_deref().unwrap_or("-"), run.failure_path.as_deref().unwrap_or("-"));
        let (ended, updated) = (run.ended.map_or(0, |at| at.0), run.updated.0);
        writeln!(text, "run {} {} {} {} {} {}", run.id, run.flow, run.status, run.owner, run.plan, run.program).unwrap();
        writeln!(
            text,
            "  {} {updated} {ended} {} {} {:?} {failure:?}",
            run.created.0,
            run.last_seq,
            serde_json::Value::from(run.labels),
            run.reason
        )
        .unwrap();
        for event in journal.load(&run.id).unwrap() {
            let stored = wire::encode(&event);
            writeln!(text, "{} {} {} {} {}", stored.seq, stored.at, stored.kind, stored.path, stored.body).unwrap();
        }
    }
    text
}

async fn write(folder: &Path, name: &str, runs: &Runs) {
    let path = folder.join(name);
    let journal = SqliteJournal::open(&path, &Options::default()).unwrap();
    for (id, events) in runs {
        journal.append(&RunId((*id).into()), Arc::from(events.as_slice())).await.unwrap();
    }
    drop(journal);
}

#[tokio::test]
async fn todays_format_is_the_frozen_one() {
    let folder = tempfile::tempdir().unwrap();
    for (name, runs) in journals() {
        write(folder.path(), name, &runs).await;
        let path = folder.path().join(name);
        is_frozen(name, &dump(&path));
    }
}

#[tokio::test]
async fn todays_tables_are_those_of_the_frozen_versions() {
    let folder = tempfile::tempdir().unwrap();
    let (now, frozen) = (folder.path().join("now"), folder.path().join("frozen"));
    drop(SqliteJournal::open(&now, &Options::default()).unwrap());
    restore_tables(&Connection::open(&frozen).unwrap(), FORMAT_VERSION);
    assert_eq!(
        schema(&now),
        schema(&frozen),
        "other tables are a new version of the format: write what it adds in its `schema.sql`"
    );
}

fn is_frozen(name: &str, now: &str) {
    let file = format!("{name}.sql");
    let of_version = |version: i32| golden().join(format!("v{version}")).join(&file);
    let own = of_version(FORMAT_VERSION);
    let frozen = (1..=FORMAT_VERSION).rev().find_map(|version| std::fs::read_to_string(of_version(version)).ok());
    if std::env::var_os("BLESS").is_some() && !own.exists() && frozen.as_deref() != Some(now) {
        std::fs::create_dir_all(own.parent().unwrap()).unwrap();
        return std::fs::write(&own, now).unwrap();
    }
    assert_eq!(Some(now), frozen.as_deref(), "`{name}` is written differently; that is a new version of the format");
}

#[test]
fn every_golden_journal_opens_verifies_and_decodes() {
    let folder = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for version in entries(&golden()) {
        let folder = folder.path().join(version.file_name().unwrap());
        std::fs::create_dir(&folder).unwrap();
        for file in entries(&version) {
            if file.ends_with("schema.sql") {
                continue;
            }
            if file.extension().is_some_and(|extension| extension == "sql") {
                check(&file, &folder);
                names.push(file.file_stem().unwrap().to_str().unwrap().to_owned());
            } else {
                let (name, kind) = file.file_name().unwrap().to_str().unwrap().split_once('.').unwrap();
                let known: &[_] = if name == "run" { &["events.txt", "commands.txt", "flow", "wit"] } else { &["events.txt"] };
                let sql = file.with_file_name(format!("{name}.sql"));
                assert!(sql.exists() && known.contains(&kind), "{} belongs to no journal", file.display());
            }
        }
    }
    names.sort();
    let expected = [
        "blobs",
        "blobs",
        "blobs",
        "blobs",
        "changes",
        "elsewhere",
        "kinds",
        "kinds",
        "kinds",
        "kinds",
        "planned",
        "posted",
        "recovery",
        "run",
        "run",
        "taken",
        "versions",
        "versions",
    ];
    assert_eq!(names, expected);
}

#[test]
fn every_kind_of_event_is_in_a_golden_journal() {
    let folder = tempfile::tempdir().unwrap();
    let mut missing: BTreeSet<&str> = wire::kind::ALL.iter().copied().collect();
    for version in entries(&golden()) {
        let filled =
            |file: &&PathBuf| file.extension().is_some_and(|extension| extension == "sql") && !file.ends_with("schema.sql");
        for sql in entries(&version).iter().filter(filled) {
            let name = format!("{}-{}", version.file_name().unwrap().display(), sql.file_stem().unwrap().display());
            let path = folder.path().join(name);
            restore(sql, &path);
            let reader = Reader::open(&path, std::time::Duration::from_secs(1)).unwrap();
            for run in reader.runs(&RunFilter::default()).unwrap() {
                reader.each_event(&run.id, 0, |event| _ = missing.remove(event.kind.as_str())).unwrap();
            }
        }
    }
    assert!(missing.is_empty(), "no golden journal has an event of these kinds: {missing:?}");
}

#[tokio::test]
async fn an_older_store_gets_what_it_lacks_when_it_is_opened_for_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old");
    restore(&golden().join("v1/kinds.sql"), &path);
    let before = Reader::open(&path, std::time::Duration::from_secs(1)).unwrap().runs(&RunFilter::default()).unwrap();
    let journal = SqliteJournal::open(&path, &Options::default()).unwrap();
    let key = Digest([7; 32]);
    assert_eq!(journal.cached(key).unwrap(), None);
    journal.put_cached(key, "1", Timestamp(5)).unwrap();
    journal.put_blob(b"written after it").unwrap();
    assert_eq!(journal.cached(key).unwrap().unwrap().payload, "1");
    assert_eq!(journal.reader().runs(&RunFilter::default()).unwrap().len(), before.len());
    drop(journal);
    let version = Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0));
    assert_eq!(version.unwrap(), FORMAT_VERSION);
}

/// Makes a store out of its dump, with the tables of that version.
pub(crate) fn restore(sql: &Path, path: &Path) {
    let connection = Connection::open(path).unwrap();
    let version = sql.parent().unwrap().file_name().unwrap().to_str().unwrap();
    restore_tables(&connection, version.trim_start_matches('v').parse().unwrap());
    connection.execute_batch(&std::fs::read_to_string(sql).unwrap()).unwrap();
}

/// Makes the tables of a version: what each version up to it has added.
fn restore_tables(connection: &Connection, version: i32) {
    for added in 1..=version {
        let schema = golden().join(format!("v{added}/schema.sql"));
        connection.execute_batch(&std::fs::read_to_string(schema).unwrap()).unwrap();
    }
}

fn check(file: &Path, folder: &Path) {
    let version = file.parent().unwrap().file_name().unwrap();
    let path = folder.join(version).with_extension(file.file_stem().unwrap());
    restore(file, &path);
    let rendered = render(&SqliteJournal::open(&path, &Options::default()).unwrap());
    let expected = file.with_extension("events.txt");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&expected, &rendered).unwrap();
    }
    assert_eq!(rendered, std::fs::read_to_string(expected).unwrap(), "{}", file.display());
}
