//! The operator's hooks around runs, and who tells their handlers.

use std::path::PathBuf;

use bus::nats::{Delivery, HookBook, HookRule, HookTries, NatsHooks};

use super::Cluster;
use crate::commands::session;
use crate::config::Config;
use crate::exit::Problem;
use crate::program;
use crate::serve::client::Client;
use crate::serve::protocol::Request;

/// The hooks that a run is started with: those of the configuration in their order, then those that were added by command and have
/// another name.
///
/// # Errors
/// One of the configuration is none, or there is no cluster to handle it; the servers do not answer.
pub(crate) fn rules(config: &Config) -> Result<Vec<HookRule>, Problem> {
    let mut rules: Vec<HookRule> = config.hooks.iter().map(|hook| hook.rule()).collect::<Result<_, _>>()?;
    let others = match Cluster::join(config)? {
        Some(cluster) => Some(HookBook::new(&cluster.connection).list()?),
        None => of_service(config)?,
    };
    let Some(others) = others else {
        let Some(rule) = rules.first() else { return Ok(rules) };
        let message = format!("the hook `{}` is handled over NATS, and no servers are named", rule.name);
        return Err(Problem::usage(message).help("write `[nats]` with `url = \"nats://…\"`, or give `--nats`"));
    };
    for added in others {
        if rules.iter().all(|rule| rule.name != added.name) {
            rules.push(added);
        }
    }
    Ok(rules)
}

/// The hooks that the service of a replica knows; none where there is no such service. Whoever starts something through it without
/// knowing its cluster does not get around them.
fn of_service(config: &Config) -> Result<Option<Vec<HookRule>>, Problem> {
    if session::open_reader(config).map_or(true, |reader| reader.replica_of().is_none()) {
        return Ok(None);
    }
    let socket = std::env::var_os("FLOWHOST_SOCKET").map(PathBuf::from);
    let Ok(mut client) = Client::connect(config, socket.as_deref()) else { return Ok(None) };
    let answer = client.ask(&Request::Hooks)?;
    answer.get("hooks").filter(|hooks| hooks.is_array()).map(program::read_hooks).transpose()
}

/// Tells handlers what has happened as long as what it gives is held; none without a cluster.
///
/// # Errors
/// The servers do not answer, or do not let this client make what is missing.
pub(crate) fn tell(config: &Config) -> Result<Option<Delivery>, Problem> {
    let Some(cluster) = Cluster::join(config)? else { return Ok(None) };
    Ok(Some(NatsHooks::open(&cluster.connection)?.tell(&cluster.connection, HookTries::default())))
}
