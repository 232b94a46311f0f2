//! What was handed out and has not begun is held back by it.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Open, or shut: what has not begun does not begin.
#[derive(Debug, Default)]
pub(super) struct Valve {
    shut: AtomicBool,
    changed: Notify,
}

impl Valve {
    /// Lets go whoever waits.
    pub(super) fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    pub(super) fn open(&self) {
        self.shut.store(false, Ordering::SeqCst);
    }

    pub(super) fn is_shut(&self) -> bool {
        self.shut.load(Ordering::SeqCst)
    }

    /// Ends when it is shut.
    pub(super) async fn closes(&self) {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.is_shut() {
                return;
            }
            changed.await;
        }
    }
}
