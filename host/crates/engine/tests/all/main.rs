//! The engine's tests over hand-made plans: the core step by step (`core_*`), the shell on tokio (`shell`).

mod core_failure;
mod core_forms;
mod core_recovery;
mod script;
mod shell;
