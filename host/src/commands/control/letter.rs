//! A control letter, from its sender's side: sent, and its answer awaited in the run's journal.

use std::time::{Duration, Instant};

use engine::event::Seq;
use engine::ports::{Control, JournalError, Mail, MailStore, MailWrite};
use journal::{Reader, RunRow, SqliteJournal, wire};
use serde_json::Value;

use crate::config::Config;
use crate::exit::Problem;

/// How often the journal is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Events that one look brings.
const CHUNK: usize = 4096;

/// A letter that was sent.
pub(crate) struct Post {
    run: RunRow,
    id: String,
    sent: Instant,
    patience: Duration,
}

/// What became of a letter.
pub(crate) enum Answer {
    /// It is in the journal, with all that follows from it.
    Taken,
    /// It did not fit.
    Refused(String),
    /// The run ended before.
    Ended(Box<RunRow>),
    /// Nobody drives the run any more; the letter is still there.
    Abandoned,
    /// Nothing yet.
    None,
}

impl Post {
    /// Puts a letter into the inbox of a run; it is durable then. What follows from it is waited for so long.
    pub(crate) fn send(
        journal: &SqliteJournal,
        run: &RunRow,
        control: Control,
        patience: Duration,
    ) -> Result<Self, JournalError> {
        let id = control.id.to_string();
        futures::executor::block_on(journal.write_mail(MailWrite::Control(run.id.clone(), control)))?;
        Ok(Self { run: run.clone(), id, sent: Instant::now(), patience })
    }

    /// Waits for the answer.
    pub(crate) fn answer(&self, reader: &Reader, journal: &SqliteJournal, config: &Config) -> Result<Answer, Problem> {
        let mut seen = self.run.last_seq;
        loop {
            let row = reader.find(&self.run.id.0)?;
            let alive = config.is_driven(journal, &row.owner);
            if let Some(answer) = self.find(reader, &mut seen)? {
                return Ok(answer);
            }
            if row.status.is_end() {
                // Nobody reads it any more.
                let letters = journal.controls(&row.id, 0)?.iter().map(|letter| letter.no).collect();
                futures::executor::block_on(journal.write_mail(MailWrite::Remove(row.id.clone(), letters)))?;
                return Ok(Answer::Ended(Box::new(row)));
            }
            if !alive {
                return Ok(Answer::Abandoned);
            }
            if self.sent.elapsed() >= self.patience {
                return Ok(Answer::None);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// That nobody has answered in time, for people.
    pub(crate) fn unanswered(&self, config: &Config, journal: &SqliteJournal) -> String {
        let Self { run, patience, .. } = self;
        match config.driver(journal, &run.owner) {
            Some(owner) => format!("`{owner}`, which drives run `{}`, has not answered within {patience:?}", run.id),
            None => format!("no host of its cluster has answered for run `{}` within {patience:?}", run.id),
        }
    }

    /// The answer, if it is among the events that are new.
    fn find(&self, reader: &Reader, seen: &mut Seq) -> Result<Option<Answer>, JournalError> {
        loop {
            let events = reader.events(&self.run.id, *seen, CHUNK)?;
            let Some(last) = events.last() else { return Ok(None) };
            *seen = last.seq;
            for event in events.iter().filter(|event| event.kind == wire::kind::CONTROL_TAKEN) {
                let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
                if body.get("id").and_then(Value::as_str) == Some(&self.id) {
                    let refusal = body.get("refusal").and_then(Value::as_str);
                    return Ok(Some(refusal.map_or(Answer::Taken, |reason| Answer::Refused(reason.to_owned()))));
                }
            }
        }
    }

    /// Takes the letter back.
    pub(crate) fn withdraw(&self, journal: &SqliteJournal) -> Result<(), Problem> {
        let is_it = |mail: &Mail| matches!(mail, Mail::Control(control) if *control.id == *self.id);
        let letters = journal.controls(&self.run.id, 0)?.into_iter().filter(|letter| is_it(&letter.mail));
        let numbers = letters.map(|letter| letter.no).collect();
        Ok(futures::executor::block_on(journal.write_mail(MailWrite::Remove(self.run.id.clone(), numbers)))?)
    }

    /// Waits for the end of the run, for what is left of the patience.
    pub(crate) fn end(&self, reader: &Reader, run: &RunRow) -> Result<RunRow, Problem> {
        loop {
            let row = reader.find(&run.id.0)?;
            if row.status.is_end() || self.sent.elapsed() >= self.patience {
                return Ok(row);
            }
            std::thread::sleep(LOOK);
        }
    }
}
