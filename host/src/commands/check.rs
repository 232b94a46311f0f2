//! `host check`: diagnostics of flows and of all they import.

use lang::{Compilation, Entry};

use crate::cli::{CheckArgs, Global};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::world::DiskWorld;

/// Checks each file; several files are one answer.
pub(crate) fn run(output: Output, global: &Global, args: &CheckArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let mut compilations: Vec<Compilation> = Vec::new();
    for file in &args.flow_files {
        compilations.push(lang::compile(&DiskWorld::open(output, &config, file)?, &file.to_string_lossy(), Entry::None));
    }
    output.diagnostics(&compilations.iter().collect::<Vec<_>>());
    let exit = compilations.iter().map(failed).fold(Exit::Done, worse);
    if exit == Exit::Done && !output.json() {
        output.note(&format!("{} checked, no errors", files(compilations.len())));
    }
    Ok(exit)
}

/// The exit code of a compilation: errors in the text win over components that could not be loaded.
pub(crate) fn failed(compilation: &Compilation) -> Exit {
    if compilation.only_components_failed() {
        Exit::Plugin
    } else if compilation.has_errors() {
        Exit::DoesNotCompile
    } else {
        Exit::Done
    }
}

/// Of two exit codes the one that a command over several files ends with.
pub(crate) fn worse(a: Exit, b: Exit) -> Exit {
    match (a, b) {
        (Exit::DoesNotCompile, _) | (_, Exit::DoesNotCompile) => Exit::DoesNotCompile,
        (Exit::Plugin, _) | (_, Exit::Plugin) => Exit::Plugin,
        (Exit::RunFailed, _) | (_, Exit::RunFailed) => Exit::RunFailed,
        _ => Exit::Done,
    }
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}
