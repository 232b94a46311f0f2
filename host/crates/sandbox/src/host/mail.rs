//! `flowhost:plugin/mail`: what an attempt sends is kept until it has succeeded; what it asks, it waits for; what it
//! takes is there again when it does not succeed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::{FailureKind, json};
use engine::core::mail::{MAX_PAYLOAD, check_topic};
use engine::event::{Failure, Posting};
use engine::ports::{Asking, Inquiry, Limits, MOST_ASKED, MOST_POSTED, MOST_POSTED_BYTES, MOST_RECEIVED, Message, Outcome};
use lang::plan::MailUse;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Val};

use super::plugin::{charge, failure_record, field, misfit};
use crate::denials::Asked;
use crate::failure::failure;
use crate::state::State;

/// The mail of an attempt.
#[derive(Default)]
pub(crate) struct Mail {
    pub(crate) posted: Vec<Posting>,
    /// Bytes of what is posted.
    size: usize,
    asked: u32,
    received: u32,
    asking: Option<Arc<dyn Asking>>,
    limits: Limits,
    /// When the attempt is over at the latest.
    until: Option<Instant>,
}

impl Mail {
    pub(crate) fn new(asking: Option<Arc<dyn Asking>>, limits: &Limits) -> Self {
        Self { asking, limits: limits.clone(), ..Self::default() }
    }

    /// The guest starts now.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.until = now.checked_add(self.limits.timeout);
    }
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut mail = linker.instance("flowhost:plugin/mail@0.1.0")?;
    mail.func_new("send", |store, _, params, results| send(store, params, results))?;
    mail.func_new_async("ask", |store, _, params, results| Box::new(ask(store, params, results)))?;
    mail.func_new_async("receive", |store, _, params, results| Box::new(receive(store, params, results)))
}

fn send(mut store: StoreContextMut<'_, State>, params: &[Val], results: &mut [Val]) -> wasmtime::Result<()> {
    charge(&mut store)?;
    let ([Val::String(topic), Val::String(payload)], [result]) = (params, results) else { return Err(misfit("mail.send")) };
    *result = given(post(store.data_mut(), topic, payload).map(|()| None));
    Ok(())
}

fn post(state: &mut State, topic: &str, payload: &str) -> Result<(), Failure> {
    check_topic(topic).map_err(|problem| failure(FailureKind::InvalidInput, problem))?;
    grant(state, MailUse::Send, topic)?;
    if payload.len() > MAX_PAYLOAD {
        let message = format!("the message on `{topic}` has {} bytes, at most {MAX_PAYLOAD} can be sent", payload.len());
        return Err(failure(FailureKind::Resource, message));
    }
    let mail = &mut state.mail;
    let size = mail.size.saturating_add(topic.len()).saturating_add(payload.len());
    if mail.posted.len() >= MOST_POSTED || size > MOST_POSTED_BYTES {
        let message = format!("an attempt sends at most {MOST_POSTED} messages with {MOST_POSTED_BYTES} bytes");
        return Err(failure(FailureKind::Resource, message));
    }
    let document = json::parse_document(payload)
        .map_err(|error| failure(FailureKind::InvalidInput, format!("the message on `{topic}` is no JSON: {error}")))?;
    mail.size = size;
    mail.posted.push(Posting { topic: topic.into(), payload: document.to_string().into() });
    Ok(())
}

/// Whether the attempt may do this; a denial is noted.
fn grant(state: &State, of: MailUse, subject: &str) -> Result<(), Failure> {
    if state.grants.may_mail(of, subject) {
        return Ok(());
    }
    state.denials.add(Asked::Mail(of), subject);
    Err(failure(FailureKind::Permission, format!("`{of} {subject}` is not granted")))
}

async fn ask(mut store: StoreContextMut<'_, State>, params: &[Val], results: &mut [Val]) -> wasmtime::Result<()> {
    charge(&mut store)?;
    let ([Val::String(role), Val::String(message), Val::Option(deadline)], [result]) = (params, results) else {
        return Err(misfit("mail.ask"));
    };
    let deadline = match deadline.as_deref() {
        Some(Val::U64(nanos)) => Duration::from_nanos(*nanos),
        _ => Duration::MAX,
    };
    let fuel = store.get_fuel()?;
    let question = question(store.data_mut(), role, message, deadline, fuel);
    let answer = match question {
        Ok((asking, inquiry)) => {
            let outcome = asking.ask(inquiry).await;
            // What an agent here has used is the attempt's: asking gets around no limit.
            store.set_fuel(store.get_fuel()?.saturating_sub(outcome.bill.fuel))?;
            answered(store.data_mut(), role, outcome)
        }
        Err(failure) => Err(failure),
    };
    *result = given(answer.map(|text| Some(Box::new(Val::String(text)))));
    Ok(())
}

fn question(
    state: &mut State,
    role: &str,
    message: &str,
    deadline: Duration,
    fuel: u64,
) -> Result<(Arc<dyn Asking>, Inquiry), Failure> {
    grant(state, MailUse::Ask, role)?;
    let mail = &mut state.mail;
    if mail.asked >= MOST_ASKED {
        return Err(failure(FailureKind::Resource, format!("an attempt asks at most {MOST_ASKED} questions")));
    }
    if message.len() > MAX_PAYLOAD {
        let text = format!("the question to `{role}` has {} bytes, at most {MAX_PAYLOAD} can be asked", message.len());
        return Err(failure(FailureKind::Resource, text));
    }
    let Some(asking) = mail.asking.clone() else {
        return Err(failure(FailureKind::Dependency, format!("the role `{role}` cannot be asked from here")));
    };
    let left = mail.until.map_or(mail.limits.timeout, |until| until.saturating_duration_since(Instant::now()));
    let limits = Limits { timeout: left.min(deadline), fuel, ..mail.limits.clone() };
    let inquiry = Inquiry { role: role.into(), message: message.into(), index: mail.asked, limits };
    mail.asked += 1;
    Ok((asking, inquiry))
}

/// The answer as text. What an agent says is bounded as a result is.
fn answered(state: &mut State, role: &str, outcome: Outcome) -> Result<String, Failure> {
    for line in &outcome.log {
        state.log.line(role, line);
    }
    let value = outcome.result?;
    let mut text = String::new();
    json::write_json(&value, &mut text);
    let most = state.mail.limits.result_size;
    if text.len() as u64 > most {
        let message = format!("the answer of `{role}` has {} bytes, and {most} are permitted", text.len());
        return Err(failure(FailureKind::Resource, message));
    }
    Ok(text)
}

async fn receive(mut store: StoreContextMut<'_, State>, params: &[Val], results: &mut [Val]) -> wasmtime::Result<()> {
    charge(&mut store)?;
    let ([Val::String(topic)], [result]) = (params, results) else { return Err(misfit("mail.receive")) };
    let message = match desk(store.data_mut(), topic) {
        Ok(asking) => asking.receive(topic.as_str().into()).await,
        Err(failure) => Err(failure),
    };
    *result = given(message.map(|message| Some(Box::new(Val::Option(message.map(|message| Box::new(record(&message))))))));
    Ok(())
}

/// Who brings messages.
fn desk(state: &mut State, topic: &str) -> Result<Arc<dyn Asking>, Failure> {
    check_topic(topic).map_err(|problem| failure(FailureKind::InvalidInput, problem))?;
    grant(state, MailUse::Receive, topic)?;
    let mail = &mut state.mail;
    if mail.received >= MOST_RECEIVED {
        return Err(failure(FailureKind::Resource, format!("an attempt looks for messages at most {MOST_RECEIVED} times")));
    }
    mail.received += 1;
    mail.asking.clone().ok_or_else(|| failure(FailureKind::Dependency, format!("no messages on `{topic}` come here")))
}

fn record(message: &Message) -> Val {
    Val::Record(vec![
        field("topic", Val::String(message.topic.to_string())),
        field("id", Val::String(message.id.to_string())),
        field("payload", Val::String(message.payload.to_string())),
    ])
}

fn given(result: Result<Option<Box<Val>>, Failure>) -> Val {
    Val::Result(result.map_err(|failure| Some(Box::new(failure_record(&failure)))))
}
