//! What a test can ask about what has happened: `calls` and `emitted`.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::Value;
use lang::plan::{ASKED, CALLS, EMITTED, FunctionId, RoleId, Target};

use crate::ports::Message;

/// What has happened so far.
#[derive(Default)]
pub(super) struct Seen {
    /// Attempts of each function and role.
    attempts: BTreeMap<Target, u64>,
    /// Topics and documents, in the order in which they were sent.
    sent: Vec<(Arc<str>, Arc<str>)>,
}

impl Seen {
    pub(super) fn attempt(&mut self, of: Target) {
        *self.attempts.entry(of).or_default() += 1;
    }

    /// An attempt never happened.
    pub(super) fn unmade(&mut self, of: Target) {
        self.attempts.entry(of).and_modify(|count| *count = count.saturating_sub(1));
    }

    /// How many attempts there were of each.
    pub(super) fn attempts(&self) -> impl Iterator<Item = (Target, u64)> + '_ {
        self.attempts.iter().map(|(of, count)| (*of, *count))
    }

    pub(super) fn message(&mut self, message: &Message) {
        self.sent.push((Arc::clone(&message.topic), Arc::clone(&message.payload)));
    }

    /// The answer to a function of the test itself; none for one that there is not.
    pub(super) fn answer(&self, function: &str, args: &[Value]) -> Option<Value> {
        let count = |of| Value::U64(self.attempts.get(&of).copied().unwrap_or(0));
        match (function, args) {
            (CALLS, [Value::U32(function)]) => Some(count(Target::Function(FunctionId::from_u32(*function)))),
            (ASKED, [Value::U32(role)]) => Some(count(Target::Role(RoleId::from_u32(*role)))),
            (EMITTED, [Value::String(topic)]) => {
                let sent = self.sent.iter().filter(|(on, _)| on == topic);
                let documents = sent.map(|(_, text)| catalog::json::parse_document(text).ok().map(Value::Json));
                Some(Value::list(documents.collect::<Option<Vec<_>>>()?))
            }
            _ => None,
        }
    }
}
