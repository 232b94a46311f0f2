//! One folder per case: `source.flow`, `tree.txt` (the tree as `dump` writes it) when the text parses to anything,
//! and `errors.txt` (code, place, underlined text, message, further labels, help) when something is reported.
//! `BLESS=1` rewrites both; a file that the outcome does not call for is an error.

use crate::dump::dump;
use grammar::{Diagnostic, FileId, Severity, Span, parse};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn place(text: &str, span: Span) -> String {
    let before = &text[..span.start as usize];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    let shown: String = text[span.range()].chars().take(60).collect();
    format!("{line}:{column} {:?}", shown)
}

fn render(text: &str, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for found in diagnostics {
        assert_eq!(found.severity, Severity::Error);
        for (index, label) in found.labels.iter().enumerate() {
            let at = place(text, label.span);
            if index == 0 {
                writeln!(out, "{} {at}\n  {}", found.code, found.message).unwrap();
            } else {
                write!(out, "  and {at}").unwrap();
            }
            match label.text.as_str() {
                "" => out.push_str(if index == 0 { "" } else { "\n" }),
                label if index == 0 => writeln!(out, "  label: {label}").unwrap(),
                label => writeln!(out, ": {label}").unwrap(),
            }
        }
        if let Some(help) = &found.help {
            writeln!(out, "  help: {help}").unwrap();
        }
    }
    out
}

fn compare(path: &Path, actual: &str, wrong: &mut Vec<String>) {
    let expected = fs::read_to_string(path).unwrap_or_default();
    if expected == actual {
        return;
    }
    if std::env::var_os("BLESS").is_some() {
        if actual.is_empty() { fs::remove_file(path).unwrap() } else { fs::write(path, actual).unwrap() }
    } else {
        wrong.push(format!("{}\n--- expected\n{expected}--- found\n{actual}", path.display()));
    }
}

#[test]
fn cases_parse_as_written_down() {
    let mut wrong = Vec::new();
    let mut count = 0;
    let mut names: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for case in names {
        count += 1;
        for entry in fs::read_dir(&case).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(["source.flow", "tree.txt", "errors.txt"].contains(&&*name), "forgotten file {}/{name}", case.display());
        }
        let text = fs::read_to_string(case.join("source.flow")).unwrap();
        let parsed = parse(FileId(0), &text);
        compare(&case.join("tree.txt"), &dump(&text, &parsed.file), &mut wrong);
        compare(&case.join("errors.txt"), &render(&text, &parsed.diagnostics), &mut wrong);
    }
    assert!(wrong.is_empty(), "{}\nBLESS=1 accepts what was found", wrong.join("\n"));
    assert!(count >= 40, "only {count} cases");
}

/// The names of the grammar's rules that are no words of the language, and texts that only we understand.
fn our_words() -> Vec<&'static str> {
    let lines = include_str!("../../src/flow.pest").lines();
    let rules = lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim()).filter(|name| name.contains('_'));
    let rules = rules.filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
    rules.chain(["rcurly", "Rule", "Option<", "Vec<", "&str", "usize"]).collect()
}

/// Without what stands in backticks and in the text: these are the user's own words.
fn without_quotes(said: &str, text: &str) -> String {
    let parts = said.split('`').enumerate().filter(|(index, part)| index % 2 == 0 || !text.contains(part));
    parts.map(|(_, part)| part).collect::<Vec<_>>().join(" ")
}

#[test]
fn wording_follows_the_rules() {
    let ours = our_words();
    assert!(ours.len() > 60 && ours.contains(&"expr_stmt"), "{ours:?}");
    for case in fs::read_dir(folder()).unwrap() {
        let path = case.unwrap().path();
        let text = fs::read_to_string(path.join("source.flow")).unwrap();
        for found in parse(FileId(0), &text).diagnostics {
            let labels = found.labels.iter().map(|label| &label.text);
            for said in labels.chain([&found.message]).chain(&found.help) {
                assert!(!said.ends_with('.') && !said.starts_with(char::is_uppercase), "{}: {said}", path.display());
                let said = without_quotes(said, &text);
                let words: Vec<&str> = said.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
                let found =
                    ours.iter().find(|word| words.contains(*word) || (word.contains(['<', '&']) && said.contains(**word)));
                assert_eq!(found, None, "{}: {said}", path.display());
            }
        }
    }
}

/// Lines end in CRLF and a byte order mark comes first: the same tree.
#[test]
fn line_endings_change_nothing() {
    for case in fs::read_dir(folder()).unwrap() {
        let path = case.unwrap().path();
        let text = fs::read_to_string(path.join("source.flow")).unwrap();
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        let (plain, windows_parsed) = (parse(FileId(0), &text), parse(FileId(0), &windows));
        if !plain.diagnostics.is_empty() || text.contains('\r') {
            continue;
        }
        assert_eq!(dump(&text, &plain.file), dump(&windows, &windows_parsed.file), "{}", path.display());
        assert!(windows_parsed.diagnostics.is_empty(), "{}: {:?}", path.display(), windows_parsed.diagnostics);
    }
}
