//! How much runs may use.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use catalog::{FailureKind, Name};
use lang::plan::{Breaker, Class};

use crate::core::{Admission, Capacity, Wishes};
use crate::event::Amounts;
use crate::ports::Limits;
use crate::recovery::{Bounds, Recovery, Row, default_rows};

/// The engine's part of a host's configuration.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The host's name in the journal.
    pub host: Arc<str>,
    /// Attempts of all runs that run at once.
    pub parallel: u32,
    /// Bounds of an attempt about which nothing else is said.
    pub limits: Limits,
    /// What no attempt gets more of, whatever the flow says.
    pub ceilings: Limits,
    /// Classes by name. They bound classes of the same name that flows declare.
    pub classes: BTreeMap<Name, ClassLimits>,
    /// What all attempts that run at once may take together.
    pub budget: HostBudget,
    /// Breakers of what flows say nothing about, over all runs.
    pub breakers: Breakers,
    /// What is done about failures that a flow does not take; none: its run fails with them. Runs keep the one that they
    /// were started with.
    pub recovery: Option<RecoveryRules>,
    /// How long what runs may take to come to its end before a migration.
    pub quiet: Duration,
}

/// The operator's part of the recovery table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveryRules {
    /// By kind.
    pub rows: BTreeMap<FailureKind, Row>,
    /// Whether a human is asked at the third level.
    pub escalates: bool,
    /// How long a human has to decide; none: for ever.
    pub patience: Option<Duration>,
}

impl Default for RecoveryRules {
    /// The built-in rows; nobody is asked.
    fn default() -> Self {
        Self { rows: default_rows(), escalates: false, patience: None }
    }
}

/// What all attempts that run at once may take together. What an attempt takes it is given before it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostBudget {
    /// Bytes of memory, by the limits of the attempts; none: no bound.
    pub memory: Option<u64>,
    /// Units of cpu, by the classes of the attempts; none: no bound.
    pub cpu: Option<u32>,
}

/// Breakers over all runs of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breakers {
    /// Of each function of a step without a `breaker` of its own.
    pub function: Option<Breaker>,
    /// Of each component.
    pub plugin: Option<Breaker>,
    /// Of each host that a step is granted.
    pub destination: Option<Breaker>,
}

impl Breakers {
    /// Whether there is one.
    pub(super) const fn any(&self) -> bool {
        self.function.is_some() || self.plugin.is_some() || self.destination.is_some()
    }
}

/// What the steps of a class get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassLimits {
    /// Attempts of the class that run at once.
    pub parallel: Option<u32>,
    /// Most fuel of an attempt.
    pub fuel: Option<u64>,
    /// Most memory of an attempt in bytes.
    pub memory: Option<u64>,
    /// Longest attempt.
    pub timeout: Option<Duration>,
    /// So many attempts may wait for a place; further ones go to the fallback, or fail with kind `resource`. None: any
    /// number, or where there is a fallback, none at all.
    pub queue: Option<u32>,
    /// The class that stands in when the line is as long as it may be.
    pub fallback: Option<Name>,
    /// Units of the host's cpu that an attempt takes; none: one.
    pub cpu: Option<u32>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        let ceilings = Limits {
            fuel: u64::MAX,
            memory: 4 << 30,
            timeout: Duration::from_secs(24 * 60 * 60),
            result_size: 1 << 30,
            ..Limits::default()
        };
        Self {
            host: "host".into(),
            parallel: 64,
            limits: Limits::default(),
            ceilings,
            classes: BTreeMap::new(),
            budget: HostBudget::default(),
            breakers: Breakers::default(),
            recovery: None,
            quiet: Duration::from_secs(20),
        }
    }
}

impl EngineConfig {
    /// The table that a run is started with.
    pub(super) fn recovery(&self) -> Option<Arc<Recovery>> {
        let rules = self.recovery.as_ref()?;
        let class =
            |class: &ClassLimits| Amounts { timeout: class.timeout.map(nanoseconds), memory: class.memory, fuel: class.fuel };
        let amounts = |limits: &Limits| Amounts {
            timeout: Some(nanoseconds(limits.timeout)),
            memory: Some(limits.memory),
            fuel: Some(limits.fuel),
        };
        Some(Arc::new(Recovery {
            escalates: rules.escalates,
            patience: rules.patience.map(|patience| u64::try_from(patience.as_millis()).unwrap_or(u64::MAX)),
            rows: rules.rows.iter().filter(|(_, row)| !row.is_empty()).map(|(kind, row)| (*kind, row.clone())).collect(),
            bounds: Bounds {
                defaults: amounts(&self.limits),
                ceilings: Amounts { memory: Some(self.most_memory()), ..amounts(&self.ceilings) },
                classes: self.classes.iter().map(|(name, limits)| (Arc::clone(name), class(limits))).collect(),
            },
        }))
    }

    /// What the memory of an attempt may be raised to: more than the host has would never be there.
    fn most_memory(&self) -> u64 {
        self.ceilings.memory.min(self.budget.memory.unwrap_or(u64::MAX))
    }

    /// Which attempts with effects wait for what they need before they begin: one that only waits has not begun, so a
    /// crash leaves no doubt about it.
    pub(super) fn admission(&self) -> Admission {
        let bounded = self.budget != HostBudget::default() || self.breakers.any();
        let all = bounded || self.classes.values().any(|class| class.queue.is_some() || class.fallback.is_some());
        if all { Admission::All } else { Admission::Shared }
    }

    /// So many attempts of a run can run at once, altogether and of each class.
    pub(super) fn capacity(&self, declared: &[Class]) -> Capacity {
        let mut classes: BTreeMap<Name, u32> = BTreeMap::new();
        let configured = self.classes.iter().filter_map(|(name, class)| Some((name, class.parallel?)));
        let declared = declared.iter().filter_map(|class| Some((&class.name, class.parallel?)));
        for (name, parallel) in configured.chain(declared) {
            let least = classes.entry(Arc::clone(name)).or_insert(parallel);
            *least = parallel.min(*least);
        }
        Capacity { total: Some(self.parallel), classes }
    }

    /// The bounds of an attempt: what the plan asks for, else its class, else the default; never above class and ceiling.
    pub(crate) fn limits_of(&self, wishes: Wishes, class: Option<&Name>) -> Limits {
        let class = class.and_then(|name| self.classes.get(name)).cloned().unwrap_or_default();
        let bound = |wish: Option<u64>, class: Option<u64>, default: u64, most: u64| {
            wish.or(class).unwrap_or(default).min(class.unwrap_or(u64::MAX)).min(most)
        };
        let most = |most: Option<u64>, ceiling: u64| most.unwrap_or(u64::MAX).min(ceiling);
        let timeout = wishes.timeout.map(Duration::from_nanos).or(class.timeout).unwrap_or(self.limits.timeout);
        Limits {
            fuel: bound(wishes.fuel, class.fuel, self.limits.fuel, most(wishes.most_fuel, self.ceilings.fuel)),
            memory: bound(wishes.memory, class.memory, self.limits.memory, most(wishes.most_memory, self.ceilings.memory)),
            timeout: timeout.min(class.timeout.unwrap_or(Duration::MAX)).min(self.ceilings.timeout),
            table_elements: self.limits.table_elements.min(self.ceilings.table_elements),
            result_size: self.limits.result_size.min(self.ceilings.result_size),
            log_size: self.limits.log_size.min(self.ceilings.log_size),
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{ClassLimits, EngineConfig};
    use crate::core::Wishes;

    #[test]
    fn a_wish_holds_below_class_and_ceiling() {
        let mut config = EngineConfig::default();
        config.limits.fuel = 10;
        config.ceilings.fuel = 100;
        config.classes.insert("small".into(), ClassLimits { fuel: Some(5), ..ClassLimits::default() });
        let fuel = |wish, class: Option<&str>| {
            let wishes = Wishes { fuel: wish, ..Wishes::default() };
            config.limits_of(wishes, class.map(Into::into).as_ref()).fuel
        };
        assert_eq!(fuel(None, None), 10);
        assert_eq!(fuel(Some(50), None), 50);
        assert_eq!(fuel(Some(500), None), 100);
        assert_eq!(fuel(None, Some("small")), 5);
        assert_eq!(fuel(Some(50), Some("small")), 5);
        assert_eq!(fuel(Some(3), Some("small")), 3);
    }
}
