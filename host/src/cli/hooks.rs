//! The command line of hooks around runs.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct HookArgs {
    #[command(subcommand)]
    pub(crate) command: HookCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HookCommand {
    /// Puts a hook around all runs that are prepared from now on, in place of one of the same name
    Add(HookAddArgs),
    /// Lists the hooks of the configuration and those that were added
    List,
    /// Removes a hook that was added; runs that were started with it keep it
    Remove {
        /// Its name
        name: String,
    },
    /// Lists calls of handlers, the last ones at the end
    Log {
        /// Only those of this hook
        name: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
}

#[derive(Debug, Args)]
pub(crate) struct HookAddArgs {
    /// Its name, which is part of the subject that the handler listens to
    pub(crate) name: String,
    /// Asks before each of these: `run`, `step`, `attempt` or `message`
    #[arg(long, value_name = "EVENT", required_unless_present = "after", conflicts_with = "after")]
    pub(crate) before: Option<String>,
    /// Tells after each of these
    #[arg(long, value_name = "EVENT")]
    pub(crate) after: Option<String>,
    /// Only around these: steps as they are written, topics, or the flow of a run; `*` stands for one part, `>` for the rest
    #[arg(long, value_name = "PATTERN")]
    pub(crate) on: Option<String>,
    /// How long the handler may take before an event, such as `5s`; 5 s without it
    #[arg(long)]
    pub(crate) timeout: Option<String>,
    /// What holds when the handler before an event does not answer or fails: `allow` or `veto`; `veto` without it
    #[arg(long, value_name = "VERDICT")]
    pub(crate) default: Option<String>,
}
