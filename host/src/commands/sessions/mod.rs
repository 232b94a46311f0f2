//! `host session`: opens, closes and lists sessions.

mod close;
mod list;
mod open;
mod start;

use journal::{SessionWrite, SqliteJournal};

use crate::cli::{Global, SessionArgs, SessionCommand};
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;

/// Carries out a command.
pub(crate) fn run(output: Output, global: &Global, args: &SessionArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    match &args.command {
        SessionCommand::Open(open) => open::run(output, &config, &args.at, open),
        SessionCommand::Close(close) => close::run(output, &config, &args.at, close),
        SessionCommand::List { all } => list::run(output, &config, *all),
    }
}

fn write(journal: &SqliteJournal, write: SessionWrite) -> Result<(), Problem> {
    Ok(futures::executor::block_on(journal.write_session(write))?)
}
