//! A store in a file that follows the streams of a namespace.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{self, stream::Stream};
use bus::nats::{Connection, Replica, Report};
use journal::replica::{Change, Upstream};
use journal::wire::encode_change;
use journal::{DeployWrite, Options, SqliteJournal};
use testkit::nats::Server;

use crate::site::{eventually, settings};

/// A host's store with its connection.
struct Host {
    journal: SqliteJournal,
    replica: Arc<Replica>,
    _connection: Connection,
}

impl Host {
    fn open(server: &Server, namespace: &str, folder: &tempfile::TempDir) -> Self {
        let connection = Connection::open(&settings(&server.url(), namespace)).unwrap();
        let journal = SqliteJournal::open(&folder.path().join("store.db"), &Options::default()).unwrap();
        let report: Report = Arc::new(|line: &str| panic!("{line}"));
        let replica = Replica::open(&connection, &journal.follower().unwrap(), &report).unwrap();
        Self { journal, replica, _connection: connection }
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
