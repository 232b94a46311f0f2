//! Names: declared twice, hidden, unknown, unused.

use grammar::{Diagnostic, Span};

use super::{listed, meant};

pub(crate) fn duplicate(name: &str, at: Span, first: Span) -> Diagnostic {
    Diagnostic::error("flow::duplicate_name", format!("`{name}` is declared twice"), at, "declared again here")
        .and(first, "first declared here")
        .help("types, classes, flows, components and imports of a file share one set of names; rename one of them")
}

pub(crate) fn duplicate_member(what: &str, name: &str, at: Span, first: Span) -> Diagnostic {
    Diagnostic::error("flow::duplicate_name", format!("the {what} `{name}` stands twice"), at, "again here")
        .and(first, "first here")
        .help("remove or rename one of them")
}

pub(crate) fn case_only(name: &str, other: &str, at: Span, first: Span) -> Diagnostic {
    Diagnostic::error("flow::case_only", format!("`{name}` differs from `{other}` only by case"), at, "this one")
        .and(first, format!("`{other}` stands here"))
        .help("rename one of them: components cannot tell them apart")
}

pub(crate) fn reserved(name: &str, what: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::reserved_name", format!("`{name}` is {what}"), at, "cannot be declared again")
        .help("choose another name")
}

pub(crate) fn shadowed(name: &str, at: Span, first: Span) -> Diagnostic {
    Diagnostic::error("flow::shadowed", format!("`{name}` hides another `{name}` of this flow"), at, "bound again here")
        .and(first, "still visible from here")
        .help(format!("rename one of them, such as `{name}_2`: a name means one thing in a flow"))
}

pub(crate) fn unknown(name: &str, close: Option<&str>, at: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error("flow::unknown_name", format!("nothing here is called `{name}`"), at, "not found");
    match (super::foreign::value(name), close) {
        (Some(help), _) => diagnostic.help(help),
        (None, Some(close)) => diagnostic.help(format!("did you mean `{close}`?")),
        (None, None) => diagnostic.help(format!("bind it first: `let {name} = …`, or make it a parameter of the flow")),
    }
}

pub(crate) fn bound_later(name: &str, at: Span, bound: Span) -> Diagnostic {
    Diagnostic::error("flow::unknown_name", format!("`{name}` is used before it is bound"), at, "not bound yet")
        .and(bound, "bound here")
        .help("move that line up: what a step uses comes before it")
}

pub(crate) fn out_of_block(name: &str, at: Span, bound: Span) -> Diagnostic {
    Diagnostic::error("flow::unknown_name", format!("`{name}` is bound in a block that has ended"), at, "not visible here")
        .and(bound, "bound here")
        .help(format!("let the block give the value: `let {name} = if condition {{ a }} else {{ b }}`"))
}

pub(crate) fn not_a_value(name: &str, what: &str, help: impl Into<String>, at: Span) -> Diagnostic {
    Diagnostic::error("flow::not_a_value", format!("`{name}` is {what}, not a value"), at, "a value is expected here").help(help)
}

pub(crate) fn unknown_type(name: &str, close: Option<&str>, at: Span) -> Diagnostic {
    let help = meant(close, || match name {
        "void" | "unit" | "None" | "null" | "nothing" => "a flow without a result has no `->`".to_owned(),
        _ => format!("declare it: `record {name} {{ … }}`, or import it"),
    });
    Diagnostic::error("flow::unknown_type", format!("there is no type `{name}`"), at, "not a type").help(help)
}

pub(crate) fn type_without_parameters(name: &str, at: Span) -> Diagnostic {
    let form = match name {
        "tuple" => "tuple<a, b>",
        "result" => "result<t, e>",
        "option" => "option<t>",
        _ => "list<t>",
    };
    Diagnostic::error("flow::unknown_type", format!("`{name}` needs to know what it holds"), at, "incomplete type")
        .help(format!("write `{form}`"))
}

pub(crate) fn not_a_type(name: &str, what: &str, at: Span, declared: Span) -> Diagnostic {
    Diagnostic::error("flow::unknown_type", format!("`{name}` is {what}, not a type"), at, "a type is expected here")
        .and(declared, "declared here")
}

pub(crate) fn unknown_component_type(
    alias: &str,
    name: &str,
    close: Option<&str>,
    known: &[&str],
    at: Span,
    used: Span,
) -> Diagnostic {
    let help = meant(close, || {
        if known.is_empty() { format!("`{alias}` declares no types") } else { format!("it declares {}", listed(known)) }
    });
    Diagnostic::error("flow::unknown_type", format!("the component `{alias}` declares no type `{name}`"), at, "not found")
        .and(used, format!("`{alias}` is this component"))
        .help(help)
}

pub(crate) fn unknown_import(name: &str, path: &str, close: Option<&str>, known: &[&str], at: Span) -> Diagnostic {
    let help = meant(close, || {
        if known.is_empty() {
            format!("`{path}` declares nothing that can be imported")
        } else {
            format!("it declares {}", listed(known))
        }
    });
    Diagnostic::error("flow::unknown_import", format!("`{path}` declares no `{name}`"), at, "not found in that file").help(help)
}

pub(crate) fn imported_use(name: &str, at: Span, declared: Span) -> Diagnostic {
    Diagnostic::error(
        "flow::unknown_import",
        format!("the component `{name}` cannot be imported"),
        at,
        "a component of that file",
    )
    .and(declared, "used there")
    .help("write a `use` of your own, or import a flow that calls it")
}

pub(crate) fn imported_import(name: &str, path: &str, from: &str, at: Span) -> Diagnostic {
    let message = format!("`{path}` does not declare `{name}`, it imports it");
    Diagnostic::error("flow::unknown_import", message, at, "not declared in that file")
        .help(format!("import it from where `{path}` does: `{from}`, seen from there"))
}

pub(crate) fn recursive_type(name: &str, at: Span, declared: Span) -> Diagnostic {
    Diagnostic::error("flow::recursive_type", format!("the type `{name}` contains itself"), at, "here it is part of itself")
        .and(declared, "declared here")
        .help("components cannot have such a type; keep a `list` of parts that name each other, or use `json`")
}

pub(crate) fn huge_type(at: Span) -> Diagnostic {
    Diagnostic::error("flow::huge_type", "this type is too large or too deeply nested", at, "expands to this type")
        .help("split it: at most 100 levels and 10,000 members when all names are expanded")
}

pub(crate) fn dir_type(at: Span) -> Diagnostic {
    Diagnostic::error("flow::dir_type", "a `dir` can only be a parameter of a flow", at, "not possible here")
        .help("pass the folder as a parameter of its own: `flow name(folder: dir)`")
}

pub(crate) fn unused_let(name: &str, at: Span) -> Diagnostic {
    Diagnostic::warning("flow::unused", format!("`{name}` is never used"), at, "bound here")
        .help(format!("remove it, or call it `_{name}` when that is meant"))
}

pub(crate) fn unused_value(at: Span) -> Diagnostic {
    Diagnostic::warning("flow::unused", "this value is never used", at, "computed for nothing")
        .help("bind it with `let`, or remove it")
}

pub(crate) fn unused_use(alias: &str, at: Span) -> Diagnostic {
    Diagnostic::warning("flow::unused", format!("the component `{alias}` is never used"), at, "named here")
        .help("remove the `use`")
}

pub(crate) fn unused_import(name: &str, at: Span) -> Diagnostic {
    Diagnostic::warning("flow::unused", format!("the import `{name}` is never used"), at, "imported here")
        .help("remove it from the `import`")
}

pub(crate) fn recursion(names: &[&str], at: Span) -> Diagnostic {
    let message = format!("flows call each other in a cycle: {}", names.join(" → "));
    Diagnostic::error("flow::recursion", message, at, "closes the cycle").help(
        "say how deep one of them may go: `flow name(…) -> type recursive max 20 { … }`; or repeat with `loop … max n` or `map`",
    )
}
