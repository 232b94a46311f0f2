//! Places for attempts, shared by all runs: of the process, and of each class. They are given in the order of asking.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use catalog::Name;
use lang::plan::Class;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::EngineConfig;

/// The places.
pub(super) struct Places {
    process: Arc<Semaphore>,
    configured: BTreeMap<Name, Arc<Semaphore>>,
    /// Of classes that only flows declare, by name and number: two flows may declare the same name differently.
    declared: Mutex<BTreeMap<(Name, u32), Arc<Semaphore>>>,
}

/// Held while an attempt runs.
pub(super) struct Place {
    _process: OwnedSemaphorePermit,
    _class: Vec<OwnedSemaphorePermit>,
}

/// Where an attempt has to wait for a place.
#[derive(Clone)]
pub(super) struct Queues {
    process: Arc<Semaphore>,
    class: Vec<Arc<Semaphore>>,
}

fn places(count: u32) -> Arc<Semaphore> {
    Arc::new(Semaphore::new((count.max(1) as usize).min(Semaphore::MAX_PERMITS)))
}

impl Places {
    pub(super) fn new(config: &EngineConfig) -> Self {
        let configured = config.classes.iter().filter_map(|(name, class)| Some((Arc::clone(name), places(class.parallel?))));
        Self { process: places(config.parallel), configured: configured.collect(), declared: Mutex::default() }
    }

    /// The queues of an attempt of this class, as the plan and the configuration know it.
    pub(super) fn queues(&self, class: Option<&Name>, declared: &[Class]) -> Queues {
        let mut all = Vec::new();
        if let Some(name) = class {
            all.extend(self.configured.get(name).cloned());
            let parallel = declared.iter().find(|class| class.name == *name).and_then(|class| class.parallel);
            if let Some(parallel) = parallel {
                let mut known = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
                all.push(Arc::clone(known.entry((Arc::clone(name), parallel)).or_insert_with(|| places(parallel))));
            }
        }
        Queues { process: Arc::clone(&self.process), class: all }
    }
}

impl Queues {
    /// Waits for a place. None when the engine is being dropped.
    pub(super) async fn wait(self) -> Option<Place> {
        let mut class = Vec::with_capacity(self.class.len());
        for places in self.class {
            class.push(places.acquire_owned().await.ok()?);
        }
        Some(Place { _process: self.process.acquire_owned().await.ok()?, _class: class })
    }
}
