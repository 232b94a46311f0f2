//! `host wait`: waits for the end of a run that another process drives.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::core::Totals;
use engine::event::{EventBody, Failure, RunId};
use engine::shell::{RunEnd, RunReport};
use journal::{Options, Reader, RunRow, RunStatus, SqliteJournal};

use crate::cli::{Global, WaitArgs};
use crate::commands::list::Listed;
use crate::commands::{drive, session};
use crate::config::{Config, parse_duration};
use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::owner;
use crate::serve::DRAINED;
use crate::stored::StoredRun;

/// How often the store is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// A run that nobody drives for so long is not waited for: a service that is started again takes less.
const ABANDONED: Duration = Duration::from_secs(5);

/// The same where another host of the cluster takes it over, which each of them leaves to the one before it for a while.
const ABANDONED_IN_CLUSTER: Duration = Duration::from_secs(30);

/// Waits and exits as `host run` would have.
pub(crate) fn run(output: Output, global: &Global, args: &WaitArgs) -> Result<Exit, Problem> {
    let config = Config::load(global)?;
    let until = args.timeout.as_deref().map(parse_duration).transpose()?.map(|timeout| Instant::now() + timeout);
    let reader = session::open_reader(&config)?;
    let run = reader.find(&args.run)?.id;
    let mut watch = Watch::new(&config);
    loop {
        let row = reader.find(&run.0)?;
        if let Some(end) = watch.end(output, &reader, row)? {
            return Ok(end);
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            let listed = Listed::of(&reader, &config.store.path, reader.find(&run.0)?)?;
            let waits = listed.waiting.map(|what| format!("; it waits for {what}")).unwrap_or_default();
            return Err(Problem::new(Exit::Waiting, format!("run `{run}` has not ended by now{waits}")));
        }
        std::thread::sleep(LOOK);
    }
}

/// Looks whether a run is over.
pub(crate) struct Watch<'a> {
    config: &'a Config,
    abandoned: Option<Instant>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(config: &'a Config) -> Self {
        Self { config, abandoned: None }
    }

    /// Prints the end of a run that has ended, or that nobody moves.
    pub(crate) fn end(&mut self, output: Output, reader: &Reader, row: RunRow) -> Result<Option<Exit>, Problem> {
        if row.status.is_end() {
            return drive::finish(output, &ended(output, self.config, reader, row)?, 0, false).map(Some);
        }
        if row.status == RunStatus::Paused && row.reason.as_deref() != Some(DRAINED) {
            let reason = row.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            let problem = Problem::new(Exit::Waiting, format!("run `{}` is paused{reason}", row.id));
            return Err(problem.help(format!("go on with `host resume {}`", row.id)));
        }
        if owner::is_alive(&self.config.store.path, &row.owner) {
            self.abandoned = None;
        } else if self.abandoned.get_or_insert_with(Instant::now).elapsed() > Self::patience(reader) {
            let problem = Problem::new(Exit::Waiting, format!("nobody drives run `{}`", row.id));
            return Err(problem.help(format!("go on with it with `host resume {}`, or start `host serve`", row.id)));
        }
        Ok(None)
    }

    fn patience(reader: &Reader) -> Duration {
        if reader.replica_of().is_some() { ABANDONED_IN_CLUSTER } else { ABANDONED }
    }
}

/// The report of a run that has ended, out of the store.
fn ended(output: Output, config: &Config, reader: &Reader, row: RunRow) -> Result<RunReport, Problem> {
    let (mut totals, mut last, mut undoes) = (Totals::default(), None, false);
    reader.scan(&row.id, &mut |event| {
        totals.count(&event.body);
        undoes |= event.body.path().is_some_and(|path| path.contains(".undo"));
        last = Some(event.body);
        true
    })?;
    let Some(EventBody::RunEnded { outcome }) = last else {
        return Err(Problem::new(Exit::Store, format!("the journal of run `{}` does not end with its end", row.id)));
    };
    let not_undone = if undoes { not_undone(output, config, &row.id) } else { Ok(Vec::new()) };
    let not_undone = not_undone.unwrap_or_else(|problem| {
        output.note(&format!("what is not undone of run {} cannot be told: {}", row.id, problem.message));
        Vec::new()
    });
    let Totals { bill, steps, attempts } = totals;
    Ok(RunReport { id: row.id, outcome: RunEnd::Finished(outcome), bill, steps, attempts, timer: None, not_undone })
}

/// The compensations that failed: the run's state is made again for that.
fn not_undone(output: Output, config: &Config, run: &RunId) -> Result<Vec<(Arc<str>, Failure)>, Problem> {
    let journal = SqliteJournal::open(&config.store.path, &Options { read_only: true, ..Options::default() })?;
    let replayed = StoredRun::load(&journal, run)?.replay(output, &journal)?;
    let replayed = replayed.ok_or_else(|| Problem::new(Exit::Store, "its program does not compile"))?;
    Ok(replayed.run.not_undone().to_vec())
}
