//! `host worker`: runs steps of other hosts' runs.

use crate::cli::{Global, WorkerArgs};
use crate::cluster::worker::{self, Settings};
use crate::config::{Config, WorkerConfig, parse_duration};
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::serve::log::Log;

/// Works until it is stopped.
pub(crate) fn run(output: Output, global: &Global, args: &WorkerArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let mut labels = config.worker.labels.clone();
    for label in &args.labels {
        let Some((key, value)) = label.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(Problem::usage(format!("`{label}` is not a label")).help("write it as `--label zone=a`"));
        };
        labels.insert(key.to_owned(), value.to_owned());
    }
    let classes = if args.classes.is_empty() { config.worker.classes.clone() } else { Some(args.classes.clone()) };
    let what = WorkerConfig { classes, labels };
    let options = what.options(config.policy.allow.iter().chain(&args.allow))?;
    let settings = Settings { options, parallel: args.parallel, drain: parse_duration(&args.drain)? };
    worker::run(Log::new(output), &config, settings)
}
