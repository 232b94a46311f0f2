//! A store that is a replica: what streams bring, and what they bring twice.

use engine::event::RunId;
use engine::ports::{Mail, MailStore, MailWrite, Message, Signal};
use journal::replica::{Change, Entry, Feed};
use journal::{DeployWrite, Options, SqliteJournal};

const MINUTE: u64 = 60_000;

fn open(folder: &tempfile::TempDir) -> SqliteJournal {
    SqliteJournal::open(&folder.path().join("store.db"), &Options::default()).unwrap()
}

fn entry(change: Change, at: u64, id: &str) -> Entry {
    Entry::Change { change, at, id: Some(id.to_owned()) }
}

fn deploy(name: &str) -> Change {
    Change::Deployment(DeployWrite::Put { name: name.to_owned(), document: "{}".to_owned(), topics: Vec::new() })
}

/// Applies them one after the other, from this position of the stream on.
async fn apply(journal: &SqliteJournal, from: u64, entries: Vec<Entry>) {
    let entries = (from..).zip(entries).collect();
    journal.follower().unwrap().apply(Feed::Changes, entries).await.unwrap();
}

fn versions(journal: &SqliteJournal) -> Vec<(String, u32)> {
    let all = journal.reader().deployments().unwrap().into_iter();
    all.map(|deployment| (deployment.name, deployment.version)).collect()
}

#[tokio::test]
async fn what_a_stream_has_twice_is_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder);
    let select = || Change::Deployment(DeployWrite::Select("daily".to_owned(), 1));
    apply(&journal, 1, vec![entry(deploy("daily"), 0, "a"), entry(select(), 1, "b"), entry(deploy("daily"), 2, "a")]).await;
    assert_eq!(versions(&journal), [("daily".to_owned(), 1)]);
    drop(journal);
    // Also when the copy comes to another process, and with others in one batch.
    let journal = open(&folder);
    apply(&journal, 4, vec![entry(deploy("daily"), 3, "c"), entry(deploy("daily"), MINUTE, "a")]).await;
    assert_eq!(versions(&journal), [("daily".to_owned(), 2), ("daily".to_owned(), 1)]);
    // What has no id is none of these.
    let nameless = |at| Entry::Change { change: deploy("hourly"), at, id: None };
    apply(&journal, 6, vec![nameless(MINUTE), nameless(MINUTE)]).await;
    assert_eq!(versions(&journal).len(), 4);
    assert_eq!(journal.follower().unwrap().position(Feed::Changes).unwrap(), 7);
}

#[tokio::test]
async fn a_letter_that_a_run_has_taken_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder);
    let run = || RunId("r".into());
    let signal = Signal { name: "go".into(), id: "".into(), payload: "1".into() };
    let send = || Change::Mail(MailWrite::Signal(run(), signal.clone()));
    apply(&journal, 1, vec![entry(send(), 0, "a")]).await;
    let letters = journal.letters(&run(), 0, 10).unwrap();
    let taken = Change::Mail(MailWrite::Remove(run(), letters.iter().map(|letter| letter.no).collect()));
    apply(&journal, 2, vec![entry(taken, 1, "b"), entry(send(), 2, "a"), entry(send(), 3, "c")]).await;
    let letters = journal.letters(&run(), 0, 10).unwrap();
    assert!(matches!(letters.as_slice(), [only] if only.mail == Mail::Signal(signal) && only.no > 0), "{letters:?}");
}

#[tokio::test]
async fn ids_are_forgotten_when_no_copy_comes_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder);
    let publish = |at| {
        let message = Message { topic: "orders".into(), id: "m".into(), payload: "1".into(), trace: None };
        entry(Change::Mail(MailWrite::Publish(message)), at, "m")
    };
    let subscribe = Change::Mail(MailWrite::Subscribe(RunId("r".into()), vec!["orders".into()]));
    apply(&journal, 1, vec![entry(subscribe, 0, "s"), publish(1), entry(deploy("a"), 11 * MINUTE, "a"), publish(12 * MINUTE)])
        .await;
    // The inbox has its own way of knowing it.
    assert_eq!(journal.letters(&RunId("r".into()), 0, 10).unwrap().len(), 1);
    let taken = rusqlite::Connection::open(folder.path().join("store.db")).unwrap();
    let mut rows = taken.prepare("SELECT id, at FROM taken ORDER BY id").unwrap();
    let rows: Vec<(String, u64)> =
        rows.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64))).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows, [("a".to_owned(), 11 * MINUTE), ("m".to_owned(), 12 * MINUTE)]);
}
