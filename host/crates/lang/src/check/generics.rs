//! Flows with parameters that are components or flows.
//!
//! Such parameters exist only while compiling. Each combination of arguments is an [`Instance`](super::Instance) of its
//! own. Before the first one the flow is checked by itself against what its parameters declare, and all that can be wrong
//! with its body is said then; an instance is checked again only to know what each call means.

use std::fmt;
use std::rc::Rc;

use catalog::{Name, Type};
use cranelift_entity::EntityRef;
use cranelift_entity::packed_option::ReservedValue;
use grammar::ast::{Arg, TypeExpr, TypeKind};
use grammar::{Ident, Span};

use super::calls::Callee;
use super::expr::node;
use super::flow::FlowChecker;
use super::interfaces::{Export, Requirement};
use super::names::Target;
use super::signatures::{Default, Param, Signature};
use super::why::broken;
use super::{Checker, Instance, caps};
use crate::Entry;
use crate::diagnostics::generics as say;
use crate::ir;
use crate::plan::{FlowId, FunctionId};

/// So many instances of generic flows are compiled for one program.
const MAX_INSTANCES: usize = 1000;

/// What a parameter takes that has no value at run time.
#[derive(Clone)]
pub(super) enum Generic {
    Component(Rc<Requirement>),
    /// The signature of what is called: the parameter's name, parameters without names.
    Flow(Rc<Signature>),
}

/// An argument for such a parameter.
#[derive(Clone)]
pub(super) enum Argument {
    /// A parameter of the flow around, whose argument is not known while that is checked by itself.
    Open,
    Component(Export),
    /// A flow with what it may grant.
    Flow(usize, Option<Rc<[ir::Grant]>>),
}

/// An argument in a form that can be compared.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Key {
    Open,
    Component(Export),
    Flow(usize, caps::Key),
}

impl Argument {
    pub(super) fn key(&self) -> Key {
        match self {
            Self::Open => Key::Open,
            Self::Component(export) => Key::Component(export.clone()),
            Self::Flow(flow, cap) => Key::Flow(*flow, caps::key(cap.as_deref())),
        }
    }
}

impl Generic {
    const fn what(&self) -> &'static str {
        match self {
            Self::Component(_) => "a component parameter",
            Self::Flow(_) => "a flow parameter",
        }
    }
}

impl fmt::Display for Generic {
    /// As the type is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Component(wanted) => wanted.fmt(f),
            Self::Flow(wanted) => f.write_str(&wanted.flow_type()),
        }
    }
}

impl Signature {
    /// Whether it takes arguments when it is compiled.
    pub(super) fn is_generic(&self) -> bool {
        self.params.iter().any(|param| param.generic.is_some())
    }

    /// `flow(string, u8) -> list<string>`.
    pub(super) fn flow_type(&self) -> String {
        let shown = |ty: Option<&Type>| ty.map_or_else(|| "_".to_owned(), ToString::to_string);
        let params: Vec<String> = self.params.iter().map(|param| shown(param.ty.as_ref())).collect();
        match &self.result {
            Some(Type::Unit) => format!("flow({})", params.join(", ")),
            result => format!("flow({}) -> {}", params.join(", "), shown(result.as_ref())),
        }
    }

    /// Why a flow of this signature cannot stand for the wanted one.
    pub(super) fn misfit(&self, wanted: &Self) -> Option<String> {
        if let Some(param) = self.params.iter().find(|param| param.generic.is_some()) {
            return Some(format!("it takes `{}` when it is compiled: wrap it in a flow that passes this", param.name));
        }
        let same = |a: Option<&Type>, b: Option<&Type>| a.is_none() || b.is_none() || a == b;
        let shown = |ty: Option<&Type>| ty.map_or_else(|| "_".to_owned(), ToString::to_string);
        for (number, param) in wanted.params.iter().enumerate() {
            match self.params.get(number) {
                None => {
                    return Some(format!("it takes {}, {} are given", count(self.params.len()), wanted.params.len()));
                }
                Some(own) if !same(own.ty.as_ref(), param.ty.as_ref()) => {
                    let (found, ty) = (shown(own.ty.as_ref()), shown(param.ty.as_ref()));
                    return Some(format!("its parameter `{}` is `{found}`, `{ty}` is given", own.name));
                }
                Some(_) => {}
            }
        }
        let further = self.params.iter().skip(wanted.params.len());
        if let Some(param) = further.into_iter().find(|param| matches!(param.default, Default::None)) {
            return Some(format!("its parameter `{}` is not given and has no default", param.name));
        }
        (!same(self.result.as_ref(), wanted.result.as_ref()))
            .then(|| format!("it gives `{}`, `{}` is wanted", shown(self.result.as_ref()), shown(wanted.result.as_ref())))
    }
}

fn count(params: usize) -> String {
    if params == 1 { "1 parameter".to_owned() } else { format!("{params} parameters") }
}

impl<'a> Checker<'a> {
    /// What a parameter takes, where its type says that it is a component or a flow. The inner none: already reported.
    #[expect(clippy::option_option, reason = "a value, broken and known are three things")]
    pub(super) fn generic_type(&mut self, file: usize, name: &Ident, written: &TypeExpr) -> Option<Option<Generic>> {
        match &written.kind {
            TypeKind::Named(ty) => {
                let Target::Interface(index) = self.files.get(file)?.get(&ty.name)?.target else { return None };
                self.lookup(file, &ty.name);
                Some(self.requirement(index).map(Generic::Component))
            }
            TypeKind::Member(alias, interface) => {
                let wanted = self.exported_type(file, alias, interface)?;
                self.lookup(file, &alias.name);
                Some(Some(Generic::Component(wanted)))
            }
            TypeKind::Flow(params, result) => {
                let errors = self.errors;
                let param = |checker: &mut Self, ty: &TypeExpr| Param {
                    name: "".into(),
                    span: ty.span,
                    ty: checker.parameter_type(file, ty),
                    default: Default::None,
                    generic: None,
                };
                let params = params.iter().map(|ty| param(self, ty)).collect();
                let result = match result {
                    None => Some(Type::Unit),
                    Some(written) => self.ty(file, written),
                };
                let signature = Signature { name: (&*name.name).into(), params, result, span: name.span };
                Some((self.errors == errors).then(|| Generic::Flow(Rc::new(signature))))
            }
            _ => None,
        }
    }

    /// `alias.interface`, unless the component has a type of this name.
    fn exported_type(&self, file: usize, alias: &Ident, interface: &Ident) -> Option<Rc<Requirement>> {
        let Target::Use(index) = self.files.get(file)?.get(&alias.name)?.target else { return None };
        let is_type = self.uses.get(index)?.component?.component.types.contains_key(&*interface.name);
        if is_type { None } else { self.exported_requirement(file, alias, interface) }
    }

    /// Reports `interface` or `alias.interface` as the type of a value.
    pub(super) fn refuse_interface_type(&mut self, file: usize, alias: &Ident, interface: &Ident) -> bool {
        let Some(found) = self.exported_type(file, alias, interface) else { return false };
        self.report(say::compile_time_type(&format!("the interface `{}`", found.name), interface.span, Some(found.declared)));
        true
    }

    /// Checks the defaults of flow parameters, which may name flows that are declared later.
    pub(super) fn check_flow_defaults(&mut self) {
        for index in 0..self.flows.len() {
            let Some(decl) = self.flows.get(index) else { return };
            let (file, ast, signature) = (decl.file, decl.ast, decl.signature.clone());
            for (written, param) in ast.params.iter().zip(&signature.params) {
                let (Some(default), Some(generic)) = (&written.default, &param.generic) else { continue };
                match generic {
                    Generic::Component(wanted) => {
                        self.report(say::component_default(&param.name, &wanted.name, default.span, written.ty.span));
                    }
                    Generic::Flow(wanted) => {
                        FlowChecker::detached(self, file, |flow| flow.flow_argument(wanted, param, default));
                    }
                }
            }
        }
    }

    /// The default of a flow parameter, which was checked where it is declared.
    pub(super) fn flow_default(&mut self, flow: usize, param: usize) -> Option<Argument> {
        let decl = self.flows.get(flow)?;
        let (file, signature) = (decl.file, decl.signature.clone());
        let default = decl.ast.params.get(param)?.default.as_ref()?;
        let param = signature.params.get(param)?;
        let Some(Generic::Flow(wanted)) = &param.generic else { return None };
        FlowChecker::detached(self, file, |checker| checker.trial(|checker| checker.flow_argument(wanted, param, default)))
    }

    /// The id under which a generic flow is called with a cap and arguments.
    fn generic_instance(
        &mut self,
        flow: usize,
        cap: Option<Rc<[ir::Grant]>>,
        arguments: Vec<Argument>,
        at: Span,
    ) -> Option<FlowId> {
        let key = (flow, caps::key(cap.as_deref()), arguments.iter().map(Argument::key).collect());
        if let Some(id) = self.instance_ids.get(&key) {
            return Some(*id);
        }
        if self.generic_nodes.len() >= MAX_INSTANCES {
            if !std::mem::replace(&mut self.too_many_instances, true) {
                self.report(say::too_many_instances(MAX_INSTANCES, at));
            }
            return None;
        }
        let id = FlowId::new(self.instances.len());
        let node = self.flows.len() + self.generic_nodes.len();
        self.generic_nodes.push(flow);
        self.instance_ids.insert(key, id);
        self.instances.push(Instance { flow, cap, arguments: arguments.into(), node });
        Some(id)
    }

    /// Checks a generic flow by itself, once. False: its instances have nothing to add.
    pub(super) fn check_open(&mut self, flow: usize) -> bool {
        if let Some(known) = self.open_checks.get(&flow) {
            return *known;
        }
        let errors = self.errors;
        let generics =
            self.flows.get(flow).map_or(0, |decl| decl.signature.params.iter().filter(|param| param.generic.is_some()).count());
        let arguments: Vec<Argument> = vec![Argument::Open; generics];
        FlowChecker::check_flow(self, Instance { flow, cap: None, arguments: arguments.into(), node: flow });
        let right = self.errors == errors;
        self.open_checks.insert(flow, right);
        right
    }

    /// Checks an instance of a generic flow. What there is to say of the body was said when it was checked by itself.
    pub(super) fn check_closed(&mut self, instance: Instance) -> ir::Flow {
        if !self.check_open(instance.flow) {
            return ir::Flow::empty(Span::default());
        }
        let before = self.diagnostics.len();
        let flow = FlowChecker::check_flow(self, instance);
        let said = self.diagnostics.split_off(before.min(self.diagnostics.len()));
        self.diagnostics.extend(said.into_iter().filter(|found| found.severity == grammar::Severity::Error));
        flow
    }

    /// What the arguments of an instance are called.
    pub(super) fn argument_names(&self, instance: &Instance) -> Vec<Name> {
        let name = |argument: &Argument| match argument {
            Argument::Open => None,
            Argument::Component(export) => Some(self.export_name(export)),
            Argument::Flow(flow, _) => self.flows.get(*flow).map(|decl| decl.signature.name.clone()),
        };
        instance.arguments.iter().filter_map(name).collect()
    }

    /// What is wrong with starting a generic flow, where that is what was asked for.
    pub(super) fn generic_entry(&self, entry: Entry<'_>) -> Option<grammar::Diagnostic> {
        let mut roots = self.flows.iter().filter(|decl| decl.file == 0 && !decl.is_of_item());
        let is = |decl: &&super::FlowDecl<'_>, name: &str| &*decl.signature.name == name;
        let decl = match entry {
            Entry::Named(name) => roots.find(|decl| is(decl, name))?,
            Entry::Trigger(_) | Entry::Session(_) | Entry::Test(_) | Entry::None => return None,
            Entry::Default => match roots.clone().find(|decl| is(decl, "main")) {
                Some(main) => main,
                None if roots.clone().all(|decl| decl.signature.is_generic()) => roots.next()?,
                None => return None,
            },
        };
        let shown = |param: &Param| param.generic.as_ref().map(|generic| format!("{}: {generic}", param.name));
        let params: Vec<String> = decl.signature.params.iter().filter_map(shown).collect();
        (!params.is_empty()).then(|| say::generic_entry(&decl.signature.name, &params, decl.signature.span))
    }
}

impl FlowChecker<'_, '_> {
    /// The component or flow parameter of this name, with its place among the parameters.
    pub(super) fn generic(&self, name: &str) -> Option<(usize, Generic)> {
        let index = self.generic_index(name)?;
        let generic = self.signature()?.params.get(index)?.generic.clone()?;
        Some((index, generic))
    }

    /// What was passed for a parameter.
    pub(super) fn passed(&self, index: usize) -> Option<Argument> {
        let before = self.signature()?.params.iter().take(index).filter(|param| param.generic.is_some()).count();
        self.instance.as_ref()?.arguments.get(before).cloned()
    }

    /// Whether this is the check of a generic flow by itself.
    fn is_open(&self) -> bool {
        let arguments = self.instance.as_ref().map(|instance| &instance.arguments);
        arguments.is_some_and(|arguments| arguments.iter().any(|argument| matches!(argument, Argument::Open)))
    }

    /// Reports a component or flow parameter that stands where a value is expected.
    pub(super) fn refuse_generic(&mut self, name: &Ident) -> bool {
        let Some((index, generic)) = self.generic(&name.name) else { return false };
        let declared = self.signature().and_then(|signature| signature.params.get(index)).map_or(name.span, |param| param.span);
        let help = match &generic {
            Generic::Component(wanted) => {
                let function = wanted.functions.first().map_or("function", |member| &*member.name);
                format!("call one of its functions, `{}.{function}(…)`, or pass it to a flow that takes a component", name.name)
            }
            Generic::Flow(_) => format!("call it, `{}(…)`, or pass it to a flow that takes a flow", name.name),
        };
        self.g.report(say::parameter_value(&name.name, generic.what(), help, name.span, declared));
        true
    }

    /// `parameter.function(…)`.
    pub(super) fn call_component_parameter(
        &mut self,
        (param, wanted): (usize, &Requirement),
        name: &Ident,
        function: &Ident,
        args: &[Arg],
        span: Span,
    ) -> Option<ir::Expr> {
        self.refuse_step("a step", span);
        self.steps += 1;
        let Some(member) = wanted.find(&function.name) else {
            let close = self.g.suggestions.closest(&function.name, wanted.names());
            let known: Vec<String> = wanted.functions.iter().map(super::interfaces::Member::text).collect();
            let written = (&*name.name, &*wanted.name);
            self.g.report(say::unknown_member(written, &function.name, close.as_deref(), &known, function.span, wanted.declared));
            return self.give_up(args);
        };
        let step: Name = format!("{}.{}", name.name, function.name).into();
        let (Some(signature), Some(output)) = (&member.signature, member.output()) else { return self.give_up(args) };
        let args = self.arguments(Callee::Member(&step, member, signature), args, span);
        let Some(args) = args else { return Some(broken(output, span)) };
        let (function, through) = match self.passed(param)? {
            Argument::Component(export) => {
                let through = self.g.uses.get(export.item).map(|item| item.policy.clone()).unwrap_or_default();
                let exported = self.g.exported_function(&export, member)?;
                (self.g.function_id(export.item, exported)?, through)
            }
            // The tree of an open check is not used.
            _ => (FunctionId::reserved_value(), ir::Policy::default()),
        };
        let kind = ir::ExprKind::Call { function, args, through: Box::new(through), name: step };
        Some(node(kind, output, span))
    }

    /// A call of a flow parameter.
    pub(super) fn call_flow_parameter(
        &mut self,
        param: usize,
        wanted: &Signature,
        name: &Ident,
        args: &[Arg],
        span: Span,
    ) -> Option<ir::Expr> {
        self.refuse_step("a call of a flow", span);
        self.steps += 1;
        let args = self.arguments(Callee::Flow(wanted), args, span);
        let result = wanted.result.clone()?;
        let Some(mut args) = args else { return Some(broken(result, span)) };
        let flow = match (self.passed(param)?, self.instance.clone()) {
            (Argument::Flow(flow, cap), Some(caller)) => {
                let signature = self.g.flows.get(flow)?.signature.clone();
                for further in signature.params.iter().skip(args.len()) {
                    let Default::Some(default) = &further.default else { return Some(broken(result, span)) };
                    args.push(default.clone());
                }
                self.g.flow_calls.push((caller.node, flow, name.span));
                self.g.instance(flow, caps::intersection(caller.cap.as_ref(), cap.as_ref()))
            }
            _ => FlowId::reserved_value(),
        };
        Some(node(ir::ExprKind::Flow { flow, args }, result, span))
    }

    /// A call of a flow that takes components or flows.
    pub(super) fn call_generic(
        &mut self,
        flow: usize,
        cap: Option<Rc<[ir::Grant]>>,
        name: &Ident,
        args: &[Arg],
        span: Span,
    ) -> Option<ir::Expr> {
        let signature = self.g.flows.get(flow)?.signature.clone();
        let given = self.all_arguments(Callee::Flow(&signature), Some(flow), args, span);
        let result = signature.result.clone()?;
        let (Some((args, arguments)), Some(caller)) = (given, self.instance.clone()) else {
            return Some(broken(result, span));
        };
        let id = if self.is_open() {
            self.g.flow_calls.push((caller.node, flow, name.span));
            FlowId::reserved_value()
        } else {
            let Some(id) = self.g.generic_instance(flow, cap, arguments, name.span) else { return Some(broken(result, span)) };
            let node = self.g.instances.get(id.index()).map_or(flow, |instance| instance.node);
            self.g.flow_calls.push((caller.node, node, name.span));
            id
        };
        Some(node(ir::ExprKind::Flow { flow: id, args }, result, span))
    }

    /// The id of a flow without such parameters; in an open check nothing is compiled.
    pub(super) fn plain_instance(&mut self, flow: usize, cap: Option<Rc<[ir::Grant]>>) -> FlowId {
        if self.is_open() { FlowId::reserved_value() } else { self.g.instance(flow, cap) }
    }
}
