//! Types and values: mismatches, literals, operators, members.

use grammar::{Diagnostic, Span};

use super::{listed, meant};

pub(crate) fn mismatch(expected: &str, found: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::type_mismatch", format!("expected `{expected}`, found `{found}`"), at, format!("this is `{found}`"))
}

pub(crate) fn missing_value(expected: &str, at: Span) -> Diagnostic {
    Diagnostic::error(
        "flow::type_mismatch",
        format!("this block gives nothing, `{expected}` is expected"),
        at,
        "no value at its end",
    )
    .help("the last line of a block is its value: write an expression there, or `return` one")
}

pub(crate) fn empty_return(expected: &str, at: Span, flow: Span) -> Diagnostic {
    Diagnostic::error("flow::type_mismatch", format!("this `return` gives nothing, `{expected}` is expected"), at, "no value")
        .and(flow, "the flow's result is declared here")
        .help("write the value: `return value`")
}

pub(crate) fn missing_else(expected: &str, at: Span) -> Diagnostic {
    Diagnostic::error(
        "flow::type_mismatch",
        format!("an `if` without `else` gives nothing, `{expected}` is expected"),
        at,
        "no `else`",
    )
    .help("add `else { … }` with the value for the other case")
}

pub(crate) fn literal_range(literal: &str, ty: &str, range: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::literal_range", format!("`{literal}` does not fit `{ty}`"), at, "out of range")
        .help(format!("`{ty}` holds {range}"))
}

/// `list[-1]`.
pub(crate) fn counts_back(back: u64, at: Span) -> Diagnostic {
    Diagnostic::error("flow::literal_range", "items are counted from 0, not from the end", at, "out of range")
        .help(format!("write `list[len(list) - {back}]`"))
}

pub(crate) fn needs_type(what: &str, example: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::needs_type", format!("the type of {what} cannot be told from here"), at, "of which type?")
        .help(format!("state it: `{example}`"))
}

pub(crate) fn operands(operator: &str, left: &str, right: &str, at: Span, sides: (Span, Span)) -> Diagnostic {
    Diagnostic::error("flow::operands", format!("`{operator}` needs two operands of one type"), at, "cannot be applied")
        .and(sides.0, format!("this is `{left}`"))
        .and(sides.1, format!("this is `{right}`"))
}

pub(crate) fn operator(operator: &str, ty: &str, wants: &str, at: Span, operand: Span) -> Diagnostic {
    Diagnostic::error("flow::operands", format!("`{operator}` cannot be applied to `{ty}`"), at, "cannot be applied")
        .and(operand, format!("this is `{ty}`"))
        .help(format!("`{operator}` takes {wants}"))
}

/// `step or fallback`.
pub(crate) fn or_else(found: &str, at: Span, operand: Span) -> Diagnostic {
    Diagnostic::error("flow::operands", "`or` joins conditions", at, "cannot be applied")
        .and(operand, format!("this is `{found}`"))
        .help("a failure is taken by `step else other`, a missing value by `option ?? other`")
}

pub(crate) fn coalesce(found: &str, step: bool, at: Span, operand: Span) -> Diagnostic {
    let help = if step {
        "a step that fails has no value: `step else other` takes the failure"
    } else {
        "remove the `??` and what follows it"
    };
    Diagnostic::error("flow::operands", "`??` needs an option on its left", at, "cannot be applied")
        .and(operand, format!("this is `{found}`, which always has a value"))
        .help(help)
}

pub(crate) fn negative(ty: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::operands", format!("`{ty}` has no negative values"), at, "cannot be negated")
}

pub(crate) fn no_fields(field: &str, ty: &str, help: Option<String>, at: Span) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("flow::unknown_field", format!("`{ty}` has no fields, so no `{field}`"), at, "not a field");
    match help {
        Some(help) => diagnostic.help(help),
        None => diagnostic,
    }
}

pub(crate) fn unknown_field(field: &str, ty: &str, close: Option<&str>, known: &[&str], at: Span) -> Diagnostic {
    let help = meant(close, || format!("its fields are {}", listed(known)));
    Diagnostic::error("flow::unknown_field", format!("`{ty}` has no field `{field}`"), at, "no such field").help(help)
}

pub(crate) fn tuple_index(index: u32, ty: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::unknown_field", format!("`{ty}` has no member `{index}`"), at, "no such member")
        .help("members are counted from 0")
}

pub(crate) fn not_indexable(ty: &str, help: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::not_indexable", format!("`{ty}` cannot be indexed"), at, "not a list").help(help)
}

pub(crate) fn unknown_case(case: &str, ty: &str, close: Option<&str>, known: &[&str], at: Span) -> Diagnostic {
    let help = meant(close, || format!("its cases are {}", listed(known)));
    Diagnostic::error("flow::unknown_case", format!("`{ty}` has no case `{case}`"), at, "no such case").help(help)
}

pub(crate) fn case_payload_missing(case: &str, payload: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::case_payload", format!("the case `{case}` carries `{payload}`"), at, "nothing is given")
        .help(format!("write `{case}(…)`"))
}

pub(crate) fn case_payload_extra(case: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::case_payload", format!("the case `{case}` carries nothing"), at, "too much")
        .help(format!("write `{case}` alone"))
}

pub(crate) fn one_argument(name: &str, given: usize, at: Span) -> Diagnostic {
    Diagnostic::error("flow::case_payload", format!("`{name}` takes one value, {given} are given"), at, "")
        .help(format!("write `{name}(value)`; a pair is a tuple: `{name}((a, b))`"))
}

pub(crate) fn not_a_record(name: &str, what: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::not_a_record", format!("`{name}` is {what}, not a record"), at, "a record type is expected here")
}

pub(crate) fn missing_fields(ty: &str, missing: &[String], at: Span) -> Diagnostic {
    let (word, verb) = if missing.len() == 1 { ("the field", "is") } else { ("the fields", "are") };
    let message = format!("`{ty}` is not complete: {word} {} {verb} missing", listed(missing));
    Diagnostic::error("flow::missing_field", message, at, "incomplete").help(format!("add {}", listed(missing)))
}

pub(crate) fn interpolation(ty: &str, at: Span) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("flow::interpolation", format!("`{ty}` cannot stand in a text"), at, format!("this is `{ty}`"));
    if ty.starts_with("option<") {
        return diagnostic.help("say what to write when there is none: `${value ?? \"none\"}`");
    }
    diagnostic.help("texts, numbers, bools, chars, durations and enums can; make a text of anything else first, such as with `join(list, \", \")`")
}

pub(crate) fn as_source(found: &str, target: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::conversion", format!("`as` takes `json`, found `{found}`"), at, format!("this is `{found}`"))
        .help(format!("numbers widen by themselves; `json(…) as {target}` converts with a check while the flow runs"))
}

pub(crate) fn as_target(target: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::conversion", format!("`json` cannot become `{target}`"), at, "not possible")
}

pub(crate) fn too_deep(at: Span) -> Diagnostic {
    Diagnostic::error("flow::too_deep", "this is nested too deeply", at, "too deep from here on")
        .help("give parts a name with `let`, or move them to a flow of their own")
}

pub(crate) fn lambda_here(at: Span) -> Diagnostic {
    Diagnostic::error("flow::lambda_here", "`=>` can only stand in `sort_by`", at, "not possible here")
        .help("sort with `sort_by(list, x => x.key)`; for each item of a list use `map x in list { … }` or `[… for x in list]`")
}

pub(crate) fn unknown_flag(flag: &str, ty: &str, known: &[&str], at: Span) -> Diagnostic {
    Diagnostic::error("flow::unknown_case", format!("`{ty}` has no flag `{flag}`"), at, "no such flag")
        .help(format!("its flags are {}", listed(known)))
}
