//! Blobs that nothing names, and results in the cache that are not kept.

use std::time::Instant;

use catalog::Digest;
use engine::event::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};

use super::{LEAST_GRACE, Pace, Retention};
use crate::marks::{self, Marks};

/// Events that one read transaction goes through.
const EVENTS: i64 = 4_096;

/// What was deleted, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Blobs.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Results in the cache.
    pub cached: u64,
    /// Their bytes.
    pub cached_bytes: u64,
}

/// Rows that may go: their keys and sizes.
pub(super) struct Found {
    cutoff: i64,
    blobs: Vec<(String, u64)>,
    /// By their rows.
    cached: Vec<(i64, i64, u64)>,
}

impl Found {
    pub(super) fn swept(&self) -> Swept {
        Swept {
            blobs: self.blobs.len() as u64,
            blob_bytes: self.blobs.iter().map(|(_, size)| size).sum(),
            cached: self.cached.len() as u64,
            cached_bytes: self.cached.iter().map(|(_, _, size)| size).sum(),
        }
    }
}

/// Looks for what may go.
pub(super) fn find(connection: &Connection, retention: &Retention, now: Timestamp) -> rusqlite::Result<Found> {
    let grace = retention.grace.max(LEAST_GRACE).as_millis();
    let cutoff = millis(u128::from(now.0).saturating_sub(grace));
    let old: Vec<(String, i64)> = connection
        .prepare("SELECT digest, size FROM blobs WHERE at < ?1")?
        .query_map([cutoff], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let needed = if old.is_empty() { Marks::new() } else { needed(connection)? };
    let needed: std::collections::BTreeSet<String> = needed.iter().map(Digest::to_string).collect();
    let blobs = old.into_iter().filter(|(digest, _)| !needed.contains(digest));
    Ok(Found {
        cutoff,
        blobs: blobs.map(|(digest, size)| (digest, u64::try_from(size).unwrap_or(0))).collect(),
        cached: cached(connection, retention, now)?,
    })
}

/// Deletes what may go, in parts.
pub(super) fn sweep(connection: &mut Connection, retention: &Retention, now: Timestamp, pace: Pace) -> rusqlite::Result<Swept> {
    let found = find(connection, retention, now)?;
    let mut swept = Swept::default();
    for part in found.blobs.chunks(pace.rows()) {
        let began = Instant::now();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (digest, size) in part {
            // What was needed meanwhile is young again.
            let gone = transaction
                .prepare_cached("DELETE FROM blobs WHERE digest = ?1 AND at < ?2")?
                .execute(params![digest, found.cutoff])?;
            swept.blobs += gone as u64;
            swept.blob_bytes += size * gone as u64;
        }
        transaction.commit()?;
        pace.rest(began);
    }
    for part in found.cached.chunks(pace.rows()) {
        let began = Instant::now();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (row, at, size) in part {
            let gone = transaction.prepare_cached("DELETE FROM cache WHERE rowid = ?1 AND at = ?2")?.execute([row, at])?;
            swept.cached += gone as u64;
            swept.cached_bytes += size * gone as u64;
        }
        transaction.commit()?;
        pace.rest(began);
    }
    Ok(swept)
}

/// All that is named by some event or table, or by what these name.
fn needed(connection: &Connection) -> rusqlite::Result<Marks> {
    let mut marks = Marks::new();
    // Events first: a run that ends up in the list later has named its blobs before, and those are young.
    let newest: i64 = connection.query_row("SELECT ifnull(max(id), 0) FROM events", [], |row| row.get(0))?;
    let mut from = 0;
    while from < newest {
        let to = from.saturating_add(EVENTS).min(newest);
        let mut statement =
            connection.prepare_cached("SELECT body FROM events WHERE id > ?1 AND id <= ?2 AND instr(body, 'sha256:') > 0")?;
        let mut rows = statement.query((from, to))?;
        while let Some(row) = rows.next()? {
            marks::of_event(row.get_ref(0)?.as_str().unwrap_or_default(), &mut marks);
        }
        from = to;
    }
    let tables: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for table in tables.iter().filter(|table| !matches!(table.as_str(), "events" | "blobs" | "cache")) {
        marks::of_table(connection, table, &mut marks)?;
    }
    marks::close(connection, &mut marks)?;
    Ok(marks)
}

/// Results in the cache that are too old, or beyond what may be kept.
fn cached(connection: &Connection, retention: &Retention, now: Timestamp) -> rusqlite::Result<Vec<(i64, i64, u64)>> {
    if retention.cache_age.is_none() && retention.cache_bytes.is_none() {
        return Ok(Vec::new());
    }
    let oldest = retention.cache_age.map_or(i64::MIN, |age| millis(u128::from(now.0).saturating_sub(age.as_millis())));
    let mut left = retention.cache_bytes.unwrap_or(u64::MAX);
    let mut found = Vec::new();
    let mut statement = connection.prepare("SELECT rowid, at, length(data) FROM cache ORDER BY at DESC, rowid DESC")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, at, size): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let size = u64::try_from(size).unwrap_or(0);
        let fits = size <= left;
        left = if fits { left - size } else { 0 };
        if at < oldest || !fits {
            found.push((id, at, size));
        }
    }
    Ok(found)
}

fn millis(millis: u128) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}
