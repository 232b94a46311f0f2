//! What goes to standard output and standard error, for people or as JSON.

use std::io::Write as _;

use lang::Compilation;

use crate::cli::Global;
use crate::exit::Problem;

/// How this command talks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        Self { json: global.json, quiet: global.quiet }
    }

    /// Whether the result is to be JSON.
    pub(crate) const fn json(self) -> bool {
        self.json
    }

    /// Whether only results and errors are wanted.
    pub(crate) const fn quiet(self) -> bool {
        self.quiet
    }

    /// The result of a command: text for people, or the document with `--json`.
    pub(crate) fn document(self, document: &serde_json::Value, text: impl FnOnce() -> String) {
        if self.json {
            write_out(&format!("{document:#}"));
        } else {
            write_out(text().trim_end_matches('\n'));
        }
    }

    /// A line on standard error that `--quiet` suppresses.
    pub(crate) fn note(self, line: &str) {
        if !self.quiet {
            write_err(line);
        }
    }

    /// An error, always shown.
    pub(crate) fn problem(self, problem: &Problem) {
        if self.json {
            let document = serde_json::json!({
                "error": problem.message,
                "help": problem.help,
                "exit": problem.exit.code(),
            });
            write_err(&document.to_string());
            return;
        }
        write_err(&format!("error: {}", problem.message));
        if let Some(help) = &problem.help {
            write_err(&format!("  help: {help}"));
        }
    }

    /// All diagnostics of a compilation: reports on standard error, or a JSON list on standard output.
    pub(crate) fn diagnostics(self, compilations: &[&Compilation]) {
        if self.json {
            let all: Vec<serde_json::Value> = compilations
                .iter()
                .flat_map(|compilation| {
                    compilation.diagnostics.iter().map(|diagnostic| lang::to_json(diagnostic, &compilation.sources))
                })
                .collect();
            write_out(&format!("{:#}", serde_json::Value::Array(all)));
            return;
        }
        for compilation in compilations {
            self.reports(&compilation.diagnostics, &compilation.sources);
        }
        let all = compilations.iter().flat_map(|compilation| &compilation.diagnostics);
        let mut codes: Vec<&str> = Vec::new();
        for diagnostic in all.filter(|found| self.shows(found)) {
            if !codes.contains(&diagnostic.code) {
                codes.push(diagnostic.code);
            }
        }
        if let Some(more) = explained(&codes) {
            self.note(&more);
        }
    }

    /// Diagnostics as reports on standard error.
    pub(crate) fn reports(self, diagnostics: &[grammar::Diagnostic], sources: &lang::Sources) {
        for diagnostic in diagnostics.iter().filter(|found| self.shows(found)) {
            let report = miette::Report::new(lang::Report::new(diagnostic, sources));
            write_err(&format!("{report:?}"));
        }
    }

    fn shows(self, diagnostic: &grammar::Diagnostic) -> bool {
        !self.quiet || diagnostic.severity != grammar::Severity::Warning
    }
}

/// Where the pages of these codes are, in one line.
fn explained(codes: &[&str]) -> Option<String> {
    const MOST: usize = 4;
    let (first, rest) = codes.split_first()?;
    if rest.is_empty() {
        return Some(format!("more about it: host explain {first}"));
    }
    let listed: Vec<&str> = codes.iter().take(MOST).copied().collect();
    let others = if codes.len() > MOST { ", …" } else { "" };
    Some(format!("more about each: host explain CODE, for {}{others}", listed.join(", ")))
}

/// Writes to standard output. A reader that went away is not an error of ours.
pub(crate) fn write_out(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Writes to standard error.
pub(crate) fn write_err(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A time as RFC 3339 in UTC.
pub(crate) fn time(at: engine::event::Timestamp) -> String {
    i64::try_from(at.0)
        .ok()
        .and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok())
        .map_or_else(|| format!("{} ms", at.0), |time| format!("{time:.3}"))
}

/// What is written to standard output part by part, because all of it may be much.
pub(crate) struct Parts {
    out: std::io::BufWriter<std::io::StdoutLock<'static>>,
    items: u64,
}

impl Parts {
    pub(crate) fn new() -> Self {
        Self { out: std::io::BufWriter::new(std::io::stdout().lock()), items: 0 }
    }

    /// A line of text.
    pub(crate) fn line(&mut self, text: &str) {
        // A reader that went away is not an error of ours.
        let _ = writeln!(self.out, "{text}");
    }

    /// An item of a JSON list; [`Parts::end_list`] follows the last one. Together they are as one document would be.
    pub(crate) fn item(&mut self, item: &serde_json::Value) {
        let before = if self.items == 0 { "[" } else { "," };
        self.items += 1;
        let _ = write!(self.out, "{before}\n  {}", format!("{item:#}").replace('\n', "\n  "));
    }

    /// Ends a JSON list.
    pub(crate) fn end_list(&mut self) {
        self.line(if self.items == 0 { "[]" } else { "\n]" });
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let _ = self.out.flush();
    }
}

/// The widths of columns, each as wide as its widest cell.
pub(crate) struct Widths<const N: usize>([usize; N]);

impl<const N: usize> Widths<N> {
    /// Wide enough for the heads.
    pub(crate) fn of(head: [&str; N]) -> Self {
        Self(head.map(|cell| cell.chars().count()))
    }

    /// Wide enough for a line as well.
    pub(crate) fn add(&mut self, line: &[String; N]) {
        for (width, cell) in self.0.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }

    /// A line in these columns; the last one is not padded.
    pub(crate) fn line<S: AsRef<str>>(&self, cells: &[S; N]) -> String {
        let padded: Vec<String> = cells.iter().zip(self.0).map(|(cell, width)| format!("{:<width$}", cell.as_ref())).collect();
        padded.join("  ").trim_end().to_owned()
    }
}

/// Lines in columns, each as wide as its widest cell; the last one is not padded.
pub(crate) fn columns<const N: usize>(head: [&str; N], lines: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = lines.collect();
    let mut widths = Widths::of(head);
    rows.iter().for_each(|row| widths.add(row));
    let mut text = widths.line(&head) + "\n";
    for row in &rows {
        text.push_str(&widths.line(row));
        text.push('\n');
    }
    text
}
