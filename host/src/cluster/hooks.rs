//! The operator's hooks around runs, and who tells their handlers.

use bus::nats::{Delivery, HookBook, HookRule, HookTries, NatsHooks};

use super::Cluster;
use crate::commands::session;
use crate::config::Config;
use crate::exit::Problem;

/// The hooks of the configuration, in their order. Whoever gives a run to the service sends these along; where it starts, the others
/// come to them.
///
/// # Errors
/// One of them is none, or there is no cluster to handle it.
pub(crate) fn configured(config: &Config) -> Result<Vec<HookRule>, Problem> {
    let rules = read(config)?;
    // The service of a replica knows the servers.
    let by_service = || session::open_reader(config).is_ok_and(|reader| reader.replica_of().is_some());
    if rules.is_empty() || Cluster::join(config)?.is_some() || by_service() { Ok(rules) } else { unhandled(rules) }
}

/// The hooks that a run is started with: those of the configuration in their order, then those that were added by command and have
/// another name.
///
/// # Errors
/// One of the configuration is none, or there is no cluster to handle it; the servers do not answer.
pub(crate) fn rules(config: &Config) -> Result<Vec<HookRule>, Problem> {
    let mut rules = read(config)?;
    let Some(cluster) = Cluster::join(config)? else { return unhandled(rules) };
    for added in HookBook::new(&cluster.connection).list()? {
        if rules.iter().all(|rule| rule.name != added.name) {
            rules.push(added);
        }
    }
    Ok(rules)
}

fn read(config: &Config) -> Result<Vec<HookRule>, Problem> {
    config.hooks.iter().map(|hook| hook.rule()).collect()
}

/// Where nobody handles hooks there may be none.
fn unhandled(rules: Vec<HookRule>) -> Result<Vec<HookRule>, Problem> {
    let Some(rule) = rules.first() else { return Ok(rules) };
    let message = format!("the hook `{}` is handled over NATS, and no servers are named", rule.name);
    Err(Problem::usage(message).help("write `[nats]` with `url = \"nats://…\"`, or give `--nats`"))
}

/// Tells handlers what has happened as long as what it gives is held; none without a cluster.
///
/// # Errors
/// The servers do not answer, or do not let this client make what is missing.
pub(crate) fn tell(config: &Config) -> Result<Option<Delivery>, Problem> {
    let Some(cluster) = Cluster::join(config)? else { return Ok(None) };
    Ok(Some(NatsHooks::open(&cluster.connection)?.tell(&cluster.connection, HookTries::default())))
}
