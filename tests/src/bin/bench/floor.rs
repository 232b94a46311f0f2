//! The floors: raw wasmtime, and raw SQLite.
//!
//! The wasmtime floor makes the same dynamic async call of the same component with the sandbox's engine configuration,
//! WASI linked, fuel, epochs and a limiter, on as many tasks as there are cores. The SQLite floor is a loop of group
//! commits into a table of the same shape.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sandbox::{SandboxConfig, engine_config};
use wasmtime::component::{Component, ComponentExportIndex, InstancePre, Linker, ResourceTable, Val};
use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// Calls of one round.
const CALLS: u32 = 20_000;

/// A runtime with a worker for each core, as `host` has it.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap()
}

/// How many tasks call at the same time.
fn tasks() -> u32 {
    std::thread::available_parallelism().map_or(2, |cores| cores.get() as u32)
}

struct State {
    limits: StoreLimits,
    table: ResourceTable,
    wasi: WasiCtx,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// What a call needs.
pub(crate) struct Raw {
    engine: Engine,
    pre: InstancePre<State>,
    function: ComponentExportIndex,
}

/// Microseconds per call of `kit.add`, over all cores, in one round.
pub(crate) async fn round(raw: &Arc<Raw>) -> f64 {
    let started = Instant::now();
    let running: Vec<_> = (0..tasks())
        .map(|_| {
            let raw = raw.clone();
            tokio::spawn(async move {
                for n in 0..CALLS / tasks() {
                    call(&raw, n).await;
                }
            })
        })
        .collect();
    for task in running {
        task.await.unwrap();
    }
    started.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
}

/// The component, compiled and linked.
pub(crate) fn prepare(bytes: &[u8]) -> Arc<Raw> {
    let engine = Engine::new(&engine_config(&SandboxConfig::default(), false)).unwrap();
    let component = Component::new(&engine, bytes).unwrap();
    let mut linker: Linker<State> = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    // The kit imports the attempt; `add` does not call it.
    linker.define_unknown_imports_as_traps(&component).unwrap();
    let interface = component.get_export_index(None, "flowhost:kit/api@0.1.0").unwrap();
    let function = component.get_export_index(Some(&interface), "add").unwrap();
    let pre = linker.instantiate_pre(&component).unwrap();
    let weak = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    Arc::new(Raw { engine, pre, function })
}

async fn call(raw: &Raw, n: u32) {
    let limits = StoreLimitsBuilder::new().memory_size(256 << 20).build();
    let mut store = Store::new(&raw.engine, State { limits, table: ResourceTable::new(), wasi: WasiCtx::builder().build() });
    store.limiter(|state| &mut state.limits);
    store.set_fuel(50_000_000_000).unwrap();
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    let instance = raw.pre.instantiate_async(&mut store).await.unwrap();
    let function = instance.get_func(&mut store, raw.function).unwrap();
    let mut results = [Val::Bool(false)];
    function.call_async(&mut store, &[Val::S64(i64::from(n)), Val::S64(1)], &mut results).await.unwrap();
    assert!(matches!(results[0], Val::S64(_)));
}

/// Rows a second of a raw loop that inserts `group` rows of 256 bytes in each transaction, with an fsync each.
pub(crate) fn rows(folder: &Path, group: u32) -> f64 {
    // A store of its own for each round.
    let folder = tempfile::tempdir_in(folder).unwrap();
    let connection = rusqlite::Connection::open(folder.path().join("floor.db")).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.pragma_update(None, "synchronous", "full").unwrap();
    connection
        .execute("CREATE TABLE events (id INTEGER PRIMARY KEY, at INTEGER, kind TEXT, path TEXT, body TEXT, hash BLOB)", [])
        .unwrap();
    let body = "x".repeat(180);
    let started = Instant::now();
    let mut count = 0_u32;
    while started.elapsed() < Duration::from_secs(1) {
        connection.execute_batch("BEGIN").unwrap();
        for _ in 0..group {
            let mut insert =
                connection.prepare_cached("INSERT INTO events (at, kind, path, body, hash) VALUES (?1, ?2, ?3, ?4, ?5)").unwrap();
            insert.execute(rusqlite::params![1_700_000_000_000_i64, "attempt-succeeded", "main/step", body, [7_u8; 32]]).unwrap();
            count += 1;
        }
        connection.execute_batch("COMMIT").unwrap();
    }
    f64::from(count) / started.elapsed().as_secs_f64()
}
