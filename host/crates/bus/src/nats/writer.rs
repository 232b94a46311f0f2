//! Many runs under way at once: each has one message on its way at a time, and what it appends meanwhile becomes its next one.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use engine::event::{Event, RunId, Seq};
use engine::ports::JournalError;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use journal::wire::{Blob, Encoded, encode};
use tokio::sync::{mpsc, oneshot};

use super::assets::Assets;
use super::commit::{Head, Landed, commit};
use super::journal::Options;
use super::wire::Draft;

/// Of so many runs the end is remembered, so that it need not be asked for.
const KNOWN_RUNS: usize = 100_000;

/// How long publishes are tried when the journal is being closed.
const CLOSING: Duration = Duration::from_secs(5);

/// So many appends are taken out of the queue at once.
const TAKE: usize = 256;

/// What became of an append.
pub(super) type Answer = Result<(), JournalError>;

/// What all tasks of a journal share.
pub(super) struct Shared {
    pub(super) assets: Arc<Assets>,
    options: Options,
    /// What the ids of this journal's messages begin with: no other has it.
    name: String,
    messages: AtomicU64,
    /// Bytes of encoded appends that are not published yet.
    queued: AtomicUsize,
    closing: AtomicBool,
}

impl Shared {
    pub(super) fn new(assets: Arc<Assets>, options: Options) -> Self {
        // The client makes a name for its answers that no other client has.
        let inbox = assets.link.client.new_inbox();
        let name = inbox.rsplit('.').next().unwrap_or(&inbox).to_owned();
        Self { assets, options, name, messages: 0.into(), queued: 0.into(), closing: false.into() }
    }

    /// How long an append waits for the server.
    pub(super) fn patience(&self) -> Duration {
        if self.closing.load(Ordering::Relaxed) { self.options.patience.min(CLOSING) } else { self.options.patience }
    }

    /// The longest array of events in a message, in bytes: the rest of a message is small.
    pub(super) fn commit_bytes(&self) -> usize {
        let most = self.assets.link.client.max_payload().saturating_sub(4096);
        self.options.commit_bytes.min(most)
    }

    /// An id for a message.
    pub(super) fn next_id(&self) -> String {
        format!("{}-{}", self.name, self.messages.fetch_add(1, Ordering::Relaxed))
    }

    /// Whether appends wait in the form that their callers hold anyway.
    fn is_full(&self) -> bool {
        self.queued.load(Ordering::Relaxed) >= self.options.queue_bytes
    }

    /// Writes events, which count as queued from now on.
    fn write(&self, events: &[Event]) -> Append {
        let append = Append::write(events);
        self.queued.fetch_add(append.size(), Ordering::Relaxed);
        append
    }

    /// Lets appends that wait for the server give up soon.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

/// Events that were appended together, as they stand in a message.
pub(super) struct Append {
    pub(super) draft: Draft,
    pub(super) lines: Vec<Line>,
    pub(super) blobs: Vec<Blob>,
}

/// What the chain covers of an event.
pub(super) struct Line {
    pub(super) seq: Seq,
    pub(super) at: u64,
    pub(super) kind: &'static str,
    pub(super) path: Arc<str>,
    /// Where its body is in the draft.
    pub(super) body: Range<usize>,
}

/// About how long an event is.
const EVENT: usize = 384;

impl Append {
    fn write(events: &[Event]) -> Self {
        let mut draft = Draft::with_capacity(events.len() * EVENT);
        let (mut lines, mut blobs) = (Vec::with_capacity(events.len()), Vec::new());
        for event in events {
            let encoded = encode(event);
            let body = draft.push(&encoded);
            let Encoded { seq, at, kind, path, blobs: more, .. } = encoded;
            lines.push(Line { seq, at, kind, path, body });
            blobs.extend(more);
        }
        Self { draft, lines, blobs }
    }

    /// About how much memory it holds, in bytes.
    fn size(&self) -> usize {
        self.draft.len() + self.lines.len() * size_of::<Line>() + self.blobs.iter().map(|blob| blob.text.len()).sum::<usize>()
    }
}

/// An append that waits to be published.
pub(super) struct Job {
    work: Work,
    caller: Caller,
}

enum Work {
    Written(Append),
    /// The queue was full.
    Waiting(Arc<[Event]>),
}

/// Who waits for an append.
pub(super) struct Caller {
    /// The position of its first event.
    pub(super) first: Option<Seq>,
    reply: oneshot::Sender<Answer>,
}

impl Job {
    /// Writes the events, on the caller's thread, unless too many wait already.
    pub(super) fn new(shared: &Shared, events: Arc<[Event]>) -> (Self, oneshot::Receiver<Answer>) {
        let (reply, receiver) = oneshot::channel();
        let caller = Caller { first: events.first().map(|event| event.seq), reply };
        let work = if shared.is_full() { Work::Waiting(events) } else { Work::Written(shared.write(&events)) };
        (Self { work, caller }, receiver)
    }
}

impl Work {
    /// What is to be stored; it counts as queued.
    fn write(self, shared: &Shared) -> Append {
        match self {
            Self::Written(append) => append,
            Self::Waiting(events) => shared.write(&events),
        }
    }

    /// How much of what counts as queued is its, in bytes.
    fn queued(&self) -> usize {
        match self {
            Self::Written(append) => append.size(),
            Self::Waiting(_) => 0,
        }
    }
}

impl Caller {
    /// Tells; nobody listening is fine, it is done all the same.
    pub(super) fn answer(self, answer: Answer) {
        drop(self.reply.send(answer));
    }

    /// Tells that it failed with others of its run.
    pub(super) fn fail(self, error: &JournalError) {
        let error = match (error, self.first) {
            (JournalError::Fenced { run, .. }, Some(seq)) => JournalError::Fenced { run: run.clone(), seq },
            _ => error.clone(),
        };
        self.answer(Err(error));
    }
}

/// What is known of a run.
#[derive(Default)]
struct RunQueue {
    head: Option<Head>,
    jobs: VecDeque<Job>,
    flying: bool,
}

impl RunQueue {
    fn is_idle(&self) -> bool {
        self.jobs.is_empty() && !self.flying
    }
}

/// The one who takes appends and sends them out.
pub(super) struct Writer {
    shared: Arc<Shared>,
    runs: HashMap<RunId, RunQueue>,
    /// Runs with appends and no message on its way, in the order in which they came.
    ready: VecDeque<RunId>,
    flying: FuturesUnordered<BoxFuture<'static, Landed>>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, runs: HashMap::new(), ready: VecDeque::new(), flying: FuturesUnordered::new() }
    }

    /// Works until the queue is closed and empty.
    pub(super) async fn run(mut self, mut queue: mpsc::UnboundedReceiver<(RunId, Job)>) {
        let (mut open, mut taken) = (true, Vec::with_capacity(TAKE));
        while open || !self.flying.is_empty() {
            tokio::select! {
                Some(landed) = self.flying.next(), if !self.flying.is_empty() => self.settle(landed),
                count = queue.recv_many(&mut taken, TAKE), if open => open = count > 0,
            }
            for (run, job) in taken.drain(..) {
                self.take(run, job);
            }
            self.launch();
        }
    }

    fn take(&mut self, run: RunId, job: Job) {
        if self.runs.len() >= KNOWN_RUNS {
            self.runs.retain(|_, run| !run.is_idle());
        }
        let queue = self.runs.entry(run.clone()).or_default();
        if queue.is_idle() {
            self.ready.push_back(run);
        }
        queue.jobs.push_back(job);
    }

    /// Sends out what may be.
    fn launch(&mut self) {
        while self.flying.len() < self.shared.options.in_flight {
            let Some(run) = self.ready.pop_front() else { return };
            let Some(queue) = self.runs.get_mut(&run) else { continue };
            let (appends, bytes) = next(&self.shared, &mut queue.jobs);
            queue.flying = true;
            self.shared.queued.fetch_sub(bytes, Ordering::Relaxed);
            self.flying.push(Box::pin(commit(Arc::clone(&self.shared), run, queue.head, appends)));
        }
    }

    fn settle(&mut self, landed: Landed) {
        let Landed { run, head, failed } = landed;
        let Some(queue) = self.runs.get_mut(&run) else { return };
        (queue.flying, queue.head) = (false, head);
        if let Some(error) = failed {
            // They build upon what could not be written.
            for job in queue.jobs.drain(..) {
                self.shared.queued.fetch_sub(job.work.queued(), Ordering::Relaxed);
                job.caller.fail(&error);
            }
        }
        match (queue.jobs.is_empty(), queue.head) {
            (false, _) => self.ready.push_back(run),
            (true, None) => drop(self.runs.remove(&run)),
            (true, Some(_)) => {}
        }
    }
}

/// The appends of a run that become its next message: at least one, and no more than fit. And their bytes, which still count as
/// queued.
fn next(shared: &Shared, waiting: &mut VecDeque<Job>) -> (Vec<(Append, Caller)>, usize) {
    let (mut appends, mut bytes) = (Vec::new(), 0);
    while let Some(Job { work, caller }) = waiting.pop_front() {
        let append = work.write(shared);
        let size = append.size();
        if !appends.is_empty() && bytes + size > shared.commit_bytes() {
            waiting.push_front(Job { work: Work::Written(append), caller });
            break;
        }
        bytes += size;
        appends.push((append, caller));
    }
    (appends, bytes)
}
