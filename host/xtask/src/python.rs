//! The Python that tests start: with the NATS client of that language, and a validator of schemas.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::process;

/// What is installed.
const PACKAGES: [&str; 2] = ["nats-py==2.16.0", "jsonschema==4.26.0"];

/// Finds the interpreter among the tools of the project, or makes a virtual environment there.
pub(crate) fn interpreter() -> anyhow::Result<PathBuf> {
    let folder = process::root().join("target/tools/contract");
    let python = folder.join("bin/python3");
    if !has_packages(&python) {
        install(&folder, &python).with_context(|| {
            format!("tests need a python3 with {}: let python3 with venv reach its package index", PACKAGES.join(" and "))
        })?;
    }
    Ok(python)
}

fn has_packages(python: &Path) -> bool {
    Command::new(python).args(["-c", "import nats, jsonschema"]).output().is_ok_and(|output| output.status.success())
}

fn install(folder: &Path, python: &Path) -> anyhow::Result<()> {
    process::run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    process::run(Command::new(python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES))
}

#[cfg(test)]
mod tests {
    use super::has_packages;
    use std::path::Path;

    #[test]
    fn what_is_no_python_is_not_taken() {
        assert!(!has_packages(Path::new("no-such-program")));
        assert!(!has_packages(Path::new("false")));
    }
}
