//! Results that a map or a tree collects: beyond a size they are put out of memory until something looks into them.
//!
//! What is put away follows from the values alone, and a value that is held elsewhere counts and behaves like the one it
//! stands for: so a run with a vault does what one without does.

use std::fmt;
use std::sync::Arc;

use catalog::Value;

use crate::ports::Vault;

/// So many bytes of results stay in memory for each node that collects some.
const RESIDENT: u64 = 256 << 10;

/// A smaller value takes about as much memory when it is held elsewhere.
const SMALL: u64 = 256;

/// The vault, left out of what is compared.
#[derive(Clone, Default)]
pub(super) struct Shelf(Option<Arc<dyn Vault>>);

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("-")
    }
}

impl Shelf {
    pub(super) fn over(vault: Arc<dyn Vault>) -> Self {
        Self(Some(vault))
    }

    /// A result as it is collected, where so many bytes of others are in memory.
    pub(super) fn collect(&self, value: Value, resident: &mut u64) -> Value {
        let size = value.size();
        if size < SMALL || matches!(value, Value::Held(_)) {
            return value;
        }
        if resident.saturating_add(size) <= RESIDENT {
            *resident += size;
            return value;
        }
        match &self.0 {
            Some(vault) => vault.put(value),
            None => value,
        }
    }

    /// Why values that were put away cannot be had back.
    pub(super) fn trouble(&self) -> Option<String> {
        self.0.as_ref().and_then(|vault| vault.trouble())
    }
}
