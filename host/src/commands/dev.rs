//! `host dev`: a cluster on this machine, to try.

use crate::cli::{DevArgs, DevCommand, Global};
use crate::dev::{self, Settings, guard};
use crate::exit::{Exit, Problem};
use crate::output::Output;

/// Two servers survive no more than one, and each needs the other: that is no cluster.
const LEAST_SERVERS: usize = 3;

/// More than this machine could want.
const MOST: usize = 32;

/// Runs the cluster until it is interrupted.
pub(crate) fn run(output: Output, global: &Global, args: &DevArgs) -> Result<Exit, Problem> {
    match args.command {
        Some(DevCommand::Guard) => return guard::run(output),
        Some(DevCommand::Status) => return dev::status(output, &args.folder),
        Some(DevCommand::Stop) => return dev::stop(&args.folder),
        None => {}
    }
    if global.store.is_some() {
        return Err(Problem::usage("`host dev` gives each host a store of its own")
            .help("leave `--store` and FLOWHOST_STORE out; `--folder` says where the stores are"));
    }
    if global.nats.is_some() {
        return Err(Problem::usage("`host dev` starts NATS servers of its own").help(
            "leave `--nats` and FLOWHOST_NATS out; with servers that run already, start hosts with `host serve --nats URL`",
        ));
    }
    let settings = Settings {
        hosts: count("hosts", args.hosts, 0)?,
        servers: count("servers", args.servers, 1)?,
        least_workers: count("min-workers", args.min_workers, 0)?,
        most_workers: count("max-workers", args.max_workers.unwrap_or(args.min_workers), 0)?,
        nats_server: args.nats_server.clone(),
        folder: args.folder.clone(),
        config: global.config.clone(),
    };
    if settings.servers != 1 && settings.servers < LEAST_SERVERS {
        return Err(Problem::usage("`--servers` must be 1, or at least 3: of two, none can be missed"));
    }
    if settings.most_workers < settings.least_workers {
        return Err(Problem::usage("`--max-workers` must not be less than `--min-workers`"));
    }
    dev::run(output, &settings)
}

fn count(name: &str, value: u32, least: usize) -> Result<usize, Problem> {
    let out_of_range = || Problem::usage(format!("`--{name}` must be between {least} and {MOST}"));
    usize::try_from(value).ok().filter(|count| (least..=MOST).contains(count)).ok_or_else(out_of_range)
}
