//! Starts runs that other hosts of the cluster had no room for, as long as there is room here.

use std::sync::Arc;
use std::time::Duration;

use bus::nats::RunQueue;

use super::protocol::Waiting;
use super::{Parts, submit};
use crate::exit::Problem;

/// How often it is looked whether there is room.
const LOOK: Duration = Duration::from_millis(100);

/// After a queue that did not answer, and before another host tries what could not be started here.
const PATIENCE: Duration = Duration::from_secs(2);

/// Takes runs out of the queue until the service stops; without a cluster there is none.
pub(super) async fn watch(parts: Arc<Parts>) {
    let Some(queue) = parts.config.cluster().and_then(|cluster| cluster.queue()).cloned() else {
        return parts.stopped().await;
    };
    let mut failing = false;
    loop {
        let pause = if parts.places.available_permits() == 0 {
            LOOK
        } else {
            let taken = tokio::select! {
                taken = take(&parts, &queue) => taken,
                () = parts.stopped() => return,
            };
            if let (Err(problem), false) = (&taken, failing) {
                parts.log.problem("queue-failed", &[("why", &problem.message)]);
            }
            failing = taken.is_err();
            if failing { PATIENCE } else { Duration::ZERO }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = parts.stopped() => return,
        }
    }
}

/// Starts the next run. One that is taken while the service stops is given to another host when its time is over.
async fn take(parts: &Arc<Parts>, queue: &RunQueue) -> Result<(), Problem> {
    let Some(queued) = queue.next().await? else { return Ok(()) };
    if parts.places.available_permits() == 0 {
        // The last place was given away while this was asked for.
        queued.later(Duration::ZERO).await;
        return Ok(());
    }
    let begun = match Waiting::read(&queued.document) {
        Ok(waiting) => submit::pulled(parts, waiting).await,
        Err(problem) => Err(problem),
    };
    match begun {
        Ok(run) => {
            parts.log.note("run-pulled", &[("run", &run.0)]);
            queued.done().await;
        }
        Err(problem) if problem.passes || parts.is_stopping() => queued.later(PATIENCE).await,
        Err(problem) => {
            parts.log.problem("submission-dropped", &[("why", &problem.message)]);
            queued.done().await;
        }
    }
    Ok(())
}
