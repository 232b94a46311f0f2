//! What is passed for a parameter that takes a component or a flow.

use std::rc::Rc;

use catalog::Name;
use grammar::ast::{Expr, ExprKind};
use grammar::{Ident, Span};

use super::flow::FlowChecker;
use super::generics::{Argument, Generic};
use super::interfaces::{Export, Passing, Requirement};
use super::names::Target;
use super::signatures::{Param, Signature};
use super::{caps, library};
use crate::diagnostics::generics as say;

impl FlowChecker<'_, '_> {
    /// Checks what is passed for a component or flow parameter.
    pub(super) fn argument(&mut self, param: &Param, generic: &Generic, written: &Expr) -> Option<Argument> {
        match generic {
            Generic::Component(wanted) => self.component_argument(wanted, param, written),
            Generic::Flow(wanted) => self.flow_argument(wanted, param, written),
        }
    }

    fn component_argument(&mut self, wanted: &Requirement, param: &Param, written: &Expr) -> Option<Argument> {
        let passing = Passing { at: written.span, param: &param.name, declared: param.span };
        let name = match &written.kind {
            ExprKind::Error => return None,
            ExprKind::Name(name) => name,
            ExprKind::Field(base, interface) if let ExprKind::Name(alias) = &base.kind => {
                if self.generic(&alias.name).is_none()
                    && let Some(Target::Use(item)) = self.g.lookup(self.file, &alias.name).map(|found| found.target)
                {
                    let export = self.interface_argument(item, alias, interface)?;
                    return self.g.check_export(&export, wanted, passing).then_some(Argument::Component(export));
                }
                let part = self.is_component(alias);
                return self.no_component(if part { "a part of a component" } else { "a value" }, None, wanted, param, written);
            }
            _ => return self.no_component("a value", None, wanted, param, written),
        };
        if let Some((index, generic)) = self.generic(&name.name) {
            let Generic::Component(own) = generic else { return self.no_component("a flow", None, wanted, param, written) };
            let fits = self.g.check_passed_on(&own, wanted, passing);
            return if fits { self.passed(index) } else { None };
        }
        let found = self.g.lookup(self.file, &name.name).map(|found| found.target);
        match found {
            Some(Target::Use(item)) => {
                let export = Export { item, interface: None };
                self.g.check_export(&export, wanted, passing).then_some(Argument::Component(export))
            }
            Some(Target::Broken) => None,
            _ if self.find(&name.name).is_some() => self.no_component("a value", None, wanted, param, written),
            Some(other) => self.no_component(other.what(), None, wanted, param, written),
            None if self.is_refused(&name.name) => None,
            None => {
                let known = self.g.files.get(self.file).map(|names| names.all(|target| matches!(target, Target::Use(_))));
                let own = self.generic_names(|generic| matches!(generic, Generic::Component(_)));
                let candidates = known.unwrap_or_default().into_iter().chain(own.iter().map(|name| &**name));
                let close = self.g.suggestions.closest(&name.name, candidates);
                self.no_component("an unknown name", close.as_deref(), wanted, param, written)
            }
        }
    }

    fn interface_argument(&mut self, item: usize, alias: &Ident, interface: &Ident) -> Option<Export> {
        let (component, used) = self.g.uses.get(item).map(|item| (item.component, item.ast.alias.span))?;
        component?;
        let known = self.g.exported_interfaces(item);
        if known.iter().any(|known| **known == *interface.name) {
            return Some(Export { item, interface: Some((&*interface.name).into()) });
        }
        let close = self.g.suggestions.closest(&interface.name, &known);
        self.g.report(say::unknown_interface(&alias.name, &interface.name, close.as_deref(), &known, interface.span, used));
        None
    }

    fn no_component(
        &mut self,
        found: &str,
        close: Option<&str>,
        wanted: &Requirement,
        param: &Param,
        written: &Expr,
    ) -> Option<Argument> {
        let (errors, steps) = (self.g.errors, self.steps);
        if found == "a value" {
            self.visit(written);
        }
        self.steps = steps;
        if self.g.errors > errors {
            return None;
        }
        let aliases =
            self.g.files.get(self.file).map(|names| names.all(|target| matches!(target, Target::Use(_)))).unwrap_or_default();
        let uses = aliases.into_iter().filter_map(|alias| Some((alias, self.g.files.get(self.file)?.get(alias)?.target)));
        let fits = |target| matches!(target, Target::Use(item) if self.g.satisfies(&Export { item, interface: None }, wanted));
        let fitting: Vec<String> = uses.filter(|(_, target)| fits(*target)).map(|(alias, _)| alias.to_owned()).collect();
        let place = (&*param.name, &*wanted.name);
        self.g.report(say::not_a_component(found, place, close, &fitting, written.span, param.span));
        None
    }

    /// Checks what is passed for a flow parameter.
    pub(super) fn flow_argument(&mut self, wanted: &Rc<Signature>, param: &Param, written: &Expr) -> Option<Argument> {
        let name = match &written.kind {
            ExprKind::Error => return None,
            ExprKind::Name(name) => name,
            ExprKind::Field(base, _) if matches!(&base.kind, ExprKind::Name(alias) if self.is_component(alias)) => {
                return self.no_flow("a function of a component", None, wanted, param, written);
            }
            _ => return self.no_flow("a value", None, wanted, param, written),
        };
        if let Some((index, generic)) = self.generic(&name.name) {
            let Generic::Flow(own) = generic else { return self.no_flow("a component", None, wanted, param, written) };
            let passed = self.passed(index);
            return self.check_flow_argument(name, &own, wanted, param, written.span).then_some(passed).flatten();
        }
        let found = self.g.lookup(self.file, &name.name);
        match found.map(|found| found.target) {
            Some(Target::Flow(flow)) => {
                let own = self.g.flows.get(flow)?.signature.clone();
                let import = found.and_then(|found| found.import).and_then(|import| self.g.imports.get(import));
                let cap = import.and_then(|import| import.cap.clone());
                let outer = self.instance.as_ref().and_then(|instance| instance.cap.as_ref());
                let cap = caps::intersection(outer, cap.as_ref());
                self.check_flow_argument(name, &own, wanted, param, written.span).then_some(Argument::Flow(flow, cap))
            }
            Some(Target::Broken) => None,
            _ if self.find(&name.name).is_some() => self.no_flow("a value", None, wanted, param, written),
            Some(other) => self.no_flow(other.what(), None, wanted, param, written),
            None if library::is_reserved(&name.name) => self.no_flow("a function of the library", None, wanted, param, written),
            None if self.is_refused(&name.name) => None,
            None => {
                let known = self.g.files.get(self.file).map(|names| names.all(|target| matches!(target, Target::Flow(_))));
                let own = self.generic_names(|generic| matches!(generic, Generic::Flow(_)));
                let candidates = known.unwrap_or_default().into_iter().chain(own.iter().map(|name| &**name));
                let close = self.g.suggestions.closest(&name.name, candidates);
                self.no_flow("an unknown name", close.as_deref(), wanted, param, written)
            }
        }
    }

    fn is_component(&self, alias: &Ident) -> bool {
        let target = self.g.files.get(self.file).and_then(|names| names.get(&alias.name)).map(|found| found.target);
        match self.generic(&alias.name) {
            Some((_, generic)) => matches!(generic, Generic::Component(_)),
            None => matches!(target, Some(Target::Use(_))) && self.find(&alias.name).is_none(),
        }
    }

    fn check_flow_argument(
        &mut self,
        name: &Ident,
        own: &Rc<Signature>,
        wanted: &Rc<Signature>,
        param: &Param,
        at: Span,
    ) -> bool {
        let Some(why) = own.misfit(wanted) else { return true };
        let place = (&*param.name, &*wanted.flow_type());
        self.g.report(say::flow_differs(&name.name, place, (&why, &own.text()), at, param.span, own.span));
        false
    }

    fn no_flow(
        &mut self,
        found: &str,
        close: Option<&str>,
        wanted: &Rc<Signature>,
        param: &Param,
        written: &Expr,
    ) -> Option<Argument> {
        let (errors, steps) = (self.g.errors, self.steps);
        if found == "a value" {
            self.visit(written);
        } else if let ExprKind::Field(base, _) = &written.kind
            && let ExprKind::Name(alias) = &base.kind
        {
            self.g.lookup(self.file, &alias.name);
        }
        self.steps = steps;
        if self.g.errors > errors {
            return None;
        }
        let names =
            self.g.files.get(self.file).map(|names| names.all(|target| matches!(target, Target::Flow(_)))).unwrap_or_default();
        let flow_of = |name: &str| match self.g.files.get(self.file)?.get(name)?.target {
            Target::Flow(flow) => self.g.flows.get(flow),
            _ => None,
        };
        let fits = |name: &&str| flow_of(name).is_some_and(|decl| decl.signature.misfit(wanted).is_none());
        let fitting: Vec<String> = names.into_iter().filter(fits).map(str::to_owned).collect();
        let help = move || {
            if fitting.is_empty() {
                "declare a flow of this type, and pass its name".to_owned()
            } else {
                format!("pass the name of a flow, such as {}", crate::diagnostics::listed(fitting))
            }
        };
        let place = (&*param.name, &*wanted.flow_type());
        self.g.report(say::not_a_flow(found, place, close, help, written.span, param.span));
        None
    }

    /// The names of component or flow parameters, for suggestions.
    fn generic_names(&self, fits: impl Fn(&Generic) -> bool) -> Vec<Name> {
        let params = self.signature().map(|signature| signature.params.as_slice()).unwrap_or_default();
        params.iter().filter(|param| param.generic.as_ref().is_some_and(&fits)).map(|param| param.name.clone()).collect()
    }
}
