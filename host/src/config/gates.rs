//! What all runs of a process share: `[host]`, `[breakers]`, and how classes stand in for each other.

use std::collections::BTreeSet;

use engine::shell::{Breakers, ClassLimits, EngineConfig, HostBudget};
use lang::plan::Breaker;
use serde::Deserialize;

use super::{Config, parse_duration, parse_size};
use crate::exit::Problem;

/// `[host]`: what all attempts that run at once may take together.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct HostConfig {
    /// By the limits of the attempts, such as `8GiB`.
    memory: Option<String>,
    /// By the classes of the attempts.
    cpu: Option<u32>,
}

/// `[breakers]`: over all runs, for what flows say nothing about.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BreakersConfig {
    /// Of each function.
    function: Option<BreakerConfig>,
    /// Of each plugin.
    plugin: Option<BreakerConfig>,
    /// Of each host that steps are granted.
    destination: Option<BreakerConfig>,
}

/// `[breakers.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BreakerConfig {
    /// So many failed attempts open it.
    failures: u32,
    /// In such a time.
    within: String,
    /// It stays open so long.
    cooldown: String,
}

/// Reads what all runs share into the engine's configuration, whose classes and limits are there.
pub(crate) fn read(config: &Config, engine: &mut EngineConfig) -> Result<(), Problem> {
    engine.budget = HostBudget {
        memory: config.host.memory.as_deref().map(parse_size).transpose()?,
        cpu: config.host.cpu.map(|cpu| super::positive("cpu", cpu)).transpose()?,
    };
    let breaker = |name: &str, config: &Option<BreakerConfig>| config.as_ref().map(|of| of.read(name)).transpose();
    engine.breakers = Breakers {
        function: breaker("function", &config.breakers.function)?,
        plugin: breaker("plugin", &config.breakers.plugin)?,
        destination: breaker("destination", &config.breakers.destination)?,
    };
    check_budget(engine)?;
    engine.classes.iter().try_for_each(|(name, class)| check_class(engine, name, class))
}

impl BreakerConfig {
    fn read(&self, name: &str) -> Result<Breaker, Problem> {
        let time = |key: &str, text: &str| match parse_duration(text)?.as_nanos() {
            0 => Err(Problem::usage(format!("`{key}` of `[breakers.{name}]` must be longer than `{text}`"))),
            nanoseconds => Ok(u64::try_from(nanoseconds).unwrap_or(u64::MAX)),
        };
        Ok(Breaker {
            failures: super::positive("failures", self.failures)?,
            within: time("within", &self.within)?,
            cooldown: time("cooldown", &self.cooldown)?,
        })
    }
}

/// A step about which nothing is said must be able to run.
fn check_budget(engine: &EngineConfig) -> Result<(), Problem> {
    let Some(memory) = engine.budget.memory.filter(|memory| *memory < engine.limits.memory) else { return Ok(()) };
    let (all, one) = (size(memory), size(engine.limits.memory));
    Err(Problem::usage(format!("`[host] memory` is {all}, and a step about which nothing is said gets {one}"))
        .help("give the host more, or say less in `[limits] memory`"))
}

fn check_class(engine: &EngineConfig, name: &str, class: &ClassLimits) -> Result<(), Problem> {
    let wrong = |what: String| Err(Problem::usage(format!("`[classes.{name}]`: {what}")));
    if class.cpu == Some(0) {
        return wrong("`cpu` must be at least 1".to_owned());
    }
    if let Some((cpu, all)) = class.cpu.zip(engine.budget.cpu).filter(|(cpu, all)| cpu > all) {
        return wrong(format!("a step takes {cpu} cpu, and `[host] cpu` is {all}: it could never run"));
    }
    if let Some((memory, all)) = class.memory.zip(engine.budget.memory).filter(|(memory, all)| memory > all) {
        return wrong(format!("a step takes {}, and `[host] memory` is {}: it could never run", size(memory), size(all)));
    }
    if class.parallel.is_none() && (class.queue.is_some() || class.fallback.is_some()) {
        return wrong("`queue` and `fallback` mean something only beside `parallel`".to_owned());
    }
    let (mut seen, mut next) = (BTreeSet::from([name]), class.fallback.as_deref());
    while let Some(fallback) = next {
        if !seen.insert(fallback) {
            return wrong(format!("its fallbacks lead back to `{fallback}`"));
        }
        let Some(class) = engine.classes.get(fallback) else {
            return wrong(format!("the fallback `{fallback}` is no class of this configuration"));
        };
        next = class.fallback.as_deref();
    }
    Ok(())
}

fn size(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 20) { format!("{}MiB", bytes >> 20) } else { format!("{bytes} bytes") }
}
