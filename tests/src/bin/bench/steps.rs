//! What the engine adds to a call, with a journal in memory.

use std::sync::Arc;
use std::time::Instant;

use catalog::{Component, Digest, Value};
use engine::event::{RunId, RunOutcome};
use engine::memory::MemoryJournal;
use engine::ports::{Journal, SystemClock};
use engine::shell::{Engine, EngineConfig, NewRun, RunEnd};
use lang::plan::Plan;
use lang::{ComponentProblem, LoadedComponent, World};
use sandbox::{Sandbox, SandboxConfig};

use crate::compile::chain;
use crate::floor::{self, Raw};
use crate::median;
use crate::table::{Bound, Table};

/// Steps of one round.
const STEPS: u32 = 20_000;

/// One flow text, and the kit.
pub(crate) struct KitWorld {
    text: Arc<str>,
    component: Arc<Component>,
}

impl KitWorld {
    /// A world in which every file has this text.
    pub(crate) fn new(text: String) -> Self {
        let bytes = std::fs::read(e2e::component("kit")).unwrap();
        Self { text: text.into(), component: Arc::new(catalog::decode(&bytes).unwrap()) }
    }
}

impl World for KitWorld {
    fn source(&self, _: &str) -> Result<Arc<str>, String> {
        Ok(self.text.clone())
    }

    fn component(&self, _: &str, _: &str) -> Result<LoadedComponent, ComponentProblem> {
        Ok(LoadedComponent { source: "kit.wasm".to_owned(), component: self.component.clone() })
    }
}

/// A plan of a flow over the kit.
pub(crate) fn plan(text: String) -> Arc<Plan> {
    let compilation = lang::compile(&KitWorld::new(text), "main.flow", lang::Entry::Default);
    match compilation.plan {
        Some(plan) => Arc::new(plan),
        None => panic!("{:?}", compilation.diagnostics),
    }
}

/// An engine with the kit loaded.
pub(crate) fn engine(bytes: &[u8], journal: Arc<dyn Journal>) -> Engine {
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    sandbox.load(bytes).unwrap();
    Engine::new(Arc::new(sandbox), journal, Arc::new(SystemClock), EngineConfig::default())
}

/// What the runs of a journal are stored with. Putting it there waits for a commit, so it is done once.
pub(crate) fn program(journal: &dyn Journal) -> Digest {
    journal.put_blob(b"bench").unwrap()
}

/// Runs a plan to its end and returns the seconds that it took.
pub(crate) async fn run(engine: &Engine, program: Digest, plan: &Arc<Plan>, name: String) -> f64 {
    let new = NewRun {
        id: RunId(name.into()),
        plan: plan.clone(),
        program,
        input: Vec::<(String, Value)>::new(),
        labels: Vec::new(),
        permitted: Vec::new(),
        origin: None,
        trace: None,
    };
    let started = Instant::now();
    let report = engine.start(new).await.unwrap().wait().await;
    let took = started.elapsed().as_secs_f64();
    assert!(matches!(report.outcome, RunEnd::Finished(RunOutcome::Succeeded(_))), "{:?}", report.outcome);
    took
}

/// Steps that do not depend on each other.
pub(crate) fn fan(steps: u32) -> String {
    format!(
        "use \"kit.wasm\" as kit\nflow main() -> u64 {{\n    let all = map n in range(0, {steps}) {{ kit.add(n, 1) }}\n    len(all)\n}}\n"
    )
}

/// Times a fan-out and a chain over an engine with a journal in memory. Each round stands beside a round of the floor, so
/// that a machine that changes its speed changes both.
pub(crate) async fn measure(bytes: &[u8], raw: &Arc<Raw>, table: &mut Table) {
    let journal = Arc::new(MemoryJournal::default());
    let (engine, program) = (engine(bytes, journal.clone()), program(&*journal));
    let wide = plan(fan(STEPS));
    let (mut floors, mut steps, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..11 {
        let call = floor::round(raw).await;
        let step = run(&engine, program, &wide, format!("fan{round}")).await * 1e6 / f64::from(STEPS);
        floors.push(call);
        steps.push(step);
        ratios.push(step / call);
    }
    table.figure("floor: raw wasmtime call", "us", median(floors));
    table.figure("step through the engine, journal in memory", "us", median(steps));
    let chained = plan(chain(1_000));
    let mut rounds = Vec::new();
    for round in 0..11 {
        rounds.push(run(&engine, program, &chained, format!("chain{round}")).await * 1e6 / 1e3);
    }
    table.figure("chained step, journal in memory", "us", median(rounds));
    table.bounded("(a) step to floor", "x", median(ratios), Bound::Most(1.5));
}
