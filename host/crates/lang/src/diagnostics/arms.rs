//! `race`, `any`, `undo` and `recursive`.

use grammar::{Diagnostic, Span};

/// A `race` or `any` with nothing to choose from.
pub(crate) fn few_arms(word: &str, arms: usize, at: Span) -> Diagnostic {
    let (found, help) = if arms == 0 {
        ("no arms", "write each on a line of its own: `race { a.f(x)`, then `b.f(x) }`")
    } else {
        ("only one arm", "add another on a line of its own; a form that runs alone needs none")
    };
    let help = if word == "any" { help.replace("race {", "any 2 of {") } else { help.to_owned() };
    Diagnostic::error("flow::race_arms", format!("`{word}` has {found}"), at, "at least two run at once").help(help)
}

/// An arm that only gives a name a value.
pub(crate) fn arm_binds(word: &str, at: Span) -> Diagnostic {
    let message = format!("each line of `{word}` is an arm, and this one has no value");
    Diagnostic::error("flow::race_arms", message, at, "an arm of its own")
        .help("put the lines of one arm into braces: `{ let a = first()`, then `second(a) }`")
}

/// `any n of` with a literal that does not go with the arms.
pub(crate) fn count(count: u32, arms: usize, at: Span) -> Diagnostic {
    let message = format!("`any {count} of` has {arms} arms");
    let found = if count == 0 { "nothing would have to succeed" } else { "more than there are arms" };
    Diagnostic::error("flow::any_count", message, at, found)
        .help(format!("write a number from 1 to {arms}; with 1 it is a `race` whose value is a list"))
}

/// A compensation that is a plain expression.
pub(crate) fn undo_nothing(at: Span) -> Diagnostic {
    Diagnostic::error("flow::undo_nothing", "this `undo` takes nothing back: it runs no step", at, "only a value")
        .help("give it a step, the call of a flow, or a form such as `seq { … }`: `p.book(x) undo p.cancel(x)`")
}

/// A second `undo` of one step.
pub(crate) fn undone_twice(at: Span, first: Span) -> Diagnostic {
    Diagnostic::error("flow::undo_twice", "this step has two `undo`", at, "the second one")
        .and(first, "the first one")
        .help("put both into one form: `undo seq { first()`, then `second() }`")
}

/// The result of a step in its `undo always`.
pub(crate) fn always_without_result(name: &str, at: Span, bound: Span) -> Diagnostic {
    let message = format!("`{name}` may not exist here: `undo always` also runs when the step failed");
    Diagnostic::error("flow::undo_always_result", message, at, "nothing may have been given")
        .and(bound, "bound only when the step succeeds")
        .help("use what the step was called with, or write `undo` without `always`")
}

/// The bound of `recursive`.
pub(crate) fn recursion_bound(most: u32, at: Span) -> Diagnostic {
    let message = format!("the bound of `recursive` is a whole number from 1 to {most}");
    Diagnostic::error("flow::recursion_bound", message, at, "not such a number")
        .help("write how many calls of the flow may be open inside each other: `recursive max 20`")
}

/// `recursive` on a flow that never comes back to itself.
pub(crate) fn needless_recursion(name: &str, at: Span, bound: Span) -> Diagnostic {
    Diagnostic::warning(
        "flow::not_recursive",
        format!("`{name}` does not call itself"),
        at,
        "neither directly nor through other flows",
    )
    .and(bound, "so that this bound has no meaning")
    .help("remove `recursive max …`")
}
