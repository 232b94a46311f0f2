//! Roles, and `ask`.

use std::rc::Rc;
use std::sync::Arc;

use catalog::Type;
use grammar::ast::{Arg, FunctionDef};
use grammar::{Ident, Span};

use super::Checker;
use super::calls::Callee;
use super::expr::node;
use super::flow::FlowChecker;
use super::names::Target;
use super::signatures::{Default, Param, Signature, unwrapped};
use super::why::broken;
use crate::diagnostics::roles as say;
use crate::ir;
use crate::plan::{RoleId, RoleRef};

/// A declared role.
pub(super) struct RoleDecl<'a> {
    pub(super) file: usize,
    pub(super) ast: &'a FunctionDef,
    /// None until it is checked.
    pub(super) signature: Option<Rc<Signature>>,
    /// Its place in the plan, once somebody asks for it.
    id: Option<RoleId>,
}

impl<'a> RoleDecl<'a> {
    pub(super) const fn new(file: usize, ast: &'a FunctionDef) -> Self {
        Self { file, ast, signature: None, id: None }
    }
}

impl Checker<'_> {
    /// Checks the types of all roles. An agent is found by the name alone, so a name means one thing in all files.
    pub(super) fn check_roles(&mut self) {
        for index in 0..self.roles.len() {
            let Some((file, ast)) = self.roles.get(index).map(|role| (role.file, role.ast)) else { continue };
            let mut params = Vec::with_capacity(ast.params.len());
            for param in &ast.params {
                let ty = self.ty(file, &param.ty);
                params.push(Param {
                    name: Arc::from(&*param.name.name),
                    span: param.name.span,
                    ty,
                    default: Default::None,
                    generic: None,
                });
            }
            let result = ast.result.as_ref().map_or(Some(Type::Unit), |written| self.ty(file, written));
            let signature = Rc::new(Signature { name: Arc::from(&*ast.name.name), params, result, span: ast.name.span });
            self.compare_role(index, &signature);
            if let Some(role) = self.roles.get_mut(index) {
                role.signature = Some(signature);
            }
        }
    }

    fn compare_role(&mut self, index: usize, signature: &Signature) {
        let same = |other: &Signature| {
            let params = |signature: &Signature| -> Vec<_> {
                signature.params.iter().map(|param| (param.name.clone(), param.ty.clone())).collect()
            };
            params(other) == params(signature) && other.result == signature.result
        };
        let earlier = self.roles.iter().take(index).filter_map(|role| role.signature.as_deref());
        let differs = earlier
            .filter(|other| other.name == signature.name && other.span.file != signature.span.file)
            .find(|other| !same(other))
            .map(|other| other.span);
        if let Some(first) = differs {
            self.report(say::differs(&signature.name, signature.span, first));
        }
    }

    /// The role's place in the plan, and what it takes and gives.
    pub(super) fn role_id(&mut self, index: usize) -> Option<(RoleId, Rc<Signature>)> {
        let role = self.roles.get(index)?;
        let signature = role.signature.clone()?;
        if let Some(id) = role.id {
            return Some((id, signature));
        }
        let params = signature.params.iter().map(|param| Some((param.name.clone(), param.ty.clone()?)));
        let result = signature.result.clone()?;
        let found =
            RoleRef { name: signature.name.clone(), params: params.collect::<Option<_>>()?, output: unwrapped(&result), result };
        let known = self.plan_roles.iter().find(|(_, known)| known.name == found.name).map(|(id, _)| id);
        let id = known.unwrap_or_else(|| self.plan_roles.push(found));
        if let Some(role) = self.roles.get_mut(index) {
            role.id = Some(id);
        }
        Some((id, signature))
    }
}

impl FlowChecker<'_, '_> {
    /// `ask role(args)`.
    pub(super) fn ask(&mut self, name: &Ident, args: &[Arg], span: Span) -> Option<ir::Expr> {
        self.steps += 1;
        let Some(index) = self.role(name) else { return self.give_up(args) };
        let signature = self.g.roles.get(index).and_then(|role| role.signature.clone())?;
        let args = self.arguments(Callee::Role(&signature), args, span);
        let output = unwrapped(signature.result.as_ref()?);
        let (Some(args), Some((role, _))) = (args, self.g.role_id(index)) else { return Some(broken(output, span)) };
        Some(node(ir::ExprKind::Ask { role, args, through: Box::default() }, output, span))
    }

    /// The role that a name stands for.
    pub(super) fn role(&mut self, name: &Ident) -> Option<usize> {
        match self.g.lookup(self.file, &name.name).map(|found| found.target) {
            Some(Target::Role(index)) => return Some(index),
            Some(Target::Broken) => {}
            Some(other) => self.g.report(say::not_a_role(&name.name, other.what(), name.span)),
            None => {
                let known = self.g.files.get(self.file).map(|names| names.all(|target| matches!(target, Target::Role(_))));
                let close = self.g.suggestions.closest(&name.name, known.unwrap_or_default());
                self.g.report(say::unknown(&name.name, close.as_deref(), name.span));
            }
        }
        None
    }
}
