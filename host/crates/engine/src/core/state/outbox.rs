//! What steps have sent: it leaves when the step's result is durable, and the step is done when the bus has all of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use catalog::Value;

use super::State;
use super::model::{Emit, Failed, Status, Stop};
use crate::core::bugs::Bug;
use crate::event::{Failure, Posting, TaskId};
use crate::ports::Message;

/// The messages of a step whose attempt has succeeded.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// What the step gives when all of them are sent.
    value: Value,
    /// Those that the bus does not yet have.
    open: BTreeSet<TaskId>,
    /// To so many of them handlers have not yet agreed; none leaves before.
    unagreed: usize,
}

impl State {
    /// An attempt has sent something, should it succeed.
    pub(super) fn posted(&mut self, id: TaskId, messages: &Arc<[Posting]>) {
        self.posted.insert(id, Arc::clone(messages));
    }

    /// An attempt has ended in another way: what it sent was never sent, and what it took is there again.
    pub(super) fn unpost(&mut self, id: TaskId) {
        self.posted.remove(&id);
        self.take_back(id);
    }

    /// A step has its value; its messages leave before it is done.
    pub(super) fn attempt_gave(&mut self, id: TaskId, value: Value, ran: bool) {
        self.keep_taken(id);
        let messages = self.posted.remove(&id).filter(|messages| !messages.is_empty());
        let (Some(messages), Some(task)) = (messages, self.tasks.get_mut(&id)) else {
            self.attempt_succeeded(id, value, ran);
            return;
        };
        task.status = Status::Sending;
        let (activity, path) = (task.activity, Arc::clone(&task.path));
        let mut open = BTreeSet::new();
        for (index, Posting { topic, payload }) in messages.iter().enumerate() {
            let path: Arc<str> = format!("{path}.mail[{index}]").into();
            let message = Message {
                topic: Arc::clone(topic),
                id: [&*self.id.0, "/", &path].concat().into(),
                payload: Arc::clone(payload),
                trace: None,
            };
            let emit = TaskId(self.next_task);
            self.next_task += 1;
            self.emits.insert(emit, Emit { activity, path, message, sending: false, asked: 0, of: Some(id) });
            open.insert(emit);
        }
        let is_stopping = self.is_stopping(activity);
        let to_be_asked = is_stopping && open.iter().any(|emit| self.is_to_be_asked(*emit));
        let unagreed = if is_stopping && !to_be_asked { 0 } else { open.len() };
        self.outboxes.insert(id, Outbox { value, open: open.clone(), unagreed });
        if !is_stopping {
            open.into_iter().for_each(|emit| self.send_when_agreed(emit));
        } else if to_be_asked {
            // Handlers are asked about nothing in what is being stopped, and nothing leaves unasked.
            self.stop_sending(id);
            self.activity_stopped(activity);
        } else {
            // It was told to stop and succeeded all the same: what it did counts.
            open.into_iter().for_each(|emit| self.send(emit));
        }
    }

    /// Handlers have agreed to a message of a step: when they have to all of them, all leave.
    pub(super) fn send_with_others(&mut self, step: TaskId) {
        let Some(outbox) = self.outboxes.get_mut(&step) else { return };
        outbox.unagreed = if self.bugs.0.has(Bug::PostUnasked) { 0 } else { outbox.unagreed.saturating_sub(1) };
        if outbox.unagreed == 0 {
            let open = outbox.open.clone();
            open.into_iter().for_each(|id| self.send(id));
        }
    }

    /// The bus has a message of a step.
    pub(super) fn sent_with_others(&mut self, id: TaskId, step: TaskId) {
        let Some(outbox) = self.outboxes.get_mut(&step) else { return };
        outbox.open.remove(&id);
        if outbox.open.is_empty() {
            self.close_outbox(step);
        }
    }

    fn close_outbox(&mut self, step: TaskId) {
        if let Some(outbox) = self.outboxes.remove(&step) {
            self.attempt_succeeded(step, outbox.value, true);
        }
    }

    /// A handler refused a message of a step: none of them leaves, what it did besides is taken back, and it fails.
    pub(super) fn refuse_with_others(&mut self, step: TaskId, failure: Failure) {
        self.stop_sending(step);
        let Some(task) = self.tasks.get(&step) else { return };
        let (id, path) = (task.activity, Arc::clone(&task.path));
        self.tell_step(step, Err(&failure), true);
        let Some(activity) = self.activities.get_mut(id) else { return };
        activity.stopping = Some(Stop::Failed(Box::new(Failed { failure, path })));
        self.activity_stopped(id);
    }

    /// Nobody wants a step any more whose result is durable. What has left has to arrive; what handlers have not agreed to
    /// does not leave, and the value serves only to take back what the step did. Gives whether something has to arrive first.
    pub(super) fn stop_sending(&mut self, step: TaskId) -> bool {
        let Some(outbox) = self.outboxes.get_mut(&step) else { return false };
        if outbox.unagreed == 0 {
            return true;
        }
        let open = std::mem::take(&mut outbox.open);
        open.iter().for_each(|id| drop(self.emits.remove(id)));
        false
    }

    /// The value of a step that has succeeded and whose messages never leave.
    pub(super) fn unsent(&mut self, step: TaskId) -> Option<Value> {
        let outbox = self.outboxes.remove(&step)?;
        (!self.bugs.0.has(Bug::UnsentKept)).then_some(outbox.value)
    }

    /// The first message of a step that is on its way.
    pub(super) fn topic_of_outbox(&self, step: TaskId) -> Option<Arc<str>> {
        let first = self.outboxes.get(&step)?.open.first()?;
        self.emits.get(first).map(|emit| Arc::clone(&emit.message.topic))
    }
}
