//! The command line of sessions.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::SocketArgs;

#[derive(Debug, Args)]
pub(crate) struct SessionArgs {
    #[command(subcommand)]
    pub(crate) command: SessionCommand,
    #[command(flatten)]
    pub(crate) at: SocketArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// Opens a session for a flow file, calls what its `hook session start` say, and prints its id
    Open(SessionOpenArgs),
    /// Closes a session, and calls what the `hook session end` of its flow file say
    Close(SessionCloseArgs),
    /// Lists sessions, with how many of their runs have not ended and how many of their hooks failed
    List {
        /// Closed ones too
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SessionOpenArgs {
    /// The flow file whose hooks are called; runs of other files may be in the session as well
    pub(crate) flow_file: PathBuf,
    /// A label of each run in the session
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    /// Permits a capability that a hook asks for, as with `host run`
    #[arg(long, value_name = "CAPABILITY")]
    pub(crate) allow: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SessionCloseArgs {
    /// The session's id, or an unambiguous beginning of it
    pub(crate) session: String,
    /// Cancels the runs that have not ended, and waits for their end
    #[arg(long, conflicts_with = "wait")]
    pub(crate) cancel: bool,
    /// Waits until its runs have ended
    #[arg(long)]
    pub(crate) wait: bool,
    /// How long to wait: with `--cancel` 30s when nothing is said, with `--wait` for ever
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<String>,
}
