//! Steps over the store on disk: wide, and one after the other.

use std::path::Path;
use std::sync::Arc;

use journal::{Durability, Options, SqliteJournal};

use crate::compile::chain;
use crate::floor;
use crate::median;
use crate::steps::{engine, fan, plan, run};
use crate::table::{Bound, Table};

/// Steps of one run.
const STEPS: u32 = 1_000;

/// Times a fan-out and a chain of 1,000 durable steps in both modes.
pub(crate) async fn measure(bytes: &[u8], call: f64, table: &mut Table) {
    let folder = tempfile::tempdir().unwrap();
    table.figure("floor: raw SQLite, 1 row per commit, full", "rows/s", floor::rows(folder.path(), 1));
    table.figure("floor: raw SQLite, 500 rows per commit, full", "rows/s", floor::rows(folder.path(), 500));
    let wide = times(folder.path(), bytes, Durability::Full, "wide", fan(STEPS)).await;
    table.figure("fan-out of 1,000 durable steps, full", "us/step", wide);
    table.bounded("(b) durable fan-out step to floor", "x", wide / call, Bound::Most(2.0));
    let full = times(folder.path(), bytes, Durability::Full, "full", chain(STEPS)).await;
    table.bounded("(c) chain of 1,000 durable steps, full", "steps/s", 1e6 / full, Bound::Least(5_000.0));
    let process = times(folder.path(), bytes, Durability::Process, "process", chain(STEPS)).await;
    table.bounded("(c) chain of 1,000 durable steps, process", "steps/s", 1e6 / process, Bound::Least(10_000.0));
}

/// Microseconds per step, the median of several runs.
async fn times(folder: &Path, bytes: &[u8], durability: Durability, name: &str, text: String) -> f64 {
    let options = Options { durability, ..Options::default() };
    let journal = Arc::new(SqliteJournal::open(&folder.join(format!("{name}.db")), &options).unwrap());
    let engine = engine(bytes, journal.clone());
    let plan = plan(text);
    let mut rounds = Vec::new();
    for round in 0..11 {
        rounds.push(run(&engine, &*journal, &plan, format!("{name}{round}")).await * 1e6 / f64::from(STEPS));
    }
    median(rounds)
}
