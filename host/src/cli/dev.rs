//! The arguments of `host dev`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DevArgs {
    #[command(subcommand)]
    pub(crate) command: Option<DevCommand>,
    /// How many hosts
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) hosts: u32,
    /// How many NATS servers: one, or a cluster of at least three
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) servers: u32,
    /// How many workers there always are beside the hosts
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) min_workers: u32,
    /// How many there may be when most places are taken; without it as many as there always are
    #[arg(long, value_name = "N")]
    pub(crate) max_workers: Option<u32>,
    /// The program of NATS; without it `nats-server` on the PATH
    #[arg(long, value_name = "PATH", env = "FLOWHOST_NATS_SERVER")]
    pub(crate) nats_server: Option<PathBuf>,
    /// Where servers and hosts keep what they have, so that the next time goes on with it
    #[arg(long, value_name = "FOLDER", default_value = ".flowhost/dev", global = true)]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DevCommand {
    /// Says what runs, once all of it does
    Status,
    /// Ends the cluster and waits until all of it has ended
    Stop,
    /// Ends the processes that it is told when whoever told them is gone
    #[command(hide = true)]
    Guard,
}
