//! Operators of other languages.

use super::{Answer, Spot};

const SIGNS: &str = "=!<>+-*/%|&.?:^~@$";

const BY_DATA: &str =
    "order comes from data: `let a = first()`, then `second(a)`; without data between them write `second() after a`";
const NO_BITS: &str = "there are no operations on bits; a component can have them";
const ONCE: &str = "a name never changes; a value that changes step by step is a `loop` or a `reduce`";
const OPEN_OPTION: &str =
    "a value that may be missing is opened with a default, `x ?? other`, or by `match x { some(y) => …, none => … }`";

/// The whole operator that the place is in.
fn run(spot: &Spot<'_>) -> Option<(usize, usize)> {
    let is_sign = |c: char| SIGNS.contains(c);
    let before = spot.text.get(..spot.at)?;
    let after = spot.text.get(spot.at..)?;
    let start = before.trim_end_matches(is_sign).len();
    let end = spot.at + after.len() - after.trim_start_matches(is_sign).len();
    (start < end).then_some((start, end))
}

pub(super) fn answer(spot: &Spot<'_>) -> Option<Answer> {
    let (mut start, end) = run(spot)?;
    if spot.text.get(start..end) == Some("=$") {
        start += 1;
    }
    let sign = spot.text.get(start..end)?;
    let before = spot.text.get(..start)?.trim_end();
    let rest = spot.text.get(end..)?.lines().next().unwrap_or_default();
    let after_value = before.ends_with(|c: char| super::is_word(c) || matches!(c, ')' | ']' | '"'));
    let help = match sign {
        "===" => "write `==`",
        "!==" | "<>" | "~=" | "=/=" => "write `!=`",
        "=<" => "write `<=`",
        "**" if after_value => "there is no sign for powers: write `x * x`",
        "*" | "**" | "..." if before.ends_with(['(', ',', '[']) => {
            "arguments and parameters are written one by one, arguments also by name as in `f(limit: 3)`; lists are joined with `+`"
        }
        "..." if !after_value && spot.bracket().is_none() => {
            "a record is written with all its fields: `type { a: other.a, b: 2 }`"
        }
        ".." | "..=" | "..." => "write `range(start, end)`, which leaves out the end",
        "++" | "--" if rest.trim().is_empty() || rest.trim_start().starts_with(')') => ONCE,
        "++" => "texts and lists are joined with `+`",
        "+=" | "-=" | "*=" | "/=" | "%=" | "??=" | "||=" | "&&=" => ONCE,
        "<<" | "<<-" if !after_value => "a text of several lines stands between `\"\"\"`",
        ">>" | "<<" | "|>" | "~>" if after_value => BY_DATA,
        "->" if after_value && spot.expects("the end of the statement") => BY_DATA,
        "|" => pipe(spot, after_value),
        "&" | "*" if !after_value => "values are passed on as they are: write the name alone",
        "&" | "^" | "~" => NO_BITS,
        "?." => "a field of a value that may be missing: `(x ?? other).field`, or `match x { some(y) => y.field, none => … }`",
        "?:" => "write `??`",
        "?" => question(spot, rest),
        "!" if rest.starts_with(['(', '[']) => "there are no macros: a text takes values as `\"${x}\"`, a list is `[1, 2]`",
        "!" | "!!" | "!." if after_value => OPEN_OPTION,
        "::" | "::<" => "write `.`: `component.function(…)`, `type.case`",
        "@" => "policy is written behind a step, or before the body of a flow: `with { retry: 3 }`",
        "$" if rest.starts_with(['(', '{']) => "write the value alone; `${…}` stands inside of texts",
        "$" => "write the name alone; inside of a text `${name}`",
        "." if rest.starts_with(|c: char| c.is_ascii_digit()) => "write `0.5`, with a digit before the point",
        "%" if rest.trim().is_empty() => "write the share as a number: `0.5`",
        _ => return None,
    };
    Some(match sign {
        "->" | "." | "%" | "*" => Answer::Misplaced(start, end, help.to_owned()),
        _ => Answer::Foreign(start, end, help.to_owned()),
    })
}

fn pipe(spot: &Spot<'_>, after_value: bool) -> &'static str {
    if !after_value {
        "a function of one value is written `x => value`"
    } else if spot.expects("`=>`") {
        "write an arm for each pattern"
    } else if spot.first_word() == "enum" {
        "cases stand in braces: `enum color { red, green }`"
    } else {
        BY_DATA
    }
}

fn question(spot: &Spot<'_>, rest: &str) -> &'static str {
    if rest.starts_with(' ') && rest.contains(':') {
        "write `if condition { a } else { b }`"
    } else if rest.starts_with(' ') && spot.bracket().is_none() {
        "write `if condition { a } else { b }`; a value that may be missing gets a default with `x ?? other`"
    } else {
        "a step that fails ends the flow by itself, so remove it; `step else other` takes the failure, `x ?? other` a missing value"
    }
}
