//! Signals and messages: what is sent, who brings it, and where it is kept until its run takes it.

use std::sync::Arc;

use catalog::{FailureKind, Name, Value};
use futures::FutureExt;
use futures::future::{BoxFuture, pending, ready};
use lang::plan::{PLAN_SOURCE, PlanRef, RoleRef};

use super::{Callee, JournalError, Limits, Outcome, RunsOn};
use crate::event::{Change, Decision, Failure, RunId, TaskId, Timestamp, Trace, Version};

/// A message for all runs that wait on its topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Exactly one topic.
    pub topic: Arc<str>,
    /// The same each time that the same message is sent: receivers take it once.
    pub id: Arc<str>,
    /// The JSON form of what it carries.
    pub payload: Arc<str>,
    /// The trace that it belongs to, where its sender said one.
    pub trace: Option<Trace>,
}

/// A signal for one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its name.
    pub name: Name,
    /// The same each time that the same signal is given; empty where it is given once only.
    pub id: Arc<str>,
    /// The JSON form of what it carries.
    pub payload: Arc<str>,
}

/// What an operator wants of a run, whoever drives it.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Nothing new is to start.
    Pause {
        /// Why, for people.
        reason: String,
    },
    /// It goes on after a pause.
    Resume,
    /// It is to end as cancelled.
    Cancel {
        /// Why, for people.
        reason: String,
        /// What runs may come to its end.
        gently: bool,
    },
    /// So many more steps of a paused run may start.
    Advance {
        /// How many.
        steps: u32,
    },
    /// What becomes of a step that waits for a decision.
    Decide {
        /// Which step.
        task: TaskId,
        /// How often the run had been migrated when this was decided: a migration numbers its steps anew. None: not known.
        migrations: Option<u64>,
        /// What.
        decision: Decision,
    },
    /// It is to go on with another program. The core only says whether that can be: whoever drives it has the plans.
    Migrate(Version),
    /// What has not begun is to go otherwise: all of it, or nothing.
    Change(Vec<Change>),
}

/// An order as a letter.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// The same each time that the same order is given; it is carried out once.
    pub id: Arc<str>,
    /// What is wanted.
    pub order: Order,
}

/// What comes to a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Mail {
    /// For whoever drives it.
    Control(Control),
    /// For it alone.
    Signal(Signal),
    /// For all who wait on the topic.
    Message(Message),
    /// So many messages did not come because the inbox was full.
    Dropped(u64),
}

/// Mail in the inbox of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// Rises with each letter of a store.
    pub no: u64,
    /// What it is.
    pub mail: Mail,
}

/// What a run waits for, as its owner notes it for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitingNote {
    /// In a line.
    pub what: String,
    /// Steps that wait for something which the run's events do not tell, or run on another host.
    pub live: Vec<Live>,
}

/// What a step waits for that its run's events do not tell, or where it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Its path.
    pub path: Arc<str>,
    /// For people, such as “waits for the key …”.
    pub what: String,
    /// When it goes on at the earliest, where that is known.
    pub until: Option<Timestamp>,
    /// It does not wait: it runs on another host.
    pub runs: Option<RunsOn>,
}

impl From<&str> for WaitingNote {
    fn from(what: &str) -> Self {
        Self { what: what.to_owned(), live: Vec::new() }
    }
}

/// What a step calls.
#[derive(Clone, Debug)]
pub enum Callable {
    /// A function of a component.
    Function(Arc<Callee>),
    /// Whoever has this role.
    Role(Arc<RoleRef>),
    /// A plan that its first argument is the text of.
    Plan(Arc<PlanRef>),
}

impl Callable {
    /// What it is called, as its WIT or its role says.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Function(function) => &function.wit_name,
            Self::Role(role) => &role.name,
            Self::Plan(_) => PLAN_SOURCE,
        }
    }
}

/// A question to whoever has a role: one attempt of an `ask`.
#[derive(Clone, Debug)]
pub struct Question {
    /// The role.
    pub role: Arc<RoleRef>,
    /// One value for each parameter.
    pub args: Vec<Value>,
    /// Bounds of the attempt.
    pub limits: Limits,
    /// `run/path`: the same for all attempts of a step.
    pub idempotency_key: Arc<str>,
    /// Counted from 1.
    pub number: u32,
    /// Why the attempt before this one failed.
    pub previous_failure: Option<Failure>,
    /// The trace that the run belongs to, where somebody said one.
    pub trace: Option<Trace>,
}

/// Brings messages to runs, and questions to agents. What it is given is durable when it says so.
pub trait Bus: Send + Sync + 'static {
    /// Gives a message to all who listen to its topic; the future ends when it is durable. Sending the same message
    /// again is harmless.
    fn publish(&self, message: Message) -> BoxFuture<'static, Result<(), JournalError>>;

    /// From now on the run gets the messages on these topics.
    fn subscribe(&self, run: &RunId, topics: Vec<Arc<str>>) -> BoxFuture<'static, Result<(), JournalError>>;

    /// The run gets no more messages on this topic; what is in its inbox stays.
    fn unsubscribe(&self, run: &RunId, topic: Arc<str>) -> BoxFuture<'static, Result<(), JournalError>>;

    /// Signals and messages in the inbox of the run after the letter `after`, in order; not always all of them.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    fn mail(&self, run: &RunId, after: u64) -> Result<Vec<Letter>, JournalError>;

    /// Control letters in the inbox of the run after the letter `after`, in order.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    fn controls(&self, run: &RunId, after: u64) -> Result<Vec<Letter>, JournalError>;

    /// Ends when there may be more letters for the run than when it was called.
    fn arrival(&self, run: &RunId) -> BoxFuture<'static, ()>;

    /// Takes letters out of the inbox: the run's journal has them.
    fn taken(&self, run: &RunId, letters: Vec<u64>) -> BoxFuture<'static, Result<(), JournalError>>;

    /// Notes what the run waits for, for people; none: nothing.
    fn note_waiting(&self, run: &RunId, what: Option<WaitingNote>) -> BoxFuture<'static, Result<(), JournalError>>;

    /// Nobody waits for an arrival for the run any more.
    fn leave(&self, _run: &RunId) {}

    /// The run has ended: its inbox and its topics are removed.
    fn forget(&self, run: &RunId) -> BoxFuture<'static, Result<(), JournalError>>;

    /// Asks whoever has the role. Where nobody has it, the answer is a failure of kind `dependency` at once.
    fn ask(&self, question: Question) -> BoxFuture<'static, Outcome>;
}

/// Keeps inboxes and topics: the part of a store that a bus works on.
pub trait MailStore: Send + Sync + 'static {
    /// Writes; the future ends when it is durable.
    fn write_mail(&self, write: MailWrite) -> BoxFuture<'static, Result<(), JournalError>>;

    /// Up to `limit` signals and messages in the inbox of a run after the letter `after`, in order.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    fn letters(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Letter>, JournalError>;

    /// The control letters in the inbox of a run after the letter `after`, in order.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    fn controls(&self, run: &RunId, after: u64) -> Result<Vec<Letter>, JournalError>;

    /// The numbers of letters of any kind after the letter `after`, with their runs, in order; not always all of them.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    fn arrived(&self, after: u64) -> Result<Vec<(u64, RunId)>, JournalError>;
}

/// A change of inboxes and topics.
#[derive(Clone, Debug, PartialEq)]
pub enum MailWrite {
    /// Puts a message into the inbox of each run that listens to its topic and has not ended.
    Publish(Message),
    /// Puts an order into the inbox of a run, also when it is full otherwise.
    Control(RunId, Control),
    /// Puts a signal into the inbox of a run.
    Signal(RunId, Signal),
    /// A run listens to these topics.
    Subscribe(RunId, Vec<Arc<str>>),
    /// A run does not listen to this topic any more.
    Unsubscribe(RunId, Arc<str>),
    /// Takes letters out of the inbox of a run.
    Remove(RunId, Vec<u64>),
    /// What a run waits for, for people.
    Waiting(RunId, Option<WaitingNote>),
    /// Removes all of this that concerns a run.
    Forget(RunId),
}

/// No bus: nothing comes, and nothing can be sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoBus;

fn done() -> BoxFuture<'static, Result<(), JournalError>> {
    ready(Ok(())).boxed()
}

impl Bus for NoBus {
    fn publish(&self, message: Message) -> BoxFuture<'static, Result<(), JournalError>> {
        let what = format!("the message on `{}` cannot be sent: this host has no bus", message.topic);
        ready(Err(JournalError::Unavailable(what))).boxed()
    }

    fn subscribe(&self, _: &RunId, _: Vec<Arc<str>>) -> BoxFuture<'static, Result<(), JournalError>> {
        done()
    }

    fn unsubscribe(&self, _: &RunId, _: Arc<str>) -> BoxFuture<'static, Result<(), JournalError>> {
        done()
    }

    fn mail(&self, _: &RunId, _: u64) -> Result<Vec<Letter>, JournalError> {
        Ok(Vec::new())
    }

    fn controls(&self, _: &RunId, _: u64) -> Result<Vec<Letter>, JournalError> {
        Ok(Vec::new())
    }

    fn arrival(&self, _: &RunId) -> BoxFuture<'static, ()> {
        pending().boxed()
    }

    fn taken(&self, _: &RunId, _: Vec<u64>) -> BoxFuture<'static, Result<(), JournalError>> {
        done()
    }

    fn note_waiting(&self, _: &RunId, _: Option<WaitingNote>) -> BoxFuture<'static, Result<(), JournalError>> {
        done()
    }

    fn forget(&self, _: &RunId) -> BoxFuture<'static, Result<(), JournalError>> {
        done()
    }

    fn ask(&self, question: Question) -> BoxFuture<'static, Outcome> {
        let message = format!("the role `{}` cannot be asked: this host has no bus", question.role.name);
        let failure = Failure { kind: FailureKind::Dependency, message, details: None, retry_after: None };
        let outcome = Outcome::new(Err(failure));
        ready(outcome).boxed()
    }
}
