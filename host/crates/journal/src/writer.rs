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
use crate::deploy;
use crate::escalations;
use crate::home::Home;
use crate::mail;
use crate::problem::{from_sqlite, unavailable};
use crate::queue::{Answer, Job, Queue, Work};
use crate::replica;
use crate::sessions;
use crate::standing;
use crate::wire::{Encoded, RunChange, encode};

/// Runs that are remembered; beyond, the first are forgotten and read again when they go on.
const REMEMBERED_RUNS: usize = 16_384;

/// Writes until the queue is closed. The connection is closed at the end.
#[expect(clippy::needless_pass_by_value, reason = "the thread owns its connection")]
pub(crate) fn run(connection: Connection, path: PathBuf, home: &Home, queue: &Queue, outbox: bool) {
    let _abandon = Abandon(queue);
    match Writer::new(&connection, path, home, outbox) {
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
    home: &'c Home,
    /// Whether reports of escalations are to be sent.
    outbox: bool,
    statements: Statements<'c>,
    /// Of the store when `runs` was last known to hold.
    data_version: i64,
    runs: BTreeMap<Arc<str>, RunState>,
}

/// What is remembered of a run.
struct RunState {
    no: i64,
    /// Its last event.
    event: i64,
    last: Seq,
    hash: Hash,
}

struct Statements<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    data_version: Statement<'c>,
    event: Statement<'c>,
    blob: Statement<'c>,
    cache: Statement<'c>,
    new_run: Statement<'c>,
    find_run: Statement<'c>,
    head: Statement<'c>,
    updated: Statement<'c>,
    status: Statement<'c>,
    owner: Statement<'c>,
    program: Statement<'c>,
    end: Statement<'c>,
}

impl<'c> Statements<'c> {
    fn new(c: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: c.prepare("BEGIN IMMEDIATE")?,
            commit: c.prepare("COMMIT")?,
            data_version: c.prepare("PRAGMA data_version")?,
            event: c.prepare(
                "INSERT INTO events (run, seq, prev, at, kind, path, body, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            blob: c.prepare(
                "INSERT INTO blobs (digest, size, at, data) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (digest) DO UPDATE SET at = max(at, excluded.at)",
            )?,
            cache: c.prepare(
                "INSERT INTO cache (key, at, data) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (key) DO UPDATE SET at = excluded.at, data = excluded.data WHERE excluded.at >= at",
            )?,
            // Events of a run that is being deleted still have its number.
            new_run: c.prepare(
                "INSERT INTO runs (no, id, flow, plan, program, status, owner, created, updated, labels) \
                 VALUES (max(ifnull((SELECT max(no) FROM runs), 0), ifnull((SELECT max(run) FROM purge), 0)) + 1, \
                 ?1, ?2, ?3, ?4, 'running', ?5, ?6, ?6, ?7)",
            )?,
            find_run: c.prepare(
                "SELECT runs.no, heads.event, heads.seq, events.hash FROM runs LEFT JOIN heads ON heads.run = runs.no \
                 LEFT JOIN events ON events.id = heads.event AND events.run = runs.no AND events.seq = heads.seq \
                 WHERE runs.id = ?1",
            )?,
            head: c.prepare(
                "INSERT INTO heads (run, event, seq) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (run) DO UPDATE SET event = excluded.event, seq = excluded.seq",
            )?,
            updated: c.prepare("UPDATE runs SET updated = max(updated, ?2) WHERE no = ?1")?,
            status: c.prepare("UPDATE runs SET status = ?2, reason = ?3 WHERE no = ?1")?,
            owner: c.prepare("UPDATE runs SET owner = ?2 WHERE no = ?1")?,
            program: c.prepare("UPDATE runs SET plan = ?2, program = ?3 WHERE no = ?1")?,
            end: c.prepare(
                "UPDATE runs SET status = ?2, ended = ?3, reason = ?4, failure_kind = ?5, failure_path = ?6 WHERE no = ?1",
            )?,
        })
    }
}

impl<'c> Writer<'c> {
    fn new(connection: &'c Connection, path: PathBuf, home: &'c Home, outbox: bool) -> Result<Self, JournalError> {
        match Statements::new(connection) {
            Ok(statements) => Ok(Self { connection, path, home, outbox, statements, data_version: -1, runs: BTreeMap::new() }),
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
    }

    /// Writes jobs in one transaction. When it fails, each is tried by itself, so that one that is too
    /// large for the store does not take the others with it.
    fn write(&mut self, group: &[Job]) -> Vec<Answer> {
        // A commit that nobody finds again is none.
        if let Err(gone) = self.home.check() {
            return group.iter().map(|_| Err(gone.clone())).collect();
        }
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
                Work::Mail(write) => {
                    mail::write(self.connection, write, now(), None)?;
                    Ok(())
                }
                Work::Deploy(write) => {
                    deploy::write(self.connection, write, now())?;
                    Ok(())
                }
                Work::Session(write) => {
                    sessions::write(self.connection, write, now())?;
                    Ok(())
                }
                Work::Outbox(write) => {
                    escalations::write(self.connection, write)?;
                    Ok(())
                }
                Work::Replica(work) => self.replica(work)?,
                Work::Cache { key, text, at } => self.cache(*key, text, *at)?,
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

    fn cache(&mut self, key: Digest, text: &str, at: u64) -> rusqlite::Result<Answer> {
        self.statements.cache.execute(params![key.to_string(), integer(at), text.as_bytes()])?;
        Ok(Ok(()))
    }

    /// Writes what a stream has that was not written before.
    fn replica(&mut self, work: &replica::Work) -> rusqlite::Result<Answer> {
        let own_name;
        let (feed, entries) = match work {
            replica::Work::Claim(name) => {
                let claimed = replica::claim(self.connection, name)?;
                return Ok(claimed.map_err(|why| unavailable(&self.path, why)));
            }
            replica::Work::Restore(standing) => {
                let restored = standing::restore(self.connection, standing)?;
                return Ok(restored.map_err(|why| unavailable(&self.path, why)));
            }
            replica::Work::Apply(feed, entries, own) => {
                own_name = own.as_deref();
                (*feed, entries)
            }
        };
        let before = replica::position(self.connection, feed)?;
        let (mut answer, mut latest) = (Ok(()), None);
        for (position, entry) in entries.iter().filter(|(position, _)| *position > before) {
            match entry {
                replica::Ready::Commit { run, hash, events, blobs } => {
                    for (digest, bytes) in blobs {
                        self.blob(*digest, bytes)?.ok();
                    }
                    answer = answer.and(self.follow(run, *hash, events, own_name)?);
                }
                replica::Ready::Change { change, at, id } => {
                    if replica::is_new(self.connection, change, id.as_deref(), *at)? {
                        self.change_of(change, *at, replica::first_letter(*position))?;
                    }
                    latest = Some(*at);
                }
                replica::Ready::Nothing => {}
            }
        }
        if let Some(latest) = latest {
            replica::forget_taken(self.connection, latest)?;
        }
        if let Some((last, _)) = entries.last().filter(|(last, _)| *last > before) {
            replica::set_position(self.connection, feed, *last)?;
        }
        Ok(answer)
    }

    /// Appends a commit as another host made it. One that is there is left out: around an election it may be stored twice.
    fn follow(&mut self, run: &RunId, hash: Hash, events: &[Encoded], own: Option<&str>) -> rusqlite::Result<Answer> {
        // Of all who follow only the run's owner sends reports.
        let outbox = self.outbox;
        self.outbox = outbox && self.is_owner(run, own)?;
        let appended = self.append(run, events);
        self.outbox = outbox;
        match appended? {
            Err(JournalError::Fenced { .. }) => return Ok(Ok(())),
            Err(error) => return Ok(Err(error)),
            Ok(()) => {}
        }
        // What was remembered of an ended run is forgotten.
        let holds = self.runs.get(&run.0).is_none_or(|state| state.hash == hash);
        let what = || "the hash chain of a commit in the stream does not hold".to_owned();
        Ok(if holds { Ok(()) } else { Err(JournalError::Damaged { run: run.clone(), what: what() }) })
    }

    fn is_owner(&self, run: &RunId, own: Option<&str>) -> rusqlite::Result<bool> {
        let sql = "SELECT 1 FROM runs WHERE id = ?1 AND owner = ?2";
        self.connection.prepare_cached(sql)?.exists((&*run.0, own))
    }

    fn change_of(&self, change: &replica::Change, at: i64, first: i64) -> rusqlite::Result<()> {
        match change {
            replica::Change::Mail(write) => mail::write(self.connection, write, at, Some(first)),
            replica::Change::Deployment(write) => deploy::write(self.connection, write, at),
            replica::Change::Session(write) => sessions::write(self.connection, write, at),
        }
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
            self.remember(run, state);
        }
        Ok(answer)
    }

    /// What the store knows of the run; number 0 when nothing.
    fn recall(&mut self, run: &RunId) -> rusqlite::Result<Result<RunState, JournalError>> {
        let columns = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get::<_, Option<i64>>(2)?, row.get(3)?));
        let found = self.statements.find_run.query_row([&*run.0], columns).optional()?;
        let damaged = |what: String| Ok(Err(JournalError::Damaged { run: run.clone(), what }));
        match found {
            None => Ok(Ok(RunState { no: 0, event: 0, last: 0, hash: chain::genesis(run) })),
            Some((no, Some(event), Some(seq), Some(hash))) => {
                Ok(Ok(RunState { no, event, last: Seq::try_from(seq).unwrap_or_default(), hash }))
            }
            Some((_, _, Some(seq), _)) => damaged(format!("its last event, {seq}, is missing; nothing can be appended")),
            Some(_) => damaged("its head is missing; nothing can be appended".to_owned()),
        }
    }

    fn insert(&mut self, run: &RunId, state: &mut RunState, events: &[Encoded]) -> rusqlite::Result<()> {
        for event in events {
            if let Some(change) = &event.change {
                self.change(run, state, event, change)?;
            }
            for blob in &event.blobs {
                let bytes = blob.text.as_bytes();
                self.statements.blob.execute(params![blob.digest.to_string(), integer(bytes.len()), now(), bytes])?;
            }
            let Encoded { seq, at, kind, path, body, .. } = event;
            let hash = chain::next(&state.hash, Link { seq: *seq, at: *at, kind, path, body });
            let row = params![state.no, integer(*seq), state.event, integer(*at), kind, &**path, body, &hash[..]];
            self.statements.event.execute(row)?;
            state.event = self.connection.last_insert_rowid();
            state.hash = hash;
            state.last = *seq;
            if let Some(change) = &event.change {
                escalations::follow(self.connection, state.no, state.event, integer(*at), change, self.outbox)?;
            }
        }
        self.statements.head.execute((state.no, state.event, integer(state.last)))?;
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
            RunChange::Escalated { .. } | RunChange::Decided { .. } => return Ok(()),
            RunChange::Paused { reason } => s.status.execute(params![state.no, "paused", reason]),
            RunChange::Resumed => s.status.execute(params![state.no, "running", None::<&str>]),
            RunChange::Cancelling { reason } => s.status.execute(params![state.no, "cancelling", reason]),
            RunChange::Owned { owner } => s.owner.execute(params![state.no, &**owner]),
            RunChange::Migrated { plan, program } => s.program.execute(params![state.no, plan.to_string(), program.to_string()]),
            RunChange::Succeeded => s.end.execute(params![state.no, "succeeded", at, None::<&str>, None::<&str>, None::<&str>]),
            RunChange::Failed { kind, message, path } => s.end.execute(params![state.no, "failed", at, message, kind, &**path]),
            RunChange::Cancelled => s.end.execute(params![state.no, "cancelled", at, None::<&str>, None::<&str>, None::<&str>]),
        }
        .and_then(|_| s.updated.execute((state.no, at)))
        .map(|_| ())
    }

    fn remember(&mut self, run: &RunId, state: RunState) {
        self.runs.insert(run.0.clone(), state);
        if self.runs.len() > REMEMBERED_RUNS {
            self.runs.pop_first();
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
