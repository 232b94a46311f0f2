//! What a mock stands for, and what `calls` and `emitted` ask for.

use std::rc::Rc;

use catalog::{Name, Type, Value};
use grammar::ast::{Arg, Expr, ExprKind};
use grammar::{Ident, Span};

use super::expr::node;
use super::flow::{FlowChecker, constant};
use super::names;
use super::signatures::{Signature, Step};
use super::why::Why;
use crate::diagnostics::trials as say;
use crate::ir;
use crate::plan::{ASKED, CALLS, ComponentRef, EMITTED, FunctionId, FunctionRef, RoleId, TRIAL, Target};

/// A component's function, or a role.
pub(super) enum Mocked<'a> {
    Step(Rc<Step<'a>>),
    Role { id: RoleId, signature: Rc<Signature>, output: Type },
}

impl Mocked<'_> {
    pub(super) fn target(&self) -> Target {
        match self {
            Self::Step(step) => Target::Function(step.id),
            Self::Role { id, .. } => Target::Role(*id),
        }
    }

    /// As flows name it.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Step(step) => &step.name,
            Self::Role { signature, .. } => &signature.name,
        }
    }

    /// What it takes and gives, for people.
    pub(super) fn signature(&self) -> String {
        match self {
            Self::Step(step) => format!("{}: {}", step.function.wit_name, step.signature),
            Self::Role { signature, .. } => signature.text(),
        }
    }

    /// Where it comes from, and what to say there.
    pub(super) fn declared(&self) -> (Span, &'static str) {
        match self {
            Self::Step(step) => (step.declared, "exported by this component"),
            Self::Role { signature, .. } => (signature.span, "declared here"),
        }
    }

    /// The types of its parameters.
    pub(super) fn params(&self) -> Vec<Type> {
        match self {
            Self::Step(step) => step.signature.params.iter().map(|(_, ty)| ty.clone()).collect(),
            Self::Role { signature, .. } => signature.params.iter().filter_map(|param| param.ty.clone()).collect(),
        }
    }

    pub(super) fn output(&self) -> &Type {
        match self {
            Self::Step(step) => &step.output,
            Self::Role { output, .. } => output,
        }
    }

    /// Why an answer has the type of the output.
    pub(super) fn why(&self) -> Why<'_> {
        match self {
            Self::Step(step) => Why::Answer(step),
            Self::Role { signature, .. } => Why::RoleAnswer(signature),
        }
    }
}

impl<'a> FlowChecker<'_, 'a> {
    /// The function that `component.function` or `component.interface.function` names, or the role of a name by itself.
    pub(super) fn named_mocked(&mut self, path: &Expr) -> Option<Mocked<'a>> {
        if let ExprKind::Name(name) = &path.kind
            && let Some(names::Target::Role(index)) = self.g.lookup(self.file, &name.name).map(|found| found.target)
        {
            return self.mocked_role(index);
        }
        self.named_step(path).map(Mocked::Step)
    }

    /// A role that `mock ask` names.
    pub(super) fn named_role(&mut self, name: &Ident) -> Option<Mocked<'a>> {
        let index = self.role(name)?;
        self.mocked_role(index)
    }

    fn mocked_role(&mut self, index: usize) -> Option<Mocked<'a>> {
        let (id, signature) = self.g.role_id(index)?;
        let output = self.g.plan_roles.get(id).map(|role| role.output.clone())?;
        Some(Mocked::Role { id, signature, output })
    }

    /// The function that a path names.
    pub(super) fn named_step(&mut self, path: &Expr) -> Option<Rc<Step<'a>>> {
        let (alias, interface, function) = match &path.kind {
            ExprKind::Name(alias) => (alias, None, None),
            ExprKind::Field(base, function) => match &base.kind {
                ExprKind::Name(alias) => (alias, None, Some(function)),
                ExprKind::Field(inner, interface) => match &inner.kind {
                    ExprKind::Name(alias) => (alias, Some(interface), Some(function)),
                    _ => return None,
                },
                _ => return None,
            },
            _ => return None,
        };
        match (self.g.lookup(self.file, &alias.name).map(|found| found.target), function) {
            (Some(names::Target::Use(index)), Some(function)) => self.g.step(index, interface, function),
            (Some(names::Target::Broken), _) => None,
            (Some(names::Target::Role(_)), None) => {
                self.g.report(say::role_without_ask(&alias.name, alias.span));
                None
            }
            (Some(other), _) => {
                self.g.report(say::not_a_step(&alias.name, other.what(), alias.span));
                None
            }
            (None, _) => {
                self.g.unknown_alias(self.file, alias);
                None
            }
        }
    }

    /// `calls(component.function)` or `calls(role)`: how many attempts of it there were so far.
    pub(super) fn calls(&mut self, args: &[Arg], span: Span) -> Option<ir::Expr> {
        self.asks_the_test(CALLS, span)?;
        let path = match args {
            [Arg { name: None, value }] if matches!(value.kind, ExprKind::Name(_) | ExprKind::Field(..)) => value,
            _ => {
                self.g.report(say::calls_of(span));
                return None;
            }
        };
        let (function, number) = match self.named_mocked(path)?.target() {
            Target::Function(counted) => (self.g.trial_function(CALLS, ("function", Type::U32), Type::U64), counted.as_u32()),
            Target::Role(counted) => (self.g.trial_function(ASKED, ("role", Type::U32), Type::U64), counted.as_u32()),
            // No name stands for these.
            Target::Plan(_) => return None,
        };
        let args = vec![constant(Value::U32(number), Type::U32, path.span)];
        let kind = ir::ExprKind::Call { function, args, through: Box::default(), name: CALLS.into() };
        Some(node(kind, Type::U64, span))
    }

    /// `emitted("topic")`: the documents that were sent on it so far.
    pub(super) fn emitted(&mut self, args: &[Arg], span: Span) -> Option<ir::Expr> {
        self.asks_the_test(EMITTED, span)?;
        let [Arg { name: None, value }] = args else {
            self.g.report(say::emitted_of(span));
            return self.give_up(args);
        };
        let topic = self.topic(value)?;
        let documents = Type::List(Type::Json.into());
        let function = self.g.trial_function(EMITTED, ("topic", Type::String), documents.clone());
        let kind = ir::ExprKind::Call { function, args: vec![topic], through: Box::default(), name: EMITTED.into() };
        Some(node(kind, documents, span))
    }

    /// A step that whoever runs the test answers; nothing outside of tests.
    fn asks_the_test(&mut self, what: &str, span: Span) -> Option<()> {
        if self.mocks.is_none() {
            self.g.report(say::asked_outside(what, span));
            return None;
        }
        self.refuse_step(&format!("`{what}`"), span);
        self.steps += 1;
        Some(())
    }
}

impl super::Checker<'_> {
    /// A function that whoever runs the test answers.
    fn trial_function(&mut self, name: &'static str, param: (&str, Type), result: Type) -> FunctionId {
        let components = &mut self.components;
        let component = *self
            .component_ids
            .entry(TRIAL)
            .or_insert_with(|| components.push(ComponentRef { source: "test".to_owned(), digest: TRIAL }));
        let mut known = self.functions.iter().filter(|(_, known)| known.component == component);
        let known = known.find(|(_, known)| known.wit_name == name).map(|(id, _)| id);
        known.unwrap_or_else(|| {
            let (param, ty) = param;
            self.functions.push(FunctionRef {
                component,
                interface: None,
                wit_name: name.to_owned(),
                params: vec![(Name::from(param), ty)],
                output: result.clone(),
                result,
            })
        })
    }
}
