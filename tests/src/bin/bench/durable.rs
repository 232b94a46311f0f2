//! Steps over the store on disk: wide, and one after the other.

use std::path::Path;
use std::sync::Arc;

use journal::{Durability, Options, SqliteJournal};

use crate::compile::chain;
use crate::floor::{self, Raw};
use crate::median;
use crate::steps::{engine, fan, plan, program, run};
use crate::table::{Bound, Table};

/// Steps of one run.
const STEPS: u32 = 1_000;

/// Times a fan-out and a chain of 1,000 durable steps in both modes.
pub(crate) async fn measure(bytes: &[u8], raw: &Arc<Raw>, table: &mut Table) {
    let folder = tempfile::tempdir().unwrap();
    let one = floor::rows(folder.path(), 1);
    table.figure("floor: raw SQLite, 1 row per commit, full", "rows/s", one);
    table.figure("floor: raw SQLite, 500 rows per commit, full", "rows/s", floor::rows(folder.path(), 500));
    let wide = times(folder.path(), bytes, raw, Durability::Full, "wide", fan(STEPS)).await;
    table.figure("fan-out of 1,000 durable steps, full", "us/step", wide.step);
    table.bounded("(b) durable fan-out step to floor", "x", wide.ratio, Bound::Most(2.0));
    let full = times(folder.path(), bytes, raw, Durability::Full, "full", chain(STEPS)).await.step;
    table.bounded("(c) chain of 1,000 durable steps, full", "steps/s", 1e6 / full, Bound::Least(5_000.0));
    table.figure("chain in full to raw commits of one row", "x", 1e6 / full / one);
    let quick = times(folder.path(), bytes, raw, Durability::Process, "quick", fan(STEPS)).await.step;
    table.figure("fan-out of 1,000 durable steps, process", "us/step", quick);
    let process = times(folder.path(), bytes, raw, Durability::Process, "process", chain(STEPS)).await.step;
    table.bounded("(c) chain of 1,000 durable steps, process", "steps/s", 1e6 / process, Bound::Least(10_000.0));
}

/// Medians of several runs.
struct Times {
    /// Microseconds per step.
    step: f64,
    /// To a call of the floor, measured just before.
    ratio: f64,
}

async fn times(folder: &Path, bytes: &[u8], raw: &Arc<Raw>, durability: Durability, name: &str, text: String) -> Times {
    let options = Options { durability, ..Options::default() };
    let journal = Arc::new(SqliteJournal::open(&folder.join(format!("{name}.db")), &options).unwrap());
    let (engine, program) = (engine(bytes, journal.clone()), program(&*journal));
    let plan = plan(text);
    let (mut steps, mut ratios) = (Vec::new(), Vec::new());
    for round in 0..15 {
        let call = floor::round(raw).await;
        let step = run(&engine, program, &plan, format!("{name}{round}")).await * 1e6 / f64::from(STEPS);
        steps.push(step);
        ratios.push(step / call);
    }
    Times { step: median(steps), ratio: median(ratios) }
}
