//! End-to-end tests: the real binary, real components, real files.

#[path = "all/bad_input.rs"]
mod bad_input;
#[path = "all/commands.rs"]
mod commands;
#[path = "all/crash.rs"]
mod crash;
#[path = "all/digest.rs"]
mod digest;
#[path = "all/docs.rs"]
mod docs;
#[path = "all/plugins.rs"]
mod plugins;
#[path = "all/store.rs"]
mod store;
