//! Events to append.

use std::sync::Arc;

use catalog::{Digest, FailureKind, Value};
use engine::event::{
    Amounts, Attempt, Bill, Decision, Denial, Escalation, Event, EventBody, Failure, Level, Payload, RunOutcome, RunStarted,
    TaskId, TimerId, Timestamp, Tried,
};
use engine::recovery::{Bounds, Factors, Measure, Recovery, Row};

/// One event of each kind, with every field in use, as events 1 to n of a run.
#[must_use]
pub fn one_of_each() -> Vec<Event> {
    let attempt = |task, number| Attempt { task: TaskId(task), number, path: format!("main/step[{task}]").into() };
    let bill = Bill { fuel: 1 << 60, peak_memory: 65_536, wall: 12, host_calls: 3, bytes_in: 4, bytes_out: 5, attempts: 0 };
    let failure = Failure {
        kind: FailureKind::InvalidInput,
        message: "a \"quoted\"\\\n\u{1}text ✓".to_owned(),
        details: Some(Arc::new(serde_json::json!({"code": 7, "none": null}))),
        retry_after: Some(250),
    };
    let plain = Failure { kind: FailureKind::Error, message: String::new(), details: None, retry_after: None };
    let value = Payload::Value(Value::record([("text", Value::string("é\u{1f600}")), ("none", Value::none())]));
    let bodies = [
        started("all kinds"),
        EventBody::AttemptStarted { attempt: attempt(0, 1), host: "host-1".into(), limits: None },
        EventBody::Denied {
            attempt: attempt(0, 1),
            denial: Denial { capability: "files".to_owned(), subject: "/etc/pass wd".to_owned() },
        },
        EventBody::AttemptFailed { attempt: attempt(0, 1), failure: failure.clone(), bill, host: None },
        EventBody::TimerFired { timer: TimerId(0) },
        EventBody::AttemptSucceeded { attempt: attempt(0, 2), output: value.clone(), bill, cache: None, host: None },
        EventBody::AttemptSucceeded {
            attempt: attempt(1, 1),
            output: Payload::Value(Value::Unit),
            bill: Bill::default(),
            cache: None,
            host: None,
        },
        EventBody::AttemptCancelled { attempt: attempt(2, 1), host: None },
        EventBody::OutcomeUnknown { attempt: attempt(3, 1), host: None },
        EventBody::Paused { reason: "the outcome of a step is unknown".to_owned() },
        EventBody::OperatorDecision { task: TaskId(3), decision: Decision::Retry(Amounts::default()) },
        EventBody::OperatorDecision { task: TaskId(3), decision: Decision::Supply(value) },
        EventBody::OperatorDecision { task: TaskId(3), decision: Decision::Fail("no".to_owned()) },
        EventBody::OwnerChanged { host: "host-2".into() },
        EventBody::Resumed,
        EventBody::AttemptFailed { attempt: attempt(4, 1), failure: plain, bill, host: None },
        EventBody::SignalReceived { name: "approval".into(), id: "s1".into(), payload: Payload::Value(Value::Bool(true)) },
        EventBody::MessageReceived {
            topic: "orders.new".into(),
            id: "r/main/emit".into(),
            payload: Payload::Text("null".into()),
        },
        EventBody::MessageSent { attempt: attempt(5, 1) },
        EventBody::ControlTaken { id: "c1".into(), refusal: None },
        EventBody::Paused { reason: "a break".to_owned() },
        EventBody::Advanced { steps: 2 },
        EventBody::ControlTaken { id: "c2".into(), refusal: Some("the run is paused already".to_owned()) },
        EventBody::CancelRequested { reason: String::new(), gently: true },
        EventBody::CancelRequested { reason: String::new(), gently: false },
        EventBody::RunEnded { outcome: RunOutcome::Failed { failure, path: "main/step[4]".into() } },
    ];
    numbered(1, bodies)
}

/// What is written of a run with a recovery table, with every field in use, as events 1 to n of a run.
#[must_use]
pub fn escalated() -> Vec<Event> {
    let raised = Amounts { timeout: Some(90_000_000_000), memory: Some(512 << 20), fuel: Some(7) };
    let attempt = |number| Attempt { task: TaskId(0), number, path: "main/step".into() };
    let failure = Failure { kind: FailureKind::Logic, message: "no \"sense\"".to_owned(), details: None, retry_after: None };
    let tried = |number, by, limits| Tried { number, by, kind: FailureKind::Logic, message: "no".to_owned(), limits };
    let start = match started("escalates") {
        EventBody::RunStarted(started) => {
            EventBody::RunStarted(Box::new(RunStarted { recovery: Some(Arc::new(table(raised))), ..*started }))
        }
        other => other,
    };
    let escalation = Escalation {
        attempt: attempt(2),
        failure: failure.clone(),
        tried: vec![tried(1, Level::Flow, Amounts::default()), tried(2, Level::Agent, raised)],
        paused: vec!["main/next".into(), "main/last".into()],
    };
    let bodies = [
        start,
        EventBody::AttemptStarted { attempt: attempt(1), host: "host-1".into(), limits: None },
        EventBody::AttemptFailed { attempt: attempt(1), failure: failure.clone(), bill: Bill::default(), host: None },
        EventBody::AttemptStarted { attempt: attempt(2), host: "host-1".into(), limits: Some(raised) },
        EventBody::AttemptFailed { attempt: attempt(2), failure, bill: Bill::default(), host: None },
        EventBody::Escalated(Box::new(escalation)),
        EventBody::OperatorDecision { task: TaskId(0), decision: Decision::Retry(raised) },
    ];
    numbered(1, bodies)
}

fn table(amounts: Amounts) -> Recovery {
    let raise = Factors { timeout: 1500, memory: 2000, fuel: 3000 };
    let measure = Measure { retry: 2, backoff: 1000, max_backoff: Some(60_000), raise };
    let full = Row { agent: measure, orchestrator: Measure { retry: 1, ..Measure::default() }, human: true, most: Some(2000) };
    Recovery {
        escalates: true,
        patience: Some(3_600_000),
        rows: [(FailureKind::Logic, full), (FailureKind::Network, Row { human: true, ..Row::default() })].into(),
        bounds: Bounds { defaults: amounts, ceilings: Amounts::default(), classes: [("small".into(), amounts)].into() },
    }
}

pub(super) fn started(flow: &str) -> EventBody {
    EventBody::RunStarted(Box::new(RunStarted {
        flow: flow.to_owned(),
        plan: Digest([1; 32]),
        program: Digest([2; 32]),
        input: vec![
            ("folder".to_owned(), Payload::Value(Value::Dir("/home/me/docs".into()))),
            ("count".to_owned(), Payload::Value(Value::U64(u64::MAX))),
        ],
        labels: vec![("team".to_owned(), "docs".to_owned()), ("a".to_owned(), "first \"a\"".to_owned())],
        semantics: 1,
        permitted: vec!["read /home/me/docs".to_owned()],
        recovery: None,
        host: "host-1".into(),
        origin: None,
        within: None,
        trace: None,
    }))
}

pub(super) fn numbered(from: u64, bodies: impl IntoIterator<Item = EventBody>) -> Vec<Event> {
    let at = |seq: u64| Timestamp(1_700_000_000_000 + seq);
    (from..).zip(bodies).map(|(seq, body)| Event { seq, at: at(seq), body }).collect()
}
