//! Types as other languages write them.

use super::{Answer, Spot, is_word};

pub(super) fn answer(spot: &Spot<'_>) -> Option<Answer> {
    let found = spot.found();
    let (start, word) = spot.word_before();
    if spot.expects("a type") {
        let help = match found {
            "&" | "*" => "write the type alone: values are passed on as they are",
            "[" => "a list is written `list<t>`",
            "(" => "a tuple is written `tuple<a, b>`",
            "{" => "declare it as a `record` and write its name",
            "?" => "a value that may be missing is an `option<t>`",
            _ => return None,
        };
        return Some(Answer::Misplaced(spot.at, spot.end, help.to_owned()));
    }
    if found == "?" && spot.rest().starts_with(':') && spot.expects("`:`") {
        let help = format!("a value that may be missing is an option: `{word}: option<t>`");
        return Some(Answer::Foreign(spot.at, spot.end, help));
    }
    if !is_after_type(spot, start) {
        return None;
    }
    match found {
        "[" if spot.rest().starts_with(']') => {
            Some(Answer::Foreign(start, spot.end + 1, format!("write `list<{}>`", ours(word))))
        }
        "<" | "[" => Some(parameters(spot, start, word)),
        "|" => {
            let help = "a value that may be missing is an `option<t>`; one of several types is a `variant`";
            Some(Answer::Misplaced(spot.at, spot.end, help.to_owned()))
        }
        "?" => Some(Answer::Foreign(spot.at, spot.end, format!("write `option<{}>`", ours(word)))),
        _ => None,
    }
}

/// Whether the word that begins at `start` stands where a type does.
fn is_after_type(spot: &Spot<'_>, start: usize) -> bool {
    let before = spot.statement.get(..start.saturating_sub(spot.start)).unwrap_or_default().trim_end();
    let binds = spot.first_word() == "let" && !before.contains('=');
    let field = spot.expects("`<`");
    let declares = matches!(spot.first_word(), "flow" | "record" | "variant") || binds || field;
    declares && (before.ends_with([':', '<']) || before.ends_with("->") || before.ends_with(','))
}

/// `list[str]`, `Vec<String>`: written as here where what it holds is plain, else as the form is in general.
fn parameters(spot: &Spot<'_>, start: usize, word: &str) -> Answer {
    let close = if spot.found() == "[" { ']' } else { '>' };
    let inner = spot.rest().split(close).next().filter(|inner| !inner.is_empty() && inner.chars().all(is_word));
    let form = match word {
        "Vec" | "Array" | "List" | "list" | "Sequence" | "Iterable" => "list",
        "Option" | "Optional" | "Maybe" | "option" => "option",
        _ => "",
    };
    match inner {
        Some(inner) if !form.is_empty() && spot.rest().len() > inner.len() => {
            Answer::Foreign(start, spot.end + inner.len() + 1, format!("write `{form}<{}>`", ours(inner)))
        }
        _ => Answer::Foreign(start, start + word.len(), generic(word).to_owned()),
    }
}

fn generic(word: &str) -> &'static str {
    match word {
        "Vec" | "Array" | "List" | "Sequence" | "Set" | "Iterable" | "list" | "array" | "vec" | "Seq" => {
            "a list is written `list<t>`"
        }
        "Option" | "Optional" | "Maybe" | "option" => "a value that may be missing is written `option<t>`",
        "Map" | "HashMap" | "Dict" | "dict" | "map" | "Record" | "Object" | "BTreeMap" => {
            "there is no type for maps: take a `list` of a record with two fields, or `json`"
        }
        "Promise" | "Future" | "Awaitable" | "Task" => "write the type alone: whatever uses a result waits for it",
        "Result" | "result" => "a step gives its value or fails: write the value's type, or `result<t, e>` for a failure as data",
        "Tuple" | "tuple" | "Pair" => "a tuple is written `tuple<a, b>`",
        "Union" | "Literal" => "one of several cases is a `variant` or an `enum`",
        _ => "only `list`, `option`, `result` and `tuple` have types in them",
    }
}

/// The name here of a type that is written as elsewhere; types that are not known stay.
pub(super) fn ours(written: &str) -> String {
    let name: String = written.chars().take_while(|c| is_word(*c)).collect();
    match (&*name, written.len() > name.len()) {
        ("Array" | "List", true) => {
            let inner = written.get(name.len() + 1..written.len() - 1).unwrap_or("t");
            format!("list<{}>", ours(inner))
        }
        ("String" | "str" | "Str", _) => "string".to_owned(),
        ("int" | "Int" | "Integer" | "long" | "i32" | "i64", _) => "s64".to_owned(),
        ("float" | "Float" | "double" | "Double" | "number", _) => "f64".to_owned(),
        ("boolean" | "Boolean" | "Bool", _) => "bool".to_owned(),
        ("File" | "Directory", _) => "dir".to_owned(),
        _ => name,
    }
}
