//! From text to plan, for growing flows.

use std::time::Instant;

use crate::median;
use crate::steps::KitWorld;
use crate::table::{Bound, Table};

/// Times parse, check and plan of 1,000 and 100,000 nodes.
pub(crate) fn measure(table: &mut Table) {
    let small = time(1_000, 15);
    let large = time(100_000, 3);
    table.bounded("compile 1,000 nodes", "ms", small, Bound::Most(20.0));
    table.bounded("compile 100,000 nodes", "ms", large, Bound::Most(2_000.0));
    table.bounded("growth per node, 100,000 to 1,000", "x", large / 100.0 / small, Bound::Most(1.5));
}

fn time(nodes: u32, rounds: u32) -> f64 {
    let world = KitWorld::new(chain(nodes));
    let once = |_| {
        let started = Instant::now();
        let compilation = lang::compile(&world, "main.flow", lang::Entry::Default);
        let took = started.elapsed().as_secs_f64() * 1e3;
        assert!(compilation.plan.is_some(), "{:?}", compilation.diagnostics);
        took
    };
    median((0..rounds).map(once).collect())
}

/// A flow of so many steps, each using the result of the one before it.
pub(crate) fn chain(steps: u32) -> String {
    let mut text = String::from("use \"kit.wasm\" as kit\nflow main() -> s64 {\n    let x0 = kit.add(0, 1)\n");
    for n in 1..steps {
        text.push_str(&format!("    let x{n} = kit.add(x{}, 1)\n", n - 1));
    }
    text.push_str(&format!("    x{}\n}}\n", steps - 1));
    text
}
