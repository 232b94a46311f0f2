//! The journal on JetStream against publishing the same messages bare, over one server and over three.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, stream};
use bus::nats::{Connection, JetStreamJournal, Options, Replica, Report, Settings};
use journal::SqliteJournal;
use testkit::nats::{Cluster, Server};

use crate::appends::{self, APPENDS, WRITERS};
use crate::median;
use crate::table::{Bound, Table};

/// Rounds, of which the middle counts.
const ROUNDS: usize = 5;

/// Times appends of many runs.
pub(crate) async fn measure(table: &mut Table) {
    let server = Server::start();
    let one = rounds(&[server.url()]).await;
    table.figure("floor: async-nats, the same messages, one server", "events/s", one.floor);
    table.bounded("(m) journal on JetStream, 64 runs, one server", "events/s", one.rate, Bound::Least(100_000.0));
    table.bounded("(m) to raw publishing", "x", one.ratio, Bound::Least(0.5));
    table.figure("a new replica takes in what is there", "events/s", taken_in(server.url()));
    drop(server);
    let cluster = Cluster::start();
    let three = rounds(&cluster.urls()).await;
    table.figure("floor: async-nats, the same messages, three servers", "events/s", three.floor);
    table.figure("journal on JetStream, 64 runs, three servers", "events/s", three.rate);
    table.bounded("(m) to raw publishing, three servers", "x", three.ratio, Bound::Least(0.5));
}

/// How fast a store on disk becomes the replica of what the last round has left.
fn taken_in(url: String) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteJournal::open(&folder.path().join("replica.db"), &journal::Options::default()).unwrap();
    let connection = Connection::open(&settings(&[url], ROUNDS - 1)).unwrap();
    let report: Report = Arc::new(|line: &str| panic!("{line}"));
    let started = Instant::now();
    drop(Replica::open(&connection, &store.follower().unwrap(), &report).unwrap());
    appends::EVENTS as f64 / started.elapsed().as_secs_f64()
}

fn settings(urls: &[String], round: usize) -> Settings {
    Settings {
        namespace: format!("bench{round}").parse().unwrap(),
        timeout: Duration::from_secs(10),
        ..Settings::new(urls.to_vec())
    }
}

struct Figures {
    floor: f64,
    rate: f64,
    ratio: f64,
}

async fn rounds(urls: &[String]) -> Figures {
    let (mut floors, mut rates, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let journal = JetStreamJournal::open(&Connection::open(&settings(urls, round)).unwrap(), &Options::default()).unwrap();
        let rate = appends::rate(Arc::new(journal)).await;
        let floor = floor(urls, round).await;
        floors.push(floor);
        rates.push(rate);
        ratios.push(rate / floor);
    }
    Figures { floor: median(floors), rate: median(rates), ratio: median(ratios) }
}

/// The same number of messages, with the text of one that the journal has stored, by as many who wait for each answer.
async fn floor(urls: &[String], round: usize) -> f64 {
    let client = async_nats::connect(urls).await.unwrap();
    let context = jetstream::new(client);
    let stored = context.get_stream(format!("FLOW_EVENTS_bench{round}")).await.unwrap();
    let message = stored.get_last_raw_message_by_subject(&format!("flow.bench{round}.ev.writer-0")).await.unwrap();
    let config = &stored.cached_info().config;
    let name = format!("FLOOR{round}");
    let (subjects, metadata) = (vec![format!("floor{round}.*")], Default::default());
    context.create_stream(stream::Config { name, subjects, metadata, ..config.clone() }).await.unwrap();
    let started = Instant::now();
    let writers = (0..WRITERS).map(|writer| {
        let (context, payload, subject) = (context.clone(), message.payload.clone(), format!("floor{round}.{writer}"));
        tokio::spawn(async move {
            for _ in 0..APPENDS {
                context.publish(subject.clone(), payload.clone()).await.unwrap().await.unwrap();
            }
        })
    });
    appends::rate_of(writers.collect(), started).await
}
