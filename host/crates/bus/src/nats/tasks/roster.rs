//! Which hosts run tasks of others, as their presence says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use engine::ports::Kind;
use serde_json::Value;
use tokio::sync::watch;

use super::Scale;
use super::announcement::Announcement;

/// The field of a host's presence that says what it runs for others.
pub(super) const FIELD: &str = "work";

/// The hosts.
#[derive(Clone)]
pub(super) struct Roster(Arc<Shared>);

struct Shared {
    hosts: Mutex<BTreeMap<String, Announcement>>,
    changes: watch::Sender<u64>,
}

impl Roster {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared { hosts: Mutex::default(), changes: watch::Sender::new(1) }))
    }

    /// Takes what the other hosts say of themselves now.
    pub(super) fn see(&self, others: Vec<(String, Value)>) {
        let work = |(name, value): (String, Value)| Some((name, Announcement::read(value.get(FIELD)?)?));
        let now: BTreeMap<String, Announcement> = others.into_iter().filter_map(work).collect();
        let mut hosts = self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let changed =
            now.len() != hosts.len() || now.iter().any(|(name, new)| hosts.get(name).is_none_or(|old| new.differs(old)));
        *hosts = now;
        drop(hosts);
        if changed {
            self.0.changes.send_modify(|count| *count += 1);
        }
    }

    /// So many attempts of a kind they run at once.
    pub(super) fn places(&self, kind: &Kind) -> u32 {
        let hosts = self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.values().map(|host| host.places_for(kind)).fold(0, u32::saturating_add)
    }

    /// How busy they are, beside what only the queue knows.
    pub(super) fn scale(&self) -> Scale {
        let hosts = self.0.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = |of: fn(&Announcement) -> u32| hosts.values().map(of).fold(0, u32::saturating_add);
        let waited = hosts.values().map(|host| Duration::from_millis(host.waited)).max().unwrap_or_default();
        let (places, free) = (sum(|host| host.places), sum(|host| host.free));
        Scale { queue: 0, running: 0, waited, hosts: hosts.len(), places, free }
    }

    /// Counts changes of what [`Roster::places`] gives.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }
}
