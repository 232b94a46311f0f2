//! What two states over different plans have in common: steps by their paths, timers by what they are for.

use std::fmt;
use std::sync::Arc;

use catalog::Value;

use super::State;
use super::model::{Due, Task};
use crate::event::{TaskId, TimerId};

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Alarm {
    /// The deadline of a node.
    Deadline(Arc<str>),
    /// The next attempt of a step.
    Retry(Arc<str>),
    /// A `wait` for a time.
    Wait(Arc<str>),
    /// The rate of a node, by its name.
    Rate(Arc<str>),
    /// The budget of a node.
    Budget(Arc<str>),
    /// How long a human may take to decide about a step.
    Patience(Arc<str>),
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, of) = match self {
            Self::Deadline(of) => ("the deadline", of),
            Self::Retry(of) => ("the next attempt", of),
            Self::Wait(of) => ("the end of the wait", of),
            Self::Rate(of) => ("the rate", of),
            Self::Budget(of) => ("the time of the budget", of),
            Self::Patience(of) => ("the time to decide", of),
        };
        write!(f, "{what} of `{of}`")
    }
}

/// What a step or an `emit` that has not ended is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Open<'s> {
    /// What is called, and the arguments.
    Step(String, &'s [Value]),
    /// Topic and payload.
    Emit(&'s str, &'s str),
}

impl State {
    /// What a timer is for.
    pub(crate) fn alarm(&self, id: TimerId) -> Option<Alarm> {
        Some(match self.timers.get(&id)?.due {
            Due::Deadline(activity) => Alarm::Deadline(self.path_of_activity(activity)),
            Due::Retry(task) => Alarm::Retry(Arc::clone(&self.tasks.get(&task)?.path)),
            Due::Patience(task) => Alarm::Patience(Arc::clone(&self.tasks.get(&task)?.path)),
            Due::Wait(activity) => Alarm::Wait(self.path_of_activity(activity)),
            Due::Rate(node) => Alarm::Rate(Arc::clone(&self.program.0.nodes.get(node)?.name)),
            Due::Budget(scope) => {
                let owner = self.scopes.get(scope).and_then(|scope| scope.budget.as_ref())?.owner();
                Alarm::Budget(self.path_of_activity(owner))
            }
        })
    }

    /// The timer for this.
    pub(crate) fn timer_for(&self, alarm: &Alarm) -> Option<TimerId> {
        self.timers.keys().copied().find(|id| self.alarm(*id).as_ref() == Some(alarm))
    }

    /// The steps and messages with this number or a later one, with their paths.
    pub(crate) fn opened_from(&self, first: TaskId) -> impl Iterator<Item = (TaskId, &Arc<str>)> {
        let steps = self.tasks.range(first..).map(|(id, task)| (*id, &task.path));
        steps.chain(self.emits.range(first..).map(|(id, emit)| (*id, &emit.path)))
    }

    /// The number that the next step gets.
    pub(crate) const fn next_task(&self) -> TaskId {
        TaskId(self.next_task)
    }

    /// What a step or message is about.
    pub(crate) fn open(&self, id: TaskId) -> Option<Open<'_>> {
        if let Some(emit) = self.emits.get(&id) {
            return Some(Open::Emit(&emit.message.topic, &emit.message.payload));
        }
        let task = self.tasks.get(&id)?;
        Some(Open::Step(self.called_by(task), &task.args))
    }

    fn called_by(&self, task: &Task) -> String {
        let plan = &self.program.0;
        let interface = match task.target {
            lang::plan::Target::Function(function) => plan.functions.get(function).and_then(|of| of.interface.as_deref()),
            lang::plan::Target::Role(_) => Some("ask"),
            lang::plan::Target::Plan(_) => None,
        };
        interface.map_or_else(String::new, |interface| format!("{interface}.")) + plan.name_of(task.target)
    }
}
