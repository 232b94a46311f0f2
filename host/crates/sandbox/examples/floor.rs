//! The least that a call can cost: raw wasmtime, a fresh store and instance per call, in the sandbox's own engine
//! configuration, with fuel, epochs, a limiter and WASI.
//!
//! `floor [CALLS] [TASKS] [COMPONENT.wasm FUNCTION [INTERFACE]]` prints µs per call, for the raw loop and for the sandbox
//! beside it. The function takes a string and returns something.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::indexing_slicing, reason = "a measuring tool")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog::Value;
use engine::ports::{Callee, Invocation, Invoker, Limits};
use sandbox::{Sandbox, SandboxConfig, engine_config};
use wasmtime::component::{Component, InstancePre, Linker, ResourceTable, Val};
use wasmtime::{Engine, Store, StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// A component like a small one from Rust: 17 pages of memory, a table, a heap that only grows.
const ECHO: &str = r#"(component
  (core module $m
    (memory (export "memory") 17)
    (table 20 funcref)
    (global $next (mut i32) (i32.const 1050000))
    (data (i32.const 1048576) "some data of a module")
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    (func (export "echo") (param i32 i32) (result i32)
      (i32.store (i32.const 1049600) (local.get 0))
      (i32.store (i32.const 1049604) (local.get 1))
      (i32.const 1049600)))
  (core instance $i (instantiate $m))
  (func (export "echo") (param "text" string) (result string)
    (canon lift (core func $i "echo") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))"#;

struct State {
    limits: StoreLimits,
    table: ResourceTable,
    wasi: Option<WasiCtx>,
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let ctx = self.wasi.get_or_insert_with(|| WasiCtx::builder().build());
        WasiCtxView { ctx, table: &mut self.table }
    }
}

async fn call(engine: &Engine, pre: &InstancePre<State>, func: &wasmtime::component::ComponentExportIndex) {
    let limits = StoreLimitsBuilder::new().memory_size(256 << 20).build();
    let mut store = Store::new(engine, State { limits, table: ResourceTable::new(), wasi: None });
    store.limiter(|state| &mut state.limits);
    store.set_fuel(50_000_000_000).unwrap();
    store.set_epoch_deadline(1);
    store.epoch_deadline_async_yield_and_update(1);
    let instance = pre.instantiate_async(&mut store).await.unwrap();
    let func = instance.get_func(&mut store, func).unwrap();
    let mut results = [Val::Bool(false)];
    func.call_async(&mut store, &[Val::String("some text of ordinary length".to_owned())], &mut results).await.unwrap();
}

fn prepare(concurrent: bool, bytes: &[u8]) -> (Engine, InstancePre<State>, Component) {
    let engine = Engine::new(&engine_config(&SandboxConfig::default(), concurrent)).unwrap();
    let component = Component::new(&engine, bytes).unwrap();
    let mut linker = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
    // Whatever else it imports is not called.
    linker.define_unknown_imports_as_traps(&component).unwrap();
    let pre = linker.instantiate_pre(&component).unwrap();
    let weak = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    (engine, pre, component)
}

/// The function as the sandbox calls it.
fn invocation(sandbox: &Sandbox, bytes: &[u8], function: &str, interface: Option<&str>) -> Invocation {
    // Components as text are for this tool only.
    let component = sandbox.load(bytes).unwrap().digest;
    let binary = wat::parse_bytes(bytes).unwrap();
    let decoded = catalog::decode(&binary).unwrap();
    let found = decoded.functions.iter().find(|f| f.wit_name == function && f.interface.as_deref() == interface).unwrap();
    let signature = found.signature.clone().unwrap();
    Invocation {
        function: Arc::new(Callee {
            component,
            interface: found.interface.clone(),
            wit_name: found.wit_name.clone(),
            params: signature.params,
            result: signature.result,
        }),
        args: vec![Value::string("some text of ordinary length")],
        grants: Vec::new(),
        limits: Limits::default(),
        idempotency_key: "run/path".into(),
        number: 1,
        previous_failure: None,
        asking: None,
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: usize| args.get(index).map_or(default, |text| text.parse().unwrap());
    let (calls, tasks) = (number(0, 50_000), number(1, 2));
    let bytes = args.get(2).map_or_else(|| ECHO.as_bytes().to_vec(), |path| std::fs::read(path).unwrap());
    let function = args.get(3).map_or("echo", String::as_str);
    let interface = args.get(4).map(String::as_str);
    for concurrent in [false, true] {
        let (engine, pre, component) = prepare(concurrent, &bytes);
        let instance = interface.map(|name| component.get_export_index(None, name).unwrap());
        let index = component.get_export_index(instance.as_ref(), function).unwrap();
        for tasks in [1, tasks] {
            let one = || {
                let (engine, pre, index) = (engine.clone(), pre.clone(), index);
                async move {
                    for _ in 0..calls / tasks {
                        call(&engine, &pre, &index).await;
                    }
                }
            };
            println!("raw, {tasks} tasks, concurrency {concurrent}: {:.2} µs per call", median(tasks, calls, one));
        }
    }
    let sandbox = Sandbox::new(SandboxConfig::default()).unwrap();
    let invocation = invocation(&sandbox, &bytes, function, interface);
    for tasks in [1, tasks] {
        let one = || {
            let (sandbox, invocation) = (sandbox.clone(), invocation.clone());
            async move {
                for _ in 0..calls / tasks {
                    sandbox.invoke(invocation.clone()).await.result.unwrap();
                }
            }
        };
        println!("sandbox, {tasks} tasks: {:.2} µs per call", median(tasks, calls, one));
    }
}

/// The median of five rounds.
fn median<F: Future<Output = ()> + Send + 'static>(tasks: usize, calls: usize, one: impl Fn() -> F) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(tasks).enable_all().build().unwrap();
    let mut rounds: Vec<f64> = (0..5)
        .map(|_| {
            let start = Instant::now();
            let running: Vec<_> = (0..tasks).map(|_| runtime.spawn(one())).collect();
            runtime.block_on(async {
                for task in running {
                    task.await.unwrap();
                }
            });
            start.elapsed().as_secs_f64() * 1e6 / calls as f64
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds[2]
}
