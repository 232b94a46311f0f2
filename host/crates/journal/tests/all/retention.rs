//! What is deleted, what is kept, and that those who write meanwhile lose nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use catalog::{FailureKind, Value};
use engine::event::{Attempt, Bill, Event, EventBody, Failure, Payload, RunId, RunOutcome, TaskId, Timestamp};
use engine::ports::Journal;
use journal::conformance::one_of_each;
use journal::retention::{Janitor, Pace, Retention};
use journal::stats::StatsFilter;
use journal::{Options, Reader, RunFilter, SqliteJournal};
use rusqlite::Connection;

const DAY: u64 = 86_400_000;

struct Site {
    folder: tempfile::TempDir,
    journal: Arc<SqliteJournal>,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = Arc::new(SqliteJournal::open(&folder.path().join("store.db"), &Options::default()).unwrap());
        Self { folder, journal }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store.db")
    }

    fn reader(&self) -> Reader {
        Reader::open(&self.path(), Duration::from_secs(1)).unwrap()
    }

    fn janitor(&self) -> Janitor {
        Janitor::open(&self.path(), Pace::Fast).unwrap()
    }

    fn runs(&self) -> String {
        let filter = RunFilter { reverse: true, ..RunFilter::default() };
        let ids: Vec<String> = self.reader().runs(&filter).unwrap().iter().map(|run| run.id.to_string()).collect();
        ids.join(" ")
    }

    fn count(&self, table: &str) -> i64 {
        Connection::open(self.path()).unwrap().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }
}

fn step(seq: u64, at: u64, output: &str) -> Event {
    let attempt = Attempt { task: TaskId(seq), number: 1, path: format!("main/step[{seq}]").into() };
    let output = Payload::Value(Value::string(output));
    Event {
        seq,
        at: Timestamp(at),
        body: EventBody::AttemptSucceeded { attempt, output, bill: Bill::default(), cache: None, host: None },
    }
}

/// A run that was started on this day, with as many steps, and an end if it has one: `s`, `f` or `c`.
async fn add(site: &Site, id: &str, flow: &str, day: u64, steps: u64, end: char, labels: &[(&str, &str)]) {
    let at = day * DAY;
    let mut first = one_of_each().remove(0);
    first.at = Timestamp(at);
    if let EventBody::RunStarted(started) = &mut first.body {
        started.flow = flow.to_owned();
        started.program = site.journal.put_blob(format!("{{\"v\":1,\"of\":\"{id}\"}}").as_bytes()).unwrap();
        started.labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    }
    let failure = Failure { kind: FailureKind::Error, message: "x".into(), details: None, retry_after: None };
    let outcome = match end {
        's' => Some(RunOutcome::Succeeded(Payload::Value(Value::Unit))),
        'f' => Some(RunOutcome::Failed { failure, path: "main".into() }),
        'c' => Some(RunOutcome::Cancelled),
        _ => None,
    };
    let mut events = vec![first];
    events.extend((2..steps + 2).map(|seq| step(seq, at, &format!("{id} {seq}"))));
    let end = |outcome| Event { seq: steps + 2, at: Timestamp(at), body: EventBody::RunEnded { outcome } };
    events.extend(outcome.map(end));
    site.journal.append(&RunId(id.into()), events.into()).await.unwrap();
}

fn days(days: u64) -> Option<Duration> {
    Some(Duration::from_millis(days * DAY))
}

fn expired(site: &Site, retention: &Retention, day: u64) -> String {
    let found = site.reader().expired(retention, Timestamp(day * DAY)).unwrap();
    found.iter().map(|run| format!("{}:{}", run.run, run.because.name())).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn runs_go_by_age_number_and_labels_and_live_ones_never() {
    let site = Site::new();
    add(&site, "a", "x", 1, 1, 's', &[]).await;
    add(&site, "b", "x", 2, 1, 'f', &[("keep", "yes")]).await;
    add(&site, "c", "y", 3, 1, 'c', &[]).await;
    add(&site, "d", "x", 4, 1, '-', &[]).await;
    add(&site, "e", "x", 5, 1, 's', &[("env", "prod")]).await;
    let none = Retention::default();
    assert_eq!(expired(&site, &none, 1000), "");
    let by_age = Retention { succeeded: days(2), failed: days(3), cancelled: days(10), ..none.clone() };
    assert_eq!(expired(&site, &by_age, 6), "a:age b:age");
    assert_eq!(expired(&site, &by_age, 100), "a:age b:age c:age e:age");
    let label = |key: &str, value: Option<&str>| vec![(key.to_owned(), value.map(str::to_owned))];
    assert_eq!(expired(&site, &Retention { keep_labels: label("keep", None), ..by_age }, 100), "a:age c:age e:age");
    assert_eq!(expired(&site, &Retention { keep_labels: label("env", Some("test")), ..by_age }, 6), "a:age b:age");
    assert_eq!(expired(&site, &Retention { keep_last: 1, ..by_age.clone() }, 100), "a:age b:age");
    assert_eq!(expired(&site, &Retention { keep_last: 2, ..by_age }, 100), "a:age");
    assert_eq!(expired(&site, &Retention { most_runs: Some(2), ..none.clone() }, 6), "a:count b:count");
    assert_eq!(expired(&site, &Retention { most_runs: Some(2), keep_labels: label("keep", None), ..none }, 6), "a:count c:count");
    assert_eq!(expired(&site, &Retention { most_runs: Some(0), ..none }, 6), "a:count b:count c:count e:count");
}

#[tokio::test]
async fn the_oldest_go_until_the_store_is_small_enough() {
    let site = Site::new();
    for n in 0..20 {
        add(&site, &format!("r{n:02}"), "x", n, 200, 's', &[]).await;
    }
    let space = site.reader().space().unwrap();
    let half = Retention { most_bytes: Some((space.file - space.free) / 2), ..Retention::default() };
    let found = site.reader().expired(&half, Timestamp(100 * DAY)).unwrap();
    assert!((8..=12).contains(&found.len()), "{}", found.len());
    assert_eq!(&*found[0].run.0, "r00");
    let mut janitor = site.janitor();
    for run in &found {
        assert!(janitor.delete(&run.run).unwrap());
    }
    let after = janitor.give_back().unwrap();
    assert!(after.file < space.file * 7 / 10 && after.free == 0, "{space:?} {after:?}");
    let left = expired(&site, &half, 100);
    assert!(left.split(' ').count() <= 1, "what is left fits, to about a run: {left}");
    assert!(site.reader().verify().unwrap().is_sound());
    let size = std::fs::metadata(site.path()).unwrap().len();
    assert!(size <= after.file, "{size} {after:?}");
}

#[tokio::test]
async fn a_deleted_run_leaves_nothing_and_numbers_are_not_confused() {
    let site = Site::new();
    add(&site, "old", "x", 1, 3_000, 's', &[]).await;
    add(&site, "live", "x", 1, 10, '-', &[]).await;
    add(&site, "last", "x", 2, 5_000, 's', &[]).await;
    let before = site.reader().stats(&StatsFilter::default()).unwrap();
    assert!(!site.janitor().delete(&RunId("live".into())).unwrap(), "it has not ended");
    assert!(!site.janitor().delete(&RunId("none".into())).unwrap());
    // A deletion that is interrupted: off the list, most events still there.
    let cut = "INSERT INTO purge SELECT no, event FROM runs JOIN heads ON heads.run = no WHERE id = 'last';
               DELETE FROM heads WHERE run = (SELECT no FROM runs WHERE id = 'last'); DELETE FROM runs WHERE id = 'last'";
    Connection::open(site.path()).unwrap().execute_batch(cut).unwrap();
    assert_eq!(site.runs(), "old live");
    assert!(site.reader().verify().unwrap().is_sound(), "what is being deleted is not lost");
    add(&site, "new", "x", 3, 20, 's', &[]).await;
    assert_eq!(site.journal.load(&RunId("new".into())).unwrap().len(), 22);
    let mut janitor = site.janitor();
    assert!(janitor.delete(&RunId("old".into())).unwrap());
    assert_eq!((site.runs().as_str(), site.count("events"), site.count("purge"), site.count("heads")), ("live new", 33, 0, 2));
    assert!(site.reader().verify().unwrap().is_sound());
    // The live run goes on, and what was counted stays.
    site.journal.append(&RunId("live".into()), Arc::from([step(12, 9, "more")])).await.unwrap();
    let after = site.reader().stats(&StatsFilter::default()).unwrap();
    let attempts = |stats: &journal::stats::Stats| stats.flows["x"].attempts.attempts();
    assert_eq!((attempts(&before), attempts(&after)), (8_010, 8_031));
    assert_eq!((before.flows["x"].runs(), after.flows["x"].runs()), (3, 2));
}

/// The numbers of the last events are given again after they were deleted: what gets them counts all the same.
#[tokio::test]
async fn events_with_a_number_that_was_used_before_are_counted() {
    let site = Site::new();
    add(&site, "a", "x", 1, 5, 's', &[]).await;
    add(&site, "b", "x", 1, 50, 's', &[]).await;
    assert_eq!(site.reader().stats(&StatsFilter::default()).unwrap().flows["x"].attempts.attempts(), 55);
    assert!(site.janitor().delete(&RunId("b".into())).unwrap());
    add(&site, "c", "x", 1, 20, 's', &[]).await;
    assert_eq!(site.reader().stats(&StatsFilter::default()).unwrap().flows["x"].attempts.attempts(), 75);
    assert!(site.reader().verify().unwrap().is_sound());
}

fn age(path: &Path, table: &str) {
    Connection::open(path).unwrap().execute_batch(&format!("UPDATE {table} SET at = 1000")).unwrap();
}

#[tokio::test]
async fn blobs_that_nothing_names_go_after_their_grace() {
    let site = Site::new();
    add(&site, "kept", "x", 1, 1, 's', &[]).await;
    add(&site, "gone", "x", 1, 1, 's', &[]).await;
    let large = step(4, 9, &"x".repeat(20_000));
    add(&site, "live", "x", 1, 2, '-', &[]).await;
    site.journal.append(&RunId("live".into()), Arc::from([large])).await.unwrap();
    let component = site.journal.put_blob(b"a component").unwrap();
    let name = component.to_string();
    let program = format!("{{\"v\":1,\"digest\":\"{}\"}}", name.trim_start_matches("sha256:"));
    let program = site.journal.put_blob(program.as_bytes()).unwrap();
    Connection::open(site.path())
        .unwrap()
        .execute("UPDATE runs SET program = ?1 WHERE id = 'live'", [program.to_string()])
        .unwrap();
    let loose = site.journal.put_blob(b"nobody names this").unwrap();
    let blobs = site.count("blobs");
    let mut janitor = site.janitor();
    assert!(janitor.delete(&RunId("gone".into())).unwrap());
    let retention = Retention { grace: Duration::from_secs(3 * 3600), ..Retention::default() };
    let now = Timestamp(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64);
    assert_eq!(janitor.sweep(&retention, now).unwrap().blobs, 0, "all are young");
    age(&site.path(), "blobs");
    // Needed again just now: young again.
    site.journal.put_blob(b"nobody names this").unwrap();
    // Only the program of `gone`: that of `live` is named by its events, the other one and its component by the list.
    assert_eq!(site.reader().sweepable(&retention, now).unwrap().blobs, 1);
    let swept = janitor.sweep(&retention, now).unwrap();
    assert_eq!((swept.blobs, site.count("blobs")), (1, blobs - 1));
    assert_eq!(site.journal.blob(component).unwrap(), b"a component");
    assert_eq!(site.journal.blob(loose).unwrap(), b"nobody names this");
    age(&site.path(), "blobs");
    assert_eq!(janitor.sweep(&retention, now).unwrap().blobs, 1);
    assert!(site.journal.blob(loose).is_err());
    assert!(site.reader().verify().unwrap().is_sound());
    assert_eq!(site.journal.load(&RunId("live".into())).unwrap().len(), 4);
}

/// A payload's blob is written with its event or not at all: there is no moment between the two at which a host could die.
#[tokio::test]
async fn a_refused_append_leaves_no_blob() {
    let site = Site::new();
    add(&site, "live", "x", 1, 2, '-', &[]).await;
    let (run, blobs) = (RunId("live".into()), site.count("blobs"));
    let large = "y".repeat(20_000);
    // The second event does not follow the first one.
    let torn = Arc::from([step(4, 9, &large), step(7, 10, "z")]);
    assert!(site.journal.append(&run, torn).await.is_err());
    let early = Arc::from([step(9, 9, &large)]);
    assert!(site.journal.append(&run, early).await.is_err());
    assert_eq!((site.count("blobs"), site.journal.load(&run).unwrap().len()), (blobs, 3));
    site.journal.append(&run, Arc::from([step(4, 9, &large)])).await.unwrap();
    assert_eq!((site.count("blobs"), site.journal.load(&run).unwrap().len()), (blobs + 1, 4));
}

#[tokio::test]
async fn results_in_the_cache_go_by_age_and_size() {
    let site = Site::new();
    for n in 0..10_u8 {
        let at = Timestamp(u64::from(n) * DAY);
        site.journal.put_cached(catalog::Digest([n; 32]), &"x".repeat(100), at).unwrap();
    }
    // The queue is written in order.
    site.journal.put_blob(b"after them").unwrap();
    let mut janitor = site.janitor();
    let mut sweep = |retention: Retention| janitor.sweep(&retention, Timestamp(10 * DAY)).unwrap().cached;
    assert_eq!(sweep(Retention::default()), 0);
    assert_eq!(sweep(Retention { cache_age: days(7), ..Retention::default() }), 3);
    assert_eq!(sweep(Retention { cache_bytes: Some(350), ..Retention::default() }), 4);
    assert!(site.journal.cached(catalog::Digest([9; 32])).unwrap().is_some());
    assert!(site.journal.cached(catalog::Digest([6; 32])).unwrap().is_none());
}

/// Runs are written all the time while others are deleted and space is given back: nothing of them is lost.
#[tokio::test(flavor = "multi_thread")]
async fn those_who_write_meanwhile_lose_nothing() {
    let site = Arc::new(Site::new());
    for n in 0..30 {
        add(&site, &format!("old{n}"), "old", 1, 100, 's', &[]).await;
    }
    let writing = Arc::clone(&site);
    let writer = tokio::spawn(async move {
        for n in 0..60 {
            add(&writing, &format!("new{n}"), "new", 5, 30, 's', &[]).await;
        }
    });
    let cleaning = Arc::clone(&site);
    let cleaner = tokio::task::spawn_blocking(move || {
        let mut janitor = cleaning.janitor();
        assert!(Janitor::open(&cleaning.path(), Pace::Fast).unwrap_err().to_string().contains("another process cleans up"));
        for n in 0..30 {
            assert!(janitor.delete(&RunId(format!("old{n}").into())).unwrap());
            janitor.sweep(&Retention::default(), Timestamp(10 * DAY)).unwrap();
            janitor.give_back().unwrap();
        }
    });
    writer.await.unwrap();
    cleaner.await.unwrap();
    let found = site.reader().verify().unwrap();
    assert!(found.is_sound() && found.runs == 60, "{found:?}");
    for n in 0..60 {
        assert_eq!(site.journal.load(&RunId(format!("new{n}").into())).unwrap().len(), 32);
    }
}

#[tokio::test]
async fn an_old_store_is_cleaned_up_and_made_smaller_when_asked() {
    let site = Site::new();
    add(&site, "a", "x", 1, 2_000, 's', &[]).await;
    add(&site, "b", "x", 1, 10, 's', &[]).await;
    let path = site.path();
    let Site { folder: _folder, journal } = site;
    drop(journal);
    // As a version before this one made it.
    Connection::open(&path).unwrap().execute_batch("PRAGMA journal_mode = DELETE; PRAGMA auto_vacuum = NONE; VACUUM").unwrap();
    let mut janitor = Janitor::open(&path, Pace::Gentle).unwrap();
    assert!(janitor.delete(&RunId("a".into())).unwrap());
    let kept = janitor.give_back().unwrap();
    assert!(kept.free > kept.file / 2, "{kept:?}");
    let compact = janitor.compact().unwrap();
    assert!(compact.free == 0 && compact.file < kept.file / 2, "{compact:?}");
    assert!(Reader::open(&path, Duration::from_secs(1)).unwrap().verify().unwrap().is_sound());
}
