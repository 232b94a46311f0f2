//! `host plugin build`: cargo for the wasm target, then the same check that a flow's `use` makes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::plugin::inspect;

const TARGET: &str = "wasm32-wasip2";

/// Builds the plugin in `folder` and puts the component at `to`.
pub(crate) fn build(output: Output, folder: &Path, to: Option<&Path>) -> Result<(), Problem> {
    let manifest = folder.join("Cargo.toml");
    if !manifest.is_file() {
        return Err(Problem::usage(format!("there is no `Cargo.toml` in `{}`", folder.display()))
            .help("`host plugin new NAME` makes a plugin; one in another language is built with its own tools and needs no `host plugin build`"));
    }
    let built = cargo_build(&manifest)?;
    let bytes = std::fs::read(&built).map_err(|error| failed(format!("`{}` cannot be read: {error}", built.display())))?;
    let component = catalog::decode(&bytes).map_err(|error| failed(format!("what was built is not usable: {error}")))?;
    let name = built.file_stem().map_or_else(|| "plugin".to_owned(), |name| name.to_string_lossy().replace('_', "-"));
    let target = to.map_or_else(|| folder.join(format!("{name}.wasm")), Path::to_path_buf);
    std::fs::write(&target, &bytes).map_err(|error| failed(format!("`{}` cannot be written: {error}", target.display())))?;
    inspect::print(output, &target, &component);
    Ok(())
}

/// Runs cargo and returns the component file that it names.
fn cargo_build(manifest: &Path) -> Result<PathBuf, Problem> {
    let child = Command::new("cargo")
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics", "--manifest-path"])
        .arg(manifest)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(format!("cargo cannot be started: {error}")).help("install Rust with rustup"))?;
    if !child.status.success() {
        return Err(failed("the plugin does not build".to_owned())
            .help(format!("if the target is missing: `rustup target add {TARGET}`")));
    }
    let messages = String::from_utf8_lossy(&child.stdout);
    messages.lines().filter_map(artifact).next_back().ok_or_else(|| {
        failed("cargo made no component".to_owned()).help("the `[lib]` of a plugin needs `crate-type = [\"cdylib\"]`")
    })
}

/// The `.wasm` file of one of cargo's messages.
fn artifact(line: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let files = message.get("filenames")?.as_array()?;
    files.iter().filter_map(|file| file.as_str()).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
}

fn failed(message: String) -> Problem {
    Problem::new(Exit::Plugin, message)
}
