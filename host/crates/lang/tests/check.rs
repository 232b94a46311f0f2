//! What the compiler says about flow files.
//!
//! Each folder of `tests/cases` is a case: `main.flow` with the files that it imports, `name.wit` for each `name.wasm` that it
//! uses, and in `diagnostics.txt` all that is said, as a terminal without colour shows it; empty for a flow that is right.
//! `BLESS=1` writes `diagnostics.txt` anew. A folder without `main.flow` fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a failed test says where")]

use std::path::{Path, PathBuf};

use lang::{Compilation, Entry, Report, compile, to_json};
use miette::{GraphicalReportHandler, GraphicalTheme};
use testkit::cases::{Comparison, entries};
use testkit::world::MemoryWorld;

#[path = "check/api.rs"]
mod api;
#[path = "check/speed.rs"]
mod speed;

fn cases() -> Vec<PathBuf> {
    entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"))
}

fn rendered(compilation: &Compilation) -> String {
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    let mut text = String::new();
    for diagnostic in &compilation.diagnostics {
        handler.render_report(&mut text, &Report::new(diagnostic, &compilation.sources)).unwrap();
        text.push('\n');
    }
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let text = lines.join("\n");
    if text.trim().is_empty() { String::new() } else { format!("{}\n", text.trim_matches('\n')) }
}

#[test]
fn every_case_says_what_is_expected() {
    let mut comparison = Comparison::default();
    for case in cases() {
        assert!(case.join("main.flow").exists(), "{} has no main.flow", case.display());
        let world = MemoryWorld::from_folder(&case).unwrap();
        let compilation = compile(&world, "main.flow", Entry::None);
        comparison.compare(&case.join("diagnostics.txt"), &rendered(&compilation));
    }
    comparison.finish();
}

#[test]
fn cases_without_errors_have_a_plan() {
    for case in cases() {
        let compilation = compile(&MemoryWorld::from_folder(&case).unwrap(), "main.flow", Entry::None);
        let flows = std::fs::read_to_string(case.join("main.flow")).is_ok_and(|text| text.contains("flow "));
        assert_eq!(compilation.plan.is_some(), flows && !compilation.has_errors(), "{}", case.display());
    }
}

#[test]
fn every_diagnostic_keeps_the_wording_rules() {
    for case in cases() {
        let compilation = compile(&MemoryWorld::from_folder(&case).unwrap(), "main.flow", Entry::None);
        for found in &compilation.diagnostics {
            let place = format!("{}: {}", case.display(), found.message);
            assert!(found.code.starts_with("flow::"), "{place}");
            assert!(!found.message.starts_with(|first: char| first.is_ascii_uppercase()), "{place}");
            assert!(!found.message.ends_with('.'), "{place}");
            assert!(!found.labels.is_empty(), "{place}");
            for label in &found.labels {
                let source = compilation.sources.get(label.span.file).expect(&place);
                assert!(source.text.get(label.span.range()).is_some(), "{place}");
            }
            let json = to_json(found, &compilation.sources);
            assert_eq!(json["code"], found.code, "{place}");
            assert!(json["line"].as_u64().is_some_and(|line| line > 0), "{place}");
        }
    }
}

#[test]
fn five_independent_errors_are_five() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/five_errors");
    let compilation = compile(&MemoryWorld::from_folder(&case).unwrap(), "main.flow", Entry::None);
    assert_eq!(compilation.diagnostics.len(), 5, "{}", rendered(&compilation));
}
