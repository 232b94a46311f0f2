//! The page `host/docs/values.md` says what the code does.

use catalog::Value;

use super::{doc, lib, value};
use crate::eval::{BYTES_PER_OPERATION, MAX_DEPTH, MAX_VALUE_SIZE, MAX_WORK, fold};
use crate::plan::LibraryFunction as F;

/// The page that describes all this.
const PAGE: &str = include_str!("../../../../../docs/values.md");

/// A value of an example, by the literals that flows and JSON have in common.
fn literal(document: &serde_json::Value) -> Value {
    match document {
        serde_json::Value::Bool(x) => Value::Bool(*x),
        serde_json::Value::Number(x) => x.as_i64().map_or_else(|| Value::F64(x.as_f64().unwrap()), Value::S64),
        serde_json::Value::String(x) => Value::string(x.as_str()),
        serde_json::Value::Array(items) => Value::list(items.iter().map(literal)),
        other => doc(other.clone()),
    }
}

#[test]
fn the_examples_of_the_reference_are_true() {
    let functions = [
        ("len", F::Len),
        ("keys", F::Keys),
        ("join", F::Join),
        ("split", F::Split),
        ("contains", F::Contains),
        ("min", F::Min),
        ("max", F::Max),
        ("sum", F::Sum),
        ("zip", F::Zip),
        ("range", F::Range),
        ("json", F::Json),
        ("string", F::String),
        ("lower", F::Lower),
        ("upper", F::Upper),
        ("trim", F::Trim),
        ("take", F::Take),
        ("concat", F::Concat),
        ("reverse", F::Reverse),
        ("f64", F::ToF64),
        ("starts_with", F::StartsWith),
        ("ends_with", F::EndsWith),
    ];
    let mut untold: Vec<&str> = functions.iter().map(|(name, _)| *name).collect();
    let library = PAGE.split("## Library").nth(1).unwrap();
    for row in library.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let Some([example, wanted]) = cells.get(2..4) else { break };
        let (example, wanted) = (example.trim_matches('`'), wanted.trim_end_matches(" |").trim_matches('`'));
        let (name, args) = example.strip_suffix(')').unwrap().split_once('(').unwrap();
        let args: Vec<serde_json::Value> = serde_json::from_str(&format!("[{args}]")).unwrap();
        let args: Vec<Value> = args.iter().map(literal).collect();
        let function = functions.iter().find(|(known, _)| *known == name).unwrap().1;
        assert_eq!(catalog::json::to_json(&value(&lib(function, &args))).to_string(), wanted, "{example}");
        untold.retain(|known| *known != name);
    }
    assert!(untold.is_empty(), "no example of {untold:?}");
}

#[test]
fn the_limits_of_the_reference_are_true() {
    let limits = PAGE.split("## Limits").nth(1).unwrap();
    let depth = catalog::json::MAX_JSON_DEPTH;
    for wanted in [
        format!("larger than {} bytes", MAX_VALUE_SIZE),
        format!("more than {} operations", MAX_WORK),
        format!("nested more than {MAX_DEPTH} deep, or a `json` nested more than {depth} deep"),
        format!("larger than {} bytes.", fold::FOLDING.value_size),
        format!("each {} bytes", BYTES_PER_OPERATION),
    ] {
        assert!(limits.contains(&wanted), "the page does not say `{wanted}`");
    }
}
