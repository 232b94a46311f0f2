//! The formatter: one folder per case in `tests/format` with `input.flow` and `output.flow` (`BLESS=1` rewrites it), and
//! what holds for every text, on all texts of the repository, on these changed at random, and on generated trees.

use crate::generate::Generate;
use crate::round_trip::formatted;
use grammar::{FileId, format, parse, print};
use proptest::prelude::{ProptestConfig, any, prop};
use proptest::test_runner::TestRunner;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().into()
}

/// The formatted text, after everything that holds for each was checked.
fn checked(name: &str, text: &str) -> String {
    formatted(text).unwrap_or_else(|| panic!("{name} has errors\n{text}"))
}

#[test]
fn cases_are_formatted_as_written_down() {
    let mut wrong = Vec::new();
    let mut cases: Vec<PathBuf> =
        fs::read_dir(root().join("grammar/tests/format")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 10, "only {} cases", cases.len());
    for case in cases {
        for entry in fs::read_dir(&case).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(["input.flow", "output.flow"].contains(&&*name), "forgotten file {}/{name}", case.display());
        }
        let input = fs::read_to_string(case.join("input.flow")).unwrap();
        let found = checked(&case.display().to_string(), &input);
        let expected = fs::read_to_string(case.join("output.flow")).unwrap_or_default();
        if found == expected {
            continue;
        }
        if std::env::var_os("BLESS").is_some() {
            fs::write(case.join("output.flow"), found).unwrap();
        } else {
            wrong.push(format!("{}\n--- expected\n{expected}--- found\n{found}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nBLESS=1 accepts what was found", wrong.join("\n"));
}

/// Every `.flow` file of the repository that parses.
fn texts() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                if name != "target" && !name.starts_with('.') {
                    folders.push(path);
                }
            } else if name.ends_with(".flow") {
                // Some cases are not UTF-8.
                let Ok(text) = fs::read_to_string(&path) else { continue };
                if parse(FileId(0), &text).diagnostics.is_empty() {
                    found.push((path, text));
                }
            }
        }
    }
    found.sort();
    assert!(found.len() > 100, "only {} files", found.len());
    found
}

#[test]
fn every_file_keeps_its_meaning() {
    for (path, text) in texts() {
        checked(&path.display().to_string(), &text);
    }
}

#[test]
fn shipped_files_are_formatted() {
    let shipped = |path: &Path| ["workflows", "examples"].iter().any(|folder| path.starts_with(root().join(folder)));
    let shipped: Vec<_> = texts().into_iter().filter(|(path, _)| shipped(path)).collect();
    assert!(!shipped.is_empty());
    for (path, text) in shipped {
        let formatted = format(&text).unwrap();
        if std::env::var_os("BLESS").is_some() && formatted != text {
            fs::write(path, formatted).unwrap();
        } else {
            assert_eq!(formatted, text, "{}: run `host fmt`", path.display());
        }
    }
}

#[test]
fn a_text_with_errors_is_not_formatted() {
    for text in ["flow main( {", "flow main() { let x = }", "stray", "flow main() { a = 1 }", "flow f() { x; y }"] {
        let found = format(text).unwrap_err();
        assert_eq!(found, parse(FileId(0), text).diagnostics);
        assert!(!found.is_empty());
    }
}

#[test]
fn line_endings_and_the_byte_order_mark_are_normalised() {
    let text = "flow main() {\n    \"\"\"a\n  b\"\"\" // c\n}\n";
    let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    assert_eq!(format(&windows).unwrap(), text);
    assert_eq!(format("").unwrap(), "");
    assert_eq!(format("\n\n// only\n\n\n").unwrap(), "// only\n");
}

/// Lines joined and split, comments put in and names made long: what still parses is formatted.
#[test]
fn changed_texts_keep_their_meaning() {
    let texts: Vec<_> = texts().into_iter().filter(|(_, text)| text.len() < 4_000).collect();
    let mut random = fastrand::Rng::with_seed(3);
    let mut formatted = 0;
    for round in 0..3_000 {
        let (path, text) = &texts[random.usize(..texts.len())];
        let mut text = text.clone();
        for change in 0..random.usize(1..6) {
            let places: Vec<usize> = text.match_indices([' ', '\n']).map(|(at, _)| at).collect();
            let Some(at) = places.get(random.usize(..places.len().max(1))).copied() else { break };
            let name = text[..at].rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |at| at + 1);
            match random.u8(..6) {
                0 => text.replace_range(at..=at, " "),
                1 => text.replace_range(at..=at, "\n"),
                2 => text.replace_range(at..=at, &format!(" // {round}.{change}\n")),
                3 => text.replace_range(at..=at, &format!("\n\n    // {round}.{change}\n")),
                4 => text.replace_range(at..=at, &format!(" /// {round}.{change}\n")),
                _ if name < at && text[name..at].starts_with(|c: char| c.is_ascii_lowercase()) => {
                    text.insert_str(at, "_and_so_on_for_very_much_longer_than_any_name_should_be");
                }
                _ => {}
            }
        }
        if parse(FileId(0), &text).diagnostics.is_empty() {
            formatted += 1;
            checked(&path.display().to_string(), &text);
        }
    }
    assert!(formatted > 500, "only {formatted} texts still parsed");
}

/// Parsing a printed tree gives the tree.
#[test]
fn printed_trees_are_parsed_again() {
    let config = ProptestConfig { cases: 400, failure_persistence: None, max_shrink_iters: 1_000, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, proptest::test_runner::TestRng::deterministic_rng(Default::default()));
    let bytes = prop::collection::vec(any::<u8>(), 0..300);
    let result = runner.run(&bytes, |bytes| {
        let tree = Generate::file(&bytes);
        let text = print(&tree);
        let parsed = parse(FileId(0), &text);
        assert!(parsed.diagnostics.is_empty(), "{:?}\n{text}", parsed.diagnostics);
        let parsed = parsed.file.without_spans();
        assert!(tree == parsed, "another tree from\n{text}, printed\n{}", print(&parsed));
        checked("a tree", &text);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
