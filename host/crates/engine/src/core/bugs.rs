//! Bugs that can be planted to see whether the simulator finds them. Without the feature `planted-bugs` nothing can plant one.

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "planted-bugs"), expect(unreachable_pub, reason = "public with the feature only"))]
pub enum Bug {
    /// Now and then an event is applied but never appended.
    DroppedEvent,
    /// A result is used when it is appended, not when it is durable.
    UsedBeforeDurable,
    /// A step that becomes ready is invoked twice.
    DoubleStart,
    /// A retry does not use up a retry.
    RetryNotCounted,
    /// A map gives its results in the order of completion.
    MapByCompletion,
    /// A tree joins whatever is ready next.
    TreeByCompletion,
    /// A step with effects is invoked before its `attempt-started` is durable.
    EffectBeforeDurable,
    /// After a takeover timers are not armed again.
    TimersForgotten,
    /// A node does not wait for the last of its predecessors.
    GateSkipped,
    /// A step with effects and unknown outcome simply runs again.
    UnknownRunAgain,
    /// The place of a failed attempt is not given back.
    PlaceLeaked,
    /// The siblings of a failed step are not stopped before the failure is handled.
    FailedWithoutStopping,
    /// After a takeover the signals and messages that are kept for later waits are gone.
    SignalLost,
    /// A message that comes twice counts twice.
    DuplicateMessage,
    /// A `wait` is over too early.
    WaitEarly,
    /// A step that has failed keeps its key when it is over.
    KeyNotReleased,
    /// Attempts start however many have started.
    RateIgnored,
    /// Retries do not count for budgets.
    BudgetNotCounted,
    /// A race goes on with its first success while the other arms still run.
    RaceKeepsLosers,
    /// What a region did is not taken back any more once the region has ended.
    UndoForgotten,
    /// The oldest effect is taken back first.
    UndoInOrder,
    /// After a migration events keep the numbers that the plan before gave to steps.
    NumbersKept,
    /// A run is migrated whether or not it fits.
    FitUnchecked,
    /// Now and then nothing is written down about a human who is asked.
    EscalationUntold,
    /// A step fails when a human decides that it is to be tried again.
    EscalationDecision,
    /// A result that an operator supplies for a step that has not begun is forgotten.
    SupplyForgotten,
    /// Settings that an operator changes do not reach the step.
    SettingForgotten,
    /// A retried run takes nothing over.
    ResultsForgotten,
    /// A retried run takes a result over whatever the arguments are.
    ResultsUnchecked,
    /// After a takeover the run of a plan is not gone on with.
    PlanForgotten,
    /// The next attempt of a step runs its plan in a run of the same id.
    PlanRepeated,
    /// An order that comes twice is carried out twice.
    OrderTwice,
    /// Only the first handler is asked before a step.
    HandlerSkipped,
    /// After a takeover messages of steps that may not have arrived are not sent again.
    PostForgotten,
    /// The messages of a step leave when handlers have agreed to one of them.
    PostUnasked,
    /// What a step did is not taken back when its messages never left.
    UnsentKept,
}

#[cfg(feature = "planted-bugs")]
impl Bug {
    /// All of them.
    pub const ALL: [Self; 36] = [
        Self::DroppedEvent,
        Self::UsedBeforeDurable,
        Self::DoubleStart,
        Self::RetryNotCounted,
        Self::MapByCompletion,
        Self::TreeByCompletion,
        Self::EffectBeforeDurable,
        Self::TimersForgotten,
        Self::GateSkipped,
        Self::UnknownRunAgain,
        Self::PlaceLeaked,
        Self::FailedWithoutStopping,
        Self::SignalLost,
        Self::DuplicateMessage,
        Self::WaitEarly,
        Self::KeyNotReleased,
        Self::RateIgnored,
        Self::BudgetNotCounted,
        Self::RaceKeepsLosers,
        Self::UndoForgotten,
        Self::UndoInOrder,
        Self::NumbersKept,
        Self::FitUnchecked,
        Self::EscalationUntold,
        Self::EscalationDecision,
        Self::SupplyForgotten,
        Self::SettingForgotten,
        Self::ResultsForgotten,
        Self::ResultsUnchecked,
        Self::PlanForgotten,
        Self::PlanRepeated,
        Self::OrderTwice,
        Self::HandlerSkipped,
        Self::PostForgotten,
        Self::PostUnasked,
        Self::UnsentKept,
    ];
}

/// Which bug is planted, if any.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bugs {
    #[cfg(feature = "planted-bugs")]
    planted: Option<Bug>,
}

impl Bugs {
    /// Plants one.
    #[cfg(feature = "planted-bugs")]
    pub(crate) const fn plant(bug: Bug) -> Self {
        Self { planted: Some(bug) }
    }

    /// Whether this one is planted.
    #[cfg(feature = "planted-bugs")]
    pub(crate) fn has(self, bug: Bug) -> bool {
        self.planted == Some(bug)
    }

    /// Whether this one is planted: never.
    #[cfg(not(feature = "planted-bugs"))]
    #[expect(clippy::unused_self, reason = "the same signature as with the feature")]
    pub(crate) const fn has(self, _bug: Bug) -> bool {
        false
    }
}
