//! What the engine needs from outside: someone to run steps, a journal, a bus, a clock.

mod bus;
mod compiler;
mod elsewhere;
mod mail;

use std::sync::Arc;
use std::time::Duration;

use catalog::{Digest, Name, Type, Value};
use futures::future::BoxFuture;
use lang::plan::{FolderAccess, MailUse};

pub use bus::{
    Bus, Callable, Control, Letter, Live, Mail, MailStore, MailWrite, Message, NoBus, Order, Question, Signal, WaitingNote,
};
pub use compiler::{CompiledPlan, Compiler, NoCompiler, PlanError, PlanSource};
pub use elsewhere::{Begun, Elsewhere, Errand, Fate, Kind, Offer, RunsOn};
pub use mail::{Asking, Inquiry, MOST_ASKED, MOST_POSTED, MOST_POSTED_BYTES, MOST_RECEIVED};

use crate::event::{Bill, CacheNote, Denial, Event, Failure, Posting, RunId, Seq, Timestamp};

/// Runs one attempt of a step in a sandbox.
pub trait Invoker: Send + Sync + 'static {
    /// Runs it. Dropping the future stops the guest.
    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Outcome>;
}

/// One attempt to be run.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// What is called.
    pub function: Arc<Callee>,
    /// One value for each parameter, of its type; a `dir` is the host path.
    pub args: Vec<Value>,
    /// What flow and operator agree to grant. Empty: the step is pure.
    pub grants: Vec<GrantedCapability>,
    /// Bounds of this attempt.
    pub limits: Limits,
    /// `run/path`: the same for all attempts of a step.
    pub idempotency_key: Arc<str>,
    /// Counted from 1.
    pub number: u32,
    /// Why the attempt before this one failed.
    pub previous_failure: Option<Failure>,
    /// How it asks roles and takes messages; none where it is granted neither.
    pub asking: Option<Arc<dyn Asking>>,
}

/// A function of a component, with the types that the plan was checked against.
#[derive(Clone, Debug)]
pub struct Callee {
    /// The component.
    pub component: Digest,
    /// The exported interface, as WIT writes it.
    pub interface: Option<String>,
    /// Its name in kebab-case.
    pub wit_name: String,
    /// Names (snake_case) with types.
    pub params: Vec<(Name, Type)>,
    /// What it returns, before a top-level result is unwrapped.
    pub result: Type,
}

/// A capability with its subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GrantedCapability {
    /// A folder of the host.
    Folder {
        /// Its path on the host.
        host_path: Arc<str>,
        /// What may be done.
        access: FolderAccess,
    },
    /// HTTP requests to a host: `name`, `name:port` or `*.domain`.
    Http(Name),
    /// An environment variable.
    Env(Name),
    /// Real clocks.
    Clock,
    /// Real random numbers.
    Random,
    /// Mail: a topic, which may be a pattern where something is sent, or a role.
    Mail(MailUse, Name),
}

/// Bounds of an attempt. Each has a default and a ceiling in the host's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Units of fuel.
    pub fuel: u64,
    /// Linear memory in bytes.
    pub memory: u64,
    /// Wall time.
    pub timeout: Duration,
    /// Elements of all tables together.
    pub table_elements: u64,
    /// Logical size of the result in bytes.
    pub result_size: u64,
    /// Bytes of log lines that are kept; the rest is counted and dropped.
    pub log_size: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 50_000_000_000,
            memory: 256 << 20,
            timeout: Duration::from_secs(60),
            table_elements: 100_000,
            result_size: 64 << 20,
            log_size: 256 << 10,
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The step's value with a top-level result unwrapped, or why there is none.
    pub result: Result<Value, Failure>,
    /// What it used.
    pub bill: Bill,
    /// What it asked for and was not granted.
    pub denials: Vec<Denial>,
    /// What it logged, for people; not journaled.
    pub log: Vec<String>,
    /// What the cache said, where the shell asked it. An invoker leaves it empty.
    pub cache: Option<CacheNote>,
    /// What it sent, in order; it leaves only when the attempt has succeeded.
    pub posted: Vec<Posting>,
    /// The host that ran it, where that is not the run's owner. An invoker leaves it empty.
    pub host: Option<Arc<str>>,
}

impl Outcome {
    /// One that ended like this, used nothing and did nothing else.
    #[must_use]
    pub fn new(result: Result<Value, Failure>) -> Self {
        Self { result, bill: Bill::default(), denials: Vec::new(), log: Vec::new(), cache: None, posted: Vec::new(), host: None }
    }
}

/// Keeps the events of runs.
///
/// An append names the position it follows; when another owner has written there, it is refused, and
/// the caller no longer owns the run.
pub trait Journal: Send + Sync + 'static {
    /// Appends events with consecutive positions; the future ends when they are durable, all or none.
    /// Appends of one run are made in order. Waits while the writer's queue is full.
    fn append(&self, run: &RunId, events: Arc<[Event]>) -> BoxFuture<'static, Result<(), JournalError>>;

    /// As [`Journal::append`], by a caller that has nothing else to do until the events are durable, such as a
    /// run with no step under way. The journal may keep its thread for some microseconds instead of putting it to sleep.
    fn append_idle(&self, run: &RunId, events: Arc<[Event]>) -> BoxFuture<'static, Result<(), JournalError>> {
        self.append(run, events)
    }

    /// All events of a run in order.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or whatever is wrong with the store.
    fn load(&self, run: &RunId) -> Result<Vec<Event>, JournalError>;

    /// The events of a run in order, one at a time, as long as `each` gives true: a long run need not be in memory. What is
    /// wrong with an event is said after those before it were given.
    ///
    /// # Errors
    /// As [`Journal::load`].
    fn read(&self, run: &RunId, each: &mut dyn FnMut(Event) -> bool) -> Result<(), JournalError> {
        self.load(run)?.into_iter().all(each);
        Ok(())
    }

    /// Where a run puts large values that it collects. None: they stay in memory.
    fn vault(&self) -> Option<Arc<dyn Vault>> {
        None
    }

    /// Keeps bytes under their sha256; durable when it returns.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    fn put_blob(&self, bytes: &[u8]) -> Result<Digest, JournalError>;

    /// The bytes with this sha256.
    ///
    /// # Errors
    /// [`JournalError::NoSuchBlob`], or whatever is wrong with the store.
    fn blob(&self, digest: Digest) -> Result<Vec<u8>, JournalError>;

    /// The result that an earlier attempt, of whatever run, left under this key. A journal without a cache has none.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    fn cached(&self, key: Digest) -> Result<Option<Cached>, JournalError> {
        let _none_is_kept = key;
        Ok(None)
    }

    /// Keeps a result for later attempts, in place of an older one. It may get lost when the process dies.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    fn put_cached(&self, key: Digest, payload: &str, at: Timestamp) -> Result<(), JournalError> {
        let _none_is_kept = (key, payload, at);
        Ok(())
    }
}

/// A result in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// The JSON form of the value.
    pub payload: String,
    /// When it was put there.
    pub at: Timestamp,
}

/// Why the journal did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Somebody else appended: the run has another owner now.
    #[error("run `{run}` is owned by another process: event {seq} is already there")]
    Fenced {
        /// The run.
        run: RunId,
        /// The position that was taken.
        seq: Seq,
    },
    /// No such run.
    #[error("there is no run `{0}` in this store")]
    NoSuchRun(String),
    /// No such blob.
    #[error("the blob {0} is missing from the store")]
    NoSuchBlob(Digest),
    /// Events were changed, or are missing.
    #[error("the journal of run `{run}` is damaged: {what}")]
    Damaged {
        /// The run.
        run: RunId,
        /// Which events, and what is wrong.
        what: String,
    },
    /// The store cannot be read or written: locked, read-only, full, corrupt, too new.
    #[error("{0}")]
    Unavailable(String),
}

/// Takes values out of memory that a run does not look at for a while, and gives them back. It is no input: what is put in
/// comes out, so a run does the same with it and without.
pub trait Vault: Send + Sync + 'static {
    /// The same value, now held elsewhere if that could be done.
    fn put(&self, value: Value) -> Value;

    /// What is put there.
    fn bounds(&self) -> Bounds {
        Bounds { resident: 256 << 10, least: 256 }
    }

    /// Why some value could not be given back, if that has happened. What was made with a [`Value::Unit`] in its place
    /// must not be used.
    fn trouble(&self) -> Option<String>;
}

/// Which values go to a vault, in bytes of their logical size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// So much of what a node collects stays in memory.
    pub resident: u64,
    /// A smaller value stays there as well: it would take as much memory to know where it is.
    pub least: u64,
}

/// Wall-clock time. The shell's only source of it.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
