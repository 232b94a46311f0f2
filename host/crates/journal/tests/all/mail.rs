//! Inboxes: who gets what, once, and what becomes of a store that had none.

use std::time::Duration;

use engine::core::mail::MAX_KEPT;
use engine::event::{Event, EventBody, RunId, RunOutcome, Timestamp};
use engine::ports::{Journal, Letter, Mail, MailStore, MailWrite, Message, Signal};
use journal::conformance::one_of_each;
use journal::{FORMAT_VERSION, Options, Reader, SqliteJournal};

use crate::golden::{golden, restore};

fn run(id: &str) -> RunId {
    RunId(id.into())
}

fn message(topic: &str, id: &str) -> Message {
    Message { topic: topic.into(), id: id.into(), payload: "1".into(), trace: None }
}

fn ids(letters: &[Letter]) -> Vec<&str> {
    fn id(letter: &Letter) -> &str {
        match &letter.mail {
            Mail::Dropped(_) => "dropped",
            Mail::Control(control) => &control.id,
            Mail::Signal(Signal { id, .. }) | Mail::Message(Message { id, .. }) => id,
        }
    }
    letters.iter().map(id).collect()
}

/// A store with two runs that have begun.
async fn store(folder: &tempfile::TempDir) -> SqliteJournal {
    let journal = SqliteJournal::open(&folder.path().join("store.db"), &Options::default()).unwrap();
    for id in ["a", "b"] {
        let events: Vec<Event> = one_of_each().into_iter().take(2).collect();
        journal.append(&run(id), events.into()).await.unwrap();
    }
    journal
}

#[tokio::test]
async fn a_message_comes_once_to_each_run_that_listens() {
    let folder = tempfile::tempdir().unwrap();
    let journal = store(&folder).await;
    let write = |write| journal.write_mail(write);
    write(MailWrite::Publish(message("t", "too early"))).await.unwrap();
    write(MailWrite::Subscribe(run("a"), vec!["t".into(), "u".into()])).await.unwrap();
    write(MailWrite::Subscribe(run("b"), vec!["t".into()])).await.unwrap();
    for id in ["m1", "m1", "m2"] {
        write(MailWrite::Publish(message("t", id))).await.unwrap();
    }
    write(MailWrite::Publish(message("u", "m3"))).await.unwrap();
    let signal = Signal { name: "go".into(), id: "s1".into(), payload: "null".into() };
    write(MailWrite::Signal(run("a"), signal.clone())).await.unwrap();
    // Another process sees the same.
    let other = SqliteJournal::open(&folder.path().join("store.db"), &Options::default()).unwrap();
    let letters = other.letters(&run("a"), 0, 10).unwrap();
    assert_eq!(ids(&letters), ["m1", "m2", "m3", "s1"]);
    assert_eq!(letters[3].mail, Mail::Signal(signal));
    assert_eq!(ids(&other.letters(&run("b"), 0, 10).unwrap()), ["m1", "m2"]);
    assert_eq!(ids(&other.letters(&run("a"), letters[1].no, 1).unwrap()), ["m3"]);
    write(MailWrite::Remove(run("a"), letters[..2].iter().map(|letter| letter.no).collect())).await.unwrap();
    write(MailWrite::Unsubscribe(run("a"), "t".into())).await.unwrap();
    write(MailWrite::Publish(message("t", "m4"))).await.unwrap();
    assert_eq!(ids(&other.letters(&run("a"), 0, 10).unwrap()), ["m3", "s1"]);
    write(MailWrite::Forget(run("a"))).await.unwrap();
    assert!(other.letters(&run("a"), 0, 10).unwrap().is_empty());
}

#[tokio::test]
async fn a_run_that_has_ended_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let journal = store(&folder).await;
    journal.write_mail(MailWrite::Subscribe(run("a"), vec!["t".into()])).await.unwrap();
    let end = Event { seq: 3, at: Timestamp(3), body: EventBody::RunEnded { outcome: RunOutcome::Cancelled } };
    journal.append(&run("a"), [end].into()).await.unwrap();
    journal.write_mail(MailWrite::Publish(message("t", "m"))).await.unwrap();
    assert!(journal.letters(&run("a"), 0, 10).unwrap().is_empty());
}

#[tokio::test]
async fn an_inbox_holds_so_much_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let journal = store(&folder).await;
    journal.write_mail(MailWrite::Subscribe(run("a"), vec!["t".into()])).await.unwrap();
    let writes: Vec<_> =
        (0..MAX_KEPT + 5).map(|n| journal.write_mail(MailWrite::Publish(message("t", &format!("m{n}"))))).collect();
    for write in writes {
        write.await.unwrap();
    }
    let letters = journal.letters(&run("a"), 0, usize::MAX).unwrap();
    assert_eq!(letters.len(), MAX_KEPT + 1);
    assert_eq!(letters[MAX_KEPT].mail, Mail::Dropped(5), "the run is told how many did not come");
    // What is there already is not dropped.
    journal.write_mail(MailWrite::Publish(message("t", "m0"))).await.unwrap();
    assert_eq!(journal.letters(&run("a"), letters[MAX_KEPT - 1].no, 9).unwrap(), letters[MAX_KEPT..]);
}

#[tokio::test]
async fn what_a_run_waits_for_is_noted_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let journal = store(&folder).await;
    let reader = journal.reader();
    assert_eq!(reader.waiting(&run("a")).unwrap(), None);
    journal.write_mail(MailWrite::Waiting(run("a"), Some("signal go".into()))).await.unwrap();
    assert_eq!(reader.waiting(&run("a")).unwrap().as_deref(), Some("signal go"));
    journal.write_mail(MailWrite::Waiting(run("a"), None)).await.unwrap();
    assert_eq!(reader.waiting(&run("a")).unwrap(), None);
}

#[tokio::test]
async fn an_old_store_gets_inboxes_when_it_is_opened_for_writing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.db");
    restore(&golden().join("v1/kinds.sql"), &path);
    let version = || {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0)).unwrap()
    };
    // Whoever only reads leaves it as it is.
    let reader = Reader::open(&path, Duration::from_secs(1)).unwrap();
    assert_eq!(reader.waiting(&run("unfinished")).unwrap(), None);
    assert_eq!(version(), 1);
    let before = reader.events(&run("all"), 0, 100).unwrap();
    let journal = SqliteJournal::open(&path, &Options::default()).unwrap();
    assert_eq!(version(), FORMAT_VERSION);
    assert_eq!(journal.reader().events(&run("all"), 0, 100).unwrap(), before);
    journal.write_mail(MailWrite::Subscribe(run("unfinished"), vec!["t".into()])).await.unwrap();
    journal.write_mail(MailWrite::Publish(message("t", "m"))).await.unwrap();
    assert_eq!(ids(&journal.letters(&run("unfinished"), 0, 10).unwrap()), ["m"]);
}
