//! A store that is a replica: what streams bring, and what they bring twice.

use engine::event::{Event, RunId};
use engine::ports::{Journal, Mail, MailStore, MailWrite, Message, Signal};
use journal::chain::{Link, genesis, next};
use journal::replica::{Change, Entry, Feed, StoredEvent};
use journal::standing::Standing;
use journal::wire::encode;
use journal::{DeployWrite, Options, SqliteJournal};

use crate::golden::journals;

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

/// A run in one message, as the streams have it.
fn commit(run: &RunId, events: &[Event]) -> Entry {
    let (mut hash, mut stored, mut blobs) = (genesis(run), Vec::new(), Vec::new());
    for event in events {
        let encoded = encode(event);
        let (seq, at, kind, path) = (encoded.seq, encoded.at, encoded.kind, encoded.path.to_string());
        hash = next(&hash, Link { seq, at, kind, path: &path, body: &encoded.body });
        stored.push(StoredEvent { at, kind: kind.to_owned(), path, body: encoded.body });
        blobs.extend(encoded.blobs.into_iter().map(|blob| (blob.digest, blob.text.into_bytes())));
    }
    Entry::Commit { run: run.clone(), first: 1, hash, events: stored, blobs }
}

#[tokio::test]
async fn events_of_all_kinds_come_over_a_stream_as_they_were_written() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder);
    for (position, (of, (name, events))) in
        (1..).zip(journals().into_iter().flat_map(|(of, runs)| runs.into_iter().map(move |run| (of, run))))
    {
        let run = RunId(format!("{of}-{name}").into());
        journal.follower().unwrap().apply(Feed::Events, vec![(position, commit(&run, &events))]).await.unwrap();
        let written = |events: Vec<Event>| events.iter().map(encode).collect::<Vec<_>>();
        assert_eq!(written(journal.load(&run).unwrap()), written(events), "{run}");
    }
}

#[tokio::test]
async fn a_document_that_does_not_fit_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let journal = open(&folder);
    apply(&journal, 1, vec![entry(deploy("daily"), 0, "a")]).await;
    let follower = journal.follower().unwrap();
    let mut document = follower.standing(engine::event::Timestamp(0)).unwrap().text.replace("\"position\":1", "\"position\":9");
    document.push_str("[\"deployed\",[\"other\",null,0]]\n");
    let refused = follower.restore(Standing::read(&document).unwrap()).await.unwrap_err().to_string();
    assert!(refused.contains("cannot go on from what is kept of older changes: NOT NULL"), "{refused}");
    assert_eq!((versions(&journal), follower.position(Feed::Changes).unwrap()), (vec![("daily".to_owned(), 1)], 1));
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
