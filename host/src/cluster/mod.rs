//! What this process is in a cluster on NATS: its connection, and who else is there.
//!
//! # Steps
//!
//! 1. [`Cluster::join`] connects to the servers that the configuration names; [`Config::cluster`] gives it to whoever needs it.
//! 2. [`There`] shows this process to the others under the name that the journals of its runs have.
//! 3. `alive` keeps a lock beside the store for each of the others, so that whoever asks there whether an owner lives is answered.

mod alive;

use std::sync::{Arc, OnceLock};

use bus::nats::{Connection, Presence};
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::owner::Owner;

/// A connection to the cluster, with all that this process is there.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// To the servers; it connects again by itself.
    #[allow(dead_code, reason = "the parts that use it come one by one")]
    pub(crate) connection: Connection,
    /// Who is there.
    pub(crate) presence: Presence,
    /// The other hosts' locks.
    _alive: alive::Mirror,
}

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
        let cluster = Arc::new(Self { connection, presence, _alive: alive });
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
        cluster.presence.announce(&owner.name(), fields)?;
        Ok(Some(Self(cluster)))
    }
}

impl Drop for There {
    fn drop(&mut self) {
        self.0.presence.leave();
    }
}

impl Config {
    /// The cluster that this process has joined, if it has.
    pub(crate) fn cluster(&self) -> Option<&Arc<Cluster>> {
        self.joined.0.get()
    }
}
