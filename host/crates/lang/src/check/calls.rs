//! Calls of steps, flows, library functions and cases.

use std::rc::Rc;

use catalog::{Name, Signature as WitSignature, Type};
use grammar::ast::{Arg, Expr, ExprKind};
use grammar::{Ident, Span};

use super::expr::node;
use super::flow::FlowChecker;
use super::generics::{Argument, Generic};
use super::interfaces::Member;
use super::names::Target;
use super::signatures::{Default, Param, Signature, Step};
use super::types::builtin;
use super::why::{Want, Why, broken};
use super::{caps, library};
use crate::diagnostics::foreign::method;
use crate::diagnostics::{calls as say, generics as say_generic};
use crate::ir;
use crate::plan::{CALLS, EMITTED};

/// What is called, for arguments.
#[derive(Clone, Copy)]
pub(super) enum Callee<'x> {
    Step(&'x Step<'x>),
    /// A function of an interface, as it is called here.
    Member(&'x Name, &'x Member, &'x WitSignature),
    Flow(&'x Signature),
    Role(&'x Signature),
}

impl<'x> Callee<'x> {
    const fn count(self) -> usize {
        match self {
            Self::Step(step) => step.signature.params.len(),
            Self::Member(_, _, signature) => signature.params.len(),
            Self::Flow(flow) | Self::Role(flow) => flow.params.len(),
        }
    }

    fn name_of(self, param: usize) -> Option<&'x Name> {
        match self {
            Self::Step(step) => step.signature.params.get(param).map(|(name, _)| name),
            Self::Member(_, _, signature) => signature.params.get(param).map(|(name, _)| name),
            Self::Flow(flow) | Self::Role(flow) => flow.params.get(param).map(|param| &param.name),
        }
    }

    fn type_of(self, param: usize) -> Option<&'x Type> {
        match self {
            Self::Step(step) => step.signature.params.get(param).map(|(_, ty)| ty),
            Self::Member(_, _, signature) => signature.params.get(param).map(|(_, ty)| ty),
            Self::Flow(flow) | Self::Role(flow) => flow.params.get(param).and_then(|param| param.ty.as_ref()),
        }
    }

    const fn why(self, param: usize) -> Why<'x> {
        match self {
            Self::Step(step) => Why::Step(step, param),
            Self::Member(name, member, signature) => Why::Member(name, member, signature, param),
            Self::Flow(flow) => Why::Flow(flow, param),
            Self::Role(role) => Why::Role(role, param),
        }
    }

    fn default_of(self, param: usize) -> Option<&'x Default> {
        match self {
            Self::Step(_) | Self::Member(..) => None,
            Self::Flow(flow) | Self::Role(flow) => flow.params.get(param).map(|param| &param.default),
        }
    }

    /// The parameter, where it takes a component or a flow.
    fn generic_of(self, param: usize) -> Option<(&'x Param, &'x Generic)> {
        let Self::Flow(flow) = self else { return None };
        let param = flow.params.get(param)?;
        Some((param, param.generic.as_ref()?))
    }

    fn described(self) -> say::Callee {
        match self {
            Self::Step(step) => say::Callee {
                name: step.name.to_string(),
                signature: format!("{}: {}", step.function.wit_name, step.signature),
                declared: step.declared,
                note: format!("`{}` is this component", step.alias),
            },
            Self::Member(name, member, _) => say::Callee {
                name: name.to_string(),
                signature: member.text(),
                declared: member.span,
                note: "declared here".to_owned(),
            },
            Self::Flow(flow) | Self::Role(flow) => say::Callee {
                name: flow.name.to_string(),
                signature: flow.text(),
                declared: flow.span,
                note: "declared here".to_owned(),
            },
        }
    }
}

impl FlowChecker<'_, '_> {
    pub(super) fn call(&mut self, callee: &Expr, args: &[Arg], span: Span, want: Want<'_>) -> Option<ir::Expr> {
        match &callee.kind {
            ExprKind::Name(name) => self.call_name(name, args, span, want),
            ExprKind::Field(base, function) => match &base.kind {
                ExprKind::Name(base) => self.call_member(base, function, args, span),
                ExprKind::Field(inner, middle) => match &inner.kind {
                    ExprKind::Name(alias) => self.call_qualified(alias, middle, function, args, span),
                    _ => self.not_callable(callee, args),
                },
                _ => self.not_callable(callee, args),
            },
            ExprKind::Error => self.give_up(args),
            _ => self.not_callable(callee, args),
        }
    }

    /// Looks at the arguments of a call of which nothing else is known.
    pub(super) fn give_up(&mut self, args: &[Arg]) -> Option<ir::Expr> {
        for arg in args {
            self.visit(&arg.value);
        }
        None
    }

    fn not_callable(&mut self, callee: &Expr, args: &[Arg]) -> Option<ir::Expr> {
        let help = "values have no functions of their own: write `function(value)`";
        let (what, help) = match &callee.kind {
            ExprKind::Field(base, name) => {
                self.visit(base);
                let ours = library::usage(&name.name).map(|usage| format!("write `{usage}`"));
                let help = ours.unwrap_or_else(|| method(&name.name).unwrap_or(help).to_owned());
                (format!("`.{}`", name.name), help)
            }
            _ => {
                self.visit(callee);
                ("this".to_owned(), help.to_owned())
            }
        };
        self.g.report(say::not_callable(&what, &help, callee.span));
        self.give_up(args)
    }

    fn call_name(&mut self, name: &Ident, args: &[Arg], span: Span, want: Want<'_>) -> Option<ir::Expr> {
        if let Some((param, Generic::Flow(wanted))) = self.generic(&name.name) {
            return self.call_flow_parameter(param, &wanted, name, args, span);
        }
        if matches!(&*name.name, "some" | "ok" | "err") {
            return self.wrapped(name, args, span, want);
        }
        if let Some(function) = library::find(&name.name) {
            return self.library(function, name, args, span, want);
        }
        let found = self.g.lookup(self.file, &name.name);
        match found.map(|found| found.target) {
            Some(Target::Flow(flow)) => return self.call_flow(flow, found.and_then(|found| found.import), name, args, span),
            Some(Target::Broken) => return self.give_up(args),
            None if &*name.name == CALLS => return self.calls(args, span),
            None if &*name.name == EMITTED => return self.emitted(args, span),
            _ => {}
        }
        if let Want::Type(ty @ Type::Variant(cases), _) = want
            && cases.cases.iter().any(|(case, _)| **case == *name.name)
        {
            return self.case(ty, name, Some(args), span);
        }
        let local = self.find(&name.name);
        match (found.map(|found| found.target), local) {
            (_, Some(_)) if let Some((_, Generic::Component(wanted))) = self.generic(&name.name) => {
                let function = wanted.functions.first().map_or("function", |member| &*member.name);
                let help = format!("call one of its functions: `{}.{function}(…)`", name.name);
                self.g.report(say::not_callable(&format!("the component `{}`", name.name), help, name.span));
            }
            // What it is was not known, which was reported.
            (_, Some(binding)) if self.use_binding(binding).is_none() => {}
            (_, Some(_)) => {
                let help = "functions are called by the name of a flow, or as `component.function(…)`";
                self.g.report(say::not_callable(&format!("the value `{}`", name.name), help, name.span));
            }
            (Some(Target::Use(_)), _) => {
                let help = format!("call one of its functions: `{}.function(…)`", name.name);
                self.g.report(say::not_callable(&format!("the component `{}`", name.name), help, name.span));
            }
            (Some(Target::Role(_)), _) => {
                let help = format!("ask it: `ask {}(…)`", name.name);
                self.g.report(say::not_callable(&format!("the role `{}`", name.name), help, name.span));
            }
            (Some(_), _) => {
                let help = format!("a record is made with braces: `{} {{ field: value }}`", name.name);
                self.g.report(say::not_callable(&format!("`{}`", name.name), help, name.span));
            }
            (None, None) => self.unknown_callee(name),
        }
        self.give_up(args)
    }

    fn unknown_callee(&mut self, name: &Ident) {
        let exporting = self.g.uses.iter().filter(|item| item.file == self.file).find(|item| {
            item.component.is_some_and(|loaded| loaded.component.functions.iter().any(|function| *function.name == *name.name))
        });
        let close = match exporting {
            Some(item) => Some(format!("{}.{}", item.ast.alias.name, name.name)),
            None => library::foreign(&name.name).map(str::to_owned).or_else(|| {
                let flows = self.g.files.get(self.file).map(|names| names.all(|target| matches!(target, Target::Flow(_))));
                let candidates = flows.unwrap_or_default().into_iter().chain(library::NAMES.iter().map(|(name, _)| *name));
                self.g.suggestions.closest(&name.name, candidates)
            }),
        };
        self.g.report(say::unknown_callee(&name.name, close.as_deref(), name.span));
    }

    /// `plugin.function(…)` or `type.case(…)`. Values have no functions, so that a local name does not matter.
    fn call_member(&mut self, base: &Ident, function: &Ident, args: &[Arg], span: Span) -> Option<ir::Expr> {
        if let Some((param, Generic::Component(wanted))) = self.generic(&base.name) {
            return self.call_component_parameter((param, &wanted), base, function, args, span);
        }
        match self.g.lookup(self.file, &base.name).map(|found| found.target) {
            Some(Target::Use(index)) => self.call_step(index, None, function, args, span),
            Some(Target::Type(index)) => match self.g.declared_type(index, base.span) {
                Some(ty) => self.case(&ty, function, Some(args), span),
                None => self.give_up(args),
            },
            Some(Target::Broken) => self.give_up(args),
            Some(other) => {
                self.g.report(say::not_callable(
                    &format!("`{}.{}`", base.name, function.name),
                    format!("`{}` is {}", base.name, other.what()),
                    span,
                ));
                self.give_up(args)
            }
            None if let Some(ty) = builtin(&base.name) => self.case(&ty, function, Some(args), span),
            None => {
                match self.find(&base.name) {
                    Some(_) if self.refuse_generic(base) => {}
                    // What it is was not known, which was reported.
                    Some(binding) if self.use_binding(binding).is_none() => {}
                    Some(_) => {
                        let help = if library::find(&function.name).is_some() {
                            format!("write `{}({})`", function.name, base.name)
                        } else if let Some(help) = method(&function.name) {
                            help.to_owned()
                        } else {
                            format!("values have no functions of their own: write `function({})`", base.name)
                        };
                        self.g.report(say::not_callable(&format!("`{}.{}`", base.name, function.name), help, function.span));
                    }
                    None => self.g.unknown_alias(self.file, base),
                }
                self.give_up(args)
            }
        }
    }

    /// `plugin.interface.function(…)` or `plugin.type.case(…)`.
    fn call_qualified(&mut self, alias: &Ident, middle: &Ident, last: &Ident, args: &[Arg], span: Span) -> Option<ir::Expr> {
        if let Some((_, Generic::Component(wanted))) = self.generic(&alias.name) {
            let at = middle.span.to(last.span);
            self.g.report(say_generic::member_path(&alias.name, &wanted.name, at, wanted.declared));
            return self.give_up(args);
        }
        match self.g.lookup(self.file, &alias.name).map(|found| found.target) {
            Some(Target::Use(index)) => {
                let component = self.g.uses.get(index).and_then(|item| item.component);
                let ty = component.and_then(|loaded| loaded.component.types.get(&*middle.name));
                match ty {
                    Some(ty @ Type::Variant(_)) => self.case(ty, last, Some(args), span),
                    _ => self.call_step(index, Some(middle), last, args, span),
                }
            }
            Some(Target::Broken) => self.give_up(args),
            Some(_) => {
                let help = "functions are called as `component.function(…)` or `component.interface.function(…)`";
                self.g.report(say::not_callable(&format!("`{}.{}.{}`", alias.name, middle.name, last.name), help, span));
                self.give_up(args)
            }
            None => {
                match self.find(&alias.name) {
                    Some(binding) => {
                        self.use_binding(binding);
                        let help = "values have no functions of their own: write `function(value)`";
                        self.g.report(say::not_callable("a value", help, last.span));
                    }
                    None => self.g.unknown_alias(self.file, alias),
                }
                self.give_up(args)
            }
        }
    }

    fn call_step(
        &mut self,
        index: usize,
        interface: Option<&Ident>,
        function: &Ident,
        args: &[Arg],
        span: Span,
    ) -> Option<ir::Expr> {
        self.refuse_step("a step", span);
        self.steps += 1;
        let Some(step) = self.g.step(index, interface, function) else { return self.give_up(args) };
        let through = self.g.uses.get(index).map(|item| item.policy.clone()).unwrap_or_default();
        let args = self.arguments(Callee::Step(&step), args, span);
        let output = step.output.clone();
        let Some(args) = args else { return Some(broken(output, span)) };
        let kind = ir::ExprKind::Call { function: step.id, args, through: Box::new(through), name: step.name.clone() };
        Some(node(kind, output, span))
    }

    fn call_flow(&mut self, flow: usize, import: Option<usize>, name: &Ident, args: &[Arg], span: Span) -> Option<ir::Expr> {
        self.refuse_step("a call of a flow", span);
        self.steps += 1;
        let signature: Rc<Signature> = self.g.flows.get(flow)?.signature.clone();
        if let Some(caller) = self.instance.clone() {
            let cap = import.and_then(|import| self.g.imports.get(import)).and_then(|import| import.cap.clone());
            let cap = caps::intersection(caller.cap.as_ref(), cap.as_ref());
            if signature.is_generic() {
                return self.call_generic(flow, cap, name, args, span);
            }
            self.g.flow_calls.push((caller.node, flow, name.span));
            let id = self.plain_instance(flow, cap);
            let args = self.arguments(Callee::Flow(&signature), args, span);
            let result = signature.result.clone()?;
            let Some(args) = args else { return Some(broken(result, span)) };
            return Some(node(ir::ExprKind::Flow { flow: id, args }, result, span));
        }
        self.give_up(args)
    }

    /// One value for each parameter; none when something is wrong with one of them.
    pub(super) fn arguments(&mut self, callee: Callee<'_>, args: &[Arg], span: Span) -> Option<Vec<ir::Expr>> {
        self.all_arguments(callee, None, args, span).map(|(values, _)| values)
    }

    /// The same with what is passed for parameters that take a component or a flow, of the flow with this number.
    pub(super) fn all_arguments(
        &mut self,
        callee: Callee<'_>,
        flow: Option<usize>,
        args: &[Arg],
        span: Span,
    ) -> Option<(Vec<ir::Expr>, Vec<Argument>)> {
        let errors = self.g.errors;
        let given = self.assign(callee, args);
        let mut values = Vec::with_capacity(given.len());
        let mut passed = Vec::new();
        let mut missing = Vec::new();
        for (param, arg) in given.iter().enumerate() {
            if let Some((declared, generic)) = callee.generic_of(param) {
                match (arg, callee.default_of(param)) {
                    (Some(arg), _) => passed.push(self.argument(declared, generic, &arg.value)),
                    (None, Some(Default::Generic)) => passed.push(flow.and_then(|flow| self.g.flow_default(flow, param))),
                    (None, _) => missing.push(format!("{}: {generic}", declared.name)),
                }
                continue;
            }
            let value = match (arg, callee.type_of(param), callee.default_of(param)) {
                (Some(arg), Some(ty), _) => self.check(&arg.value, ty, callee.why(param)),
                (Some(arg), None, _) => {
                    self.visit(&arg.value);
                    None
                }
                (None, _, Some(Default::Some(default))) => Some(default.clone()),
                (None, _, Some(Default::Broken | Default::Generic)) => None,
                (None, ty, _) => {
                    let name = callee.name_of(param).map_or("", |name| &**name);
                    missing.push(match ty {
                        Some(ty) if name.is_empty() => ty.to_string(),
                        Some(ty) => format!("{name}: {ty}"),
                        None => name.to_owned(),
                    });
                    None
                }
            };
            values.push(value);
        }
        // An argument under a wrong name is most likely the missing one.
        if !missing.is_empty() && self.g.errors == errors {
            let diagnostic = say::missing_arguments(&callee.described(), &missing, span);
            self.g.report(diagnostic);
        }
        if self.g.errors > errors {
            return None;
        }
        Some((values.into_iter().collect::<Option<_>>()?, passed.into_iter().collect::<Option<_>>()?))
    }

    /// The argument for each parameter.
    fn assign<'e>(&mut self, callee: Callee<'_>, args: &'e [Arg]) -> Vec<Option<&'e Arg>> {
        let mut given: Vec<Option<&Arg>> = vec![None; callee.count()];
        let mut named = false;
        for (position, arg) in args.iter().enumerate() {
            let param = match &arg.name {
                Some(name) => {
                    named = true;
                    let known =
                        (0..callee.count()).find(|param| callee.name_of(*param).is_some_and(|known| **known == *name.name));
                    if known.is_none() {
                        self.unknown_argument(callee, name);
                    }
                    known
                }
                None if named => {
                    self.g.report(say::positional_after_named(arg.value.span));
                    None
                }
                None if position >= callee.count() => {
                    self.g.report(say::too_many_arguments(&callee.described(), callee.count(), args.len(), arg.value.span));
                    for rest in args.iter().skip(position) {
                        self.visit(&rest.value);
                    }
                    break;
                }
                None => Some(position),
            };
            match param.and_then(|param| given.get_mut(param)) {
                Some(slot @ None) => *slot = Some(arg),
                Some(Some(first)) => {
                    let at = arg.name.as_ref().map_or(arg.value.span, |name| name.span);
                    let name = arg.name.as_ref().map_or("", |name| &*name.name);
                    let diagnostic = say::repeated_argument(name, at, first.value.span);
                    self.g.report(diagnostic);
                    self.visit(&arg.value);
                }
                None => self.visit(&arg.value),
            }
        }
        given
    }

    fn unknown_argument(&mut self, callee: Callee<'_>, name: &Ident) {
        let known: Vec<&Name> = (0..callee.count()).filter_map(|param| callee.name_of(param)).collect();
        let close = self.g.suggestions.closest(&name.name, &known);
        self.g.report(say::unknown_argument(&callee.described(), &name.name, close.as_deref(), name.span));
    }
}

impl super::Checker<'_> {
    /// Reports a name before a dot that is neither component nor type.
    pub(super) fn unknown_alias(&mut self, file: usize, alias: &Ident) {
        let known = self.files.get(file).map(|names| names.all(|target| matches!(target, Target::Use(_) | Target::Type(_))));
        let close = self.suggestions.closest(&alias.name, known.unwrap_or_default());
        self.report(say::unknown_alias(&alias.name, close.as_deref(), alias.span));
    }
}
