//! Decoding of components.
//!
//! `cases/<name>.wit` holds one package with one world; a component with that world is built from it and
//! decoded, and `cases/<name>.txt` holds the listing that is expected. `BLESS=1` writes it anew. A listing without
//! its `.wit` fails.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test says where")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use catalog::{Component, DecodeError, decode};
use testkit::cases::{Comparison, entries};
use wit_parser::Resolve;

/// A component that has the world of a WIT text, and functions that trap.
fn component_from_wit(wit: &str) -> Vec<u8> {
    testkit::component::component_from_wit(wit).unwrap()
}

fn listing(component: &Component) -> String {
    let mut text = String::new();
    for function in &component.functions {
        let place = function.interface.as_deref().unwrap_or("-");
        let kind = if function.is_async { "async " } else { "" };
        let signature = match &function.signature {
            Ok(signature) => signature.to_string(),
            Err(refusal) => format!("refused: {}", refusal.0),
        };
        writeln!(text, "function {} ({place} {}): {kind}{signature}", function.name, function.wit_name).unwrap();
    }
    for (name, ty) in &component.types {
        writeln!(text, "type {name}: {}", unnamed(ty)).unwrap();
    }
    for import in &component.imports {
        writeln!(text, "import {import}").unwrap();
    }
    write!(text, "\n{}", component.wit).unwrap();
    text
}

/// A declared type by its members.
fn unnamed(ty: &catalog::Type) -> String {
    use catalog::Type;
    match ty {
        Type::Record(ty) => ty.fields.iter().map(|(name, ty)| format!("{name}: {ty}")).collect::<Vec<_>>().join(", "),
        Type::Variant(ty) => {
            let cases = ty.cases.iter().map(|(name, ty)| ty.as_ref().map_or(name.to_string(), |ty| format!("{name}({ty})")));
            cases.collect::<Vec<_>>().join(" | ")
        }
        Type::Enum(ty) => ty.cases.join(" | "),
        Type::Flags(ty) => ty.names.join(" + "),
        other => other.to_string(),
    }
}

fn cases() -> Vec<PathBuf> {
    entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"))
}

#[test]
fn components_are_listed() {
    let mut comparison = Comparison::default();
    for path in cases() {
        let expected = path.with_extension("txt");
        if path == expected {
            assert!(path.with_extension("wit").exists(), "{} has no .wit", path.display());
            continue;
        }
        let bytes = component_from_wit(&std::fs::read_to_string(&path).unwrap());
        comparison.compare(&expected, &listing(&decode(&bytes).unwrap()));
    }
    comparison.finish();
}

#[test]
fn the_printed_world_is_wit() {
    for path in cases().iter().filter(|path| path.extension().is_some_and(|extension| extension == "wit")) {
        let component = decode(&component_from_wit(&std::fs::read_to_string(path).unwrap())).unwrap();
        if component.imports.is_empty() {
            let printed = Resolve::default().push_str("printed.wit", &component.wit);
            assert!(printed.is_ok(), "{}: {printed:?}\n{}", path.display(), component.wit);
        }
    }
}

#[test]
fn damaged_components_are_errors_and_never_panics() {
    let mut refused = 0_u32;
    for name in ["types", "refused"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name).with_extension("wit");
        let bytes = component_from_wit(&std::fs::read_to_string(path).unwrap());
        // What is left after a cut between two sections can be a component, but one cut elsewhere cannot.
        let errors = (0..bytes.len()).filter(|end| decode(&bytes[..*end]).is_err()).count();
        assert!(errors + 20 > bytes.len(), "{name}: only {errors} of {} beginnings were refused", bytes.len());
        for position in 0..bytes.len() {
            for mask in [0x01, 0x40, 0xff] {
                let mut damaged = bytes.clone();
                damaged[position] ^= mask;
                // Some changes only rename something; whatever comes back must be fit to print.
                match decode(&damaged) {
                    Ok(component) => assert!(!listing(&component).is_empty()),
                    Err(error) => {
                        refused += 1;
                        assert!(!error.to_string().is_empty());
                    }
                }
            }
        }
    }
    assert!(refused > 1000, "most changes make a component invalid, yet only {refused} were refused");
}

fn from_wat(wat: &str) -> Result<Component, DecodeError> {
    decode(&wat::parse_str(wat).unwrap())
}

/// Valid components that WIT cannot express, so that tools made for WIT stumble over them.
#[test]
fn components_beyond_wit_are_decoded() {
    let exported = r#"
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (export "run" (func $f))"#;
    for beyond in [
        r#"(import "a:b/c" (func))"#,
        r#"(import "url=<https://example.com/x>" (func))"#,
        r#"(import "m" (core module))"#,
        r#"(core module $x) (export "x" (core module $x))"#,
        r#"(component $c) (export "c" (component $c))"#,
        r#"(type $r (resource (rep i32))) (export "r" (type $r))"#,
    ] {
        let component = from_wat(&format!("(component {beyond} {exported})")).unwrap();
        assert_eq!(component.functions.len(), 1, "{beyond}");
        assert_eq!(component.functions[0].signature.as_ref().unwrap().to_string(), "func()");
    }
}

#[test]
fn types_without_bound_are_refused() {
    let nested = |depth: usize, wrap: fn(usize) -> String| {
        let types: String = (0..depth).map(|index| format!("(type $t{} {})\n", index + 1, wrap(index))).collect();
        from_wat(&format!(
            r#"(component (type $t0 u8) {types}
                (import "f" (func $f (param "x" $t{depth})))
                (export "f" (func $f)))"#
        ))
    };
    let deep = nested(60, |index| format!("(list $t{index})")).unwrap();
    assert_eq!(deep.functions[0].signature.as_ref().unwrap_err().0, "its types nest more than 40 deep");
    let wide = nested(16, |index| format!("(tuple $t{index} $t{index})")).unwrap();
    assert_eq!(wide.functions[0].signature.as_ref().unwrap_err().0, "its types have more than 10000 parts");
    let fine = nested(10, |index| format!("(list $t{index})")).unwrap();
    assert!(fine.functions[0].signature.is_ok());
}

#[test]
fn what_holds_no_function_is_told() {
    assert_eq!(from_wat("(component)").unwrap_err(), DecodeError::NoFunctions);
    assert_eq!(from_wat("(module)").unwrap_err(), DecodeError::CoreModule);
    let mut resolve = Resolve::default();
    let package = resolve.push_str("x.wit", "package a:b; interface c { f: func(); }").unwrap();
    let bytes = wit_component::encode(&resolve, package).unwrap();
    assert_eq!(decode(&bytes).unwrap_err(), DecodeError::WitPackage);
}

#[test]
fn a_component_above_the_limit_is_refused_unread() {
    let bytes = vec![0_u8; usize::try_from(catalog::MAX_COMPONENT_SIZE).unwrap() + 1];
    assert!(matches!(decode(&bytes), Err(DecodeError::TooLarge { .. })));
}

#[test]
fn documentation_is_read_where_a_component_carries_it() {
    let mut bytes = component_from_wit("package a:b; world w { export f: func(); export g: func(); }");
    let json = br#"{"worlds":{"root":{"func_exports":{"f":{"docs":"\nCounts words.\nMore."}}}}}"#;
    let mut section = vec![12];
    section.extend_from_slice(b"package-docs");
    section.push(1);
    section.extend_from_slice(json);
    bytes.extend_from_slice(&[0, u8::try_from(section.len()).unwrap()]);
    bytes.extend_from_slice(&section);
    let component = decode(&bytes).unwrap();
    assert_eq!(component.find(None, "f").next().unwrap().docs.as_deref(), Some("Counts words."));
    assert_eq!(component.find(None, "g").next().unwrap().docs, None);
}
