//! A store in a file that follows the streams of a namespace.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{self, stream::Stream};
use bus::nats::{Connection, Replica, Report};
use engine::event::{RunId, Timestamp};
use engine::ports::{Clock, MailWrite, Message, Signal, SystemClock};
use futures::StreamExt;
use journal::replica::{Change, Upstream};
use journal::wire::encode_change;
use journal::{DeployWrite, Options, SessionWrite, SqliteJournal};
use testkit::nats::Server;

use crate::site::{eventually, settings};

/// A host's store with its connection.
struct Host {
    journal: SqliteJournal,
    replica: Arc<Replica>,
    /// What its operator is told.
    said: Arc<Mutex<Vec<String>>>,
    _connection: Connection,
}

impl Host {
    /// One of which there is nothing to tell.
    fn open(server: &Server, namespace: &str, folder: &tempfile::TempDir) -> Self {
        let host = Self::told(server, namespace, folder);
        assert_eq!(*host.said.lock().unwrap(), [""; 0]);
        host
    }

    fn told(server: &Server, namespace: &str, folder: &tempfile::TempDir) -> Self {
        let connection = Connection::open(&settings(&server.url(), namespace)).unwrap();
        let journal = SqliteJournal::open(&folder.path().join("store.db"), &Options::default()).unwrap();
        let said: Arc<Mutex<Vec<String>>> = Arc::default();
        let hears = Arc::clone(&said);
        let report: Report = Arc::new(move |line: &str| hears.lock().unwrap().push(line.to_owned()));
        let replica = Replica::open(&connection, &journal.follower().unwrap(), &report).unwrap();
        Self { journal, replica, said, _connection: connection }
    }

    async fn write(&self, change: Change) {
        self.replica.write(change).await.unwrap();
    }

    fn versions(&self) -> Vec<u32> {
        self.journal.reader().deployments().unwrap().into_iter().map(|deployment| deployment.version).collect()
    }
}

/// An administrator's view of the stream of changes.
async fn mail_stream(server: &Server, namespace: &str) -> (jetstream::Context, Stream) {
    let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let stream = context.get_stream(format!("FLOW_MAIL_{namespace}")).await.unwrap();
    (context, stream)
}

fn deploy(name: &str) -> Change {
    Change::Deployment(DeployWrite::Put { name: name.to_owned(), document: "{}".to_owned(), topics: Vec::new() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_that_the_stream_has_twice_is_one_version() {
    let (server, folder, later) = (Server::start(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let host = Host::open(&server, "twice", &folder);
    let (context, mut stream) = mail_stream(&server, "twice").await;
    // As around an election, the server does not know any more that it has the message.
    let config = Config { duplicate_window: Duration::from_millis(100), ..stream.info().await.unwrap().config.clone() };
    context.update_stream(config).await.unwrap();
    let publish = async || {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, "the same");
        let text = encode_change(&deploy("daily"));
        let sent = context.publish_with_headers("flow.twice.mail.deployment", headers, text.into()).await.unwrap();
        !sent.await.unwrap().duplicate
    };
    assert!(publish().await);
    eventually("the server takes it a second time", async || publish().await).await;
    host.write(deploy("daily")).await;
    assert_eq!(host.versions(), [2, 1], "the copy is none");
    assert_eq!(stream.info().await.unwrap().state.messages, 3);
    let other = Host::open(&server, "twice", &later);
    assert_eq!(other.versions(), [2, 1]);
}

/// What is in a store beside events, without how far it is.
fn content(host: &Host) -> Vec<String> {
    let written = host.journal.follower().unwrap().standing(SystemClock.now()).unwrap();
    let mut lines: Vec<String> =
        written.text.lines().skip(1).filter(|line| !line.starts_with("[\"taken\"")).map(str::to_owned).collect();
    lines.sort();
    lines
}

fn signal(run: &str, id: &str) -> Change {
    let signal = Signal { name: "go".into(), id: id.into(), payload: "1".into() };
    Change::Mail(MailWrite::Signal(RunId(run.into()), signal))
}

fn message(id: usize) -> Change {
    Change::Mail(MailWrite::Publish(Message {
        topic: "news".into(),
        id: format!("m{id}").into(),
        payload: "1".into(),
        trace: None,
    }))
}

/// Much that is over, and something of each kind that is not.
async fn live(host: &Host) {
    let run = |id: &str| RunId(id.into());
    for id in ["ended", "waits"] {
        host.write(Change::Mail(MailWrite::Subscribe(run(id), vec!["news".into()]))).await;
        host.write(signal(id, "s")).await;
    }
    for id in 0..20 {
        host.write(message(id)).await;
        let mark = DeployWrite::Mark { name: "daily".to_owned(), item: "1".to_owned(), mark: Timestamp(id as u64), run: None };
        host.write(Change::Deployment(mark)).await;
    }
    host.write(deploy("daily")).await;
    host.write(deploy("gone")).await;
    host.write(Change::Deployment(DeployWrite::Remove("gone".to_owned()))).await;
    host.write(Change::Deployment(DeployWrite::Pause("daily".to_owned(), true))).await;
    let opened = SessionWrite::Open { id: "open".to_owned(), document: "{}".to_owned(), labels: BTreeMap::new() };
    host.write(Change::Session(opened)).await;
    host.write(Change::Mail(MailWrite::Forget(run("ended")))).await;
    host.write(Change::Mail(MailWrite::Waiting(run("waits"), Some("news".into())))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_shortened_still_makes_equal_replicas() {
    let server = Server::start();
    let folders: [tempfile::TempDir; 3] = std::array::from_fn(|_| tempfile::tempdir().unwrap());
    let host = Host::open(&server, "short", &folders[0]);
    host.write(deploy("daily")).await;
    // One host that is away from now on, with this much.
    let away = Host::open(&server, "short", &folders[1]);
    drop(away);
    live(&host).await;
    let (_, mut stream) = mail_stream(&server, "short").await;
    let before = stream.info().await.unwrap().state.messages;
    let shorten = async |keep: Duration| tokio::task::block_in_place(|| host.replica.shorten(keep)).unwrap();
    // What is new stays, however often that is asked for.
    for _ in 0..2 {
        let done = shorten(Duration::from_secs(3600)).await;
        assert_eq!(done.purged, 0, "{done:?}");
    }
    assert_eq!(stream.info().await.unwrap().state.messages, before + 1, "and where older changes are");
    host.write(signal("waits", "later")).await;
    let done = shorten(Duration::ZERO).await;
    assert!(done.purged >= before, "{done:?}");
    host.write(signal("waits", "last")).await;
    assert_eq!(stream.info().await.unwrap().state.messages, 2, "the last change, and where the others are");
    let expected = content(&host);
    assert!(expected.iter().any(|line| line.contains("\"later\"")) && expected.iter().any(|line| line.contains("\"open\"")));
    // Whoever comes later, and whoever comes back, have all of it.
    for folder in &folders[1..] {
        let other = Host::told(&server, "short", folder);
        assert_eq!(content(&other), expected);
        let said = other.said.lock().unwrap().clone();
        let away = folder.path() == folders[1].path();
        assert_eq!(
            said.iter().filter(|line| line.contains("this host was away for so long")).count(),
            usize::from(away),
            "{said:?}"
        );
    }
    // What nobody reads any more is gone.
    for round in 0..4 {
        host.write(message(100 + round)).await;
        shorten(Duration::ZERO).await;
    }
    let (context, _) = mail_stream(&server, "short").await;
    let mut blobs = context.get_stream("OBJ_flow_short_blobs").await.unwrap();
    let subjects = blobs.info_with_subjects("$O.flow_short_blobs.M.>").await;
    let mut subjects = subjects.unwrap();
    let mut count = 0;
    while subjects.next().await.is_some() {
        count += 1;
    }
    assert_eq!(count, 2, "the document, and the one before");
    drop(blobs.info().await);
}
