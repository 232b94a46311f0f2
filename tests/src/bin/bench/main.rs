//! The benchmarks: each figure beside a floor that is measured in the same run.
//!
//! `cargo xtask bench` prints a table, `cargo xtask bench --json` one object of named figures and ratios.
#![allow(clippy::print_stdout, reason = "a command-line tool talks on standard streams")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a benchmark that cannot go on says where")]

mod appends;
mod compile;
mod durable;
mod floor;
mod many;
mod memory;
mod nats;
mod remote;
mod start;
mod steps;
mod table;

use table::Table;

/// As in `host`, for the floors too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let json = std::env::args().any(|arg| arg == "--json");
    let only = std::env::args().skip(1).find(|arg| !arg.starts_with("--"));
    let wanted = |name: &str| only.as_deref().is_none_or(|only| name.contains(only));
    let mut table = Table::default();
    let bytes = std::fs::read(e2e::component("kit")).unwrap();
    let runtime = floor::runtime();
    let raw = floor::prepare(&bytes);
    if wanted("steps") {
        runtime.block_on(steps::measure(&bytes, &raw, &mut table));
    }
    if wanted("durable") {
        runtime.block_on(durable::measure(&bytes, &raw, &mut table));
    }
    if wanted("many") {
        runtime.block_on(many::measure(&bytes, &mut table));
    }
    if wanted("memory") {
        memory::measure(&mut table);
    }
    if wanted("nats") {
        runtime.block_on(nats::measure(&mut table));
    }
    if wanted("remote") {
        runtime.block_on(remote::measure(&bytes, &mut table));
    }
    if wanted("compile") {
        compile::measure(&mut table);
    }
    if wanted("start") {
        start::measure(&mut table);
    }
    println!("{}", if json { table.json() } else { table.text() });
}

/// The middle value of several measurements.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
