//! What the compiler says about flow files.
//!
//! Each folder of `tests/cases` is a case: `main.flow` with the files that it imports, `name.wit` for each `name.wasm` that it
//! uses, and in `diagnostics.txt` all that is said, as a terminal without colour shows it; empty for a flow that is right.
//! `BLESS=1` writes `diagnostics.txt` anew. A folder without `main.flow` fails.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a failed test says where")]

use std::path::{Path, PathBuf};

use lang::explain::PAGES;
use lang::{Compilation, Entry, Report, compile};
use miette::{GraphicalReportHandler, GraphicalTheme};
use testkit::cases::{Comparison, entries};
use testkit::world::MemoryWorld;

#[path = "check/api.rs"]
mod api;
#[path = "check/speed.rs"]
mod speed;
#[path = "check/wording.rs"]
mod wording;

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
            assert_eq!(wording::problem(found, &compilation), None, "{place}");
            assert!(!found.labels.is_empty(), "{place}");
            for label in &found.labels {
                let source = compilation.sources.get(label.span.file).expect(&place);
                assert!(source.text.get(label.span.range()).is_some(), "{place}");
            }
        }
    }
}

#[test]
fn five_independent_errors_are_five() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/five_errors");
    let compilation = compile(&MemoryWorld::from_folder(&case).unwrap(), "main.flow", Entry::None);
    assert_eq!(compilation.diagnostics.len(), 5, "{}", rendered(&compilation));
}

/// Five of them keep a statement from being parsed as it was meant, and none of them hides or causes another.
#[test]
fn ten_independent_errors_are_ten() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/ten_errors");
    let compilation = compile(&MemoryWorld::from_folder(&case).unwrap(), "main.flow", Entry::None);
    let syntax = ["flow::syntax", "flow::unclosed", "flow::foreign_syntax"];
    let of_syntax = compilation.diagnostics.iter().filter(|found| syntax.contains(&found.code)).count();
    assert_eq!((compilation.diagnostics.len(), of_syntax), (10, 5), "{}", rendered(&compilation));
}

/// Each code that the compiler can give for a file of reasonable size stands in some case of this folder or of the grammar.
#[test]
fn every_code_has_a_case() {
    let elsewhere = [
        "flow::internal",
        "flow::misplaced_step",
        "flow::out_of_scope",
        "flow::too_deep",
        "flow::too_large",
        "flow::too_many_files",
        "flow::too_many_instances",
        "flow::cache_effects",
        "flow::entry",
        "flow::generic_entry",
        "flow::cycle",
        "flow::retry_not_idempotent",
        "flow::widens_grant",
        "flow::widens_limit",
    ];
    let grammar = entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../grammar/tests/cases"));
    let grammar = grammar.iter().map(|case| std::fs::read_to_string(case.join("errors.txt")).unwrap_or_default());
    let here = cases();
    let here = here.iter().map(|case| std::fs::read_to_string(case.join("diagnostics.txt")).unwrap_or_default());
    let all: Vec<String> = grammar.chain(here).filter(|text| !text.is_empty()).collect();
    assert!(all.len() >= 150, "only {} cases with an error or a warning", all.len());
    let given = |code: &str| all.iter().any(|text| text.lines().any(|line| line.split(' ').next() == Some(code)));
    let missing: Vec<&str> =
        PAGES.iter().map(|page| page.code).filter(|code| !elsewhere.contains(code) && !given(code)).collect();
    assert!(missing.is_empty(), "no case gives {missing:?}");
}
