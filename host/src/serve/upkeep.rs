//! Keeps what the hosts of a cluster share short: one of them, now and then.

use std::sync::Arc;
use std::time::Duration;

use super::Parts;
use crate::cluster::Cluster;

/// How often.
const EVERY: Duration = Duration::from_secs(3600);

/// The first time comes so soon after a host leads: another one may have been about to.
const FIRST: Duration = Duration::from_secs(120);

/// How long changes stay for hosts that are away.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// Keeps them short until the service stops; without a cluster there is nothing to do.
pub(super) async fn watch(parts: Arc<Parts>) {
    let Some(cluster) = parts.config.cluster().cloned() else { return parts.stopped().await };
    let mut pause = FIRST;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = parts.stopped() => return,
        }
        pause = if parts.leads() { EVERY } else { FIRST };
        if parts.leads() {
            shorten(&parts, Arc::clone(&cluster)).await;
        }
    }
}

async fn shorten(parts: &Parts, cluster: Arc<Cluster>) {
    let done = tokio::task::spawn_blocking(move || cluster.replica().map(|replica| replica.shorten(KEPT))).await;
    match done {
        Ok(Some(Ok(done))) => {
            let (written, purged) = (done.written.to_string(), done.purged.to_string());
            parts.log.note("changes-shortened", &[("written", &written), ("purged", &purged)]);
        }
        Ok(Some(Err(error))) => parts.log.problem("changes-not-shortened", &[("why", &error.to_string())]),
        // The store is being closed.
        Ok(None) | Err(_) => {}
    }
}
