//! What one attempt may use, counted over everything in its store.

use engine::ports::Limits;
use wasmtime::ResourceLimiter;

/// Fuel that a call of a host function counts for, beside what the guest burns itself. It bounds floods of calls
/// that cost the guest next to nothing.
pub(crate) const FUEL_PER_HOST_CALL: u64 = 1_000;

/// After how much fuel a guest gives way. Between these points the runtime keeps the count to itself, so this is also how
/// exact the bill of a guest is that is stopped from outside.
pub(crate) const FUEL_SLICE: u64 = 10_000_000;

/// Counts memories and tables of a store.
#[derive(Debug)]
pub(crate) struct Meter {
    memory_limit: u64,
    memory: u64,
    table_limit: u64,
    table_elements: u64,
    /// What the last granted growth added, in case that it fails after all.
    last_growth: u64,
    /// The most that `memory` has been, in bytes.
    pub(crate) peak_memory: u64,
    /// What was asked for and refused; the guest usually fails soon after.
    pub(crate) refused: Option<Refused>,
}

/// A resource that a guest wanted more of than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Memory { limit: u64 },
    Tables { limit: u64 },
}

impl Meter {
    pub(crate) fn new(limits: &Limits, max_memory: u64, max_table_elements: u32) -> Self {
        Self {
            memory_limit: limits.memory.min(max_memory),
            memory: 0,
            table_limit: limits.table_elements.min(max_table_elements.into()),
            table_elements: 0,
            last_growth: 0,
            peak_memory: 0,
            refused: None,
        }
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        self.last_growth = (desired as u64).saturating_sub(current as u64);
        let total = self.memory.saturating_add(self.last_growth);
        if total > self.memory_limit {
            self.last_growth = 0;
            self.refused = Some(Refused::Memory { limit: self.memory_limit });
            return Ok(false);
        }
        self.memory = total;
        self.peak_memory = self.peak_memory.max(total);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory = self.memory.saturating_sub(self.last_growth);
        self.last_growth = 0;
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let total = self.table_elements.saturating_add((desired as u64).saturating_sub(current as u64));
        if total > self.table_limit {
            self.refused = Some(Refused::Tables { limit: self.table_limit });
            return Ok(false);
        }
        self.table_elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        crate::config::MAX_CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        crate::config::MAX_TABLES as usize
    }

    fn memories(&self) -> usize {
        crate::config::MAX_MEMORIES as usize
    }
}
