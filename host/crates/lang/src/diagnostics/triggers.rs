//! `on` items.

use grammar::{Diagnostic, Span};

use super::meant;

const TRIGGER: &str = "flow::trigger";

pub(crate) fn bad_cron(text: &str, reason: &str, at: Span) -> Diagnostic {
    Diagnostic::error(TRIGGER, format!("`{text}` is not a schedule"), at, reason.to_owned())
        .help("minute, hour, day of the month, month, day of the week: `0 9 * * mon-fri` is at nine on working days; or `@daily`")
}

pub(crate) fn unknown_zone(name: &str, close: Option<&str>, at: Span) -> Diagnostic {
    Diagnostic::error(TRIGGER, format!("there is no time zone `{name}`"), at, "not in the time zone database")
        .help(meant(close, || "zones are called by region and city, such as `Europe/Berlin`, or `UTC`".to_owned()))
}

pub(crate) fn bad_topic(text: &str, at: Span) -> Diagnostic {
    Diagnostic::error(TRIGGER, format!("`{text}` is not a topic"), at, "expected names with dots between")
        .help("such as `orders.new`; `*` stands for one name, and `>` at the end for all that follow: `orders.>`")
}

pub(crate) fn bad_path(text: &str, at: Span) -> Diagnostic {
    Diagnostic::error(TRIGGER, format!("`{text}` is not the path of a webhook"), at, "expected a path")
        .help("it begins with `/` and has letters, digits and `-_.~` between slashes: `/orders/new`")
}

pub(crate) fn not_a_flow(name: &str, what: &str, at: Span) -> Diagnostic {
    Diagnostic::error(TRIGGER, format!("`{name}` is {what}, and a trigger starts a flow"), at, format!("this is {what}"))
        .help("call it in a flow, and start that: `on schedule \"@daily\" -> my_flow()`")
}

pub(crate) fn unknown_flow(name: &str, close: Option<&str>, at: Span) -> Diagnostic {
    Diagnostic::error("flow::unknown_name", format!("there is no flow `{name}`"), at, "not declared or imported here")
        .help(meant(close, || format!("declare it: `flow {name}() {{ … }}`")))
}
