//! The command line.

mod control;
mod dev;
mod history;
mod hooks;
mod sessions;
mod worker;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use control::{CancelArgs, Patience, PauseArgs, RunSelection, StepArgs, WhyArgs};
pub(crate) use dev::{DevArgs, DevCommand};
pub(crate) use history::{
    ArchiveArgs, ArtifactsArgs, ArtifactsCommand, BackupArgs, BundleArgs, ExportArgs, ExportFormat, ExportWhat, GcArgs,
    ImportArgs, PsArgs, ReplayArgs, RestoreArgs, Selection, StatsArgs, StatsBy, VerifyArgs,
};

pub(crate) use worker::{DeadCommand, WorkerArgs};

pub(crate) use hooks::{HookAddArgs, HookArgs, HookCommand};
pub(crate) use sessions::{SessionArgs, SessionCloseArgs, SessionCommand, SessionOpenArgs};

use crate::serve::deployment::{Missed, Overlap};

/// Runs .flow files: every step a sandboxed WASM component, every result journaled.
#[derive(Debug, Parser)]
#[command(name = "host", version, about, long_about = None, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  the run failed or was cancelled; files are not formatted; a lock file is out of date; a run does not fit a flow
    2  the command line or the configuration is wrong
    3  the flow does not compile
    4  a plugin could not be loaded or built
    5  the store is unreachable, damaged or has no such run
    6  the run is paused or waits for a decision
    7  the input does not fit the flow's parameters
  130  interrupted; the run can be resumed with the printed command";

/// Options of every command.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// The store: one SQLite file, made when it is missing
    #[arg(long, global = true, value_name = "FILE", env = "FLOWHOST_STORE")]
    pub(crate) store: Option<PathBuf>,
    /// The configuration; without it `flowhost.toml` in the current folder is read when it exists
    #[arg(long, global = true, value_name = "FILE", env = "FLOWHOST_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The NATS servers that the store is shared over, with commas between them; without it those of `[nats]`
    #[arg(long, global = true, value_name = "URL", env = "FLOWHOST_NATS", hide_env_values = true)]
    pub(crate) nats: Option<String>,
    /// Prints one JSON document on standard output instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Prints nothing but results and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs a flow to its end
    Run(RunArgs),
    /// Keeps the runs of the store going, and starts runs when they are submitted or triggered
    Serve(ServeArgs),
    /// Runs steps of other hosts' runs, and has none of its own; needs `--nats`
    Worker(WorkerArgs),
    /// Has the service run a flow, and does not wait for it
    Submit(SubmitArgs),
    /// Waits for the end of a run, whoever drives it
    Wait(WaitArgs),
    /// Shows what happens to a run of the service until it ends
    Follow(FollowArgs),
    /// Has the service run flows when their triggers say so
    Deploy(DeployArgs),
    /// Opens and closes sessions, which label many runs and call what a flow says at their beginning and end
    Session(SessionArgs),
    /// Puts hooks around all runs, which programs on the cluster handle, and lists how they were called
    Hook(HookArgs),
    /// Goes on with a run that was paused, interrupted or whose host died
    Resume(ResumeArgs),
    /// Starts a new run that takes over the results of an ended one, and runs the rest again
    Retry(RetryArgs),
    /// Changes settings of a step that has not begun, or input that nothing has used, in a run that goes on
    Set(SetArgs),
    /// Gives the result of a step that has not begun, which then does not run
    Supply(SupplyArgs),
    /// Says what differs between two flows, and which runs of the old one can go on with the new one
    Diff(DiffArgs),
    /// Lets runs go on with another flow, where all that they have done fits it
    Migrate(MigrateArgs),
    /// Lets nothing new start in runs, whoever drives them; what runs may finish
    Pause(PauseArgs),
    /// Lets so many more steps of a paused run start, then pauses it again
    Step(StepArgs),
    /// Ends runs as cancelled, whoever drives them: what runs may finish, then all is taken back that has an `undo`
    Cancel(CancelArgs),
    /// Says why a run, or a node of it, does not go on
    Why(WhyArgs),
    /// Gives a run a signal that it waits for, or will wait for
    Signal(SignalArgs),
    /// Sends a message to all runs that wait on its topic
    Send(SendArgs),
    /// Checks a flow and everything it imports
    Check(CheckArgs),
    /// Pins the components of flows to the bytes that they have now, in `flow.lock`
    Lock(LockArgs),
    /// Runs the tests in flow files: mocked steps, virtual time, nothing outside is touched
    Test(TestArgs),
    /// Writes down what a flow file offers and what it asks for, as Markdown
    Doc(DocArgs),
    /// Formats flow files
    Fmt(FmtArgs),
    /// Says what a diagnostic code means, with a wrong and a right example
    Explain(ExplainArgs),
    /// Prints the graph that a flow compiles to
    Plan(PlanArgs),
    /// Lists runs
    Ps(PsArgs),
    /// Prints one run: input, outcome, and each step with what it used
    Show {
        /// The run's id, or an unambiguous beginning of it
        run: String,
    },
    /// Lists steps that failed and wait for a human, with what was tried and the commands that decide
    Escalations,
    /// Prints the journal of a run
    Events {
        /// The run's id, or an unambiguous beginning of it
        run: String,
    },
    /// Sums up how runs and steps went: counts, failures, lengths of time, what was used
    Stats(StatsArgs),
    /// Writes runs, attempts or events as a table for other programs
    Export(ExportArgs),
    /// Checks that nothing of the store is lost or changed
    Verify(VerifyArgs),
    /// Copies the store to a file while runs go on
    Backup(BackupArgs),
    /// Puts a backup in the place of the store
    Restore(RestoreArgs),
    /// Writes a run with all that it needs to one file, which replays anywhere
    Bundle(BundleArgs),
    /// Writes ended runs to a file, and deletes them when asked to
    Archive(ArchiveArgs),
    /// Takes runs out of an archive, a bundle or a backup into the store
    Import(ImportArgs),
    /// Deletes what `[retention]` does not keep, and gives space back
    Gc(GcArgs),
    /// Shows any past state of a run, made again from its journal
    Replay(ReplayArgs),
    /// Lists what the steps of a run gave under a name, and gets it
    Artifacts(ArtifactsArgs),
    /// Starts a cluster to try on this machine: NATS servers, and hosts that share what they run
    Dev(DevArgs),
    /// Lists what the hosts of a cluster could not handle, and sends it again; needs `--nats`
    #[command(subcommand)]
    Dead(DeadCommand),
    /// Makes, builds and inspects plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Prints a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

/// What a run is started with.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// The flow file
    pub(crate) flow_file: PathBuf,
    /// The flow to run; without it `main`, or the only flow of the file
    #[arg(long, value_name = "NAME")]
    pub(crate) flow: Option<String>,
    /// A parameter of the flow. Texts are written as they are, everything else as JSON. For a `dir` parameter the path
    /// of a folder: naming it grants the flow what it asks for in that folder, and nothing else
    #[arg(long = "input", short, value_name = "NAME=VALUE")]
    pub(crate) inputs: Vec<String>,
    /// A JSON document with all parameters; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) input_file: Option<PathBuf>,
    /// Permits a capability that the flow asks for: `http api.example.com`, `http *.example.com`, `env NAME`
    #[arg(long, value_name = "CAPABILITY")]
    pub(crate) allow: Vec<String>,
    /// A label to find the run by
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    /// The session that the run is in: it gets its labels
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) start: StartArgs,
    /// Most attempts that run at the same time
    #[arg(long, value_name = "N")]
    pub(crate) parallel: Option<u32>,
    /// What a committed result survives
    #[arg(long, value_enum)]
    pub(crate) durability: Option<Durability>,
}

/// What a committed result survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Durability {
    /// A power failure: each group of results is synced to the disk before anything depends on it
    Full,
    /// The death of the process, not of the machine
    Process,
}

/// Where the service is.
#[derive(Debug, Args)]
pub(crate) struct SocketArgs {
    /// The service's socket; without it `<store>.sock`
    #[arg(long, value_name = "PATH", env = "FLOWHOST_SOCKET", global = true)]
    pub(crate) socket: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ServeArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ServeCommand>,
    #[command(flatten)]
    pub(crate) at: SocketArgs,
    /// Takes webhooks over HTTP at this address, such as `127.0.0.1:8080`; port 0 is one that is free
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
    /// How long steps that run may take to end when the service is stopped
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(crate) drain: String,
    /// Most runs in memory; others wait in the store
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) keep: u32,
    /// Most attempts that run at the same time
    #[arg(long, value_name = "N")]
    pub(crate) parallel: Option<u32>,
    /// What a committed result survives
    #[arg(long, value_enum)]
    pub(crate) durability: Option<Durability>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServeCommand {
    /// Asks the service how it is
    Status,
    /// Has the service end what runs and stop
    Stop,
}

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    #[command(flatten)]
    pub(crate) start: StartArgs,
    /// Submitting the same with the same id again starts nothing, and prints the run of the first time
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    #[command(flatten)]
    pub(crate) at: SocketArgs,
}

#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    /// The run's id, or an unambiguous beginning of it
    pub(crate) run: String,
    /// Exits with 6 when the run has not ended by then
    #[arg(long, value_name = "DURATION")]
    pub(crate) timeout: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct FollowArgs {
    /// The run's id, or an unambiguous beginning of it
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) at: SocketArgs,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct DeployArgs {
    #[command(subcommand)]
    pub(crate) command: Option<DeployCommand>,
    /// Flow files with `on` items; each becomes a deployment, or a new version of one
    #[arg(required = true)]
    pub(crate) flow_files: Vec<PathBuf>,
    /// The deployment's name; without it that of the file
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Permits a capability that the flow asks for, as with `host run`
    #[arg(long, value_name = "CAPABILITY")]
    pub(crate) allow: Vec<String>,
    /// A label of each run
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub(crate) labels: Vec<String>,
    /// What is done about times of a schedule that passed while no service ran
    #[arg(long, value_enum, default_value_t)]
    pub(crate) missed: Missed,
    /// What is done when a trigger fires while the run that it last started has not ended
    #[arg(long, value_enum, default_value_t)]
    pub(crate) overlap: Overlap,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeployCommand {
    /// Lists deployments, their triggers, and when each fires next
    List,
    /// Removes a deployment with all its versions; runs that it started go on
    Remove {
        /// The deployment
        name: String,
    },
    /// Holds the triggers of a deployment back
    Pause {
        /// The deployment
        name: String,
    },
    /// Lets the triggers of a deployment fire again
    Resume {
        /// The deployment
        name: String,
    },
    /// Makes an earlier version the current one
    Rollback {
        /// The deployment
        name: String,
        /// Which version; without it the one before the current one
        #[arg(long, value_name = "N")]
        version: Option<u32>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The run's id, or an unambiguous beginning of it
    pub(crate) run: String,
    /// Runs a step again about which a decision is needed; with other limits as `TASK=memory:512MiB,timeout:2m,fuel:1000`
    #[arg(long, value_name = "TASK[=LIMIT:AMOUNT,…]")]
    pub(crate) retry: Vec<String>,
    /// Gives the result of a step about which a decision is needed
    #[arg(long, value_name = "TASK=JSON")]
    pub(crate) supply: Vec<String>,
    /// Lets a step fail about which a decision is needed
    #[arg(long, value_name = "TASK=MESSAGE")]
    pub(crate) fail: Vec<String>,
    /// Gives a signal that the run waits for, or will wait for; `NAME` alone for one that carries nothing
    #[arg(long = "signal", value_name = "NAME=JSON")]
    pub(crate) signals: Vec<String>,
    /// Takes the run away from a process that still drives it, which then stops
    #[arg(long)]
    pub(crate) take_over: bool,
    /// Most attempts that run at the same time
    #[arg(long, value_name = "N")]
    pub(crate) parallel: Option<u32>,
    /// What a committed result survives
    #[arg(long, value_enum)]
    pub(crate) durability: Option<Durability>,
}

#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// The run's id, or an unambiguous beginning of it
    pub(crate) run: String,
    /// A node to run again, with all that follows from it; its path as `host show` prints it. Without it what failed runs again
    #[arg(long, value_name = "PATH")]
    pub(crate) from: Vec<String>,
    /// Lets steps have their effects once more that had succeeded
    #[arg(long)]
    pub(crate) yes: bool,
    /// Most attempts that run at the same time
    #[arg(long, value_name = "N")]
    pub(crate) parallel: Option<u32>,
    /// What a committed result survives
    #[arg(long, value_enum)]
    pub(crate) durability: Option<Durability>,
}

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// The run's id, or an unambiguous beginning of it
    pub(crate) run: String,
    /// The step's path, such as `main/items[3]/text.profile`
    pub(crate) path: Option<String>,
    /// What changes: `retry=3`, `backoff=10s`, `timeout=30s`, `deadline=5m`, `priority=7`, `class=NAME`, `memory=64MiB`, `fuel=1_000_000`
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
    /// A parameter of the flow that nothing has used yet
    #[arg(long = "input", short, value_name = "NAME=VALUE")]
    pub(crate) inputs: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SupplyArgs {
    /// The run's id, or an unambiguous beginning of it
    pub(crate) run: String,
    /// The step's path
    pub(crate) path: String,
    /// Its result as JSON
    #[arg(allow_hyphen_values = true)]
    pub(crate) value: String,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The old flow file; or a run, which is compared as it is stored and gets a verdict
    #[arg(value_name = "FLOW_FILE|RUN")]
    pub(crate) old: String,
    /// The new flow file
    pub(crate) new: PathBuf,
    /// The flow to compare; without it `main`, or the only flow of the file
    #[arg(long, value_name = "NAME")]
    pub(crate) flow: Option<String>,
    /// Says of each run of the old flow that has not ended whether it can go on with the new one
    #[arg(long)]
    pub(crate) runs: bool,
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// The runs' ids, or unambiguous beginnings of them
    #[arg(required_unless_present = "all")]
    pub(crate) runs: Vec<String>,
    /// The flow file that they are to go on with
    #[arg(long, value_name = "FLOW_FILE", required_unless_present = "back")]
    pub(crate) to: Option<PathBuf>,
    /// The flow of the file; without it `main`, or the only one
    #[arg(long, value_name = "NAME")]
    pub(crate) flow: Option<String>,
    /// All runs of a flow of this name that have not ended
    #[arg(long, requires = "to", conflicts_with = "runs")]
    pub(crate) all: bool,
    /// Goes back to the program before the last migration
    #[arg(long, conflicts_with_all = ["to", "all"])]
    pub(crate) back: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SignalArgs {
    /// The run's id, or an unambiguous beginning of it
    pub(crate) run: String,
    /// The signal's name
    pub(crate) name: String,
    /// What it carries, as JSON: `true`, `3`, `'"text"'`, `'{"a": 1}'`; left out when it carries nothing
    pub(crate) value: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// The topic, such as `orders.new`
    pub(crate) topic: String,
    /// What the message carries, as JSON; left out when it carries nothing
    pub(crate) value: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The flow files
    #[arg(required = true)]
    pub(crate) flow_files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LockArgs {
    /// The flow files; without any all of the current folder
    pub(crate) flow_files: Vec<PathBuf>,
    /// Moves what is pinned, within its range or to what its tag has now: all, or what has this name or reference
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true)]
    pub(crate) update: Option<Option<String>>,
    /// Pins components that are named by path too
    #[arg(long)]
    pub(crate) paths: bool,
    /// Changes nothing, and exits with 1 when a lock file is out of date
    #[arg(long, conflicts_with_all = ["update", "paths"])]
    pub(crate) check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Flow files, and folders that are searched for flow files with tests
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// Most real time that a test may take
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    pub(crate) timeout: String,
    /// Runs each test that passes again for each write of its journal: its host dies there, another one goes on, and at the
    /// end all must be as if nothing had happened
    #[arg(long)]
    pub(crate) crash_everywhere: bool,
    /// With `--crash-everywhere`: at most so many writes of a test, evenly spread, instead of all
    #[arg(long, value_name = "N", requires = "crash_everywhere", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) crash_points: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct DocArgs {
    /// The flow file
    pub(crate) flow_file: PathBuf,
    /// Only this flow
    #[arg(long, value_name = "NAME")]
    pub(crate) flow: Option<String>,
    /// Where to write the document; without it to standard output
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// With a Mermaid graph of each flow
    #[arg(long)]
    pub(crate) graph: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FmtArgs {
    /// Flow files, and folders with flow files in them; `-` is the same as `--stdin`
    #[arg(required_unless_present = "stdin", value_name = "FILE|FOLDER")]
    pub(crate) paths: Vec<PathBuf>,
    /// Changes nothing, lists the files that would be changed, and exits with 1 when there are any
    #[arg(long)]
    pub(crate) check: bool,
    /// Formats standard input to standard output
    #[arg(long, conflicts_with = "paths")]
    pub(crate) stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code, such as `flow::type_mismatch` or `type_mismatch`; without it all codes are listed
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The flow file
    pub(crate) flow_file: PathBuf,
    /// The flow that a run would start
    #[arg(long, value_name = "NAME")]
    pub(crate) flow: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = PlanFormat::Table)]
    pub(crate) format: PlanFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlanFormat {
    /// A table for people, with roots, leaves and the longest path
    Table,
    /// A Mermaid flowchart
    Mermaid,
    /// A Graphviz graph
    Dot,
    /// Everything, for programs
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Makes a folder with a plugin in Rust that builds at once
    New {
        /// The plugin's name in kebab-case
        name: String,
        /// Where to make the folder
        #[arg(long, value_name = "FOLDER", default_value = ".")]
        path: PathBuf,
    },
    /// Builds a plugin in Rust and checks the component
    Build {
        /// The plugin's folder
        #[arg(default_value = ".")]
        path: PathBuf,
        /// Where to put the component; without it `<name>.wasm` in the plugin's folder
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Prints what a component exports and imports, and what granting the imports means
    Inspect {
        /// The component file
        component: PathBuf,
    },
}
