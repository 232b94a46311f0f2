//! `with`, `allow` and classes.

use grammar::{Diagnostic, Span};

use super::{listed, meant};

pub(crate) fn unknown(key: &str, close: Option<&str>, known: &[&str], at: Span) -> Diagnostic {
    let help = match super::foreign::setting(key) {
        Some(help) => help.to_owned(),
        None => meant(close, || format!("known here are {}", listed(known))),
    };
    Diagnostic::error("flow::unknown_setting", format!("there is no setting `{key}`"), at, "not a setting").help(help)
}

/// A field in a `class`, which elsewhere is a type.
pub(crate) fn field_in_class(key: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::unknown_setting", format!("there is no setting `{key}`"), at, "not a setting")
        .help("a class is a set of limits that steps share: `class small { memory: 64MiB }`; a type is declared with `record`")
}

pub(crate) fn misplaced(key: &str, place: &str, known: &[&str], at: Span) -> Diagnostic {
    let help = match key {
        "on_error" => "`on_error` belongs to a `map`".to_owned(),
        "parallel" => "`parallel` belongs to a `map`, a block, a flow or a class".to_owned(),
        "budget" => {
            "`budget` belongs to a block, a `map`, a flow, the call of a flow or a `run plan`; a step has `fuel`, `retry` and `deadline`"
                .to_owned()
        }
        "steps" | "time" => format!("`{key}` belongs to a budget: `budget: {{ steps: 100, time: 5m }}`"),
        _ => format!("known here are {}", listed(known)),
    };
    Diagnostic::error("flow::misplaced_setting", format!("`{key}` has no meaning on {place}"), at, "not here").help(help)
}

pub(crate) fn repeated(key: &str, at: Span, first: Span) -> Diagnostic {
    Diagnostic::error("flow::repeated_setting", format!("`{key}` is set twice"), at, "again here")
        .and(first, "first here")
        .help("remove one of them")
}

pub(crate) fn value(key: &str, wants: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::setting_value", format!("`{key}` takes {wants}"), at, "not that")
}

pub(crate) fn shared_literal(key: &str, at: Span) -> Diagnostic {
    value(key, "a literal here", at).help("all attempts share it, so it is known before the run starts")
}

pub(crate) fn empty_budget(at: Span) -> Diagnostic {
    Diagnostic::error("flow::setting_value", "`budget` bounds nothing", at, "empty")
        .help("name at least one of `steps`, `fuel` and `time`, such as `budget: { steps: 100 }`")
}

pub(crate) fn unknown_class(name: &str, close: &str, at: Span) -> Diagnostic {
    Diagnostic::warning(
        "flow::unknown_class",
        format!("no file of this flow declares the class `{name}`"),
        at,
        "must be a class of the host",
    )
    .help(format!("did you mean `{close}`?"))
}

pub(crate) fn class_differs(name: &str, at: Span, first: Span) -> Diagnostic {
    Diagnostic::error(
        "flow::duplicate_name",
        format!("the class `{name}` is declared with other limits elsewhere"),
        at,
        "declared again here",
    )
    .and(first, "first declared here")
    .help("rename one of them, or import it from one file")
}

pub(crate) fn unknown_grant(name: &str, close: Option<&str>, at: Span) -> Diagnostic {
    let help = meant(close, || {
        "capabilities are `read folder`, `read_write folder`, `http \"host\"`, `env \"NAME\"`, `clock`, `random`, \
         `mail_send \"topic\"`, `mail_receive \"topic\"` and `mail_ask role`"
            .to_owned()
    });
    Diagnostic::error("flow::grant", format!("there is no capability `{name}`"), at, "not a capability").help(help)
}

pub(crate) fn grant_subject(capability: &str, wants: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::grant", format!("`{capability}` {wants}"), at, "").help(match capability {
        "http" => "write `http \"api.example.com\"`",
        "env" => "write `env \"NAME\"`",
        "mail_send" => "write `mail_send \"orders.new\"`, or a pattern such as `mail_send \"orders.*\"`",
        "mail_receive" => "write `mail_receive \"orders.new\"`",
        "mail_ask" => "write `mail_ask reviewer`, with `role reviewer(…)` in the file",
        "read" | "read_write" => "name the folder's parameter: `read folder`",
        _ => "write the word alone",
    })
}

pub(crate) fn folder_on_use(capability: &str, place: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::grant", format!("a folder cannot be named on {place}"), at, "no parameter is in scope here")
        .help(format!("write `{capability}` alone: whichever folder the flow grants"))
}

pub(crate) fn mail_on_hook(capability: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::grant", "the handler of a hook has no mail", at, "not on a hook")
        .help(format!("take `{capability}` out of the `allow`, and let a step of the flow send or ask"))
}

pub(crate) fn folder_on_hook(capability: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::grant", format!("`{capability}` cannot be granted to a hook"), at, "no parameter is in scope here")
        .help("a hook may be granted `http`, `env`, `clock` and `random`")
}

pub(crate) fn not_a_folder(name: &str, found: &str, at: Span, declared: Span) -> Diagnostic {
    Diagnostic::error(
        "flow::grant",
        format!("only a parameter of type `dir` can be granted, `{name}` is `{found}`"),
        at,
        "not a folder",
    )
    .and(declared, "bound here")
    .help(format!("declare the parameter as a folder: `{name}: dir`"))
}

pub(crate) fn folder_alias(name: &str, at: Span, declared: Span) -> Diagnostic {
    Diagnostic::error("flow::grant", format!("`{name}` is not a parameter of the flow"), at, "only a parameter can be granted")
        .and(declared, "bound here")
        .help("grant the flow's parameter itself")
}

pub(crate) fn host_name(host: &str, close: Option<&str>, at: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error("flow::grant", format!("`{host}` is not the name of a host"), at, "");
    match close {
        Some(close) => diagnostic.help(format!("write the host alone: `http \"{close}\"`")),
        None => diagnostic.help("write a host, `*.domain` or `host:port`, such as `http \"api.example.com\"`"),
    }
}

pub(crate) fn env_name(name: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::grant", format!("`{name}` cannot be the name of an environment variable"), at, "")
        .help("write the name alone, such as `env \"LANG\"`")
}

/// A policy that a call of a flow cannot have.
pub(crate) fn policy_on_flow(key: &str, at: Span) -> Diagnostic {
    let message = format!("`{key}` does not apply to the call of a flow");
    Diagnostic::error("flow::policy_on_flow", message, at, "the flow decides over its own steps").help(
        "write it on the steps or in the `with` of the called flow; `deadline`, `parallel`, `budget` and `allow` may stand here",
    )
}
