//! Where the nats-server is that tests start.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The oldest version that is supported.
const OLDEST: (u32, u32) = (2, 12);

/// The program: named by `FLOWHOST_NATS_SERVER`, on the path, or where `cargo xtask test` has put it.
pub(super) fn find() -> Result<PathBuf, String> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    FOUND.get_or_init(look).clone()
}

fn look() -> Result<PathBuf, String> {
    let named = std::env::var_os("FLOWHOST_NATS_SERVER").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("nats-server"));
    let kept = super::target().join("tools/nats/bin/nats-server");
    let mut old = Vec::new();
    for program in named.into_iter().chain(on_path).chain([kept]).filter(|program| program.is_file()) {
        match version(&program) {
            Some(version) if version >= OLDEST => return Ok(program),
            _ => old.push(program.display().to_string()),
        }
    }
    let besides = if old.is_empty() { String::new() } else { format!(" (too old: {})", old.join(", ")) };
    Err(format!(
        "this test starts a nats-server {}.{} or later, and there is none{besides}; run `cargo xtask test`, which installs one",
        OLDEST.0, OLDEST.1
    ))
}

/// `nats-server: v2.15.1`
fn version(program: &PathBuf) -> Option<(u32, u32)> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut parts = text.trim().rsplit_once('v')?.1.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
