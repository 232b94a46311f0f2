//! The writer thread: takes what is queued, writes it in one transaction, and answers.
//!
//! What it remembers of a run (its number, its last event and hash) holds as long as no other process has
//! written; `PRAGMA data_version`, read inside the transaction, tells. So a stale owner's append is refused
//! before anything is written, and a refusal needs no rollback.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use catalog::Digest;
use engine::event::{RunId, Seq};
use engine::ports::JournalError;
use rusqlite::{Connection, OptionalExtension, Statement, params};

use crate::chain::{self, Hash, Link};
use crate::problem::{from_sqlite, unavailable};
use crate::queue::{Answer, Job, Queue, Work};
use crate::wire::{Encoded, RunChange, encode};

/// The list of runs is told the last event of a run when the run starts, pauses, ends and so on, and after
/// this many events: so a lost tail longer than this is always noticed.
const MARK_EVERY: Seq = 64;

/// Runs that are remembered; beyond, the first are forgotten and read again when they go on.
const REMEMBERED_RUNS: usize = 16_384;

/// A run's events are those with ids from `no << 32 | 1`.
pub(crate) const RUN_SHIFT: u32 = 32;

/// The greatest position and the greatest number of a run.
pub(crate) const MAX_SEQ: i64 = u32::MAX as i64;

/// Writes until the queue is closed. The connection is closed at the end.
#[expect(clippy::needless_pass_by_value, reason = "the thread owns its connection")]
pub(crate) fn run(connection: Connection, path: PathBuf, queue: &Queue) {
    let _abandon = Abandon(queue);
    match Writer::new(&connection, path) {
        Ok(mut writer) => writer.serve(queue),
        Err(error) => refuse_all(queue, &error),
    }
}

/// However the thread ends, nobody waits for it in vain.
struct Abandon<'a>(&'a Queue);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

fn refuse_all(queue: &Queue, error: &JournalError) {
    while let Some(group) = queue.take(false) {
        queue.done(group.len());
        for job in group {
            job.reply.send(Err(error.clone()));
        }
    }
}

struct Writer<'c> {
    connection: &'c Connection,
    path: PathBuf,
    statements: Statements<'c>,
    /// Of the store when `runs` was last known to hold.
    data_version: i64,
    runs: BTreeMap<Arc<str>, RunState>,
}

/// What is remembered of a run.
struct RunState {
    no: i64,
    last: Seq,
    hash: Hash,
    /// The last event that the list of runs knows of.
    marked: Seq,
}

struct Statements<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    data_version: Statement<'c>,
    event: Statement<'c>,
    blob: Statement<'c>,
    new_run: Statement<'c>,
    find_run: Statement<'c>,
    last_event: Statement<'c>,
    mark: Statement<'c>,
    status: Statement<'c>,
    owner: Statement<'c>,
    end: Statement<'c>,
}

impl<'c> Statements<'c> {
    fn new(c: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: c.prepare("BEGIN IMMEDIATE")?,
            commit: c.prepare("COMMIT")?,
            data_version: c.prepare("PRAGMA data_version")?,
            event: c.prepare("INSERT INTO events (id, at, kind, path, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?,
            blob: c.prepare(
                "INSERT INTO blobs (digest, size, at, data) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (digest) DO UPDATE SET at = max(at, excluded.at)",
            )?,
            new_run: c.prepare(
                "INSERT INTO runs (id, flow, plan, program, status, owner, created, updated, last_seq, labels) \
                 VALUES (?1, ?2, ?3, ?4, 'running', ?5, ?6, ?6, 1, ?7)",
            )?,
            find_run: c.prepare("SELECT no, last_seq FROM runs WHERE id = ?1")?,
            last_event: c.prepare("SELECT id, hash FROM events WHERE id > ?1 AND id <= ?2 ORDER BY id DESC LIMIT 1")?,
            mark: c.prepare("UPDATE runs SET last_seq = max(last_seq, ?2), updated = max(updated, ?3) WHERE no = ?1")?,
            status: c.prepare("UPDATE runs SET status = ?2, reason = ?3 WHERE no = ?1")?,
            owner: c.prepare("UPDATE runs SET owner = ?2 WHERE no = ?1")?,
            end: c.prepare(
                "UPDATE runs SET status = ?2, ended = ?3, reason = ?4, failure_kind = ?5, failure_path = ?6 WHERE no = ?1",
            )?,
        })
    }
}

impl<'c> Writer<'c> {
    fn new(connection: &'c Connection, path: PathBuf) -> Result<Self, JournalError> {
        match Statements::new(connection) {
            Ok(statements) => Ok(Self { connection, path, statements, data_version: -1, runs: BTreeMap::new() }),
            Err(error) => Err(from_sqlite(&path, &error)),
        }
    }

    fn serve(&mut self, queue: &Queue) {
        let mut spin = false;
        while let Some(mut group) = queue.take(spin) {
            for job in &mut group {
                if let Work::Waiting { run, events } = &job.work {
                    job.work = Work::Append { run: run.clone(), events: events.iter().map(encode).collect() };
                }
            }
            // Only where the caller itself has nothing else to do, waiting awake takes nothing from anyone.
            spin = matches!(group.as_slice(), [only] if only.idle);
            let answers = self.write(&group);
            queue.done(group.len());
            for (job, answer) in group.into_iter().zip(answers) {
                job.reply.send(answer);
            }
        }
        self.mark_all();
    }

    /// Writes jobs in one transaction. When it fails, each is tried by itself, so that one that is too
    /// large for the store does not take the others with it.
    fn write(&mut self, group: &[Job]) -> Vec<Answer> {
        match self.transaction(group) {
            Ok(answers) => answers,
            Err(error) if group.len() <= 1 => vec![Err(from_sqlite(&self.path, &error))],
            Err(_) => group
                .iter()
                .flat_map(|job| {
                    self.transaction(std::slice::from_ref(job)).unwrap_or_else(|error| vec![Err(from_sqlite(&self.path, &error))])
                })
                .collect(),
        }
    }

    /// The answers in order, or why nothing of the group was written.
    fn transaction(&mut self, group: &[Job]) -> rusqlite::Result<Vec<Answer>> {
        let result = self.try_transaction(group);
        if result.is_err() {
            // What is remembered may be ahead of the store now.
            self.runs.clear();
            if !self.connection.is_autocommit() {
                self.connection.execute_batch("ROLLBACK")?;
            }
        }
        result
    }

    fn try_transaction(&mut self, group: &[Job]) -> rusqlite::Result<Vec<Answer>> {
        self.statements.begin.raw_execute()?;
        let version = self.statements.data_version.query_row([], |row| row.get(0))?;
        if self.data_version != version {
            self.runs.clear();
            self.data_version = version;
        }
        let mut answers = Vec::with_capacity(group.len());
        for job in group {
            answers.push(match &job.work {
                Work::Append { run, events } => self.append(run, events)?,
                Work::Blob { digest, bytes } => self.blob(*digest, bytes)?,
                // Encoded before it came here.
                Work::Waiting { .. } => Err(unavailable(&self.path, "was given an event that is not encoded")),
            });
        }
        self.statements.commit.raw_execute()?;
        Ok(answers)
    }

    fn blob(&mut self, digest: Digest, bytes: &[u8]) -> rusqlite::Result<Answer> {
        self.statements.blob.execute(params![digest.to_string(), integer(bytes.len()), now(), bytes])?;
        Ok(Ok(()))
    }

    /// Appends the events, or says why not, before anything is written.
    fn append(&mut self, run: &RunId, events: &[Encoded]) -> rusqlite::Result<Answer> {
        let Some(first) = events.first() else { return Ok(Ok(())) };
        let mut state = match self.runs.remove(&run.0) {
            Some(state) => state,
            None => match self.recall(run)? {
                Ok(state) => state,
                Err(damage) => return Ok(Err(damage)),
            },
        };
        let answer = match refusal(run, &state, first, events) {
            Some(refusal) => Err(refusal),
            None => {
                self.insert(run, &mut state, events)?;
                Ok(())
            }
        };
        if state.no != 0 && !matches!(events.last(), Some(last) if answer.is_ok() && ends(last)) {
            self.remember(run, state)?;
        }
        Ok(answer)
    }

    /// What the store knows of the run; number 0 when nothing.
    fn recall(&mut self, run: &RunId) -> rusqlite::Result<Result<RunState, JournalError>> {
        let found = self.statements.find_run.query_row([&*run.0], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?))).optional()?;
        let Some((no, marked)) = found else {
            return Ok(Ok(RunState { no: 0, last: 0, hash: chain::genesis(run), marked: 0 }));
        };
        let range = (no << RUN_SHIFT, no << RUN_SHIFT | MAX_SEQ);
        let last: Option<(i64, Hash)> =
            self.statements.last_event.query_row(range, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let (last, hash) = last.map_or_else(|| (0, chain::genesis(run)), |(id, hash)| (id & MAX_SEQ, hash));
        if last < marked {
            let what = format!("it ends at event {last} and once had {marked}; nothing can be appended");
            return Ok(Err(JournalError::Damaged { run: run.clone(), what }));
        }
        let seq = |number: i64| Seq::try_from(number).unwrap_or_default();
        Ok(Ok(RunState { no, last: seq(last), hash, marked: seq(marked) }))
    }

    fn insert(&mut self, run: &RunId, state: &mut RunState, events: &[Encoded]) -> rusqlite::Result<()> {
        let mut changed = false;
        for event in events {
            if let Some(change) = &event.change {
                changed = true;
                self.change(run, state, event, change)?;
            }
            for blob in &event.blobs {
                let bytes = blob.text.as_bytes();
                self.statements.blob.execute(params![blob.digest.to_string(), integer(bytes.len()), now(), bytes])?;
            }
            let Encoded { seq, at, kind, path, body, .. } = event;
            let hash = chain::next(&state.hash, Link { seq: *seq, at: *at, kind, path, body });
            let id = state.no << RUN_SHIFT | i64::try_from(*seq).unwrap_or(MAX_SEQ);
            self.statements.event.execute(params![id, integer(*at), kind, &**path, body, &hash[..]])?;
            state.hash = hash;
            state.last = *seq;
        }
        if changed || state.last - state.marked >= MARK_EVERY {
            let at = events.last().map_or(0, |last| integer(last.at));
            self.mark(state, at)?;
        }
        Ok(())
    }

    fn change(&mut self, run: &RunId, state: &mut RunState, event: &Encoded, change: &RunChange) -> rusqlite::Result<()> {
        let at = integer(event.at);
        let s = &mut self.statements;
        match change {
            RunChange::Started { flow, plan, program, owner, labels } => {
                if state.no == 0 {
                    let (plan, program) = (plan.to_string(), program.to_string());
                    s.new_run.execute(params![&*run.0, flow, plan, program, &**owner, at, labels])?;
                    state.no = self.connection.last_insert_rowid();
                }
                return Ok(());
            }
            RunChange::Paused { reason } => s.status.execute(params![state.no, "paused", reason]),
            RunChange::Resumed => s.status.execute(params![state.no, "running", None::<&str>]),
            RunChange::Cancelling { reason } => s.status.execute(params![state.no, "cancelling", reason]),
            RunChange::Owned { owner } => s.owner.execute(params![state.no, &**owner]),
            RunChange::Succeeded => s.end.execute(params![state.no, "succeeded", at, None::<&str>, None::<&str>, None::<&str>]),
            RunChange::Failed { kind, message, path } => s.end.execute(params![state.no, "failed", at, message, kind, &**path]),
            RunChange::Cancelled => s.end.execute(params![state.no, "cancelled", at, None::<&str>, None::<&str>, None::<&str>]),
        }
        .map(|_| ())
    }

    fn mark(&mut self, state: &mut RunState, at: i64) -> rusqlite::Result<()> {
        self.statements.mark.execute(params![state.no, integer(state.last), at])?;
        state.marked = state.last;
        Ok(())
    }

    fn remember(&mut self, run: &RunId, state: RunState) -> rusqlite::Result<()> {
        self.runs.insert(run.0.clone(), state);
        if self.runs.len() > REMEMBERED_RUNS
            && let Some((_, mut forgotten)) = self.runs.pop_first()
        {
            self.mark(&mut forgotten, 0)?;
        }
        Ok(())
    }

    /// At the end the list of runs is made exact. Left out where it cannot be written: the events are safe.
    fn mark_all(&mut self) {
        let mut late: Vec<_> = std::mem::take(&mut self.runs).into_values().filter(|state| state.marked < state.last).collect();
        if late.is_empty() {
            return;
        }
        let marked = self.statements.begin.raw_execute().and_then(|_| {
            late.iter_mut().try_for_each(|state| self.mark(state, 0))?;
            self.statements.commit.raw_execute()
        });
        if marked.is_err() && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

/// Why these events cannot follow.
fn refusal(run: &RunId, state: &RunState, first: &Encoded, events: &[Encoded]) -> Option<JournalError> {
    let next = state.last + 1;
    let damaged = |what: String| Some(JournalError::Damaged { run: run.clone(), what });
    if first.seq < next {
        return Some(JournalError::Fenced { run: run.clone(), seq: first.seq });
    }
    if let Some((wrong, expected)) = events.iter().zip(next..).find(|(event, expected)| event.seq != *expected) {
        return damaged(format!("event {} cannot be appended, because event {expected} is missing", wrong.seq));
    }
    if state.no == 0 && !matches!(first.change.as_deref(), Some(RunChange::Started { .. })) {
        return damaged(format!("it does not begin with `{}`", crate::wire::kind::RUN_STARTED));
    }
    if state.last + events.len() as Seq > Seq::from(u32::MAX) || state.no >= i64::from(i32::MAX) {
        return Some(JournalError::Unavailable(format!("run `{run}` has more events than a store can number")));
    }
    None
}

fn ends(event: &Encoded) -> bool {
    event.kind == crate::wire::kind::RUN_ENDED
}

/// As SQLite keeps it.
fn integer(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// When a blob was last needed, for the sweep; no part of any event.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    integer(since.as_millis())
}
