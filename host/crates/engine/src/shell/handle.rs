//! A run from outside: requests, updates, report.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::task::RunTask;
use crate::core::{Blocked, Following, Progress, Waiting};
use crate::event::{Bill, CacheNote, Decision, Denial, Failure, RunId, RunOutcome, TaskId, Timestamp};
use crate::ports::{Control, JournalError, Signal};

/// So many updates wait for a slow reader before further ones are dropped.
const UPDATES: usize = 16_384;

/// Something that happened to a run, for people.
#[derive(Clone, Debug, PartialEq)]
pub enum Update {
    /// An attempt was handed out to be run.
    Started {
        /// The step.
        task: TaskId,
        /// Its path.
        path: Arc<str>,
        /// The attempt.
        number: u32,
    },
    /// An attempt gave a result, durably.
    Succeeded {
        /// The step.
        task: TaskId,
        /// Its path.
        path: Arc<str>,
        /// What it used.
        bill: Bill,
        /// What the cache said, where it was asked.
        cache: Option<CacheNote>,
    },
    /// An attempt failed, durably.
    Failed {
        /// The step.
        task: TaskId,
        /// Its path.
        path: Arc<str>,
        /// Why.
        failure: Failure,
        /// The attempt that follows, if one does.
        next: Option<Following>,
    },
    /// An attempt was stopped because nobody wants its result, durably.
    Cancelled {
        /// The step.
        task: TaskId,
        /// Its path.
        path: Arc<str>,
    },
    /// A capability was denied.
    Denied {
        /// The step's path.
        path: Arc<str>,
        /// What.
        denial: Denial,
    },
    /// A plugin logged a line.
    Log {
        /// The step's path.
        path: Arc<str>,
        /// The line.
        line: String,
    },
    /// Nothing goes on for now.
    Waiting {
        /// What the run waits for.
        what: String,
    },
    /// A signal or message was not taken.
    Note {
        /// Which, and why.
        line: String,
    },
    /// The run has ended, or nothing goes on until it is resumed. The last update.
    Ended,
}

impl Update {
    /// What is told of the core's progress.
    pub(super) fn of(progress: Progress) -> Self {
        match progress {
            Progress::Started { task, path, number } => Self::Started { task, path, number },
            Progress::Succeeded { task, path, bill, cache } => Self::Succeeded { task, path, bill, cache },
            Progress::Failed { task, path, failure, next } => Self::Failed { task, path, failure, next },
            Progress::Denied { path, denial } => Self::Denied { path, denial },
            Progress::Cancelled { task, path } => Self::Cancelled { task, path },
            Progress::Note(line) => Self::Note { line },
        }
    }
}

/// How it stands with a run when its task is over.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// The run.
    pub id: RunId,
    /// How the task ended.
    pub outcome: RunEnd,
    /// What all attempts used, over all owners of the run.
    pub bill: Bill,
    /// Steps that gave a result.
    pub steps: u64,
    /// Attempts that ended, however.
    pub attempts: u64,
    /// When the run would go on by itself if somebody drove it.
    pub timer: Option<Timestamp>,
    /// Compensations that failed, so that what they were to take back still stands: the paths of the steps that failed in them.
    pub not_undone: Vec<(Arc<str>, Failure)>,
}

/// Why a run's task ended.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEnd {
    /// The run has ended.
    Finished(RunOutcome),
    /// Nothing goes on until somebody resumes the run, decides about these steps, or gives a signal; or the run was parked.
    Paused {
        /// Steps with an unknown outcome.
        blocked: Vec<Blocked>,
        /// What the flow waits for.
        waiting: Vec<Waiting>,
    },
    /// It is paused, for [`super::MIGRATING`] unless it was before, and this letter asks for a migration: whoever drove it
    /// answers the letter and goes on with the run.
    Leaves(Box<Control>),
    /// The store failed, or another process owns the run now. What is durable is whole.
    StoreFailed(JournalError),
}

/// What a handle asks of the run's task.
pub(super) enum Request {
    Pause(String),
    Resume,
    Cancel(String),
    Park,
    Decide(TaskId, Decision),
    Signal(Signal),
    Control(Control),
}

/// The task's ends of the channels.
pub(super) struct Outlets {
    pub(super) requests: mpsc::UnboundedReceiver<Request>,
    pub(super) updates: mpsc::Sender<Update>,
    pub(super) dropped: Arc<AtomicU64>,
}

/// The handle's ends.
pub(super) struct Inlets {
    requests: mpsc::UnboundedSender<Request>,
    updates: mpsc::Receiver<Update>,
    dropped: Arc<AtomicU64>,
}

pub(super) fn channels() -> (Outlets, Inlets) {
    let (request_sender, requests) = mpsc::unbounded_channel();
    let (updates, update_receiver) = mpsc::channel(UPDATES);
    let dropped = Arc::new(AtomicU64::new(0));
    let inlets = Inlets { requests: request_sender, updates: update_receiver, dropped: Arc::clone(&dropped) };
    (Outlets { requests, updates, dropped }, inlets)
}

impl Outlets {
    /// Tells; never waits for a slow reader.
    pub(super) fn tell(&self, update: Update) {
        if self.updates.try_send(update).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A run that goes on in this process. Dropping it stops the run where it is; its journal stays whole.
pub struct RunHandle {
    id: RunId,
    ends: Inlets,
    task: JoinSet<RunReport>,
    /// Lets a resumed run begin.
    begin: Option<oneshot::Sender<()>>,
}

impl RunHandle {
    pub(super) fn spawn(task: RunTask, ends: Inlets, waits: bool) -> Self {
        let id = task.id().clone();
        let (sender, receiver) = oneshot::channel();
        let mut set = JoinSet::new();
        set.spawn(async move {
            if waits {
                // An error says that the handle is gone; then this task is being dropped too.
                let _ = receiver.await;
            }
            task.drive().await
        });
        Self { id, ends, task: set, begin: if waits { Some(sender) } else { None } }
    }

    /// The run's id.
    #[must_use]
    pub const fn id(&self) -> &RunId {
        &self.id
    }

    /// Starts nothing new; what runs may finish, then the task ends.
    pub fn pause(&self, reason: impl Into<String>) {
        self.ask(Request::Pause(reason.into()));
    }

    /// Goes on after a pause that has not yet ended the task.
    pub fn resume(&self) {
        self.ask(Request::Resume);
    }

    /// Ends the task as soon as nothing of the run goes on, without a trace in its journal: it waits in the store.
    pub fn park(&self) {
        self.ask(Request::Park);
    }

    /// Stops everything at once; the run ends as cancelled when its effects are taken back.
    pub fn cancel(&self, reason: impl Into<String>) {
        self.ask(Request::Cancel(reason.into()));
    }

    /// Decides about a step whose outcome is not known. One that does not fit is told as [`Update::Waiting`].
    pub fn decide(&self, task: TaskId, decision: Decision) {
        self.ask(Request::Decide(task, decision));
    }

    /// Gives an order; what becomes of it stands in the journal.
    pub fn control(&self, control: Control) {
        self.ask(Request::Control(control));
    }

    /// Gives a signal. One that the run does not take is told as [`Update::Note`].
    pub fn signal(&self, signal: Signal) {
        self.ask(Request::Signal(signal));
    }

    fn ask(&self, request: Request) {
        // A run that is over takes no requests; its report says how it ended.
        let _ = self.ends.requests.send(request);
    }

    fn begin(&mut self) {
        if let Some(begin) = self.begin.take() {
            let _ = begin.send(());
        }
    }

    /// The next update; none when the run's task is over.
    pub async fn next_update(&mut self) -> Option<Update> {
        self.begin();
        self.ends.updates.recv().await
    }

    /// Updates that were dropped because they were not read in time.
    #[must_use]
    pub fn dropped_updates(&self) -> u64 {
        self.ends.dropped.load(Ordering::Relaxed)
    }

    /// Waits until the run's task is over.
    pub async fn wait(mut self) -> RunReport {
        self.begin();
        let report = self.task.join_next().await;
        report.and_then(Result::ok).unwrap_or_else(|| {
            let what = "the engine failed and stopped the run; its journal is whole up to the last event".to_owned();
            let outcome = RunEnd::StoreFailed(JournalError::Damaged { run: self.id.clone(), what });
            RunReport {
                id: self.id.clone(),
                outcome,
                bill: Bill::default(),
                steps: 0,
                attempts: 0,
                timer: None,
                not_undone: Vec::new(),
            }
        })
    }
}
