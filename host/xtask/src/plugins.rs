//! Builds the guest workspace and puts its components where flows look for them.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::process;

const TARGET: &str = "wasm32-wasip2";

/// Builds every plugin into `plugins/dist`.
pub(crate) fn build() -> anyhow::Result<()> {
    install_target()?;
    let workspace = process::root().join("plugins");
    // The variables that steer the host's own build (coverage, flags) must not reach the guests.
    process::run(
        process::cargo()
            .current_dir(&workspace)
            .args(["build", "--release", "--locked", "--target", TARGET])
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("RUSTC_WRAPPER")
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            .env_remove("CARGO_TARGET_DIR"),
    )?;
    let dist = workspace.join("dist");
    std::fs::create_dir_all(&dist)?;
    for component in components(&workspace.join("target").join(TARGET).join("release"))? {
        let name = component.file_name().context("a component has a name")?.to_string_lossy().replace('_', "-");
        copy_if_changed(&component, &dist.join(name))?;
    }
    Ok(())
}

/// An unchanged file keeps its time, so that nothing that depends on it is built again.
fn copy_if_changed(from: &Path, to: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(from)?;
    if std::fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    std::fs::write(to, bytes).with_context(|| format!("{} cannot be written", to.display()))
}

fn components(folder: &Path) -> anyhow::Result<Vec<std::path::PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A toolchain file does not install targets everywhere, so it is asked for by name.
pub(crate) fn install_target() -> anyhow::Result<()> {
    let installed = process::read(Command::new("rustup").args(["target", "list", "--installed"])).unwrap_or_default();
    if installed.lines().any(|line| line.trim() == TARGET) {
        return Ok(());
    }
    process::run(Command::new("rustup").args(["target", "add", TARGET]))
        .with_context(|| format!("the target {TARGET} is needed to build plugins"))
}
