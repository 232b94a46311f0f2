//! Notices what comes to runs: one question to the store for all of them, whether they are in memory or not.

use std::sync::Arc;
use std::time::Duration;

use super::Parts;
use super::service::Event;

/// How often the store is asked for what other processes have sent.
const LOOK: Duration = Duration::from_millis(100);

/// After a store that could not be read.
const PATIENCE: Duration = Duration::from_secs(1);

/// Tells of mail until the service stops.
pub(super) async fn watch(parts: Arc<Parts>) {
    let (mut after, mut failing) = (0, false);
    loop {
        let journal = Arc::clone(&parts.journal);
        let asked = tokio::task::spawn_blocking(move || journal.new_mail(after)).await;
        let pause = match asked {
            Ok(Ok((last, runs))) => {
                (after, failing) = (last, false);
                if !runs.is_empty() {
                    parts.tell(Event::Mail(runs));
                }
                LOOK
            }
            Ok(Err(error)) => {
                if !failing {
                    parts.log.problem("mail-unreadable", &[("why", &error.to_string())]);
                }
                failing = true;
                PATIENCE
            }
            Err(_) => return,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = parts.published.notified() => {}
            () = parts.stopped() => return,
        }
    }
}
