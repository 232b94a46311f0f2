//! The kit against SQLite, in both modes and with limits so small that every append meets them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::event::{Event, EventBody, RunId};
use engine::ports::Journal;
use journal::conformance::{Harm, check_all, check_harm, one_of_each};
use journal::{Durability, Options, SqliteJournal};

async fn check(options: Options) {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| -> Arc<dyn Journal> {
        Arc::new(SqliteJournal::open(&folder.path().join("stores").join(name), &options).unwrap())
    };
    assert_eq!(check_all(&open).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn full() {
    check(Options::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn process() {
    check(Options { durability: Durability::Process, ..Options::default() }).await;
}

#[tokio::test]
async fn small_limits() {
    let small = Options { group_events: 2, group_bytes: 1, queue_events: 1, queue_bytes: 1, ..Options::default() };
    check(Options { durability: Durability::Process, ..small }).await;
}

#[tokio::test]
async fn what_others_change_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| -> Arc<dyn Journal> {
        Arc::new(SqliteJournal::open(&folder.path().join(name), &Options::default()).unwrap())
    };
    let harm = |name: &str, run: &RunId, harm: Harm| {
        let connection = rusqlite::Connection::open(folder.path().join(name)).unwrap();
        let (sql, seq) = match harm {
            Harm::Change(seq) => ("UPDATE events SET body = replace(body, '}', ' }')", seq),
            Harm::Lose(seq) => ("DELETE FROM events", seq),
        };
        let of_the_run = "WHERE seq = ?1 AND run = (SELECT no FROM runs WHERE id = ?2)";
        let changed = connection.execute(&format!("{sql} {of_the_run}"), (seq as i64, &*run.0)).unwrap();
        assert_eq!(changed, 1);
    };
    assert_eq!(check_harm(&open, &harm).await, []);
    // Without any harm nothing is noticed, which the kit does not take for an answer.
    let untouched = |name: &str| open(&format!("untouched-{name}"));
    assert_eq!(check_harm(&untouched, &|_, _, _| ()).await.len(), 5);
}

/// A kit that finds nothing could be a kit that looks at nothing: a journal that forgets must not pass.
#[tokio::test]
async fn the_kit_finds_a_journal_that_acknowledges_and_forgets() {
    struct Forgetful(SqliteJournal);
    impl Journal for Forgetful {
        fn append(
            &self,
            run: &RunId,
            events: Arc<[Event]>,
        ) -> futures::future::BoxFuture<'static, Result<(), engine::ports::JournalError>> {
            let kept: Vec<_> = events.iter().filter(|event| event.body != EventBody::Resumed).cloned().collect();
            if kept.len() < events.len() {
                return Box::pin(std::future::ready(Ok(())));
            }
            self.0.append(run, kept.into())
        }
        fn load(&self, run: &RunId) -> Result<Vec<Event>, engine::ports::JournalError> {
            self.0.load(run)
        }
        fn put_blob(&self, bytes: &[u8]) -> Result<catalog::Digest, engine::ports::JournalError> {
            self.0.put_blob(bytes)
        }
        fn blob(&self, digest: catalog::Digest) -> Result<Vec<u8>, engine::ports::JournalError> {
            self.0.blob(digest)
        }
        fn cached(&self, key: catalog::Digest) -> Result<Option<engine::ports::Cached>, engine::ports::JournalError> {
            self.0.cached(key)
        }
        fn put_cached(
            &self,
            key: catalog::Digest,
            payload: &str,
            at: engine::event::Timestamp,
        ) -> Result<(), engine::ports::JournalError> {
            self.0.put_cached(key, payload, at)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| -> Arc<dyn Journal> {
        Arc::new(Forgetful(SqliteJournal::open(&folder.path().join(name), &Options::default()).unwrap()))
    };
    let found: Vec<_> = check_all(&open).await.into_iter().map(|violation| violation.check).collect();
    assert_eq!(found, ["every kind", "fence", "rivals", "change of owners"]);
}

#[tokio::test]
async fn what_is_queued_is_written_before_the_journal_closes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let run = RunId("r".into());
    let events = one_of_each();
    let journal = SqliteJournal::open(&path, &Options::default()).unwrap();
    for event in &events {
        drop(journal.append(&run, Arc::from([event.clone()])));
    }
    drop(journal);
    assert!(!path.with_file_name("store.db-wal").exists(), "the last to close tidies up");
    let journal = SqliteJournal::open(&path, &Options::default()).unwrap();
    assert_eq!(journal.load(&run).unwrap().len(), events.len());
}

/// `host run` of one step has 100 ms from start to end; the store must not take a noticeable part of them.
#[test]
fn opening_is_quick() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: String| {
        let begin = Instant::now();
        drop(SqliteJournal::open(&folder.path().join(name), &Options::default()).unwrap());
        begin.elapsed()
    };
    let made = (0..9).map(|n| open(n.to_string())).min().unwrap();
    let opened = (0..9).map(|n| open(n.to_string())).min().unwrap();
    assert!(made < Duration::from_millis(50) && opened < Duration::from_millis(20), "made in {made:?}, opened in {opened:?}");
}
