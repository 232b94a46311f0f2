//! Files, imports, components, entry.

use grammar::{Diagnostic, FileId, Span};

use super::{listed, meant};
use crate::world::ComponentProblem;

const START: Span = Span::new(FileId(0), 0, 0);

pub(crate) fn unreadable_root(path: &str, reason: &str) -> Diagnostic {
    Diagnostic::error("flow::unreadable", format!("`{path}` cannot be read: {reason}"), START, "")
        .help("give the path of a `.flow` file in UTF-8")
}

pub(crate) fn unreadable_import(path: &str, reason: &str, at: Span) -> Diagnostic {
    let found = Diagnostic::error("flow::unreadable", format!("`{path}` cannot be imported: {reason}"), at, "imported here");
    if path.ends_with(".wasm") {
        return found.help(format!("what is imported is another flow file; a component is named: `use \"{path}\" as name`"));
    }
    found.help("a path is relative to the file that the `import` stands in")
}

pub(crate) fn too_many_files(most: usize, at: Span) -> Diagnostic {
    Diagnostic::error("flow::too_many_files", format!("the flow imports more than {most} files"), at, "one too many")
}

pub(crate) fn import_cycle(paths: &[&str], at: Span) -> Diagnostic {
    let message = format!("files import each other in a cycle: {}", paths.join(" → "));
    Diagnostic::error("flow::import_cycle", message, at, "closes the cycle")
        .help("move what both files need into a third file that imports neither")
}

pub(crate) fn component(reference: &str, problem: &ComponentProblem, at: Span) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("flow::component", format!("`{reference}` cannot be used: {}", problem.message), at, "used here");
    match &problem.help {
        Some(help) => diagnostic.help(help.as_str()),
        None => diagnostic,
    }
}

pub(crate) fn unknown_item(what: &str, number: usize) -> Diagnostic {
    Diagnostic::error("flow::entry", format!("the file has no {what} {number}, counted from 0"), Span::default(), "in this file")
}

pub(crate) fn no_flow() -> Diagnostic {
    Diagnostic::error("flow::entry", "the file declares no flow, so nothing can be run", START, "")
        .help("declare one: `flow main() { … }`")
}

pub(crate) fn which_entry(flows: &[(&str, Span)]) -> Diagnostic {
    let at = flows.first().map_or(START, |(_, span)| *span);
    let message = format!("the file declares {} flows and none is called `main`", flows.len());
    let names = listed(flows.iter().map(|(name, _)| *name));
    Diagnostic::error("flow::entry", message, at, "the first of them")
        .help(format!("call the one to run `main`, or name it with `--flow`: {names}"))
}

pub(crate) fn unknown_entry(name: &str, close: Option<&str>, flows: &[(&str, Span)]) -> Diagnostic {
    let at = flows.first().map_or(START, |(_, span)| *span);
    let help = meant(close, || format!("the file declares {}", listed(flows.iter().map(|(name, _)| *name))));
    Diagnostic::error("flow::entry", format!("the file declares no flow `{name}`"), at, "").help(help)
}
