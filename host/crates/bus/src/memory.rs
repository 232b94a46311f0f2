//! Inboxes in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::core::mail::MAX_KEPT;
use engine::event::RunId;
use engine::ports::{JournalError, Letter, Mail, MailStore, MailWrite};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};

/// The inboxes. Gone with the process; durable at once.
#[derive(Debug, Default)]
pub struct MemoryMail {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    next: u64,
    inboxes: BTreeMap<RunId, Vec<Letter>>,
    topics: BTreeSet<(Arc<str>, RunId)>,
    waiting: BTreeMap<RunId, String>,
}

impl MemoryMail {
    /// No inboxes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What a run waits for, as it was last noted.
    #[must_use]
    pub fn waiting(&self, run: &RunId) -> Option<String> {
        self.kept().waiting.get(run).cloned()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // What is kept is never left half changed, so a panic elsewhere does not harm it.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_control(letter: &Letter) -> bool {
    matches!(letter.mail, Mail::Control(_))
}

impl Kept {
    fn inbox(&self, run: &RunId) -> &[Letter] {
        self.inboxes.get(run).map_or(&[], Vec::as_slice)
    }

    fn write(&mut self, write: MailWrite) {
        match write {
            MailWrite::Publish(message) => {
                let listens = |(topic, run): &(Arc<str>, RunId)| (*topic == message.topic).then(|| run.clone());
                let runs: Vec<RunId> = self.topics.iter().filter_map(listens).collect();
                for run in runs {
                    self.put(run, &message.id, Mail::Message(message.clone()));
                }
            }
            MailWrite::Control(run, control) => {
                self.next += 1;
                let letter = Letter { no: self.next, mail: Mail::Control(control) };
                self.inboxes.entry(run).or_default().push(letter);
            }
            MailWrite::Signal(run, signal) => self.put(run, &Arc::clone(&signal.id), Mail::Signal(signal)),
            MailWrite::Subscribe(run, topics) => self.topics.extend(topics.into_iter().map(|topic| (topic, run.clone()))),
            MailWrite::Unsubscribe(run, topic) => drop(self.topics.remove(&(topic, run))),
            MailWrite::Remove(run, letters) => {
                if let Some(inbox) = self.inboxes.get_mut(&run) {
                    inbox.retain(|letter| !letters.contains(&letter.no));
                }
            }
            MailWrite::Waiting(run, Some(note)) => drop(self.waiting.insert(run, note.what)),
            MailWrite::Waiting(run, None) => drop(self.waiting.remove(&run)),
            MailWrite::Forget(run) => {
                self.inboxes.remove(&run);
                self.waiting.remove(&run);
                self.topics.retain(|(_, other)| *other != run);
            }
        }
    }

    fn put(&mut self, run: RunId, id: &str, mail: Mail) {
        let inbox = self.inboxes.entry(run).or_default();
        let same = |letter: &Letter| match &letter.mail {
            Mail::Signal(signal) => *signal.id == *id,
            Mail::Message(message) => *message.id == *id,
            Mail::Control(_) | Mail::Dropped(_) => false,
        };
        if !id.is_empty() && inbox.iter().any(same) {
            return;
        }
        let mail = match (inbox.len() < MAX_KEPT, inbox.last_mut().map(|last| &mut last.mail)) {
            (true, _) => mail,
            (false, Some(Mail::Dropped(count))) => {
                *count += 1;
                return;
            }
            (false, _) => Mail::Dropped(1),
        };
        self.next += 1;
        inbox.push(Letter { no: self.next, mail });
    }
}

impl MailStore for MemoryMail {
    fn write_mail(&self, write: MailWrite) -> BoxFuture<'static, Result<(), JournalError>> {
        self.kept().write(write);
        ready(Ok(())).boxed()
    }

    fn letters(&self, run: &RunId, after: u64, limit: usize) -> Result<Vec<Letter>, JournalError> {
        let kept = self.kept();
        let wanted = |letter: &&Letter| letter.no > after && !is_control(letter);
        Ok(kept.inbox(run).iter().filter(wanted).take(limit).cloned().collect())
    }

    fn controls(&self, run: &RunId, after: u64) -> Result<Vec<Letter>, JournalError> {
        let kept = self.kept();
        Ok(kept.inbox(run).iter().filter(|letter| letter.no > after && is_control(letter)).cloned().collect())
    }

    fn arrived(&self, after: u64) -> Result<Vec<(u64, RunId)>, JournalError> {
        let kept = self.kept();
        let of = |(run, letters): (&RunId, &Vec<Letter>)| {
            letters.iter().filter(|letter| letter.no > after).map(|letter| (letter.no, run.clone())).collect::<Vec<_>>()
        };
        let mut arrived: Vec<(u64, RunId)> = kept.inboxes.iter().flat_map(of).collect();
        arrived.sort();
        Ok(arrived)
    }
}
