//! Results that a map or a tree collects: beyond a size they are put out of memory until something looks into them.
//!
//! What is put away follows from the values alone, and a value that is held elsewhere counts and behaves like the one it
//! stands for: so a run with a vault does what one without does.

use std::fmt;
use std::sync::Arc;

use catalog::Value;

use crate::ports::Vault;

/// The size of the results that a node has collected and that are in memory; left out of what is compared.
#[derive(Clone, Copy, Default)]
pub(super) struct Resident(u64);

impl fmt::Debug for Resident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("-")
    }
}

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

    /// A result as it is collected, beside others that are in memory.
    pub(super) fn collect(&self, value: Value, resident: &mut Resident) -> Value {
        let Some(vault) = &self.0 else { return value };
        let (size, bounds) = (value.size(), vault.bounds());
        // Folders are what a grant is for: they stay in sight.
        if size < bounds.least || matches!(value, Value::Held(_) | Value::Dir(_)) {
            return value;
        }
        if resident.0.saturating_add(size) <= bounds.resident {
            resident.0 += size;
            return value;
        }
        vault.put(value)
    }

    /// Why values that were put away cannot be had back.
    pub(super) fn trouble(&self) -> Option<String> {
        self.0.as_ref().and_then(|vault| vault.trouble())
    }
}
