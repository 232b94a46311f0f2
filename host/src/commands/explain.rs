//! `host explain`: what a diagnostic code means, with a wrong and a right example.

use lang::explain::{PAGES, Page, explain};

use crate::cli::ExplainArgs;
use crate::exit::{Exit, Problem};
use crate::output::{Output, columns};

/// Prints the page of a code, or all codes.
pub(crate) fn run(output: Output, args: &ExplainArgs) -> Result<Exit, Problem> {
    let Some(code) = &args.code else {
        let all: Vec<serde_json::Value> = PAGES.iter().map(|page| to_json(page, false)).collect();
        output.document(&serde_json::Value::Array(all), list);
        return Ok(Exit::Done);
    };
    let page = explain(code).map_err(|close| {
        let problem = Problem::usage(format!("there is no diagnostic code `{code}`"));
        match close {
            Some(close) => problem.help(format!("did you mean `{close}`?")),
            None => problem.help("`host explain` lists all codes"),
        }
    })?;
    output.document(&to_json(&page, true), || shown(&page));
    Ok(Exit::Done)
}

fn to_json(page: &Page, whole: bool) -> serde_json::Value {
    let mut value = serde_json::json!({ "code": page.code, "summary": page.summary() });
    if let (true, Some(fields)) = (whole, value.as_object_mut()) {
        fields.insert("text".to_owned(), page.text.into());
    }
    value
}

fn list() -> String {
    columns(["CODE", "MEANING"], PAGES.iter().map(|page| [page.code.to_owned(), page.summary().to_owned()]))
}

/// The page for a terminal: examples are indented, with a word before each.
fn shown(page: &Page) -> String {
    let mut text = String::new();
    let mut example = false;
    for line in page.text.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        match line.strip_prefix("```") {
            Some(mark) => {
                example = !example;
                if example {
                    let mark = mark.trim_start_matches("flow").trim();
                    text.push_str(&format!("{mark}:\n"));
                }
            }
            None if example && !line.is_empty() => text.push_str(&format!("    {line}\n")),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}
