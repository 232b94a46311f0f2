//! Fuzzing: `grammar/fuzz` under libFuzzer, from the kept corpus and every flow file of the project.
//!
//! Without a sanitizer, since our crates forbid `unsafe` and sanitizers need a nightly compiler; what libFuzzer itself needs
//! of the compiler is stable. cargo-fuzz adds assertions and overflow checks to an optimised build.

mod corpus;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context, bail};

use crate::process;
use corpus::folder;

/// File name extensions of what fuzzing starts from.
const KINDS: [&str; 2] = ["flow", "wasm"];

/// A fuzz target, and the kind of its inputs.
struct Target {
    name: &'static str,
    seeds: &'static str,
    /// The largest input that is tried, in bytes; small ones say more in the same time.
    max_len: u32,
}

const TARGETS: [Target; 4] = [
    Target { name: "parse", seeds: "flow", max_len: 4096 },
    Target { name: "format", seeds: "flow", max_len: 4096 },
    Target { name: "check", seeds: "flow", max_len: 4096 },
    Target { name: "decode", seeds: "wasm", max_len: 8192 },
];

/// The time for each target unless stated, in seconds.
const SECONDS: u64 = 60;

/// An input that takes longer is a finding, in seconds.
const TIMEOUT: u32 = 10;

/// Memory above which an input is a finding, in MiB; it holds the corpus too.
const MEMORY: u32 = 1024;

/// The largest file that is kept in the corpus, in bytes.
const KEPT: u32 = 1024;

/// Runs the targets, or with `--keep` takes into the corpus what earlier runs found.
pub(crate) fn run(args: &[String]) -> anyhow::Result<()> {
    install()?;
    process::run(&mut cargo_fuzz("build"))?;
    if args.iter().any(|arg| arg == "--keep") {
        return KINDS.into_iter().try_for_each(keep);
    }
    let mut seconds = SECONDS;
    let mut targets: Vec<&Target> = TARGETS.iter().collect();
    for arg in args {
        match arg.parse() {
            Ok(stated) => seconds = stated,
            Err(_) => targets.retain(|target| target.name == arg),
        }
    }
    if targets.is_empty() {
        bail!("there is no such target; there are {}", TARGETS.map(|target| target.name).join(", "));
    }
    let mut failed = Vec::new();
    for target in targets {
        if !fuzz(target, seconds)? {
            failed.push(target.name);
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("fuzzing broke {}", failed.join(", ")) }
}

/// Runs one target; false when it found something, which is printed.
fn fuzz(target: &Target, seconds: u64) -> anyhow::Result<bool> {
    let log = folder("target").join(format!("{}.log", target.name));
    let input = folder("artifacts").join(format!("{}.input", target.name));
    let _ = fs::remove_file(&input);
    fs::create_dir_all(folder("artifacts"))?;
    let found = found(target);
    fs::create_dir_all(&found)?;
    // With `CI` set it always goes the same way, so that a change is not refused for what another one broke; 0 is chance.
    let seed = u8::from(env::var_os("CI").is_some_and(|set| !set.is_empty()));
    let status = cargo_fuzz("run")
        .arg(target.name)
        .args([found, corpus::seeds(target.seeds)?])
        .arg("--")
        .arg(format!("-seed={seed}"))
        .args([format!("-max_total_time={seconds}"), format!("-max_len={}", target.max_len)])
        .args([format!("-timeout={TIMEOUT}"), format!("-rss_limit_mb={MEMORY}"), "-print_final_stats=1".to_owned()])
        .arg(format!("-exact_artifact_path={}", input.display()))
        .stdin(Stdio::null())
        .stderr(fs::File::create(&log)?)
        .status()?;
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    if status.success() {
        let done = text.lines().rev().find(|line| line.starts_with("Done ")).unwrap_or("Done");
        println!("fuzz {}: {done}, {}", target.name, progress(&text));
        return Ok(true);
    }
    println!("fuzz {}: FOUND SOMETHING, the whole log is {}", target.name, log.display());
    print_finding(&text, &input);
    println!("again with: (cd grammar && cargo fuzz run -s none {} {})", target.name, input.display());
    Ok(false)
}

/// What libFuzzer said last about coverage and corpus.
fn progress(log: &str) -> &str {
    let last = log.lines().rev().find_map(|line| line.split_once("cov: ").filter(|_| line.starts_with('#')));
    last.map_or("without any progress", |(_, rest)| rest.split(" lim:").next().unwrap_or(rest).trim())
}

/// The message of the panic or of libFuzzer, and the input.
fn print_finding(log: &str, input: &Path) {
    let told = |line: &&str| line.contains("panicked at") || line.contains("ERROR: ") || line.starts_with("error");
    let from = log.lines().position(|line| told(&line)).unwrap_or(0);
    let end = |line: &&str| !line.starts_with("stack backtrace");
    for line in log.lines().skip(from).take_while(end).take(40) {
        println!("  {line}");
    }
    match fs::read(input) {
        Ok(bytes) => match str::from_utf8(&bytes) {
            Ok(text) => println!("the input, in {}:\n{text}", input.display()),
            Err(_) => println!("the input, in {}:\n{}", input.display(), hex(&bytes)),
        },
        Err(_) => println!("there is no input: the target did not start"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Takes into the corpus the small inputs that reach what the project's files do not, and leaves out what no longer adds to it.
/// The last target of a kind decides, since it does most with an input.
fn keep(kind: &str) -> anyhow::Result<()> {
    let of_kind = || TARGETS.iter().filter(|target| target.seeds == kind);
    let last = of_kind().next_back().context("a kind of seeds has a target")?;
    let merged = folder("target").join("merged");
    let own = corpus::own_files(kind, &merged)?;
    // Places that are reached count, not how often: this keeps hundreds of inputs instead of thousands.
    process::run(
        cargo_fuzz("run")
            .args([last.name.into(), merged.clone(), corpus::seeds(kind)?])
            .args(of_kind().map(found).filter(|found| found.exists()))
            .args(["--", "-merge=1", "-use_counters=0", &format!("-max_len={KEPT}"), "-verbosity=0"]),
    )?;
    for name in own {
        fs::remove_file(merged.join(name))?;
    }
    println!("fuzz: {} inputs of kind {kind} are kept", corpus::keep(kind, &merged)?);
    Ok(())
}

fn install() -> anyhow::Result<()> {
    let compiler = env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    if !Command::new(&compiler).arg("--version").output().is_ok_and(|output| output.status.success()) {
        bail!("`{compiler}` is needed to build libFuzzer: install a C++ compiler, such as Debian's package `g++`");
    }
    if process::cargo().args(["fuzz", "--version"]).output().is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    process::run(process::cargo().args(["install", "--locked", "cargo-fuzz"]))
}

fn cargo_fuzz(task: &str) -> Command {
    let mut command = process::cargo();
    // The variables that steer the host's own build must not reach the instrumented one.
    command
        .current_dir(process::root().join("grammar"))
        .args(["fuzz", task, "--sanitizer", "none"])
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("CARGO_TARGET_DIR");
    command
}

/// What was found on this machine.
fn found(target: &Target) -> PathBuf {
    folder("target").join("found").join(target.name)
}

#[cfg(test)]
mod tests {
    use super::{TARGETS, folder, progress};

    #[test]
    fn every_target_is_run() {
        let manifest = std::fs::read_to_string(folder("Cargo.toml")).unwrap();
        let declared: Vec<&str> = manifest.lines().filter_map(|line| line.strip_prefix("name = ")).skip(1).collect();
        assert_eq!(declared, TARGETS.map(|target| format!("{:?}", target.name)));
    }

    #[test]
    fn the_last_progress_is_told() {
        let log = "#2\tINITED cov: 9 ft: 10 corp: 1/1b exec/s: 0\n#27\tNEW    cov: 10 ft: 11 corp: 2/5b lim: 4 exec/s: 0\nDone";
        assert_eq!(progress(log), "10 ft: 11 corp: 2/5b");
        assert_eq!(progress(""), "without any progress");
    }
}
