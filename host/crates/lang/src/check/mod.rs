//! Names, types, and everything else that can be wrong before a flow runs.
//!
//! # Steps
//!
//! 1. `names` collects what each file declares and links imports.
//! 2. `types` expands written types, on demand.
//! 3. `interfaces` and `signatures` check parameters, defaults, classes, and the `with` of each `use` and `import`.
//! 4. `flow` checks bodies: those of the root file and what they call become the program; the other flows of
//!    imported files are checked for their diagnostics only. A test is a flow that can have `mocks`.
//!    `generics` are flows with parameters that are components or flows.
//! 5. `recursion` refuses flows that call each other in a cycle without a bound.
//!
//! An expression whose type is not known because of an error that was already reported is `None`, and agrees with everything.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use catalog::Digest;
use cranelift_entity::{EntityRef, PrimaryMap};
use grammar::{Diagnostic, Severity, Span, ast};

use crate::diagnostics::files as say;
use crate::ir;
use crate::load::{Loaded, LoadedFile};
use crate::plan::{
    Class, ComponentId, ComponentRef, FlowId, FunctionId, FunctionRef, HookEvent, PlanId, PlanRef, RoleId, RoleRef,
};
use crate::{Entry, suggest};

mod arms;
mod calls;
mod caps;
mod cron;
mod exhaustive;
mod expr;
mod flow;
mod forms;
mod generics;
mod hooks;
mod interfaces;
mod library;
mod literals;
mod lookalikes;
mod mail;
mod messages;
mod mocked;
mod mocks;
mod names;
mod operators;
mod owner;
mod passing;
mod patterns;
mod place;
mod planned;
mod policy;
mod recursion;
mod roles;
mod rules;
mod shapes;
mod signatures;
mod statements;
mod triggers;
mod types;
mod undo;
mod why;

pub(crate) use planned::RUN_PLAN;

use flow::FlowChecker;
use interfaces::InterfaceDecl;
use names::FileNames;
use signatures::{FlowDecl, Signature, UseDecl};
use types::TypeDecl;

/// What checking gave.
pub(crate) struct Checked {
    /// Only without errors, and with an entry.
    pub(crate) program: Option<ir::Program>,
    /// The tests of the root file with all flows of `program`, to be lowered for what is wrong with them. Only for
    /// [`Entry::None`], without errors, and when there are tests.
    pub(crate) tests: Option<ir::Program>,
    /// Errors and warnings in no particular order.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Checks everything that was loaded.
pub(crate) fn check(loaded: &Loaded, entry: Entry<'_>) -> Checked {
    let mut checker = Checker::new(loaded);
    checker.collect_names();
    checker.resolve_types();
    checker.check_signatures();
    let hooks = checker.check_hooks();
    let (test, handler) = (matches!(entry, Entry::Test(_)), matches!(entry, Entry::Session(_)));
    let roots = checker.instantiate_roots(entry);
    let item = checker.instantiate_item(entry);
    let mut flows = checker.check_instances(0);
    checker.check_sender_mocks(&mut flows, 0);
    let mut checked = flows.len();
    let plain = checker.parts(flows);
    let tests = if entry == Entry::None { checker.instantiate_tests() } else { None };
    let with_tests = tests.map(|entry| {
        let mut flows = plain.flows.clone();
        flows.extend(checker.check_instances(checked).into_iter().map(|(_, flow)| flow));
        checker.check_sender_mocks(&mut flows, 0);
        checked = flows.len();
        (entry, checker.parts(flows))
    });
    checker.compare_awaited();
    checker.instantiate_others();
    let mut others = checker.check_instances(checked);
    checker.check_sender_mocks(&mut others, checked);
    checker.check_recursion();
    checker.unused_names();
    let entry = if item.is_some() {
        item
    } else if loaded.files.first().is_some_and(|file| file.broken) && roots.is_empty() {
        None
    } else {
        checker.entry(entry, &roots)
    };
    let failed = checker.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    // A test is no run, so that nothing begins or ends around which a hook could be; around a handler there are none at all.
    let hooks = hooks.into_iter().filter(|hook| !handler && (!test || hook.event != HookEvent::Run)).collect();
    let program = entry.filter(|_| !failed).map(|entry| ir::Program { hooks, ..checker.program(entry, plain) });
    let tests = with_tests.filter(|_| !failed).map(|(entry, parts)| checker.program(entry, parts));
    Checked { program, tests, diagnostics: checker.diagnostics }
}

/// What is in a program: as much as had been checked when it was taken.
struct Parts {
    flows: PrimaryMap<FlowId, ir::Flow>,
    components: PrimaryMap<ComponentId, ComponentRef>,
    functions: PrimaryMap<FunctionId, FunctionRef>,
    roles: PrimaryMap<RoleId, RoleRef>,
    plans: PrimaryMap<PlanId, PlanRef>,
}

/// What is known of all files.
struct Checker<'a> {
    loaded: &'a Loaded,
    files: Vec<FileNames>,
    types: Vec<TypeDecl<'a>>,
    interfaces: Vec<InterfaceDecl<'a>>,
    flows: Vec<FlowDecl<'a>>,
    uses: Vec<UseDecl<'a>>,
    roles: Vec<roles::RoleDecl<'a>>,
    imports: Vec<ImportDecl<'a>>,
    classes: BTreeMap<catalog::Name, (Class, Span)>,
    components: PrimaryMap<ComponentId, ComponentRef>,
    component_ids: BTreeMap<Digest, ComponentId>,
    functions: PrimaryMap<FunctionId, FunctionRef>,
    plan_roles: PrimaryMap<RoleId, RoleRef>,
    plans: PrimaryMap<PlanId, PlanRef>,
    /// Flows with the cap and the arguments with which they are called; the index is the [`FlowId`].
    instances: Vec<Instance>,
    instance_ids: HashMap<(usize, caps::Key, Vec<generics::Key>), FlowId>,
    /// The flow of each instance of a generic one.
    generic_nodes: Vec<usize>,
    /// Generic flows that were checked by themselves, and whether they are right.
    open_checks: HashMap<usize, bool>,
    too_many_instances: bool,
    /// Which flow calls which by [`Instance::node`], and where.
    flow_calls: Vec<(usize, usize, Span)>,
    /// The signals and literal topics that flows wait for.
    awaited: Vec<messages::Awaited>,
    sender_mocks: Vec<mocks::SenderMock>,
    diagnostics: Vec<Diagnostic>,
    errors: usize,
    suggestions: suggest::Budget,
}

/// A flow under one cap, with the components and flows that it was passed.
#[derive(Clone)]
struct Instance {
    flow: usize,
    cap: Option<Rc<[ir::Grant]>>,
    arguments: Rc<[generics::Argument]>,
    /// Whom calls are from: the flow's number, or of an instance of a generic flow a further one.
    node: usize,
}

/// An `import` of a file.
struct ImportDecl<'a> {
    file: usize,
    ast: &'a ast::Import,
    cap: Option<Rc<[ir::Grant]>>,
}

impl<'a> Checker<'a> {
    fn new(loaded: &'a Loaded) -> Self {
        Self {
            loaded,
            files: loaded.files.iter().map(|_| FileNames::default()).collect(),
            types: Vec::new(),
            interfaces: Vec::new(),
            flows: Vec::new(),
            uses: Vec::new(),
            roles: Vec::new(),
            imports: Vec::new(),
            classes: BTreeMap::new(),
            components: PrimaryMap::new(),
            component_ids: BTreeMap::new(),
            functions: PrimaryMap::new(),
            plan_roles: PrimaryMap::new(),
            plans: PrimaryMap::new(),
            instances: Vec::new(),
            instance_ids: HashMap::new(),
            generic_nodes: Vec::new(),
            open_checks: HashMap::new(),
            too_many_instances: false,
            flow_calls: Vec::new(),
            awaited: Vec::new(),
            sender_mocks: Vec::new(),
            diagnostics: Vec::new(),
            errors: 0,
            suggestions: suggest::Budget::default(),
        }
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if diagnostic.severity == Severity::Error {
            self.errors += 1;
        }
        self.diagnostics.push(diagnostic);
    }

    /// What each component imports.
    fn component_imports(&self) -> BTreeMap<ComponentId, Vec<String>> {
        let loaded = self.uses.iter().filter_map(|item| item.component);
        let imports = loaded.filter_map(|loaded| {
            let id = self.component_ids.get(&loaded.component.digest)?;
            Some((*id, loaded.component.imports.clone()))
        });
        imports.collect()
    }

    fn file(&self, file: usize) -> Option<&'a LoadedFile> {
        self.loaded.files.get(file)
    }

    /// Whether something in the file could not be parsed: what is missing there may explain what seems unused.
    fn is_broken(&self, file: usize) -> bool {
        self.file(file).is_none_or(|file| file.broken)
    }

    /// The id under which a flow that is not generic is called with a cap.
    fn instance(&mut self, flow: usize, cap: Option<Rc<[ir::Grant]>>) -> FlowId {
        let next = FlowId::new(self.instances.len());
        let id = *self.instance_ids.entry((flow, caps::key(cap.as_deref()), Vec::new())).or_insert(next);
        if id == next {
            self.instances.push(Instance { flow, cap, arguments: Rc::new([]), node: flow });
        }
        id
    }

    /// What a program has that consists of these flows and what they call.
    fn parts(&self, flows: PrimaryMap<FlowId, ir::Flow>) -> Parts {
        Parts {
            flows,
            components: self.components.clone(),
            functions: self.functions.clone(),
            roles: self.plan_roles.clone(),
            plans: self.plans.clone(),
        }
    }

    fn program(&self, entry: FlowId, parts: Parts) -> ir::Program {
        ir::Program {
            entry,
            flows: parts.flows,
            imports: self.component_imports(),
            components: parts.components,
            functions: parts.functions,
            roles: parts.roles,
            plans: parts.plans,
            classes: self.classes.values().map(|(class, _)| class.clone()).collect(),
            hooks: Vec::new(),
            files: self.loaded.sources.iter().map(|source| source.path.clone()).collect(),
        }
    }

    /// The flows of the root file in order, but for the generic ones, or the test that is to be started.
    fn instantiate_roots(&mut self, entry: Entry<'_>) -> Vec<(FlowId, Rc<Signature>)> {
        let wanted = if let Entry::Test(number) = entry { Some(number) } else { None };
        let of_root = self
            .flows
            .iter()
            .enumerate()
            .filter(|(_, flow)| flow.file == 0 && !flow.is_of_item() && flow.test == wanted.is_some())
            .filter(|(_, flow)| !flow.signature.is_generic());
        let roots = of_root.map(|(index, flow)| (index, flow.signature.clone()));
        let roots: Vec<(usize, Rc<Signature>)> = match wanted {
            Some(number) => roots.skip(number).take(1).collect(),
            None => roots.collect(),
        };
        roots.into_iter().map(|(index, signature)| (self.instance(index, None), signature)).collect()
    }

    /// The tests of the root file; gives one of them.
    fn instantiate_tests(&mut self) -> Option<FlowId> {
        let tests = self.flows.iter().enumerate().filter(|(_, flow)| flow.file == 0 && flow.test);
        let tests: Vec<usize> = tests.map(|(index, _)| index).collect();
        tests.into_iter().map(|index| self.instance(index, None)).last()
    }

    /// The flow of the trigger or session hook that is to be started.
    fn instantiate_item(&mut self, entry: Entry<'_>) -> Option<FlowId> {
        let (number, of_trigger) = match entry {
            Entry::Trigger(number) => (number, true),
            Entry::Session(number) => (number, false),
            Entry::Named(_) | Entry::Default | Entry::Test(_) | Entry::None => return None,
        };
        let stands = |flow: &FlowDecl<'_>| if of_trigger { flow.trigger.is_some() } else { flow.session.is_some() };
        let mut items = self.flows.iter().enumerate().filter(|(_, flow)| flow.file == 0 && stands(flow));
        let index = items.nth(number).map(|(index, _)| index)?;
        Some(self.instance(index, None))
    }

    /// Triggers, session hooks, and flows that nothing calls: they must be right as well.
    fn instantiate_others(&mut self) {
        let mut seen = vec![false; self.flows.len()];
        for instance in &self.instances {
            if let Some(seen) = seen.get_mut(instance.flow) {
                *seen = true;
            }
        }
        for (index, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
            let Some(flow) = self.flows.get(index) else { continue };
            if flow.signature.is_generic() {
                self.check_open(index);
            // What a broken trigger or hook starts is not known, which was reported.
            } else if !flow.is_of_item() || flow.signature.result.is_some() {
                self.instance(index, None);
            }
        }
    }

    /// Checks the bodies from an instance on, with those that they call for the first time.
    fn check_instances(&mut self, from: usize) -> PrimaryMap<FlowId, ir::Flow> {
        let mut flows = PrimaryMap::new();
        let mut next = from;
        while let Some(instance) = self.instances.get(next).cloned() {
            flows.push(if instance.arguments.is_empty() {
                FlowChecker::check_flow(self, instance)
            } else {
                self.check_closed(instance)
            });
            next += 1;
        }
        flows
    }

    /// The flow to start. Says nothing when a broken declaration may be what is missing.
    fn entry(&mut self, entry: Entry<'_>, roots: &[(FlowId, Rc<Signature>)]) -> Option<FlowId> {
        let named: Vec<(&str, Span)> = roots.iter().map(|(_, flow)| (&*flow.name, flow.span)).collect();
        let find = |wanted: &str| roots.iter().find(|(_, flow)| &*flow.name == wanted).map(|(id, _)| *id);
        let only = || if let [(id, _)] = roots { Some(*id) } else { None };
        let found = match entry {
            Entry::Named(name) => find(name),
            Entry::Trigger(_) | Entry::Session(_) => None,
            Entry::Default => find("main").or_else(only),
            Entry::Test(_) => return roots.first().map(|(id, _)| *id),
            Entry::None => return find("main").or_else(|| roots.first().map(|(id, _)| *id)),
        };
        let unread =
            self.loaded.sources.iter().next().is_none_or(|root| root.text.is_empty()) && !self.loaded.diagnostics.is_empty();
        if found.is_some() || self.is_broken(0) || unread {
            return found;
        }
        if let Some(diagnostic) = self.generic_entry(entry) {
            self.report(diagnostic);
            return None;
        }
        let diagnostic = match entry {
            Entry::Trigger(number) => say::unknown_item("trigger", number),
            Entry::Session(number) => say::unknown_item("session hook", number),
            _ if named.is_empty() => say::no_flow(),
            Entry::Named(name) => {
                let close = self.suggestions.closest(name, named.iter().map(|(name, _)| *name));
                say::unknown_entry(name, close.as_deref(), &named)
            }
            _ => say::which_entry(&named),
        };
        self.report(diagnostic);
        None
    }
}
