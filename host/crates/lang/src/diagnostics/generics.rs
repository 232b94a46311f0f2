//! Parameters that are components or flows, and interfaces.

use catalog::{Name, Signature};
use grammar::{Diagnostic, Span};

use super::{listed, meant};

/// What is passed, as messages call it.
pub(crate) struct Subject {
    pub(crate) name: Name,
    /// "the component" or "the interface".
    pub(crate) what: &'static str,
    /// "exports" or "declares".
    pub(crate) verb: &'static str,
}

/// Where and for what it is passed.
pub(crate) struct Place<'x> {
    pub(crate) at: Span,
    pub(crate) param: &'x str,
    pub(crate) declared: Span,
    pub(crate) interface: &'x str,
}

/// A function of an interface.
pub(crate) struct Wanted<'x> {
    pub(crate) name: &'x str,
    /// `work: func(task: string) -> string`.
    pub(crate) signature: String,
    pub(crate) declared: Span,
}

impl Place<'_> {
    fn at(&self, diagnostic: Diagnostic) -> Diagnostic {
        diagnostic.and(self.declared, format!("the parameter `{}` takes `{}`", self.param, self.interface))
    }
}

pub(crate) fn missing_functions(
    subject: &Subject,
    place: &Place<'_>,
    names: &[&Name],
    signatures: &[String],
    declared: Span,
    (close, known): (Option<&str>, &[String]),
) -> Diagnostic {
    let name = &subject.name;
    let message = format!("`{name}` does not fit `{}`: it {} no {}", place.interface, subject.verb, either(names));
    let mut help = format!("wanted: {}", listed(signatures));
    if known.is_empty() {
        help = format!("{help}\n`{name}` {} no function that a flow can call", subject.verb);
    } else {
        help = format!("{help}\n`{name}` {} {}", subject.verb, listed(known));
    }
    if let Some(close) = close {
        help = format!("{help}; is `{close}` meant? the names must be the same");
    }
    let diagnostic = Diagnostic::error("flow::missing_function", message, place.at, format!("{} `{name}`", subject.what));
    place.at(diagnostic).and(declared, "declared here").help(help)
}

fn either(names: &[&Name]) -> String {
    listed(names).replace(" and ", " and no ")
}

pub(crate) fn function_differs(
    subject: &Subject,
    place: &Place<'_>,
    wanted: &Wanted<'_>,
    found: &Signature,
    why: &str,
) -> Diagnostic {
    let name = &subject.name;
    let message = format!("`{name}` does not fit `{}`: its function `{}` differs", place.interface, wanted.name);
    let help = format!("{why}\nwanted: `{}`\nfound: `{}: {found}`", wanted.signature, wanted.name);
    let diagnostic = Diagnostic::error("flow::function_differs", message, place.at, format!("{} `{name}`", subject.what));
    place.at(diagnostic).and(wanted.declared, "declared here").help(help)
}

pub(crate) fn ambiguous_export(subject: &Subject, place: &Place<'_>, function: &str, choices: &[String]) -> Diagnostic {
    let interfaces: Vec<&str> =
        choices.iter().map(|choice| choice.rsplit_once('.').map_or(&**choice, |(path, _)| path)).collect();
    let message = format!("`{}.{function}` can mean more than one function", subject.name);
    let diagnostic = Diagnostic::error("flow::ambiguous_function", message, place.at, "which one?");
    place.at(diagnostic).help(format!("pass one interface of the component: {}", listed(interfaces)))
}

pub(crate) fn refused_export(subject: &Subject, place: &Place<'_>, function: &str, reason: &str) -> Diagnostic {
    let message = format!("a flow cannot call `{}.{function}`: {reason}", subject.name);
    let label = format!("{} `{}`", subject.what, subject.name);
    place
        .at(Diagnostic::error("flow::refused_function", message, place.at, label))
        .help("pass a component whose function takes and gives plain values")
}

pub(crate) fn unknown_member(
    (param, interface): (&str, &str),
    name: &str,
    close: Option<&str>,
    known: &[String],
    at: Span,
    declared: Span,
) -> Diagnostic {
    let all = if known.is_empty() { "it declares none".to_owned() } else { format!("it declares {}", listed(known)) };
    let help = close.map_or_else(|| all.clone(), |close| format!("did you mean `{param}.{close}`? {all}"));
    let message = format!("the interface `{interface}` has no function `{name}`");
    Diagnostic::error("flow::unknown_function", message, at, "not found")
        .and(declared, format!("`{param}` takes a component that fits this interface"))
        .help(help)
}

pub(crate) fn member_path(param: &str, interface: &str, at: Span, declared: Span) -> Diagnostic {
    let message = format!("functions of the parameter `{param}` are called as `{param}.function(…)`");
    Diagnostic::error("flow::not_callable", message, at, "one part too many")
        .and(declared, format!("`{interface}` has no interfaces inside"))
}

pub(crate) fn not_a_component(
    found: &str,
    (param, interface): (&str, &str),
    close: Option<&str>,
    fitting: &[String],
    at: Span,
    declared: Span,
) -> Diagnostic {
    let help = meant(close, || {
        if fitting.is_empty() {
            format!("name a component that fits `{interface}` with `use \"….wasm\" as name`, and pass the name")
        } else {
            format!("pass the name of a component, such as {}", listed(fitting))
        }
    });
    Diagnostic::error(
        "flow::not_a_component",
        format!("`{param}` takes a component, found {found}"),
        at,
        "a component is expected here",
    )
    .and(declared, format!("the parameter `{param}` takes `{interface}`"))
    .help(help)
}

pub(crate) fn unknown_interface(
    alias: &str,
    name: &str,
    close: Option<&str>,
    known: &[String],
    at: Span,
    used: Span,
) -> Diagnostic {
    let help = meant(close, || {
        if known.is_empty() {
            format!("its functions are in no interface: pass `{alias}`")
        } else {
            format!("it exports the interfaces {}", listed(known))
        }
    });
    Diagnostic::error(
        "flow::unknown_interface",
        format!("the component `{alias}` exports no interface `{name}`"),
        at,
        "not found",
    )
    .and(used, format!("`{alias}` is this component"))
    .help(help)
}

pub(crate) fn not_a_flow(
    found: &str,
    (param, ty): (&str, &str),
    close: Option<&str>,
    help: impl FnOnce() -> String,
    at: Span,
    declared: Span,
) -> Diagnostic {
    Diagnostic::error("flow::not_a_flow", format!("`{param}` takes a flow, found {found}"), at, "a flow is expected here")
        .and(declared, format!("the parameter `{param}` takes `{ty}`"))
        .help(meant(close, help))
}

pub(crate) fn flow_differs(
    name: &str,
    (param, ty): (&str, &str),
    (why, found): (&str, &str),
    at: Span,
    declared: Span,
    flow: Span,
) -> Diagnostic {
    Diagnostic::error("flow::flow_differs", format!("the flow `{name}` does not fit `{ty}`"), at, "this flow")
        .and(declared, format!("the parameter `{param}` takes this type"))
        .and(flow, "declared here")
        .help(format!("{why}\nwanted: `{ty}`\nfound: `{found}`"))
}

pub(crate) fn parameter_value(name: &str, what: &str, help: impl Into<String>, at: Span, declared: Span) -> Diagnostic {
    Diagnostic::error("flow::not_a_value", format!("`{name}` is {what}, not a value"), at, "a value is expected here")
        .and(declared, "a parameter that is known when the flow is compiled")
        .help(help)
}

pub(crate) fn compile_time_type(what: &str, at: Span, declared: Option<Span>) -> Diagnostic {
    let message = format!("{what} can only be the type of a flow's parameter");
    let diagnostic = Diagnostic::error("flow::compile_time_type", message, at, "not possible here")
        .help("values of it do not exist while a flow runs; take one parameter for each: `flow name(a: …, b: …)`");
    match declared {
        Some(declared) => diagnostic.and(declared, "declared here"),
        None => diagnostic,
    }
}

pub(crate) fn component_default(param: &str, interface: &str, at: Span, declared: Span) -> Diagnostic {
    Diagnostic::error(
        "flow::component_default",
        format!("the component parameter `{param}` cannot have a default"),
        at,
        "not possible here",
    )
    .and(declared, format!("it takes `{interface}`"))
    .help("remove the default: who calls the flow chooses the component")
}

pub(crate) fn interface_type(found: &str, wit: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::interface_type", format!("no component has a function with `{found}`"), at, "only flows have this")
        .help(format!("write `{wit}`, as the component does: a `{found}` can be passed for it"))
}

pub(crate) fn generic_entry(name: &str, params: &[String], at: Span) -> Diagnostic {
    let message = format!("`{name}` cannot be started: it takes {} when it is compiled", listed(params));
    Diagnostic::error("flow::generic_entry", message, at, "needs arguments that are not data")
        .help(format!("start a flow that calls it: `flow main(…) {{ {name}(…) }}`"))
}

pub(crate) fn too_many_instances(most: usize, at: Span) -> Diagnostic {
    let message = format!("flows with component and flow parameters are used in more than {most} combinations");
    Diagnostic::error("flow::too_many_instances", message, at, "one too many")
        .help("each combination of arguments is compiled by itself; pass fewer different ones")
}
