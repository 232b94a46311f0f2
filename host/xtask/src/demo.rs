//! The main job, from nothing.

use crate::{plugins, process};

/// Builds everything and digests a folder: the project's own documentation unless another is named.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    let root = process::root();
    let folder = args.first().map_or_else(|| root.join("host/docs").display().to_string(), Clone::clone);
    plugins::build()?;
    process::run(process::cargo().args(["build", "--release", "--locked", "-p", "host"]))?;
    process::run(
        std::process::Command::new(root.join("target/release/host"))
            .current_dir(&root)
            .args(["run", "workflows/digest.flow", "--input"])
            .arg(format!("folder={folder}")),
    )
}
