//! What a component asks while it runs.

use std::fmt;
use std::sync::Arc;

use catalog::json::parse;
use catalog::{FailureKind, Name, RecordType, Type};
use futures::future::BoxFuture;
use lang::plan::Plan;

use super::{Limits, Message, Outcome, Question};
use crate::event::Failure;

/// The most messages that an attempt may send.
pub const MOST_POSTED: usize = 1_000;

/// The most bytes of all that an attempt sends, topics and payloads together.
pub const MOST_POSTED_BYTES: usize = 4 << 20;

/// The most questions that an attempt may ask.
pub const MOST_ASKED: u32 = 100;

/// The most times that an attempt may look for a message.
pub const MOST_RECEIVED: u32 = 1_000;

/// A question of a component that runs.
#[derive(Clone, Debug)]
pub struct Inquiry {
    /// Who is asked; the attempt was granted to ask this role.
    pub role: Name,
    /// A JSON object with a member for each parameter of the role.
    pub message: Arc<str>,
    /// The how many-th question of the attempt, from 0: the same in each attempt that asks the same way.
    pub index: u32,
    /// Bounds of the answer: what is left of those of the attempt.
    pub limits: Limits,
}

/// Brings questions of one attempt to whoever has the role, and messages of its run to it.
pub trait Asking: fmt::Debug + Send + Sync + 'static {
    /// Asks. Dropping the future tells that nobody waits for the answer any more.
    fn ask(&self, inquiry: Inquiry) -> BoxFuture<'static, Outcome>;

    /// Takes the next message on a topic that came for the run and that nothing has taken. It is taken when the attempt
    /// succeeds, else there again.
    fn receive(&self, topic: Name) -> BoxFuture<'static, Result<Option<Message>, Failure>>;
}

impl Inquiry {
    /// The question to the role, as the flow declares it, of the attempt with this number of the step `run/path`.
    ///
    /// # Errors
    /// `permission` where the plan has no such role, `invalid-input` where the message does not fit its parameters.
    pub fn question(self, plan: &Plan, key: &str, number: u32) -> Result<Question, Failure> {
        let wrong = |kind, message| Failure { kind, message, details: None, retry_after: None };
        let Some(role) = plan.roles.values().find(|role| role.name == self.role) else {
            return Err(wrong(FailureKind::Permission, format!("the flow declares no role `{}`", self.role)));
        };
        let ty = Type::Record(Arc::new(RecordType { name: None, fields: role.params.clone() }));
        let message = parse(&self.message, &ty).map_err(|error| {
            let params: Vec<String> = role.params.iter().map(|(name, ty)| format!("\"{name}\": {ty}")).collect();
            let message = format!("the role `{}` is asked with {{{}}}: {error}", self.role, params.join(", "));
            wrong(FailureKind::InvalidInput, message)
        })?;
        Ok(Question {
            args: role.params.iter().filter_map(|(name, _)| message.field(name).cloned()).collect(),
            role: Arc::new(role.clone()),
            limits: self.limits,
            idempotency_key: format!("{key}.ask[{}]", self.index).into(),
            number,
            previous_failure: None,
            trace: None,
        })
    }
}
