//! The `host` binary: command line, configuration, wiring, signals, exit codes, rendering.

mod cli;
mod cluster;
mod commands;
mod config;
mod dev;
mod escalation;
mod exit;
mod inputs;
mod output;
mod owner;
mod parts;
mod planner;
mod plugin;
mod program;
mod progress;
mod roles;
mod serve;
mod sessions;
mod signals;
mod socket;
mod stored;
mod trace;
mod verdict;
mod world;

use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::Cli;
use crate::exit::Exit;
use crate::output::Output;

/// A sandbox is made of many small allocations, which end on other threads than they began.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(mut error) => {
            inputs_tip(&mut error);
            // Help and version are not errors; everything else is usage.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            let _ = error.print();
            return ExitCode::from(exit.code());
        }
    };
    match commands::dispatch(&cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(problem) => {
            Output::new(&cli.global).problem(&problem);
            ExitCode::from(problem.exit.code())
        }
    }
}

/// `host run FILE name=value` and `--name value`, as other programs take the inputs of a workflow.
fn inputs_tip(error: &mut clap::Error) {
    let starts = matches!(std::env::args().nth(1).as_deref(), Some("run" | "submit"));
    if starts && error.kind() == ErrorKind::UnknownArgument && error.get(ContextKind::SuggestedArg).is_none() {
        let tip = "the inputs of a flow are given as `--input name=value`".into();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
}
