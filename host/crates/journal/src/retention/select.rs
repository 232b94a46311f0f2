//! Which ended runs are not kept.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use engine::event::{RunId, Timestamp};
use rusqlite::{Connection, Row};

use super::{Retention, space};
use crate::read::RunStatus;

/// A run that is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which.
    pub run: RunId,
    /// Its entry flow.
    pub flow: String,
    /// How it ended.
    pub status: RunStatus,
    /// When.
    pub ended: Timestamp,
    /// Its events.
    pub events: u64,
    /// What makes it go.
    pub because: Because,
}

/// What makes a run go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// It ended too long ago.
    Age,
    /// There are too many.
    Count,
    /// The store is too large.
    Size,
}

impl Because {
    /// Its name for programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Count => "count",
            Self::Size => "size",
        }
    }
}

struct Ended {
    run: RunId,
    flow: String,
    status: RunStatus,
    ended: i64,
    labels: String,
    events: u64,
}

/// The ended runs that are not kept, the one that ended first at the front.
pub(super) fn expired(connection: &Connection, retention: &Retention, now: Timestamp) -> rusqlite::Result<Vec<Candidate>> {
    let transaction = connection.unchecked_transaction()?;
    let runs = ended(&transaction)?;
    let kept = kept(&runs, retention);
    let mut excess = retention.most_bytes.map_or(Ok(0), |most| excess(&transaction, most))?;
    let each = if excess > 0 { bytes_of_an_event(&transaction)? } else { 0 };
    let mut beyond = (runs.len() as u64).saturating_sub(retention.most_runs.unwrap_or(u64::MAX));
    let mut found = Vec::new();
    for (index, run) in runs.into_iter().enumerate() {
        let because = if kept.contains(&index) {
            None
        } else if is_old(&run, retention, now) {
            Some(Because::Age)
        } else if beyond > 0 {
            Some(Because::Count)
        } else if excess > 0 {
            Some(Because::Size)
        } else {
            None
        };
        let Some(because) = because else { continue };
        beyond = beyond.saturating_sub(1);
        excess = excess.saturating_sub(run.events.saturating_mul(each));
        let Ended { run, flow, status, ended, events, .. } = run;
        found.push(Candidate { run, flow, status, ended: Timestamp(u64::try_from(ended).unwrap_or(0)), events, because });
    }
    Ok(found)
}

/// All that have ended, the one that ended first at the front.
fn ended(connection: &Connection) -> rusqlite::Result<Vec<Ended>> {
    let sql = "SELECT id, flow, status, ended, labels, ifnull(seq, 0) FROM runs LEFT JOIN heads ON heads.run = no \
               WHERE ended IS NOT NULL ORDER BY ended, no";
    let row = |row: &Row<'_>| {
        Ok(Ended {
            run: RunId(row.get::<_, String>(0)?.into()),
            flow: row.get(1)?,
            status: row.get_ref(2)?.as_str()?.parse().unwrap_or(RunStatus::Running),
            ended: row.get(3)?,
            labels: row.get(4)?,
            events: u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
        })
    };
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], row)?;
    rows.filter(|row| row.as_ref().map_or(true, |run| run.status.is_end())).collect()
}

/// The places of those that are kept whatever their age, and however many there are.
fn kept(runs: &[Ended], retention: &Retention) -> BTreeSet<usize> {
    let mut last: BTreeMap<&str, u64> = BTreeMap::new();
    let mut kept = BTreeSet::new();
    for (index, run) in runs.iter().enumerate().rev() {
        let of_flow = last.entry(&run.flow).or_default();
        if *of_flow < retention.keep_last || has_label(run, &retention.keep_labels) {
            kept.insert(index);
        }
        *of_flow += 1;
    }
    kept
}

fn has_label(run: &Ended, wanted: &[(String, Option<String>)]) -> bool {
    let Ok(labels) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&run.labels) else {
        // Not to be read: not to be deleted.
        return true;
    };
    wanted
        .iter()
        .any(|(key, value)| labels.get(key).is_some_and(|found| value.as_ref().is_none_or(|value| found.as_str() == Some(value))))
}

fn is_old(run: &Ended, retention: &Retention, now: Timestamp) -> bool {
    let age: Option<Duration> = match run.status {
        RunStatus::Succeeded => retention.succeeded,
        RunStatus::Failed => retention.failed,
        RunStatus::Cancelled => retention.cancelled,
        _ => None,
    };
    let since = u128::from(now.0).saturating_sub(u128::from(u64::try_from(run.ended).unwrap_or(0)));
    age.is_some_and(|age| since > age.as_millis())
}

/// So many bytes are in use beyond what may be.
fn excess(connection: &Connection, most: u64) -> rusqlite::Result<u64> {
    let space = space(connection)?;
    Ok(space.file.saturating_sub(space.free).saturating_sub(most))
}

/// About what an event takes in the file, with its share of the blobs: an estimate from all of them.
fn bytes_of_an_event(connection: &Connection) -> rusqlite::Result<u64> {
    let space = space(connection)?;
    let cache: i64 = connection.query_row("SELECT ifnull(sum(length(data)), 0) FROM cache", [], |row| row.get(0))?;
    let events: i64 = connection.query_row("SELECT ifnull(sum(seq), 0) FROM heads", [], |row| row.get(0))?;
    let used = space.file.saturating_sub(space.free).saturating_sub(u64::try_from(cache).unwrap_or(0));
    Ok((used / u64::try_from(events).unwrap_or(1).max(1)).max(1))
}
