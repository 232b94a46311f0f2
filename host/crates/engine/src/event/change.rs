//! What an operator changes in a run that goes on: only what has not begun.

use std::sync::Arc;

use catalog::Name;

use super::Payload;

/// A change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Other settings for a step.
    Policy {
        /// Its path.
        path: Arc<str>,
        /// Those that change.
        settings: Settings,
    },
    /// The value of a step, which then does not run.
    Result {
        /// Its path.
        path: Arc<str>,
        /// The value.
        output: Payload,
    },
    /// Another value for a parameter of the entry flow.
    Input {
        /// The parameter.
        name: String,
        /// Its value.
        value: Payload,
    },
}

/// Settings of a step; what is left out stays as the flow says. Times are in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Further attempts after the first.
    pub retry: Option<u32>,
    /// What to wait before each of them.
    pub backoff: Option<u64>,
    /// Of one attempt.
    pub timeout: Option<u64>,
    /// Of all attempts.
    pub deadline: Option<u64>,
    /// Those with a higher one go first.
    pub priority: Option<i32>,
    /// Whose limits and places it uses.
    pub class: Option<Name>,
    /// Bytes; never more than the host's configuration gives.
    pub memory: Option<u64>,
    /// Units; likewise.
    pub fuel: Option<u64>,
}

impl Settings {
    /// Takes over what another one says.
    pub(crate) fn join(&mut self, other: &Self) {
        let Self { retry, backoff, timeout, deadline, priority, class, memory, fuel } = other;
        self.retry = retry.or(self.retry);
        self.backoff = backoff.or(self.backoff);
        self.timeout = timeout.or(self.timeout);
        self.deadline = deadline.or(self.deadline);
        self.priority = priority.or(self.priority);
        self.class = class.clone().or(self.class.take());
        self.memory = memory.or(self.memory);
        self.fuel = fuel.or(self.fuel);
    }
}
