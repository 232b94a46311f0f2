//! The bus of one process over the inboxes of its store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::event::RunId;
use engine::ports::{Bus, JournalError, Letter, MailStore, MailWrite, Message, Outcome, Question, WaitingNote};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use tokio::sync::Notify;

use crate::agents::{Agents, nobody};
use crate::outside::Outside;

/// How often a process looks for letters that other processes have written.
pub const POLL: Duration = Duration::from_millis(200);

/// So many letters are read at once.
const LETTERS: usize = 256;

/// The bus.
#[derive(Clone)]
pub struct LocalBus {
    store: Arc<dyn MailStore>,
    wakes: Arc<Mutex<BTreeMap<RunId, Arc<Notify>>>>,
    /// Where somebody else looks for mail, for all runs: whom to tell of a message.
    watcher: Option<Arc<Notify>>,
    agents: Option<Agents>,
    /// Who is asked that has no agent here, and whom messages go to first.
    outside: Option<Arc<dyn Outside>>,
    /// The last letter of the store that was seen. Whoever holds it looks for all runs of the process.
    watch: Arc<tokio::sync::Mutex<u64>>,
}

impl LocalBus {
    /// A bus over the inboxes of this store.
    #[must_use]
    pub fn new(store: Arc<dyn MailStore>) -> Self {
        Self { store, wakes: Arc::default(), watcher: None, agents: None, outside: None, watch: Arc::default() }
    }

    /// A bus whose runs do not look for mail themselves: one who watches the inboxes of all of them says when to
    /// ([`LocalBus::wake`]), and is told here when a message was sent.
    #[must_use]
    pub fn watched(store: Arc<dyn MailStore>, watcher: Arc<Notify>) -> Self {
        Self { watcher: Some(watcher), ..Self::new(store) }
    }

    /// Lets a run look for mail.
    pub fn wake(&self, run: &RunId) {
        self.notify_of(run).notify_one();
    }

    /// Forgets a run that is not driven here any more.
    pub fn release(&self, run: &RunId) {
        self.wakes.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
    }

    /// The same with agents that answer for roles.
    #[must_use]
    pub fn with_agents(self, agents: Agents) -> Self {
        Self { agents: Some(agents), ..self }
    }

    /// The same with what is beyond the store: roles that have no agent here are asked there, and messages come back from there
    /// to whoever listens, here and elsewhere.
    #[must_use]
    pub fn with_outside(self, outside: Arc<dyn Outside>) -> Self {
        Self { outside: Some(outside), ..self }
    }

    /// Puts a message into the inboxes of those who listen to its topic; the future ends when it is durable.
    pub fn deliver(&self, message: Message) -> BoxFuture<'static, Result<(), JournalError>> {
        let (done, wakes) = (self.write(MailWrite::Publish(message)), Arc::clone(&self.wakes));
        let watcher = self.watcher.clone();
        async move {
            done.await?;
            if let Some(watcher) = watcher {
                watcher.notify_one();
                return Ok(());
            }
            let wakes = wakes.lock().unwrap_or_else(PoisonError::into_inner);
            wakes.values().for_each(|wake| wake.notify_one());
            Ok(())
        }
        .boxed()
    }

    fn notify_of(&self, run: &RunId) -> Arc<Notify> {
        let mut wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(wakes.entry(run.clone()).or_default())
    }

    /// Looks for letters again and again, and wakes the runs that they are for. Ends when the store cannot be read, which
    /// the run that looks then finds out itself.
    async fn look_for_letters(self) {
        let mut seen = self.watch.lock().await;
        loop {
            tokio::time::sleep(POLL).await;
            let Ok(letters) = self.store.arrived(*seen) else { return };
            let wakes = self.wakes.lock().unwrap_or_else(PoisonError::into_inner);
            for (no, run) in letters {
                *seen = no;
                if let Some(wake) = wakes.get(&run) {
                    wake.notify_one();
                }
            }
        }
    }

    fn write(&self, write: MailWrite) -> BoxFuture<'static, Result<(), JournalError>> {
        self.store.write_mail(write)
    }
}

impl Bus for LocalBus {
    fn publish(&self, message: Message) -> BoxFuture<'static, Result<(), JournalError>> {
        match &self.outside {
            Some(outside) => outside.publish(message),
            None => self.deliver(message),
        }
    }

    fn subscribe(&self, run: &RunId, topics: Vec<Arc<str>>) -> BoxFuture<'static, Result<(), JournalError>> {
        self.write(MailWrite::Subscribe(run.clone(), topics))
    }

    fn unsubscribe(&self, run: &RunId, topic: Arc<str>) -> BoxFuture<'static, Result<(), JournalError>> {
        self.write(MailWrite::Unsubscribe(run.clone(), topic))
    }

    fn mail(&self, run: &RunId, after: u64) -> Result<Vec<Letter>, JournalError> {
        self.store.letters(run, after, LETTERS)
    }

    fn controls(&self, run: &RunId, after: u64) -> Result<Vec<Letter>, JournalError> {
        self.store.controls(run, after)
    }

    fn arrival(&self, run: &RunId) -> BoxFuture<'static, ()> {
        let (wake, watched, bus) = (self.notify_of(run), self.watcher.is_some(), self.clone());
        async move {
            if watched {
                return wake.notified().await;
            }
            tokio::select! {
                biased;
                () = wake.notified() => {}
                () = bus.look_for_letters() => {}
            }
        }
        .boxed()
    }

    fn taken(&self, run: &RunId, letters: Vec<u64>) -> BoxFuture<'static, Result<(), JournalError>> {
        self.write(MailWrite::Remove(run.clone(), letters))
    }

    fn note_waiting(&self, run: &RunId, what: Option<WaitingNote>) -> BoxFuture<'static, Result<(), JournalError>> {
        self.write(MailWrite::Waiting(run.clone(), what))
    }

    fn leave(&self, run: &RunId) {
        self.release(run);
    }

    fn forget(&self, run: &RunId) -> BoxFuture<'static, Result<(), JournalError>> {
        self.release(run);
        self.write(MailWrite::Forget(run.clone()))
    }

    fn ask(&self, question: Question) -> BoxFuture<'static, Outcome> {
        let agents = self.agents.as_ref().filter(|agents| agents.has(&question.role.name));
        match (agents, &self.outside) {
            (Some(agents), _) => agents.ask(question),
            (None, Some(outside)) => outside.ask(question),
            (None, None) => ready(nobody(&question.role.name)).boxed(),
        }
    }
}
