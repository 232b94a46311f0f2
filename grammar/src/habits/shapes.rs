//! How each form is written, for the help of one that is not complete.

use super::Spot;

/// The shape of the last form that the statement begins.
pub(crate) fn shape(spot: &Spot<'_>) -> Option<&'static str> {
    if spot.statement.starts_with("mock wait") {
        return Some("write `mock wait signal name => value` or `mock wait message \"topic\" => value`");
    }
    let mut shape = None;
    let mut before = ' ';
    let line = spot.text.get(..spot.start).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let line = spot.text.get(line..spot.at).unwrap_or_default();
    let declared = line.split(' ').next().unwrap_or_default();
    // The fields of a record stand in braces, as statements do.
    if spot.start > 0 && matches!(declared, "record" | "enum" | "variant" | "class") {
        return of(declared);
    }
    for word in spot.statement.split_inclusive(|c: char| !super::is_word(c)) {
        let name = word.trim_end_matches(|c: char| !super::is_word(c));
        if before != '.' {
            let complete = name == "let" && spot.statement.contains('=');
            shape = of(name).filter(|_| !complete).or(shape);
        }
        before = word.chars().next_back().unwrap_or(' ');
    }
    shape
}

fn of(word: &str) -> Option<&'static str> {
    Some(match word {
        "race" => "write `race { first() second() }`, an arm on each line",
        "any" => "write `any 2 of { first() second() third() }`, an arm on each line",
        "wait" => "write `wait 10m`, `wait signal name: type` or `wait message \"topic\": type`",
        "emit" => "write `emit \"topic\" value`",
        "ask" => "write `ask role(argument)`",
        "mock" => "write `mock component.function(_) => value`, with a pattern for each argument",
        "assert" => "write `assert condition`, or `assert condition else \"message\"`",
        "on" => "write `on schedule \"0 9 * * mon-fri\" -> flow()`, `on event \"topic\" -> …` or `on webhook \"/path\" -> …`",
        "hook" => "write `hook before step search.* -> guard.check`",
        "test" => "write `test \"name\" { … }`",
        "let" => "write `let name = value`",
        "if" => "write `if condition { … } else { … }`",
        "match" => "write `match x { pattern => value, _ => other }`",
        "map" => "write `map x in list { … }`",
        "reduce" => "write `reduce total = 0, x in list { … }`, or `reduce a, b in list { … }` to join pairs",
        "loop" => "write `loop x = start until condition max 5 { next }`",
        "try" => "write `try { … } catch e { … }`",
        "phase" => "write `phase name { … }`",
        "require" => "write `require condition else \"message\"`",
        "flow" => "write `flow name(parameter: type) -> type { … }`",
        "record" => "write `record name { field: type, other: type }`",
        "enum" => "write `enum name { one, other }`",
        "variant" => "write `variant name { one, other(type) }`",
        "class" => "a class of steps is written `class small { memory: 64MiB }`",
        "use" => "write `use \"file.wasm\" as name`",
        "import" => "write `import \"file.flow\" { name }`",
        "package" => "write `package owner:name@1.0.0`",
        _ => return None,
    })
}
