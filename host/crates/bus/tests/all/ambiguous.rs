//! Publishes whose fate the client does not know: a proxy loses answers, or requests, or cuts the connection.

use std::sync::Arc;
use std::time::Duration;

use bus::nats::{Connection, JetStreamJournal, Options};
use engine::event::EventBody;
use engine::ports::{Journal, JournalError};
use journal::conformance::{check_all, one_of_each};
use testkit::nats::{Proxy, Server, Way};

use crate::site::{Admin, event, events, eventually, open, run, settings, stored};

/// A journal whose connection goes through the proxy. What is lost is noticed after a short time, and tried again for a long one.
fn through(proxy: &Proxy, namespace: &str) -> Arc<JetStreamJournal> {
    let settings = bus::nats::Settings { timeout: Duration::from_millis(300), ..settings(&proxy.url(), namespace) };
    Arc::new(JetStreamJournal::open(&Connection::open(&settings).unwrap(), &Options::default()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_there_once() {
    let server = Server::start();
    let proxy = Proxy::before(server.port());
    let journal = through(&proxy, "answer");
    journal.append(&run("r"), events(1, 2)).await.unwrap();
    let admin = Admin::of(&server.url(), "answer").await;

    proxy.set(Way::Open, Way::Lost);
    let append = tokio::spawn(journal.append(&run("r"), events(3, 4)));
    admin.wait_for(&run("r"), 2).await;
    proxy.set(Way::Open, Way::Open);
    proxy.cut();
    append.await.unwrap().unwrap();
    journal.append(&run("r"), events(5, 6)).await.unwrap();
    assert_eq!(stored(&*journal, &run("r")), [1, 2, 3, 4, 5, 6]);
    assert_eq!(admin.messages(&run("r")).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_does_not_arrive_is_sent_again() {
    let server = Server::start();
    let proxy = Proxy::before(server.port());
    let journal = through(&proxy, "request");
    journal.append(&run("r"), events(1, 2)).await.unwrap();
    proxy.set(Way::Lost, Way::Open);
    let append = tokio::spawn(journal.append(&run("r"), events(3, 4)));
    // Long enough that it is given up and looked for at least once; what follows is right in any case.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(!append.is_finished());
    proxy.set(Way::Open, Way::Open);
    proxy.cut();
    append.await.unwrap().unwrap();
    assert_eq!(stored(&*journal, &run("r")), [1, 2, 3, 4]);
}

/// The request waits in the network so long that it is published again, and then arrives as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_arrives_late_is_there_once() {
    let server = Server::start();
    let proxy = Proxy::before(server.port());
    let journal = through(&proxy, "late");
    journal.append(&run("r"), events(1, 2)).await.unwrap();
    let admin = Admin::of(&server.url(), "late").await;
    for round in 0..5 {
        let first = 3 + round * 2;
        proxy.set(Way::Held, Way::Open);
        let append = tokio::spawn(journal.append(&run("r"), events(first, first + 1)));
        tokio::time::sleep(Duration::from_millis(400)).await;
        proxy.set(Way::Open, Way::Open);
        append.await.unwrap().unwrap();
    }
    assert_eq!(stored(&*journal, &run("r")), (1..=12).collect::<Vec<_>>());
    assert_eq!(admin.messages(&run("r")).await.len(), 6);
}

/// Somebody takes the run over while its owner does not know whether its last append was made: the owner is fenced, whatever was made.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_in_doubt_does_not_write_over_the_next_one() {
    let server = Server::start();
    for answers in [Way::Lost, Way::Open] {
        let namespace = if answers == Way::Lost { "taken-after" } else { "taken-before" };
        let proxy = Proxy::before(server.port());
        let (former, next) = (through(&proxy, namespace), open(&server.url(), namespace));
        former.append(&run("r"), events(1, 2)).await.unwrap();
        let admin = Admin::of(&server.url(), namespace).await;
        // Either the answer is lost or the request: the former owner cannot know which.
        proxy.set(if answers == Way::Lost { Way::Open } else { Way::Lost }, answers);
        let append = tokio::spawn(former.append(&run("r"), events(3, 3)));
        let before = if answers == Way::Lost { 2 } else { 1 };
        admin.wait_for(&run("r"), before).await;
        let mut seq = stored(&*next, &run("r")).len() as u64;
        assert_eq!(seq, if answers == Way::Lost { 3 } else { 2 });
        for _ in 0..2 {
            seq += 1;
            let body = EventBody::OwnerChanged { host: "next".into() };
            let taken = engine::event::Event { seq, body, ..event(seq) };
            next.append(&run("r"), [taken].into()).await.unwrap();
        }
        proxy.set(Way::Open, Way::Open);
        proxy.cut();
        let result = append.await.unwrap();
        assert!(matches!(result, Err(JournalError::Fenced { seq: 3, .. })), "{result:?}");
        let result = former.append(&run("r"), events(4, 4)).await;
        assert!(matches!(result, Err(JournalError::Fenced { seq: 4, .. })), "{result:?}");
        assert_eq!(stored(&*next, &run("r")), (1..=seq).collect::<Vec<_>>());
    }
}

/// As may happen around an election; an event of another owner in between is another matter.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_stored_twice_counts_once() {
    let server = Server::start();
    let journal = open(&server.url(), "twice");
    journal.append(&run("r"), events(1, 2)).await.unwrap();
    let admin = Admin::of(&server.url(), "twice").await;
    let again = admin.messages(&run("r")).await.remove(0);
    admin.add(&run("r"), &again).await;
    assert_eq!(stored(&*journal, &run("r")), [1, 2]);
    journal.append(&run("r"), events(3, 4)).await.unwrap();
    assert_eq!(stored(&*journal, &run("r")), [1, 2, 3, 4]);

    open(&server.url(), "twice").append(&run("r"), events(5, 5)).await.unwrap();
    let before = admin.messages(&run("r")).await.remove(2);
    admin.add(&run("r"), &before).await;
    let refused = journal.append(&run("r"), events(5, 6)).await.unwrap_err();
    assert!(matches!(refused, JournalError::Fenced { .. }), "{refused}");
}

/// Many runs, and a connection that is cut again and again: everything is there once, in order.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_cut_again_and_again_loses_nothing() {
    let server = Server::start();
    let proxy = Arc::new(Proxy::before(server.port()));
    let journal = through(&proxy, "cuts");
    let runs = 40;
    let work = |number: u64| {
        let journal = Arc::clone(&journal);
        tokio::spawn(async move {
            for seq in 1..=40 {
                journal.append(&run(&format!("r{number}")), [event(seq)].into()).await.unwrap();
            }
        })
    };
    let tasks: Vec<_> = (0..runs).map(work).collect();
    let mut cuts = 0;
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        // Sometimes answers are lost before the cut, sometimes requests, sometimes neither.
        match cuts % 3 {
            0 => proxy.set(Way::Open, Way::Lost),
            1 => proxy.set(Way::Lost, Way::Open),
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        proxy.set(Way::Open, Way::Open);
        proxy.cut();
        cuts += 1;
        tokio::time::sleep(Duration::from_millis(if cuts < 20 { 40 } else { 1000 })).await;
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert!(cuts > 1, "nothing was cut");
    for number in 0..runs {
        assert_eq!(stored(&*journal, &run(&format!("r{number}"))), (1..=40).collect::<Vec<_>>());
    }
}

/// The kit over a connection that never stays: every append may have to be looked for.
#[tokio::test(flavor = "multi_thread")]
async fn large_appends_survive_cuts_as_well() {
    let server = Server::start();
    let proxy = Proxy::before(server.port());
    let journal = through(&proxy, "large");
    let many = one_of_each().into_iter().cycle().skip(1).take(4000);
    let many = (2..).zip(many).map(|(seq, event)| engine::event::Event { seq, ..event });
    journal.append(&run("r"), events(1, 1)).await.unwrap();
    let append = tokio::spawn(journal.append(&run("r"), many.collect()));
    eventually("the append is made through cuts", async || {
        proxy.cut();
        tokio::time::sleep(Duration::from_millis(60)).await;
        append.is_finished()
    })
    .await;
    append.await.unwrap().unwrap();
    assert_eq!(stored(&*journal, &run("r")).len(), 4001);
}

/// The whole kit through a proxy that breaks nothing, so that the proxy itself is above suspicion.
#[tokio::test(flavor = "multi_thread")]
async fn the_kit_through_a_proxy() {
    let server = Server::start();
    let proxy = Proxy::before(server.port());
    let open = |name: &str| -> Arc<dyn Journal> { open(&proxy.url(), name) };
    assert_eq!(check_all(&open).await, []);
}
