//! Values that are held elsewhere than in memory.

use std::fmt;
use std::sync::Arc;

use crate::value::Value;

/// Holds one value, and gives it as often as somebody looks at it.
pub trait Hold: Send + Sync {
    /// [`Value::size`] of the value.
    fn size(&self) -> u64;

    /// Whether the value is a document ([`Value::Json`]).
    fn is_document(&self) -> bool;

    /// The value, with nothing in it that is held elsewhere. When it is lost, whoever holds it notes so, and gives a
    /// [`Value::Unit`]: nothing that was made with that may be used before somebody has asked for such notes.
    fn open(&self) -> Value;
}

/// A value that is held elsewhere. It is equal to what it stands for, and is written like it.
#[derive(Clone)]
pub struct Held(Arc<dyn Hold>);

impl Held {
    /// What this holds.
    #[must_use]
    pub fn new(hold: Arc<dyn Hold>) -> Self {
        Self(hold)
    }

    /// As [`Hold::size`].
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.size()
    }

    /// As [`Hold::is_document`].
    #[must_use]
    pub fn is_document(&self) -> bool {
        self.0.is_document()
    }

    /// As [`Hold::open`].
    #[must_use]
    pub fn open(&self) -> Value {
        self.0.open()
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.open().fmt(f)
    }
}
