//! Programs of runs, made ready once each: a thousand runs of one program share one plan.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bus::Agents;
use catalog::Digest;
use engine::ports::{Invoker, Journal};
use engine::shell::Engine;
use lang::plan::Plan;
use tokio::sync::OnceCell;

use super::Parts;
use crate::exit::{Exit, Problem};
use crate::roles::RoleAgents;
use crate::{planner, program};

/// So many programs are kept that no run uses.
const KEPT: usize = 64;

/// A program that is ready to be run.
pub(super) struct Loaded {
    pub(super) plan: Arc<Plan>,
    /// The service's engine, with the agents of this program.
    pub(super) engine: Engine,
}

type Slot = Arc<OnceCell<Result<Arc<Loaded>, Problem>>>;

/// The programs.
#[derive(Default)]
pub(super) struct Programs {
    known: Mutex<BTreeMap<Digest, Slot>>,
}

impl Programs {
    /// The program with this digest. Who asks while it is being made ready waits for it; one that cannot be made ready
    /// is not tried again as long as it is kept, unless the reason may pass.
    pub(super) async fn get(&self, parts: &Arc<Parts>, digest: Digest) -> Result<Arc<Loaded>, Problem> {
        let slot = self.slot(digest);
        let shared = Arc::clone(parts);
        let load = || async move {
            let made = tokio::task::spawn_blocking(move || load(&shared, digest)).await;
            made.unwrap_or_else(|error| Err(Problem::new(Exit::Plugin, format!("the program was not made ready: {error}"))))
        };
        let made = slot.get_or_init(load).await.clone();
        if made.as_ref().is_err_and(|problem| problem.passes) {
            self.forget(digest, &slot);
        }
        made
    }

    fn forget(&self, digest: Digest, failed: &Slot) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Somebody may try again already.
        if known.get(&digest).is_some_and(|slot| Arc::ptr_eq(slot, failed)) {
            known.remove(&digest);
        }
    }

    fn slot(&self, digest: Digest) -> Slot {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() > KEPT && !known.contains_key(&digest) {
            known.retain(|_, slot| slot.get().is_none_or(is_used));
        }
        Arc::clone(known.entry(digest).or_default())
    }
}

/// Whether a run holds the plan.
fn is_used(made: &Result<Arc<Loaded>, Problem>) -> bool {
    made.as_ref().is_ok_and(|loaded| Arc::strong_count(&loaded.plan) > 1)
}

fn load(parts: &Parts, digest: Digest) -> Result<Arc<Loaded>, Problem> {
    let journal = &*parts.journal;
    let program = program::unpack(journal, digest)?;
    let plan = lang::compile(&program.world, &program.root, program.entry()).plan.ok_or_else(|| {
        Problem::new(Exit::DoesNotCompile, "the program of this run does not compile with this version of `host`")
            .help("resume it with the version of `host` that started it")
    })?;
    let plan = planner::with_hooks(journal, &program, plan)?;
    let roles = RoleAgents::resumed(&parts.config, &plan, program.roles, |digest| Ok(journal.blob(digest)?))?;
    for bytes in program.world.bytes.values().chain(roles.bytes.values()) {
        parts.sandbox.load(bytes).map_err(|error| Problem::new(Exit::Plugin, error.to_string()))?;
    }
    // Whoever takes a run of it over needs it as well.
    journal.share(&digest.to_string())?;
    let agents = Agents::new(Arc::new(parts.sandbox.clone()) as Arc<dyn Invoker>, roles.agents);
    let engine = parts.engine.on_bus(Arc::new(parts.bus.clone().with_agents(agents)));
    Ok(Arc::new(Loaded { plan: Arc::new(plan), engine }))
}
