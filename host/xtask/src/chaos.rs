//! Kills the service under load, many times more than the tests do.

use crate::process;

/// How often it is killed, and under how many runs.
const SIZE: &str = "200x50";

/// Runs the test of it at full size, or at the size that is given as `KILLSxRUNS`. Binary and plugins must be built.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let size = args.first().map_or(SIZE, String::as_str);
    process::run(process::cargo().args(["build", "--locked", "--workspace", "--bin", "host"]))?;
    let filter = "chaos::";
    process::run(
        process::cargo()
            .args(["test", "--locked", "--workspace", "--test", "all", "--", filter, "--nocapture"])
            .env("FLOWHOST_CHAOS", size),
    )
}
