//! The kit against one server, what is refused, and what happens when the stream is full or the server goes.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::stream::Config;
use bus::nats::{Connection, JetStreamJournal, Options};
use catalog::Digest;
use engine::event::{Event, EventBody, RunId};
use engine::ports::{Journal, JournalError};
use journal::conformance::{Harm, check_all, check_harm};
use testkit::nats::Server;

use crate::site::{Admin, event, events, open, open_with, run, settings, stored};

#[tokio::test(flavor = "multi_thread")]
async fn the_kit() {
    let server = Server::start();
    let open = |name: &str| -> Arc<dyn Journal> { open(&server.url(), name) };
    assert_eq!(check_all(&open).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit_with_small_limits() {
    let server = Server::start();
    let options = Options { commit_bytes: 1, in_flight: 1, queue_bytes: 1, ..Options::default() };
    let open = |name: &str| -> Arc<dyn Journal> { open_with(&server.url(), name, &options) };
    assert_eq!(check_all(&open).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_change_is_noticed() {
    let server = Server::start();
    let open = |name: &str| -> Arc<dyn Journal> { open(&server.url(), name) };
    let harm = |name: &str, run: &RunId, harm: Harm| {
        let work = async {
            let admin = Admin::of(&server.url(), name).await;
            let mut messages = admin.messages(run).await;
            match harm {
                Harm::Change(seq) => {
                    let changed = messages[seq as usize - 1].replacen("\"v\":1}", "\"v\":1 }", 1);
                    let changed =
                        changed.replacen("\"v\":1,\"task\"", "\"v\":1, \"task\"", 1).replacen("\"labels\"", " \"labels\"", 1);
                    assert_ne!(std::mem::replace(&mut messages[seq as usize - 1], changed.clone()), changed);
                }
                Harm::Lose(seq) => drop(messages.remove(seq as usize - 1)),
            }
            admin.replace(run, &messages).await;
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work));
    };
    assert_eq!(check_harm(&open, &harm).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_no_commit_is_named() {
    let server = Server::start();
    let journal = open(&server.url(), "forged");
    journal.append(&run("r"), events(1, 3)).await.unwrap();
    let admin = Admin::of(&server.url(), "forged").await;
    admin.context.publish(admin.subject(&run("r")), "{}".into()).await.unwrap().await.unwrap();
    let error = journal.load(&run("r")).unwrap_err().to_string();
    assert_eq!(
        error,
        "the journal of run `r` is damaged: its message 2 in the stream cannot be read: missing field `v` at line 1 column 2"
    );
    // The owner that was there is fenced, and whoever comes next is told.
    let error = journal.append(&run("r"), events(4, 4)).await.unwrap_err();
    assert!(matches!(error, JournalError::Fenced { seq: 4, .. }), "{error}");
    let error = journal.append(&run("r"), events(4, 4)).await.unwrap_err();
    assert!(matches!(&error, JournalError::Damaged { what, .. } if what.contains("its last message, 2")), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_was_changed_or_lost_is_named() {
    let server = Server::start();
    let journal = open(&server.url(), "blobs");
    let (kept, lost) = (journal.put_blob(&vec![1; 400_000]).unwrap(), journal.put_blob(&vec![2; 400_000]).unwrap());
    let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let bucket = context.get_object_store("flow_blobs_blobs").await.unwrap();
    // What the object store itself would take for whole: other bytes under the same name.
    bucket.put(kept.to_string().as_str(), &mut &vec![3; 400_000][..]).await.unwrap();
    let error = journal.blob(kept).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("the store on NATS is damaged: the blob {kept} was changed; restore the bucket `flow_blobs_blobs`")
    );
    let chunks = format!("$O.flow_blobs_blobs.C.{}", bucket.info(lost.to_string()).await.unwrap().nuid);
    context.get_stream("OBJ_flow_blobs_blobs").await.unwrap().purge().filter(chunks).await.unwrap();
    let error = journal.blob(lost).unwrap_err().to_string();
    assert!(error.contains("4 of 4 parts of the blob"), "{error}");
    bucket.delete(lost.to_string()).await.unwrap();
    assert_eq!(journal.blob(lost), Err(JournalError::NoSuchBlob(lost)));
    assert_eq!(journal.blob(Digest([0; 32])), Err(JournalError::NoSuchBlob(Digest([0; 32]))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_would_lose_events_is_refused() {
    let server = Server::start();
    let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let config = Config {
        name: "FLOW_EVENTS_unsafe".to_owned(),
        subjects: vec!["flow.unsafe.ev.*".to_owned()],
        max_age: Duration::from_secs(3600),
        allow_direct: true,
        ..Config::default()
    };
    context.create_stream(config).await.unwrap();
    let connection = Connection::open(&settings(&server.url(), "unsafe")).unwrap();
    let error = JetStreamJournal::open(&connection, &Options::default()).unwrap_err().to_string();
    assert_eq!(
        error,
        "the store on NATS is not safe: the stream `FLOW_EVENTS_unsafe` is not as this program makes it: it discards old messages when it is full, \
         it deletes messages by age; mend its configuration, or use another namespace"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_need_three_servers() {
    let server = Server::start();
    let three = bus::nats::Settings { replicas: Some(3), ..settings(&server.url(), "three") };
    let error = JetStreamJournal::open(&Connection::open(&three).unwrap(), &Options::default()).unwrap_err().to_string();
    assert!(error.contains("the stream `FLOW_EVENTS_three`, kept by 3 servers, is refused"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_stream_is_said_and_the_run_goes_on_when_there_is_room() {
    let server = Server::start();
    let journal = open(&server.url(), "full");
    journal.append(&run("r"), events(1, 2)).await.unwrap();
    let admin = Admin::of(&server.url(), "full").await;
    let limited = |max_bytes| Config { max_bytes, ..admin.stream.cached_info().config.clone() };
    admin.context.update_stream(limited(20_000)).await.unwrap();
    let mut seq = 3;
    let error = loop {
        match journal.append(&run("r"), events(seq, seq + 9)).await {
            Ok(()) => seq += 10,
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("is full: the stream `FLOW_EVENTS_full` takes no more"), "{error}");
    assert_eq!(stored(&*journal, &run("r")), (1..seq).collect::<Vec<_>>());
    admin.context.update_stream(limited(-1)).await.unwrap();
    journal.append(&run("r"), events(seq, seq + 9)).await.unwrap();
    assert_eq!(stored(&*journal, &run("r")), (1..seq + 10).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_waits_for_a_server_that_comes_back() {
    let mut server = Server::start();
    let journal = open(&server.url(), "back");
    journal.append(&run("r"), events(1, 5)).await.unwrap();
    server.kill();
    let waiting: Vec<_> = (6..=20).map(|seq| journal.append(&run("r"), [event(seq)].into())).collect();
    server.restart();
    for result in futures::future::join_all(waiting).await {
        result.unwrap();
    }
    assert_eq!(stored(&*journal, &run("r")), (1..=20).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_gives_up_when_no_server_comes_back() {
    let mut server = Server::start();
    let options = Options { patience: Duration::from_millis(200), ..Options::default() };
    let journal = open_with(&server.url(), "gone", &options);
    journal.append(&run("r"), events(1, 5)).await.unwrap();
    server.kill();
    let late = [journal.append(&run("r"), events(6, 6)), journal.append(&run("r"), events(7, 7))];
    for result in futures::future::join_all(late).await {
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with("the store on NATS did not answer for") && error.contains("resume the run"), "{error}");
    }
    let error = journal.load(&run("r")).unwrap_err().to_string();
    assert!(error.starts_with("the store on NATS cannot be read"), "{error}");
    server.restart();
    let journal = open(&server.url(), "gone");
    let found = stored(&*journal, &run("r"));
    assert!((5..=7).contains(&found.len()), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_is_written_before_the_journal_closes() {
    let server = Server::start();
    let journal = open(&server.url(), "closing");
    for seq in 1..=50 {
        drop(journal.append(&run("r"), [event(seq)].into()));
    }
    drop(journal);
    assert_eq!(stored(&*open(&server.url(), "closing"), &run("r")).len(), 50);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_id_of_a_run_has_a_subject_of_its_own() {
    let server = Server::start();
    let journal = open(&server.url(), "ids");
    let ids = ["a.b", "a b", "*", ">", "ä", "a=2Eb", "A", "a"];
    for (count, id) in (1..).zip(ids) {
        journal.append(&run(id), events(1, count)).await.unwrap();
    }
    for (count, id) in (1..).zip(ids) {
        assert_eq!(stored(&*journal, &run(id)).len() as u64, count, "{id}");
    }
}

/// A long run is read in several parts, also when its messages are large.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_run_comes_back_in_order() {
    let server = Server::start();
    let journal = open(&server.url(), "long");
    for first in (1..3000).step_by(2) {
        drop(journal.append(&run("other"), events(first, first + 1)));
        journal.append(&run("r"), events(first, first + 1)).await.unwrap();
    }
    assert_eq!(stored(&*journal, &run("r")), (1..=3000).collect::<Vec<_>>());
    let large = |seq| {
        let mut event: Event = event(seq);
        if let EventBody::AttemptSucceeded { output, .. } = &mut event.body {
            *output = engine::event::Payload::Text(format!("\"{}\"", "x".repeat(15_000)).into());
        }
        event
    };
    journal.append(&run("large"), events(1, 1)).await.unwrap();
    for first in (2..1000).step_by(30) {
        journal.append(&run("large"), (first..first + 30).map(large).collect()).await.unwrap();
    }
    assert_eq!(stored(&*journal, &run("large")).len(), 1021);
}
