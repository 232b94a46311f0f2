//! Signals and messages: what waits for them, and what is kept until something does.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use catalog::{Name, Type, Value};
use lang::plan::Plan;

use super::model::{ActivityId, Due, Form, WaitForm};
use super::{Command, Misfit, State};
use crate::core::action::Waiting;
use crate::core::bugs::Bug;
use crate::core::mail::{self, MAX_KEPT, MAX_PAYLOAD, SignalError};
use crate::core::values::decode;
use crate::event::{Attempt, Payload, TaskId};
use crate::ports::{Mail, Message};

/// So many open waits are told of at most.
const MOST_TOLD: usize = 100;

/// Where mail goes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Address {
    Signal(Name),
    Message(Arc<str>),
}

/// What came and what is waited for.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    signals: BTreeMap<Name, Type>,
    /// The literal topics of the plan.
    topics: BTreeMap<Arc<str>, Type>,
    /// What nothing has taken yet, in the order in which it came.
    kept: BTreeMap<Address, VecDeque<Kept>>,
    count: usize,
    /// So many were kept by now.
    numbered: u64,
    /// What attempts that run have taken; it is there again should they not succeed.
    lent: BTreeMap<TaskId, Vec<(Arc<str>, Kept)>>,
    /// The ids of what has come.
    seen: BTreeSet<Arc<str>>,
    /// The waits that are open, in the order in which they opened.
    waiting: BTreeMap<Address, BTreeMap<u64, ActivityId>>,
    next: u64,
}

/// What came and was not taken.
#[derive(Clone, Debug)]
struct Kept {
    /// Rises with what comes.
    no: u64,
    id: Arc<str>,
    payload: Payload,
}

impl Mailbox {
    /// Puts something where it belongs in the order in which it came.
    fn keep(&mut self, address: Address, kept: Kept) {
        let line = self.kept.entry(address).or_default();
        let place = line.partition_point(|before| before.no < kept.no);
        line.insert(place, kept);
        self.count += 1;
    }

    pub(super) fn new(plan: &Plan) -> Self {
        Self { signals: mail::signals(plan), topics: mail::topics(plan), ..Self::default() }
    }

    /// Whether messages on a topic are taken at all only while a wait is open.
    fn is_computed(&self, address: &Address) -> bool {
        matches!(address, Address::Message(topic) if !self.topics.contains_key(topic))
    }

    /// The type under which mail is kept for later; none: it is not.
    fn kept_as(&self, address: &Address) -> Option<&Type> {
        match address {
            Address::Signal(name) => self.signals.get(name),
            Address::Message(topic) => self.topics.get(topic),
        }
    }

    /// Whether some wait for mail is open.
    pub(super) fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The topics that are waited on and are not literal ones of the plan.
    pub(super) fn computed_topics(&self) -> impl Iterator<Item = &Arc<str>> {
        self.waiting.keys().filter(|address| self.is_computed(address)).filter_map(|address| match address {
            Address::Message(topic) => Some(topic),
            Address::Signal(_) => None,
        })
    }

    /// Drops what is kept: the planted bug.
    pub(crate) fn lose(&mut self) {
        self.kept.clear();
        self.count = 0;
    }
}

impl State {
    /// Whether mail is to be recorded; `arriving` is recorded already and not applied yet.
    ///
    /// # Errors
    /// Why it is not, in words for people.
    pub(crate) fn accepts(&self, mail: &Mail, arriving: usize) -> Result<bool, String> {
        let (address, id, size) = match mail {
            Mail::Signal(signal) => {
                mail::check_signal(&self.mail.signals, &signal.name, &signal.payload).map_err(|error| error.to_string())?;
                (Address::Signal(signal.name.clone()), &signal.id, signal.payload.len())
            }
            Mail::Message(message) => (Address::Message(message.topic.clone()), &message.id, message.payload.len()),
            Mail::Control(_) | Mail::Dropped(_) => return Ok(false),
        };
        let awaited = self.mail.waiting.contains_key(&address);
        if self.mail.kept_as(&address).is_none() && !awaited {
            return Ok(false);
        }
        if !id.is_empty() && self.mail.seen.contains(id) && !self.bugs.0.has(Bug::DuplicateMessage) {
            return Ok(false);
        }
        if !awaited && self.mail.count + arriving >= MAX_KEPT {
            return Err(format!("{}: {}", what(mail), SignalError::Full));
        }
        if let Mail::Message(message) = mail {
            if size > MAX_PAYLOAD {
                return Err(format!("{} carries {size} bytes, at most {MAX_PAYLOAD} are taken", what(mail)));
            }
            // What is no JSON cannot even be recorded.
            catalog::json::parse_document(&message.payload).map_err(|error| format!("{} is no JSON: {error}", what(mail)))?;
        }
        Ok(true)
    }

    /// Mail has come: the first wait that it fits takes it, else it is kept for a later one.
    pub(super) fn mail_received(&mut self, address: &Address, id: &Arc<str>, payload: &Payload) -> Result<(), Misfit> {
        let doubled = !id.is_empty() && !self.mail.seen.insert(Arc::clone(id));
        if doubled && !self.bugs.0.has(Bug::DuplicateMessage) {
            return Ok(());
        }
        self.mail.numbered += 1;
        let kept = Kept { no: self.mail.numbered, id: Arc::clone(id), payload: payload.clone() };
        self.offer(address, kept)
    }

    /// The first wait that a message or signal fits takes it, else it is kept.
    fn offer(&mut self, address: &Address, kept: Kept) -> Result<(), Misfit> {
        let payload = &kept.payload;
        let mut reason = String::new();
        let waiting: Vec<ActivityId> = self.mail.waiting.get(address).into_iter().flat_map(BTreeMap::values).copied().collect();
        for activity in waiting {
            match decode(payload, &self.type_of_wait(activity)) {
                Ok(value) => {
                    self.close_wait(activity);
                    self.complete(activity, value);
                    return Ok(());
                }
                Err(error) => reason = error,
            }
        }
        match self.mail.kept_as(address).map(|ty| decode(payload, ty)) {
            Some(Ok(_)) => {
                self.mail.keep(address.clone(), kept);
                return Ok(());
            }
            Some(Err(error)) => reason = error,
            None => {}
        }
        match address {
            Address::Signal(name) => Err(Misfit(format!("the signal `{name}` does not fit: {reason}"))),
            Address::Message(topic) => {
                if !reason.is_empty() {
                    let note = format!("a message on `{topic}` does not fit and is skipped: {reason}");
                    self.commands.push(Command::Note(note));
                }
                Ok(())
            }
        }
    }

    /// Takes the first kept mail that fits.
    pub(super) fn take_kept(&mut self, address: &Address, ty: &Type) -> Option<Value> {
        let kept = self.mail.kept.get_mut(address)?;
        let (index, value) = kept.iter().enumerate().find_map(|(index, kept)| Some((index, decode(&kept.payload, ty).ok()?)))?;
        self.take_out(address, index);
        Some(value)
    }

    fn take_out(&mut self, address: &Address, index: usize) -> Option<Kept> {
        let line = self.mail.kept.get_mut(address)?;
        let kept = line.remove(index);
        if line.is_empty() {
            self.mail.kept.remove(address);
        }
        self.mail.count = self.mail.count.saturating_sub(1);
        kept
    }

    /// Whether something on a topic is there that nothing has taken.
    pub(crate) fn has_kept(&self, topic: &Arc<str>) -> bool {
        self.mail.kept.contains_key(&Address::Message(Arc::clone(topic)))
    }

    /// An attempt takes the next message on a topic, if there is one, for as long as it is not known how it ends.
    pub(super) fn lend(&mut self, attempt: &Attempt, topic: &Arc<str>) {
        let kept = self.take_out(&Address::Message(Arc::clone(topic)), 0);
        let message = kept.as_ref().map(|kept| Message {
            topic: Arc::clone(topic),
            id: Arc::clone(&kept.id),
            payload: kept.payload.json().into(),
            trace: None,
        });
        if let Some(kept) = kept {
            self.mail.lent.entry(attempt.task).or_default().push((Arc::clone(topic), kept));
        }
        self.commands.push(Command::Hand(attempt.task, attempt.number, message));
    }

    /// An attempt has succeeded: what it took is taken.
    pub(super) fn keep_taken(&mut self, task: TaskId) {
        self.mail.lent.remove(&task);
    }

    /// An attempt has not succeeded: what it took is there again, in its place.
    pub(super) fn take_back(&mut self, task: TaskId) {
        for (topic, kept) in self.mail.lent.remove(&task).unwrap_or_default() {
            // It fitted when it came, so it does now.
            let _ = self.offer(&Address::Message(topic), kept);
        }
    }

    /// A wait for mail is open.
    pub(super) fn open_wait(&mut self, id: ActivityId, address: Address) {
        let order = self.mail.next;
        self.mail.next += 1;
        let Some(activity) = self.activities.get_mut(id) else { return };
        activity.form = Form::Wait(Box::new(WaitForm::Mail(address.clone(), order)));
        if self.mail.is_computed(&address)
            && !self.mail.waiting.contains_key(&address)
            && let Address::Message(topic) = &address
        {
            self.commands.push(Command::Listen(Arc::clone(topic)));
        }
        self.mail.waiting.entry(address).or_default().insert(order, id);
    }

    /// A wait is over, or not wanted any more.
    pub(super) fn close_wait(&mut self, id: ActivityId) {
        let Some(activity) = self.activities.get(id) else { return };
        let Form::Wait(form) = &activity.form else { return };
        match &**form {
            WaitForm::Time(None) => {}
            WaitForm::Time(Some(timer)) => {
                let timer = *timer;
                self.clear_timer(timer);
            }
            WaitForm::Mail(address, order) => {
                let (address, order) = (address.clone(), *order);
                let Some(waiting) = self.mail.waiting.get_mut(&address) else { return };
                waiting.remove(&order);
                if !waiting.is_empty() {
                    return;
                }
                self.mail.waiting.remove(&address);
                if self.mail.is_computed(&address)
                    && let Address::Message(topic) = address
                {
                    self.commands.push(Command::Unlisten(topic));
                }
            }
        }
    }

    /// The first open waits: those for mail in the order of what they wait for, then those for time.
    pub(crate) fn open_waits(&self) -> Vec<Waiting> {
        let mail = self.mail.waiting.values().flat_map(BTreeMap::values).copied();
        let times = self.timers.values().filter_map(|timer| match timer.due {
            Due::Wait(activity) => Some(activity),
            _ => None,
        });
        mail.chain(times).take(MOST_TOLD).filter_map(|id| self.waiting(id)).collect()
    }

    /// Whether any wait is open.
    pub(crate) fn is_waiting(&self) -> bool {
        self.mail.is_awaited() || self.timers.values().any(|timer| matches!(timer.due, Due::Wait(_)))
    }

    /// Whether an open wait takes messages.
    pub(crate) fn takes_messages(&self) -> bool {
        self.mail.waiting.keys().any(|address| matches!(address, Address::Message(_)))
    }

    /// Whether some wait for mail is open.
    pub(crate) fn takes_mail(&self) -> bool {
        self.mail.is_awaited()
    }

    /// Topics that are only listened to while a wait on them is open, and now are.
    pub(crate) fn computed_topics(&self) -> Vec<Arc<str>> {
        self.mail.computed_topics().cloned().collect()
    }

    /// Drops what is kept: the planted bug.
    pub(crate) fn lose_mail(&mut self) {
        self.mail.lose();
    }
}

fn what(mail: &Mail) -> String {
    match mail {
        Mail::Control(control) => format!("the order `{}`", control.id),
        Mail::Signal(signal) => format!("the signal `{}`", signal.name),
        Mail::Message(message) => format!("the message `{}` on `{}`", message.id, message.topic),
        Mail::Dropped(count) => format!("{count} messages"),
    }
}
