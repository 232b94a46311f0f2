//! Rows that the read side answers with, and the queries behind them.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use engine::event::{Amounts, Attempt, Bill, CacheNote, EventBody, Failure, RunId, Seq, Timestamp};
use engine::ports::JournalError;
use rusqlite::{Connection, Params, Row};

use super::timestamp;

/// What a run is doing, as far as its events say. A run whose process died is still `running` here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RunStatus {
    /// Started or resumed.
    Running,
    /// Nothing new starts.
    Paused,
    /// It is to end as cancelled.
    Cancelling,
    /// Ended with a value.
    Succeeded,
    /// Ended with a failure.
    Failed,
    /// Ended as it was asked to.
    Cancelled,
}

impl RunStatus {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Running, Self::Paused, Self::Cancelling, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Its name, as it is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelling => "cancelling",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl std::fmt::Display for RunStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for RunStatus {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|status| status.name() == text).ok_or(())
    }
}

/// A run in the list of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// The entry flow.
    pub flow: String,
    /// The plan's digest, as `sha256:…`.
    pub plan: String,
    /// The digest of the blob that holds the program.
    pub program: String,
    /// What it is doing.
    pub status: RunStatus,
    /// The host that owns it.
    pub owner: String,
    /// When it was started.
    pub created: Timestamp,
    /// When its last event was appended.
    pub updated: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The position of its last event.
    pub last_seq: Seq,
    /// What its submitter called it.
    pub labels: serde_json::Map<String, serde_json::Value>,
    /// Why it is paused, being cancelled, or failed.
    pub reason: Option<String>,
    /// The kind of the failure that it ended with.
    pub failure_kind: Option<String>,
    /// Where that came from.
    pub failure_path: Option<String>,
}

/// A run that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRun {
    /// Its id.
    pub id: RunId,
    /// What it is doing.
    pub status: RunStatus,
    /// The host that owns it.
    pub owner: String,
    /// Why it is paused or being cancelled.
    pub reason: Option<String>,
    /// Whether its labels say that another run goes on with it: the one whose plan it is.
    pub has_parent: bool,
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRow {
    /// Its position.
    pub seq: Seq,
    /// When it was appended.
    pub at: Timestamp,
    /// Its kind, such as `attempt-started`.
    pub kind: String,
    /// The step's path, or empty.
    pub path: String,
    /// A JSON object.
    pub body: String,
}

/// Why a run was not found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// Several runs begin so.
    #[error("`{prefix}` may mean several runs: {}{}; give more of the id", matches.join(", "), if *more { ", …" } else { "" })]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// The latest of them.
        matches: Vec<String>,
        /// Whether there are more.
        more: bool,
    },
    /// None, or the store cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// When the last event of a run was appended. The list itself is not written for each event; the head and the last event
/// tell how far the run is.
pub(super) const UPDATED: &str =
    "max(updated, ifnull((SELECT events.at FROM events JOIN heads ON heads.event = events.id WHERE heads.run = no), 0))";

/// The runs that fulfil a condition.
pub(super) fn runs(connection: &Connection, condition: &str, values: impl Params) -> rusqlite::Result<Vec<RunRow>> {
    let sql = format!(
        "SELECT id, flow, plan, program, status, owner, created, ended, labels, reason, failure_kind, failure_path, {UPDATED}, \
         ifnull((SELECT seq FROM heads WHERE heads.run = no), 0) FROM runs WHERE {condition}",
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(values, run)?;
    rows.collect()
}

fn run(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let status: String = row.get(4)?;
    let status = RunStatus::from_str(&status).map_err(|()| unexpected(4, format!("unknown status `{status}`")))?;
    let labels: String = row.get(8)?;
    Ok(RunRow {
        id: RunId(row.get::<_, String>(0)?.into()),
        flow: row.get(1)?,
        plan: row.get(2)?,
        program: row.get(3)?,
        status,
        owner: row.get(5)?,
        created: timestamp(row.get(6)?),
        ended: row.get::<_, Option<i64>>(7)?.map(timestamp),
        labels: serde_json::from_str(&labels).map_err(|error| unexpected(8, error.to_string()))?,
        reason: row.get(9)?,
        failure_kind: row.get(10)?,
        failure_path: row.get(11)?,
        updated: timestamp(row.get(12)?),
        last_seq: Seq::try_from(row.get::<_, i64>(13)?).unwrap_or_default(),
    })
}

/// All runs that have not ended.
pub(super) fn open_runs(connection: &Connection) -> rusqlite::Result<Vec<OpenRun>> {
    let sql = "SELECT id, status, owner, reason, \
               (labels ->> '$.parent') IS NOT NULL AND (labels ->> '$.\"parent-step\"') IS NOT NULL FROM runs WHERE status IN ('running', 'paused', 'cancelling') ORDER BY no";
    let open = |row: &Row<'_>| {
        let status: String = row.get(1)?;
        let status = RunStatus::from_str(&status).map_err(|()| unexpected(1, format!("unknown status `{status}`")))?;
        let id = RunId(row.get::<_, String>(0)?.into());
        Ok(OpenRun { id, status, owner: row.get(2)?, reason: row.get(3)?, has_parent: row.get(4)? })
    };
    connection.prepare_cached(sql)?.query_map([], open)?.collect()
}

fn unexpected(column: usize, what: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
}

/// An event, from the columns that [`crate::load::each`] gives.
pub(super) fn event(row: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        seq: Seq::try_from(row.get::<_, i64>(0)?).unwrap_or_default(),
        at: timestamp(row.get(1)?),
        kind: row.get(2)?,
        path: row.get(3)?,
        body: row.get(4)?,
    })
}

/// How an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttemptState {
    /// Started, not ended.
    Running,
    /// Gave a result.
    Succeeded,
    /// Failed.
    Failed,
    /// Stopped.
    Cancelled,
    /// Started before a crash, and nothing says how it ended.
    OutcomeUnknown,
}

impl AttemptState {
    /// Its name, as people see it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::OutcomeUnknown => "outcome unknown",
        }
    }
}

/// An attempt of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptRow {
    /// Which.
    pub attempt: Attempt,
    /// How it stands.
    pub state: AttemptState,
    /// The host that ran it; none where nobody did, or that is not known.
    pub host: Option<Arc<str>>,
    /// Whether that was another one than the run's owner.
    pub elsewhere: bool,
    /// When it started, where that was stored: the start of a pure step may not be.
    pub started: Option<Timestamp>,
    /// When its end was stored.
    pub ended: Option<Timestamp>,
    /// What it used.
    pub bill: Option<Bill>,
    /// Why it failed; without large details.
    pub failure: Option<Failure>,
    /// What the cache said, where it was asked and the attempt gave a result.
    pub cache: Option<CacheNote>,
    /// What it might use, where that was more than the flow asks for.
    pub limits: Option<Amounts>,
}

impl AttemptRow {
    /// It ran there, else where it began, else with the owner.
    fn ran_on(&mut self, there: Option<Arc<str>>, owner: Option<Arc<str>>) {
        self.elsewhere = there.is_some();
        self.host = there.or_else(|| self.host.take()).or(owner);
    }
}

/// Collects attempts from events.
#[derive(Default)]
pub(super) struct Attempts {
    rows: Vec<AttemptRow>,
    places: BTreeMap<(u64, u32), usize>,
    /// Who owns the run by now.
    owner: Option<Arc<str>>,
}

impl Attempts {
    pub(super) fn event(&mut self, at: Timestamp, body: EventBody) {
        let owner = self.owner.clone();
        match body {
            EventBody::RunStarted(started) => self.owner = Some(started.host),
            EventBody::OwnerChanged { host } => self.owner = Some(host),
            EventBody::AttemptStarted { attempt, host, limits } => self.update(attempt, |row| {
                row.limits = limits;
                row.started = Some(at);
                row.host = Some(host);
            }),
            EventBody::AttemptSucceeded { attempt, bill, cache, host, .. } => self.update(attempt, |row| {
                row.cache = cache;
                row.ended = Some(at);
                row.state = AttemptState::Succeeded;
                row.bill = Some(bill);
                let ran = !matches!(cache, Some(CacheNote::Hit | CacheNote::Reused | CacheNote::Supplied));
                row.ran_on(host, owner.filter(|_| ran));
            }),
            EventBody::AttemptFailed { attempt, failure, bill, host } => self.update(attempt, |row| {
                row.ended = Some(at);
                row.state = AttemptState::Failed;
                row.failure = Some(failure);
                row.bill = Some(bill);
                row.ran_on(host, owner);
            }),
            EventBody::AttemptCancelled { attempt, host } => self.update(attempt, |row| {
                row.ended = Some(at);
                row.state = AttemptState::Cancelled;
                row.ran_on(host, None);
            }),
            EventBody::OutcomeUnknown { attempt, host } => self.update(attempt, |row| {
                row.state = AttemptState::OutcomeUnknown;
                row.ran_on(host, None);
            }),
            _ => {}
        }
    }

    pub(super) fn finish(self) -> Vec<AttemptRow> {
        self.rows
    }

    fn update(&mut self, attempt: Attempt, change: impl FnOnce(&mut AttemptRow)) {
        let place = *self.places.entry((attempt.task.0, attempt.number)).or_insert(self.rows.len());
        if place == self.rows.len() {
            let state = AttemptState::Running;
            self.rows.push(AttemptRow {
                attempt,
                state,
                host: None,
                elsewhere: false,
                started: None,
                ended: None,
                bill: None,
                failure: None,
                cache: None,
                limits: None,
            });
        }
        if let Some(row) = self.rows.get_mut(place) {
            change(row);
        }
    }
}
