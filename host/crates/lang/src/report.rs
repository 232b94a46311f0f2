//! Diagnostics in the forms that an edge shows: for a terminal through miette, for editors as JSON.

mod excerpt;

use std::fmt;
use std::sync::Arc;

use grammar::{Diagnostic, Label, Severity, Span};
use miette::LabeledSpan;
use serde_json::{Value, json};

use crate::sources::Sources;
use excerpt::Excerpt;

/// A diagnostic together with the texts that it points into.
#[derive(Debug)]
pub struct Report {
    message: String,
    code: Option<&'static str>,
    severity: miette::Severity,
    help: Option<String>,
    source: Excerpt,
    labels: Vec<LabeledSpan>,
    related: Vec<Self>,
}

impl Report {
    /// The report for a diagnostic. Labels in other files than the first become related reports.
    #[must_use]
    pub fn new(diagnostic: &Diagnostic, sources: &Sources) -> Self {
        let file = diagnostic.labels.first().map_or_else(Default::default, |label| label.span.file);
        let (here, elsewhere): (Vec<&Label>, Vec<&Label>) = diagnostic.labels.iter().partition(|label| label.span.file == file);
        let source = excerpt(sources, file);
        let mut labels: Vec<LabeledSpan> = here.iter().map(|label| labeled(&source, label.span, &label.text)).collect();
        if let Some(first) = here.first() {
            let primary = LabeledSpan::new_primary_with_span(text_of(&first.text), source.shown(first.span.range()));
            labels.splice(..1, [primary]);
        }
        Self {
            message: diagnostic.message.clone(),
            code: Some(diagnostic.code),
            severity: match diagnostic.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
            },
            help: diagnostic.help.clone(),
            source,
            labels,
            related: elsewhere.into_iter().map(|label| Self::elsewhere(label, sources)).collect(),
        }
    }

    fn elsewhere(label: &Label, sources: &Sources) -> Self {
        let source = excerpt(sources, label.span.file);
        Self {
            message: label.text.clone(),
            code: None,
            severity: miette::Severity::Advice,
            help: None,
            labels: vec![labeled(&source, label.span, "")],
            source,
            related: Vec::new(),
        }
    }
}

fn excerpt(sources: &Sources, file: grammar::FileId) -> Excerpt {
    let (path, text) = sources.get(file).map_or(("", Arc::from("")), |source| (source.path.as_str(), source.text.clone()));
    Excerpt::new(path, text)
}

fn labeled(source: &Excerpt, span: Span, text: &str) -> LabeledSpan {
    LabeledSpan::new_with_span(text_of(text), source.shown(span.range()))
}

fn text_of(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

impl miette::Diagnostic for Report {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        if self.related.is_empty() {
            return None;
        }
        Some(Box::new(self.related.iter().map(|report| report as &dyn miette::Diagnostic)))
    }
}

/// A diagnostic as JSON: the place of the first label, then everything else. `host/docs/running.md` has the form.
#[must_use]
pub fn to_json(diagnostic: &Diagnostic, sources: &Sources) -> Value {
    let mut value = diagnostic.labels.first().map_or_else(|| json!({}), |label| place(label.span, sources));
    let labels: Vec<Value> = diagnostic
        .labels
        .iter()
        .map(|label| {
            let mut value = place(label.span, sources);
            set(&mut value, "text", json!(label.text));
            value
        })
        .collect();
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    set(&mut value, "code", json!(diagnostic.code));
    set(&mut value, "severity", json!(severity));
    set(&mut value, "message", json!(diagnostic.message));
    set(&mut value, "labels", json!(labels));
    set(&mut value, "help", json!(diagnostic.help));
    value
}

fn place(span: Span, sources: &Sources) -> Value {
    let position = sources.position(span);
    let end = sources.position(Span { start: span.end, ..span });
    let path = sources.get(span.file).map(|source| source.path.as_str());
    json!({
        "file": path,
        "line": position.line,
        "column": position.column,
        "end_line": end.line,
        "end_column": end.column,
        "span": { "start": span.start, "end": span.end },
    })
}

fn set(object: &mut Value, key: &str, value: Value) {
    if let Value::Object(fields) = object {
        fields.insert(key.to_owned(), value);
    }
}
