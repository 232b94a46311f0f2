//! What is beyond a store: agents and listeners that are no part of it.

use engine::ports::{JournalError, Message, Outcome, Question};
use futures::future::BoxFuture;

/// Reaches what is beyond the store.
pub trait Outside: Send + Sync + 'static {
    /// Asks whoever has a role that no agent of this process has.
    fn ask(&self, question: Question) -> BoxFuture<'static, Outcome>;

    /// Gives a message to all who listen to its topic, inside and outside; the future ends when it is durable. Runs get it
    /// from there as they get those of others.
    fn publish(&self, message: Message) -> BoxFuture<'static, Result<(), JournalError>>;
}
