//! The arguments of `host worker` and `host dead`.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct WorkerArgs {
    /// Most attempts that run at the same time
    #[arg(long, value_name = "N")]
    pub(crate) parallel: Option<u32>,
    /// Takes only steps of this class; without it those of any class, and of none
    #[arg(long = "class", value_name = "NAME")]
    pub(crate) classes: Vec<String>,
    /// Permits a capability, as with `host run`: steps that are granted more are left to other hosts
    #[arg(long, value_name = "CAPABILITY")]
    pub(crate) allow: Vec<String>,
    /// A label that the other hosts see
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    /// How long steps that run may take to end when the worker is stopped
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(crate) drain: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadCommand {
    /// Lists them, the oldest first
    List,
    /// Prints one, with what was sent
    Show {
        /// Its number
        number: u64,
    },
    /// Sends one again to where it was sent, and takes it out of the list
    Retry {
        /// Its number
        number: u64,
    },
}
