//! A store in a file as what it is in a cluster: a replica, written through the streams.

use std::sync::{Arc, OnceLock};

use bus::nats::{Replica, Report};
use journal::SqliteJournal;

use super::Cluster;
use super::forward::Forward;
use crate::commands::session;
use crate::config::Config;
use crate::exit::Problem;

/// The place of a store in the configuration of a command that has it follow the cluster.
#[derive(Debug, Default)]
pub(crate) struct Followed(OnceLock<Arc<SqliteJournal>>);

impl Followed {
    /// The store, if this command has it follow.
    pub(crate) fn store(&self) -> Option<Arc<SqliteJournal>> {
        self.0.get().cloned()
    }
}

/// Has the store follow the cluster as long as the command runs, where nobody else does: where there is none yet, or the command line
/// asks for the cluster. Blocks until it has all that is there now.
///
/// # Errors
/// There is no server, or it cannot be used.
pub(crate) fn follow(config: &Config) -> Result<(), Problem> {
    let path = &config.store.path;
    let is_asked_for = config.nats.asked_for || !path.exists();
    if !is_asked_for || config.cluster().is_some() || config.nats.settings(&config.folder)?.is_none() {
        return Ok(());
    }
    // A file that is something else, such as a bundle, is shown as it is; and a service keeps its store up to date.
    if (path.exists() && session::open_beside(config)?.replica_of().is_none()) || Forward::has_service(config) {
        return Ok(());
    }
    // Where there is no server no file is left behind.
    let unreachable = |problem: Problem| {
        if problem.help.is_some() || !path.exists() {
            return problem;
        }
        let copy = path.display();
        problem.help(format!(
            "`{copy}` is a copy of what was on the servers; leave `--nats` and FLOWHOST_NATS out to see it as it is"
        ))
    };
    Cluster::join(config).map_err(unreachable)?;
    let store = session::open_store(config, None)?;
    // A command has one store.
    let _ = config.followed.0.set(store);
    Ok(())
}

/// Has a store that was just opened follow the cluster that the configuration names. Where it names none and the store is a
/// replica all the same, what is written goes through the service of the store; without one, writes are refused.
///
/// # Errors
/// There is no server, or it cannot be used; or the store belongs to something else.
pub(crate) fn attach(config: &Config, journal: &SqliteJournal) -> Result<(), Problem> {
    if let Some(cluster) = Cluster::join(config)? {
        let replica = Replica::open(&cluster.connection, &journal.follower()?, &report(config, &cluster))?;
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

/// Tells of what is wrong with a replica: a service logs it, any other command says it at once.
fn report(config: &Config, cluster: &Cluster) -> Report {
    if config.service {
        let troubles = Arc::clone(&cluster.troubles);
        Arc::new(move |line: &str| troubles.add(line))
    } else {
        let output = config.output;
        Arc::new(move |line: &str| output.note(line))
    }
}
