//! Compiles the plans that runs make: each sees the components and files of the program whose run made it, and no others.
//!
//! A plan is compiled as if it stood beside the file whose step runs it, under that file's path with ` (plan)` behind. It
//! names a component as that file does: by the same reference, or by the name that the file gave it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bus::nats::HookRule;
use catalog::{Digest, FailureKind};
use engine::event::Failure;
use engine::ports::{CompiledPlan, Compiler, Journal, JournalError, PlanError, PlanSource};
use futures::FutureExt;
use futures::future::BoxFuture;
use lang::plan::Plan;
use lang::{Compilation, ComponentProblem, Diagnostic, Entry, LoadedComponent, Severity, UsedComponent, World};
use serde_json::{Value, json};

use crate::exit::Problem;
use crate::program::{self, Program};
use crate::roles::RoleAgents;
use crate::world::ReadFiles;

/// More diagnostics than this are left out of a failure.
const MOST_DIAGNOSTICS: usize = 50;

/// So many programs whose runs make plans are kept ready.
const MOST_CALLERS: usize = 16;

/// Compiles over the programs of a store.
pub(crate) struct Planner {
    shared: Arc<Shared>,
}

struct Shared {
    journal: Arc<dyn Journal>,
    callers: Mutex<BTreeMap<Digest, Arc<Caller>>>,
}

/// A program whose runs make plans, with the names that its files give to components.
struct Caller {
    program: Program,
    uses: Vec<UsedComponent>,
    /// For its hooks, with those of its own caller.
    plan: Option<Plan>,
}

impl Caller {
    fn unpack(journal: &dyn Journal, digest: Digest) -> Result<Self, Problem> {
        let program = program::unpack(journal, digest)?;
        let compiled = lang::compile(&program.world, &program.root, Entry::None);
        let plan = compiled.plan.map(|plan| with_hooks(journal, &program, plan)).transpose()?;
        Ok(Self { program, uses: compiled.components, plan })
    }
}

/// The plan of a program with the operator's hooks, and those of the program whose run made it.
pub(crate) fn with_hooks(journal: &dyn Journal, program: &Program, mut plan: Plan) -> Result<Plan, Problem> {
    HookRule::put_around(&program.hooks, &mut plan);
    if let Some(caller) = program.hooks_of
        && let Some(caller) = Caller::unpack(journal, caller)?.plan
    {
        plan.adopt_hooks(&caller);
    }
    Ok(plan)
}

/// The plan of a stored program.
pub(crate) fn stored_plan(journal: &dyn Journal, digest: Digest) -> Result<Arc<Plan>, Problem> {
    let program = program::unpack(journal, digest)?;
    Ok(Arc::new(with_hooks(journal, &program, program::plan(&program)?)?))
}

impl Planner {
    pub(crate) fn new(journal: Arc<dyn Journal>) -> Self {
        Self { shared: Arc::new(Shared { journal, callers: Mutex::default() }) }
    }
}

impl Compiler for Planner {
    fn compile(&self, source: PlanSource) -> BoxFuture<'static, Result<CompiledPlan, PlanError>> {
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || shared.compile(&source));
        let failed = |_| PlanError::Refused(failure(FailureKind::Internal, "the host failed while it compiled the plan", None));
        done.map(move |done| done.map_err(failed).and_then(std::convert::identity)).boxed()
    }
}

impl Shared {
    fn compile(&self, source: &PlanSource) -> Result<CompiledPlan, PlanError> {
        let caller = self.caller(source.program)?;
        let root = format!("{} (plan)", source.from);
        let world = PlanWorld { caller: &caller, source, root: &root, read: Mutex::default() };
        let compiled = lang::compile(&world, &root, Entry::Default);
        let Some(mut plan) = compiled.plan.as_ref().filter(|_| !compiled.has_errors()).cloned() else {
            return Err(PlanError::Refused(refused(&compiled)));
        };
        let adopted = caller.plan.as_ref().map_or(0, |caller| plan.adopt_hooks(caller));
        let hooks_of = (adopted > 0).then_some(source.program);
        let files = world.read.into_inner().unwrap_or_else(PoisonError::into_inner);
        let program = program::pack_made(&*self.journal, &root, Entry::Default, &files, &RoleAgents::default(), hooks_of)
            .map_err(PlanError::Store)?;
        Ok(CompiledPlan { plan: Arc::new(plan), program, adopted })
    }

    fn caller(&self, digest: Digest) -> Result<Arc<Caller>, PlanError> {
        let known = self.callers.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let unreadable = |problem: Problem| PlanError::Store(JournalError::Unavailable(problem.message));
        let caller = Arc::new(Caller::unpack(&*self.journal, digest).map_err(unreadable)?);
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if callers.len() >= MOST_CALLERS {
            callers.pop_first();
        }
        callers.insert(digest, Arc::clone(&caller));
        Ok(caller)
    }
}

/// What a plan sees.
struct PlanWorld<'c> {
    caller: &'c Caller,
    source: &'c PlanSource,
    root: &'c str,
    read: Mutex<ReadFiles>,
}

impl PlanWorld<'_> {
    /// The names that the file of the step gives to components.
    fn uses(&self) -> impl Iterator<Item = &UsedComponent> {
        self.caller.uses.iter().filter(|used| used.file == self.source.from)
    }

    fn find(&self, reference: &str, from: &str) -> Result<LoadedComponent, ComponentProblem> {
        if from != self.root {
            return self.caller.program.world.component(reference, from);
        }
        let named =
            self.uses().find(|used| used.reference == reference).or_else(|| self.uses().find(|used| used.alias == reference));
        let Some(used) = named else {
            let known: Vec<String> = self.uses().map(|used| format!("`{}`", used.alias)).collect();
            let help = match known.as_slice() {
                [] => "that flow uses no components".to_owned(),
                known => format!("that flow uses {}; name one of them: `use \"name\" as name`", known.join(", ")),
            };
            let message = "the flow that runs this plan does not use it".to_owned();
            return Err(ComponentProblem { message, help: Some(help) });
        };
        self.caller.program.world.component(&used.reference, &used.file)
    }
}

impl World for PlanWorld<'_> {
    fn source(&self, path: &str) -> Result<Arc<str>, String> {
        let text = if path == self.root {
            Arc::clone(&self.source.text)
        } else {
            let text = self.caller.program.world.source(path);
            text.map_err(|_| "a plan sees the files of the flow that runs it, and no others".to_owned())?
        };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.sources.insert(path.to_owned(), Arc::clone(&text));
        Ok(text)
    }

    fn component(&self, reference: &str, from: &str) -> Result<LoadedComponent, ComponentProblem> {
        let found = self.find(reference, from)?;
        let (key, value) = ((reference.to_owned(), from.to_owned()), (found.source.clone(), found.component.digest));
        self.read.lock().unwrap_or_else(PoisonError::into_inner).references.insert(key, value);
        Ok(found)
    }
}

/// The failure of a step whose plan does not compile: what is wrong with the text, so that whoever wrote it can mend it.
fn refused(compiled: &Compilation) -> Failure {
    let errors: Vec<&Diagnostic> = compiled.diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
    let message = match errors.as_slice() {
        [] => "the plan does not compile: it has no flow to start".to_owned(),
        [only] => format!("the plan does not compile: {}", only.message),
        [first, rest @ ..] => format!("the plan does not compile: {} (and {} more)", first.message, rest.len()),
    };
    let details = errors.iter().take(MOST_DIAGNOSTICS).map(|found| described(found, compiled)).collect();
    failure(FailureKind::InvalidInput, message, Some(details))
}

fn described(found: &Diagnostic, compiled: &Compilation) -> Value {
    let at = found.labels.first().map(|label| compiled.sources.position(label.span));
    json!({
        "code": found.code,
        "message": found.message,
        "line": at.map(|at| at.line),
        "column": at.map(|at| at.column),
        "help": found.help,
    })
}

fn failure(kind: FailureKind, message: impl Into<String>, details: Option<Value>) -> Failure {
    Failure { kind, message: message.into(), details: details.map(Arc::new), retry_after: None }
}
