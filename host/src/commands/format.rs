//! `host fmt`: writes flow files as everyone writes them.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use grammar::Diagnostic;
use lang::Sources;
use serde_json::{Value, json};

use crate::cli::FmtArgs;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::world::read_text;

/// What became of all files.
#[derive(Debug, Default)]
struct Outcome {
    /// Files that are, or with `--check` would be, written anew.
    changed: Vec<String>,
    unchanged: usize,
    diagnostics: Vec<(Vec<Diagnostic>, Sources)>,
}

/// Formats files in place, or standard input to standard output.
pub(crate) fn run(output: Output, args: &FmtArgs) -> Result<Exit, Problem> {
    if args.stdin || args.paths.iter().any(|path| path.as_os_str() == "-") {
        return filter(output, args);
    }
    let mut files = Vec::new();
    for path in &args.paths {
        if path.is_dir() { collect(path, &mut files)? } else { files.push(path.clone()) }
    }
    let mut outcome = Outcome::default();
    for file in &files {
        let text = read_text(file).map_err(|reason| unreadable(file, &reason))?;
        let shown = file.to_string_lossy().into_owned();
        match grammar::format(&text) {
            Ok(formatted) if formatted == text => outcome.unchanged += 1,
            Ok(formatted) => {
                if !args.check {
                    replace(file, &formatted)?;
                }
                outcome.changed.push(shown);
            }
            Err(found) => outcome.diagnostics.push((found, Sources::single(shown, text.into()))),
        }
    }
    Ok(outcome.print(output, args.check))
}

impl Outcome {
    fn print(&self, output: Output, check: bool) -> Exit {
        let json = |(found, sources): &(Vec<Diagnostic>, Sources)| -> Vec<Value> {
            found.iter().map(|found| lang::to_json(found, sources)).collect()
        };
        if output.json() {
            let diagnostics: Vec<Value> = self.diagnostics.iter().flat_map(json).collect();
            let document = json!({ "changed": self.changed, "unchanged": self.unchanged, "diagnostics": diagnostics });
            output.document(&document, String::new);
        } else {
            self.diagnostics.iter().for_each(|(found, sources)| output.reports(found, sources));
            if check && !self.changed.is_empty() {
                crate::output::write_out(&self.changed.join("\n"));
            }
            let done = if check { "would be formatted" } else { "formatted" };
            output.note(&format!("{} {done}, {} left as they are", self.changed.len(), self.unchanged + self.diagnostics.len()));
        }
        match (self.diagnostics.is_empty(), check && !self.changed.is_empty()) {
            (false, _) => Exit::DoesNotCompile,
            (true, true) => Exit::RunFailed,
            (true, false) => Exit::Done,
        }
    }
}

/// Standard input to standard output; with `--check` only the exit code says whether they differ.
fn filter(output: Output, args: &FmtArgs) -> Result<Exit, Problem> {
    if args.paths.len() > 1 {
        return Err(Problem::usage("`-` stands alone: standard input is formatted to standard output"));
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(grammar::MAX_SOURCE as u64 + 1).read_to_string(&mut text);
    read.map_err(|error| Problem::usage(format!("standard input cannot be read: {error}")))?;
    match grammar::format(&text) {
        Ok(formatted) if args.check => Ok(if formatted == text { Exit::Done } else { Exit::RunFailed }),
        Ok(formatted) => {
            let written = std::io::stdout().lock().write_all(formatted.as_bytes());
            written.map_err(|error| Problem::usage(format!("standard output cannot be written: {error}")))?;
            Ok(Exit::Done)
        }
        Err(found) => {
            let sources = Sources::single("<stdin>".into(), text.into());
            Ok(Outcome { diagnostics: vec![(found, sources)], ..Outcome::default() }.print(output, args.check))
        }
    }
}

/// All flow files below a folder in the order of their paths, hidden folders and links to folders aside.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Problem> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error.to_string()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(folder, &error.to_string()))?;
        let kind = entry.file_type().map_err(|error| unreadable(folder, &error.to_string()))?;
        paths.push((entry.path(), kind));
    }
    paths.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (path, kind) in paths {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if kind.is_dir() && !hidden {
            collect(&path, files)?;
        } else if !kind.is_dir() && path.extension().is_some_and(|extension| extension == "flow") {
            files.push(path);
        }
    }
    Ok(())
}

/// Writes a file beside the old one and puts it in its place, so that the file is always whole.
fn replace(file: &Path, text: &str) -> Result<(), Problem> {
    let problem = |error: std::io::Error| Problem::usage(format!("`{}` cannot be written: {error}", file.display()));
    // A link stays one: what it points to is replaced.
    let target = file.canonicalize().map_err(problem)?;
    let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = target.with_file_name(format!(".{name}.{}", std::process::id()));
    let permissions = std::fs::metadata(&target).map_err(problem)?.permissions();
    let written = std::fs::write(&beside, text)
        .and_then(|()| std::fs::set_permissions(&beside, permissions))
        .and_then(|()| std::fs::rename(&beside, &target));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        problem(error)
    })
}

fn unreadable(path: &Path, reason: &str) -> Problem {
    Problem::usage(format!("`{}` cannot be read: {reason}", path.display()))
}
