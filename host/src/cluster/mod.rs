//! What this process is in a cluster on NATS: its connection, and who else is there.
//!
//! # Steps
//!
//! 1. [`Cluster::join`] connects to the servers that the configuration names; [`Config::cluster`] gives it to whoever needs it.
//! 2. [`There`] shows this process to the others under the name that the journals of its runs have.
//! 3. `replica` has the store follow the cluster's streams, for a command that only reads where nobody else does; `forward` has commands write through the service of a replica.
//! 4. `failover` says who takes over a run.
//! 5. `dispatch` lets other hosts run attempts, and runs theirs; `worker` does only the latter.
//! 6. `leader` says which host starts runs by itself.
//! 7. `alive` keeps a lock beside the store for each of the others, so that whoever asks there whether an owner lives is answered.
//! 8. `messages` sends beyond the store and takes what comes from there, `roles` answers for this host's agents, `hooks` are those
//!    that the operator puts around runs.

mod alive;
pub(crate) mod dispatch;
pub(crate) mod failover;
mod forward;
pub(crate) mod hooks;
mod leader;
pub(crate) mod messages;
mod replica;
pub(crate) mod roles;
mod troubles;
pub(crate) mod worker;

use std::sync::{Arc, OnceLock, Weak};

use bus::nats::{Connection, Presence, Replica, RunQueue};
use journal::SqliteJournal;
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::owner::{self, Owner};
use leader::Leadership;
pub(crate) use replica::{Followed, attach, follow};
pub(crate) use troubles::Troubles;

/// A connection to the cluster, with all that this process is there.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Whose streams these are.
    pub(crate) namespace: String,
    /// To the servers; it connects again by itself.
    pub(crate) connection: Connection,
    /// Who is there.
    pub(crate) presence: Presence,
    /// What goes wrong beside the runs of a service, until it logs that.
    pub(crate) troubles: Arc<Troubles>,
    /// What the store is followed by, as long as the store is open.
    replica: OnceLock<Weak<Replica>>,
    /// What only services have.
    service: OnceLock<Service>,
    /// The other hosts' locks.
    _alive: alive::Mirror,
}

/// What a service is in a cluster.
#[derive(Debug)]
struct Service {
    queue: RunQueue,
    leadership: Leadership,
}

/// The field of presence that says whether a process is a service, which takes runs over.
const SERVES: &str = "serves";

/// The place of the cluster in the configuration of a process that has joined one.
#[derive(Debug, Default)]
pub(crate) struct Joined(OnceLock<Arc<Cluster>>);

impl Cluster {
    /// Joins the cluster that the configuration names, once in a process; none where it names none.
    ///
    /// # Errors
    /// There is no server, or it cannot be used.
    pub(crate) fn join(config: &Config) -> Result<Option<Arc<Self>>, Problem> {
        if let Some(cluster) = config.cluster() {
            return Ok(Some(Arc::clone(cluster)));
        }
        let Some(settings) = config.nats.settings(&config.folder)? else { return Ok(None) };
        let connection = Connection::open(&settings).map_err(|error| Problem::new(Exit::Store, error.to_string()))?;
        let presence = Presence::join(&connection)?;
        let alive = alive::Mirror::start(&config.store.path, &presence)?;
        let cluster = Arc::new(Self {
            namespace: settings.namespace.to_string(),
            connection,
            presence,
            troubles: Arc::default(),
            replica: OnceLock::new(),
            service: OnceLock::new(),
            _alive: alive,
        });
        Ok(Some(Arc::clone(config.joined.0.get_or_init(|| cluster))))
    }
}

/// Shown to the other hosts as long as it is held.
#[derive(Debug)]
pub(crate) struct There(Arc<Cluster>);

impl There {
    /// Shows this process, in the cluster that the configuration names.
    ///
    /// # Errors
    /// There is no server, or it cannot be used.
    pub(crate) fn announce(config: &Config, owner: &Owner) -> Result<Option<Self>, Problem> {
        let Some(cluster) = Cluster::join(config)? else { return Ok(None) };
        let mut fields = Map::new();
        fields.insert("version".to_owned(), json!(env!("CARGO_PKG_VERSION")));
        fields.insert("process".to_owned(), Value::from(std::process::id()));
        fields.insert(SERVES.to_owned(), config.service.into());
        cluster.presence.announce(&owner.name(), fields)?;
        if config.service {
            let (queue, leadership) =
                (RunQueue::open(&cluster.connection)?, Leadership::seek(&cluster.connection, &owner.name())?);
            // There is one service in a process.
            let _ = cluster.service.set(Service { queue, leadership });
        }
        Ok(Some(Self(cluster)))
    }
}

impl Drop for There {
    fn drop(&mut self) {
        if let Some(service) = self.0.service.get() {
            service.leadership.give_up();
        }
        self.0.presence.leave();
    }
}

impl Cluster {
    /// The names of the other services that are there.
    pub(crate) fn others(&self) -> Vec<String> {
        let serves = |document: &Value| document.get(SERVES) == Some(&Value::Bool(true));
        self.presence.others().into_iter().filter(|(_, document)| serves(document)).map(|(name, _)| name).collect()
    }

    /// What follows the store; none where that is closed.
    pub(crate) fn replica(&self) -> Option<Arc<Replica>> {
        self.replica.get().and_then(Weak::upgrade)
    }

    /// Runs that wait for a host; none where this process is no service.
    pub(crate) fn queue(&self) -> Option<&RunQueue> {
        self.service.get().map(|service| &service.queue)
    }

    /// Whether this is the service that starts runs by itself.
    pub(crate) fn leads(&self) -> bool {
        self.service.get().is_some_and(|service| service.leadership.is_held())
    }

    /// Whether this host is the first that takes over a run, should its owner be gone.
    pub(crate) fn is_first(&self, run: &str, own: &str) -> bool {
        failover::place(run, own, &self.others()) == 0
    }
}

impl Config {
    /// Whether the process lives that drives runs of the store under this name: as the cluster says, or without one the locks beside
    /// the store, which follow the cluster a little later.
    pub(crate) fn is_alive(&self, owner: &str) -> bool {
        self.cluster().map_or_else(|| owner::is_alive(&self.store.path, owner), |cluster| cluster.presence.has(owner))
    }

    /// The same, asked of the cluster itself: before a run is taken away from somebody.
    ///
    /// # Errors
    /// The servers do not answer.
    pub(crate) async fn is_alive_now(&self, owner: &str) -> Result<bool, Problem> {
        match self.cluster() {
            Some(cluster) => Ok(cluster.presence.is_there_now(owner).await?),
            None => Ok(self.is_alive(owner)),
        }
    }

    /// Whether somebody takes a letter to a run: its living owner or, where this process may not drive it because only the hosts of
    /// a cluster write the store, the first of them that finds it.
    pub(crate) fn is_driven(&self, journal: &SqliteJournal, owner: &str) -> bool {
        self.is_left_to_hosts(journal) || owner::is_alive(&self.store.path, owner)
    }

    /// Whether this process may drive no run of the store, because only the hosts of a cluster write it.
    pub(crate) fn is_left_to_hosts(&self, journal: &SqliteJournal) -> bool {
        self.cluster().is_none() && journal.replica_of().is_some()
    }

    /// The owner of a run that somebody drives; none where it is gone, and the hosts of a cluster are to take the run over.
    pub(crate) fn driver<'a>(&self, journal: &SqliteJournal, owner: &'a str) -> Option<&'a str> {
        let is_gone = self.is_left_to_hosts(journal) && !owner::is_alive(&self.store.path, owner);
        (!is_gone).then_some(owner)
    }

    /// The cluster that this process has joined, if it has.
    pub(crate) fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.joined.0.get()
    }
}
