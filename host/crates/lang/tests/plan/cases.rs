//! Runs the case folders.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lang::render::{Format, render};
use lang::{Compilation, Entry, check_plan, compile};
use testkit::cases::{Comparison, entries};

use crate::world::OneFile;

/// Compiles `main.flow` with this text.
pub fn compiled(text: &str) -> Compilation {
    compile(&OneFile { text: Arc::from(text) }, "main.flow", Entry::Default)
}

/// The part of a text that a diagnostic points at.
fn underlined(text: &str, span: grammar::Span) -> String {
    let part = text.get(span.range()).unwrap_or("?");
    part.lines().next().unwrap_or("").to_owned()
}

fn outcome(text: &str) -> String {
    let compilation = compiled(text);
    let mut written = String::new();
    for diagnostic in &compilation.diagnostics {
        writeln!(written, "{}: {}", diagnostic.code, diagnostic.message).unwrap();
        for label in &diagnostic.labels {
            writeln!(written, "    `{}` {}", underlined(text, label.span), label.text).unwrap();
        }
    }
    if let Some(plan) = &compilation.plan {
        check_plan(plan).unwrap();
        if !written.is_empty() {
            written.push('\n');
        }
        written.push_str(&render(plan, Format::Table));
    }
    written
}

fn folders() -> Vec<PathBuf> {
    entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans"))
}

#[test]
fn every_case_gives_its_plan() {
    let mut comparison = Comparison::default();
    for folder in folders() {
        let text = std::fs::read_to_string(folder.join("main.flow")).unwrap();
        comparison.compare(&folder.join("plan.txt"), &outcome(&text));
    }
    comparison.finish();
}

#[test]
fn no_file_is_forgotten() {
    let folders = folders();
    assert!(folders.len() >= 20, "only {} cases", folders.len());
    for folder in folders {
        assert_eq!(entries(&folder), ["main.flow", "plan.txt"].map(|name| folder.join(name)));
    }
}

#[test]
fn every_plan_is_the_same_each_time_and_in_each_format() {
    for folder in folders() {
        let text = std::fs::read_to_string(folder.join("main.flow")).unwrap();
        let (Some(one), Some(other)) = (compiled(&text).plan, compiled(&text).plan) else { continue };
        assert_eq!(one.digest(), other.digest());
        for format in [Format::Table, Format::Mermaid, Format::Dot, Format::Json] {
            assert_eq!(render(&one, format), render(&other, format));
        }
        // A comment moves every place and changes nothing.
        let moved = compiled(&format!("// a comment\n{text}")).plan.unwrap();
        assert_eq!(one.digest(), moved.digest());
    }
}
