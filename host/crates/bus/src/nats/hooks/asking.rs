//! A call of a handler: before an event it is asked, after one it will be told.

use std::time::Duration;

use async_nats::client::{Request, RequestErrorKind};
use async_nats::header::NATS_MESSAGE_ID;
use catalog::json::write_json;
use catalog::{FailureKind, Value};
use engine::event::{Failure, Timestamp};
use engine::ports::{Clock, Question, SystemClock};
use lang::plan::{HookEvent, HookPhase};

use super::super::agents::{HEADERS, Said};
use super::super::assets::token;
use super::super::connection::Link;
use super::super::envelope::wire::{Event, Verdict};
use super::super::envelope::{Envelope, Kind, field, raw_field, rfc3339, short, source, trace};
use super::super::messages::send;
use super::super::problem::innermost;
use super::Handler;
use super::log::{self, HookCall};

/// What is a JSON document, and is told as such.
const DOCUMENTS: [&str; 4] = ["input", "args", "outcome", "message"];

/// Asks a handler, or sees to it that it is told.
pub(in crate::nats) async fn call(link: &Link, handler: Handler<'_>, question: &Question) -> Said {
    let kind = if handler.phase == HookPhase::Before { Kind::HookBefore } else { Kind::HookAfter };
    let data = data(handler, question);
    let (key, number) = (&question.idempotency_key, question.number);
    let (run, id) = (key.split('/').next().unwrap_or_default(), format!("{key}#{number}"));
    let (source, trace) = (source(link.namespace()), trace(question.trace.as_ref(), run, &id));
    let envelope = Envelope { id: &id, source: &source, subject: key, kind, trace: &trace, data: &data };
    let (text, mut headers) = (envelope.write(), envelope.headers());
    let most = link.client.max_payload().saturating_sub(HEADERS);
    if text.len() > most {
        let message = format!("what the hook `{}` is to be told has {} bytes, and NATS takes {most}", handler.name, text.len());
        return Said::failed(FailureKind::Resource, message);
    }
    match handler.phase {
        HookPhase::Before => {
            let request = Request::new().headers(headers).payload(text.into());
            before(link, handler, question, request).await
        }
        HookPhase::After => {
            headers.insert(NATS_MESSAGE_ID, token(key));
            let subject = format!("flow.{}.hooks.told.{}", link.namespace(), handler.text);
            match send(link, &subject, &headers, text).await {
                Ok(()) => Said::of(Ok(Value::Unit)),
                Err(error) => Said::failed(FailureKind::Network, error.to_string()),
            }
        }
    }
}

fn data(handler: Handler<'_>, question: &Question) -> String {
    let Question { role, args, limits, idempotency_key, number, .. } = question;
    let mut data = "{".to_owned();
    field(&mut data, "hook", handler.name);
    field(&mut data, "task_id", idempotency_key);
    raw_field(&mut data, "attempt", |out| out.push_str(&number.to_string()));
    if handler.phase == HookPhase::Before {
        let timeout = u64::try_from(limits.timeout.as_millis()).unwrap_or(u64::MAX);
        field(&mut data, "deadline", &rfc3339(Timestamp(SystemClock.now().0.saturating_add(timeout))));
    }
    for ((name, _), value) in role.params.iter().zip(args) {
        raw_field(&mut data, name, |out| match value {
            Value::String(text) if DOCUMENTS.contains(&&**name) => out.push_str(if text.is_empty() { "null" } else { text }),
            other => write_json(other, out),
        });
    }
    data.push('}');
    data
}

async fn before(link: &Link, handler: Handler<'_>, question: &Question, request: Request) -> Said {
    let (begin, at) = (std::time::Instant::now(), SystemClock.now());
    let (subject, timeout) = (handler.subject(link), question.limits.timeout.min(Duration::from_secs(1 << 31)));
    let name = handler.name;
    let result = match link.client.send_request(subject.clone(), request.timeout(Some(timeout))).await {
        Ok(reply) => understand(&reply.payload, handler)
            .map_err(|why| failure(FailureKind::Dependency, format!("the hook `{name}` does not answer as it should: {why}"))),
        Err(error) => Err(match error.kind() {
            RequestErrorKind::NoResponders => {
                failure(FailureKind::Dependency, format!("nobody handles the hook `{name}`: nobody listens to `{subject}`"))
            }
            RequestErrorKind::TimedOut => {
                let complaint = link.complaint();
                failure(FailureKind::Timeout, format!("the hook `{name}` has not answered within {timeout:?}{complaint}"))
            }
            _ => {
                let (why, complaint) = (innermost(&error), link.complaint());
                failure(FailureKind::Network, format!("the hook `{name}` cannot be asked over NATS: {why}{complaint}"))
            }
        }),
    };
    let (outcome, reason) = match &result {
        Ok(Value::Variant(case, reason)) => (case.to_string(), reason.as_deref().filter(|_| &**case == "veto").and_then(text)),
        Ok(_) => ("allow".to_owned(), None),
        Err(failure) => ("failed".to_owned(), Some(failure.message.clone())),
    };
    let (run, path) = question.idempotency_key.split_once('/').unwrap_or((&question.idempotency_key, ""));
    log::note(link, handler, &HookCall::new(run, path, at, begin.elapsed(), u64::from(question.number), outcome, reason)).await;
    Said::of(result)
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_string()),
        _ => None,
    }
}

/// What a handler says.
fn understand(payload: &[u8], handler: Handler<'_>) -> Result<Value, String> {
    let event = Event::read(payload)?;
    if !event.is(Kind::HookVerdict)? {
        return Err(format!("`{}` is no `flowhost.hook.verdict`", short(event.kind())));
    }
    let said: Verdict<'_> = event.read_data()?;
    let case = |name: &str, text: &str| Value::Variant(name.into(), Some(Value::string(text).into()));
    match (&*said.verdict, said.document) {
        ("allow", _) => Ok(Value::Variant("allow".into(), None)),
        ("veto", _) => Ok(case("veto", said.reason.as_deref().filter(|reason| !reason.is_empty()).unwrap_or("it said no"))),
        ("rewrite", _) if handler.event == HookEvent::Attempt => {
            Err("an attempt has the arguments of its step and cannot be rewritten".to_owned())
        }
        ("rewrite", Some(document)) => Ok(case("rewrite", document.get())),
        ("rewrite", None) => Err("a `rewrite` needs a `document`".to_owned()),
        (other, _) => Err(format!("its `verdict` is `{}`, and `allow`, `veto` or `rewrite` is what it may be", short(other))),
    }
}

fn failure(kind: FailureKind, message: String) -> Failure {
    Failure { kind, message, details: None, retry_after: None }
}
