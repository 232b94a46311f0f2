//! The command line of what was: lists, sums, exports, copies, replay.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which runs are meant.
#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// Only runs with this status: running, abandoned, paused, cancelling, succeeded, failed, cancelled
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only runs of this flow
    #[arg(long, value_name = "NAME")]
    pub(crate) flow: Option<String>,
    /// Only runs with this label; `KEY` alone for any value. Several must all fit
    #[arg(long = "label", value_name = "KEY[=VALUE]")]
    pub(crate) labels: Vec<String>,
    /// Only runs that were started at this time or later: `2h` for two hours ago, `2026-05-01`, `2026-05-01T12:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Only runs that were started before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Only runs with this text in their id, flow, labels, reason, or failure
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// What comes first: started, updated, ended, duration (largest first), flow, status (by name)
    #[arg(long, value_name = "KEY", default_value = "started")]
    pub(crate) sort: String,
    /// The other way round
    #[arg(long)]
    pub(crate) reverse: bool,
    /// Only runs that follow this one in the order: the last one of the page before
    #[arg(long, value_name = "RUN")]
    pub(crate) after: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// Only this flow
    #[arg(long, value_name = "NAME")]
    pub(crate) flow: Option<String>,
    /// Runs that were started at this time or later; of attempts, those that ended in its hour or later
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Runs that were started before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// What the lines are
    #[arg(long, value_enum, default_value_t = StatsBy::Flow)]
    pub(crate) by: StatsBy,
}

/// What a line of statistics is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatsBy {
    /// A flow: its runs
    Flow,
    /// A node of a flow: its attempts
    Node,
    /// The store: its size, its runs, and the last clean-up
    Store,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// What the rows are
    #[arg(value_enum)]
    pub(crate) what: ExportWhat,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// How they are written; `--json` is `--format json`
    #[arg(long, value_enum, default_value_t = ExportFormat::Csv)]
    pub(crate) format: ExportFormat,
    /// Where to; without it to standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// What the rows of an export are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportWhat {
    /// Runs, as `ps` has them
    Runs,
    /// Attempts of steps, with what they used
    Steps,
    /// Events, as they are stored
    Events,
}

/// How an export is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// RFC 4180, with a line of names; a text that a spreadsheet would take for a formula begins with an apostrophe
    Csv,
    /// One list of objects
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Only this run; without it the whole store
    pub(crate) run: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to write
    pub(crate) file: PathBuf,
    /// Replaces the file when it exists
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    pub(crate) file: PathBuf,
    /// Replaces the store when it exists; never one that is in use
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// The run's id, an unambiguous beginning of it, or `last`
    pub(crate) run: String,
    /// The file to write; without it `RUN.bundle`
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Replaces the file when it exists
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ArchiveArgs {
    /// The runs
    #[arg(required = true, value_name = "RUN")]
    pub(crate) runs: Vec<String>,
    /// The file to write
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Deletes the runs from the store once the file is written and checked
    #[arg(long)]
    pub(crate) delete: bool,
    /// Replaces the file when it exists
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// An archive, a bundle or a backup
    pub(crate) file: PathBuf,
    /// Only these runs of it; without any all
    #[arg(value_name = "RUN")]
    pub(crate) runs: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct GcArgs {
    /// Says what would be deleted, and deletes nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Writes the file anew, so that it is as small as it can be. Nobody else can write meanwhile
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) compact: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// A run of the store (its id, an unambiguous beginning of it, or `last`), or the file of a bundle
    #[arg(value_name = "RUN|BUNDLE")]
    pub(crate) what: String,
    /// Which run of the file, where it has several
    #[arg(long, value_name = "RUN")]
    pub(crate) run: Option<String>,
    /// The state after this event; without it after the last one
    #[arg(long, value_name = "SEQ", conflicts_with = "at")]
    pub(crate) to: Option<u64>,
    /// The state at this time: `2h` for two hours ago, `2026-05-01T12:00:00Z`
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Asks for commands, forwards and backwards, also where input is no terminal
    #[arg(long, short, conflicts_with = "json")]
    pub(crate) interactive: bool,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub(crate) struct ArtifactsArgs {
    /// The run's id, an unambiguous beginning of it, or `last`
    #[arg(required = true)]
    pub(crate) run: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<ArtifactsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ArtifactsCommand {
    /// Writes one of them as it is: a text and bytes plain, everything else as JSON
    Get {
        /// The run's id, an unambiguous beginning of it, or `last`
        run: String,
        /// Its name
        name: String,
        /// The file; without it to standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}
