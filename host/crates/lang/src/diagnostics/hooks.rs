//! `hook` items.

use grammar::{Diagnostic, Span};

use super::{listed, meant};

const HOOK: &str = "flow::hook";

pub(crate) fn unknown_phase(word: &str, at: Span) -> Diagnostic {
    Diagnostic::error(
        HOOK,
        format!("a hook is called `before` or `after` something, or for a `session`, not `{word}`"),
        at,
        "not a time",
    )
    .help("such as `hook before step search.* -> guard.check` or `hook after run -> notify.sent`")
}

pub(crate) fn unknown_event(word: &str, close: Option<&str>, known: &[&str], at: Span) -> Diagnostic {
    Diagnostic::error(HOOK, format!("there is no event `{word}` to hook into"), at, "not an event")
        .help(meant(close, || format!("events are {}", listed(known.iter().copied()))))
}

pub(crate) fn session_target(at: Span) -> Diagnostic {
    Diagnostic::error(HOOK, "a session has no parts to choose from", at, "not here")
        .help("write `hook session start -> component.function`: it is called for each session that is opened for the file")
}

pub(crate) fn not_a_handler(at: Span) -> Diagnostic {
    Diagnostic::error(HOOK, "a hook calls a function of a component, or asks a role", at, "neither of them")
        .help("name it: `-> component.function`, with `use \"plugin.wasm\" as component`, or `-> name` with `role name(…)`")
}

pub(crate) fn session_role(role: &str, at: Span) -> Diagnostic {
    Diagnostic::error(HOOK, format!("the role `{role}` cannot be asked by a session"), at, "a role")
        .help("call a function of a component: `hook session start -> component.function`")
}

pub(crate) fn wrong_target(event: &str, at: Span, named: Span) -> Diagnostic {
    let help = match event {
        "run" => "name a flow, or nothing for all: `hook after run nightly -> …`",
        "message" => "name a topic in quotes, or nothing for all: `hook before message \"orders.>\" -> …`",
        _ => "name a function `search.find`, all of a component `search.*`, or nothing for all steps",
    };
    Diagnostic::error(HOOK, format!("this does not name {}", one(event)), at, "not here").and(named, "the event").help(help)
}

pub(crate) fn one(event: &str) -> String {
    if event == "attempt" { "an attempt".to_owned() } else { format!("a {event}") }
}

pub(crate) fn unknown_input(handler: &str, param: &str, when: &str, known: &[&str], at: Span) -> Diagnostic {
    Diagnostic::error(
        HOOK,
        format!("`{handler}` has the parameter `{param}`, for which there is nothing {when}"),
        at,
        "cannot be called here",
    )
    .help(format!("a parameter of a handler is called as what it gets: {}", listed(known)))
}

pub(crate) fn input_type(handler: &str, param: &str, wanted: &str, found: &str, at: Span) -> Diagnostic {
    Diagnostic::error(
        HOOK,
        format!("the parameter `{param}` of `{handler}` is `{found}` and gets `{wanted}`"),
        at,
        format!("takes `{param}: {found}`"),
    )
    .help("documents are given as JSON in a `string`, `number` is a `u32`")
}

pub(crate) fn verdict(handler: &str, found: &str, rewrites: bool, at: Span) -> Diagnostic {
    let rewrite = if rewrites { ", `rewrite(string)`" } else { "" };
    Diagnostic::error(HOOK, format!("the result of `{handler}` decides nothing"), at, format!("gives `{found}`"))
        .help(format!("before an event a handler gives nothing, a `bool`, or a variant of `allow`, `veto(string)`{rewrite}"))
}
