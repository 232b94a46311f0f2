//! Texts that are made to break a parser, on a thread with a 2 MB stack.

use grammar::{Diagnostic, FileId, Parsed, parse};
use std::time::{Duration, Instant};

const STACK: usize = 2 << 20;
const SIZE: usize = 10 << 20;

/// Parses and drops on a small stack; gives the diagnostics and the time both took.
fn on_small_stack(text: String) -> (Vec<Diagnostic>, Duration) {
    let work = move || {
        let start = Instant::now();
        let Parsed { file, diagnostics } = parse(FileId(0), &text);
        drop(file);
        (diagnostics, start.elapsed())
    };
    std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap()
}

/// Generous, since tests are built without optimisation and share the machine.
const LIMIT: Duration = Duration::from_secs(5);

fn repeated(before: &str, part: &str, after: &str) -> String {
    format!("{before}{}{after}", part.repeat(SIZE / part.len()))
}

#[test]
fn deep_nesting_is_one_diagnostic() {
    let parts = [
        "(",
        "[",
        "{",
        "not ",
        "- ",
        "!",
        "f(",
        "x[",
        "if ",
        "if x {\n",
        "seq {\n",
        "match x { a => ",
        "map x in ",
        "reduce a = ",
        "loop x = ",
        "[a for a in ",
        "not (",
        "x { a: ",
        "reduce a = 1, x in ",
        "for x in ",
        "while ",
        "x else ",
        "f(x, ",
        "seq { let x = ",
        "try {\n",
        "loop a = f() after b, c until ",
        "loop a = f() with {} until ",
    ];
    for part in parts {
        for before in ["flow main() {\nlet x = ", "flow main() {\n"] {
            let (found, time) = on_small_stack(repeated(before, part, ""));
            assert_eq!(found.len(), 1, "{part:?}: {found:#?}");
            assert_eq!(found[0].code, "flow::too_deep", "{part:?}: {found:#?}");
            assert!(time < LIMIT, "{part:?} took {time:?}");
        }
    }
}

#[test]
fn long_chains_are_one_diagnostic() {
    let parts = [
        " + x",
        " and x",
        " else x",
        " else f()",
        ".a",
        "(1)",
        "[0]",
        ".0",
        " as json",
        " ?? x",
        " < x",
        " with {}",
        " - - x",
        " else if x {} else {}",
        " else (x)",
        " else not f()",
    ];
    for part in parts {
        let (found, time) = on_small_stack(repeated("flow main() {\nlet x = f()", part, "\n}\n"));
        assert_eq!(found.len(), 1, "{part:?}: {found:#?}");
        assert_eq!(found[0].code, "flow::too_deep", "{part:?}");
        assert!(time < LIMIT, "{part:?} took {time:?}");
    }
    let (found, _) = on_small_stack(repeated("flow main() {\nif a {}", " else if b {}", "\n}\n"));
    assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), ["flow::too_deep"]);
    let (found, _) = on_small_stack(repeated("record r { a: ", "list<", ""));
    assert_eq!(found.iter().map(|found| found.code).collect::<Vec<_>>(), ["flow::too_deep"]);
}

#[test]
fn the_limits_themselves_are_parsed() {
    let texts = [
        format!("flow main() {{\nlet x = {}1{}\n}}\n", "(".repeat(62), ")".repeat(62)),
        format!("flow main() {{\nlet x = {}1{}\n}}\n", "f([".repeat(31), "])".repeat(31)),
        format!("flow main() {{\n{}x\n{}}}\n", "seq {\n".repeat(62), "}\n".repeat(62)),
        format!("flow main() {{\n{}x\n{}}}\n", "if x {\n".repeat(60), "}\n".repeat(60)),
        format!("flow main() {{\n{}x\n{}}}\n", "match x { y => { map z in zs {\n".repeat(20), "} } }\n".repeat(20)),
        format!("flow main() {{\nlet x = {}1\n}}\n", "not ".repeat(200)),
        format!("flow main() {{\nlet x = f(){}\n}}\n", " else f(1)".repeat(99)),
        format!("flow main() {{\nlet x = 1{}\n}}\n", " + 1".repeat(200)),
        format!("flow main() {{\nif a {{ 1 }}{}\n}}\n", " else if b { 2 }".repeat(256)),
        format!("flow main(a: {}string{}) {{ a }}\n", "list<".repeat(60), ">".repeat(60)),
        format!("flow main() {{\n{}x{}\n}}\n", "if ".repeat(60), " {}".repeat(60)),
    ];
    for text in texts {
        let (found, _) = on_small_stack(text.clone());
        assert!(found.is_empty(), "{}: {found:#?}", &text[..80]);
    }
}

#[test]
fn after_something_too_deep_the_next_item_is_read() {
    let text = format!("flow a() {{\n{}\n}}\n\nflow b() {{\n  let x = )\n}}\n", "(".repeat(100));
    let parsed = parse(FileId(0), &text);
    let codes: Vec<&str> = parsed.diagnostics.iter().map(|found| found.code).collect();
    assert_eq!(codes, ["flow::too_deep", "flow::unclosed"]);
    assert_eq!(parsed.file.items.len(), 1);
    assert_eq!(&*parsed.file.broken[0].name, "a");
}

#[test]
fn quotes_and_dollars_are_answered() {
    for part in [
        "\"", "'", "\"\"\"", "${", "\"${", "$", "\"a\"", "\\", "\"\n", "'\n", "“", "/*", "//", "///\n", ";", "#", "}", "]",
        ")\n", "%", "\n", "x-y: ", "ü",
    ] {
        for before in ["", "flow main() {\n", "flow main() {\nlet x = \""] {
            // Less than the rest, since each part may be a statement of its own.
            let (found, time) = on_small_stack(format!("{before}{}", part.repeat(SIZE / 40 / part.len())));
            assert!(found.len() <= 50, "{part:?} gives {} diagnostics", found.len());
            assert!(time < LIMIT, "{before:?} {part:?} took {time:?}");
        }
    }
}

#[test]
fn a_text_beyond_the_limit_is_refused() {
    let (found, _) = on_small_stack(" ".repeat(grammar::MAX_SOURCE + 1));
    assert_eq!(found[0].code, "flow::too_large");
}

#[test]
fn fifty_errors_are_reported_and_no_more() {
    let (found, time) = on_small_stack(format!("flow main() {{\n{}}}\n", "let x = 1 2\n".repeat(20_000)));
    assert_eq!(found.len(), 50);
    assert!(time < LIMIT);
    let (found, time) = on_small_stack(format!("flow main() {{\nseq {{\n{}}}\n}}\n", "let x = 1 2\n".repeat(20_000)));
    assert!((2..=50).contains(&found.len()));
    assert!(time < LIMIT, "took {time:?}");
}

#[test]
fn random_texts_are_answered() {
    let words = [
        "flow", "f", "(", ")", "{", "}", "[", "]", "let", "=", "x", "1", "\"", "${", "\n", "\n", " ", ",", ":", "with", "else",
        "if", "match", "=>", "map", "in", "loop", "until", "max", "reduce", "not", "-", ".", "<", ">", "list<", "'", "\"\"\"",
        "//", "///", "\r\n", "é", "“", "record", "use", "as", "import", "try", "catch", "return", "require", "5m", "0.5", "%",
        "after", "\\", "-> ", "a-b", ";", "&&", "\u{1}", "package", "seq", "phase",
    ];
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..3_000 {
        let count = random.usize(1..120);
        let glue = if random.bool() { " " } else { "" };
        let picked: Vec<&str> = (0..count).map(|_| words[random.usize(..words.len())]).collect();
        let text = format!("{}{}", if random.bool() { "flow main() {\n" } else { "" }, picked.join(glue));
        let (text, parsed) = (text.clone(), parse(FileId(0), &text));
        crate::dump::dump(&text, &parsed.file);
        for found in &parsed.diagnostics {
            assert_ne!(found.code, "flow::internal", "{text:?}: {found:?}");
            for label in &found.labels {
                assert!(text.get(label.span.range()).is_some(), "{text:?}: {found:?}");
            }
        }
    }
    let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(1 << 20).collect();
    let (found, time) = on_small_stack(String::from_utf8_lossy(&bytes).into_owned());
    assert!(!found.is_empty() && time < LIMIT);
}

/// What fuzzing found: each of these texts once gave a panic, or a tree with places outside of the text.
#[test]
fn texts_that_once_broke_the_parser_are_answered() {
    for text in ["flow t(){if 1{{", "oné", "record r {}\non-error: x", "flow f() { a.01 }"] {
        let parsed = parse(FileId(0), text);
        crate::dump::dump(text, &parsed.file);
        assert!(!parsed.diagnostics.is_empty(), "{text:?}");
    }
}

/// A broken text with any part cut away or doubled is still answered.
#[test]
fn mutations_of_a_real_text_are_answered() {
    let text = include_str!("../cases/research/source.flow");
    let mut random = fastrand::Rng::with_seed(11);
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    for _ in 0..2_000 {
        let (a, b) = (places[random.usize(..places.len())], places[random.usize(..places.len())]);
        let (from, to) = (a.min(b), a.max(b).min(a.min(b) + 40));
        let to = if text.is_char_boundary(to) { to } else { from };
        let mutated = match random.u8(..3) {
            0 => format!("{}{}", &text[..from], &text[to..]),
            1 => format!("{}{}{}", &text[..to], &text[from..to], &text[to..]),
            _ => format!("{}{}{}", &text[..from], ["(", "}", "\"", "{", ")", "let "][random.usize(..6)], &text[from..]),
        };
        let parsed = parse(FileId(0), &mutated);
        crate::dump::dump(&mutated, &parsed.file);
        assert!(parsed.diagnostics.iter().all(|found| found.code != "flow::internal"), "{mutated}");
    }
}
