//! What components ask while they run: questions go the way of those of an `ask`, messages come from the task of the run.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{FailureKind, Name};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use lang::plan::Plan;
use tokio::sync::{mpsc, oneshot};

use crate::core::StartAttempt;
use crate::event::{Failure, TaskId, Trace};
use crate::ports::{Asking, Bus, Inquiry, Message, Outcome, Question};

/// A component looks for a message.
pub(super) struct Wanted {
    pub(super) task: TaskId,
    pub(super) number: u32,
    pub(super) topic: Name,
    pub(super) reply: Reply,
}

/// Where a message goes; none: there is none.
type Reply = oneshot::Sender<Option<Message>>;

/// The components of a run that look for messages.
pub(super) struct Mailroom {
    sender: mpsc::UnboundedSender<Wanted>,
    receiver: mpsc::UnboundedReceiver<Wanted>,
    /// What was told to the core, by attempt. A component waits for what it asked for, so that one attempt has never asked twice.
    told: BTreeMap<(TaskId, u32), Reply>,
}

impl Mailroom {
    pub(super) fn new() -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        Self { sender, receiver, told: BTreeMap::new() }
    }

    /// The next one that looks. Never ends by itself.
    pub(super) async fn next(&mut self) -> Option<Wanted> {
        self.receiver.recv().await
    }

    /// The core is told.
    pub(super) fn tell(&mut self, attempt: (TaskId, u32), reply: Reply) {
        self.told.insert(attempt, reply);
    }

    /// What the core gives to an attempt. One that is over does not look any more.
    pub(super) fn hand(&mut self, attempt: (TaskId, u32), message: Option<Message>) {
        drop(self.told.remove(&attempt).map(|reply| reply.send(message)));
    }

    /// An attempt is over.
    pub(super) fn forget(&mut self, attempt: (TaskId, u32)) {
        self.told.remove(&attempt);
    }
}

/// What an attempt asks by.
pub(super) struct Correspondence {
    bus: Arc<dyn Bus>,
    plan: Arc<Plan>,
    mailroom: mpsc::UnboundedSender<Wanted>,
    task: TaskId,
    number: u32,
    /// `run/path` of the step.
    key: Arc<str>,
    /// Of the run.
    trace: Option<Trace>,
}

impl std::fmt::Debug for Correspondence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Correspondence").field("key", &self.key).finish_non_exhaustive()
    }
}

impl Correspondence {
    pub(super) fn of(
        start: &StartAttempt,
        bus: &Arc<dyn Bus>,
        plan: &Arc<Plan>,
        mailroom: &Mailroom,
        trace: Option<&Trace>,
    ) -> Arc<dyn Asking> {
        Arc::new(Self {
            bus: Arc::clone(bus),
            plan: Arc::clone(plan),
            mailroom: mailroom.sender.clone(),
            task: start.task,
            number: start.number,
            key: Arc::clone(&start.idempotency_key),
            trace: trace.cloned(),
        })
    }
}

impl Asking for Correspondence {
    fn ask(&self, inquiry: Inquiry) -> BoxFuture<'static, Outcome> {
        match inquiry.question(&self.plan, &self.key, self.number) {
            Ok(question) => self.bus.ask(Question { trace: self.trace.clone(), ..question }),
            Err(failure) => ready(Outcome::new(Err(failure))).boxed(),
        }
    }

    fn receive(&self, topic: Name) -> BoxFuture<'static, Result<Option<Message>, Failure>> {
        let (reply, message) = oneshot::channel();
        // Of a run that is not driven any more, nothing comes.
        drop(self.mailroom.send(Wanted { task: self.task, number: self.number, topic, reply }));
        let gone = |_| Failure {
            kind: FailureKind::Dependency,
            message: "the run is not driven here any more".to_owned(),
            details: None,
            retry_after: None,
        };
        async move { message.await.map_err(gone) }.boxed()
    }
}
