//! From a path to a plan.

use catalog::Digest;
use grammar::{Diagnostic, Severity, Span};

use crate::ir::Program;
use crate::plan::Plan;
use crate::sessions::SessionHookInfo;
use crate::sources::Sources;
use crate::triggers::TriggerInfo;
use crate::world::World;
use crate::{check, load, lower, secrets, sessions, triggers};

/// Which flow a plan starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// The one with this name; that there is none is an error.
    Named(&'a str),
    /// `main`, else the only one; that there is no such is an error.
    Default,
    /// The n-th trigger of the root file, from 0.
    Trigger(usize),
    /// The n-th `hook session` of the root file, from 0.
    Session(usize),
    /// The n-th test of the root file. The plan starts its body, and has its mocks.
    Test(usize),
    /// No run is asked for, only what is wrong with the file. The plan, if there is one, starts `main` or the first flow.
    None,
}

/// A `test` of the root file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestInfo {
    /// As written, unescaped.
    pub name: String,
    /// The name in the source.
    pub span: Span,
}

/// A component that a file of the program names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedComponent {
    /// The name that it is called by.
    pub alias: String,
    /// As the `use` wrote it.
    pub reference: String,
    /// Its resolved path or reference.
    pub source: String,
    /// Of its bytes.
    pub digest: Digest,
    /// The path of the file that names it.
    pub file: String,
}

/// What compiling gave.
#[derive(Clone, Debug)]
pub struct Compilation {
    /// The texts that the diagnostics point into.
    pub sources: Sources,
    /// Errors and warnings in order of file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// Components that could be loaded, in order of file and place.
    pub components: Vec<UsedComponent>,
    /// The triggers of the root file in order.
    pub triggers: Vec<TriggerInfo>,
    /// The session hooks of the root file in order; without errors all of them.
    pub sessions: Vec<SessionHookInfo>,
    /// Whether some `use` could not be loaded. Exit code 4, unless there are other errors.
    pub component_failed: bool,
    /// The tests of the root file in order; see [`Entry::Test`].
    pub tests: Vec<TestInfo>,
    /// Only without errors, and when the root file has a flow to start.
    pub plan: Option<Plan>,
}

impl Compilation {
    /// Whether there is an error among the diagnostics.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(is_error)
    }

    /// Whether components that could not be loaded are the only errors.
    #[must_use]
    pub fn only_components_failed(&self) -> bool {
        self.component_failed
            && self.diagnostics.iter().filter(|diagnostic| is_error(diagnostic)).all(|found| found.code == "flow::component")
    }
}

/// Compiles the file `root` and all that it names.
pub fn compile(world: &dyn World, root: &str, entry: Entry<'_>) -> Compilation {
    let mut loaded = load::load(world, root);
    let mut checked = check::check(&loaded, entry);
    let mut diagnostics = std::mem::take(&mut loaded.diagnostics);
    diagnostics.append(&mut checked.diagnostics);
    let mut plan = None;
    if !diagnostics.iter().any(is_error) {
        plan = checked.program.as_ref().and_then(|program| lowered(program, &mut diagnostics));
        diagnostics.extend(checked.program.iter().flat_map(secrets::check));
        // For what is wrong with the tests; nothing starts them. What a test runs without using it, it may count.
        let mut of_tests = Vec::new();
        checked.tests.as_ref().and_then(|program| lowered(program, &mut of_tests));
        diagnostics.extend(of_tests.into_iter().filter(|found| found.code != "flow::unused"));
    }
    sort(&mut diagnostics);
    let components = components(&loaded);
    let root = loaded.files.first().map(|root| triggers::items(&root.ast));
    let triggers = root.into_iter().flatten().map(TriggerInfo::of).collect();
    let hooks = loaded.files.first().map(|root| sessions::items(&root.ast));
    let sessions = hooks.into_iter().flatten().filter_map(SessionHookInfo::of).collect();
    let tests = tests(&loaded);
    let component_failed = loaded.component_failed;
    Compilation { sources: loaded.sources, diagnostics, components, triggers, sessions, component_failed, tests, plan }
}

fn lowered(program: &Program, diagnostics: &mut Vec<Diagnostic>) -> Option<Plan> {
    match lower::lower(program) {
        Ok(lowered) => {
            diagnostics.extend(lowered.warnings);
            Some(lowered.plan)
        }
        Err(found) => {
            diagnostics.extend(found);
            None
        }
    }
}

fn tests(loaded: &load::Loaded) -> Vec<TestInfo> {
    let tests = loaded.files.first().map(|root| root.tests.as_slice()).unwrap_or_default();
    tests.iter().map(|test| TestInfo { name: test.name.value.to_string(), span: test.name.span }).collect()
}

fn is_error(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Error
}

/// By file and place. A flow that is checked under several caps says the same more than once.
fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| {
        let key = |found: &Diagnostic| found.labels.first().map(|label| label.span);
        key(a).cmp(&key(b)).then_with(|| a.severity.cmp(&b.severity)).then_with(|| a.message.cmp(&b.message))
    });
    diagnostics.dedup();
}

fn components(loaded: &load::Loaded) -> Vec<UsedComponent> {
    let mut found = Vec::new();
    for (file, source) in loaded.files.iter().zip(loaded.sources.iter()) {
        for (item, component) in file.use_items().zip(&file.components) {
            let Some(component) = component else { continue };
            found.push(UsedComponent {
                alias: item.alias.name.to_string(),
                reference: item.source.value.to_string(),
                source: component.source.clone(),
                digest: component.component.digest,
                file: source.path.clone(),
            });
        }
    }
    found
}
