//! What a flow file offers and what it asks for, as Markdown.
//!
//! What is declared comes from the file's text, with types and defaults as written. What a step is granted comes from
//! the plans of the file's flows, in which rights are already narrowed by the blocks and flows around a step.

mod declarations;
mod flows;
mod uses;
mod walk;

use std::fmt::Write as _;

use grammar::ast::{File, Flow, Item};
use grammar::{FileId, Span};

use crate::compile::{Compilation, Entry, compile};
use crate::plan::Plan;
use crate::world::World;

/// What is written about.
#[derive(Clone, Copy, Debug, Default)]
pub struct DocumentOptions<'a> {
    /// Only this flow, and what it uses.
    pub flow: Option<&'a str>,
    /// With a Mermaid graph of each flow.
    pub graph: bool,
}

/// The documentation of the file `root` as Markdown.
///
/// # Errors
/// The compilation, when it has errors: nothing certain can be said about such a file.
pub fn document(world: &dyn World, root: &str, options: DocumentOptions<'_>) -> Result<String, Box<Compilation>> {
    let compilation = compile(world, root, Entry::None);
    if compilation.has_errors() {
        return Err(Box::new(compilation));
    }
    let text = compilation.sources.iter().next().map(|source| source.text.clone()).unwrap_or_default();
    let file = grammar::parse(FileId::default(), &text).file;
    let wanted = |flow: &&Flow| options.flow.is_none_or(|name| *flow.name.name == *name);
    let flows: Vec<&Flow> = flows_of(&file).filter(wanted).collect();
    if let Some(name) = options.flow.filter(|_| flows.is_empty()) {
        return Err(Box::new(compile(world, root, Entry::Named(name))));
    }
    let plans: Vec<Option<Plan>> = flows.iter().map(|flow| compile(world, root, Entry::Named(&flow.name.name)).plan).collect();
    let mut document = Document { text: &text, file: &file, out: String::new() };
    document.title(root);
    if !flows.is_empty() {
        document.out.push_str("\n## Flows\n");
    }
    for (flow, plan) in flows.iter().zip(&plans) {
        document.flow(flow, plan.as_ref(), options.graph);
    }
    if options.flow.is_none() {
        document.declarations();
    }
    document.components(world, root, plans.iter().flatten());
    Ok(document.out)
}

fn flows_of(file: &File) -> impl Iterator<Item = &Flow> {
    file.items.iter().filter_map(|item| match item {
        Item::Flow(flow) => Some(flow),
        _ => None,
    })
}

struct Document<'a> {
    text: &'a str,
    file: &'a File,
    out: String,
}

impl<'a> Document<'a> {
    fn title(&mut self, root: &str) {
        let name = root.rsplit(['/', '\\']).next().unwrap_or(root);
        let _ = writeln!(self.out, "# {name}");
        if let Some(package) = &self.file.package {
            let _ = writeln!(self.out, "\n`{}`", self.written(package.span));
        }
        let imports: Vec<&str> = self
            .file
            .items
            .iter()
            .filter_map(|item| match item {
                Item::Import(import) => Some(self.written(import.span)),
                _ => None,
            })
            .collect();
        if !imports.is_empty() {
            let _ = writeln!(self.out, "\n```flow\n{}\n```", imports.join("\n"));
        }
    }

    /// As it is written, on one line.
    fn written(&self, span: Span) -> &'a str {
        self.text.get(span.range()).unwrap_or_default()
    }

    fn docs(&mut self, lines: &[Box<str>]) {
        if !lines.is_empty() {
            let _ = writeln!(self.out, "\n{}", lines.join("\n"));
        }
    }

    /// A table; nothing when it would have no rows.
    fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        let _ = writeln!(self.out, "\n| {} |\n|{}", head.join(" | "), "---|".repeat(head.len()));
        for row in rows {
            let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
            let _ = writeln!(self.out, "| {} |", cells.join(" | "));
        }
    }
}

/// In backticks, on one line.
fn code(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { line } else { format!("`{line}`") }
}

/// Each in backticks, or a word for none.
fn codes<'t>(texts: impl IntoIterator<Item = &'t String>) -> String {
    let all: Vec<String> = texts.into_iter().map(|text| code(text)).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }
}
