//! What holds of every input. A panic is a finding.

use catalog::Component;
use grammar::{Diagnostic, FileId};
use lang::render::{Format, render};
use lang::{Entry, check_plan, compile, to_json};

use crate::dump::dump;
use crate::round_trip::formatted;
use crate::world::Texts;

/// The most that is said about one file by the parser.
const MAX_DIAGNOSTICS: usize = 50;

/// A text is parsed to a tree whose spans are inside it, and what is wrong with it is said at places in it.
pub fn parse(text: &str) {
    let parsed = grammar::parse(FileId(0), text);
    dump(text, &parsed.file);
    assert!(parsed.diagnostics.len() <= MAX_DIAGNOSTICS, "{} diagnostics", parsed.diagnostics.len());
    for found in &parsed.diagnostics {
        worded(found);
        for label in &found.labels {
            assert!(text.get(label.span.range()).is_some(), "outside of the text: {found:?}");
        }
    }
}

/// A text is formatted to one with the same tree and comments, which is formatted itself, or has errors.
pub fn format(text: &str) {
    formatted(text);
}

/// A text compiles to a whole plan, which is the same each time, or is told what is wrong with it.
pub fn check(text: &str) {
    let world = Texts::new(text);
    let compiled = compile(&world, Texts::ROOT, Entry::None);
    for found in &compiled.diagnostics {
        worded(found);
        for label in &found.labels {
            let source = compiled.sources.get(label.span.file).expect("a file that was loaded");
            assert!(source.text.get(label.span.range()).is_some(), "outside of the text: {found:?}");
        }
        assert_eq!(to_json(found, &compiled.sources)["code"], found.code);
    }
    let Some(plan) = compiled.plan.as_ref() else { return };
    assert!(!compiled.has_errors(), "a plan in spite of errors");
    check_plan(plan).unwrap();
    let again = compile(&world, Texts::ROOT, Entry::None).plan.expect("a plan again");
    assert_eq!(plan.digest(), again.digest());
    for format in [Format::Table, Format::Json] {
        assert_eq!(render(plan, format), render(&again, format));
    }
}

/// Bytes are a component that can be listed, or it is said why not.
pub fn decode(bytes: &[u8]) {
    match catalog::decode(bytes) {
        Ok(component) => listed(&component),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn listed(component: &Component) {
    assert!(!component.functions.is_empty(), "a component without functions");
    for function in &component.functions {
        assert!(!function.name.is_empty());
        match &function.signature {
            Ok(signature) => assert!(!signature.to_string().is_empty()),
            Err(refusal) => assert!(!refusal.0.is_empty()),
        }
    }
    for (name, ty) in &component.types {
        assert!(!name.is_empty() && !ty.to_string().is_empty());
    }
}

/// The wording rules that a machine can check.
fn worded(found: &Diagnostic) {
    assert!(found.code.starts_with("flow::"), "{found:?}");
    assert_ne!(found.code, "flow::internal", "{found:?}");
    assert!(!found.message.is_empty() && !found.message.ends_with('.'), "{found:?}");
    assert!(!found.labels.is_empty(), "{found:?}");
}
