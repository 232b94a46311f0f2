//! Waits and `emit`: nodes that end when something comes or goes.

use std::sync::Arc;

use catalog::{FailureKind, Type, Value};
use lang::plan::{Expr, NodeId, NodeKind, WaitPlan};

use super::mail::Address;
use super::model::{ActivityId, Due, Emit, Form, InstanceId, WaitForm};
use super::{Command, Misfit, State};
use crate::core::action::{Awaited, Waiting};
use crate::core::bugs::Bug;
use crate::core::mail::{MAX_PAYLOAD, check_topic};
use crate::core::values::{evaluate_duration, failure, milliseconds};
use crate::event::{Attempt, Failure, TaskId};
use crate::ports::Message;

impl State {
    /// A wait is ready.
    pub(super) fn begin_wait(&mut self, id: InstanceId, node: NodeId, wait: &WaitPlan) -> Result<(), Failure> {
        if let Some(value) = self.given_at(id, node, type_of(wait)) {
            self.node_done(id, node, value);
            return Ok(());
        }
        let (address, ty) = match wait {
            WaitPlan::Time(time) => return self.begin_time(id, node, time),
            WaitPlan::Signal { name, ty } => (Address::Signal(name.clone()), ty),
            WaitPlan::Message { topic, ty } => (Address::Message(self.topic(id, topic)?), ty),
        };
        if let Some(value) = self.take_kept(&address, ty) {
            self.node_done(id, node, value);
            return Ok(());
        }
        if let Some(activity) = self.begin_form(id, node, Form::Wait(Box::new(WaitForm::Time(None))))? {
            self.open_wait(activity, address);
        }
        Ok(())
    }

    fn begin_time(&mut self, id: InstanceId, node: NodeId, time: &Expr) -> Result<(), Failure> {
        let mut delay = milliseconds(evaluate_duration(Some(time), self.frame(id))?.unwrap_or(0));
        if self.bugs.0.has(Bug::WaitEarly) {
            delay /= 2;
        }
        if let Some(activity) = self.begin_form(id, node, Form::Wait(Box::new(WaitForm::Time(None))))? {
            let timer = self.set_timer(delay, Due::Wait(activity));
            if let Some(activity) = self.activities.get_mut(activity) {
                activity.form = Form::Wait(Box::new(WaitForm::Time(Some(timer))));
            }
        }
        Ok(())
    }

    /// The time of a `wait` has come.
    pub(super) fn waited(&mut self, id: ActivityId) {
        self.complete(id, Value::Unit);
    }

    fn topic(&self, id: InstanceId, topic: &Expr) -> Result<Arc<str>, Failure> {
        match self.eval_in(id, topic)? {
            Value::String(text) => {
                check_topic(&text).map_err(|message| failure(FailureKind::InvalidInput, message))?;
                Ok(text)
            }
            other => Err(failure(FailureKind::Internal, format!("the plan promises a text for a topic, but it is {other:?}"))),
        }
    }

    /// An `emit` is ready.
    pub(super) fn begin_emit(&mut self, id: InstanceId, node: NodeId, topic: &Expr, value: &Expr) -> Result<(), Failure> {
        let topic = self.topic(id, topic)?;
        let mut payload = String::new();
        catalog::json::write_json(&self.eval_in(id, value)?, &mut payload);
        if payload.len() > MAX_PAYLOAD {
            let message = format!("the message on `{topic}` has {} bytes, at most {MAX_PAYLOAD} can be sent", payload.len());
            return Err(failure(FailureKind::Resource, message));
        }
        if self.given_at(id, node, &Type::Unit).is_some() {
            self.node_done(id, node, Value::Unit);
            return Ok(());
        }
        let path = self.path(id, node);
        let task = TaskId(self.next_task);
        let Some(activity) = self.begin_form(id, node, Form::Emit(task))? else { return Ok(()) };
        self.next_task += 1;
        let message = Message { topic, id: [&*self.id.0, "/", &path].concat().into(), payload: payload.into(), trace: None };
        self.emits.insert(task, Emit { activity, path, message, sending: false, asked: 0, of: None });
        self.send_when_agreed(task);
        Ok(())
    }

    /// Hands a message out as soon as no handler has anything against it and things start.
    pub(super) fn send_when_agreed(&mut self, task: TaskId) {
        if !self.ask_to_send(task) {
            return;
        }
        match self.emits.get(&task).and_then(|emit| emit.of) {
            Some(step) => self.send_with_others(step),
            None => self.send_or_hold(task),
        }
    }

    /// Hands a message out, or holds it while nothing starts.
    pub(super) fn send_or_hold(&mut self, task: TaskId) {
        if self.starts() {
            self.spend();
            self.send(task);
        } else {
            self.held.push(0, task);
        }
    }

    /// Hands a message out.
    pub(super) fn send(&mut self, task: TaskId) {
        if let Some(emit) = self.emits.get_mut(&task) {
            emit.sending = true;
            self.commands.push(Command::Publish(task));
        }
    }

    /// Another process owns the run: whether the bus has what was handed out is not known, so it is handed out again.
    pub(super) fn send_again(&mut self) {
        let forgets = self.bugs.0.has(Bug::PostForgotten);
        let lost = self.emits.iter().filter(|(_, emit)| emit.sending && !(forgets && emit.of.is_some()));
        let sending: Vec<TaskId> = lost.map(|(task, _)| *task).collect();
        for task in sending {
            self.send(task);
        }
    }

    /// The bus has a message.
    pub(super) fn sent(&mut self, attempt: &Attempt) -> Result<(), Misfit> {
        if attempt.task.0 >= self.next_task {
            return Err(Misfit(format!("step {} was never open", attempt.task.0)));
        }
        // Between the answer of the bus and its commit it may have stopped being wanted.
        let Some(emit) = self.emits.get(&attempt.task) else { return Ok(()) };
        if emit.path != attempt.path {
            return Err(Misfit(format!("step {} is `{}`, the event says `{}`", attempt.task.0, emit.path, attempt.path)));
        }
        let (activity, message, of) = (emit.activity, emit.message.clone(), emit.of);
        self.emits.remove(&attempt.task);
        self.tell_sent(&attempt.path, &message.topic, &message.payload);
        match of {
            Some(step) => self.sent_with_others(attempt.task, step),
            None => self.complete(activity, Value::Unit),
        }
        Ok(())
    }

    /// An `emit` that is under way.
    pub(crate) fn emit(&self, task: TaskId) -> Option<&Emit> {
        self.emits.get(&task)
    }

    /// Whether a message is handed out and the bus has not answered.
    pub(crate) fn is_sending(&self) -> bool {
        self.emits.values().any(|emit| emit.sending)
    }

    /// What an open wait takes.
    pub(super) fn type_of_wait(&self, id: ActivityId) -> Type {
        let plan = self.plan();
        let node = self.activities.get(id).and_then(|activity| activity.place).and_then(|(_, node)| plan.nodes.get(node));
        match node.map(|node| &node.kind) {
            Some(NodeKind::Wait(WaitPlan::Signal { ty, .. } | WaitPlan::Message { ty, .. })) => ty.clone(),
            _ => Type::Unit,
        }
    }

    /// An open wait, for people.
    pub(super) fn waiting(&self, id: ActivityId) -> Option<Waiting> {
        let activity = self.activities.get(id)?;
        let Form::Wait(form) = &activity.form else { return None };
        let (what, timer) = match &**form {
            WaitForm::Time(timer) => (Awaited::Time, *timer),
            WaitForm::Mail(Address::Signal(name), _) => (Awaited::Signal { name: name.clone(), ty: self.type_of_wait(id) }, None),
            WaitForm::Mail(Address::Message(topic), _) => {
                (Awaited::Message { topic: topic.clone(), ty: self.type_of_wait(id) }, None)
            }
        };
        let until = [timer, activity.deadline].into_iter().flatten().filter_map(|timer| self.timer(timer)).min();
        Some(Waiting { path: self.path_of_activity(id), what, until })
    }

    /// What is said when a wait or another node has taken too long.
    pub(super) fn overdue(&self, id: ActivityId) -> String {
        match self.waiting(id).map(|waiting| waiting.what) {
            Some(Awaited::Signal { name, .. }) => format!("the signal `{name}` did not come in time"),
            Some(Awaited::Message { topic, .. }) => format!("no message on `{topic}` came in time"),
            _ => "the deadline passed".to_owned(),
        }
    }
}

/// What a wait gives.
const fn type_of(wait: &WaitPlan) -> &Type {
    match wait {
        WaitPlan::Time(_) => &Type::Unit,
        WaitPlan::Signal { ty, .. } | WaitPlan::Message { ty, .. } => ty,
    }
}
