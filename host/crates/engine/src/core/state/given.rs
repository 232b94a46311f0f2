//! Results that are there before their step has run: those of the run that this one retries, and what an operator supplied.
//!
//! Such a step takes no place, no key and no budget, and no handler is asked or told about it: nothing happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{Digest, Type, Value};
use lang::plan::{CallPlan, NodeId, NodeKind, WaitPlan};
use sha2::{Digest as _, Sha256};

use super::State;
use super::model::{Form, InstanceId, Status};
use crate::core::bugs::Bug;
use crate::core::values::{decode, evaluate};
use crate::event::{CacheNote, Failure, Origin, Payload, TaskId};

/// The results by path.
#[derive(Debug, Default)]
pub(crate) struct Given {
    reused: BTreeMap<Arc<str>, (Digest, Payload)>,
    /// Whether a step with an effect may run again with other arguments.
    repeats: bool,
    supplied: BTreeMap<Arc<str>, Payload>,
}

impl Given {
    fn is_empty(&self) -> bool {
        self.reused.is_empty() && self.supplied.is_empty()
    }
}

/// What is there for a step.
enum Answer {
    Nothing,
    Value(Payload, CacheNote),
    /// It had its effect with other arguments.
    Differs,
}

impl State {
    /// Takes over what the run that this one retries has left.
    pub(super) fn take_over(&mut self, origin: &Origin) {
        self.given.repeats = origin.repeats;
        if self.bugs.0.has(Bug::ResultsForgotten) {
            return;
        }
        let results = origin.results.iter();
        self.given.reused = results.map(|result| (Arc::clone(&result.path), (result.key, result.output.clone()))).collect();
    }

    /// Keeps what an operator supplied.
    pub(super) fn supply(&mut self, path: &Arc<str>, output: &Payload) {
        if !self.bugs.0.has(Bug::SupplyForgotten) {
            self.given.supplied.insert(Arc::clone(path), output.clone());
        }
    }

    /// Starts a step whose result is there, or lets it wait for an operator when only one for other arguments is.
    pub(super) fn starts_given(&mut self, id: TaskId) -> bool {
        if self.given.is_empty() {
            return false;
        }
        let answer = self.answer(id);
        let Some(task) = self.tasks.get_mut(&id) else { return false };
        match answer {
            Answer::Value(..) => {
                task.started = false;
                task.status = Status::Running;
                self.commands.push(super::Command::Start(id, task.number));
                true
            }
            Answer::Differs if !task.repeatable && !self.given.repeats => {
                task.started = false;
                task.status = Status::Unknown;
                self.unknown.insert(id);
                true
            }
            Answer::Differs | Answer::Nothing => false,
        }
    }

    /// The result of a step that is there, with where it comes from.
    pub(crate) fn given(&self, id: TaskId) -> Option<(Payload, CacheNote)> {
        if self.given.is_empty() {
            return None;
        }
        match self.answer(id) {
            Answer::Value(output, note) => Some((output, note)),
            Answer::Differs | Answer::Nothing => None,
        }
    }

    fn answer(&self, id: TaskId) -> Answer {
        let Some(task) = self.tasks.get(&id).filter(|task| task.number == 1 && !task.is_hook) else { return Answer::Nothing };
        if let Some(output) = self.given.supplied.get(&task.path) {
            return Answer::Value(output.clone(), CacheNote::Supplied);
        }
        let Some((key, output)) = self.given.reused.get(&task.path) else { return Answer::Nothing };
        let place = self.activities.get(task.activity).and_then(|activity| activity.place);
        let same = place.and_then(|(instance, node)| self.key_of(instance, node)) == Some(*key);
        if !same && !self.bugs.0.has(Bug::ResultsUnchecked) {
            return Answer::Differs;
        }
        match self.output(task.target, output) {
            Ok(_) => Answer::Value(output.clone(), CacheNote::Reused),
            Err(_) => Answer::Differs,
        }
    }

    /// The result of a `wait` or an `emit` that is there.
    pub(super) fn given_at(&self, instance: InstanceId, node: NodeId, ty: &Type) -> Option<Value> {
        if self.given.reused.is_empty() {
            return None;
        }
        let (key, output) = self.given.reused.get(&self.path(instance, node))?;
        if self.key_of(instance, node)? == *key { decode(output, ty).ok() } else { None }
    }

    /// What a step, a `wait` or an `emit` asks for, as a digest: what is called, and the arguments before a handler changed them.
    pub(super) fn key_of(&self, instance: InstanceId, node: NodeId) -> Option<Digest> {
        let plan = self.plan();
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        let json = |value: &Value| {
            let mut text = String::new();
            catalog::json::write_json(value, &mut text);
            text
        };
        match &plan.nodes.get(node)?.kind {
            NodeKind::Call(call) => {
                self.called(call).iter().for_each(|text| part(text));
                for value in self.arguments_of(instance, call).ok()? {
                    part(&json(&value));
                }
            }
            NodeKind::Wait(WaitPlan::Time(_)) => part("time"),
            NodeKind::Wait(WaitPlan::Signal { name, .. }) => ["signal", name].iter().for_each(|text| part(text)),
            NodeKind::Wait(WaitPlan::Message { topic, .. }) => {
                part("message");
                part(&json(&self.eval_in(instance, topic).ok()?));
            }
            NodeKind::Emit { topic, value } => {
                part("emit");
                part(&json(&self.eval_in(instance, topic).ok()?));
                part(&json(&self.eval_in(instance, value).ok()?));
            }
            _ => return None,
        }
        Some(Digest(hash.finalize().into()))
    }

    /// The words for what a call calls: the same function of another component has the same ones.
    fn called(&self, call: &CallPlan) -> [String; 3] {
        let plan = self.plan();
        let interface = match call.target {
            lang::plan::Target::Function(function) => plan.functions.get(function).and_then(|of| of.interface.clone()),
            lang::plan::Target::Role(_) | lang::plan::Target::Plan(_) => None,
        };
        let kind = if matches!(call.target, lang::plan::Target::Role(_)) { "ask" } else { "call" };
        [kind.to_owned(), interface.unwrap_or_default(), plan.name_of(call.target).to_owned()]
    }

    fn arguments_of(&self, instance: InstanceId, call: &CallPlan) -> Result<Vec<Value>, Failure> {
        call.args.iter().map(|arg| evaluate(arg, self.frame(instance))).collect()
    }

    // What has been done, for whoever retries the run later.

    /// Keeps from now on what is done and what is taken back.
    pub(crate) fn keep_history(&mut self) {
        self.history = Some(Box::default());
    }

    /// What was done and taken back since [`State::keep_history`].
    pub(crate) fn take_history(&mut self) -> History {
        self.history.take().map(|history| *history).unwrap_or_default()
    }

    /// A node has given its value.
    pub(super) fn note_result(&mut self, instance: InstanceId, node: NodeId, value: &Value) {
        self.note_done(instance, node, value, true);
    }

    fn note_done(&mut self, instance: InstanceId, node: NodeId, value: &Value, whole: bool) {
        if self.history.is_none() {
            return;
        }
        let plan = self.plan();
        let effect = match plan.nodes.get(node).map(|node| &node.kind) {
            Some(NodeKind::Call(call)) => !call.repeatable() || call.moves_mail(),
            Some(NodeKind::Emit { .. }) => true,
            _ => false,
        };
        let Some(key) = self.key_of(instance, node) else { return };
        let path = self.path(instance, node);
        if let Some(history) = &mut self.history {
            history.done.push(Done { path, key, value: value.clone(), effect, whole });
        }
    }

    /// The same of a step that gave its value when nobody wanted it any more; not the whole of it, when its messages never left.
    pub(super) fn note_late_result(&mut self, id: super::model::ActivityId, value: Option<&Value>, whole: bool) {
        let Some(activity) = self.activities.get(id) else { return };
        if let (Form::Call(_), Some((instance, node)), Some(value)) = (&activity.form, activity.place, value) {
            self.note_done(instance, node, value, whole);
        }
    }

    /// What the node at this path did is taken back; `done` says that it has been.
    pub(super) fn note_undo(&mut self, path: &Arc<str>, done: bool) {
        if let Some(history) = &mut self.history {
            history.undone.insert(Arc::clone(path), done);
        }
    }
}

/// What a run has done.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// In the order in which it was done.
    pub(crate) done: Vec<Done>,
    /// The paths of what was to be taken back, and whether it was.
    pub(crate) undone: BTreeMap<Arc<str>, bool>,
}

/// A result.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) path: Arc<str>,
    pub(crate) key: Digest,
    pub(crate) value: Value,
    /// Whether it may have changed the world, and must not simply be done again.
    pub(crate) effect: bool,
    /// Whether all of it was done; else its messages never left, and it has to be done again.
    pub(crate) whole: bool,
}
