//! Attempts of runs here that other hosts run, and theirs that this one runs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::nats::{ACK_WAIT, Dispatcher, Scale, WORK, Worker, WorkerOptions};
use catalog::Digest;
use engine::ports::{Clock, Journal, JournalError, SystemClock};
use engine::shell::{Engine, Room};
use sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Cluster;
use super::worker::Components;
use crate::config::Config;
use crate::exit::Problem;
use crate::owner;

/// How often it is looked how busy the hosts are.
const SCALE: Duration = Duration::from_secs(5);

/// The tasks of a process.
pub(crate) struct Dispatch {
    cluster: Arc<Cluster>,
    dispatcher: Arc<Dispatcher>,
    /// How busy the hosts were lately.
    scale: Mutex<Value>,
}

impl std::fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dispatch").field("dispatcher", &self.dispatcher).finish_non_exhaustive()
    }
}

impl Dispatch {
    /// Lets other hosts run attempts, in the cluster that this process has joined; none where it has joined none.
    ///
    /// # Errors
    /// The servers do not answer, or do not let this process make what is needed.
    pub(crate) fn open(config: &Config, journal: &Arc<dyn Journal>) -> Result<Option<Arc<Self>>, Problem> {
        let Some(cluster) = config.cluster() else { return Ok(None) };
        // Nothing of the connection's keeps the store open.
        let journal = Arc::downgrade(journal);
        let source = move |digest: Digest| match journal.upgrade() {
            Some(journal) => journal.blob(digest),
            None => Err(JournalError::NoSuchBlob(digest)),
        };
        let dispatcher = Dispatcher::open(&cluster.connection, Arc::new(source), ACK_WAIT)?;
        dispatcher.follow(&cluster.connection, &cluster.presence);
        let (cluster, dispatcher) = (Arc::clone(cluster), Arc::new(dispatcher));
        Ok(Some(Arc::new(Self { cluster, dispatcher, scale: Mutex::default() })))
    }

    /// The same engine, which lets other hosts run what it has no place for.
    pub(crate) fn engine(&self, engine: &Engine) -> Engine {
        engine.with_elsewhere(Arc::<Dispatcher>::clone(&self.dispatcher))
    }

    /// Runs attempts of others' runs in the places of an engine until `stopping` is true and they have ended.
    ///
    /// # Errors
    /// The servers do not answer, or do not let this process listen.
    pub(crate) async fn work(
        &self,
        engine: Engine,
        sandbox: Sandbox,
        options: WorkerOptions,
        stopping: watch::Receiver<bool>,
    ) -> Result<(), JournalError> {
        let connection = self.cluster.connection.clone();
        let presence = self.cluster.presence.clone();
        let name = presence.name().unwrap_or_else(owner::fresh_name);
        let announce = move |work| presence.set(WORK, work);
        let open = move || Worker::open(&connection, &name, engine, Arc::new(Components(sandbox)), announce, options);
        let opened = tokio::task::spawn_blocking(open).await;
        let worker = opened.unwrap_or_else(|error| Err(JournalError::Unavailable(error.to_string())))?;
        let looks = async {
            loop {
                self.look(worker.room()).await;
                tokio::time::sleep(SCALE).await;
            }
        };
        let mut stops = stopping.clone();
        let until = async { drop(stops.wait_for(|stopping| *stopping).await) };
        let works = worker.run(stopping);
        tokio::pin!(works);
        tokio::select! {
            done = &mut works => return done,
            () = looks => {}
            () = until => {}
        }
        works.await
    }

    /// Looks how busy the hosts are; one of them tells all.
    async fn look(&self, own: Room) {
        // A queue that cannot be asked now is asked again.
        let Ok(scale) = self.dispatcher.scale().await else { return };
        let told = document(&scale, own);
        let name = self.cluster.presence.name().unwrap_or_default();
        let workers = self.cluster.presence.others().into_iter().filter(|(_, said)| said.get(WORK).is_some_and(Value::is_object));
        if workers.into_iter().all(|(other, _)| name < other) {
            self.dispatcher.tell_scale(&told).await;
        }
        *self.scale.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// How busy the hosts were lately, for programs; null before that was looked at.
    pub(crate) fn scale(&self) -> Value {
        self.scale.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Of all hosts, this one included.
fn document(scale: &Scale, own: Room) -> Value {
    let (places, free) = (scale.places.saturating_add(own.places), scale.free.saturating_add(own.free));
    let taken = f64::from(places.saturating_sub(free));
    let utilisation = if places == 0 { 0.0 } else { (taken / f64::from(places) * 1000.0).round() / 1000.0 };
    json!({
        "v": 1,
        "at": SystemClock.now().0,
        "queue": scale.queue,
        "running": scale.running,
        "waited_ms": u64::try_from(scale.waited.as_millis()).unwrap_or(u64::MAX),
        "hosts": scale.hosts + 1,
        "places": places,
        "free": free,
        "utilisation": utilisation,
    })
}

#[cfg(test)]
mod tests {
    use bus::nats::Scale;
    use engine::shell::Room;

    use super::document;

    #[test]
    fn utilisation_is_that_of_all_hosts() {
        let scale = Scale { hosts: 2, places: 20, free: 2, queue: 7, ..Scale::default() };
        let told = document(&scale, Room { free: 4, places: 10 });
        assert_eq!(
            (&told["hosts"], &told["places"], &told["free"], &told["utilisation"]),
            (&3.into(), &30.into(), &6.into(), &0.8.into())
        );
        assert_eq!(document(&Scale::default(), Room::default())["utilisation"], 0.0);
    }
}
