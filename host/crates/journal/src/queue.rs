//! The queue between those who append and the writer thread.
//!
//! It keeps the order of calls. Encoding is done by the caller, so that many runs encode at once; beyond
//! the queue's limits an append waits in the form in which the caller holds it anyway, and the writer
//! encodes it when its turn comes. So the queue's own memory is bounded, and since an append ends only when
//! it is durable, a caller that waits for it is slowed down to the pace of the writer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use catalog::Digest;
use engine::event::{Event, RunId};
use engine::ports::{JournalError, MailWrite};
use tokio::sync::oneshot;

use crate::deploy::DeployWrite;
use crate::escalations::OutboxWrite;
use crate::options::{Durability, Options};
use crate::replica;
use crate::sessions::SessionWrite;
use crate::wire::{Encoded, encode};

/// How long the writer looks for the next job of a caller that has nothing else to do, before it sleeps.
/// Sleeping and waking cost more than a commit in process durability.
const SPIN: Duration = Duration::from_micros(60);

/// How long such a caller looks for its answer: a little more than a commit takes on a good disk.
const fn patience(durability: Durability) -> Duration {
    match durability {
        Durability::Full => Duration::from_micros(400),
        Durability::Process => Duration::from_micros(100),
    }
}

/// So many answers are waited for asleep after one that did not come in time: then the machine is busy, and
/// the thread that looks takes the processor from the one that writes.
const SLEEPS: usize = 8;

/// What became of a job.
pub(crate) type Answer = Result<(), JournalError>;

/// Something to be written.
pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) reply: Reply,
    /// The caller has nothing else to do until it is done.
    pub(crate) idle: bool,
    events: usize,
    bytes: usize,
}

/// What is to be written.
pub(crate) enum Work {
    /// Events of a run.
    Append { run: RunId, events: Vec<Encoded> },
    /// Events of a run that found the queue full.
    Waiting { run: RunId, events: Arc<[Event]> },
    /// Bytes.
    Blob { digest: Digest, bytes: Vec<u8> },
    /// Inboxes.
    Mail(MailWrite),
    /// Deployments.
    Deploy(DeployWrite),
    /// Sessions.
    Session(SessionWrite),
    /// The outbox.
    Outbox(OutboxWrite),
    /// What the streams have that the store is a replica of.
    Replica(replica::Work),
    /// A result for later runs.
    Cache { key: Digest, text: String, at: u64 },
}

/// Who is told.
pub(crate) enum Reply {
    /// A future.
    Future(oneshot::Sender<Answer>),
    /// A blocked thread.
    Thread(SyncSender<Answer>),
}

impl Reply {
    /// Tells; nobody listening is fine, the job is done all the same.
    pub(crate) fn send(self, answer: Answer) {
        match self {
            Self::Future(sender) => drop(sender.send(answer)),
            Self::Thread(sender) => drop(sender.send(answer)),
        }
    }
}

/// The queue.
pub(crate) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    /// Jobs in the queue.
    queued: AtomicUsize,
    /// Jobs in the queue or being written.
    open: AtomicUsize,
    /// Beyond its limits.
    full: AtomicBool,
    /// How many answers are not to be waited for awake.
    asleep: AtomicUsize,
    limits: Limits,
    patience: Duration,
}

struct Limits {
    group_events: usize,
    group_bytes: usize,
    queue_events: usize,
    queue_bytes: usize,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    events: usize,
    bytes: usize,
    closed: bool,
    /// The writer sleeps.
    asleep: bool,
}

impl Queue {
    pub(crate) fn new(options: &Options) -> Self {
        let Options { group_events, group_bytes, queue_events, queue_bytes, .. } = *options;
        Self {
            state: Mutex::default(),
            wake: Condvar::new(),
            queued: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            full: AtomicBool::new(false),
            asleep: AtomicUsize::new(0),
            patience: patience(options.durability),
            limits: Limits { group_events, group_bytes, queue_events, queue_bytes },
        }
    }

    /// Queues events; the receiver fails when the writer is gone.
    pub(crate) fn append(&self, run: &RunId, events: Arc<[Event]>, idle: bool) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        let run = run.clone();
        let full = self.full.load(Ordering::Relaxed);
        let count = events.len();
        let (work, bytes) = if full {
            (Work::Waiting { run, events }, 0)
        } else {
            let encoded: Vec<_> = events.iter().map(encode).collect();
            let bytes = encoded.iter().map(Encoded::size).sum();
            (Work::Append { run, events: encoded }, bytes)
        };
        let events = if full { 0 } else { count };
        self.push(Job { work, reply: Reply::Future(sender), idle, events, bytes });
        receiver
    }

    /// Queues bytes.
    pub(crate) fn blob(&self, digest: Digest, bytes: Vec<u8>, reply: SyncSender<Answer>) {
        let size = bytes.len();
        self.push(Job { work: Work::Blob { digest, bytes }, reply: Reply::Thread(reply), idle: false, events: 1, bytes: size });
    }

    /// Queues a change of inboxes; the receiver fails when the writer is gone.
    pub(crate) fn mail(&self, write: MailWrite) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        let bytes = match &write {
            MailWrite::Publish(message) => message.payload.len(),
            MailWrite::Signal(_, signal) => signal.payload.len(),
            MailWrite::Control(_, control) => crate::order::encode(&control.order).1.len(),
            _ => 0,
        };
        self.push(Job { work: Work::Mail(write), reply: Reply::Future(sender), idle: false, events: 1, bytes });
        receiver
    }

    /// Queues a change of deployments; the receiver fails when the writer is gone.
    pub(crate) fn deploy(&self, write: DeployWrite) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.push(Job { work: Work::Deploy(write), reply: Reply::Future(sender), idle: false, events: 1, bytes: 0 });
        receiver
    }

    /// Queues a change of a session; the receiver fails when the writer is gone.
    pub(crate) fn session(&self, write: SessionWrite) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        self.push(Job { work: Work::Session(write), reply: Reply::Future(sender), idle: false, events: 1, bytes: 0 });
        receiver
    }

    /// Queues a change of the outbox.
    pub(crate) fn outbox(&self, write: OutboxWrite, reply: SyncSender<Answer>) {
        self.push(Job { work: Work::Outbox(write), reply: Reply::Thread(reply), idle: false, events: 1, bytes: 0 });
    }

    /// Queues what a stream has.
    pub(crate) fn replica(&self, work: replica::Work, bytes: usize, reply: Reply) {
        let events = match &work {
            replica::Work::Apply(_, entries, _) => entries.len(),
            replica::Work::Claim(_) | replica::Work::Restore(_) => 1,
        };
        self.push(Job { work: Work::Replica(work), reply, idle: false, events, bytes });
    }

    /// Whether it takes no more.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Queues a result for later runs. Nobody waits for it.
    pub(crate) fn cache(&self, key: Digest, text: String, at: u64) {
        let (bytes, (sender, _)) = (text.len(), oneshot::channel());
        self.push(Job { work: Work::Cache { key, text, at }, reply: Reply::Future(sender), idle: false, events: 1, bytes });
    }

    fn note_full(&self, state: &State) {
        let full = state.events >= self.limits.queue_events || state.bytes >= self.limits.queue_bytes;
        self.full.store(full, Ordering::Relaxed);
    }

    fn push(&self, job: Job) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.events += job.events;
        state.bytes += job.bytes;
        state.jobs.push_back(job);
        self.note_full(&state);
        self.open.fetch_add(1, Ordering::Relaxed);
        self.queued.fetch_add(1, Ordering::Release);
        // Only the first of those who find it asleep wakes it.
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep {
            self.wake.notify_one();
        }
    }

    /// The next group of jobs in order, at least one; none when the queue is closed and empty.
    pub(crate) fn take(&self, spin: bool) -> Option<Vec<Job>> {
        if spin {
            spin_until(SPIN, || self.queued.load(Ordering::Acquire) > 0);
        }
        let mut state = self.lock();
        while state.jobs.is_empty() {
            if state.closed {
                return None;
            }
            state.asleep = true;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.asleep = false;
        }
        let group = self.group(&mut state);
        drop(state);
        self.queued.fetch_sub(group.len(), Ordering::Relaxed);
        Some(group)
    }

    fn group(&self, state: &mut State) -> Vec<Job> {
        let (mut events, mut bytes) = (0, 0);
        let mut group = Vec::with_capacity(state.jobs.len().min(self.limits.group_events));
        while let Some(job) = state.jobs.pop_front() {
            events += job.events.max(1);
            bytes += job.bytes;
            state.events -= job.events;
            state.bytes -= job.bytes;
            group.push(job);
            let next = state.jobs.front().map_or(0, |next| next.bytes);
            if events >= self.limits.group_events || bytes + next > self.limits.group_bytes {
                break;
            }
        }
        self.note_full(state);
        group
    }

    /// Jobs that were taken are done.
    pub(crate) fn done(&self, count: usize) {
        self.open.fetch_sub(count, Ordering::Relaxed);
    }

    /// Whether an answer may be waited for awake.
    pub(crate) fn may_spin(&self) -> bool {
        let less = |sleeps: usize| sleeps.checked_sub(1);
        self.asleep.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err()
    }

    /// Looks for the answer for a moment, as long as there is nothing else in the writer's hands.
    pub(crate) fn spin_for(&self, receiver: &mut oneshot::Receiver<Answer>) -> Option<Answer> {
        let mut found = None;
        spin_until(self.patience, || {
            found = receiver.try_recv().ok();
            found.is_some() || self.open.load(Ordering::Relaxed) > 1
        });
        if found.is_none() {
            self.asleep.store(SLEEPS, Ordering::Relaxed);
        }
        found
    }

    /// Takes no more; what is queued is still written.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Takes no more, and whoever waits is told that the writer is gone.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        drop(jobs);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn spin_until(patience: Duration, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() && begin.elapsed() < patience {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::{Queue, SLEEPS, Work};
    use crate::options::Options;
    use engine::event::{Event, EventBody, RunId, Timestamp};
    use std::sync::Arc;

    fn append(queue: &Queue, seq: u64) {
        let event = Event { seq, at: Timestamp(1), body: EventBody::Resumed };
        drop(queue.append(&RunId("r".into()), Arc::from([event]), false));
    }

    fn seqs(queue: &Queue) -> Vec<(u64, bool)> {
        let group = queue.take(false).unwrap();
        let seq = |work: Work| match work {
            Work::Append { events, .. } => (events[0].seq, false),
            Work::Waiting { events, .. } => (events[0].seq, true),
            _ => (0, false),
        };
        group.into_iter().map(|job| seq(job.work)).collect()
    }

    #[test]
    fn beyond_its_limit_the_queue_holds_nothing_of_its_own_and_keeps_the_order() {
        let queue = Queue::new(&Options { queue_events: 2, group_events: 3, ..Options::default() });
        for seq in 1..=4 {
            append(&queue, seq);
        }
        assert_eq!(seqs(&queue), [(1, false), (2, false), (3, true)]);
        append(&queue, 5);
        assert_eq!(seqs(&queue), [(4, true), (5, false)]);
    }

    #[test]
    fn the_limit_counts_bytes_too() {
        let queue = Queue::new(&Options { queue_bytes: 1, group_bytes: 1, ..Options::default() });
        append(&queue, 1);
        append(&queue, 2);
        queue.close();
        assert_eq!(seqs(&queue), [(1, false)]);
        assert_eq!(seqs(&queue), [(2, true)]);
        assert!(queue.take(true).is_none());
    }

    #[test]
    fn whoever_waits_is_told_when_the_writer_goes() {
        let queue = Queue::new(&Options::default());
        let event = Event { seq: 1, at: Timestamp(1), body: EventBody::Resumed };
        let mut before = queue.append(&RunId("r".into()), Arc::from([event.clone()]), false);
        queue.abandon();
        let mut after = queue.append(&RunId("r".into()), Arc::from([event]), false);
        assert!(before.try_recv().is_err());
        assert_eq!(after.try_recv(), Err(tokio::sync::oneshot::error::TryRecvError::Closed));
    }

    #[test]
    fn a_late_answer_is_followed_by_sleep() {
        let queue = Queue::new(&Options::default());
        let event = Event { seq: 1, at: Timestamp(1), body: EventBody::Resumed };
        let mut receiver = queue.append(&RunId("r".into()), Arc::from([event]), true);
        assert!(queue.may_spin());
        assert_eq!(queue.spin_for(&mut receiver), None);
        assert_eq!((0..SLEEPS + 5).filter(|_| queue.may_spin()).count(), 5);
    }
}
