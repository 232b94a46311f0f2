//! What all tests start with: connections, journals, events, and an administrator.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Client;
use async_nats::jetstream::{self, stream};
use bus::nats::{Connection, JetStreamJournal, Options, Settings};
use catalog::Value;
use engine::event::{Attempt, Bill, Event, EventBody, Payload, RunId, TaskId, Timestamp};
use engine::ports::Journal;
use journal::conformance::one_of_each;

/// Settings with a namespace, and short times: what they bound is tried again.
pub(crate) fn settings(url: &str, namespace: &str) -> Settings {
    Settings {
        namespace: namespace.parse().unwrap(),
        timeout: Duration::from_millis(1000),
        ..Settings::new(vec![url.to_owned()])
    }
}

/// Returns when the server knows what this client has subscribed to: its flush ends before that, an answer comes after.
pub(crate) async fn listens(client: &Client) {
    jetstream::new(client.clone()).query_account().await.unwrap();
}

pub(crate) fn open(url: &str, namespace: &str) -> Arc<JetStreamJournal> {
    open_with(url, namespace, &Options::default())
}

pub(crate) fn open_with(url: &str, namespace: &str, options: &Options) -> Arc<JetStreamJournal> {
    let connection = Connection::open(&settings(url, namespace)).unwrap();
    Arc::new(JetStreamJournal::open(&connection, options).unwrap())
}

pub(crate) fn run(id: &str) -> RunId {
    RunId(id.into())
}

/// Event `seq` of a run that goes on for ever.
pub(crate) fn event(seq: u64) -> Event {
    if seq == 1 {
        return one_of_each().remove(0);
    }
    let attempt = Attempt { task: TaskId(seq), number: 1, path: format!("main/step[{seq}]").into() };
    let output = Payload::Value(Value::string(format!("result {seq}")));
    Event {
        seq,
        at: Timestamp(seq),
        body: EventBody::AttemptSucceeded { attempt, output, bill: Bill::default(), cache: None, host: None },
    }
}

/// These events of such a run.
pub(crate) fn events(from: u64, to: u64) -> Arc<[Event]> {
    (from..=to).map(event).collect()
}

/// The positions of a run's events as they are stored; fails when the chain does not hold.
pub(crate) fn stored(journal: &dyn Journal, run: &RunId) -> Vec<u64> {
    journal.load(run).unwrap().iter().map(|event| event.seq).collect()
}

/// An administrator's view of the stream of a namespace.
pub(crate) struct Admin {
    pub(crate) context: jetstream::Context,
    pub(crate) stream: stream::Stream,
    namespace: String,
}

impl Admin {
    pub(crate) async fn of(url: &str, namespace: &str) -> Self {
        let context = jetstream::new(async_nats::connect(url).await.unwrap());
        let stream = context.get_stream(format!("FLOW_EVENTS_{namespace}")).await.unwrap();
        Self { context, stream, namespace: namespace.to_owned() }
    }

    pub(crate) fn subject(&self, run: &RunId) -> String {
        format!("flow.{}.ev.{run}", self.namespace)
    }

    /// The messages of a run, as they are stored.
    pub(crate) async fn messages(&self, run: &RunId) -> Vec<String> {
        let (subject, mut next, mut found) = (self.subject(run), 1, Vec::new());
        let ask = |from| self.stream.raw_message_builder().sequence(from).next_by_subject(&subject).send();
        while let Ok(message) = ask(next).await {
            next = message.sequence + 1;
            found.push(String::from_utf8(message.payload.to_vec()).unwrap());
        }
        found
    }

    /// Puts these messages where those of the run were.
    pub(crate) async fn replace(&self, run: &RunId, messages: &[String]) {
        self.stream.purge().filter(self.subject(run)).await.unwrap();
        for message in messages {
            self.add(run, message).await;
        }
    }

    /// Puts a message after those of the run.
    pub(crate) async fn add(&self, run: &RunId, message: &str) {
        self.context.publish(self.subject(run), message.to_owned().into()).await.unwrap().await.unwrap();
    }

    /// Waits until a run has so many messages.
    pub(crate) async fn wait_for(&self, run: &RunId, count: usize) {
        eventually("the messages of a run are there", async || self.messages(run).await.len() >= count).await;
    }
}

/// Looks until it is so; a minute at most.
pub(crate) async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let begin = Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
