//! What goes wrong beside the runs, until somebody tells people.

use std::sync::{Mutex, PoisonError};

/// So many lines are kept for whoever asks; they say the same again and again.
const MOST: usize = 64;

/// Lines that nobody has taken yet.
#[derive(Debug, Default)]
pub(crate) struct Troubles(Mutex<Vec<String>>);

impl Troubles {
    /// Adds a line.
    pub(super) fn add(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() < MOST {
            lines.push(line.to_owned());
        }
    }

    /// Takes them.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
