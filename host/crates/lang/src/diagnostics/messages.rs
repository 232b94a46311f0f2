//! Waits, signals and messages.

use grammar::{Diagnostic, Span};

pub(crate) fn topic(text: &str, problem: &str, at: Span) -> Diagnostic {
    let name = if text.is_empty() { "the topic".to_owned() } else { format!("the topic `{text}`") };
    Diagnostic::error("flow::topic", format!("{name} {problem}"), at, "not a topic")
        .help("a topic is a text such as `\"orders.new\"`")
}

pub(crate) fn folder(ty: &str, at: Span) -> Diagnostic {
    Diagnostic::error("flow::message_type", "a message cannot carry a folder", at, format!("this is `{ty}`"))
        .help("a folder is granted by the command line of one run; send what is read from it")
}

/// The types as they are shown; nothing is carried where there is none.
pub(crate) fn two_types(word: &str, name: &str, first: (&str, Span), second: (&str, Span)) -> Diagnostic {
    let carries = |ty: &str| if ty == "nothing" { "nothing".to_owned() } else { format!("`{ty}`") };
    Diagnostic::error(
        "flow::awaited_type",
        format!("the {word} `{name}` is waited for with two types"),
        second.1,
        format!("here it carries {}", carries(second.0)),
    )
    .and(first.1, format!("here it carries {}", carries(first.0)))
    .help("a name means one thing in a plan: write the same type, or choose another name")
}
