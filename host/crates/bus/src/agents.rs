//! Agents of this process: components that answer for a role.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::{FailureKind, Name};
use engine::event::Failure;
use engine::ports::{Callee, GrantedCapability, Invocation, Invoker, Outcome, Question};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};

/// A component that answers for a role.
#[derive(Clone, Debug)]
pub struct Agent {
    /// The function that is called.
    pub function: Arc<Callee>,
    /// What the operator grants it.
    pub grants: Vec<GrantedCapability>,
}

/// The agents of a process, and who runs them.
#[derive(Clone)]
pub struct Agents {
    invoker: Arc<dyn Invoker>,
    by_role: Arc<BTreeMap<Name, Agent>>,
}

impl Agents {
    /// These agents, run by `invoker` like steps.
    #[must_use]
    pub fn new(invoker: Arc<dyn Invoker>, by_role: BTreeMap<Name, Agent>) -> Self {
        Self { invoker, by_role: Arc::new(by_role) }
    }

    /// Whether one of them has the role.
    pub(crate) fn has(&self, role: &str) -> bool {
        self.by_role.contains_key(role)
    }

    /// Asks the agent of a role. Where there is none it fails at once: nobody would ever answer.
    pub(crate) fn ask(&self, question: Question) -> BoxFuture<'static, Outcome> {
        let Some(agent) = self.by_role.get(&question.role.name) else { return ready(nobody(&question.role.name)).boxed() };
        self.invoker.invoke(Invocation {
            function: Arc::clone(&agent.function),
            args: question.args,
            grants: agent.grants.clone(),
            limits: question.limits,
            idempotency_key: question.idempotency_key,
            number: question.number,
            previous_failure: question.previous_failure,
            // An agent asks nobody: what it is granted is the operator's, and no flow says whom.
            asking: None,
        })
    }
}

/// What an `ask` gives that nobody answers.
pub(crate) fn nobody(role: &str) -> Outcome {
    let message = format!(
        "no agent has the role `{role}`; name one in `flowhost.toml`: `[roles.{role}]` with `component = \"….wasm\"` and `function = \"…\"`"
    );
    let failure = Failure { kind: FailureKind::Dependency, message, details: None, retry_after: None };
    Outcome::new(Err(failure))
}
