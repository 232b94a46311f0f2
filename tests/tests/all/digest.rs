//! The main job on real and on made folders.

use std::collections::BTreeSet;
use std::path::Path;

use e2e::{Site, project};
use serde_json::Value;

fn digest(site: &Site, folder: &Path) -> Value {
    let flow = project().join("workflows/digest.flow");
    let input = format!("folder={}", folder.display());
    site.host(["run", flow.to_str().unwrap(), "--json", "--input", &input]).expect(0).json()["result"].clone()
}

/// All text files of a folder, white space folded and lower-cased.
fn folded(folder: &Path) -> String {
    let mut text = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            text.push_str(&folded(&path));
        } else if let Ok(content) = std::fs::read_to_string(&path) {
            text.push_str(&fold(&content));
        }
        text.push('\n');
    }
    text
}

fn fold(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

fn texts<'a>(report: &'a Value, list: &str, field: &str) -> Vec<&'a str> {
    report[list].as_array().unwrap().iter().map(|item| item[field].as_str().unwrap()).collect()
}

#[track_caller]
fn everything_occurs_in(report: &Value, folder: &Path) {
    let text = folded(folder);
    let words: BTreeSet<&str> = text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '-' && c != '_').collect();
    for keyword in texts(report, "keywords", "term") {
        assert!(words.contains(keyword) || text.contains(keyword), "the keyword `{keyword}` does not occur");
    }
    for sentence in texts(report, "sentences", "text") {
        assert!(text.contains(&fold(sentence)), "the sentence `{sentence}` does not occur");
    }
}

#[test]
fn the_projects_own_documentation() {
    let site = Site::new();
    let folder = project().join("host/docs");
    let report = digest(&site, &folder);
    assert!(!report["keywords"].as_array().unwrap().is_empty());
    assert!(!report["sentences"].as_array().unwrap().is_empty());
    everything_occurs_in(&report, &folder);
}

#[test]
fn an_empty_folder_gives_an_empty_report() {
    let site = Site::new();
    site.write("docs/sub/.keep", "");
    std::fs::remove_file(site.path().join("docs/sub/.keep")).unwrap();
    let report = digest(&site, &site.path().join("docs"));
    assert_eq!(report["keywords"], serde_json::json!([]));
    assert_eq!(report["sentences"], serde_json::json!([]));
}

#[test]
fn odd_files_are_reported_and_not_fatal() {
    let site = Site::new();
    site.write("docs/good.txt", "The river floods the valley. The valley feeds the river. Rivers and valleys matter.");
    site.write("docs/latin1.txt", b"caf\xe9 au lait");
    site.write("docs/binary.bin", [0u8, 159, 146, 150]);
    site.write("docs/empty.txt", "");
    site.write("docs/huge.txt", "x".repeat(20 << 20));
    site.write("docs/sub/nested.txt", "A second document speaks about the river delta and its mud.");
    let report = digest(&site, &site.path().join("docs"));
    let skipped: BTreeSet<&str> = texts(&report, "skipped", "path").into_iter().collect();
    assert!(skipped.contains("latin1.txt") && skipped.contains("binary.bin") && skipped.contains("huge.txt"), "{report:#}");
    assert!(!skipped.contains("good.txt") && !skipped.contains("sub/nested.txt"));
    everything_occurs_in(&report, &site.path().join("docs"));
}

#[test]
fn a_planted_topic_ranks_first() {
    let site = Site::new();
    for n in 0..60 {
        site.write(&format!("docs/noise{n}.txt"), noise(n));
    }
    for n in 0..12 {
        site.write(&format!("docs/planted{n}.txt"), planted(n));
    }
    let report = digest(&site, &site.path().join("docs"));
    let keywords = texts(&report, "keywords", "term");
    assert_eq!(keywords.first(), Some(&"volcano"), "{keywords:?}");
    everything_occurs_in(&report, &site.path().join("docs"));
}

/// A document of many ordinary words, each in some of the other documents too.
fn noise(n: usize) -> String {
    const WORDS: [&str; 24] = [
        "license",
        "software",
        "permission",
        "copy",
        "warranty",
        "author",
        "notice",
        "source",
        "binary",
        "holder",
        "garden",
        "window",
        "market",
        "letter",
        "winter",
        "bridge",
        "station",
        "paper",
        "number",
        "reader",
        "kitchen",
        "forest",
        "engine",
        "music",
    ];
    let word = |step: usize| WORDS[(n * 7 + step * 5) % WORDS.len()];
    (0..30)
        .map(|s| format!("The {} and the {} belong to a {} near some {}. ", word(s), word(s + 1), word(s + 3), word(s + 6)))
        .collect()
}

fn planted(n: usize) -> String {
    (0..10)
        .map(|s| format!("The volcano erupted with lava in year {}. Every volcano has magma below chamber {}. ", 1900 + n + s, n))
        .collect()
}
