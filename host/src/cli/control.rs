//! The command line of what steers live runs and asks about them.

use clap::Args;

/// Which runs are meant.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct RunSelection {
    /// The runs' ids, or unambiguous beginnings of them
    pub(crate) runs: Vec<String>,
    /// All runs that have not ended
    #[arg(long)]
    pub(crate) all: bool,
    /// Those that have not ended and have this label
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) label: Option<String>,
    /// Those of this flow that have not ended
    #[arg(long, value_name = "NAME")]
    pub(crate) flow: Option<String>,
    /// Those with this status: running, paused, cancelling
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<String>,
}

/// How long the effect of an order is waited for.
#[derive(Debug, Args)]
pub(crate) struct Patience {
    /// Leaves the order in the run's inbox and does not wait for it to be carried out
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// How long to wait for it
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(crate) timeout: String,
}

#[derive(Debug, Args)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    pub(crate) selection: RunSelection,
    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) patience: Patience,
}

#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    pub(crate) selection: RunSelection,
    /// Why, for people
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Stops what runs at once; without it what runs comes to its end first
    #[arg(long)]
    pub(crate) now: bool,
    #[command(flatten)]
    pub(crate) patience: Patience,
}

#[derive(Debug, Args)]
pub(crate) struct StepArgs {
    /// The paused run's id, or an unambiguous beginning of it
    pub(crate) run: String,
    /// So many more steps may start
    #[arg(default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) steps: u32,
    #[command(flatten)]
    pub(crate) patience: Patience,
}

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The run's id, or an unambiguous beginning of it
    pub(crate) run: String,
    /// A node: its path, the end of it, or a part of it; without one the whole run
    pub(crate) node: Option<String>,
    /// Says instead where the time went: for each step what it waited for, those that took longest first
    #[arg(long, conflicts_with = "node")]
    pub(crate) times: bool,
}
