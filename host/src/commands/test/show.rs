//! Prints tests as they end, for people on standard output; keeps them for the one document of `--json`.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

use lang::Sources;
use miette::{GraphicalReportHandler, GraphicalTheme};

use super::difference::{self, Side};
use super::trace::{Outcome, Trace, What};
use super::verdict::{Verdict, short};
use super::{TestRun, Tested, document};
use crate::output::{self, Output};

/// More lines of a trace are left out; the last ones say most.
const MOST_TRACE: usize = 60;
/// Longer paths and values are cut.
const WIDEST_PATH: usize = 60;
const WIDEST_VALUE: usize = 80;

/// What is printed and counted.
pub(super) struct Sheet {
    output: Output,
    colour: bool,
    passed: usize,
    failed: usize,
    files: Vec<serde_json::Value>,
}

impl Sheet {
    pub(super) fn new(output: Output) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { output, colour, passed: 0, failed: 0, files: Vec::new() }
    }

    pub(super) const fn passed(&self) -> usize {
        self.passed
    }

    pub(super) const fn failed(&self) -> usize {
        self.failed
    }

    /// A file's turn: what is wrong with it, and its name.
    pub(super) fn begin(&self, tested: &Tested) {
        if !self.output.json() {
            self.output.diagnostics(&[&tested.checked]);
            output::write_out(&tested.file);
        }
    }

    /// A test has ended.
    pub(super) fn test(&mut self, tested: &Tested, test: &TestRun) {
        match &test.verdict {
            None => self.passed += 1,
            Some(_) => self.failed += 1,
        }
        if self.output.json() || (self.output.quiet() && test.verdict.is_none()) {
            return;
        }
        let (word, colour) = if test.verdict.is_none() { ("ok    ", "32") } else { ("FAILED", "31") };
        let mut took = format!("{}, virtual {}", milliseconds(test.real), time(test.passed));
        if let Some(crashes) = &test.crashes {
            let _ = write!(took, ", {} crash points, resumed {} times", crashes.points, crashes.resumed);
        }
        output::write_out(&format!("  {}  {}  ({took})", self.paint(word, colour), test.name.escape_debug()));
        if let Some(verdict) = &test.verdict {
            output::write_out(&self.explain(verdict, &test.trace, &tested.checked.sources));
        }
    }

    /// All tests of a file have ended.
    pub(super) fn end(&mut self, tested: &Tested) {
        if self.output.json() {
            self.files.push(document::file(tested));
        } else if tested.checked.has_errors() {
            output::write_out("  does not compile");
        }
    }

    pub(super) fn finish(self) {
        let summary = format!("\n{} passed, {} failed", self.passed, self.failed);
        let document = serde_json::json!({ "passed": self.passed, "failed": self.failed, "files": self.files });
        self.output.document(&document, || summary);
    }

    fn paint(&self, text: &str, colour: &str) -> String {
        if self.colour { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// The excerpt of the source, both sides, the trace.
    fn explain(&self, verdict: &Verdict, trace: &Trace, sources: &Sources) -> String {
        let theme = if self.colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100);
        let mut text = String::from("\n");
        // Writing to a `String` cannot fail.
        let _ = handler.render_report(&mut text, &lang::Report::new(&verdict.diagnostic, sources));
        if let Some((left, right)) = &verdict.sides {
            text.push('\n');
            self.sides(left, right, &mut text);
        }
        if let Some(details) = &verdict.details {
            let _ = write!(text, "\ndetails  {}\n", short(&details.to_string(), 400));
        }
        text.push_str("\ntrace\n");
        self.trace(trace, &mut text);
        let indented: Vec<String> = text
            .lines()
            .map(|line| if line.trim().is_empty() { String::new() } else { format!("    {}", line.trim_end()) })
            .collect();
        format!("{}\n", indented.join("\n").trim_end_matches('\n'))
    }

    fn sides(&self, left: &serde_json::Value, right: &serde_json::Value, text: &mut String) {
        if left == right {
            let _ = writeln!(text, "both   {}", short(&left.to_string(), 400));
            return;
        }
        let lines = difference::of(left, right);
        let short_ones = matches!(lines.as_slice(), [(Side::Left, _), (Side::Right, _)]);
        for (side, line) in lines {
            let (word, sign, colour) = match side {
                Side::Both => ("", ' ', ""),
                Side::Left => ("left", '-', "31"),
                Side::Right => ("right", '+', "32"),
            };
            let line = if short_ones { format!("{word:<6} {line}") } else { format!("{sign} {line}") };
            let _ = writeln!(text, "{}", if colour.is_empty() { line } else { self.paint(&line, colour) });
        }
        if !short_ones {
            text.push_str("(- left, + right)\n");
        }
    }

    fn trace(&self, trace: &Trace, text: &mut String) {
        let hidden = trace.lines.len().saturating_sub(MOST_TRACE);
        let lines = trace.lines.get(hidden..).unwrap_or(&[]);
        if hidden + trace.left_out > 0 {
            let _ = writeln!(text, "… {} earlier lines", hidden + trace.left_out);
        }
        if lines.is_empty() {
            text.push_str("no step ended\n");
        }
        let rows: Vec<[String; 4]> = lines.iter().map(|line| row(line.at, &line.what)).collect();
        let width =
            |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
        let (at, path, by) = (width(0), width(1), width(2));
        for [when, where_, who, how] in &rows {
            let _ = writeln!(text, "{when:>at$}  {where_:<path$}  {who:<by$}  {how}");
        }
    }
}

fn row(at: u64, what: &What) -> [String; 4] {
    let when = time(Duration::from_millis(at));
    match what {
        What::Timer => [when, "timer".to_owned(), String::new(), String::new()],
        What::Received { what, value } => {
            let value = format!("came {}", short(&value.to_string(), WIDEST_VALUE));
            [when, short(what, WIDEST_PATH), "mocked".to_owned(), value]
        }
        What::Sent { path } => [when, short(path, WIDEST_PATH), "mocked".to_owned(), "sent".to_owned()],
        What::Attempt { path, number, mocked, outcome } => {
            let path = if *number > 1 { format!("{path}#{number}") } else { path.clone() };
            let how = match outcome {
                Outcome::Succeeded(value) => format!("gave {}", short(&value.to_string(), WIDEST_VALUE)),
                Outcome::Failed(failure) => short(&format!("failed {}: {}", failure.kind, failure.message), WIDEST_VALUE),
                Outcome::Cancelled => "cancelled".to_owned(),
            };
            [when, short(&path, WIDEST_PATH), if *mocked { "mocked" } else { "real" }.to_owned(), how]
        }
    }
}

/// Real time.
fn milliseconds(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}

/// Virtual time.
fn time(time: Duration) -> String {
    catalog::duration::display(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).to_string()
}
