//! Roles, and `ask`.

use grammar::{Diagnostic, Span};

use super::meant;

pub(crate) fn unknown(name: &str, close: Option<&str>, at: Span) -> Diagnostic {
    let help = meant(close, || format!("declare it: `role {name}(text: string) -> string`, or import it"));
    Diagnostic::error("flow::unknown_role", format!("there is no role `{name}`"), at, "not found").help(help)
}

pub(crate) fn not_a_role(name: &str, what: &str, at: Span) -> Diagnostic {
    let help = match what {
        "a flow" => format!("call it: `{name}(…)`"),
        "a component" => format!("call one of its functions: `{name}.function(…)`"),
        _ => "`ask` takes the name of a `role`".to_owned(),
    };
    Diagnostic::error("flow::unknown_role", format!("`{name}` is {what}, not a role"), at, "a role is asked here").help(help)
}

pub(crate) fn differs(name: &str, at: Span, first: Span) -> Diagnostic {
    Diagnostic::error(
        "flow::role_differs",
        format!("the role `{name}` is declared with other types in another file"),
        at,
        "declared here",
    )
    .and(first, "and otherwise here")
    .help("agents are found by the name of a role: give both the same types, or import one of them, or rename it")
}
