//! Mail that comes to a run, and messages that it sends, until they are durable.

use std::sync::Arc;

use super::action::{Action, Progress, Waiting};
use super::bugs::Bug;
use super::driver::Run;
use super::mail::MAX_KEPT;
use crate::event::{Attempt, EventBody, Payload, TaskId, Timestamp};
use crate::ports::Mail;

impl Run {
    /// Whether a wait for signals or messages is open.
    #[must_use]
    pub fn takes_mail(&self) -> bool {
        self.state.takes_mail()
    }

    /// Whether any wait is open.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.state.is_waiting()
    }

    /// The first open waits, those for mail before those for time.
    #[must_use]
    pub fn waits(&self) -> Vec<Waiting> {
        self.state.open_waits()
    }

    /// Records what is taken; what has come before is not, and why something else is not is told.
    pub(super) fn receive(&mut self, mail: Mail, now: Timestamp, out: &mut Vec<Action>) {
        if self.over() || self.last == 0 {
            return;
        }
        let id = match &mail {
            Mail::Control(control) => {
                self.control(control.clone(), now);
                return;
            }
            Mail::Signal(signal) => Arc::clone(&signal.id),
            Mail::Message(message) => Arc::clone(&message.id),
            Mail::Dropped(count) => {
                let note = format!("{count} messages did not come: {MAX_KEPT} stood in the run's inbox already");
                out.push(Action::Progress(Progress::Note(note)));
                return;
            }
        };
        if self.arriving.0.contains(&id) && !self.has_bug(Bug::DuplicateMessage) {
            return;
        }
        match self.state.accepts(&mail, self.arriving.1) {
            Ok(true) => {}
            Ok(false) => return,
            Err(reason) => {
                out.push(Action::Progress(Progress::Note(format!("not taken: {reason}"))));
                return;
            }
        }
        let body = match mail {
            Mail::Signal(signal) => {
                EventBody::SignalReceived { name: signal.name, id: signal.id, payload: Payload::Text(signal.payload) }
            }
            Mail::Message(message) => {
                EventBody::MessageReceived { topic: message.topic, id: message.id, payload: Payload::Text(message.payload) }
            }
            Mail::Control(_) | Mail::Dropped(_) => return,
        };
        if !id.is_empty() {
            self.arriving.0.insert(id);
        }
        self.arriving.1 += 1;
        self.record(now, body);
    }

    /// Mail is durable.
    pub(super) fn arrived(&mut self, id: &Arc<str>) {
        self.arriving.0.remove(id);
        self.arriving.1 = self.arriving.1.saturating_sub(1);
    }

    /// An attempt wants a message. Where none has come, nothing is recorded; what is being recorded comes before.
    pub(super) fn take_next(&mut self, task: TaskId, number: u32, topic: Arc<str>, now: Timestamp, out: &mut Vec<Action>) {
        let attempt = self.state.tasks().get(&task).map(|of| Attempt { task, number, path: Arc::clone(&of.path) });
        let may_be = self.arriving.1 > 0 || self.state.has_kept(&topic);
        match attempt.filter(|_| may_be && self.is_running(task, number) && !self.over()) {
            Some(attempt) => self.record(now, EventBody::Taken { attempt, topic }),
            None => out.push(Action::Hand { task, number, message: None }),
        }
    }

    /// The bus has a message.
    pub(super) fn published(&mut self, task: TaskId, now: Timestamp) {
        let Some(emit) = self.state.emit(task).filter(|emit| emit.sending) else { return };
        let attempt = Attempt { task, number: 1, path: Arc::clone(&emit.path) };
        if self.published.insert(task) {
            self.record(now, EventBody::MessageSent { attempt });
        }
    }
}
