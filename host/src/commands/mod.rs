//! One module for each command.

mod archive;
mod artifacts;
mod backup;
mod change;
pub(crate) mod check;
mod control;
mod dead;
mod deploy;
mod dev;
mod diff;
mod doc;
pub(crate) mod documents;
mod drive;
mod entries;
mod escalations;
mod events;
mod explain;
mod export;
mod follow;
mod format;
pub(crate) mod gc;
mod hook;
pub(crate) mod list;
mod lock;
pub(crate) mod migrate;
pub(crate) mod plan;
mod replay;
mod resume;
mod retry;
pub(crate) mod run;
mod selection;
mod send;
mod serve;
pub(crate) mod session;
mod sessions;
mod show;
mod signal;
mod stats;
mod step;
mod submit;
mod test;
mod wait;
mod why;
mod worker;

use clap::CommandFactory;

use crate::cli::{Cli, Command, PluginCommand};
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::plugin;

/// Carries out a command.
pub(crate) fn dispatch(cli: &Cli) -> Result<Exit, Problem> {
    let output = Output::new(&cli.global);
    match &cli.command {
        Command::Run(args) => run::run(output, &cli.global, args),
        Command::Serve(args) => serve::run(output, &cli.global, args),
        Command::Worker(args) => worker::run(output, &cli.global, args),
        Command::Dead(command) => dead::run(output, &cli.global, command),
        Command::Submit(args) => submit::run(output, &cli.global, args),
        Command::Wait(args) => wait::run(output, &cli.global, args),
        Command::Follow(args) => follow::run(output, &cli.global, args),
        Command::Deploy(args) => deploy::run(output, &cli.global, args),
        Command::Session(args) => sessions::run(output, &cli.global, args),
        Command::Hook(args) => hook::run(output, &cli.global, args),
        Command::Resume(args) => resume::run(output, &cli.global, args),
        Command::Set(args) => change::set(output, &cli.global, args),
        Command::Supply(args) => change::supply(output, &cli.global, args),
        Command::Diff(args) => diff::run(output, &cli.global, args),
        Command::Migrate(args) => migrate::run(output, &cli.global, args),
        Command::Retry(args) => retry::run(output, &cli.global, args),
        Command::Pause(args) => control::pause(output, &cli.global, args),
        Command::Step(args) => step::run(output, &cli.global, args),
        Command::Cancel(args) => control::cancel(output, &cli.global, args),
        Command::Why(args) => why::run(output, &cli.global, args),
        Command::Signal(args) => signal::run(output, &cli.global, args),
        Command::Send(args) => send::run(output, &cli.global, args),
        Command::Check(args) => check::run(output, &cli.global, args),
        Command::Lock(args) => lock::run(output, &cli.global, args),
        Command::Test(args) => test::run(output, &cli.global, args),
        Command::Doc(args) => doc::run(output, &cli.global, args),
        Command::Fmt(args) => format::run(output, args),
        Command::Explain(args) => explain::run(output, args),
        Command::Plan(args) => plan::run(output, &cli.global, args),
        Command::Ps(args) => list::run(output, &cli.global, args),
        Command::Show { run } => show::run(output, &cli.global, run),
        Command::Escalations => escalations::run(output, &cli.global),
        Command::Events { run } => events::run(output, &cli.global, run),
        Command::Stats(args) => stats::run(output, &cli.global, args),
        Command::Export(args) => export::run(output, &cli.global, args),
        Command::Verify(args) => backup::verify(output, &cli.global, args),
        Command::Backup(args) => backup::backup(output, &cli.global, args),
        Command::Restore(args) => backup::restore(output, &cli.global, args),
        Command::Bundle(args) => archive::bundle(output, &cli.global, args),
        Command::Archive(args) => archive::archive(output, &cli.global, args),
        Command::Import(args) => archive::import(output, &cli.global, args),
        Command::Gc(args) => gc::run(output, &cli.global, args),
        Command::Replay(args) => replay::run(output, &cli.global, args),
        Command::Artifacts(args) => artifacts::run(output, &cli.global, args),
        Command::Dev(args) => dev::run(output, &cli.global, args),
        Command::Plugin(command) => plugin_command(output, command).map(|()| Exit::Done),
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "host", &mut std::io::stdout());
            Ok(Exit::Done)
        }
    }
}

fn plugin_command(output: Output, command: &PluginCommand) -> Result<(), Problem> {
    match command {
        PluginCommand::New { name, path } => plugin::create(output, name, path),
        PluginCommand::Build { path, output: to } => plugin::build(output, path, to.as_deref()),
        PluginCommand::Inspect { component } => plugin::inspect(output, component),
    }
}
