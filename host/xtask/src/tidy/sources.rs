//! What every source file keeps to.

use std::path::{Path, PathBuf};

use anyhow::Context;

/// Production lines above which a file must say why, in its head comment, with the words "Long because".
const LONG_FILE: usize = 600;

/// Words that must not stand in the sources of a folder, and why.
const ABSENT: [(&str, &[&str], &str); 11] = [
    (
        "grammar/src",
        &["std::fs", "std::net", "std::time", "SystemTime", "Instant::"],
        "the parser does no I/O and reads no clock",
    ),
    ("host/crates/lang/src", &["std::fs", "std::net", "SystemTime", "Instant::"], "the compiler does no I/O and reads no clock"),
    ("host/crates/catalog/src", &["serde::", "tokio"], "values know nothing of formats but their own JSON"),
    ("host/crates/lang/src", &["pest::"], "pest stays in `grammar`"),
    ("host/crates/engine/src/core", &["tokio", "async ", ".await", "SystemTime", "Instant", "std::thread"], "the core is pure"),
    ("host/crates/engine/src/core", &["HashMap", "HashSet", "fastrand", "rand::"], "the core has one order only"),
    ("host/crates/engine/src", &["petgraph", "wasmtime", "rusqlite"], "the engine knows its ports, not the adapters"),
    ("host/crates/journal/src", &["wasmtime"], "the journal does not run anything"),
    ("host/crates/bus/src", &["SqliteJournal", "rusqlite"], "the bus knows the stored form of events, not the store"),
    ("host/crates/sandbox/src", &["rusqlite"], "the sandbox does not store anything"),
    (
        "host/src",
        &["wasmtime::", "rusqlite::", "pest::", "petgraph::", "async_nats::"],
        "the binary wires, it does not reach through",
    ),
];

/// Files to which [`ABSENT`] does not apply: JSON text is read by serde_json, which talks to its reader in serde's traits.
const PRESENT: [&str; 1] = ["host/crates/catalog/src/json/document.rs"];

/// Files that may derive serde's traits: stored or configured forms.
const WIRE: [&str; 7] = [
    "wire",
    "host/src/config",
    "host/src/cli.rs",
    "host/src/program.rs",
    "host/src/serve/protocol.rs",
    "host/src/serve/deployment.rs",
    "host/src/sessions/document.rs",
];

/// Checks all sources.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for folder in ["grammar", "host", "tests", "plugins"] {
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut findings = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        findings.extend(check_file(&name, &text).into_iter().map(|finding| format!("{name}: {finding}")));
    }
    Ok(findings)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && name != "template" && !name.starts_with('.') {
                collect(&path, files)?;
            }
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn check_file(name: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    // The rules themselves are written down here.
    if name.ends_with("xtask/src/tidy/sources.rs") {
        return findings;
    }
    let production = production_lines(text);
    if !text.starts_with("//!") && !text.starts_with("#![") {
        findings.push("begins without a `//!` line that says what it is for".to_owned());
    }
    let stem = Path::new(name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if ["util", "utils", "common", "helpers", "misc"].contains(&stem.as_str()) {
        findings.push("a module is named for what it does".to_owned());
    }
    if production.len() > LONG_FILE && !head(text).contains("Long because") {
        findings.push(format!("{} production lines: split it, or say \"Long because …\" in its head", production.len()));
    }
    for (number, line) in text.lines().enumerate() {
        if let Some(what) = bad_line(line) {
            findings.push(format!("line {}: {what}", number + 1));
        }
    }
    findings.extend(absent(name, &production));
    if derives_serde(&production)
        && !WIRE.iter().any(|wire| name.contains(wire))
        && !name.starts_with("plugins")
        && !name.starts_with("tests")
    {
        findings.push("derives serde's traits outside a wire module".to_owned());
    }
    findings
}

fn bad_line(line: &str) -> Option<&'static str> {
    let line = line.trim();
    let glob = (line.starts_with("pub use") || line.starts_with("pub(crate) use")) && line.ends_with("::*;");
    if glob {
        return Some("a glob re-export hides where names come from");
    }
    let attribute = line.strip_prefix("#[")?;
    let has = |word: &str| attribute.split(|c: char| !c.is_alphanumeric() && c != '_').any(|part| part == word);
    // Also as an argument, as of `cfg_attr`.
    [("should_panic", "a test says what it expects"), ("ignore", "a test that does not run proves nothing")]
        .into_iter()
        .find_map(|(word, why)| has(word).then_some(why))
}

fn absent(name: &str, production: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for (folder, words, why) in ABSENT {
        if !name.starts_with(folder) || PRESENT.contains(&name) {
            continue;
        }
        for word in words {
            if let Some(line) = production.iter().find(|line| code(line).contains(word)) {
                findings.push(format!("names `{word}`: {why} (`{}`)", line.trim()));
            }
        }
    }
    findings
}

fn derives_serde(production: &[&str]) -> bool {
    production.iter().any(|line| line.contains("derive(") && (line.contains("Serialize") || line.contains("Deserialize")))
}

/// The part of a line before a comment.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or(line)
}

/// All lines before the inline tests.
fn production_lines(text: &str) -> Vec<&str> {
    text.lines().take_while(|line| line.trim() != "#[cfg(test)]").collect()
}

fn head(text: &str) -> String {
    text.lines().take_while(|line| line.starts_with("//!")).collect()
}

#[cfg(test)]
mod tests {
    use super::check_file;

    #[test]
    fn finds_what_is_not_wanted() {
        for word in ["ignore", "ignore = \"slow\"", "cfg_attr(unix, ignore)", "should_panic", "should_panic(expected = \"x\")"] {
            assert_eq!(check_file("tests/tests/x.rs", &format!("//! x\n    #[{word}]\nfn x() {{}}\n")).len(), 1, "{word}");
        }
        assert!(check_file("tests/tests/x.rs", "//! x\n#[cfg(feature = \"ignored\")]\nfn ignore() {}\n").is_empty());
        assert_eq!(check_file("host/src/util.rs", "//! x\n").len(), 1);
        assert_eq!(check_file("host/src/x.rs", "fn x() {}\n").len(), 1);
        assert_eq!(check_file("host/src/x.rs", "//! x\npub use a::*;\n").len(), 1);
        assert_eq!(check_file("host/crates/engine/src/core/x.rs", "//! x\nuse std::collections::HashMap;\n").len(), 1);
        assert_eq!(check_file("host/crates/engine/src/event.rs", "//! x\n#[derive(Serialize)]\n").len(), 1);
        assert!(check_file("host/crates/journal/src/wire.rs", "//! x\n#[derive(Serialize)]\n").is_empty());
        assert_eq!(check_file("host/crates/catalog/src/json.rs", "//! x\nuse serde::de::Visitor;\n").len(), 1);
        assert!(check_file("host/crates/catalog/src/json/document.rs", "//! x\nuse serde::de::Visitor;\n").is_empty());
        assert!(check_file("host/crates/engine/src/core/x.rs", "//! x\n// no HashMap here\n").is_empty());
    }
}
