//! How runs and their steps went: counts, failure rates, lengths of time, what was used.
//!
//! Attempts are summed up by flow, node and hour in the table `node_stats`, as far as they are counted. Who asks counts
//! the rest first, so an answer has all that is committed; and writes that down when the store can be written, so the
//! next one has less to count. The writer of events does nothing for it.

mod count;
mod histogram;
mod tally;

use std::collections::BTreeMap;

use engine::event::Timestamp;
use engine::ports::JournalError;
use rusqlite::{Connection, params};

pub use histogram::Histogram;
pub use tally::Tally;

pub(crate) use count::{counted, set_counted};

use crate::problem::{from_sqlite, unavailable};
use crate::read::{Reader, RunStatus};
use crate::schema;

/// Milliseconds of an hour.
const HOUR: u64 = 3_600_000;

/// How often to begin again when other processes count at the same time.
const TRIES: u32 = 8;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatsFilter {
    /// Only this flow.
    pub flow: Option<String>,
    /// Runs that were started at this time or later; attempts that ended in its hour or later.
    pub since: Option<Timestamp>,
    /// Runs that were started before this time; attempts that ended in an hour that began before it.
    pub until: Option<Timestamp>,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// By name.
    pub flows: BTreeMap<String, FlowStats>,
    /// By flow and node.
    pub nodes: BTreeMap<(String, String), Tally>,
}

/// How the runs of a flow went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowStats {
    /// Ended with a value.
    pub succeeded: u64,
    /// Ended with a failure.
    pub failed: u64,
    /// Ended as they were asked to.
    pub cancelled: u64,
    /// Have not ended.
    pub open: u64,
    /// From start to end in milliseconds, of those that ended with a value or a failure.
    pub durations: Histogram,
    /// What all their attempts come to.
    pub attempts: Tally,
}

impl FlowStats {
    /// All runs.
    #[must_use]
    pub const fn runs(&self) -> u64 {
        self.succeeded + self.failed + self.cancelled + self.open
    }

    fn add(&mut self, status: RunStatus, duration: Option<u64>) {
        match status {
            RunStatus::Succeeded => self.succeeded += 1,
            RunStatus::Failed => self.failed += 1,
            RunStatus::Cancelled => self.cancelled += 1,
            _ => self.open += 1,
        }
        if let (RunStatus::Succeeded | RunStatus::Failed, Some(duration)) = (status, duration) {
            self.durations.add(duration);
        }
    }
}

/// Of a hundred that succeeded or failed, how many failed; none of nothing.
#[must_use]
pub fn failure_rate(succeeded: u64, failed: u64) -> Option<f64> {
    let all = succeeded + failed;
    (all > 0).then(|| failed as f64 * 100.0 / all as f64)
}

impl Reader {
    /// How runs and steps went, with all that is committed now.
    ///
    /// # Errors
    /// Whatever is wrong with the store.
    pub fn stats(&self, filter: &StatsFilter) -> Result<Stats, JournalError> {
        for _ in 0..TRIES {
            let counter = count::catch_up(self)?;
            let answer = |connection: &Connection| -> rusqlite::Result<Option<Stats>> {
                let transaction = connection.unchecked_transaction()?;
                if !counter.holds(&transaction)? {
                    return Ok(None);
                }
                let mut stats = Stats::default();
                flows(&transaction, filter, &mut stats)?;
                stored(&transaction, filter, &mut stats)?;
                Ok(Some(stats))
            };
            let found = self.with(|connection, path| answer(connection).map_err(|error| from_sqlite(path, &error)))?;
            if let Some(stats) = found {
                return Ok(stats.with(counter.tallies, filter));
            }
        }
        Err(unavailable(self.path(), "is counted by other processes at the same time; try again"))
    }
}

impl Stats {
    /// Adds what is not in the store, and sums up by flow.
    fn with(mut self, rest: count::Tallies, filter: &StatsFilter) -> Self {
        for (key, tally) in rest {
            if fits(filter, &key.flow, key.hour) {
                self.nodes.entry((key.flow.to_string(), key.node)).or_default().merge(&tally);
            }
        }
        for ((flow, _), tally) in &self.nodes {
            self.flows.entry(flow.clone()).or_default().attempts.merge(tally);
        }
        self
    }
}

fn fits(filter: &StatsFilter, flow: &str, hour: u64) -> bool {
    filter.flow.as_deref().is_none_or(|wanted| wanted == flow)
        && filter.since.is_none_or(|since| hour >= since.0 / HOUR)
        && filter.until.is_none_or(|until| hour.saturating_mul(HOUR) < until.0)
}

fn flows(connection: &Connection, filter: &StatsFilter, stats: &mut Stats) -> rusqlite::Result<()> {
    let sql = "SELECT flow, status, ended - created FROM runs \
               WHERE (?1 IS NULL OR flow = ?1) AND created >= ?2 AND created < ?3";
    let millis = |at: Option<Timestamp>, other| at.map_or(other, |at| i64::try_from(at.0).unwrap_or(i64::MAX));
    let values = params![filter.flow, millis(filter.since, 0), millis(filter.until, i64::MAX)];
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        let status = row.get_ref(1)?.as_str()?.parse().unwrap_or(RunStatus::Running);
        let duration = row.get::<_, Option<i64>>(2)?.map(|duration| u64::try_from(duration).unwrap_or_default());
        let flow = row.get_ref(0)?.as_str()?;
        match stats.flows.get_mut(flow) {
            Some(flow) => flow.add(status, duration),
            None => stats.flows.entry(flow.to_owned()).or_default().add(status, duration),
        }
    }
    Ok(())
}

/// What is summed up already.
fn stored(connection: &Connection, filter: &StatsFilter, stats: &mut Stats) -> rusqlite::Result<()> {
    if schema::version(connection)? < 4 {
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "SELECT flow, node, hour, succeeded, failed, cancelled, unknown, retries, hits, fuel, memory, wall, longest, walls \
         FROM node_stats WHERE ?1 IS NULL OR flow = ?1",
    )?;
    let mut rows = statement.query([&filter.flow])?;
    while let Some(row) = rows.next()? {
        let (flow, node, hour): (String, String, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        if fits(filter, &flow, u64::try_from(hour).unwrap_or_default()) {
            stats.nodes.entry((flow, node)).or_default().merge(&count::tally(row, 3)?);
        }
    }
    Ok(())
}
