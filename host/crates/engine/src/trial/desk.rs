//! Questions of components that really run in a test: mocks answer them.

use std::sync::Arc;
use std::time::Duration;

use catalog::{FailureKind, Name};
use futures::FutureExt;
use futures::future::BoxFuture;
use lang::plan::MockTarget;
use tokio::sync::{mpsc, oneshot};

use super::mocks::Answer;
use super::{Trial, TrialEnd, within};
use crate::core::Input;
use crate::event::{Failure, TaskId};
use crate::ports::{Asking, Callable, GrantedCapability, Inquiry, Message, Outcome};

/// Where a component asks.
#[derive(Debug)]
pub(super) struct Desk(mpsc::UnboundedSender<Asked>);

/// What waits for an answer.
pub(super) enum Asked {
    /// A question to a role.
    Question(Inquiry, oneshot::Sender<Outcome>),
    /// Whether there is a message on a topic.
    Message(Name, oneshot::Sender<Option<Message>>),
}

/// A desk, and what is asked there.
pub(super) fn open() -> (Arc<dyn Asking>, mpsc::UnboundedReceiver<Asked>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Arc::new(Desk(sender)), receiver)
}

impl Asking for Desk {
    fn ask(&self, inquiry: Inquiry) -> BoxFuture<'static, Outcome> {
        let (reply, answer) = oneshot::channel();
        // Who cannot be asked any more gives no answer either.
        drop(self.0.send(Asked::Question(inquiry, reply)));
        async move { answer.await.unwrap_or_else(|_| Outcome::new(Err(over()))) }.boxed()
    }

    fn receive(&self, topic: Name) -> BoxFuture<'static, Result<Option<Message>, Failure>> {
        let (reply, message) = oneshot::channel();
        drop(self.0.send(Asked::Message(topic, reply)));
        async move { message.await.map_err(|_| over()) }.boxed()
    }
}

fn over() -> Failure {
    Failure { kind: FailureKind::Dependency, message: "the test is over".to_owned(), details: None, retry_after: None }
}

/// Whether all that an attempt is granted is mail: then it can do nothing that a test does not see.
pub(super) fn has_only_mail(grants: &[GrantedCapability]) -> bool {
    !grants.is_empty() && grants.iter().all(|grant| matches!(grant, GrantedCapability::Mail(..)))
}

impl Trial<'_> {
    /// A component that runs asks. While it does, no virtual time passes.
    pub(super) fn serve(&mut self, asked: Asked, path: &Arc<str>, (task, number): (TaskId, u32)) {
        match asked {
            Asked::Question(inquiry, reply) => self.answer_question(inquiry, reply, path, number),
            Asked::Message(topic, reply) => {
                self.input(Input::Receive { task, number, topic });
                drop(reply.send(self.handed.take().map(|message| *message)));
            }
        }
    }

    fn answer_question(&mut self, inquiry: Inquiry, reply: oneshot::Sender<Outcome>, path: &Arc<str>, number: u32) {
        let timeout = inquiry.limits.timeout;
        let result = inquiry.question(&self.plan, path, number).and_then(|question| {
            let (role, args) = (Arc::clone(&question.role), question.args);
            let Some(target) = self.mocks.target(&Callable::Role(role)) else { return Err(over()) };
            self.seen.attempt(target);
            match self.mocks.answer(&self.plan, &MockTarget::Step(target), &args) {
                Some(Ok(Answer { takes, result, .. })) => within(Some(nanoseconds(timeout)), takes, result).1,
                Some(Err((mock, failure))) => {
                    self.finish(TrialEnd::Mock { mock, failure: failure.clone() });
                    Err(failure)
                }
                None => {
                    self.finish(TrialEnd::Unmocked { path: Arc::clone(path), target, args });
                    Err(over())
                }
            }
        });
        // An attempt that does not wait any more gets none.
        drop(reply.send(Outcome::new(result)));
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
