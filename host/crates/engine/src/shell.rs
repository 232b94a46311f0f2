//! Runs on tokio: gives each [`crate::core::Run`] its inputs and carries out its actions.
//!
//! # Steps
//!
//! 1. [`Engine::start`] makes a run durable, [`Engine::resume`] makes one out of its journal.
//! 2. One task per run (`task`) takes outcomes, commits, timers and requests as they come, and performs what the core asks.
//! 3. Attempts are tasks of their own, which pass gates (`gates`) that all runs share.
//! 4. The run of a plan (`child`) is a run of its own, held to what its step allows (`allowed`).
//! 5. Other hosts run what there is no place for here ([`Engine::with_elsewhere`]), and this one runs what it has places for ([`Guest`]).
//! 6. A [`RunHandle`] steers the run and gives its updates and report.

mod allowed;
mod asking;
mod attempt;
mod cache;
mod child;
mod config;
mod gates;
mod guest;
mod handle;
mod inbox;
mod notice;
mod replay;
mod task;
mod timers;
mod valve;

use std::sync::Arc;

use catalog::{Digest, Value};
use lang::plan::{Plan, SEMANTICS_VERSION};

pub use crate::core::{Awaited, Blocked, BlockedBy, Waiting};
pub use config::{Breakers, ClassLimits, EngineConfig, HostBudget, RecoveryRules};
pub use gates::{BreakerState, GateReport};
pub use guest::{Guest, Room};
pub use handle::{RunEnd, RunHandle, RunReport, Update};

use crate::core::{Lineage, ReplayError, Run};
use crate::event::{Origin, Payload, RunId, RunStarted, Trace, Within};
use crate::ports::{Bus, Clock, Compiler, Control, Elsewhere, Invoker, Journal, JournalError, NoBus, NoCompiler};
use gates::Gates;
use handle::Inlets;
use task::RunTask;

/// Runs flows.
#[derive(Clone)]
pub struct Engine {
    parts: Arc<Parts>,
}

/// What all runs share.
struct Parts {
    invoker: Arc<dyn Invoker>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    bus: Arc<dyn Bus>,
    compiler: Arc<dyn Compiler>,
    config: EngineConfig,
    gates: Arc<Gates>,
    /// Who runs attempts for which there is no place here.
    elsewhere: Option<Arc<dyn Elsewhere>>,
}

/// Why a run is paused that is about to be migrated.
pub const MIGRATING: &str = "it is being migrated";

/// A run that is to be started.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// Not yet in the store.
    pub id: RunId,
    /// What is run.
    pub plan: Arc<Plan>,
    /// The blob from which the plan can be made again.
    pub program: Digest,
    /// One value for each parameter of the entry flow, in order, by name.
    pub input: Vec<(String, Value)>,
    /// For finding the run.
    pub labels: Vec<(String, String)>,
    /// What the operator permits, as [`crate::permit`] reads it.
    pub permitted: Vec<String>,
    /// The run that this one retries.
    pub origin: Option<Box<Origin>>,
    /// The trace that it belongs to, where somebody said one.
    pub trace: Option<Trace>,
}

/// What a new owner does with a run first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TakeOver {
    /// A paused run is not resumed.
    pub stays_paused: bool,
    /// Carried out in order; what does not fit is refused in the journal.
    pub orders: Vec<Control>,
}

/// Why a run cannot be started or resumed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The store.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The journal does not fit the plan.
    #[error("the run cannot be resumed: {0}")]
    Replay(#[from] ReplayError),
    /// The run has another plan than the one that was given.
    #[error("run `{run}` was started with the plan {stored}, this plan is {given}")]
    OtherPlan {
        /// The run.
        run: RunId,
        /// In its journal.
        stored: Digest,
        /// Given.
        given: Digest,
    },
    /// The input, or what is permitted, does not fit.
    #[error("{0}")]
    Input(String),
    /// Every run of the flow comes to a step that needs more than the host has.
    #[error("{0}")]
    NeverFits(String),
}

impl Engine {
    /// An engine over these ports. Needs a tokio runtime with time from the first run on.
    #[must_use]
    pub fn new(invoker: Arc<dyn Invoker>, journal: Arc<dyn Journal>, clock: Arc<dyn Clock>, config: EngineConfig) -> Self {
        Self::with_bus(invoker, journal, clock, Arc::new(NoBus), config)
    }

    /// The same with a bus, without which nothing comes to a run and it cannot send.
    #[must_use]
    pub fn with_bus(
        invoker: Arc<dyn Invoker>,
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        bus: Arc<dyn Bus>,
        config: EngineConfig,
    ) -> Self {
        Self::with_compiler(invoker, journal, clock, bus, Arc::new(NoCompiler), config)
    }

    /// The same with a compiler, without which no run can make plans.
    #[must_use]
    pub fn with_compiler(
        invoker: Arc<dyn Invoker>,
        journal: Arc<dyn Journal>,
        clock: Arc<dyn Clock>,
        bus: Arc<dyn Bus>,
        compiler: Arc<dyn Compiler>,
        config: EngineConfig,
    ) -> Self {
        let gates = Arc::new(Gates::new(&config));
        Self { parts: Arc::new(Parts { invoker, journal, clock, bus, compiler, config, gates, elsewhere: None }) }
    }

    /// The same engine with other hosts, which run what there is no place for here.
    #[must_use]
    pub fn with_elsewhere(&self, elsewhere: Arc<dyn Elsewhere>) -> Self {
        self.with(Arc::clone(&self.parts.bus), Some(elsewhere))
    }

    /// The same engine on another bus: its runs pass the gates of this one's.
    #[must_use]
    pub fn on_bus(&self, bus: Arc<dyn Bus>) -> Self {
        self.with(bus, self.parts.elsewhere.clone())
    }

    fn with(&self, bus: Arc<dyn Bus>, elsewhere: Option<Arc<dyn Elsewhere>>) -> Self {
        let Parts { invoker, journal, clock, compiler, config, gates, .. } = &*self.parts;
        Self {
            parts: Arc::new(Parts {
                invoker: Arc::clone(invoker),
                journal: Arc::clone(journal),
                clock: Arc::clone(clock),
                bus,
                compiler: Arc::clone(compiler),
                config: config.clone(),
                gates: Arc::clone(gates),
                elsewhere,
            }),
        }
    }

    /// How that stands which all runs of this engine share.
    #[must_use]
    pub fn gates(&self) -> GateReport {
        self.parts.gates.report()
    }

    /// Makes a run durable that goes on when it is adopted.
    ///
    /// # Errors
    /// As [`Engine::start`].
    pub async fn create(&self, new: NewRun) -> Result<(), EngineError> {
        let started = self.started(&new)?;
        self.begin(new, started).await.map(drop)
    }

    /// Makes a run durable and starts it.
    ///
    /// # Errors
    /// When the store does not take it, or the input does not fit the flow.
    pub async fn start(&self, new: NewRun) -> Result<RunHandle, EngineError> {
        let started = self.started(&new)?;
        let (task, ends) = self.begin(new, started).await?;
        Ok(RunHandle::spawn(task, ends, false))
    }

    /// The same for the run of a plan that another run made.
    async fn start_within(&self, new: NewRun, within: Within) -> Result<RunHandle, EngineError> {
        let started = RunStarted { within: Some(Box::new(within)), ..self.started(&new)? };
        let (task, ends) = self.begin(new, started).await?;
        Ok(RunHandle::spawn(task, ends, false))
    }

    async fn begin(&self, new: NewRun, started: RunStarted) -> Result<(RunTask, Inlets), EngineError> {
        let mut run = Run::new(Arc::clone(&new.plan), new.id, Arc::clone(&self.parts.config.host));
        replay::hold(&self.parts, &mut run);
        let (task, ends) = RunTask::new(Arc::clone(&self.parts), new.plan, run);
        let mut task = task.begin(started).await?;
        task.listen().await?;
        Ok((task, ends))
    }

    /// Goes on with a run as its new owner; a paused one is resumed. Of a run that was migrated, all its plans are needed. It begins when the handle is first waited for,
    /// so decisions that are made before are seen.
    ///
    /// # Errors
    /// When the store does not give it, or the journal does not fit the plan.
    pub async fn resume(&self, id: RunId, plans: impl Into<Lineage>) -> Result<RunHandle, EngineError> {
        self.take_over(id, plans, TakeOver::default()).await
    }

    /// As [`Engine::resume`], but a paused run stays paused.
    ///
    /// # Errors
    /// As [`Engine::resume`].
    pub async fn adopt(&self, id: RunId, plans: impl Into<Lineage>) -> Result<RunHandle, EngineError> {
        self.take_over(id, plans, TakeOver { stays_paused: true, orders: Vec::new() }).await
    }

    /// As [`Engine::resume`], but what is to become of the run first is said: of its control letters, then of these orders,
    /// those that stop it are carried out before anything starts.
    ///
    /// # Errors
    /// As [`Engine::resume`].
    pub async fn take_over(&self, id: RunId, plans: impl Into<Lineage>, how: TakeOver) -> Result<RunHandle, EngineError> {
        let lineage = plans.into();
        let run = replay::replay(&self.parts, &lineage, &id)?;
        let plan = Arc::clone(lineage.current());
        let (mut task, ends) = RunTask::new(Arc::clone(&self.parts), plan, run);
        task.listen().await?;
        task.recover(how)?;
        Ok(RunHandle::spawn(task, ends, true))
    }

    fn started(&self, new: &NewRun) -> Result<RunStarted, EngineError> {
        let wrong = |text: String| Err(EngineError::Input(text));
        let Some(flow) = new.plan.flows.get(new.plan.entry) else { return wrong("the plan has no entry flow".into()) };
        let names = flow.params.iter().map(|param| &*param.name);
        if !names.eq(new.input.iter().map(|(name, _)| name.as_str())) {
            let wanted: Vec<_> = flow.params.iter().map(|param| format!("`{}`", param.name)).collect();
            return wrong(format!(
                "the flow `{}` takes {}",
                flow.name,
                if wanted.is_empty() { "no input".into() } else { wanted.join(", ") }
            ));
        }
        for text in &new.permitted {
            crate::permit::parse(text).map_err(|error| EngineError::Input(error.to_string()))?;
        }
        if let Some(why) = self.parts.gates.never_fits(&self.parts.config, &new.plan) {
            return Err(EngineError::NeverFits(why));
        }
        Ok(RunStarted {
            flow: flow.name.to_string(),
            plan: new.plan.digest(),
            program: new.program,
            input: new.input.iter().map(|(name, value)| (name.clone(), Payload::Value(value.clone()))).collect(),
            labels: new.labels.clone(),
            semantics: SEMANTICS_VERSION,
            permitted: new.permitted.clone(),
            recovery: self.parts.config.recovery(),
            host: Arc::clone(&self.parts.config.host),
            origin: new.origin.clone(),
            within: None,
            trace: new.trace.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Engine, Lineage};

    /// A service starts and resumes runs in tasks of its own.
    #[test]
    fn runs_are_started_and_resumed_from_any_task() {
        fn is_send<T: Send>(_: Option<T>) {}
        fn futures(engine: &Engine) {
            is_send(Some(async { engine.start(missing()).await.is_ok() }));
            is_send(Some(async { engine.resume(missing(), missing::<Lineage>()).await.is_ok() }));
        }
        fn missing<T>() -> T {
            std::process::abort()
        }
        // Only types are compared.
        let _ = futures;
    }
}
