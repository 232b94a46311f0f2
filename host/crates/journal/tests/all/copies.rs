//! Backups, bundles and archives: whole or not there; and what a check of a store finds.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use catalog::Value;
use engine::event::{Attempt, Bill, Event, EventBody, Payload, RunId, RunOutcome, TaskId, Timestamp};
use engine::ports::Journal;
use journal::conformance::one_of_each;
use journal::{Options, Reader, RunFilter, SqliteJournal, Stop, backup, export, import, restore};
use rusqlite::Connection;

struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn files(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            // Whoever reads a store makes these.
            .filter(|name| !name.starts_with("store.db-"))
            .collect();
        names.sort();
        names
    }
}

fn options() -> Options {
    Options { lock_timeout: Duration::from_millis(200), ..Options::default() }
}

fn open(path: &Path) -> SqliteJournal {
    SqliteJournal::open(path, &options()).unwrap()
}

fn reader(path: &Path) -> Reader {
    Reader::open(path, Duration::from_secs(1)).unwrap()
}

fn run(id: &str) -> RunId {
    RunId(id.into())
}

fn step(seq: u64, output: &str) -> Event {
    let attempt = Attempt { task: TaskId(seq), number: 1, path: format!("main/step[{seq}]").into() };
    let output = Payload::Value(Value::string(output));
    Event {
        seq,
        at: Timestamp(seq),
        body: EventBody::AttemptSucceeded { attempt, output, bill: Bill::default(), cache: None, host: None },
    }
}

/// A run with a program that names a component, a large result, and an end.
async fn add(journal: &SqliteJournal, id: &str, steps: u64) {
    let component = journal.put_blob(format!("component of {id}").as_bytes()).unwrap();
    let program =
        format!("{{\"v\":1,\"components\":[{{\"digest\":\"{}\"}}]}}", component.to_string().trim_start_matches("sha256:"));
    let mut first = one_of_each().remove(0);
    if let EventBody::RunStarted(started) = &mut first.body {
        started.program = journal.put_blob(program.as_bytes()).unwrap();
    }
    let mut events = vec![first];
    events.extend((2..=steps).map(|seq| step(seq, &format!("{id} {seq}"))));
    events.push(step(steps + 1, &format!("{id} ").repeat(8_000)));
    let outcome = RunOutcome::Succeeded(Payload::Value(Value::Unit));
    events.push(Event { seq: steps + 2, at: Timestamp(steps + 2), body: EventBody::RunEnded { outcome } });
    journal.append(&run(id), events.into()).await.unwrap();
}

fn sql(path: &Path, statements: &str) {
    Connection::open(path).unwrap().execute_batch(statements).unwrap();
}

fn ids(path: &Path) -> Vec<String> {
    reader(path)
        .runs(&RunFilter { reverse: true, ..RunFilter::default() })
        .unwrap()
        .iter()
        .map(|run| run.id.to_string())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_while_others_write_and_is_whole() {
    let site = Site::new();
    let journal = Arc::new(open(&site.path("store.db")));
    add(&journal, "first", 50).await;
    let done = Arc::new(AtomicBool::new(false));
    let (writing, until) = (Arc::clone(&journal), Arc::clone(&done));
    let writer = tokio::spawn(async move {
        let mut count = 0;
        while !until.load(Ordering::Relaxed) {
            add(&writing, &format!("r{count}"), 20).await;
            count += 1;
        }
        count
    });
    let (store, stop) = (site.path("store.db"), Stop::default());
    let mut before = 0;
    for n in 0..5 {
        let (store, to, stop) = (store.clone(), site.path(&format!("copy{n}")), stop.clone());
        let found = tokio::task::spawn_blocking(move || backup(&store, &to, false, &stop)).await.unwrap().unwrap();
        assert!(found.is_sound(), "{found:?}");
        assert!(found.runs >= 1 && found.runs >= before, "{found:?}");
        before = found.runs;
        let copy = site.path(&format!("copy{n}"));
        assert_eq!(ids(&copy).len() as u64, found.runs);
        assert_eq!(open(&copy).load(&run("first")).unwrap(), journal.load(&run("first")).unwrap());
    }
    done.store(true, Ordering::Relaxed);
    assert!(writer.await.unwrap() > 0);
    assert!(site.files().iter().all(|name| !name.contains("partial")), "{:?}", site.files());
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_leaves_nothing() {
    let site = Site::new();
    let store = site.path("store.db");
    drop(open(&store));
    let before = site.files();
    let stop = Stop::default();
    let error = |to: &Path, stop: &Stop| backup(&store, to, false, stop).unwrap_err().to_string();
    assert!(error(&site.path("no/such/folder"), &stop).contains("cannot be written"));
    assert!(error(&store, &stop).contains("is the store itself"));
    assert!(error(site.folder.path(), &stop).contains("is a folder"));
    std::fs::write(site.path("there"), "x").unwrap();
    assert!(error(&site.path("there"), &stop).contains("exists"));
    assert_eq!(std::fs::read(site.path("there")).unwrap(), b"x");
    std::fs::remove_file(site.path("there")).unwrap();
    stop.stop();
    assert!(error(&site.path("copy"), &stop).contains("stopped"));
    assert_eq!(site.files(), before);
    assert!(backup(&site.path("absent"), &site.path("copy"), false, &Stop::default()).is_err());
    // What an earlier one left behind is in nobody's way.
    std::fs::write(site.path("copy.partial"), "half").unwrap();
    backup(&store, &site.path("copy"), false, &Stop::default()).unwrap();
    backup(&store, &site.path("copy"), true, &Stop::default()).unwrap();
    assert!(!site.path("copy.partial").exists());
}

#[tokio::test]
async fn a_backup_comes_back_in_the_place_of_a_store() {
    let site = Site::new();
    let (store, copy) = (site.path("store.db"), site.path("copy"));
    let journal = open(&store);
    add(&journal, "one", 5).await;
    backup(&store, &copy, false, &Stop::default()).unwrap();
    add(&journal, "two", 5).await;
    let error = |replace| restore(&copy, &store, replace).unwrap_err().to_string();
    assert!(error(false).contains("exists; replace it with `--force`"));
    assert!(error(true).contains("is in use"), "{}", error(true));
    assert_eq!(journal.load(&run("two")).unwrap().len(), 7);
    drop(journal);
    assert!(restore(&copy, &store, true).unwrap().is_sound());
    assert_eq!(ids(&store), ["one"]);
    add(&open(&store), "three", 5).await;
    assert_eq!(ids(&store), ["one", "three"]);
    assert_eq!(ids(&copy), ["one"], "the backup is untouched");
    restore(&copy, &site.path("new/folder/store.db"), false).unwrap();
    assert_eq!(ids(&site.path("new/folder/store.db")), ["one"]);
}

#[tokio::test]
async fn a_lost_store_is_replaced_and_nothing_of_it_comes_back() {
    let site = Site::new();
    let (store, copy) = (site.path("store.db"), site.path("copy"));
    let journal = open(&store);
    add(&journal, "one", 5).await;
    backup(&store, &copy, false, &Stop::default()).unwrap();
    drop(journal);
    for side in ["-wal", "-shm"] {
        std::fs::write(site.path(&format!("store.db{side}")), [7; 100]).unwrap();
    }
    std::fs::write(&store, "no database any more, but long enough to look like one").unwrap();
    restore(&copy, &store, true).unwrap();
    assert_eq!(ids(&store), ["one"]);
    let other = site.path("other.db");
    sql(&other, "CREATE TABLE notes (text)");
    let before = std::fs::read(&other).unwrap();
    assert!(restore(&copy, &other, true).unwrap_err().to_string().contains("another program"));
    assert_eq!(std::fs::read(&other).unwrap(), before);
}

#[tokio::test]
async fn what_is_no_backup_is_refused_and_the_store_stays() {
    let site = Site::new();
    let store = site.path("store.db");
    add(&open(&store), "one", 5).await;
    let whole = std::fs::read(&store).unwrap();
    let (letter, foreign, cut) = (site.path("letter"), site.path("foreign"), site.path("cut"));
    std::fs::write(&letter, "dear aunt, ".repeat(1000)).unwrap();
    sql(&foreign, "CREATE TABLE notes (text)");
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    std::fs::write(site.path("empty"), "").unwrap();
    for file in [&letter, &foreign, &cut, &site.path("empty"), &site.path("absent")] {
        assert!(restore(file, &store, true).is_err(), "{}", file.display());
        assert!(import(file, &store, &[]).is_err(), "{}", file.display());
        assert!(reader(&store).verify().unwrap().is_sound());
        assert_eq!(ids(&store), ["one"]);
    }
}

#[tokio::test]
async fn what_is_damaged_is_named_and_the_rest_is_whole() {
    let cases = [
        ("DELETE FROM events WHERE run = 2 AND seq IN (4, 5)", "events 4 to 5 are missing"),
        ("DELETE FROM events WHERE run = 2 AND seq > 9", "events 10 to 12 are missing at the end"),
        ("UPDATE events SET body = replace(body, 'two', 'ten') WHERE run = 2 AND seq = 7", "event 7 is changed since written"),
        ("DELETE FROM heads WHERE run = 2", "its head is missing"),
        ("DELETE FROM blobs WHERE digest = (SELECT program FROM runs WHERE no = 2)", "its program sha256:"),
        ("DELETE FROM blobs WHERE instr(data, 'two two') > 0", "event 11: the blob sha256:"),
    ];
    for (damage, expected) in cases {
        let site = Site::new();
        let store = site.path("store.db");
        let journal = open(&store);
        for id in ["one", "two", "three"] {
            add(&journal, id, 10).await;
        }
        drop(journal);
        let before = reader(&store).verify().unwrap();
        assert!(before.is_sound() && before.runs == 3 && before.events == 36 && before.blobs == 9, "{before:?}");
        sql(&store, damage);
        let found = reader(&store).verify().unwrap();
        assert_eq!(found.damaged.len(), 1, "{damage}: {found:?}");
        assert!(found.damaged[0].what.contains(expected), "{damage}: {}", found.damaged[0].what);
        assert_eq!(&*found.damaged[0].run.0, "two");
        assert!(!damage.contains("seq IN") || found.damaged[0].readable == 3);
        // A copy says the same, and what is whole comes out of it.
        let copied = backup(&store, &site.path("copy"), false, &Stop::default()).unwrap();
        assert_eq!(copied.damaged, found.damaged);
        import(&site.path("copy"), &site.path("fresh.db"), &[run("one"), run("three")]).unwrap();
        assert!(reader(&site.path("fresh.db")).verify().unwrap().is_sound());
    }
}

#[tokio::test]
async fn changed_blobs_and_events_of_nobody_are_found() {
    let site = Site::new();
    let store = site.path("store.db");
    let journal = open(&store);
    add(&journal, "one", 10).await;
    add(&journal, "two", 10).await;
    drop(journal);
    sql(&store, "UPDATE blobs SET data = x'00' WHERE instr(data, 'component of one') > 0; DELETE FROM runs WHERE id = 'two'");
    let found = reader(&store).verify().unwrap();
    assert_eq!((found.changed_blobs.len(), found.lost_events, found.damaged.len()), (1, 12, 0));
}

/// A flipped byte or a cut: found, or without harm to what is read.
#[tokio::test]
async fn damage_of_the_file_is_found() {
    let site = Site::new();
    let store = site.path("store.db");
    add(&open(&store), "one", 60).await;
    let whole = std::fs::read(&store).unwrap();
    let expected = open(&store).load(&run("one")).unwrap();
    let (mut noticed, mut unharmed) = (0, 0);
    for at in (100..whole.len()).step_by(997) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        let path = site.path("damaged");
        std::fs::write(&path, bytes).unwrap();
        let found = Reader::open(&path, Duration::from_millis(50))
            .and_then(|reader| Ok((reader.verify()?, reader.load_prefix(&run("one"))?)));
        match found {
            Ok((found, prefix)) if found.is_sound() => {
                assert_eq!(prefix.events, expected, "byte {at}");
                unharmed += 1;
            }
            _ => noticed += 1,
        }
        for side in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(site.path(&format!("damaged{side}")));
        }
    }
    assert!(noticed > 20, "{noticed} noticed, {unharmed} without harm");
}

#[tokio::test]
async fn a_bundle_holds_a_run_with_all_that_it_needs() {
    let site = Site::new();
    let store = site.path("store.db");
    let journal = open(&store);
    add(&journal, "one", 3_000).await;
    add(&journal, "two", 5).await;
    let file = site.path("one.bundle");
    let about = [("kind", "bundle".to_owned())];
    let copied = export(&journal.reader(), &[run("one")], &file, &about, false).unwrap();
    assert_eq!((copied.runs, copied.events, copied.blobs), (1, 3_002, 3));
    assert!(site.files().iter().all(|name| !name.contains("one.bundle-") && !name.contains("partial")), "{:?}", site.files());
    let bundle = reader(&file);
    assert!(bundle.verify().unwrap().is_sound());
    assert_eq!(bundle.about("kind").unwrap().as_deref(), Some("bundle"));
    assert_eq!(journal.reader().about("kind").unwrap(), None);
    assert_eq!(bundle.find("one").unwrap(), journal.reader().find("one").unwrap());
    assert_eq!(open(&file).load(&run("one")).unwrap(), journal.load(&run("one")).unwrap());
    let error = |runs: &[RunId], to: &Path| export(&journal.reader(), runs, to, &about, false).unwrap_err().to_string();
    assert!(error(&[run("one")], &file).contains("exists"));
    assert!(error(&[run("none")], &site.path("other")).contains("no run `none`"));
    assert!(!site.path("other").exists() && !site.path("other.partial").exists());
}

#[tokio::test]
async fn runs_come_back_into_a_store_once() {
    let site = Site::new();
    let (store, file, other) = (site.path("store.db"), site.path("two.archive"), site.path("other.db"));
    let journal = open(&store);
    for id in ["one", "two", "three"] {
        add(&journal, id, 10).await;
    }
    export(&journal.reader(), &[run("one"), run("two")], &file, &[], false).unwrap();
    let target = open(&other);
    add(&target, "mine", 3).await;
    let copied = import(&file, &other, &[]).unwrap();
    assert_eq!((copied.runs, copied.present, copied.events), (2, 0, 24));
    let again = import(&file, &other, &[run("two")]).unwrap();
    assert_eq!((again.runs, again.present, again.events), (0, 1, 0));
    assert!(reader(&other).verify().unwrap().is_sound());
    assert_eq!(target.load(&run("two")).unwrap(), journal.load(&run("two")).unwrap());
    // Those who write go on.
    add(&target, "later", 3).await;
    assert_eq!(ids(&other).len(), 4);
    add(&open(&site.path("third.db")), "one", 4).await;
    let error = import(&file, &site.path("third.db"), &[]).unwrap_err().to_string();
    assert!(error.contains("has another run `one` already"), "{error}");
}

#[tokio::test]
async fn a_damaged_run_is_not_imported() {
    let site = Site::new();
    let (store, file) = (site.path("store.db"), site.path("one.bundle"));
    let journal = open(&store);
    add(&journal, "one", 10).await;
    export(&journal.reader(), &[run("one")], &file, &[], false).unwrap();
    sql(&file, "UPDATE events SET body = replace(body, 'one', 'ten') WHERE seq = 4");
    let error = import(&file, &site.path("other.db"), &[]).unwrap_err().to_string();
    assert!(error.contains("event 4 is changed since written"), "{error}");
    assert!(ids(&site.path("other.db")).is_empty());
}
