//! The report, and the files that are kept of a run.

use std::path::Path;

use finance::markdown_row;

use crate::bindings::exports::flowhost::cashcow::agents::{File, Gate, Results, Summary};
use crate::bindings::flowhost::plugin::failure::{Failure, FailureKind};
use crate::{failure, json};

/// The whole report.
pub(crate) fn markdown(summary: &Summary) -> String {
    let mut blocks = vec![format!("# {}", inline(&summary.title)), verdict(summary)];
    let row = |task: &Results| {
        let cells = [percent(task.pass_rate), percent(task.coverage)];
        let counts = format!("{} of {}", task.passed, task.total);
        markdown_row(&[&task.task, &task.expert, &counts, &cells[0], &cells[1]])
    };
    blocks.push(table(&["task", "role", "checks", "pass rate", "coverage"], summary.tasks.iter().map(row)));
    section(&mut blocks, "Criteria", summary.gates.is_empty(), || {
        let row = |gate: &Gate| {
            let held = if gate.held { "yes" } else { "no" };
            markdown_row(&[&gate.task, &gate.criterion, &number(gate.wanted), &number(gate.got), held])
        };
        table(&["task", "criterion", "wanted", "got", "held"], summary.gates.iter().map(row))
    });
    let figures = summary.tasks.iter().flat_map(|task| task.figures.iter().map(move |figure| (task, figure)));
    let rows: Vec<String> = figures.map(|(task, figure)| markdown_row(&[&task.task, &figure.name, &figure.value])).collect();
    section(&mut blocks, "Figures", rows.is_empty(), || table(&["task", "figure", "value"], rows.iter().cloned()));
    let failed = summary.tasks.iter().flat_map(|task| task.failed.iter().map(move |check| (task, check)));
    let rows: Vec<String> =
        failed.map(|(task, check)| markdown_row(&[&task.task, &check.test, &check.expected, &check.got])).collect();
    section(&mut blocks, "Failed checks", rows.is_empty(), || table(&["task", "check", "expected", "got"], rows.iter().cloned()));
    section(&mut blocks, "Alerts", summary.alerts.is_empty(), || {
        let rows = summary.alerts.iter().map(|alert| markdown_row(&[&alert.name, &alert.severity, &alert.action]));
        table(&["alert", "severity", "action"], rows)
    });
    blocks.join("\n\n") + "\n"
}

fn section(blocks: &mut Vec<String>, title: &str, empty: bool, content: impl FnOnce() -> String) {
    if !empty {
        blocks.push(format!("## {title}"));
        blocks.push(content());
    }
}

fn verdict(summary: &Summary) -> String {
    let (passed, total) = summary.tasks.iter().fold((0, 0), |(p, t), task| (p + task.passed, t + task.total));
    let held = summary.gates.iter().filter(|gate| gate.held).count();
    format!("{passed} of {total} checks passed; {held} of {} criteria held.", summary.gates.len())
}

fn table(head: &[&str], rows: impl Iterator<Item = String>) -> String {
    let divider = format!("|{}", " --- |".repeat(head.len()));
    let lines: Vec<String> = [markdown_row(head), divider].into_iter().chain(rows).collect();
    lines.join("\n")
}

fn inline(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Up to four places, none where they are 0.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A file for each task, and the report.
pub(crate) fn files(summary: &Summary) -> Vec<File> {
    let mut files: Vec<File> = summary.tasks.iter().map(results).collect();
    files.push(File { name: "final_report.md".to_owned(), content: markdown(summary) });
    files
}

fn results(task: &Results) -> File {
    let figures: Vec<(&str, String)> =
        task.figures.iter().map(|figure| (figure.name.as_str(), json::text(&figure.value))).collect();
    let counts = json::object(&[
        ("total_tests", task.total.to_string()),
        ("passed", task.passed.to_string()),
        ("failed", (task.total - task.passed).to_string()),
        ("pass_rate", number(task.pass_rate)),
        ("coverage_percentage", number(task.coverage * 100.0)),
    ]);
    let status = if task.passed == task.total { "success" } else { "failure" };
    let content = json::object(&[
        ("task_id", json::text(&task.task)),
        ("role", json::text(&task.expert)),
        ("final_status", json::text(status)),
        ("test_results", counts),
        ("figures", json::object(&figures)),
    ]);
    File { name: format!("{}_results.json", task.task), content: content + "\n" }
}

/// Writes files, each under another name first, so that a reader sees all of it or nothing.
pub(crate) fn save(folder: &str, files: &[File]) -> Result<Vec<String>, Failure> {
    for file in files {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if file.name.is_empty() || file.name.starts_with('.') || !file.name.chars().all(plain) {
            return Err(failure(FailureKind::InvalidInput, format!("`{}` is no plain file name", file.name)));
        }
    }
    let mut saved = Vec::new();
    for file in files {
        let path = Path::new(folder).join(&file.name);
        let partial = Path::new(folder).join(format!(".{}.partial", file.name));
        let written = std::fs::write(&partial, &file.content).and_then(|()| std::fs::rename(&partial, &path));
        written.map_err(|error| failure(FailureKind::Permission, format!("`{}` cannot be written: {error}", file.name)))?;
        saved.push(file.name.clone());
    }
    Ok(saved)
}

#[cfg(test)]
mod tests {
    use super::{files, markdown, save};
    use crate::bindings::exports::flowhost::cashcow::agents::{Alert, Check, Figure, File, Gate, Results, Summary};

    fn summary() -> Summary {
        let task = Results {
            task: "A1".into(),
            expert: "Model | Tester".into(),
            total: 4,
            passed: 3,
            pass_rate: 0.75,
            coverage: 1.0,
            failed: vec![Check { test: "x".into(), expected: "1".into(), got: "2".into() }],
            figures: vec![Figure { name: "rules".into(), value: "12".into() }],
        };
        let gate = Gate { task: "A1".into(), criterion: "pass rate".into(), wanted: 0.95, got: 0.75, held: false };
        let alert = Alert { name: "high failure rate".into(), severity: "critical".into(), action: "pause new tasks".into() };
        Summary { title: "A\nreport".into(), tasks: vec![task], gates: vec![gate], alerts: vec![alert] }
    }

    #[test]
    fn the_report_says_everything() {
        let text = markdown(&summary());
        for line in [
            "# A report",
            "3 of 4 checks passed; 0 of 1 criteria held.",
            "| A1 | Model \\| Tester | 3 of 4 | 75.0 % | 100.0 % |",
            "| A1 | pass rate | 0.95 | 0.75 | no |",
            "| A1 | rules | 12 |",
            "| A1 | x | 1 | 2 |",
            "| high failure rate | critical | pause new tasks |",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        let nothing = markdown(&Summary { title: "t".into(), tasks: vec![], gates: vec![], alerts: vec![] });
        assert!(!nothing.contains("##"), "{nothing}");
    }

    #[test]
    fn files_are_written_whole() {
        let folder = std::env::temp_dir().join(format!("flowhost-cashcow-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let name = folder.to_str().unwrap();
        assert_eq!(save(name, &files(&summary())).unwrap(), ["A1_results.json", "final_report.md"]);
        let results = std::fs::read_to_string(folder.join("A1_results.json")).unwrap();
        assert!(results.contains("\"pass_rate\":0.75,\"coverage_percentage\":100}"), "{results}");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2);
        for name in ["../x", "a/b", ".x", ""] {
            let file = File { name: name.into(), content: String::new() };
            assert!(save(folder.to_str().unwrap(), &[file]).unwrap_err().message.contains("no plain file name"));
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
