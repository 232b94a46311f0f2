//! Plans out of flow files.

use std::sync::Arc;

use lang::plan::Plan;
use lang::{Entry, compile};
use testkit::world::MemoryWorld;

const KIT: &str = "
package test:kit@1.0.0;
interface api {
    work: func(n: u64) -> u64;
    send: func(n: u64) -> u64;
    back: func(n: u64) -> u64;
    sum: func(a: u64, b: u64) -> u64;
}
world kit { export api; }
";

/// The plan of a file whose `kit` has functions of numbers.
#[track_caller]
pub(crate) fn plan(flow: &str) -> Arc<Plan> {
    plan_with(KIT, flow)
}

/// The same with another component of the same functions.
#[track_caller]
pub(crate) fn plan_of_new_kit(flow: &str) -> Arc<Plan> {
    plan_with(&KIT.replace("work:", "more: func(n: u64) -> u64;\n    work:"), flow)
}

#[track_caller]
fn plan_with(kit: &str, flow: &str) -> Arc<Plan> {
    let text = format!("use \"kit.wasm\" as kit\n{flow}");
    let world = MemoryWorld::new().with("kit.wit", kit).with("main.flow", text);
    let compilation = compile(&world, "main.flow", Entry::Default);
    Arc::new(compilation.plan.unwrap_or_else(|| panic!("{:#?}", compilation.diagnostics)))
}
