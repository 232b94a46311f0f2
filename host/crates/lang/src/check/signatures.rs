//! Flows, components and classes as others see them.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use catalog::{Function, Name, Signature as WitSignature, Type};
use grammar::{Ident, Span, ast};

use super::Checker;
use super::flow::FlowChecker;
use super::generics::Generic;
use super::owner::Owner;
use super::place::Place;
use crate::diagnostics::calls as say;
use crate::diagnostics::settings as say_setting;
use crate::ir;
use crate::plan::{Class, ComponentRef, FunctionId, FunctionRef};
use crate::world::LoadedComponent;

/// A declared flow.
pub(super) struct FlowDecl<'a> {
    pub(super) file: usize,
    pub(super) ast: &'a ast::Flow,
    pub(super) signature: Rc<Signature>,
    /// The `on` that it stands for.
    pub(super) trigger: Option<&'a ast::Trigger>,
    /// The `hook session` that it stands for.
    pub(super) session: Option<&'a ast::Hook>,
    /// Whether it is the body of a test, which nothing can call.
    pub(super) test: bool,
}

/// What callers see of a flow.
pub(super) struct Signature {
    pub(super) name: Name,
    pub(super) params: Vec<Param>,
    /// None: could not be resolved.
    pub(super) result: Option<Type>,
    /// Of its name.
    pub(super) span: Span,
}

/// A parameter of a flow.
pub(super) struct Param {
    pub(super) name: Name,
    /// Of its name.
    pub(super) span: Span,
    /// None: could not be resolved, or it has none.
    pub(super) ty: Option<Type>,
    pub(super) default: Default,
    /// What it takes when it is known only while compiling.
    pub(super) generic: Option<Generic>,
}

/// The default of a parameter.
pub(super) enum Default {
    None,
    Some(ir::Expr),
    /// Of a flow parameter: the name of a flow.
    Generic,
    /// Already reported.
    Broken,
}

impl<'a> FlowDecl<'a> {
    pub(super) fn new(file: usize, ast: &'a ast::Flow) -> Self {
        let name = Arc::from(&*ast.name.name);
        let signature = Signature { name, params: Vec::new(), result: None, span: ast.name.span };
        Self { file, ast, signature: Rc::new(signature), trigger: None, session: None, test: false }
    }

    /// The flow that a trigger stands for.
    pub(super) fn of_trigger(file: usize, ast: &'a ast::Flow, trigger: &'a ast::Trigger) -> Self {
        Self { trigger: Some(trigger), ..Self::new(file, ast) }
    }

    /// The flow that a `hook session` stands for.
    pub(super) fn of_session(file: usize, ast: &'a ast::Flow, hook: &'a ast::Hook) -> Self {
        Self { session: Some(hook), ..Self::new(file, ast) }
    }

    /// Whether an item that is no flow stands for it, so that it has no name to be started or called by.
    pub(super) const fn is_of_item(&self) -> bool {
        self.trigger.is_some() || self.session.is_some()
    }

    /// The body of a test.
    pub(super) fn test(file: usize, ast: &'a ast::Flow) -> Self {
        Self { test: true, ..Self::new(file, ast) }
    }
}

impl Signature {
    /// `name(a: string, b: u32 = …) -> report`.
    pub(super) fn text(&self) -> String {
        let params = self.params.iter().map(|param| {
            let ty = match &param.generic {
                Some(generic) => generic.to_string(),
                None => param.ty.as_ref().map_or_else(|| "_".to_owned(), ToString::to_string),
            };
            if param.name.is_empty() {
                return ty;
            }
            let default = if matches!(param.default, Default::None) { "" } else { " = …" };
            format!("{}: {ty}{default}", param.name)
        });
        let params = params.collect::<Vec<_>>().join(", ");
        match &self.result {
            Some(Type::Unit) | None => format!("{}({params})", self.name),
            Some(result) => format!("{}({params}) -> {result}", self.name),
        }
    }
}

/// A `use` of a file.
pub(super) struct UseDecl<'a> {
    pub(super) file: usize,
    pub(super) ast: &'a ast::Use,
    pub(super) component: Option<&'a LoadedComponent>,
    pub(super) policy: ir::Policy,
    /// Functions that were found, by `name` or `interface.name`.
    steps: HashMap<Box<str>, Rc<Step<'a>>>,
}

/// A function of a component that a flow calls.
pub(super) struct Step<'a> {
    pub(super) id: FunctionId,
    pub(super) function: &'a Function,
    pub(super) signature: &'a WitSignature,
    pub(super) output: Type,
    /// As written: `alias.function`.
    pub(super) name: Name,
    /// The `use`.
    pub(super) declared: Span,
    pub(super) alias: &'a str,
}

impl<'a> UseDecl<'a> {
    pub(super) fn new(file: usize, ast: &'a ast::Use, component: Option<&'a LoadedComponent>) -> Self {
        Self { file, ast, component, policy: ir::Policy::default(), steps: HashMap::new() }
    }
}

impl<'a> Checker<'a> {
    /// Checks what stands outside of bodies.
    pub(super) fn check_signatures(&mut self) {
        self.check_classes();
        self.check_interfaces();
        for index in 0..self.uses.len() {
            self.check_use(index);
        }
        for index in 0..self.imports.len() {
            self.check_import(index);
        }
        self.check_roles();
        // Triggers give what the flows give that they start.
        for triggers in [false, true] {
            for index in 0..self.flows.len() {
                if self.flows.get(index).is_some_and(|flow| flow.trigger.is_some() == triggers) {
                    self.check_signature(index);
                }
            }
        }
        self.check_flow_defaults();
    }

    fn check_use(&mut self, index: usize) {
        let Some(decl) = self.uses.get(index) else { return };
        let (file, item, component) = (decl.file, decl.ast, decl.component);
        if let Some(loaded) = component {
            let digest = loaded.component.digest;
            if !self.component_ids.contains_key(&digest) {
                let id = self.components.push(ComponentRef { source: loaded.source.clone(), digest });
                self.component_ids.insert(digest, id);
            }
        }
        let policy = FlowChecker::detached(self, file, |flow| flow.policy(item.with.as_ref(), Owner::Use));
        if let Some(decl) = self.uses.get_mut(index) {
            decl.policy = policy;
        }
    }

    fn check_import(&mut self, index: usize) {
        let Some(decl) = self.imports.get(index) else { return };
        let (file, item) = (decl.file, decl.ast);
        let policy = FlowChecker::detached(self, file, |flow| flow.policy(item.with.as_ref(), Owner::Import));
        if let Some(decl) = self.imports.get_mut(index) {
            decl.cap = policy.allow.map(Into::into);
        }
    }

    fn check_signature(&mut self, index: usize) {
        let Some(decl) = self.flows.get(index) else { return };
        let (file, ast, item) = (decl.file, decl.ast, (decl.trigger, decl.session));
        let result = match (item, &ast.result) {
            ((Some(trigger), _), _) => self.check_trigger(file, trigger),
            ((None, Some(hook)), _) => self.check_session_hook(file, hook),
            ((None, None), None) => Some(Type::Unit),
            ((None, None), Some(written)) => self.ty(file, written),
        };
        let params = ast.params.iter().map(|param| self.check_param(file, param)).collect();
        let signature = Signature { name: Arc::from(&*ast.name.name), params, result, span: ast.name.span };
        if let Some(decl) = self.flows.get_mut(index) {
            decl.signature = Rc::new(signature);
        }
    }

    fn check_param(&mut self, file: usize, param: &ast::Param) -> Param {
        let (name, span) = (Arc::from(&*param.name.name), param.name.span);
        if let Some(generic) = self.generic_type(file, &param.name, &param.ty) {
            let default = if param.default.is_some() { Default::Generic } else { Default::None };
            return Param { name, span, ty: None, default, generic };
        }
        let ty = self.parameter_type(file, &param.ty);
        let default = match &param.default {
            None => Default::None,
            Some(written) => {
                let checked = FlowChecker::detached(self, file, |flow| {
                    flow.pure(Place::Default, |flow| flow.check_default(written, ty.as_ref(), param.ty.span))
                });
                checked.map_or(Default::Broken, Default::Some)
            }
        };
        Param { name, span, ty, default, generic: None }
    }

    /// The function that `alias.function` or `alias.interface.function` names.
    pub(super) fn step(&mut self, index: usize, interface: Option<&Ident>, name: &Ident) -> Option<Rc<Step<'a>>> {
        let decl = self.uses.get(index)?;
        let qualified = interface.map(|interface| format!("{}.{}", interface.name, name.name));
        let key = qualified.as_deref().unwrap_or(&name.name);
        if let Some(step) = decl.steps.get(key) {
            return Some(step.clone());
        }
        let (item, loaded) = (decl.ast, decl.component?);
        let found: Vec<&'a Function> = loaded
            .component
            .functions
            .iter()
            .filter(|function| fits(function, interface.map(|name| &*name.name), &name.name))
            .collect();
        let function = match found.as_slice() {
            [function] => *function,
            [] => {
                self.unknown_function(item, loaded, interface, name);
                return None;
            }
            several => {
                let choices: Vec<String> = several.iter().map(|function| path_of(&item.alias.name, function)).collect();
                self.report(say::ambiguous(&item.alias.name, &name.name, &choices, name.span));
                return None;
            }
        };
        let signature = match &function.signature {
            Ok(signature) => signature,
            Err(refusal) => {
                self.report(say::refused(&item.alias.name, &name.name, &refusal.0, name.span, item.alias.span));
                return None;
            }
        };
        let step = Rc::new(self.new_step(item, loaded, function, signature, key)?);
        if let Some(decl) = self.uses.get_mut(index) {
            decl.steps.insert(key.into(), step.clone());
        }
        Some(step)
    }

    fn new_step(
        &mut self,
        item: &'a ast::Use,
        loaded: &LoadedComponent,
        function: &'a Function,
        signature: &'a WitSignature,
        key: &str,
    ) -> Option<Step<'a>> {
        let id = self.function(loaded, function, signature)?;
        let output = unwrapped(&signature.result);
        let name = format!("{}.{key}", item.alias.name).into();
        Some(Step { id, function, signature, output, name, declared: item.alias.span, alias: &item.alias.name })
    }

    /// The id of a function of a `use`.
    pub(super) fn function_id(&mut self, index: usize, function: &Function) -> Option<FunctionId> {
        let loaded = self.uses.get(index)?.component?;
        self.function(loaded, function, function.signature.as_ref().ok()?)
    }

    fn function(&mut self, loaded: &LoadedComponent, function: &Function, signature: &WitSignature) -> Option<FunctionId> {
        let component = *self.component_ids.get(&loaded.component.digest)?;
        let same = |known: &FunctionRef| {
            known.component == component && known.interface == function.interface && known.wit_name == function.wit_name
        };
        let known = self.functions.iter().find(|(_, known)| same(known)).map(|(id, _)| id);
        Some(known.unwrap_or_else(|| {
            self.functions.push(FunctionRef {
                component,
                interface: function.interface.clone(),
                wit_name: function.wit_name.clone(),
                params: signature.params.clone(),
                result: signature.result.clone(),
                output: unwrapped(&signature.result),
            })
        }))
    }

    fn unknown_function(&mut self, item: &ast::Use, loaded: &LoadedComponent, interface: Option<&Ident>, name: &Ident) {
        let known = callable(loaded);
        let written = interface.map_or_else(|| name.name.to_string(), |interface| format!("{}.{}", interface.name, name.name));
        let close = self.suggestions.closest(&written, &known).or_else(|| self.suggestions.closest(&name.name, &known));
        let at = interface.map_or(name.span, |interface| interface.span.to(name.span));
        self.report(say::unknown_function(&item.alias.name, &written, close.as_deref(), &known, at, item.alias.span));
    }

    fn check_classes(&mut self) {
        for (file, loaded) in self.loaded.files.iter().enumerate() {
            for item in &loaded.ast.items {
                if let ast::Item::Class(def) = item {
                    self.check_class(file, def);
                }
            }
        }
    }

    fn check_class(&mut self, file: usize, def: &ast::ClassDef) {
        let class = FlowChecker::detached(self, file, |flow| flow.class(def));
        match self.classes.get(&class.name) {
            None => {
                self.classes.insert(class.name.clone(), (class, def.name.span));
            }
            // A second one of the same file is reported with the other names.
            Some((first, span)) if span.file != def.name.span.file && !same_limits(first, &class) => {
                let diagnostic = say_setting::class_differs(&class.name, def.name.span, *span);
                self.report(diagnostic);
            }
            Some(_) => {}
        }
    }
}

fn same_limits(a: &Class, b: &Class) -> bool {
    (a.parallel, a.memory, a.fuel, a.timeout) == (b.parallel, b.memory, b.fuel, b.timeout)
}

pub(super) fn fits(function: &Function, interface: Option<&str>, name: &str) -> bool {
    &*function.name == name && interface.is_none_or(|wanted| function.interface_name().as_deref() == Some(wanted))
}

/// The functions that a flow can call, with their interface where more than one has the name.
fn callable(loaded: &LoadedComponent) -> Vec<String> {
    let functions = || loaded.component.functions.iter().filter(|function| function.signature.is_ok());
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for function in functions() {
        *count.entry(&function.name).or_default() += 1;
    }
    let several = |function: &Function| count.get(&*function.name).is_some_and(|count| *count > 1);
    let written = |function: &Function| match function.interface_name().filter(|_| several(function)) {
        Some(interface) => format!("{interface}.{}", function.name),
        None => function.name.to_string(),
    };
    functions().map(written).collect()
}

pub(super) fn path_of(alias: &str, function: &Function) -> String {
    match function.interface_name() {
        Some(interface) => format!("{alias}.{interface}.{}", function.name),
        None => format!("{alias}.{}", function.name),
    }
}

/// What a step gives: a top-level result is unwrapped.
pub(super) fn unwrapped(result: &Type) -> Type {
    match result {
        Type::Result(Some(ok), _) => (**ok).clone(),
        Type::Result(None, _) => Type::Unit,
        other => other.clone(),
    }
}
