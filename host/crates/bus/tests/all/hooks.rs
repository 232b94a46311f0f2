//! Hooks that programs on the cluster handle, well and badly.

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, Subscriber};
use bus::nats::{Connection, DeadLetters, Delivery, HookBook, HookCall, HookLog, HookRule, HookTries, NatsAgents, NatsHooks};
use catalog::{FailureKind, Type, Value};
use engine::ports::{Limits, Outcome, Question};
use futures::StreamExt;
use lang::plan::RoleRef;
use serde_json::{Value as Json, json};
use testkit::nats::Server;

use crate::site::{eventually, listens, settings};

/// What a step asks of the hook `gate`.
fn question(role: &str, run: &str) -> Question {
    let names = ["run", "flow", "path", "step", "args", "number"];
    let ty = |name: &str| if name == "number" { Type::U32 } else { Type::String };
    let params = names.iter().map(|name| ((*name).into(), ty(name))).collect();
    let role = Arc::new(RoleRef { name: role.into(), params, result: Type::Unit, output: Type::Unit });
    let args = [run, "main", "main/find", "search.find", "{\"word\":\"x\"}"].map(Value::string);
    Question {
        role,
        args: args.into_iter().chain([Value::U32(1)]).collect(),
        limits: Limits { timeout: Duration::from_secs(30), ..Limits::default() },
        idempotency_key: format!("{run}/main/find.before[0]").as_str().into(),
        number: 1,
        previous_failure: None,
        trace: None,
    }
}

fn event(kind: &str, data: &Json) -> String {
    let kind = format!("flowhost.hook.{kind}.v1");
    json!({ "specversion": "1.0", "id": "1", "source": "/test", "type": kind, "data": data }).to_string()
}

/// Somebody who handles hooks.
struct Handler {
    client: Client,
    calls: Subscriber,
}

impl Handler {
    async fn listen(server: &Server, subject: &str) -> Self {
        let client = async_nats::connect(server.url()).await.unwrap();
        let calls = client.subscribe(subject.to_owned()).await.unwrap();
        listens(&client).await;
        Self { client, calls }
    }

    /// Takes the next call, and says this.
    async fn answer(&mut self, text: &str) -> Json {
        let call = tokio::time::timeout(Duration::from_secs(60), self.calls.next()).await.unwrap().unwrap();
        self.client.publish(call.reply.clone().unwrap(), text.to_owned().into()).await.unwrap();
        self.client.flush().await.unwrap();
        serde_json::from_slice(&call.payload).unwrap()
    }
}

fn failed(outcome: &Outcome) -> (FailureKind, &str) {
    let failure = outcome.result.as_ref().unwrap_err();
    (failure.kind, &failure.message)
}

fn variant(case: &str, text: &str) -> Value {
    Value::Variant(case.into(), Some(Value::string(text).into()))
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts() {
    let server = Server::start();
    let connection = Connection::open(&settings(&server.url(), "x")).unwrap();
    NatsHooks::open(&connection).unwrap();
    let agents = NatsAgents::new(&connection);
    let mut handler = Handler::listen(&server, "flow.x.hook.before.step.gate").await;
    let verdict = |data: Json| event("verdict", &data);
    for (text, expected) in [
        (verdict(json!({ "verdict": "allow" })), Value::Variant("allow".into(), None)),
        (verdict(json!({ "verdict": "veto", "reason": "no", "more": 1 })), variant("veto", "no")),
        (verdict(json!({ "verdict": "veto" })), variant("veto", "it said no")),
        (verdict(json!({ "verdict": "rewrite", "document": { "word": "y" } })), variant("rewrite", "{\"word\":\"y\"}")),
    ] {
        let asked = tokio::spawn(agents.ask(question("hook.before.step.gate", "r1")));
        let seen = handler.answer(&text).await;
        assert_eq!(seen["type"], "flowhost.hook.before.v1");
        let data = &seen["data"];
        assert_eq!((&data["hook"], &data["args"], &data["number"]), (&json!("gate"), &json!({ "word": "x" }), &json!(1)));
        assert_eq!(data["task_id"], "r1/main/find.before[0]");
        assert_eq!(asked.await.unwrap().result.unwrap(), expected);
    }
    for (text, why) in [
        ("nonsense".to_owned(), "no CloudEvent"),
        (verdict(json!({ "verdict": "allow" })).replace(".v1", ".v3"), "version `3`"),
        (event("done", &json!({})), "is no `flowhost.hook.verdict`"),
        (verdict(json!({ "verdict": "perhaps" })), "its `verdict` is `perhaps`"),
        (verdict(json!({ "verdict": true })), "its `data` is not that"),
        (verdict(json!({ "verdict": "rewrite" })), "a `rewrite` needs a `document`"),
        (verdict(json!({})), "missing field `verdict`"),
    ] {
        let asked = tokio::spawn(agents.ask(question("hook.before.step.gate", "r2")));
        handler.answer(&text).await;
        let outcome = asked.await.unwrap();
        let (kind, message) = failed(&outcome);
        assert_eq!(kind, FailureKind::Dependency);
        assert!(
            message.starts_with("the hook `gate` does not answer as it should: ") && message.contains(why),
            "{message}: {why}"
        );
    }
    let mut attempts = Handler::listen(&server, "flow.x.hook.before.attempt.gate").await;
    let asked = tokio::spawn(agents.ask(question("hook.before.attempt.gate", "r3")));
    attempts.answer(&verdict(json!({ "verdict": "rewrite", "document": {} }))).await;
    assert!(failed(&asked.await.unwrap()).1.contains("cannot be rewritten"));

    let log = logged(&connection, 12).await;
    let outcomes: Vec<_> = log.iter().map(|call| call.outcome.as_str()).collect();
    assert_eq!(&outcomes[..5], ["allow", "veto", "veto", "rewrite", "failed"]);
    assert_eq!((log[1].reason.as_deref(), log[1].run.as_str(), log[1].path.as_str()), (Some("no"), "r1", "main/find.before[0]"));
    assert_eq!((log[0].hook.as_str(), log[0].phase.as_str(), log[0].event.as_str()), ("gate", "before", "step"));
}

/// The calls of all hooks, when there are so many.
async fn logged(connection: &Connection, count: usize) -> Vec<HookCall> {
    eventually("all calls are in the log", async || HookLog::last(connection, None, 1000).unwrap().len() == count).await;
    HookLog::last(connection, None, 1000).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_answers() {
    let server = Server::start();
    let connection = Connection::open(&settings(&server.url(), "x")).unwrap();
    let agents = NatsAgents::new(&connection);
    let outcome = agents.ask(question("hook.before.step.gate", "r")).await;
    let (kind, message) = failed(&outcome);
    assert_eq!(kind, FailureKind::Dependency);
    assert_eq!(message, "nobody handles the hook `gate`: nobody listens to `flow.x.hook.before.step.gate`");
    let _silent = Handler::listen(&server, "flow.x.hook.before.step.gate").await;
    let hasty = question("hook.before.step.gate", "r");
    let hasty = Question { limits: Limits { timeout: Duration::from_millis(200), ..hasty.limits }, ..hasty };
    let outcome = agents.ask(hasty).await;
    assert_eq!(failed(&outcome), (FailureKind::Timeout, "the hook `gate` has not answered within 200ms"));
    let mut huge = question("hook.before.step.gate", "r");
    huge.args[4] = Value::string(format!("\"{}\"", "x".repeat(2 << 20)));
    assert_eq!(failed(&agents.ask(huge).await).0, FailureKind::Resource);
}

/// A host that tells handlers.
fn tell(connection: &Connection, tries: u64) -> Delivery {
    let tries = HookTries { tries, patience: Duration::from_millis(1000), backoff: Duration::from_millis(5) };
    NatsHooks::open(connection).unwrap().tell(connection, tries)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_cannot_take_it_is_told_again() {
    let server = Server::start();
    let connection = Connection::open(&settings(&server.url(), "x")).unwrap();
    let _telling = tell(&connection, 10);
    let mut handler = Handler::listen(&server, "flow.x.hook.after.step.ledger").await;
    let agents = NatsAgents::new(&connection);
    for _ in 0..2 {
        // After a crash the run sees to it once more.
        let outcome = agents.ask(question("hook.after.step.ledger", "r")).await;
        assert_eq!(outcome.result.unwrap(), Value::Unit);
    }
    let failure = json!({ "failure": { "kind": "resource", "message": "full" } });
    for text in [event("done", &failure), "nonsense".to_owned(), event("verdict", &json!({})), event("done", &json!({}))] {
        let told = handler.answer(&text).await;
        assert_eq!((&told["type"], &told["data"]["hook"]), (&json!("flowhost.hook.after.v1"), &json!("ledger")));
    }
    let log = logged(&connection, 4).await;
    let calls: Vec<_> = log.iter().map(|call| (call.attempt, call.outcome.as_str())).collect();
    assert_eq!(calls, [(1, "failed"), (2, "failed"), (3, "failed"), (4, "done")]);
    assert_eq!(log[0].reason.as_deref(), Some("full"));
    assert_eq!(DeadLetters::open(&connection).unwrap().list(&connection).unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_takes_is_a_dead_letter() {
    let server = Server::start();
    let connection = Connection::open(&settings(&server.url(), "x")).unwrap();
    let _telling = tell(&connection, 3);
    let agents = NatsAgents::new(&connection);
    agents.ask(question("hook.after.run.ledger", "r")).await.result.unwrap();
    let _silent = Handler::listen(&server, "flow.x.hook.after.run.silent").await;
    agents.ask(question("hook.after.run.silent", "r2")).await.result.unwrap();
    // What is no call at all.
    let client = async_nats::connect(server.url()).await.unwrap();
    client.publish("flow.x.hooks.told.nonsense", "nonsense".into()).await.unwrap();
    let dead = DeadLetters::open(&connection).unwrap();
    eventually("all are dead", async || dead.list(&connection).unwrap().len() == 3).await;
    let mut letters = dead.list(&connection).unwrap();
    letters.sort_by(|one, other| one.subject.cmp(&other.subject));
    let of: Vec<_> = letters.iter().map(|letter| (letter.subject.as_str(), letter.why.as_str(), letter.attempts)).collect();
    assert_eq!(
        of,
        [
            ("flow.x.hooks.told.after.run.ledger", "nobody listens to `flow.x.hook.after.run.ledger`", 3),
            ("flow.x.hooks.told.after.run.silent", "no answer within 1s", 3),
            ("flow.x.hooks.told.nonsense", "its subject is not one of calls of hooks", 1),
        ]
    );
    assert!(letters.iter().all(|letter| letter.what == "hook"));
    // Sent again by an operator, it is told.
    let mut handler = Handler::listen(&server, "flow.x.hook.after.run.ledger").await;
    dead.retry(&connection, &letters[0]).unwrap();
    assert_eq!(handler.answer(&event("done", &json!({}))).await["data"]["run"], "r");
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_are_kept_for_all_hosts() {
    let server = Server::start();
    let open = || HookBook::new(&Connection::open(&settings(&server.url(), "x")).unwrap());
    let (here, there) = (open(), open());
    assert_eq!(here.list().unwrap(), []);
    let gate = HookRule::new("gate", ("before", "step"), Some("search.*")).unwrap();
    let ledger = HookRule { lenient: true, ..HookRule::new("ledger", ("before", "run"), None).unwrap() };
    here.add(&ledger).unwrap();
    here.add(&gate).unwrap();
    assert_eq!(there.list().unwrap(), [gate.clone(), ledger]);
    assert!(there.remove("ledger").unwrap() && !there.remove("ledger").unwrap());
    assert_eq!(here.list().unwrap(), [gate]);
}
