//! The pages of `host explain`: each code that the sources know has one, each page's code exists, and its examples are true.
//!
//! In a page of `host/docs/errors`, "```flow wrong" gives this code and no other, and "```flow right" gives nothing at all.
//! The examples see the files of `tests/explain`, with a component for each `.wit`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed test says where")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lang::explain::{PAGES, Page, explain};
use lang::{Compilation, Entry, compile};
use testkit::world::MemoryWorld;

/// Codes without a wrong example, and why there can be none in a page.
const WITHOUT_EXAMPLE: [(&str, &str); 8] = [
    ("flow::cycle", "the checker refuses every such text before"),
    ("flow::internal", "no text is known that gives it"),
    ("flow::misplaced_step", "the checker refuses every such text before"),
    ("flow::out_of_scope", "the checker refuses every such text before"),
    ("flow::too_deep", "it takes hundreds of brackets"),
    ("flow::too_large", "it takes 16 MiB"),
    ("flow::too_many_instances", "it takes thousands of calls"),
    ("flow::too_many_files", "it takes hundreds of files"),
];

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn compiled(example: &str) -> Compilation {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain");
    let world = MemoryWorld::from_folder(&shared).unwrap().with("main.flow", example);
    compile(&world, "main.flow", Entry::Default)
}

/// The example with this mark.
fn example<'p>(page: &'p Page, mark: &str) -> Option<&'p str> {
    let (_, rest) = page.text.split_once(&format!("```flow {mark}\n"))?;
    rest.split_once("```").map(|(example, _)| example)
}

/// What was found, each as code and message.
fn found(compilation: &Compilation) -> Vec<(&str, &str)> {
    compilation.diagnostics.iter().map(|found| (found.code, found.message.as_str())).collect()
}

#[test]
fn wrong_examples_give_their_code_and_right_ones_nothing() {
    let mut wrong = Vec::new();
    for page in PAGES {
        let exception = WITHOUT_EXAMPLE.iter().any(|(code, _)| *code == page.code);
        match example(page, "wrong") {
            Some(text) => {
                let compilation = compiled(text);
                let codes: BTreeSet<&str> = compilation.diagnostics.iter().map(|found| found.code).collect();
                if exception || codes != BTreeSet::from([page.code]) {
                    wrong.push(format!("{}, wrong: {:?}", page.code, found(&compilation)));
                }
            }
            None if !exception => wrong.push(format!("{} has no wrong example", page.code)),
            None => {}
        }
        match example(page, "right").map(compiled) {
            Some(compilation) if !compilation.diagnostics.is_empty() => {
                wrong.push(format!("{}, right: {:?}", page.code, found(&compilation)));
            }
            None if !exception => wrong.push(format!("{} has no right example", page.code)),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn codes_and_pages_are_the_same() {
    let mut codes = BTreeSet::new();
    for folder in ["grammar/src", "host/crates/lang/src"] {
        collect(&project().join(folder), &mut codes);
    }
    let pages: BTreeSet<String> = PAGES.iter().map(|page| page.code.to_owned()).collect();
    let missing: Vec<&String> = codes.difference(&pages).collect();
    assert!(missing.is_empty(), "no page in host/docs/errors, or not in the list of lang/src/explain.rs: {missing:?}");
    let idle: Vec<&String> = pages.difference(&codes).collect();
    assert!(idle.is_empty(), "pages of codes that no source knows: {idle:?}");
    let files = std::fs::read_dir(project().join("host/docs/errors")).unwrap();
    let files: BTreeSet<String> = files.map(|file| file.unwrap().path()).map(|path| code_of(&path)).collect();
    assert_eq!(files, pages, "files in host/docs/errors and the list of lang/src/explain.rs");
    assert!(codes.len() > 70);
}

fn code_of(path: &Path) -> String {
    format!("flow::{}", path.file_stem().unwrap().to_string_lossy())
}

/// The codes in the texts of all sources of a folder.
fn collect(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, codes);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let after = text.split("\"flow::").skip(1).filter_map(|rest| rest.split_once('"'));
            let named = after
                .map(|(name, _)| name)
                .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            codes.extend(named.map(|name| format!("flow::{name}")));
        }
    }
}

#[test]
fn pages_have_the_form_of_pages() {
    for page in PAGES {
        let summary = page.summary();
        assert!(page.text.starts_with(&format!("# {}: {summary}\n\n", page.code)), "{}", page.code);
        assert!(!summary.ends_with('.') && summary.starts_with(|c: char| !c.is_uppercase()), "{}: {summary}", page.code);
        let paragraph = page.text.lines().nth(2).unwrap_or_default();
        assert!(paragraph.starts_with(|c: char| c.is_uppercase() || c == '`'), "{}: {paragraph}", page.code);
        assert!(page.text.lines().all(|line| line.len() <= 140 || line.starts_with('|')), "{} has a long line", page.code);
    }
}

#[test]
fn a_code_is_found_with_and_without_its_prefix() {
    assert_eq!(explain("flow::cycle").unwrap().code, "flow::cycle");
    assert_eq!(explain("cycle").unwrap().code, "flow::cycle");
    assert_eq!(explain("type-mismatch").unwrap().code, "flow::type_mismatch");
    assert_eq!(explain("flow::type_mismach"), Err(Some("flow::type_mismatch")));
    assert_eq!(explain("nonsense"), Err(None));
}
