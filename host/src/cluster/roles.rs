//! The agents of this host, for whoever asks on the cluster.

use std::sync::Arc;

use bus::nats::RoleServer;
use engine::ports::Invoker;
use sandbox::Sandbox;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::Cluster;
use crate::commands::session;
use crate::config::Config;
use crate::exit::{Exit, Problem};
use crate::roles;

/// As long as it is held, questions from the cluster are answered.
#[derive(Debug)]
pub(crate) struct Answering(JoinHandle<()>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Answers for the roles of the configuration, on this runtime. None where there is no cluster, or no role.
///
/// # Errors
/// A component of a role cannot be used, or the servers do not let this client listen.
pub(crate) fn answer(
    config: &Config,
    sandbox: &Sandbox,
    parallel: Option<u32>,
    runtime: &Handle,
) -> Result<Option<Answering>, Problem> {
    let Some(cluster) = Cluster::join(config)?.filter(|_| !config.roles.is_empty()) else { return Ok(None) };
    let engine = session::engine_config(config, parallel)?;
    let mut served = Vec::new();
    for offer in roles::offered(config)? {
        sandbox.load(&offer.bytes).map_err(|error| Problem::new(Exit::Plugin, error.to_string()))?;
        served.push(offer.served);
    }
    let invoker = Arc::new(sandbox.clone()) as Arc<dyn Invoker>;
    let server = RoleServer::open(&cluster.connection, invoker, served, engine.limits, engine.parallel)?;
    Ok(Some(Answering(runtime.spawn(server.run()))))
}
