//! The task of one run in memory: takes it from its journal to its end, or to where nothing goes on.

use std::sync::Arc;

use engine::core::Lineage;
use engine::event::RunId;
use engine::shell::{Engine, EngineError, RunEnd, RunHandle, RunReport, Update};
use journal::RunStatus;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::service::{DRAINED, Event, goes_on};
use super::{Parts, submit};
use crate::commands::migrate;
use crate::exit::{Exit, Problem};
use crate::program;
use crate::stored::StoredRun;

/// What the service asks of a run in memory.
pub(super) enum Ask {
    /// To leave memory as soon as nothing of it goes on.
    Park,
    /// To start nothing new and to end when what runs has ended.
    Drain,
    /// To tell what happens, until the other end is gone or too slow.
    Follow(mpsc::Sender<Update>),
}

/// How a run comes here.
pub(super) enum Begin {
    /// It was just started.
    Started(Box<RunHandle>),
    /// Out of its journal.
    Stored,
}

/// Where a run is left.
pub(super) struct Over {
    pub(super) id: RunId,
    /// How it stands, or why it could not be taken up.
    pub(super) end: Result<RunReport, Problem>,
}

/// Drives a run until it ends or nothing goes on. Its place in memory is free after.
pub(super) async fn drive(
    parts: Arc<Parts>,
    id: RunId,
    begin: Begin,
    place: OwnedSemaphorePermit,
    asks: mpsc::UnboundedReceiver<Ask>,
) -> Over {
    let taken = match begin {
        Begin::Started(handle) => Ok(*handle),
        Begin::Stored => {
            let taken = take_up(&parts, &id).await;
            parts.tell(Event::TakenUp);
            taken
        }
    };
    let end = match taken {
        Ok(handle) => {
            let parts = Arc::clone(&parts);
            Ok(Driver { parts, handle, asks, followers: Vec::new(), idle: false, draining: false }.run().await)
        }
        Err(problem) => Err(problem),
    };
    let end = match end {
        Ok(report) => answered(&parts, report).await,
        Err(problem) => Err(problem),
    };
    drop(place);
    Over { id, end }
}

/// Migrates a run that was left for that.
async fn answered(parts: &Arc<Parts>, report: RunReport) -> Result<RunReport, Problem> {
    let RunEnd::Leaves(control) = &report.outcome else { return Ok(report) };
    let (journal, id, control) = (Arc::clone(&parts.journal), report.id.clone(), control.clone());
    let answer = move || migrate::answer(&journal, &id, &control);
    let answered = tokio::task::spawn_blocking(answer).await;
    answered.unwrap_or_else(|error| Err(Problem::new(Exit::Store, format!("the run was not migrated: {error}"))))?;
    Ok(report)
}

/// Makes a run out of its journal. One that somebody paused stays paused; one that the last service left when it was
/// stopped goes on.
async fn take_up(parts: &Arc<Parts>, id: &RunId) -> Result<RunHandle, Problem> {
    // What another host did with it meanwhile counts.
    submit::settle(parts, id).await?;
    let row = parts.reader.find(&id.0)?;
    if *row.owner != *parts.owner && parts.config.is_alive_now(&row.owner).await? {
        // Somebody took it while it was parked.
        return Err(Problem::new(Exit::Store, format!("it is driven by `{}`", row.owner)));
    }
    let unreadable = || Problem::new(Exit::Store, format!("run `{id}` names no program"));
    let digest = program::parse_digest(&row.program).ok_or_else(unreadable)?;
    let loaded = parts.programs.get(parts, digest).await?;
    let handle = match loaded.engine.adopt(id.clone(), Arc::clone(&loaded.plan)).await {
        // It was migrated, perhaps.
        Err(EngineError::OtherPlan { .. } | EngineError::Replay(_)) => take_up_migrated(parts, id).await?,
        taken => taken?,
    };
    if row.status == RunStatus::Paused && goes_on(row.reason.as_deref()) {
        handle.resume();
    }
    Ok(handle)
}

/// Makes a run out of its journal that has had several programs.
async fn take_up_migrated(parts: &Arc<Parts>, id: &RunId) -> Result<RunHandle, Problem> {
    let mut lineage: Option<(Lineage, Engine)> = None;
    for digest in StoredRun::outline(&parts.journal, id)?.programs() {
        let loaded = parts.programs.get(parts, digest).await?;
        let (plan, engine) = (Arc::clone(&loaded.plan), loaded.engine.clone());
        lineage = Some(match lineage {
            Some((mut lineage, _)) => {
                lineage.push(plan);
                (lineage, engine)
            }
            None => (plan.into(), engine),
        });
    }
    let (lineage, engine) = lineage.ok_or_else(|| Problem::new(Exit::Store, format!("run `{id}` has no program")))?;
    Ok(engine.adopt(id.clone(), lineage).await?)
}

struct Driver {
    parts: Arc<Parts>,
    handle: RunHandle,
    asks: mpsc::UnboundedReceiver<Ask>,
    followers: Vec<mpsc::Sender<Update>>,
    /// Whether it said last that it waits.
    idle: bool,
    draining: bool,
}

impl Driver {
    async fn run(mut self) -> RunReport {
        let mut listening = true;
        loop {
            tokio::select! {
                update = self.handle.next_update() => match update {
                    Some(update) => self.update(&update),
                    None => break,
                },
                ask = self.asks.recv(), if listening => match ask {
                    Some(ask) => self.ask(ask),
                    None => listening = false,
                },
            }
        }
        self.handle.wait().await
    }

    fn ask(&mut self, ask: Ask) {
        match ask {
            Ask::Park => self.handle.park(),
            Ask::Drain => {
                self.draining = true;
                // A run that waits loses nothing when it just leaves; in another one something would go on.
                if self.idle { self.handle.park() } else { self.handle.pause(DRAINED) }
            }
            Ask::Follow(follower) => self.followers.push(follower),
        }
    }

    fn update(&mut self, update: &Update) {
        let idle = matches!(update, Update::Waiting { .. });
        if idle != self.idle && !matches!(update, Update::Log { .. } | Update::Note { .. } | Update::Ended) {
            self.idle = idle;
            self.parts.tell(Event::Idle(self.handle.id().clone(), idle));
            if self.draining && !idle {
                self.handle.pause(DRAINED);
            }
        }
        // Whoever does not keep up is dropped: the journal has all of it.
        self.followers.retain(|follower| follower.try_send(update.clone()).is_ok());
    }
}
