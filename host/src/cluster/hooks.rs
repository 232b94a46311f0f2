//! The operator's hooks around runs, and who tells their handlers.

use bus::nats::{Delivery, HookBook, HookRule, HookTries, NatsHooks};

use super::Cluster;
use crate::config::Config;
use crate::exit::Problem;

/// The hooks that a run is started with: those of the configuration in their order, then those that were added by command and have
/// another name.
///
/// # Errors
/// One of the configuration is none, or there is no cluster to handle it; the servers do not answer.
pub(crate) fn rules(config: &Config) -> Result<Vec<HookRule>, Problem> {
    let mut rules: Vec<HookRule> = config.hooks.iter().map(|hook| hook.rule()).collect::<Result<_, _>>()?;
    let Some(cluster) = Cluster::join(config)? else {
        let Some(rule) = rules.first() else { return Ok(rules) };
        let message = format!("the hook `{}` is handled over NATS, and no servers are named", rule.name);
        return Err(Problem::usage(message).help("write `[nats]` with `url = \"nats://…\"`, or give `--nats`"));
    };
    for added in HookBook::new(&cluster.connection).list()? {
        if rules.iter().all(|rule| rule.name != added.name) {
            rules.push(added);
        }
    }
    Ok(rules)
}

/// Tells handlers what has happened as long as what it gives is held; none without a cluster.
///
/// # Errors
/// The servers do not answer, or do not let this client make what is missing.
pub(crate) fn tell(config: &Config) -> Result<Option<Delivery>, Problem> {
    let Some(cluster) = Cluster::join(config)? else { return Ok(None) };
    Ok(Some(NatsHooks::open(&cluster.connection)?.tell(&cluster.connection, HookTries::default())))
}
