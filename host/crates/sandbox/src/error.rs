//! Why a sandbox or a component in it cannot be used.

use std::path::PathBuf;

/// Why a sandbox or a component in it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The runtime does not start on this machine.
    #[error("the sandbox does not start: {0}")]
    Engine(String),
    /// Compiled code cannot be kept.
    #[error("compiled code cannot be kept in `{}`: {reason}", directory.display())]
    Cache {
        /// The folder.
        directory: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The bytes do not compile.
    #[error("the component does not compile: {0}")]
    Compile(String),
    /// The component imports what the host does not have.
    #[error("the component imports {}; the host offers {offers}", imports.join(", "))]
    MissingImports {
        /// The imports, in backticks, each with a reason where there is one.
        imports: Vec<String>,
        /// What there is instead.
        offers: String,
    },
    /// The component imports an interface of the host with other functions or types than it has.
    #[error("the component does not fit the host's interfaces: {0}")]
    Link(String),
    /// The component needs more memories, tables or instances than one attempt may have.
    #[error("the component is too large for one attempt: {0}")]
    TooLarge(String),
}
