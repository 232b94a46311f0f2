//! What parses and means something else than in other languages.

use grammar::{Diagnostic, Span};

pub(crate) fn not_interpolated(written: &str, path: &str, at: Span) -> Diagnostic {
    let name = path.split('.').next().unwrap_or(path);
    let keep = if written.starts_with('$') { "\\u{24}" } else { "\\u{7b}" };
    let message = format!("`{written}` is not the value of `{name}`");
    Diagnostic::warning("flow::not_interpolated", message, at, "stands in the text as it is")
        .help(format!("write `${{{path}}}`; if the text is meant as it is, write its first character as `{keep}`"))
}

pub(crate) fn division(value: &str, divisor: &str, comment: Span, at: Span) -> Diagnostic {
    let help = if value.len() + divisor.len() < 60 && !value.contains('\n') {
        format!("whole numbers are divided by `/`: `{value} / {divisor}`; a comment says more than a number")
    } else {
        "whole numbers are divided by `/`; a comment says more than a number".to_owned()
    };
    Diagnostic::warning("flow::division", "`//` begins a comment and divides nothing", comment, "a comment")
        .and(at, "this is the whole value")
        .help(help)
}
