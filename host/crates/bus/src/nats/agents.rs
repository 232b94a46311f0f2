//! Questions to agents that are anywhere on the cluster: hosts, and programs of other people.
//!
//! A question goes to one of those who listen for its role, and its answers come to an inbox of its own, which is gone with the
//! attempt: what is late reaches nobody.

use std::time::{Duration, Instant};

use async_nats::{Message, StatusCode};
use catalog::json::{parse, write_json, write_string};
use catalog::{FailureKind, Value};
use engine::event::{Bill, Failure, Timestamp};
use engine::ports::{Clock, Outcome, Question, SystemClock};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use tokio::sync::oneshot;

use super::assets::token;
use super::connection::{Connection, Link};
use super::envelope::wire::{About, Completion, Event, Progress, Refusal};
use super::envelope::{Envelope, Kind, field, raw_field, rfc3339, short, source, trace, write_failure};
use super::hooks::{Handler, asking};
use super::problem::innermost;

/// Room that headers need in a message.
pub(super) const HEADERS: usize = 1024;

/// Asks agents. Copies share the connection.
#[derive(Clone, Debug)]
pub struct NatsAgents {
    connection: Connection,
}

impl NatsAgents {
    /// Agents of the connection's namespace.
    #[must_use]
    pub fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone() }
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Asks one of those who listen for the role. Dropping the future tells them that nobody waits any more.
    pub fn ask(&self, question: Question) -> BoxFuture<'static, Outcome> {
        let (sender, receiver) = oneshot::channel();
        self.connection.spawn(talk(self.connection.link().clone(), question, sender));
        let closed =
            |_| Said::failed(FailureKind::Network, "the connection to NATS was closed".to_owned()).outcome(0, Instant::now());
        let open = self.connection.clone();
        async move {
            let answer = receiver.await.unwrap_or_else(closed);
            // Its threads are there for as long as somebody waits.
            drop(open);
            answer
        }
        .boxed()
    }
}

/// The subject that agents of a role listen to.
pub(super) fn subject(link: &Link, role: &str) -> String {
    format!("flow.{}.agent.{}", link.namespace(), token(role))
}

/// The subject on which agents of a role are told what nobody waits for any more.
pub(super) fn cancel_subject(link: &Link, role: &str) -> String {
    format!("{}.cancel", subject(link, role))
}

async fn talk(link: Link, question: Question, mut sender: oneshot::Sender<Outcome>) {
    let begin = Instant::now();
    if let Some(handler) = Handler::of(&question.role.name) {
        let said = tokio::select! {
            biased;
            () = sender.closed() => return,
            said = asking::call(&link, handler, &question) => said,
        };
        drop(sender.send(said.outcome(0, begin)));
        return;
    }
    let asked = Asked::new(link, question);
    let said = tokio::select! {
        biased;
        () = sender.closed() => None,
        said = asked.converse() => Some(said),
    };
    match said {
        None => asked.cancel("cancelled").await,
        Some(said) => {
            if said.is_late {
                asked.cancel("timeout").await;
            }
            drop(sender.send(said.outcome(asked.args.len(), begin)));
        }
    }
}

/// What came of a question.
pub(super) struct Said {
    result: Result<Value, Failure>,
    log: Vec<String>,
    bytes: usize,
    /// Nobody has answered in time.
    is_late: bool,
}

impl Said {
    pub(super) fn of(result: Result<Value, Failure>) -> Self {
        Self { result, log: Vec::new(), bytes: 0, is_late: false }
    }

    pub(super) fn failed(kind: FailureKind, message: String) -> Self {
        Self::of(Err(Failure { kind, message, details: None, retry_after: None }))
    }

    fn outcome(self, asked: usize, begin: Instant) -> Outcome {
        let number = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        let wall = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        let bill = Bill { wall, bytes_in: number(asked), bytes_out: number(self.bytes), ..Bill::default() };
        Outcome { bill, log: self.log, ..Outcome::new(self.result) }
    }
}

/// One attempt of an `ask`.
struct Asked {
    link: Link,
    question: Question,
    /// The arguments as a JSON object.
    args: String,
    /// `run/path#attempt`
    id: String,
    trace: String,
}

impl Asked {
    fn new(link: Link, question: Question) -> Self {
        let mut args = "{".to_owned();
        for ((name, _), value) in question.role.params.iter().zip(&question.args) {
            raw_field(&mut args, name, |out| write_json(value, out));
        }
        args.push('}');
        let id = format!("{}#{}", question.idempotency_key, question.number);
        let run = question.idempotency_key.split('/').next().unwrap_or_default();
        let trace = trace(question.trace.as_ref(), run, &id);
        Self { link, question, args, id, trace }
    }

    /// The text of the question.
    fn assignment(&self, at: Timestamp) -> (String, async_nats::HeaderMap) {
        let Question { role, limits, idempotency_key, number, previous_failure, .. } = &self.question;
        let (run, path) = idempotency_key.split_once('/').unwrap_or((idempotency_key, ""));
        let timeout = u64::try_from(limits.timeout.as_millis()).unwrap_or(u64::MAX);
        let mut data = String::with_capacity(self.args.len() + 512);
        data.push('{');
        field(&mut data, "task_id", idempotency_key);
        field(&mut data, "run", run);
        field(&mut data, "path", path);
        field(&mut data, "role", &role.name);
        raw_field(&mut data, "attempt", |out| out.push_str(&number.to_string()));
        raw_field(&mut data, "timeout_seconds", |out| out.push_str(&(limits.timeout.as_secs_f64()).to_string()));
        field(&mut data, "deadline", &rfc3339(Timestamp(at.0.saturating_add(timeout))));
        raw_field(&mut data, "previous_failure", |out| match previous_failure {
            Some(failure) => write_failure(failure, out),
            None => out.push_str("null"),
        });
        raw_field(&mut data, "args", |out| out.push_str(&self.args));
        data.push('}');
        self.sealed(Kind::Assignment, &self.id, &data)
    }

    fn sealed(&self, kind: Kind, id: &str, data: &str) -> (String, async_nats::HeaderMap) {
        let source = source(self.link.namespace());
        let subject = &self.question.idempotency_key;
        let envelope = Envelope { id, source: &source, subject, kind, trace: &self.trace, data };
        (envelope.write(), envelope.headers())
    }

    /// Asks, and reads what comes until it is an answer.
    async fn converse(&self) -> Said {
        let role = &self.question.role.name;
        let (text, headers) = self.assignment(SystemClock.now());
        let most = self.link.client.max_payload().saturating_sub(HEADERS);
        if text.len() > most {
            let message = format!("the question to the role `{role}` has {} bytes, and NATS takes {most}", text.len());
            return Said::failed(FailureKind::Resource, message);
        }
        let client = &self.link.client;
        let inbox = client.new_inbox();
        let broken = |error: &dyn std::error::Error| {
            let (why, complaint) = (innermost(error), self.link.complaint());
            Said::failed(FailureKind::Network, format!("the role `{role}` cannot be asked over NATS: {why}{complaint}"))
        };
        let mut answers = match client.subscribe(inbox.clone()).await {
            Ok(answers) => answers,
            Err(error) => return broken(&error),
        };
        let sent = client.publish_with_reply_and_headers(subject(&self.link, role), inbox, headers, text.into());
        if let Err(error) = sent.await {
            return broken(&error);
        }
        self.listen(&mut answers).await
    }

    async fn listen(&self, answers: &mut async_nats::Subscriber) -> Said {
        let Question { role, limits, .. } = &self.question;
        let deadline = tokio::time::Instant::now() + limits.timeout.min(Duration::from_secs(1 << 31));
        let (mut log, mut logged) = (Vec::new(), 0);
        loop {
            let message = match tokio::time::timeout_at(deadline, answers.next()).await {
                Ok(Some(message)) => message,
                Ok(None) => return Said::failed(FailureKind::Network, "the connection to NATS was closed".to_owned()),
                Err(_) => {
                    let complaint = self.link.complaint();
                    let message =
                        format!("no agent with the role `{}` has answered within {:?}{complaint}", role.name, limits.timeout);
                    return Said { is_late: true, log, ..Said::failed(FailureKind::Timeout, message) };
                }
            };
            match self.read(&message) {
                Answer::Line(line) => {
                    logged += u64::try_from(line.len()).unwrap_or(u64::MAX);
                    if logged <= limits.log_size {
                        log.push(line);
                    }
                }
                Answer::Last(result) => return Said { log, bytes: message.payload.len(), ..Said::of(result) },
            }
        }
    }

    fn read(&self, message: &Message) -> Answer {
        let role = &self.question.role.name;
        if message.status == Some(StatusCode::NO_RESPONDERS) {
            return Answer::Last(Err(self.nobody()));
        }
        let size = u64::try_from(message.payload.len()).unwrap_or(u64::MAX);
        if size > self.question.limits.result_size {
            let most = self.question.limits.result_size;
            let message = format!("the agent with the role `{role}` answers with {size} bytes, and {most} are permitted");
            return Answer::Last(Err(failure(FailureKind::Resource, message)));
        }
        self.understand(&message.payload).unwrap_or_else(|why| {
            let message = format!("the agent with the role `{role}` does not answer as it should: {why}");
            Answer::Last(Err(failure(FailureKind::Dependency, message)))
        })
    }

    /// What an agent says.
    fn understand(&self, payload: &[u8]) -> Result<Answer, String> {
        let event = Event::read(payload)?;
        let kinds = [Kind::Progress, Kind::Completion, Kind::Failure];
        let mut kind = None;
        for known in kinds {
            if event.is(known)? {
                kind = Some(known);
            }
        }
        let kind = kind.ok_or_else(|| format!("`{}` is no answer to a question", short(event.kind())))?;
        let about: About<'_> = event.read_data()?;
        let is_other = about.attempt.is_some_and(|attempt| attempt != self.question.number);
        if *about.task_id != *self.question.idempotency_key || is_other {
            return Err(format!("it answers the task `{}`, and was asked about another", short(&about.task_id)));
        }
        Ok(match kind {
            Kind::Progress => {
                let Progress { progress } = event.read_data()?;
                let note = progress.note.map(|note| format!(" {note}")).unwrap_or_default();
                Answer::Line(format!("{} %{note}", progress.percentage))
            }
            Kind::Completion => {
                let done: Completion<'_> = event.read_data()?;
                let ty = &self.question.role.output;
                Answer::Last(Ok(parse(done.value.get(), ty).map_err(|error| format!("its `value` is no `{ty}`: {error}"))?))
            }
            _ => Answer::Last(Err(event.read_data::<Refusal>()?.failure.into_failure())),
        })
    }

    fn nobody(&self) -> Failure {
        let role = &self.question.role.name;
        let message = format!(
            "no agent has the role `{role}`: nobody listens to `{}`; start one, or name one in `flowhost.toml`: `[roles.{role}]` with `component = \"….wasm\"` and `function = \"…\"`",
            subject(&self.link, role)
        );
        failure(FailureKind::Dependency, message)
    }

    /// Tells agents that nobody waits for the answer any more.
    async fn cancel(&self, reason: &str) {
        let mut data = "{".to_owned();
        field(&mut data, "task_id", &self.question.idempotency_key);
        raw_field(&mut data, "attempt", |out| out.push_str(&self.question.number.to_string()));
        raw_field(&mut data, "reason", |out| write_string(reason, out));
        data.push('}');
        let (text, headers) = self.sealed(Kind::Cancel, &format!("{}/cancel", self.id), &data);
        let subject = cancel_subject(&self.link, &self.question.role.name);
        // Who does not hear of it works for nothing, which harms nobody.
        drop(self.link.client.publish_with_headers(subject, headers, text.into()).await);
    }
}

/// A message to the one who asks.
enum Answer {
    /// For people.
    Line(String),
    Last(Result<Value, Failure>),
}

fn failure(kind: FailureKind, message: String) -> Failure {
    Failure { kind, message, details: None, retry_after: None }
}
