//! Which crate may name which.

use std::path::Path;

use anyhow::Context;

/// A crate, its folder, and the foreign crates that no other crate may name. An edge may only point to a crate above.
pub(crate) struct Member {
    name: &'static str,
    folder: &'static str,
    owns: &'static [&'static str],
}

/// The crates in their order. Development crates come last and may name all.
pub(crate) const CRATES: [Member; 11] = [
    Member { name: "grammar", folder: "grammar", owns: &["pest", "pest_derive"] },
    Member { name: "catalog", folder: "host/crates/catalog", owns: &["wit-parser", "wit-component", "wasmparser"] },
    Member { name: "lang", folder: "host/crates/lang", owns: &["petgraph", "cranelift-entity"] },
    Member { name: "engine", folder: "host/crates/engine", owns: &[] },
    Member { name: "sandbox", folder: "host/crates/sandbox", owns: &["wasmtime", "wasmtime-wasi", "wasmtime-wasi-http"] },
    Member { name: "journal", folder: "host/crates/journal", owns: &["rusqlite"] },
    Member { name: "bus", folder: "host/crates/bus", owns: &["async-nats"] },
    Member { name: "host", folder: "host", owns: &["clap", "indicatif"] },
    Member { name: "testkit", folder: "host/crates/testkit", owns: &[] },
    Member { name: "e2e", folder: "tests", owns: &[] },
    Member { name: "xtask", folder: "host/xtask", owns: &[] },
];

/// Pairs that look like edges to a crate above and are still not wanted. `catalog` may name serde, for its reader of
/// JSON documents alone, which `sources` looks after.
const FORBIDDEN: [(&str, &str); 9] = [
    ("grammar", "tokio"),
    ("catalog", "tokio"),
    ("lang", "tokio"),
    ("journal", "sandbox"),
    ("journal", "lang"),
    ("bus", "sandbox"),
    ("bus", "rusqlite"),
    ("lang", "serde"),
    ("engine", "serde"),
];

/// Development crates may name the tools of the crates that they test.
const DEVELOPMENT: [&str; 3] = ["testkit", "e2e", "xtask"];

/// Checks the manifests of all crates.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut findings = Vec::new();
    for (position, member) in CRATES.iter().enumerate() {
        let manifest = root.join(member.folder).join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest).with_context(|| format!("{}", manifest.display()))?;
        for dependency in dependencies(&text) {
            if let Some(reason) = objection(position, member, &dependency) {
                findings.push(format!("{}: `{dependency}`: {reason}", manifest.display()));
            }
        }
    }
    Ok(findings)
}

fn objection(position: usize, member: &Member, dependency: &str) -> Option<String> {
    if FORBIDDEN.contains(&(member.name, dependency)) {
        return Some(format!("`{}` must not name it", member.name));
    }
    if let Some(other) = CRATES.iter().position(|other| other.name == dependency) {
        return (other >= position).then(|| "an edge may only point to a crate above".to_owned());
    }
    let owner = CRATES.iter().find(|other| other.owns.contains(&dependency))?;
    let development = DEVELOPMENT.contains(&member.name);
    (owner.name != member.name && !development && !shared(member.name, dependency))
        .then(|| format!("only `{}` may name it", owner.name))
}

/// Dense ids are the plan's; who runs the plan counts with them.
fn shared(member: &str, dependency: &str) -> bool {
    (member, dependency) == ("engine", "cranelift-entity")
}

/// The names under `[dependencies]`.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside && let Some((name, _)) = line.split_once(['=', '.']) {
            names.push(name.trim().to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{CRATES, dependencies, objection};

    #[test]
    fn reads_only_the_dependencies() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\npest = \"2\"\nlang.workspace = true\n[dev-dependencies]\nfastrand = \"2\"\n";
        assert_eq!(dependencies(manifest), ["pest", "lang"]);
    }

    #[test]
    fn refuses_an_edge_that_points_down() {
        let (position, member) = CRATES.iter().enumerate().find(|(_, member)| member.name == "lang").unwrap();
        assert!(objection(position, member, "engine").is_some());
        assert!(objection(position, member, "wasmtime").is_some());
        assert!(objection(position, member, "grammar").is_none());
        assert!(objection(position, member, "petgraph").is_none());
    }
}
