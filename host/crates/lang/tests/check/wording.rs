//! The rules for the texts of diagnostics, and the JSON form that editors read.

use lang::{Compilation, Diagnostic, Entry, compile, to_json};
use testkit::world::MemoryWorld;

/// Texts that only somebody who works on the compiler can understand.
const OURS: [&str; 10] = ["Option<", "Vec<", "Result<", "&str", "usize", "Some(", "Box<", "unwrap", "Rc<", "panicked"];

/// What is wrong with the wording of a diagnostic.
pub(crate) fn problem(found: &Diagnostic, compilation: &Compilation) -> Option<String> {
    let labels = found.labels.iter().map(|label| ("label", label.text.as_str()));
    let help = found.help.as_deref().into_iter().flat_map(str::lines).map(|line| ("help", line));
    if !found.code.starts_with("flow::") {
        return Some(format!("the code is {}", found.code));
    }
    let texts = std::iter::once(("message", found.message.as_str())).chain(labels).chain(help);
    texts.filter(|(_, text)| !text.is_empty()).find_map(|(what, text)| {
        let own = without_quotes_of_the_user(text, compilation);
        let ours = rule_names().find(|name| has_word(&own, name)).or_else(|| OURS.into_iter().find(|ours| own.contains(ours)));
        match ours {
            Some(ours) => Some(format!("{what} `{text}` says {ours}")),
            None if text.starts_with(|first: char| first.is_uppercase()) => {
                Some(format!("{what} `{text}` begins with a capital"))
            }
            None if text.ends_with('.') => Some(format!("{what} `{text}` ends with a full stop")),
            None => None,
        }
    })
}

/// The names of the grammar's rules that are no words of the language.
fn rule_names() -> impl Iterator<Item = &'static str> {
    let lines = include_str!("../../../../../grammar/src/flow.pest").lines();
    lines
        .filter_map(|line| line.split_once(" = ").or_else(|| line.split_once("= ")))
        .map(|(name, _)| name.trim())
        .filter(|name| name.contains('_'))
}

/// Without what stands in backticks and in one of the sources: these are the user's own words.
fn without_quotes_of_the_user(text: &str, compilation: &Compilation) -> String {
    let user = |part: &str| compilation.sources.iter().any(|source| source.text.contains(part));
    let parts = text.split('`').enumerate().filter(|(index, part)| index % 2 == 0 || !user(part));
    parts.map(|(_, part)| part).collect::<Vec<_>>().join(" ")
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|part| part == word)
}

#[test]
fn the_rules_can_be_broken() {
    let compilation = compile(&MemoryWorld::new().with("main.flow", "flow main() { }"), "main.flow", Entry::None);
    let at = compilation.sources.iter().next().map(|_| lang::Span::default()).unwrap();
    for (message, label) in [
        ("expected expr_stmt", ""),
        ("Expected a name", ""),
        ("expected a name.", ""),
        ("expected a name", "this is Option<u8>"),
        ("expected a name", "Not here"),
    ] {
        assert!(problem(&Diagnostic::error("flow::syntax", message, at, label), &compilation).is_some(), "{message}");
    }
    assert_eq!(problem(&Diagnostic::error("flow::syntax", "expected a name", at, "not `Here`"), &compilation), None);
    assert!(rule_names().count() > 50);
}

#[test]
fn json_has_all_that_an_editor_needs() {
    let text = "flow main(name: string) -> string {\n    \"ö\" + name +\n        1\n}\n";
    let compilation = compile(&MemoryWorld::new().with("main.flow", text.as_bytes()), "main.flow", Entry::None);
    let [found] = compilation.diagnostics.as_slice() else { panic!("{:?}", compilation.diagnostics) };
    let json = to_json(found, &compilation.sources);
    assert_eq!((json["code"].as_str(), json["severity"].as_str()), (Some(found.code), Some("error")));
    assert_eq!(json["message"].as_str(), Some(found.message.as_str()));
    assert!(json["help"].is_string(), "{json:#}");
    let labels = json["labels"].as_array().unwrap();
    assert_eq!(labels.len(), found.labels.len());
    for (label, place) in labels.iter().zip(&found.labels) {
        let range = place.span.range();
        assert_eq!(label["text"].as_str(), Some(place.text.as_str()));
        assert_eq!(label["file"], "main.flow");
        assert_eq!(label["span"], serde_json::json!({ "start": range.start, "end": range.end }));
        // Columns count characters, so that the two bytes of `ö` are one.
        let before = |at: usize| text[..at].rsplit('\n').next().unwrap().chars().count() + 1;
        assert_eq!(label["column"], before(range.start));
        assert_eq!(label["end_column"], before(range.end));
        assert_eq!(label["line"], text[..range.start].matches('\n').count() + 1);
        assert_eq!(label["end_line"], text[..range.end].matches('\n').count() + 1);
    }
    for field in ["file", "line", "column", "end_line", "end_column", "span"] {
        assert_eq!(json[field], labels[0][field], "{field}");
    }
}
