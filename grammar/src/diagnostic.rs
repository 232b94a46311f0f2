//! What the parser and the checker say about a source text.
//!
//! Plain data: rendering belongs to the edge. Wording rules: lower case, no full stop, the user's
//! own words in backticks, no name from our code.

use crate::span::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The flow does not compile.
    Error,
    /// The flow compiles, and most likely does not do what was meant.
    Warning,
}

/// A place in the source and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The place.
    pub span: Span,
    /// What is to be said about it; may be empty for a bare underline.
    pub text: String,
}

/// One finding. The first label is the primary place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable code such as `flow::type_mismatch`, the key of `host explain`.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong.
    pub message: String,
    /// Where, and which other places matter.
    pub labels: Vec<Label>,
    /// How to mend it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at one place.
    #[must_use]
    pub fn error(code: &'static str, message: impl Into<String>, at: Span, label: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: vec![Label { span: at, text: label.into() }],
            help: None,
        }
    }

    /// A warning at one place.
    #[must_use]
    pub fn warning(code: &'static str, message: impl Into<String>, at: Span, label: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, at, label) }
    }

    /// Adds a second place that matters.
    #[must_use]
    pub fn and(mut self, at: Span, label: impl Into<String>) -> Self {
        self.labels.push(Label { span: at, text: label.into() });
        self
    }

    /// Says how to mend it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}
