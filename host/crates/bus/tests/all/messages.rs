//! Messages over NATS: between hosts, to and from other programs, and what is no message.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::{self, consumer::pull, stream};
use bus::nats::{Connection, DeadLetters, Delivery, NatsOutside};
use bus::{LocalBus, MemoryMail};
use engine::core::mail::MAX_PAYLOAD;
use engine::event::{RunId, Trace};
use engine::ports::{Bus, Letter, Mail, MailStore, MailWrite, Message};
use futures::StreamExt;
use serde_json::{Value as Json, json};
use testkit::nats::Server;

use crate::site::{eventually, listens, run, settings};

type Refusals = Arc<Mutex<Vec<(String, String)>>>;

/// A host: its bus, and the task that puts messages into inboxes.
struct Host {
    bus: LocalBus,
    mail: Arc<MemoryMail>,
    refused: Refusals,
    _delivery: Delivery,
    connection: Connection,
}

impl Host {
    fn start(server: &Server, mail: &Arc<MemoryMail>) -> Self {
        let connection = Connection::open(&settings(&server.url(), "x")).unwrap();
        let outside = NatsOutside::open(&connection).unwrap();
        let bus = LocalBus::new(Arc::clone(mail) as Arc<dyn MailStore>).with_outside(Arc::new(outside.clone()));
        let refused = Refusals::default();
        let (noted, to) = (Arc::clone(&refused), bus.clone());
        let note = move |subject: &str, why: &str| noted.lock().unwrap().push((subject.to_owned(), why.to_owned()));
        let delivery = outside.messages().deliver(&connection, to, Arc::new(note));
        Self { bus, mail: Arc::clone(mail), refused, _delivery: delivery, connection }
    }

    async fn listen(&self, run: &RunId, topic: &str) {
        self.bus.subscribe(run, vec![topic.into()]).await.unwrap();
    }

    fn letters(&self, run: &RunId) -> Vec<Message> {
        let message = |letter: Letter| match letter.mail {
            Mail::Message(message) => message,
            other => panic!("{other:?}"),
        };
        self.mail.letters(run, 0, 100_000).unwrap().into_iter().map(message).collect()
    }
}

fn message(topic: &str, id: &str, payload: &Json) -> Message {
    Message { topic: topic.into(), id: id.into(), payload: payload.to_string().into(), trace: None }
}

fn event(id: &str, data: &Json) -> String {
    json!({ "specversion": "1.0", "id": id, "source": "/shop", "type": "com.example.order", "data": data }).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_leave_and_come() {
    let server = Server::start();
    let host = Host::start(&server, &Arc::default());
    let client = async_nats::connect(server.url()).await.unwrap();
    let mut outside = client.subscribe("flow.x.event.orders.*").await.unwrap();
    listens(&client).await;
    host.listen(&run("r"), "orders.new").await;

    host.bus.publish(message("orders.new", "run1/main/emit", &json!({ "n": 1 }))).await.unwrap();
    // Sent again after a crash, say.
    host.bus.publish(message("orders.new", "run1/main/emit", &json!({ "n": 1 }))).await.unwrap();
    let sent = outside.next().await.unwrap();
    let seen: Json = serde_json::from_slice(&sent.payload).unwrap();
    assert_eq!((&seen["type"], &seen["source"]), (&json!("flowhost.message.v1"), &json!("/flowhost/x")));
    assert_eq!(
        (&seen["id"], &seen["subject"], &seen["data"]),
        (&json!("run1/main/emit"), &json!("orders.new"), &json!({ "n": 1 }))
    );
    let headers = sent.headers.unwrap();
    assert_eq!(headers.get("Nats-Msg-Id").unwrap().as_str(), "run1=2Fmain=2Femit");

    // From outside, twice.
    for _ in 0..2 {
        client.publish("flow.x.event.orders.new", event("a", &json!([1, 2.5])).into()).await.unwrap();
    }
    client.flush().await.unwrap();
    // What comes over two connections has no order of its own.
    eventually("it has come", async || host.letters(&run("r")).iter().any(|letter| &*letter.id == "/shop a")).await;
    host.bus.publish(message("orders.new", "run1/main/last", &json!("last"))).await.unwrap();
    eventually("all have come", async || host.letters(&run("r")).iter().any(|letter| &*letter.id == "run1/main/last")).await;
    let letters: Vec<_> =
        host.letters(&run("r")).into_iter().map(|letter| (letter.id.to_string(), letter.payload.to_string())).collect();
    let expected = [("run1/main/emit", "{\"n\":1}"), ("/shop a", "[1,2.5]"), ("run1/main/last", "\"last\"")];
    assert_eq!(letters, expected.map(|(id, payload)| (id.to_owned(), payload.to_owned())));
}

/// Two hosts with one store: each message is put into the inbox once, also when the one that does so dies; and in order as long as
/// it is the same host.
#[tokio::test(flavor = "multi_thread")]
async fn one_host_takes_messages_and_another_goes_on() {
    let server = Server::start();
    let mail: Arc<MemoryMail> = Arc::default();
    let hosts = [Host::start(&server, &mail), Host::start(&server, &mail)];
    hosts[0].listen(&run("r"), "t").await;
    for number in 0..50 {
        hosts[0].bus.publish(message("t", &format!("a{number}"), &json!(number))).await.unwrap();
    }
    eventually("the first ones are there", async || hosts[0].letters(&run("r")).len() == 50).await;
    let numbers =
        |host: &Host| host.letters(&run("r")).iter().map(|letter| letter.payload.parse().unwrap()).collect::<Vec<u32>>();
    assert_eq!(numbers(&hosts[0]), (0..50).collect::<Vec<_>>());
    let [first, second] = hosts;
    // Whichever took them: with both gone in turn, one is left.
    drop(first);
    for number in 50..100 {
        second.bus.publish(message("t", &format!("a{number}"), &json!(number))).await.unwrap();
    }
    eventually("the others are there", async || second.letters(&run("r")).len() == 100).await;
    let mut all = numbers(&second);
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
}

/// What is no message is refused by name, and what comes after it still arrives.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message() {
    let server = Server::start();
    let host = Host::start(&server, &Arc::default());
    host.listen(&run("r"), "t").await;
    let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    let cases = [
        ("t", "nonsense".to_owned(), "it is no CloudEvent in JSON"),
        ("t", String::new(), "it is no CloudEvent in JSON"),
        ("t", event("1", &json!(1)).replace("1.0", "0.1"), "its `specversion` is `0.1`"),
        ("t", event(&"x".repeat(2000), &json!(1)), "its `id` is empty or longer"),
        ("t", event("1", &json!(1)).replace("\"data\":1", "\"dat\":1"), "it has no `data`"),
        ("t", event("1", &json!("DEEP")).replace("\"DEEP\"", &deep), "its data cannot be taken"),
        (
            "t",
            event("1", &json!(1)).replace("\"data\":1", "\"dataref\":\"https://example.com/x\""),
            "its `dataref` is no `sha256:…`",
        ),
        (
            "t",
            event("1", &json!(1)).replace("\"data\":1", &format!("\"dataref\":\"sha256:{}\"", "0".repeat(64))),
            "there is no object",
        ),
        ("t", event("1", &json!(1)).replace("\"data\":1", "\"data_base64\":\"AA==\""), "it has no `data`"),
        ("t", event("1", &json!(1)).replace("{", "{\"datacontenttype\":\"application/xml\","), "only JSON is read here"),
        ("a=2fb", event("1", &json!(1)), "its subject is another way"),
        ("spät", event("1", &json!(1)), "its subject is not written as a topic is"),
        (&"long".repeat(100), event("1", &json!(1)), "the topic is longer than 256 bytes"),
    ];
    for (topic, text, _) in &cases {
        context.publish(format!("flow.x.event.{topic}"), text.clone().into()).await.unwrap().await.unwrap();
    }
    context.publish("flow.x.event.t", event("good", &json!(null)).into()).await.unwrap().await.unwrap();
    eventually("the good one is there", async || !host.letters(&run("r")).is_empty()).await;
    assert_eq!(host.letters(&run("r")), [message("t", "/shop good", &json!(null))]);
    let refused = host.refused.lock().unwrap().clone();
    assert_eq!(refused.len(), cases.len(), "{refused:?}");
    for ((topic, _, why), (subject, said)) in cases.iter().zip(&refused) {
        assert_eq!(*subject, format!("flow.x.event.{topic}"));
        assert!(said.contains(why), "{said}, expected: {why}");
    }
    let dead = DeadLetters::open(&host.connection).unwrap().list(&host.connection).unwrap();
    let dead: Vec<_> = dead.into_iter().map(|letter| (letter.subject, letter.why)).collect();
    assert_eq!(dead, refused);
}

/// A message that is too large for one of NATS is an object, which others read as the page says.
#[tokio::test(flavor = "multi_thread")]
async fn large_messages() {
    let server = Server::start();
    let host = Host::start(&server, &Arc::default());
    host.listen(&run("r"), "t").await;
    let client = async_nats::connect(server.url()).await.unwrap();
    let mut outside = client.subscribe("flow.x.event.t").await.unwrap();
    listens(&client).await;
    let large = json!("x".repeat(MAX_PAYLOAD - 2));
    host.bus.publish(message("t", "run/main/big", &large)).await.unwrap();
    let seen: Json = serde_json::from_slice(&outside.next().await.unwrap().payload).unwrap();
    let place = seen["dataref"].as_str().unwrap();
    assert!(seen.get("data").is_none() && place.starts_with("sha256:"), "{seen}");
    let bucket = jetstream::new(client).get_object_store("flow_x_blobs").await.unwrap();
    assert_eq!(bucket.info(place).await.unwrap().size, MAX_PAYLOAD);
    eventually("it is there", async || !host.letters(&run("r")).is_empty()).await;
    let mut letters = host.letters(&run("r"));
    // It is in the trace that the event outside says.
    let trace = letters.iter_mut().find_map(|letter| letter.trace.take());
    assert_eq!(trace.as_ref().map(Trace::text), seen["traceparent"].as_str());
    assert!(trace.is_some() && letters == [message("t", "run/main/big", &large)]);
}

/// Messages wait for servers that are away, and for hosts that are not there.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_server_is_away() {
    let mut server = Server::start();
    let mail: Arc<MemoryMail> = Arc::default();
    let host = Host::start(&server, &mail);
    host.listen(&run("r"), "t").await;
    host.bus.publish(message("t", "before", &json!(1))).await.unwrap();
    server.kill();
    let sent = tokio::spawn(host.bus.publish(message("t", "meanwhile", &json!(2))));
    server.restart();
    sent.await.unwrap().unwrap();
    eventually("both are there", async || host.letters(&run("r")).len() == 2).await;
    drop(host);
    let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    context.publish("flow.x.event.t", event("late", &json!(3)).into()).await.unwrap().await.unwrap();
    let host = Host::start(&server, &mail);
    eventually("the third is there", async || host.letters(&run("r")).len() == 3).await;
    let ids: Vec<_> = host.letters(&run("r")).into_iter().map(|letter| letter.id.to_string()).collect();
    assert_eq!(ids, ["before", "meanwhile", "/shop late"]);
}

/// Ten thousand mailboxes, each with a topic of its own, and one consumer for all.
#[tokio::test(flavor = "multi_thread")]
async fn mailboxes_cost_no_consumers() {
    const MAILBOXES: usize = 10_000;
    let server = Server::start();
    let host = Host::start(&server, &Arc::default());
    let inbox = |number: usize| run(&format!("r{number}"));
    for number in 0..MAILBOXES {
        let topics = vec![format!("agents.{number}").as_str().into(), "agents.all".into()];
        host.mail.write_mail(MailWrite::Subscribe(inbox(number), topics)).await.unwrap();
    }
    for number in (0..MAILBOXES).step_by(100) {
        host.bus.publish(message(&format!("agents.{number}"), &format!("to{number}"), &json!(number))).await.unwrap();
    }
    host.bus.publish(message("agents.all", "all", &json!("all"))).await.unwrap();
    eventually("everybody has mail", async || !host.letters(&inbox(MAILBOXES - 1)).is_empty()).await;
    for number in 0..MAILBOXES {
        let ids: Vec<_> = host.letters(&inbox(number)).into_iter().map(|letter| letter.id.to_string()).collect();
        let own = number.is_multiple_of(100).then(|| format!("to{number}"));
        assert_eq!(ids, own.into_iter().chain(["all".to_owned()]).collect::<Vec<_>>());
    }
    let context = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let mut stream: stream::Stream = context.get_stream("FLOW_MESSAGES_x").await.unwrap();
    assert_eq!(stream.info().await.unwrap().state.consumer_count, 1);
    let consumer = stream.get_consumer::<pull::Config>("inboxes").await.unwrap();
    assert!(consumer.cached_info().config.ack_wait > Duration::from_secs(10));
}
