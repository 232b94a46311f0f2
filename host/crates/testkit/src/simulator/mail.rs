//! Signals and messages of the simulation: what is sent to a run, and what it sends.

use std::collections::BTreeSet;
use std::sync::Arc;

use engine::core::mail::{signals, topics};
use engine::event::{EventBody, Origin};
use engine::ports::{Mail, Message, Signal};
use lang::plan::{HookEvent, HookPhase, Plan};

use super::outside::Outside;
use super::steps::{NEVER, hash, is_handler, sender};

/// What comes on one name, in order.
pub(super) struct Inbox {
    name: Arc<str>,
    signal: bool,
    letters: Vec<Arc<str>>,
    /// Whether the run sends it itself.
    echo: bool,
}

impl Inbox {
    /// What is left to come to a run that retries one: not what is taken over, and what that one sent itself.
    pub(super) fn take_over(&mut self, before: &Self, reused: &BTreeSet<&str>) {
        if self.echo {
            self.letters.clone_from(&before.letters);
        } else {
            let taken = ["a", "b"].iter().filter(|turn| reused.contains(format!("{}{turn}", self.name).as_str())).count();
            self.letters.drain(..taken.min(self.letters.len()));
        }
    }
}

/// The inboxes of a plan: two letters for each name that is waited for, or what the run sends itself.
pub(super) fn inboxes(plan: &Plan) -> Vec<Inbox> {
    let inbox = |name: Arc<str>, signal| {
        let echo = name.starts_with("echo");
        let letters = (0..if echo { 0 } else { 2_u64 }).map(|n| (hash(n, &[&name]) % 1000).to_string().into()).collect();
        Inbox { name, signal, letters, echo }
    };
    let signals = signals(plan).into_keys().map(|name| inbox(name, true));
    signals.chain(topics(plan).into_keys().map(|topic| inbox(topic, false))).collect()
}

impl Outside {
    /// How many letters of an inbox the journal has.
    pub(super) fn arrived(&self, address: usize) -> usize {
        let Some(inbox) = self.inboxes.get(address) else { return 0 };
        let of_it = |body: &EventBody| match body {
            EventBody::SignalReceived { name, .. } => inbox.signal && *name == inbox.name,
            EventBody::MessageReceived { topic, .. } => !inbox.signal && *topic == inbox.name,
            _ => false,
        };
        self.durable.iter().filter(|event| of_it(&event.body)).count()
    }

    /// A letter.
    pub(super) fn letter(&self, address: usize, number: usize) -> Option<Mail> {
        let inbox = self.inboxes.get(address)?;
        let (name, payload) = (inbox.name.clone(), inbox.letters.get(number)?.clone());
        let id = format!("{name}/{number}").into();
        Some(if inbox.signal {
            Mail::Signal(Signal { name, id, payload })
        } else {
            Mail::Message(Message { topic: name, id, payload, trace: None })
        })
    }

    /// The run sends a message, maybe not for the first time. Gives the inbox that it comes to.
    pub(super) fn publish(&mut self, message: &Message) -> Result<Option<usize>, String> {
        let sent = (message.topic.clone(), message.payload.clone());
        let before = self.published.entry(message.id.clone()).or_insert_with(|| sent.clone());
        if *before != sent {
            return Err(format!("`{}` was sent with another content: {before:?}, {sent:?}", message.id));
        }
        self.check_sent(message)?;
        let Some(address) = self.inboxes.iter().position(|inbox| inbox.echo && inbox.name == message.topic) else {
            return Ok(None);
        };
        if let Some(inbox) = self.inboxes.get_mut(address).filter(|inbox| inbox.letters.is_empty()) {
            inbox.letters.push(message.payload.clone());
        }
        Ok(Some(address))
    }

    /// A message leaves when all handlers have agreed to it, and one of a step when its result is durable as well.
    fn check_sent(&self, message: &Message) -> Result<(), String> {
        let path = message.id.split_once('/').map_or(&*message.id, |(_, path)| path);
        let hooks = &self.versions.plan().hooks;
        let asked = (0..).zip(hooks).filter(|(_, hook)| (hook.phase, hook.event) == (HookPhase::Before, HookEvent::Message));
        let mut wanted: Vec<String> = asked.map(|(place, _)| format!("{path}.before[{place}]")).collect();
        wanted.extend(sender(path).map(str::to_owned));
        match wanted.iter().find(|path| !self.has_succeeded(path)) {
            _ if &*message.topic == NEVER => Err(format!("`{path}` of an attempt that failed was sent")),
            Some(missing) => Err(format!("`{path}` was sent before `{missing}` had succeeded")),
            None => Ok(()),
        }
    }

    /// The run has ended: of what a step has sent all has arrived, or nothing where handlers were to be asked and it was stopped.
    pub(super) fn check_posted(&self) -> Result<(), String> {
        let is_asked = !self.versions.plan().hooks.is_empty();
        for event in &self.durable {
            let EventBody::Posted { attempt, messages } = &event.body else { continue };
            let path = &attempt.path;
            let arrived = (0..messages.len()).filter(|index| self.has_succeeded(&format!("{path}.mail[{index}]"))).count();
            if self.has_succeeded(path) && arrived != messages.len() && !(is_asked && arrived == 0) {
                return Err(format!("of {} messages of `{path}` {arrived} arrived", messages.len()));
            }
        }
        Ok(())
    }

    /// A step that follows a `wait` begins not earlier than so long after what the `wait` followed.
    pub(super) fn check_woken(&self, path: &str, now: u64) -> Result<(), String> {
        let Some((around, name)) = path.rsplit_once('/').filter(|_| !is_handler(path)) else { return Ok(()) };
        let Some((number, time)) = name.strip_prefix("woken").and_then(|name| name.split_once('_')) else { return Ok(()) };
        let (slept, nap) = (format!("{around}/slept{number}"), format!("{around}/nap{number}"));
        let over = |origin: &Origin| origin.results.iter().any(|result| *result.path == *nap);
        if self.origin.as_ref().is_some_and(over) {
            return Ok(());
        }
        let at = self.durable.iter().find_map(|event| match &event.body {
            EventBody::AttemptSucceeded { attempt, .. } if *attempt.path == *slept => Some(event.at.0),
            _ => None,
        });
        match (at, time.parse::<u64>()) {
            (Some(at), Ok(time)) if now >= at + time => Ok(()),
            _ => Err(format!("`{path}` began at {now}, before its wait was over")),
        }
    }
}
