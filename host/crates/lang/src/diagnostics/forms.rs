//! Structured forms: `if`, `match`, `map`, `reduce`, `loop`, `return`, and what is attached to steps.

use grammar::{Diagnostic, Span};

use super::listed;

pub(crate) fn not_a_list(form: &str, found: &str, at: Span) -> Diagnostic {
    Diagnostic::error(
        "flow::not_a_list",
        format!("`{form}` goes through a list, found `{found}`"),
        at,
        format!("this is `{found}`"),
    )
    .help(match found {
        "json" => "convert it first: `value as list<json>`".to_owned(),
        "string" => "cut the text first: `split(text, \" \")`".to_owned(),
        _ => "give it a list, such as `[a, b]` or `range(0, 10)`".to_owned(),
    })
}

pub(crate) fn loop_without_bound(at: Span) -> Diagnostic {
    Diagnostic::error("flow::loop_bound", "this `loop` has no bound", at, "may never end")
        .help("say how often its body may run: `loop x = init until condition max 5 { … }`")
}

pub(crate) fn zero_bound(what: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::zero", format!("{what} must be at least 1"), at, "nothing could ever run")
        .help("write a greater number, or leave it out")
}

pub(crate) fn return_here(form: &str, at: Span) -> Diagnostic {
    Diagnostic::error(
        "flow::return_here",
        format!("`return` cannot stand in the body of `{form}`"),
        at,
        "would end the whole flow",
    )
    .help("the last line of the body is its value; to stop early, choose with `if`, or `return` after the form")
}

pub(crate) fn return_value(found: &str, at: Span, flow: Span) -> Diagnostic {
    Diagnostic::error(
        "flow::type_mismatch",
        format!("this flow gives nothing, found `{found}`"),
        at,
        format!("this is `{found}`"),
    )
    .and(flow, "no result is declared here")
    .help(format!("declare the result: `flow name(…) -> {found}`"))
}

pub(crate) fn unreachable_statement(at: Span) -> Diagnostic {
    Diagnostic::warning("flow::unreachable", "this is never reached", at, "after a `return`").help("remove it")
}

pub(crate) fn unreachable_branch(value: bool, at: Span, condition: Span) -> Diagnostic {
    Diagnostic::warning("flow::unreachable", "this branch is never reached", at, "cannot run")
        .and(condition, format!("this is always `{value}`"))
        .help("remove the branch, or make the condition depend on something")
}

pub(crate) fn unreachable_arm(at: Span) -> Diagnostic {
    Diagnostic::warning("flow::unreachable", "this arm is never reached", at, "the arms before it take everything that it takes")
        .help("remove it, or move it up")
}

pub(crate) fn not_exhaustive(missing: &str, at: Span) -> Diagnostic {
    let arm = if missing == "_" { "_ => …".to_owned() } else { format!("{missing} => …") };
    let help = if missing == "_" {
        format!("add the arm `{arm}`")
    } else {
        format!("add the arm `{arm}`, or `_ => …` for all others")
    };
    let message = if missing == "_" {
        "this `match` does not cover all values".to_owned()
    } else {
        format!("this `match` does not cover `{missing}`")
    };
    Diagnostic::error("flow::not_exhaustive", message, at, "not covered").help(help)
}

pub(crate) fn pattern(pattern: &str, ty: &str, at: Span, subject: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error("flow::pattern", format!("the pattern {pattern} cannot match `{ty}`"), at, "never fits");
    // A mock has nothing to point at.
    if subject.start == subject.end { diagnostic } else { diagnostic.and(subject, format!("this is `{ty}`")) }
}

pub(crate) fn tuple_pattern(expected: usize, found: usize, at: Span) -> Diagnostic {
    Diagnostic::error("flow::pattern", format!("a tuple of {expected} is matched with {found} patterns"), at, "")
        .help("use `_` for members that do not matter")
}

pub(crate) fn attached(word: &str, at: Span) -> Diagnostic {
    let help = match word {
        "else" => {
            "`else` takes the failure of a step; for a missing value use `??`, for a choice `if … { } else { }`, for a failing expression `try { } catch e { }`"
        }
        "undo" => "`undo` takes back what a step did, or a form such as `seq { … }`",
        "after" => "only steps and forms such as `map` are ordered by `after`",
        _ => "policy belongs to steps and forms such as `map` or `seq { … }`",
    };
    Diagnostic::error("flow::attached", format!("`{word}` can only be attached to a step or a structured form"), at, "not a step")
        .help(help)
}

pub(crate) fn let_here(what: &str, place: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::step_here", format!("{what} cannot stand in {place}"), at, "not possible here")
        .help("bind it with `let` before, or use `map` for each item of a list")
}

pub(crate) fn after_expression(names: &[&str], at: Span) -> Diagnostic {
    Diagnostic::error(
        "flow::unknown_name",
        format!("`after` waits for names bound with `let`, not for {}", listed(names)),
        at,
        "not bound in this flow",
    )
    .help("bind the earlier step with `let`, or put both in `seq { … }`")
}
