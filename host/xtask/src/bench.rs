//! Builds and starts the benchmarks of the end-to-end crate.

use crate::{nats, plugins, process};

/// Runs all benchmarks on a release build; the arguments go to the benchmark program.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let server = nats::server()?;
    plugins::build()?;
    process::run(process::cargo().args(["build", "--release", "--locked", "--quiet", "-p", "host"]))?;
    process::run(
        process::cargo()
            .args(["run", "--release", "--locked", "--quiet", "-p", "e2e", "--bin", "bench", "--"])
            .args(args)
            .env("FLOWHOST_NATS_SERVER", server),
    )
}
