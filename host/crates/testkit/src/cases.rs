//! Cases as data: files or folders with an input and what is expected of it.
//!
//! `BLESS=1` writes what was found as what is expected. A file that no case reads is forgotten and fails.

#![allow(clippy::unwrap_used, reason = "a failed test says where")]

use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What stands in a folder, by name.
///
/// # Panics
/// When the folder cannot be read.
#[must_use]
#[track_caller]
pub fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Compares what cases found with what they expect, and reports all of it at once.
#[derive(Debug)]
pub struct Comparison {
    bless: bool,
    compared: usize,
    wrong: String,
}

impl Default for Comparison {
    fn default() -> Self {
        Self { bless: std::env::var_os("BLESS").is_some(), compared: 0, wrong: String::new() }
    }
}

impl Comparison {
    /// Compares with the file `expected`; a file that is not there expects nothing that can be found.
    ///
    /// # Panics
    /// When the file is to be written and cannot be.
    #[track_caller]
    pub fn compare(&mut self, expected: &Path, found: &str) {
        self.compared += 1;
        let wanted = std::fs::read_to_string(expected).ok();
        if wanted.as_deref() == Some(found) {
            return;
        }
        if self.bless {
            std::fs::write(expected, found).unwrap();
            return;
        }
        let wanted = wanted.as_deref().unwrap_or("no such file\n");
        writeln!(self.wrong, "{}:\n--- expected\n{wanted}--- found\n{found}", expected.display()).unwrap();
    }

    /// Ends the comparison.
    ///
    /// # Panics
    /// When something differed, or nothing was compared.
    #[track_caller]
    pub fn finish(self) {
        assert!(self.compared > 0, "there are no cases");
        assert!(self.wrong.is_empty(), "not as expected, `BLESS=1` writes what was found:\n{}", self.wrong);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Comparison, entries};

    /// Compares, whatever the environment says.
    fn compared(expected: &str, found: &str) -> String {
        let mut comparison = Comparison { bless: false, ..Comparison::default() };
        comparison.compare(&Path::new(env!("CARGO_MANIFEST_DIR")).join(expected), found);
        comparison.wrong
    }

    #[test]
    fn what_differs_or_is_missing_is_reported() {
        let manifest = include_str!("../Cargo.toml");
        assert_eq!(compared("Cargo.toml", manifest), "");
        assert!(compared("Cargo.toml", "x\n").contains("--- found\nx\n"));
        assert!(compared("missing.txt", "").contains("no such file"));
    }

    #[test]
    fn entries_have_an_order() {
        let names = entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
        assert!(names.is_sorted() && names.iter().any(|path| path.ends_with("cases.rs")));
    }
}
