//! What the compiler asks its caller for, so that it does no I/O itself.

use std::sync::Arc;

use catalog::Component;

/// Gives file contents and components.
pub trait World {
    /// The text of a source file. `path` is the root's path as given to [`crate::compile`], or an
    /// import's path joined to the folder of the importing file, with `/` and without `.` and `..` where possible.
    ///
    /// # Errors
    /// Says in one phrase why there is no text, such as "no such file" or "it is not UTF-8 (byte 17)".
    fn source(&self, path: &str) -> Result<Arc<str>, String>;

    /// The component that a `use` in the file `from` names.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn component(&self, reference: &str, from: &str) -> Result<LoadedComponent, ComponentProblem>;
}

/// A component and where it was found.
#[derive(Clone, Debug)]
pub struct LoadedComponent {
    /// Its resolved path or reference.
    pub source: String,
    /// What it exports and imports.
    pub component: Arc<Component>,
}

/// Why a component cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComponentProblem {
    /// What is wrong, such as "it is a core module, not a component".
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
}
