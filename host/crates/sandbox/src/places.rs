//! Places of the pool, which guests take while they run.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::config::{MAX_MEMORIES, SandboxConfig};

/// The places of one engine.
pub(crate) struct Places {
    all: Semaphore,
    /// What guests take besides that ask agents, as many as of the others but never more than there are: an agent is a guest too,
    /// and the one that asks it keeps its places meanwhile. Agents ask nobody.
    asking: Semaphore,
    most_asking: u32,
}

impl Places {
    pub(crate) fn new(config: &SandboxConfig) -> Self {
        let all = config.pool_instances.max(1);
        // No guest takes more places than it may have memories: from twice as many places on, the largest agent always finds enough.
        let most_asking = all.saturating_sub(MAX_MEMORIES).max(1);
        Self { all: Semaphore::new(all as usize), asking: Semaphore::new(most_asking as usize), most_asking }
    }

    /// Waits for as many places as a guest takes, which is no more than there are. It has them until what this gives is dropped.
    pub(crate) async fn take(&self, weight: u32, may_ask: bool) -> [Option<SemaphorePermit<'_>>; 2] {
        // Neither is ever closed, so this only ever waits.
        let asking = if may_ask { self.asking.acquire_many(weight.min(self.most_asking)).await.ok() } else { None };
        [asking, self.all.acquire_many(weight).await.ok()]
    }
}
