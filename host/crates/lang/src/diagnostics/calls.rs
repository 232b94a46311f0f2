//! Calls: steps, flows, library functions, and their arguments.

use grammar::{Diagnostic, Span};

use super::{listed, meant};

/// What is called: as messages name it, its signature, and where it was declared.
pub(crate) struct Callee {
    pub(crate) name: String,
    pub(crate) signature: String,
    pub(crate) declared: Span,
    pub(crate) note: String,
}

impl Callee {
    fn at(&self, diagnostic: Diagnostic) -> Diagnostic {
        diagnostic.and(self.declared, self.note.clone()).help(format!("signature: `{}`", self.signature))
    }
}

pub(crate) fn unknown_function(
    alias: &str,
    name: &str,
    close: Option<&str>,
    known: &[String],
    at: Span,
    used: Span,
) -> Diagnostic {
    let all = format!("it exports {}", listed(known));
    let help = close.map_or_else(|| all.clone(), |close| format!("did you mean `{alias}.{close}`? {all}"));
    Diagnostic::error("flow::unknown_function", format!("the component `{alias}` exports no function `{name}`"), at, "not found")
        .and(used, format!("`{alias}` is this component"))
        .help(help)
}

pub(crate) fn ambiguous(alias: &str, name: &str, choices: &[String], at: Span) -> Diagnostic {
    Diagnostic::error("flow::ambiguous_function", format!("`{alias}.{name}` can mean more than one function"), at, "which one?")
        .help(format!("name its interface: {}", listed(choices)))
}

pub(crate) fn refused(alias: &str, name: &str, reason: &str, at: Span, used: Span) -> Diagnostic {
    Diagnostic::error("flow::refused_function", format!("a flow cannot call `{alias}.{name}`: {reason}"), at, "cannot be called")
        .and(used, format!("`{alias}` is this component"))
        .help("the component's other functions stay callable; wrap this one in a function with plain values")
}

pub(crate) fn unknown_callee(name: &str, close: Option<&str>, at: Span) -> Diagnostic {
    let help = meant(close, || {
        super::foreign::function(name)
            .map_or_else(|| "steps are called as `component.function(…)`, flows by their name".to_owned(), str::to_owned)
    });
    Diagnostic::error("flow::unknown_name", format!("there is no function or flow `{name}`"), at, "not found").help(help)
}

pub(crate) fn unknown_alias(name: &str, close: Option<&str>, at: Span) -> Diagnostic {
    let help = match super::foreign::value(name) {
        Some(help) => help.to_owned(),
        None => meant(close, || format!("name the component first: `use \"{name}.wasm\" as {name}`")),
    };
    Diagnostic::error("flow::unknown_name", format!("there is no component or type `{name}`"), at, "not found").help(help)
}

pub(crate) fn not_callable(what: &str, help: impl Into<String>, at: Span) -> Diagnostic {
    Diagnostic::error("flow::not_callable", format!("{what} cannot be called"), at, "not a function").help(help)
}

pub(crate) fn not_called(alias: &str, name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::not_a_value", format!("`{alias}.{name}` is a function, not a value"), at, "a value is expected here")
        .help(format!("call it: `{alias}.{name}(…)`"))
}

pub(crate) fn missing_arguments(callee: &Callee, missing: &[String], at: Span) -> Diagnostic {
    let word = if missing.len() == 1 { "an argument" } else { "arguments" };
    callee.at(Diagnostic::error(
        "flow::missing_argument",
        format!("`{}` lacks {word}: {}", callee.name, listed(missing)),
        at,
        "not all are given",
    ))
}

pub(crate) fn too_many_arguments(callee: &Callee, most: usize, given: usize, at: Span) -> Diagnostic {
    let (word, are) = (if most == 1 { "argument" } else { "arguments" }, if given == 1 { "is" } else { "are" });
    let message = format!("`{}` takes {most} {word}, {given} {are} given", callee.name);
    callee.at(Diagnostic::error("flow::too_many_arguments", message, at, "too much from here on"))
}

pub(crate) fn unknown_argument(callee: &Callee, name: &str, close: Option<&str>, at: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        "flow::unknown_argument",
        format!("`{}` has no parameter `{name}`", callee.name),
        at,
        "no such parameter",
    )
    .and(callee.declared, callee.note.clone());
    match close {
        Some(close) => diagnostic.help(format!("did you mean `{close}`? signature: `{}`", callee.signature)),
        None => diagnostic.help(format!("signature: `{}`", callee.signature)),
    }
}

pub(crate) fn repeated_argument(name: &str, at: Span, first: Span) -> Diagnostic {
    Diagnostic::error("flow::repeated_argument", format!("the argument `{name}` is given twice"), at, "again here")
        .and(first, "first here")
        .help("remove one of them")
}

pub(crate) fn positional_after_named(at: Span) -> Diagnostic {
    Diagnostic::error("flow::argument_order", "an argument without a name follows one with a name", at, "which parameter?")
        .help("name this one too, or put it first")
}

pub(crate) fn library(name: &str, usage: &str, problem: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::library_argument", format!("`{name}` {problem}"), at, "").help(format!("usage: `{usage}`"))
}

pub(crate) fn step_here(what: &str, place: &str, help: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::step_here", format!("{what} cannot stand in {place}"), at, "not possible here").help(help)
}
