//! `host follow`: shows a run of the service as `host run` would.

use std::time::Duration;

use crate::cli::{FollowArgs, Global};
use crate::commands::session;
use crate::commands::wait::Watch;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::progress::{Mode, Progress};
use crate::serve::client::Client;
use crate::serve::protocol::{Reply, Request};

/// How often a run that is not in the service's memory is looked for there.
const LOOK: Duration = Duration::from_millis(100);

/// Shows what happens until the run has ended, and exits as `host run` would have.
pub(crate) fn run(output: Output, global: &Global, args: &FollowArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let reader = session::open_reader(&config)?;
    let run = reader.find(&args.run)?.id;
    let mut progress = Progress::new(Mode::choose(output));
    let mut watch = Watch::new(&config);
    loop {
        let row = reader.find(&run.0)?;
        if !row.status.is_end() {
            stream(&config, args, &run.0, &mut progress)?;
        } else {
            progress.finish();
        }
        if let Some(exit) = watch.end(output, &reader, reader.find(&run.0)?)? {
            return Ok(exit);
        }
        std::thread::sleep(LOOK);
    }
}

/// Shows what happens as long as the service has the run in memory.
fn stream(config: &Config, args: &FollowArgs, run: &str, progress: &mut Progress) -> Result<(), Problem> {
    let mut client = Client::connect(config, args.at.socket.as_deref())?;
    client.ask(&Request::Follow { run: run.to_owned() })?;
    client.wait_for_ever()?;
    loop {
        match client.next()? {
            Reply::Update(update) => progress.on(&update),
            Reply::Ok(_) | Reply::End(_) => return Ok(()),
        }
    }
}
