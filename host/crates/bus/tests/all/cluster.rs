//! The journal on three servers.

use std::sync::Arc;
use std::time::Duration;

use bus::nats::{Connection, JetStreamJournal, Options, Settings};
use engine::ports::Journal;
use journal::conformance::check_all;
use testkit::nats::Cluster;

use crate::site::{event, run, settings, stored};

fn open(cluster: &Cluster, namespace: &str) -> Arc<JetStreamJournal> {
    let settings = Settings { servers: cluster.urls(), timeout: Duration::from_secs(5), ..settings("", namespace) };
    Arc::new(JetStreamJournal::open(&Connection::open(&settings).unwrap(), &Options::default()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kit() {
    let cluster = Cluster::start();
    let open = |name: &str| -> Arc<dyn Journal> { open(&cluster, name) };
    assert_eq!(check_all(&open).await, []);
}

/// One server after the other is killed under load and comes back: each event is there once, on three servers.
#[tokio::test(flavor = "multi_thread")]
async fn servers_that_die_in_turn_lose_nothing() {
    let mut cluster = Cluster::start();
    let journal = open(&cluster, "turns");
    let runs = 20;
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let work = |number: u64| {
        let (journal, stop) = (Arc::clone(&journal), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut seq = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                seq += 1;
                journal.append(&run(&format!("r{number}")), [event(seq)].into()).await.unwrap();
            }
            seq
        })
    };
    let tasks: Vec<_> = (0..runs).map(work).collect();
    for victim in 0..3 {
        cluster.servers[victim].kill();
        // Appends go on with two servers: as many as there are runs, at least.
        journal.append(&run(&format!("victim{victim}")), [event(1)].into()).await.unwrap();
        cluster.servers[victim].restart();
        cluster.wait_until_whole();
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    for (number, task) in tasks.into_iter().enumerate() {
        let last = task.await.unwrap();
        assert_eq!(stored(&*journal, &run(&format!("r{number}"))), (1..=last).collect::<Vec<_>>());
    }
}

/// A majority is needed: with one server of three nothing is written, and nothing is lost when the others return.
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_cluster_may_restart() {
    let mut cluster = Cluster::start();
    let journal = open(&cluster, "restart");
    for seq in 1..=10 {
        journal.append(&run("r"), [event(seq)].into()).await.unwrap();
    }
    cluster.servers.iter_mut().for_each(testkit::nats::Server::kill);
    let append = tokio::spawn(journal.append(&run("r"), [event(11)].into()));
    for server in &mut cluster.servers {
        server.restart();
    }
    cluster.wait_until_whole();
    append.await.unwrap().unwrap();
    assert_eq!(stored(&*journal, &run("r")), (1..=11).collect::<Vec<_>>());
}
