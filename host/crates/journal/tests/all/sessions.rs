//! Sessions: how it stands with one, and what fits that.

use std::collections::BTreeMap;

use journal::{Options, Reader, SessionStatus, SessionWrite, SqliteJournal};

use crate::golden::{golden, restore};

fn open(id: &str) -> SessionWrite {
    let labels = BTreeMap::from([("customer".to_owned(), "a \"b\"".to_owned())]);
    SessionWrite::Open { id: id.to_owned(), document: "{}".to_owned(), labels }
}

#[tokio::test]
async fn a_session_goes_from_open_to_closed() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(&folder.path().join("store.db"), &Options::default()).unwrap();
    let reader = journal.reader();
    journal.write_session(open("abc")).await.unwrap();
    let stand = || {
        let found = reader.find_sessions("abc").unwrap().remove(0);
        (found.status, found.starting, found.ending, found.closed.is_some())
    };
    let id = || "abc".to_owned();
    assert_eq!(stand(), (SessionStatus::Open, true, false, false));
    assert_eq!(reader.sessions(false).unwrap()[0].labels["customer"], "a \"b\"");
    for (write, expected) in [
        (SessionWrite::Started(id()), (SessionStatus::Open, false, false, false)),
        // One that was not to be closed is not closed, nor opened again.
        (SessionWrite::Closed(id()), (SessionStatus::Open, false, false, false)),
        (SessionWrite::Close(id()), (SessionStatus::Closing, false, false, false)),
        (SessionWrite::Reopen(id()), (SessionStatus::Open, false, false, false)),
        (SessionWrite::Close(id()), (SessionStatus::Closing, false, false, false)),
        (SessionWrite::Closed(id()), (SessionStatus::Closed, false, true, true)),
        (SessionWrite::Reopen(id()), (SessionStatus::Closed, false, true, true)),
        (SessionWrite::Close(id()), (SessionStatus::Closed, false, true, true)),
    ] {
        journal.write_session(write.clone()).await.unwrap();
        assert_eq!(stand(), expected, "{write:?}");
    }
    assert_eq!(reader.pending_sessions().unwrap().len(), 1);
    journal.write_session(SessionWrite::Ended(id())).await.unwrap();
    assert!(reader.pending_sessions().unwrap().is_empty() && reader.sessions(false).unwrap().is_empty());
    assert_eq!(reader.sessions(true).unwrap().len(), 1);
}

#[tokio::test]
async fn sessions_are_found_by_the_beginning_of_their_ids() {
    let folder = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(&folder.path().join("store.db"), &Options::default()).unwrap();
    for id in ["abc", "abcd", "b%"] {
        journal.write_session(open(id)).await.unwrap();
    }
    let found = |text: &str| journal.reader().find_sessions(text).unwrap().into_iter().map(|found| found.id).collect::<Vec<_>>();
    assert_eq!(found("abc"), ["abc"]);
    assert_eq!(found("ab").len(), 2);
    assert_eq!(found("b"), ["b%"]);
    assert!(found("%").is_empty() && found("x").is_empty());
    // An id is used once.
    journal.write_session(SessionWrite::Close("abc".to_owned())).await.unwrap();
    journal.write_session(open("abc")).await.unwrap();
    assert_eq!(journal.reader().find_sessions("abc").unwrap()[0].status, SessionStatus::Closing);
}

#[test]
fn an_older_store_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old");
    restore(&golden().join("v4/kinds.sql"), &path);
    let reader = Reader::open(&path, std::time::Duration::from_secs(1)).unwrap();
    assert!(reader.sessions(true).unwrap().is_empty() && reader.find_sessions("").unwrap().is_empty());
    assert!(reader.pending_sessions().unwrap().is_empty());
}
