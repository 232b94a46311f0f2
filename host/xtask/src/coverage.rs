//! Line coverage of all tests together.

use std::process::Command;

use anyhow::Context;

use crate::{plugins, process};

/// The share of lines that must be executed, in percent.
const BOUND: &str = "85";

/// Runs every test with instrumentation, prints the table, and fails below the bound.
pub(crate) fn run() -> anyhow::Result<()> {
    plugins::build()?;
    install()?;
    let llvm_cov = |args: &[&str]| process::run(process::cargo().arg("llvm-cov").args(args));
    llvm_cov(&["clean", "--workspace"])?;
    let environment = environment()?;
    let apply = |command: &mut Command| {
        for (key, value) in &environment {
            command.env(key, value);
        }
    };
    let mut build = process::cargo();
    apply(build.args(["build", "--locked", "-p", "host"]));
    process::run(&mut build)?;
    let mut test = process::cargo();
    apply(test.args(["test", "--locked", "--workspace"]));
    process::run(&mut test)?;
    let mut report = process::cargo();
    apply(report.args(["llvm-cov", "report", "--fail-under-lines", BOUND, "--ignore-filename-regex", "(xtask|testkit|tests)/"]));
    process::run(&mut report)
}

/// The variables under which plain cargo commands measure coverage.
fn environment() -> anyhow::Result<Vec<(String, String)>> {
    let text = process::read(process::cargo().args(["llvm-cov", "show-env"]))?;
    text.lines()
        .map(|line| {
            let (key, value) = line.split_once('=').with_context(|| format!("`{line}` is not a variable"))?;
            Ok((key.trim_start_matches("export ").to_owned(), value.trim_matches(['"', '\'']).to_owned()))
        })
        .collect()
}

fn install() -> anyhow::Result<()> {
    process::run(Command::new("rustup").args(["component", "add", "llvm-tools"]))?;
    if process::cargo().args(["llvm-cov", "--version"]).output().is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    process::run(process::cargo().args(["install", "--locked", "cargo-llvm-cov"]))
}
