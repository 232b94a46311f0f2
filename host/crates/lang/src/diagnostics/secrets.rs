//! Secrets in logs.

use grammar::{Diagnostic, Span};

/// A secret, or a text made from it, that reaches a log. `place` says which.
pub(crate) fn in_log(name: &str, place: &str, at: Span, named: Span) -> Diagnostic {
    Diagnostic::warning("flow::secret_in_log", format!("the secret `{name}` goes into {place}"), at, "may hold the secret")
        .and(named, "its name says that it is a secret")
        .help("pass it to the one step that needs it; if it is none, give it another name")
}
