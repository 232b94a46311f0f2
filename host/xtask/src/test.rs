//! Every test, on a machine that has nothing but Rust.

use crate::{plugins, process};

/// Builds what the tests start, then runs them.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    plugins::build()?;
    process::run(process::cargo().args(["test", "--locked", "--quiet", "--manifest-path", "plugins/Cargo.toml"]))?;
    process::run(process::cargo().args(["build", "--locked", "-p", "host"]))?;
    process::run(process::cargo().args(["test", "--locked", "--workspace"]).args(args))
}
