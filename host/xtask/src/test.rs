//! Every test, on a machine that has nothing but Rust.

use std::process::Command;

use crate::{coverage, nats, plugins, process, python};

/// Builds what the tests start, then runs them; with `--coverage` measured, and held against the bound.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let measured = args.iter().any(|arg| arg == "--coverage");
    let rest = args.iter().filter(|arg| *arg != "--coverage");
    let (server, python) = (nats::server()?, python::interpreter()?);
    plugins::build()?;
    process::run(process::cargo().args(["test", "--locked", "--quiet", "--manifest-path", "plugins/Cargo.toml"]))?;
    let variables = if measured { coverage::begin()? } else { Vec::new() };
    let cargo = |args: &[&str]| -> Command {
        let mut command = process::cargo();
        command.args(args).envs(variables.iter().map(|(key, value)| (key, value)));
        command.env("FLOWHOST_NATS_SERVER", &server).env("FLOWHOST_PYTHON", &python);
        command
    };
    // With the features of the whole workspace, as the tests are built: dependencies are compiled once.
    process::run(&mut cargo(&["build", "--locked", "--workspace", "--bin", "host"]))?;
    process::run(cargo(&["test", "--locked", "--workspace"]).args(rest))?;
    if measured { coverage::report(&variables) } else { Ok(()) }
}
