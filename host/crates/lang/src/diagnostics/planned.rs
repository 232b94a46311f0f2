//! `run plan`.

use grammar::{Diagnostic, Span};

use crate::check::RUN_PLAN;

pub(crate) fn no_source(at: Span) -> Diagnostic {
    Diagnostic::error("flow::plan_source", "`run plan` lacks the text of the plan", at, "what is to be run?")
        .help(format!("usage: `{RUN_PLAN}`"))
}

pub(crate) fn named_source(at: Span) -> Diagnostic {
    Diagnostic::error("flow::plan_source", "the text of the plan comes first and has no name", at, "named")
        .help(format!("usage: `{RUN_PLAN}`"))
}

pub(crate) fn unnamed_input(at: Span) -> Diagnostic {
    Diagnostic::error("flow::plan_source", "what a plan is given needs a name", at, "for which parameter?")
        .help("name the parameter of the plan's flow: `run plan(source, topic: topic)`")
}

pub(crate) fn mock_patterns(found: usize, at: Span) -> Diagnostic {
    let has = if found == 1 { "1 pattern".to_owned() } else { format!("{found} patterns") };
    let message = format!("a mock of `run plan` takes one pattern, this one has {has}");
    Diagnostic::error("flow::mock_arguments", message, at, "for the text of the plan")
        .help("`_` stands for any text: `mock run plan(_) => json(\"done\")`")
}
