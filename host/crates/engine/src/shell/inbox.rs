//! A run's end of the bus: what comes is collected while a wait is open, what goes is on its way.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use futures::stream::{FuturesUnordered, StreamExt};
use lang::plan::Plan;

use crate::core::{Run, mail};
use crate::event::{RunId, Seq, TaskId};
use crate::ports::{Bus, Control, JournalError, Letter, Mail, Message, WaitingNote};

/// Something that the bus has done.
pub(super) enum Errand {
    /// It has a message.
    Published(TaskId),
    /// There may be mail.
    Arrived,
    /// Nothing that the run has to know of.
    Done,
}

type Errands = FuturesUnordered<BoxFuture<'static, Result<Errand, JournalError>>>;

/// The inbox.
pub(super) struct Inbox {
    bus: Arc<dyn Bus>,
    run: RunId,
    topics: Vec<Arc<str>>,
    /// Whether anything is ever waited for.
    takes_mail: bool,
    /// The last letter that was handed to the run.
    after: u64,
    /// The last control letter that was read.
    after_control: u64,
    /// Letters that the run was given, with the position of the last event that it had then made.
    handed: VecDeque<(Seq, u64)>,
    errands: Errands,
    arrival: Option<BoxFuture<'static, ()>>,
    /// Whether the inbox was looked into since a wait opened.
    looked: bool,
    told: Vec<String>,
    /// What the store says that the run waits for.
    noted: Option<WaitingNote>,
    /// Whether that is an open wait, or a decision.
    waits: bool,
}

impl Inbox {
    pub(super) fn new(bus: Arc<dyn Bus>, run: RunId, plan: &Plan) -> Self {
        // From now on no letter is overlooked.
        let arrival = Some(bus.arrival(&run));
        Self {
            bus,
            run,
            topics: mail::topics(plan).into_keys().collect(),
            takes_mail: mail::takes_mail(plan),
            after: 0,
            after_control: 0,
            handed: VecDeque::new(),
            errands: FuturesUnordered::new(),
            arrival,
            looked: false,
            told: Vec::new(),
            noted: None,
            waits: false,
        }
    }

    /// Another process had the run before: what it noted does not hold any more.
    pub(super) fn doubt_note(&mut self) {
        self.noted = Some(WaitingNote::default());
    }

    /// From now on messages on the literal topics of the plan come here.
    pub(super) async fn listen(&mut self) -> Result<(), JournalError> {
        if self.topics.is_empty() { Ok(()) } else { self.bus.subscribe(&self.run, self.topics.clone()).await }
    }

    pub(super) fn subscribe(&mut self, topic: Arc<str>) {
        let done = self.bus.subscribe(&self.run, vec![topic]);
        // What was sent while this was under way has a letter by now.
        self.errands.push(done.map(|done| done.map(|()| Errand::Arrived)).boxed());
    }

    pub(super) fn unsubscribe(&mut self, topic: Arc<str>) {
        let done = self.bus.unsubscribe(&self.run, topic);
        self.errand(done);
    }

    pub(super) fn publish(&mut self, task: TaskId, message: Message) {
        let done = self.bus.publish(message);
        self.errands.push(done.map(move |done| done.map(|()| Errand::Published(task))).boxed());
    }

    fn errand(&self, done: BoxFuture<'static, Result<(), JournalError>>) {
        self.errands.push(done.map(|done| done.map(|()| Errand::Done)).boxed());
    }

    /// Looks for control letters always, and for mail while a wait is open: at once when it opens.
    pub(super) fn attend(&mut self, run: &Run) {
        if std::mem::take(&mut self.waits) {
            self.waits = run.is_waiting() || !run.blocked().is_empty();
            if !self.waits {
                self.note(None);
            }
        }
        if !run.takes_mail() {
            self.looked = false;
        } else if !self.looked {
            self.arrival = Some(ready(()).boxed());
        }
        if self.arrival.is_none() {
            self.arrival = Some(self.bus.arrival(&self.run));
        }
    }

    /// What has happened by now, also where something else is always more urgent.
    pub(super) fn at_hand(&mut self) -> Option<Result<Errand, JournalError>> {
        self.next().now_or_never()
    }

    /// Whether something is on its way that has to be waited for.
    pub(super) fn is_busy(&self) -> bool {
        !self.errands.is_empty()
    }

    /// Waits for the next errand or for letters.
    pub(super) async fn next(&mut self) -> Result<Errand, JournalError> {
        let (arrival, errands) = (&mut self.arrival, &mut self.errands);
        let arrived = async {
            match arrival {
                Some(arrival) => arrival.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some(done) = errands.next(), if !errands.is_empty() => done,
            () = arrived => {
                self.arrival = None;
                Ok(Errand::Arrived)
            }
        }
    }

    /// The next letters.
    pub(super) fn collect(&mut self) -> Result<Vec<Letter>, JournalError> {
        self.looked = true;
        let letters = self.bus.mail(&self.run, self.after)?;
        if let Some(last) = letters.last() {
            self.after = last.no;
        }
        Ok(letters)
    }

    /// The control letters that were not read yet.
    pub(super) fn controls(&mut self) -> Result<Vec<(u64, Control)>, JournalError> {
        let letters = self.bus.controls(&self.run, self.after_control)?;
        if let Some(last) = letters.last() {
            self.after_control = last.no;
        }
        let control = |letter: Letter| match letter.mail {
            Mail::Control(control) => Some((letter.no, control)),
            _ => None,
        };
        Ok(letters.into_iter().filter_map(control).collect())
    }

    /// The run was given a letter; when the event at this position is durable, the letter is not needed any more.
    pub(super) fn handed(&mut self, seq: Seq, no: u64) {
        self.handed.push_back((seq, no));
    }

    /// All events up to this one are durable.
    pub(super) fn committed(&mut self, through: Seq) {
        let mut letters = Vec::new();
        while let Some((_, no)) = self.handed.pop_front_if(|(seq, _)| *seq <= through) {
            letters.push(no);
        }
        if !letters.is_empty() {
            self.errand(self.bus.taken(&self.run, letters));
        }
    }

    /// The lines of what the run waits for, unless they were told before. They are noted in the store for other processes.
    pub(super) fn news(&mut self, lines: Vec<String>, waits: bool) -> Vec<String> {
        if self.told == lines {
            return Vec::new();
        }
        self.told.clone_from(&lines);
        if waits {
            self.waits = true;
            self.note(Some(WaitingNote { what: lines.join("; "), live: Vec::new() }));
        }
        lines
    }

    /// Notes in the store what the run waits for, unless it is noted already. Gives the line that is new for people.
    pub(super) fn note(&mut self, note: Option<WaitingNote>) -> Option<String> {
        if self.noted == note {
            return None;
        }
        let line = note.as_ref().map(|note| note.what.clone()).filter(|what| !what.is_empty());
        let before = self.noted.as_ref().map(|note| note.what.clone());
        if note.is_none() {
            self.told.clear();
        }
        self.noted.clone_from(&note);
        self.errand(self.bus.note_waiting(&self.run, note));
        line.filter(|line| before.as_ref() != Some(line))
    }

    /// Waits for what is on its way. Of a run that has ended, nothing is left.
    pub(super) async fn close(&mut self, ended: bool) -> Result<(), JournalError> {
        self.arrival = None;
        self.bus.leave(&self.run);
        while let Some(done) = self.errands.next().await {
            done?;
        }
        if ended && (self.takes_mail || self.noted.is_some() || self.after_control > 0) {
            self.bus.forget(&self.run).await
        } else {
            Ok(())
        }
    }
}
