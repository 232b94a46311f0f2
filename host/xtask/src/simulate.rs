//! The engine's core under the seeded simulator.

use crate::process;

/// Runs seeds and planted bugs on a release build; the arguments go to the simulator.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    process::run(
        process::cargo()
            .args(["run", "--release", "--locked", "--quiet", "-p", "testkit", "--example", "simulate", "--"])
            .args(args),
    )
}
