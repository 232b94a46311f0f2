//! A store in a file as what it is in a cluster: a replica, written through the streams.

use std::sync::Arc;

use bus::nats::{Replica, Report};
use journal::SqliteJournal;

use super::Cluster;
use super::forward::Forward;
use crate::config::Config;
use crate::exit::Problem;

/// Has a store that was just opened follow the cluster that the configuration names. Where it names none and the store is a
/// replica all the same, what is written goes through the service of the store; without one, writes are refused.
///
/// # Errors
/// There is no server, or it cannot be used; or the store belongs to something else.
pub(crate) fn attach(config: &Config, journal: &SqliteJournal) -> Result<(), Problem> {
    if let Some(cluster) = Cluster::join(config)? {
        let troubles = Arc::clone(&cluster.troubles);
        let report: Report = Arc::new(move |line: &str| troubles.add(line));
        let replica = Replica::open(&cluster.connection, &journal.follower()?, &report)?;
        // A process has one store.
        let _ = cluster.replica.set(Arc::downgrade(&replica));
        journal.follow(replica);
    } else if journal.replica_of().is_some()
        && let Some(forward) = Forward::to_service(config)
    {
        journal.follow(Arc::new(forward));
    }
    Ok(())
}
