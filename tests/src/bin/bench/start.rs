//! From the start of the process to the result.

use std::time::Instant;

use e2e::Site;

use crate::median;
use crate::table::{Bound, Table};

/// Times `host run` of a flow of one step with a warm cache.
pub(crate) fn measure(table: &mut Table) {
    let site = Site::new();
    site.flow("main.flow", "use \"{plugins}/kit.wasm\" as kit\nflow main() -> s64 { kit.add(1, 2) }\n");
    let once = || {
        let started = Instant::now();
        let _ = site.host(["run", "main.flow", "--quiet"]).expect(0);
        started.elapsed().as_secs_f64() * 1e3
    };
    once();
    table.bounded("host run of one step, warm cache", "ms", median((0..15).map(|_| once()).collect()), Bound::Most(100.0));
}
