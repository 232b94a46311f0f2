//! How the engine is set up.

use std::path::PathBuf;
use std::time::Duration;

use wasmtime::{Cache, CacheConfig, Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use crate::SandboxError;

/// How a sandbox is set up.
#[derive(Clone, Debug)]
pub struct SandboxConfig {
    /// Where compiled code is kept between processes; none keeps it in memory only.
    pub cache_dir: Option<PathBuf>,
    /// Places for guests that run at once; further ones wait. A guest takes one for each of its memories or four of its
    /// tables, 8 at the most. Below 16, a guest that asks an agent and this agent may be too large to run at once: then the agent
    /// does not run, and the guest that asks it runs into its timeout.
    pub pool_instances: u32,
    /// The ceiling for one linear memory in bytes, whatever an attempt's limits say. At most 4 GiB.
    pub max_memory: u64,
    /// The ceiling for the elements of one table, whatever an attempt's limits say.
    pub max_table_elements: u32,
    /// How often a running guest gives way to others, and so how long it may keep a thread.
    pub epoch_tick: Duration,
    /// How much of a memory is kept in place for the next guest, in bytes. More than a guest's memory saves it the
    /// page faults, which cost more than the call itself when several threads take them at once.
    pub keep_resident: usize,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        Self {
            cache_dir: None,
            pool_instances: 512,
            max_memory: 4 << 30,
            max_table_elements: 1_000_000,
            epoch_tick: Duration::from_millis(10),
            keep_resident: 4 << 20,
        }
    }
}

/// Core instances that a component may consist of. Python guests are made of dozens of linked modules.
pub(crate) const MAX_CORE_INSTANCES: u32 = 200;
/// Memories and tables that a component may have.
pub(crate) const MAX_MEMORIES: u32 = 8;
pub(crate) const MAX_TABLES: u32 = 32;
/// Tables in the pool for each memory in it.
pub(crate) const TABLES_PER_PLACE: u32 = 4;
/// How deep a guest may recurse, in bytes of its stack.
const MAX_WASM_STACK: usize = 1 << 20;
/// The whole stack of a guest, with room for the host functions that it calls.
const ASYNC_STACK: usize = 2 << 20;

/// The wasmtime configuration of a sandbox, without the compile cache.
///
/// `concurrent` engines run components that use the async features of the component model. Others do not pay for them.
#[must_use]
pub fn engine_config(config: &SandboxConfig, concurrent: bool) -> Config {
    let mut engine = Config::new();
    engine
        .wasm_component_model(true)
        .concurrency_support(concurrent)
        .consume_fuel(true)
        .epoch_interruption(true)
        .parallel_compilation(true)
        .cranelift_opt_level(OptLevel::Speed)
        // Results must not depend on the processor.
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .memory_init_cow(true)
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(ASYNC_STACK)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(8))
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool(config, concurrent)));
    if concurrent {
        engine.wasm_component_model_async(true);
    }
    engine
}

fn pool(config: &SandboxConfig, concurrent: bool) -> PoolingAllocationConfig {
    let places = config.pool_instances.max(1);
    // A guest with async functions may have a stack for each of its tasks. All of them are made ready at once, with a guard each.
    let stacks = if concurrent { places.saturating_mul(4) } else { places };
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(places)
        .total_core_instances(places.saturating_mul(MAX_CORE_INSTANCES))
        .total_memories(places)
        .total_tables(places.saturating_mul(TABLES_PER_PLACE))
        .total_stacks(stacks)
        .max_core_instances_per_component(MAX_CORE_INSTANCES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_memories_per_module(MAX_MEMORIES)
        .max_tables_per_component(MAX_TABLES)
        .max_tables_per_module(MAX_TABLES)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .table_elements(usize::try_from(config.max_table_elements).unwrap_or(usize::MAX))
        .max_memory_size(usize::try_from(config.max_memory.min(4 << 30)).unwrap_or(usize::MAX))
        .max_unused_warm_slots(places)
        .linear_memory_keep_resident(config.keep_resident)
        .table_keep_resident(64 << 10)
        // Resets the pages that a guest has touched and no others.
        .pagemap_scan(Enabled::Auto);
    pool
}

/// The cache of compiled code.
pub(crate) fn cache(config: &SandboxConfig) -> Result<Option<Cache>, SandboxError> {
    let Some(directory) = &config.cache_dir else { return Ok(None) };
    let problem = |reason: String| SandboxError::Cache { directory: directory.clone(), reason };
    // The cache wants an absolute path that exists.
    std::fs::create_dir_all(directory).map_err(|error| problem(error.to_string()))?;
    let absolute = directory.canonicalize().map_err(|error| problem(error.to_string()))?;
    let mut cache = CacheConfig::new();
    cache.with_directory(absolute);
    Cache::new(cache).map(Some).map_err(|error| problem(format!("{error:#}")))
}
