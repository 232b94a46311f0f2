//! Questions over NATS: agents of other programs, good and bad, and agents of hosts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_nats::{Client, Message, Subscriber};
use bus::nats::{Connection, NatsAgents, RoleServer, Served};
use bus::{Agent, Agents, LocalBus, MemoryMail, Outside};
use catalog::{Digest, FailureKind, Type, Value};
use engine::event::Failure;
use engine::ports::{Bus, Callee, Invocation, Invoker, JournalError, Limits, Outcome, Question};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use lang::plan::RoleRef;
use serde_json::{Value as Json, json};
use testkit::nats::Server;
use tokio::sync::mpsc;

use crate::site::{eventually, listens, settings};

/// `role grader(text: string, strict: bool) -> s64`
fn role() -> Arc<RoleRef> {
    let params = vec![("text".into(), Type::String), ("strict".into(), Type::Bool)];
    Arc::new(RoleRef { name: "grader".into(), params, result: Type::S64, output: Type::S64 })
}

fn question(number: u32) -> Question {
    Question {
        role: role(),
        args: vec![Value::string("a \"text\""), Value::Bool(true)],
        limits: Limits { timeout: Duration::from_secs(30), ..Limits::default() },
        idempotency_key: "run1/main/grade".into(),
        number,
        previous_failure: None,
        trace: None,
    }
}

fn hasty(number: u32) -> Question {
    let question = question(number);
    Question { limits: Limits { timeout: Duration::from_millis(300), ..question.limits }, ..question }
}

fn agents(server: &Server) -> NatsAgents {
    NatsAgents::new(&Connection::open(&settings(&server.url(), "x")).unwrap())
}

/// A program that listens for the role, as anybody may.
struct Stranger {
    client: Client,
    questions: Subscriber,
    cancels: Subscriber,
}

impl Stranger {
    async fn listen(server: &Server) -> Self {
        let client = async_nats::connect(server.url()).await.unwrap();
        let questions = client.queue_subscribe("flow.x.agent.grader", "agents".to_owned()).await.unwrap();
        let cancels = client.subscribe("flow.x.agent.grader.cancel").await.unwrap();
        listens(&client).await;
        Self { client, questions, cancels }
    }

    async fn next(&mut self) -> (Json, Message) {
        let message = tokio::time::timeout(Duration::from_secs(60), self.questions.next()).await.unwrap().unwrap();
        (serde_json::from_slice(&message.payload).unwrap(), message)
    }

    async fn send(&self, to: &Message, text: impl Into<String>) {
        self.client.publish(to.reply.clone().unwrap(), text.into().into()).await.unwrap();
        self.client.flush().await.unwrap();
    }
}

fn event(kind: &str, data: &Json) -> String {
    let kind = format!("flowhost.task.{kind}.v1");
    json!({ "specversion": "1.0", "id": "1", "source": "/test", "type": kind, "data": data }).to_string()
}

fn failed(outcome: &Outcome) -> (FailureKind, &str) {
    let failure = outcome.result.as_ref().unwrap_err();
    (failure.kind, &failure.message)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_answers() {
    let server = Server::start();
    let mut stranger = Stranger::listen(&server).await;
    let failure = Failure { kind: FailureKind::Network, message: "gone".to_owned(), details: None, retry_after: Some(20) };
    let asked = tokio::spawn(agents(&server).ask(Question { previous_failure: Some(failure), ..question(2) }));
    let (seen, message) = stranger.next().await;
    assert_eq!(seen["specversion"], "1.0");
    assert_eq!((&seen["type"], &seen["source"]), (&json!("flowhost.task.assignment.v1"), &json!("/flowhost/x")));
    assert_eq!((&seen["id"], &seen["subject"]), (&json!("run1/main/grade#2"), &json!("run1/main/grade")));
    let data = &seen["data"];
    assert_eq!(data["args"], json!({ "text": "a \"text\"", "strict": true }));
    assert_eq!(
        (&data["task_id"], &data["run"], &data["path"]),
        (&json!("run1/main/grade"), &json!("run1"), &json!("main/grade"))
    );
    assert_eq!((&data["role"], &data["attempt"], &data["timeout_seconds"]), (&json!("grader"), &json!(2), &json!(30)));
    let before = json!({ "kind": "network", "message": "gone", "details": null, "retry_after": "20ms" });
    assert_eq!(data["previous_failure"], before);
    let trace = message.headers.as_ref().unwrap().get("traceparent").unwrap().as_str();
    assert_eq!(seen["traceparent"], trace);
    assert_eq!(message.headers.as_ref().unwrap().get("content-type").unwrap().as_str(), "application/cloudevents+json");

    stranger
        .send(
            &message,
            event("progress", &json!({ "task_id": "run1/main/grade", "progress": { "percentage": 50, "note": "half" } })),
        )
        .await;
    stranger
        .send(&message, event("completion", &json!({ "task_id": "run1/main/grade", "attempt": 2, "value": 7, "extra": {} })))
        .await;
    // Nobody listens to a second answer.
    stranger.send(&message, event("completion", &json!({ "task_id": "run1/main/grade", "attempt": 2, "value": 8 }))).await;
    let outcome = asked.await.unwrap();
    assert_eq!(outcome.result.unwrap(), Value::S64(7));
    assert_eq!(outcome.log, ["50 % half"]);
    assert!(outcome.bill.bytes_in > 10 && outcome.bill.bytes_out > 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_fails() {
    let server = Server::start();
    let mut stranger = Stranger::listen(&server).await;
    let asked = tokio::spawn(agents(&server).ask(question(1)));
    let (_, message) = stranger.next().await;
    let failure = json!({ "kind": "invalid_input", "message": "no", "details": { "line": 3 }, "retry_after": "5s" });
    stranger
        .send(
            &message,
            event("failure", &json!({ "task_id": "run1/main/grade", "failure": failure, "escalation_required": true })),
        )
        .await;
    let failure = asked.await.unwrap().result.unwrap_err();
    assert_eq!((failure.kind, failure.message.as_str(), failure.retry_after), (FailureKind::InvalidInput, "no", Some(5000)));
    assert_eq!(*failure.details.unwrap(), json!({ "line": 3 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens() {
    let server = Server::start();
    let outcome = agents(&server).ask(question(1)).await;
    let (kind, message) = failed(&outcome);
    assert_eq!(kind, FailureKind::Dependency);
    assert!(message.starts_with("no agent has the role `grader`: nobody listens to `flow.x.agent.grader`;"), "{message}");
}

/// Answers that are none: each fails the attempt at once, with what is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn bad_answers() {
    let server = Server::start();
    let mut stranger = Stranger::listen(&server).await;
    let agents = agents(&server);
    let task = "run1/main/grade";
    let completion = |data: Json| event("completion", &data);
    for (answer, why) in [
        (String::new(), "it is no CloudEvent in JSON"),
        ("\u{0}\u{1}nonsense".to_owned(), "it is no CloudEvent in JSON"),
        ("[".repeat(100_000), "it is no CloudEvent in JSON"),
        ("null".to_owned(), "it is no CloudEvent in JSON"),
        (completion(json!({ "task_id": task, "value": 1 })).replace("1.0", "2.0"), "its `specversion` is `2.0`"),
        (completion(json!({ "task_id": task, "value": 1 })).replace(".v1", ".v2"), "version `2`, and version 1 is read here"),
        (completion(json!({ "task_id": task, "value": 1 })).replace("task.completion", "message"), "is no answer to a question"),
        (completion(json!({ "task_id": task, "value": "seven" })), "its `value` is no `s64`"),
        (completion(json!({ "task_id": task, "value": 1e30 })), "its `value` is no `s64`"),
        (completion(json!({ "task_id": task })), "missing field `value`"),
        (completion(json!({ "value": 1 })), "missing field `task_id`"),
        (completion(json!({ "task_id": "other", "value": 1 })), "it answers the task `other`"),
        (completion(json!({ "task_id": task, "attempt": 9, "value": 1 })), "was asked about another"),
        (event("failure", &json!({ "task_id": task })), "missing field `failure`"),
        (event("progress", &json!({ "task_id": task, "progress": "half" })), "its `data` is not that"),
        (
            json!({ "specversion": "1.0", "id": "1", "source": "s", "type": "flowhost.task.completion.v1" }).to_string(),
            "it has no `data`",
        ),
    ] {
        let asked = tokio::spawn(agents.ask(question(1)));
        let (_, message) = stranger.next().await;
        stranger.send(&message, answer.clone()).await;
        let outcome = asked.await.unwrap();
        let (kind, message) = failed(&outcome);
        assert_eq!(kind, FailureKind::Dependency, "{message}");
        assert!(message.starts_with("the agent with the role `grader` does not answer as it should: "), "{message}");
        assert!(message.contains(why), "{message}, expected: {why}");
        assert!(message.len() < 1000, "{}", message.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes() {
    let server = Server::start();
    let mut stranger = Stranger::listen(&server).await;
    let agents = agents(&server);
    let huge = Question { args: vec![Value::string("x".repeat(2 << 20)), Value::Bool(true)], ..question(1) };
    let outcome = agents.ask(huge).await;
    let (kind, message) = failed(&outcome);
    assert_eq!(kind, FailureKind::Resource);
    assert!(message.starts_with("the question to the role `grader` has 2097"), "{message}");

    let small = question(1);
    let small = Question { limits: Limits { result_size: 1000, ..small.limits }, ..small };
    let asked = tokio::spawn(agents.ask(small));
    let (_, message) = stranger.next().await;
    stranger
        .send(&message, event("completion", &json!({ "task_id": "run1/main/grade", "value": 1, "pad": "x".repeat(1000) })))
        .await;
    let outcome = asked.await.unwrap();
    let (kind, message) = failed(&outcome);
    assert_eq!(kind, FailureKind::Resource);
    assert!(message.contains("and 1000 are permitted"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_who_never_answers_is_told_that_nobody_waits() {
    let server = Server::start();
    let mut stranger = Stranger::listen(&server).await;
    let agents = agents(&server);
    let outcome = agents.ask(hasty(3)).await;
    let (kind, message) = failed(&outcome);
    assert_eq!(kind, FailureKind::Timeout);
    assert_eq!(message, "no agent with the role `grader` has answered within 300ms");
    let cancel: Json = serde_json::from_slice(&stranger.cancels.next().await.unwrap().payload).unwrap();
    assert_eq!(cancel["type"], "flowhost.task.cancel.v1");
    assert_eq!(cancel["data"], json!({ "task_id": "run1/main/grade", "attempt": 3, "reason": "timeout" }));
    // What comes now reaches nobody, and harms nothing.
    let (_, late) = stranger.next().await;
    stranger.send(&late, event("completion", &json!({ "task_id": "run1/main/grade", "value": 1 }))).await;

    let asked = agents.ask(question(4));
    let (_, message) = stranger.next().await;
    drop(asked);
    let cancel: Json = serde_json::from_slice(&stranger.cancels.next().await.unwrap().payload).unwrap();
    assert_eq!(cancel["data"], json!({ "task_id": "run1/main/grade", "attempt": 4, "reason": "cancelled" }));
    stranger.send(&message, "anything").await;
}

/// Grades a text by its length; one that begins with `wait` never, and `fail` not at all.
#[derive(Default)]
struct Grader {
    calls: AtomicU32,
    stopped: Arc<AtomicU32>,
}

/// Counts what is given up.
struct Stopped(Arc<AtomicU32>);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Invoker for Grader {
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Outcome> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let stopped = Arc::clone(&self.stopped);
        async move {
            let Some(Value::String(text)) = invocation.args.first() else { panic!("{invocation:?}") };
            if text.starts_with("wait") {
                let _stopped = Stopped(stopped);
                futures::future::pending::<()>().await;
            }
            let result = if text.starts_with("fail") {
                Err(Failure { kind: FailureKind::Logic, message: "not good".to_owned(), details: None, retry_after: None })
            } else if text.starts_with("big") {
                Ok(Value::string("x".repeat(2 << 20)))
            } else {
                Ok(Value::S64(i64::try_from(text.len()).unwrap()))
            };
            Outcome::new(result)
        }
        .boxed()
    }
}

fn served(grader: &Arc<Grader>) -> (Arc<dyn Invoker>, Vec<Served>) {
    let RoleRef { name, params, result, .. } = &*role();
    let function = Arc::new(Callee {
        component: Digest([0; 32]),
        interface: None,
        wit_name: "grade".to_owned(),
        params: params.clone(),
        result: result.clone(),
    });
    (Arc::clone(grader) as Arc<dyn Invoker>, vec![Served { role: name.clone(), agent: Agent { function, grants: Vec::new() } }])
}

fn answer(server: &Server, grader: &Arc<Grader>, parallel: u32) -> tokio::task::JoinHandle<()> {
    let connection = Connection::open(&settings(&server.url(), "x")).unwrap();
    let (invoker, roles) = served(grader);
    let answering = RoleServer::open(&connection, invoker, roles, Limits::default(), parallel).unwrap();
    tokio::spawn(async move {
        let _open = connection;
        answering.run().await;
    })
}

fn about(text: &str, number: u32) -> Question {
    Question { args: vec![Value::string(text), Value::Bool(false)], ..question(number) }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_answer_for_their_roles() {
    let server = Server::start();
    let graders = [Arc::new(Grader::default()), Arc::new(Grader::default())];
    let _hosts = graders.each_ref().map(|grader| answer(&server, grader, 4));
    let agents = agents(&server);
    let asked = (0..40).map(|number| agents.ask(about(&"x".repeat(number), 1)));
    let answers: Vec<_> = futures::future::join_all(asked).await.into_iter().map(|outcome| outcome.result.unwrap()).collect();
    assert_eq!(answers, (0..40).map(Value::S64).collect::<Vec<_>>());
    let calls = graders.each_ref().map(|grader| grader.calls.load(Ordering::SeqCst));
    assert_eq!(calls.iter().sum::<u32>(), 40, "each question goes to one of them");
    assert!(calls.iter().all(|calls| *calls > 0), "{calls:?}");

    let outcome = agents.ask(about("fail", 1)).await;
    assert_eq!(failed(&outcome), (FailureKind::Logic, "not good"));
    assert_eq!(outcome.log, ["0 % begun"]);
    let outcome = agents.ask(about("big", 1)).await;
    assert_eq!(failed(&outcome).0, FailureKind::Resource);
    // A role with other parameters.
    let params = vec![("text".into(), Type::String)];
    let other = Arc::new(RoleRef { name: "grader".into(), params, result: Type::S64, output: Type::S64 });
    let outcome = agents.ask(Question { role: other, args: vec![Value::string("x")], ..question(1) }).await;
    let (kind, message) = failed(&outcome);
    assert_eq!(kind, FailureKind::InvalidInput);
    assert!(message.contains("its `args` do not fit") && message.contains("strict"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_stops_what_nobody_waits_for() {
    let server = Server::start();
    let grader = Arc::new(Grader::default());
    let _host = answer(&server, &grader, 1);
    let agents = agents(&server);
    let client = async_nats::connect(server.url()).await.unwrap();
    let mut cancels = client.subscribe("flow.x.agent.grader.cancel").await.unwrap();
    listens(&client).await;
    let first = agents.ask(about("wait", 1));
    eventually("the first one begins", async || grader.calls.load(Ordering::SeqCst) == 1).await;
    // The second waits for its place, and is taken back before it has it.
    let second = agents.ask(Question { idempotency_key: "run2/main/grade".into(), ..about("wait", 1) });
    drop(second);
    let taken_back: Json = serde_json::from_slice(&cancels.next().await.unwrap().payload).unwrap();
    assert_eq!(taken_back["data"]["task_id"], "run2/main/grade");
    drop(first);
    eventually("the first one is stopped", async || grader.stopped.load(Ordering::SeqCst) == 1).await;
    assert_eq!(agents.ask(about("four", 2)).await.result.unwrap(), Value::S64(4));
    assert_eq!(grader.calls.load(Ordering::SeqCst), 2);
}

/// A host that serves a role is asked nonsense: it goes on, and who waits for an answer is told.
#[tokio::test(flavor = "multi_thread")]
async fn bad_questions() {
    let server = Server::start();
    let grader = Arc::new(Grader::default());
    let _host = answer(&server, &grader, 4);
    let client = async_nats::connect(server.url()).await.unwrap();
    let good =
        json!({ "task_id": "t", "attempt": 1, "deadline": "2999-01-01T00:00:00Z", "args": { "text": "x", "strict": true } });
    for (text, why) in [
        ("nonsense".to_owned(), "no CloudEvent"),
        (event("assignment", &json!({})), "missing field"),
        (event("completion", &good), "it is no `flowhost.task.assignment`"),
        (event("assignment", &good).replace(".v1", ".v7"), "version `7`"),
        (event("assignment", &good).replace("2999-01-01T00:00:00Z", "soon"), "its `deadline` is no time"),
        (event("assignment", &good).replace("true", "\"yes\""), "its `args` do not fit: `strict`"),
        (event("assignment", &good).replace("true", "true,\"more\":1"), "its `args` do not fit"),
    ] {
        let reply = client.request("flow.x.agent.grader", text.clone().into()).await.unwrap();
        let reply: Json = serde_json::from_slice(&reply.payload).unwrap();
        assert_eq!(reply["type"], "flowhost.task.failure.v1", "{text}");
        assert_eq!(reply["data"]["failure"]["kind"], "invalid_input");
        let message = reply["data"]["failure"]["message"].as_str().unwrap();
        assert!(message.contains(why), "{message}, expected: {why}");
    }
    // What is over, what nobody waits for, and nonsense about cancelling: nothing happens.
    client.publish("flow.x.agent.grader", event("assignment", &good).into()).await.unwrap();
    client.publish("flow.x.agent.grader.cancel", "nonsense".into()).await.unwrap();
    let over = event("assignment", &good).replace("2999", "1999");
    client.publish_with_reply("flow.x.agent.grader", "nowhere", over.into()).await.unwrap();
    assert_eq!(agents(&server).ask(about("four", 1)).await.result.unwrap(), Value::S64(4));
    assert_eq!(grader.calls.load(Ordering::SeqCst), 1);
}

/// Reaches nobody, and notes who was asked.
struct Noted(mpsc::UnboundedSender<String>);

impl Outside for Noted {
    fn ask(&self, question: Question) -> BoxFuture<'static, Outcome> {
        self.0.send(question.role.name.to_string()).unwrap();
        let failure = Failure { kind: FailureKind::Dependency, message: "outside".to_owned(), details: None, retry_after: None };
        let outcome = Outcome::new(Err(failure));
        futures::future::ready(outcome).boxed()
    }

    fn publish(&self, message: engine::ports::Message) -> BoxFuture<'static, Result<(), JournalError>> {
        self.0.send(message.topic.to_string()).unwrap();
        futures::future::ready(Ok(())).boxed()
    }
}

#[tokio::test]
async fn agents_of_the_process_come_first() {
    let (sender, mut asked) = mpsc::unbounded_channel();
    let (invoker, roles) = served(&Arc::new(Grader::default()));
    let here = roles.into_iter().map(|served| (served.role, served.agent)).collect::<BTreeMap<_, _>>();
    let bus = LocalBus::new(Arc::new(MemoryMail::new())).with_outside(Arc::new(Noted(sender)));
    assert_eq!(failed(&bus.ask(about("four", 1)).await).1, "outside");
    let bus = bus.with_agents(Agents::new(invoker, here));
    assert_eq!(bus.ask(about("four", 1)).await.result.unwrap(), Value::S64(4));
    bus.publish(engine::ports::Message { topic: "t".into(), id: "1".into(), payload: "1".into(), trace: None }).await.unwrap();
    drop(bus);
    assert_eq!((asked.recv().await, asked.recv().await, asked.recv().await), (Some("grader".into()), Some("t".into()), None));
}
