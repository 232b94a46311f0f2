//! Line coverage of all tests together.

use std::process::Command;

use anyhow::Context;

use crate::process;

/// The share of lines that must be executed, in percent.
const BOUND: &str = "85";

/// What is not product code.
const IGNORED: &str = "(xtask|testkit|tests|examples)/";

/// Where instrumented crates are built, beside those of other builds: cargo does not tell them apart.
const TARGET: &str = "target/coverage";

/// Installs what is missing, forgets earlier measurements, and gives the variables under which plain cargo commands measure.
pub(crate) fn begin() -> anyhow::Result<Vec<(String, String)>> {
    install()?;
    process::run(llvm_cov().args(["clean", "--workspace"]))?;
    let text = process::read(llvm_cov().arg("show-env"))?;
    let mut variables = vec![("CARGO_TARGET_DIR".to_owned(), target())];
    for line in text.lines() {
        let (key, value) = line.split_once('=').with_context(|| format!("`{line}` is not a variable"))?;
        // Values stand in quotes.
        variables.push((key.to_owned(), value.trim_matches(['"', '\'']).to_owned()));
    }
    Ok(variables)
}

/// Prints the table and fails below the bound.
pub(crate) fn report(variables: &[(String, String)]) -> anyhow::Result<()> {
    let mut command = llvm_cov();
    command.envs(variables.iter().map(|(key, value)| (key, value)));
    process::run(command.args(["report", "--fail-under-lines", BOUND, "--ignore-filename-regex", IGNORED]))
}

fn llvm_cov() -> Command {
    let mut command = process::cargo();
    command.arg("llvm-cov").env("CARGO_TARGET_DIR", target());
    command
}

fn target() -> String {
    process::root().join(TARGET).to_string_lossy().into_owned()
}

fn install() -> anyhow::Result<()> {
    process::run(Command::new("rustup").args(["component", "add", "llvm-tools"]))?;
    if llvm_cov().arg("--version").output().is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    process::run(process::cargo().args(["install", "--locked", "cargo-llvm-cov"]))
}
