//! The recovery table: what becomes of a step whose attempts are used up, where nothing in the flow takes its failure.
//!
//! Each kind of failure has a row of three levels: the agent tries again and may adapt, the orchestrator gives more, a human
//! decides. A run is stored with the table that it began with, so that its replay does not depend on today's configuration.

use std::collections::BTreeMap;

use catalog::{FailureKind, Name};

use crate::event::{Amounts, Failure, Level};

/// A factor that changes nothing.
pub const UNCHANGED: u32 = 1000;

/// The table with all that decisions need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Whether a human is asked at the third level; else the step fails there.
    pub escalates: bool,
    /// How long a human has to decide before the step fails, in milliseconds; none: for ever.
    pub patience: Option<u64>,
    /// Rows by kind; a kind without a row simply fails.
    pub rows: BTreeMap<FailureKind, Row>,
    /// What limits begin with and may come to.
    pub bounds: Bounds,
}

/// What is done about failures of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// First: further attempts, which are told why the last one failed.
    pub agent: Measure,
    /// Then: further attempts, usually with more of something.
    pub orchestrator: Measure,
    /// At last a human decides, and what depends on the step is paused.
    pub human: bool,
    /// No limit is raised beyond so many thousandths of what it began with.
    pub most: Option<u32>,
}

/// What a level does by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    /// So many further attempts.
    pub retry: u32,
    /// Milliseconds before the first of them; twice as long before each later one, with up to a quarter of jitter taken off.
    pub backoff: u64,
    /// Never more milliseconds than this.
    pub max_backoff: Option<u64>,
    /// What each attempt may use, in thousandths of what the one before it might.
    pub raise: Factors,
}

/// Thousandths; [`UNCHANGED`] leaves a limit as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factors {
    /// Of the wall time.
    pub timeout: u32,
    /// Of the memory.
    pub memory: u32,
    /// Of the fuel.
    pub fuel: u32,
}

/// What an attempt may use when its flow says nothing, and the most that it may get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Where neither flow nor class says anything.
    pub defaults: Amounts,
    /// Never more.
    pub ceilings: Amounts,
    /// Of the operator's classes: both what a step gets and the most that it may.
    pub classes: BTreeMap<Name, Amounts>,
}

/// A step whose own attempts are used up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) failure: &'a Failure,
    /// Whether it may be tried again without being told to.
    pub(crate) repeatable: bool,
    /// Whether a capability was denied to the attempt.
    pub(crate) denied: bool,
    /// Whether it takes something back.
    pub(crate) undoes: bool,
    pub(crate) class: Option<&'a Name>,
    /// What the plan asks for.
    pub(crate) wishes: Amounts,
    /// What was raised so far.
    pub(crate) raised: Amounts,
    /// Attempts that the agent's and the orchestrator's level have had.
    pub(crate) used: (u32, u32),
}

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A further attempt, as the n-th of this level, with these limits.
    Again(Level, u32, Measure, Amounts),
    /// A human decides.
    Escalate,
    /// The step fails.
    Fail,
}

impl Default for Factors {
    fn default() -> Self {
        Self { timeout: UNCHANGED, memory: UNCHANGED, fuel: UNCHANGED }
    }
}

impl Row {
    /// Whether it does nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.agent.retry == 0 && self.orchestrator.retry == 0 && !self.human
    }
}

/// The rows that hold where the configuration says nothing. `host/docs/failures.md` has them, with the reasons.
#[must_use]
pub fn default_rows() -> BTreeMap<FailureKind, Row> {
    let once = Measure { retry: 1, backoff: 1000, ..Measure::default() };
    let longer = Measure { retry: 1, raise: Factors { timeout: 1500, ..Factors::default() }, ..Measure::default() };
    let more = Measure { retry: 4, raise: Factors { memory: 2000, fuel: 2000, ..Factors::default() }, ..Measure::default() };
    let patient = Measure { retry: 4, backoff: 1000, max_backoff: Some(60_000), ..Measure::default() };
    let nothing = Row::default();
    let human = Row { human: true, ..Row::default() };
    [
        (FailureKind::InvalidInput, nothing.clone()),
        (FailureKind::Calculation, human.clone()),
        (FailureKind::Logic, human),
        (FailureKind::Permission, Row { orchestrator: once, ..Row::default() }),
        (FailureKind::Resource, Row { orchestrator: more, human: true, ..Row::default() }),
        (FailureKind::Timeout, Row { agent: longer, orchestrator: longer, human: true, most: Some(2000) }),
        (FailureKind::Network, Row { agent: patient, orchestrator: once, human: true, most: None }),
        (FailureKind::Dependency, Row { agent: once, orchestrator: once, ..Row::default() }),
        (FailureKind::Internal, Row { orchestrator: once, human: true, ..Row::default() }),
        (FailureKind::Error, nothing),
    ]
    .into()
}

impl Recovery {
    /// What is done about a failure that nothing takes.
    pub(crate) fn next(&self, case: &Case<'_>) -> Next {
        let nothing = Row::default();
        let row = self.rows.get(&case.failure.kind).unwrap_or(&nothing);
        // What was denied once is denied again: the operator's policy is fixed when the run starts.
        let in_vain = case.denied && case.failure.kind == FailureKind::Permission;
        if case.repeatable && !in_vain {
            let levels = [(Level::Agent, case.used.0, row.agent), (Level::Orchestrator, case.used.1, row.orchestrator)];
            for (level, used, measure) in levels {
                if used < measure.retry
                    && let Some(raised) = self.raise(case, measure.raise, row.most)
                {
                    return Next::Again(level, used + 1, measure, raised);
                }
            }
        }
        // What could not be taken back is never dropped in silence.
        if self.escalates && (row.human || case.undoes) { Next::Escalate } else { Next::Fail }
    }

    /// The limits of a further attempt. None when there is nothing left to raise.
    fn raise(&self, case: &Case<'_>, factors: Factors, most: Option<u32>) -> Option<Amounts> {
        if factors == Factors::default() {
            return Some(case.raised);
        }
        let named = limit_of(case.failure);
        let helps = |limit: &str| case.failure.kind != FailureKind::Resource || named == Some(limit);
        let mut raised = case.raised;
        let mut changed = false;
        let parts: [(&str, u32, Part, PartMut); 3] = [
            ("timeout", factors.timeout, |of| of.timeout, |of| &mut of.timeout),
            ("memory", factors.memory, |of| of.memory, |of| &mut of.memory),
            ("fuel", factors.fuel, |of| of.fuel, |of| &mut of.fuel),
        ];
        for (name, factor, part, part_mut) in parts {
            if factor > UNCHANGED
                && helps(name)
                && let Some(amount) = self.larger(case, factor, most, part)
            {
                *part_mut(&mut raised) = Some(amount);
                changed = true;
            }
        }
        changed.then_some(raised)
    }

    /// So many thousandths of a limit; none when it cannot grow.
    fn larger(&self, case: &Case<'_>, factor: u32, most: Option<u32>, part: Part) -> Option<u64> {
        let class = case.class.and_then(|name| self.bounds.classes.get(name)).and_then(part);
        let ceiling = class.unwrap_or(u64::MAX).min(part(&self.bounds.ceilings).unwrap_or(u64::MAX));
        let began = part(&case.wishes).or(class).or_else(|| part(&self.bounds.defaults))?.min(ceiling);
        let now = part(&case.raised).unwrap_or(began);
        let wanted = times(now, factor).min(most.map_or(u64::MAX, |most| times(began, most))).min(ceiling);
        (wanted > now).then_some(wanted)
    }
}

type Part = fn(&Amounts) -> Option<u64>;
type PartMut = fn(&mut Amounts) -> &mut Option<u64>;

/// So many thousandths of an amount.
fn times(amount: u64, thousandths: u32) -> u64 {
    u64::try_from(u128::from(amount) * u128::from(thousandths) / u128::from(UNCHANGED)).unwrap_or(u64::MAX)
}

/// The limit that a failure of kind `resource` says was used up: `details` has its name in `limit`.
fn limit_of(failure: &Failure) -> Option<&str> {
    failure.details.as_ref()?.get("limit")?.as_str()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use catalog::FailureKind;

    use super::{Case, Next, Recovery, default_rows};
    use crate::event::{Amounts, Failure, Level};

    const MIB: u64 = 1 << 20;

    fn table() -> Recovery {
        let mut table = Recovery { escalates: true, rows: default_rows(), ..Recovery::default() };
        table.bounds.defaults = Amounts { timeout: Some(60_000), memory: Some(256 * MIB), fuel: Some(100) };
        table.bounds.ceilings = Amounts { timeout: None, memory: Some(4096 * MIB), fuel: None };
        table.bounds.classes.insert("small".into(), Amounts { memory: Some(600 * MIB), ..Amounts::default() });
        table
    }

    fn of(kind: FailureKind, limit: Option<&str>) -> Failure {
        let details = limit.map(|limit| Arc::new(serde_json::json!({ "limit": limit })));
        Failure { kind, message: "m".into(), details, retry_after: None }
    }

    fn case(failure: &Failure) -> Case<'_> {
        let nothing = Amounts::default();
        Case {
            failure,
            repeatable: true,
            denied: false,
            undoes: false,
            class: None,
            wishes: nothing,
            raised: nothing,
            used: (0, 0),
        }
    }

    /// The limits of the attempts that follow until the table has no more.
    fn raised(case: &Case<'_>, part: impl Fn(&Amounts) -> Option<u64>) -> Vec<u64> {
        let (table, mut case, mut all) = (table(), *case, Vec::new());
        while let Next::Again(level, _, _, raised) = table.next(&case) {
            all.push(part(&raised).unwrap());
            case.raised = raised;
            if level == Level::Agent { case.used.0 += 1 } else { case.used.1 += 1 }
        }
        assert_eq!(table.next(&case), Next::Escalate);
        all
    }

    #[test]
    fn memory_doubles_up_to_what_a_component_can_address_or_its_class() {
        let failure = of(FailureKind::Resource, Some("memory"));
        let memory = |case: &Case<'_>| raised(case, |of| of.memory.map(|bytes| bytes / MIB));
        assert_eq!(memory(&case(&failure)), [512, 1024, 2048, 4096]);
        let large = Amounts { memory: Some(3072 * MIB), ..Amounts::default() };
        assert_eq!(memory(&Case { wishes: large, ..case(&failure) }), [4096]);
        let (small, class) = (Amounts { memory: Some(200 * MIB), ..Amounts::default() }, "small".into());
        assert_eq!(memory(&Case { wishes: small, class: Some(&class), ..case(&failure) }), [400, 600]);
        assert_eq!(memory(&Case { class: Some(&class), ..case(&failure) }), Vec::<u64>::new());
    }

    #[test]
    fn fuel_doubles_when_fuel_was_used_up_and_nothing_when_nobody_knows_what_was() {
        assert_eq!(raised(&case(&of(FailureKind::Resource, Some("fuel"))), |of| of.fuel), [200, 400, 800, 1600]);
        assert_eq!(raised(&case(&of(FailureKind::Resource, None)), |of| of.fuel), Vec::<u64>::new());
    }

    #[test]
    fn a_timeout_grows_by_half_and_never_beyond_twice() {
        let failure = of(FailureKind::Timeout, None);
        assert_eq!(raised(&case(&failure), |of| of.timeout), [90_000, 120_000]);
    }

    #[test]
    fn what_must_not_simply_run_again_goes_to_a_human_at_once() {
        let (table, network) = (table(), of(FailureKind::Network, None));
        assert_eq!(table.next(&Case { repeatable: false, ..case(&network) }), Next::Escalate);
        let calm = Recovery { escalates: false, ..table };
        assert_eq!(calm.next(&Case { repeatable: false, ..case(&network) }), Next::Fail);
    }

    #[test]
    fn a_denied_capability_is_not_asked_for_again() {
        let (table, permission) = (table(), of(FailureKind::Permission, None));
        assert!(matches!(table.next(&case(&permission)), Next::Again(Level::Orchestrator, 1, ..)));
        assert_eq!(table.next(&Case { denied: true, ..case(&permission) }), Next::Fail);
    }

    #[test]
    fn a_compensation_that_fails_goes_to_a_human_whatever_its_kind() {
        let (table, error) = (table(), of(FailureKind::Error, None));
        assert_eq!(table.next(&case(&error)), Next::Fail);
        assert_eq!(table.next(&Case { undoes: true, ..case(&error) }), Next::Escalate);
    }
}
