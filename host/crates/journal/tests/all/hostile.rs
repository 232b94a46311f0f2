//! Stores that are locked, damaged, foreign, full, or not there: a clear error, nothing lost, no panic.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use catalog::Value;
use engine::event::{Attempt, Bill, Event, EventBody, Payload, RunId, TaskId, Timestamp};
use engine::ports::{Journal, JournalError};
use journal::conformance::one_of_each;
use journal::{Durability, FORMAT_VERSION, Options, Reader, RunFilter, SqliteJournal};
use rusqlite::Connection;

struct Store {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn run() -> RunId {
    RunId("r".into())
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

fn events(count: u64) -> Vec<Event> {
    one_of_each().into_iter().take(1).chain((2..=count).map(|seq| step(seq, "some result"))).collect()
}

fn options() -> Options {
    Options { lock_timeout: Duration::from_millis(50), ..Options::default() }
}

/// A closed store with a run of this many events.
async fn store(count: u64) -> Store {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let journal = SqliteJournal::open(&path, &options()).unwrap();
    journal.append(&run(), events(count).into()).await.unwrap();
    drop(journal);
    Store { _folder: folder, path }
}

fn open_error(path: &Path) -> String {
    let error = SqliteJournal::open(path, &options()).unwrap_err();
    let JournalError::Unavailable(message) = error else { panic!("{error:?}") };
    assert!(message.contains(&path.display().to_string()), "{message}");
    message.replace(&path.display().to_string(), "PATH")
}

fn sql(path: &Path, statements: &str) {
    Connection::open(path).unwrap().execute_batch(statements).unwrap();
}

fn load_error(path: &Path) -> String {
    SqliteJournal::open(path, &options()).unwrap().load(&run()).unwrap_err().to_string()
}

#[test]
fn a_folder_or_a_file_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(open_error(folder.path()), "the store `PATH` is a folder; name a file");
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(open_error(&file.join("store.db")).starts_with("the store `PATH` cannot be made: "));
    let link = folder.path().join("dangling");
    std::os::unix::fs::symlink(folder.path().join("nowhere/at/all"), &link).unwrap();
    assert!(open_error(&link).starts_with("the store `PATH` cannot be opened"));
}

#[test]
fn a_file_that_is_no_database_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    for content in ["short", &"not a database, but long enough to look like one. ".repeat(100)] {
        std::fs::write(&path, content).unwrap();
        assert_eq!(open_error(&path), "the store `PATH` is not a SQLite database; choose another file");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn a_database_of_another_program_is_refused_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    for (name, statements) in [
        ("tables", "CREATE TABLE notes (text)"),
        ("application", "PRAGMA application_id = 7"),
        ("version", "PRAGMA user_version = 1"),
    ] {
        let path = folder.path().join(name);
        sql(&path, statements);
        let before = std::fs::read(&path).unwrap();
        assert_eq!(open_error(&path), "the store `PATH` is a SQLite database of another program; choose another file");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_newer_version_is_refused_and_kept() {
    let store = store(3).await;
    let newer = FORMAT_VERSION + 1;
    sql(&store.path, &format!("PRAGMA user_version = {newer}"));
    let before = std::fs::read(&store.path).unwrap();
    let expected = format!(
        "the store `PATH` was written by a newer version of this program (its format is {newer}, this program knows up to \
         {FORMAT_VERSION}); update this program"
    );
    assert_eq!(open_error(&store.path), expected);
    assert!(Reader::open(&store.path, Duration::ZERO).unwrap_err().to_string().contains("newer version"));
    assert_eq!(std::fs::read(&store.path).unwrap(), before);
    sql(&store.path, "PRAGMA user_version = 0");
    assert!(open_error(&store.path).contains("unknown format version 0"));
}

#[test]
fn reading_a_store_that_is_not_there_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let message = Reader::open(&path, Duration::ZERO).unwrap_err().to_string();
    assert!(message.ends_with("does not exist yet; it is made by the first run"), "{message}");
    assert!(!path.exists());
    std::fs::write(&path, "").unwrap();
    assert!(Reader::open(&path, Duration::ZERO).unwrap_err().to_string().contains("is empty"));
}

#[tokio::test]
async fn a_locked_store_is_waited_for_and_then_named() {
    let store = store(3).await;
    let journal = SqliteJournal::open(&store.path, &options()).unwrap();
    let other = Connection::open(&store.path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = journal.append(&run(), Arc::from([step(4, "x")])).await.unwrap_err().to_string();
    assert!(error.ends_with("is locked by another process; wait for it to end, or choose another store"), "{error}");
    assert_eq!(journal.load(&run()).unwrap().len(), 3, "reading goes on");
    other.execute_batch("ROLLBACK").unwrap();
    journal.append(&run(), Arc::from([step(4, "x")])).await.unwrap();
    assert_eq!(journal.load(&run()).unwrap().len(), 4);
}

#[tokio::test]
async fn a_store_that_is_locked_whole_does_not_open() {
    let store = store(3).await;
    let other = Connection::open(&store.path).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE runs SET updated = updated; COMMIT").unwrap();
    let expected = "the store `PATH` is locked by another process; wait for it to end, or choose another store";
    assert_eq!(open_error(&store.path), expected);
}

#[tokio::test]
async fn a_journal_opened_for_reading_refuses_to_write() {
    let store = store(3).await;
    let journal = SqliteJournal::open(&store.path, &Options { read_only: true, ..options() }).unwrap();
    assert_eq!(journal.load(&run()).unwrap().len(), 3);
    let error = journal.append(&run(), Arc::from([step(4, "x")])).await.unwrap_err().to_string();
    assert!(error.ends_with("was opened for reading only"), "{error}");
    assert!(journal.put_blob(b"x").is_err());
}

/// As `root` everything may be written; then the file system is asked to refuse by a file that is in the way.
#[tokio::test]
async fn a_store_that_may_not_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let store = store(3).await;
    let folder = store.path.parent().unwrap();
    let allow = |mode, path: &Path| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o444, &store.path);
    allow(0o555, folder);
    let reader = Reader::open(&store.path, Duration::ZERO).unwrap();
    assert_eq!(reader.load_prefix(&run()).unwrap().events.len(), 3, "it can still be read");
    drop(reader);
    if std::fs::write(folder.join("probe"), "").is_err() {
        let journal = SqliteJournal::open(&store.path, &options());
        let refused = match journal {
            Err(error) => error,
            Ok(journal) => journal.append(&run(), Arc::from([step(4, "x")])).await.unwrap_err(),
        };
        assert!(refused.to_string().contains("cannot be"), "{refused}");
    }
    allow(0o755, folder);
    allow(0o644, &store.path);
    let wal = store.path.with_file_name("store.db-wal");
    let _ = std::fs::remove_file(&wal);
    std::fs::create_dir(&wal).unwrap();
    let in_the_way = open_error(&store.path);
    assert!(in_the_way.contains("cannot be opened") || in_the_way.contains("cannot be read or written"), "{in_the_way}");
}

#[tokio::test]
async fn a_full_store_keeps_what_it_has_and_goes_on_when_there_is_room() {
    let store = store(3).await;
    let full = Options { max_page_count: Some(12), ..options() };
    let journal = SqliteJournal::open(&store.path, &full).unwrap();
    let mut last = 3;
    let refused = loop {
        match journal.append(&run(), Arc::from([step(last + 1, &"x".repeat(2000))])).await {
            Ok(()) => last += 1,
            Err(error) => break error.to_string(),
        }
        assert!(last < 1000);
    };
    assert!(refused.ends_with("is full; free some space on its disk and resume the run"), "{refused}");
    assert!(last > 3);
    assert!(journal.put_blob(&[7; 100_000]).unwrap_err().to_string().contains("is full"));
    assert_eq!(journal.load(&run()).unwrap().len() as u64, last);
    drop(journal);
    let journal = SqliteJournal::open(&store.path, &options()).unwrap();
    journal.append(&run(), Arc::from([step(last + 1, "there is room again")])).await.unwrap();
    assert_eq!(journal.load(&run()).unwrap().len() as u64, last + 1);
}

#[test]
fn a_store_with_no_room_for_its_tables_does_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let error = SqliteJournal::open(&path, &Options { max_page_count: Some(2), ..options() }).unwrap_err();
    assert!(error.to_string().contains("is full"), "{error}");
    SqliteJournal::open(&path, &options()).unwrap();
}

#[tokio::test]
async fn one_append_that_does_not_fit_takes_no_other_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal =
        SqliteJournal::open(&folder.path().join("store.db"), &Options { max_page_count: Some(60), ..options() }).unwrap();
    let runs: Vec<_> = (0..8).map(|n| RunId(format!("r{n}").into())).collect();
    let appends = runs.iter().enumerate().map(|(n, run)| {
        let output = "x".repeat(if n == 3 { 1_000_000 } else { 10 });
        let events = [one_of_each().remove(0), step(2, &output)];
        journal.append(run, Arc::from(events))
    });
    let results = futures::future::join_all(appends.collect::<Vec<_>>()).await;
    for (n, (run, result)) in runs.iter().zip(results).enumerate() {
        assert_eq!(result.is_ok(), n != 3, "{run}: {result:?}");
        assert_eq!(journal.load(run).is_ok(), n != 3);
    }
}

#[tokio::test]
async fn lost_and_changed_events_are_named() {
    let cases = [
        ("DELETE FROM events WHERE seq IN (3, 5, 6)", "events 3 and 5 to 6 are missing"),
        ("DELETE FROM events WHERE seq > 98", "events 99 to 100 are missing at the end"),
        ("DELETE FROM events", "events 1 to 100 are missing at the end"),
        ("UPDATE events SET body = replace(body, 'some', 'any') WHERE seq = 7", "event 7 is changed since written"),
        ("UPDATE events SET at = at + 1 WHERE seq = 7", "event 7 is changed since written"),
        ("UPDATE events SET path = 'main' WHERE seq = 7", "event 7 is changed since written"),
        ("UPDATE events SET kind = 'attempt-failed' WHERE seq = 7", "event 7 is changed since written"),
        ("UPDATE events SET hash = x'00' WHERE seq = 7", "event 7 is changed since written"),
        ("UPDATE events SET hash = zeroblob(32) WHERE seq = 7", "event 7 is changed since written"),
        ("UPDATE events SET body = x'ff' WHERE seq = 7", "event 7 is changed since written"),
        ("UPDATE events SET at = -1 WHERE seq = 7", "event 7 is changed since written"),
        ("UPDATE events SET seq = 8 WHERE seq = 7", "event 7 is missing; events 8 to 9 are changed since written"),
        ("UPDATE events SET prev = 1 WHERE seq = 7", ""),
        ("UPDATE events SET run = 99 WHERE seq = 7", "event 7 is missing"),
        ("DELETE FROM heads", "its head is missing, so its end is not known"),
        ("UPDATE runs SET id = 'r' WHERE id = 'other'", "event 1 is changed since written"),
    ];
    for (damage, expected) in cases {
        let store = store(100).await;
        if damage.contains("other") {
            let journal = SqliteJournal::open(&store.path, &options()).unwrap();
            journal.append(&RunId("other".into()), events(5).into()).await.unwrap();
            drop(journal);
            sql(&store.path, "DELETE FROM runs WHERE id = 'r'");
        }
        sql(&store.path, damage);
        if expected.is_empty() {
            let loaded = SqliteJournal::open(&store.path, &options()).unwrap().load(&run()).unwrap();
            assert_eq!(loaded.len(), 100, "a broken link alone loses nothing");
            continue;
        }
        assert_eq!(load_error(&store.path), format!("the journal of run `r` is damaged: {expected}"), "{damage}");
    }
}

#[tokio::test]
async fn what_is_before_the_damage_is_still_read() {
    let store = store(100).await;
    sql(&store.path, "DELETE FROM events WHERE seq = 41");
    let journal = SqliteJournal::open(&store.path, &options()).unwrap();
    let prefix = journal.load_prefix(&run()).unwrap();
    assert_eq!(prefix.events.len(), 40);
    assert!(prefix.damage.unwrap().to_string().ends_with("event 41 is missing"));
}

#[tokio::test]
async fn nothing_is_appended_to_a_run_that_lost_its_end() {
    let store = store(10).await;
    sql(&store.path, "DELETE FROM events WHERE seq > 8");
    let journal = SqliteJournal::open(&store.path, &options()).unwrap();
    let error = journal.append(&run(), Arc::from([step(9, "x")])).await.unwrap_err().to_string();
    assert_eq!(error, "the journal of run `r` is damaged: its last event, 10, is missing; nothing can be appended");
}

#[tokio::test]
async fn a_lost_or_changed_blob_is_named_with_its_event() {
    for (damage, expected) in [
        ("DELETE FROM blobs", "is missing from the store"),
        ("UPDATE blobs SET data = x'00'", "was changed; restore it from a backup"),
        ("UPDATE blobs SET data = NULL", "NOT NULL"),
    ] {
        let store = store(1).await;
        let journal = SqliteJournal::open(&store.path, &options()).unwrap();
        journal.append(&run(), Arc::from([step(2, &"x".repeat(20_000)), step(3, "y")])).await.unwrap();
        drop(journal);
        if let Err(error) = Connection::open(&store.path).unwrap().execute_batch(damage) {
            assert!(error.to_string().contains(expected), "{error}");
            continue;
        }
        let error = load_error(&store.path);
        assert!(error.contains("event 2: ") && error.contains(expected), "{error}");
        let journal = SqliteJournal::open(&store.path, &options()).unwrap();
        assert_eq!(journal.load_prefix(&run()).unwrap().events.len(), 1);
    }
}

/// Whatever one byte or a cut does to the file: an error or the very events that were written, and never others.
#[tokio::test]
async fn flipped_bytes_and_cuts_give_errors_never_wrong_events() {
    let store = store(60).await;
    let whole = std::fs::read(&store.path).unwrap();
    let expected = SqliteJournal::open(&store.path, &options()).unwrap().load(&run()).unwrap();
    let flips = (0..whole.len()).step_by(131).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x55;
        (format!("byte {at}"), bytes)
    });
    let cuts = (0..whole.len()).step_by(1111).map(|at| (format!("cut at {at}"), whole[..at].to_vec()));
    let (mut noticed, mut unharmed) = (0, 0);
    for (name, bytes) in flips.chain(cuts) {
        std::fs::write(&store.path, bytes).unwrap();
        match visit(&store.path).await {
            Ok(events) => {
                assert_eq!(events, expected, "{name}");
                unharmed += 1;
            }
            Err(_) => noticed += 1,
        }
        for side in ["store.db-wal", "store.db-shm"] {
            let _ = std::fs::remove_file(store.path.with_file_name(side));
        }
    }
    assert!(noticed > 50 && unharmed > 10, "{noticed} noticed, {unharmed} without harm");
}

/// Does everything that can be done with a store, and gives the events if nothing was noticed.
async fn visit(path: &Path) -> Result<Vec<Event>, String> {
    let text = |error: JournalError| error.to_string();
    let quick = Options { durability: Durability::Process, ..options() };
    let journal = SqliteJournal::open(path, &quick).map_err(text)?;
    let events = journal.load(&run());
    let _ = journal.reader().runs(&RunFilter::default());
    let _ = journal.reader().find("r");
    let _ = journal.reader().attempts(&run());
    let _ = journal.append(&RunId("new".into()), Arc::from([one_of_each().remove(0)])).await;
    let _ = journal.put_blob(b"bytes");
    events.map_err(text)
}

/// Who has a file open keeps it when it is deleted: what is committed then, nobody finds again.
#[tokio::test]
async fn what_is_deleted_or_replaced_takes_no_commit() {
    for what in ["store.db", "store.db-wal"] {
        for replaced in [false, true] {
            let store = store(3).await;
            let journal = SqliteJournal::open(&store.path, &options()).unwrap();
            journal.append(&run(), vec![step(4, "kept")].into()).await.unwrap();
            journal.check_place().unwrap();
            let path = store.path.with_file_name(what);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            if replaced {
                // The number of the file that was deleted is not given again while somebody has it open.
                std::fs::write(&path, bytes).unwrap();
            }
            let error = journal.append(&run(), vec![step(5, "lost")].into()).await.unwrap_err();
            assert!(error.to_string().contains("while it was open"), "{what}: {error}");
            assert_eq!(journal.check_place(), Err(error));
            let blob = journal.put_blob(b"bytes").unwrap_err();
            assert!(matches!(blob, JournalError::Unavailable(_)), "{blob}");
        }
    }
}
