//! Checks that prose cannot: the direction of dependencies, what is absent where, and the shape of files.

mod edges;
mod sources;

use anyhow::bail;

use crate::process;

/// Runs all checks and reports everything that is wrong at once.
pub(crate) fn run() -> anyhow::Result<()> {
    let root = process::root();
    let mut findings = edges::check(&root)?;
    findings.extend(sources::check(&root)?);
    if findings.is_empty() {
        println!("tidy: {} crates and their sources are as host/ARCHITECTURE.md says", edges::CRATES.len());
        return Ok(());
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    bail!("{} findings", findings.len())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_project_is_tidy() {
        super::run().unwrap();
    }
}
