//! Bodies of flows: scopes and blocks.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use catalog::{Name, Type, Value};
use cranelift_entity::PrimaryMap;
use grammar::ast::{Block, Expr, StatementKind};
use grammar::{Ident, Span};

use super::owner::Owner;
use super::place::Place;
use super::signatures::{Default, Signature};
use super::why::{Want, Why};
use super::{Checker, Instance};
use crate::diagnostics::{calls, forms, names as say, types};
use crate::ir::{self, BindingId};

/// How deeply expressions and blocks may be nested, operators of a chain included.
const MAX_DEPTH: usize = 400;

/// Checks the body of one flow, or an expression that stands outside of all flows.
pub(super) struct FlowChecker<'c, 'a> {
    pub(super) g: &'c mut Checker<'a>,
    pub(super) file: usize,
    /// The flow's declaration and cap; none outside of flows.
    pub(super) instance: Option<Instance>,
    pub(super) signature: Option<Rc<Signature>>,
    bindings: PrimaryMap<BindingId, ir::Binding>,
    locals: Vec<Local>,
    /// By the lower-case form of the name: names that differ only by case are refused.
    scope: HashMap<Name, BindingId>,
    /// Names that could not be bound because they differ from others only by case.
    refused: BTreeSet<Name>,
    /// Names in the order in which they came into scope.
    visible: Vec<Name>,
    depth: usize,
    too_deep: bool,
    pub(super) place: Option<Place>,
    /// The form whose body cannot `return`.
    pub(super) repeated: Option<&'static str>,
    /// The `let` that the step or form which is checked next stands in.
    pub(super) named: Option<Ident>,
    /// The name that the compensation around cannot see, because what it names may not exist.
    pub(super) withheld: Option<Ident>,
    /// Whether this is a trial, whose diagnostics do not count.
    trial: bool,
    /// Steps and flow calls so far.
    pub(super) steps: usize,
    /// Only in a test.
    pub(super) mocks: Option<Vec<ir::Mock>>,
    /// What the blocks around bind anywhere, so that a use before it can be answered.
    lets: Vec<Ident>,
    /// Names that a mock would see if it were not apart from its test.
    hidden: HashMap<Name, BindingId>,
}

/// What else is known of a binding.
struct Local {
    /// False when its type is not known because of an error.
    known: bool,
    used: bool,
    origin: Origin,
}

/// What bound a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Parameter,
    /// A parameter that has no value, with its place among the parameters.
    Generic(usize),
    /// A `let` of an expression without steps.
    PureLet,
    Other,
}

impl<'c, 'a> FlowChecker<'c, 'a> {
    fn new(g: &'c mut Checker<'a>, file: usize) -> Self {
        Self {
            g,
            file,
            instance: None,
            signature: None,
            bindings: PrimaryMap::new(),
            locals: Vec::new(),
            scope: HashMap::new(),
            refused: BTreeSet::new(),
            visible: Vec::new(),
            depth: 0,
            too_deep: false,
            place: None,
            repeated: None,
            named: None,
            withheld: None,
            trial: false,
            steps: 0,
            mocks: None,
            lets: Vec::new(),
            hidden: HashMap::new(),
        }
    }

    /// Checks something outside of flows.
    pub(super) fn detached<R>(g: &'c mut Checker<'a>, file: usize, check: impl FnOnce(&mut Self) -> R) -> R {
        check(&mut Self::new(g, file))
    }

    /// Checks a flow under a cap.
    pub(super) fn check_flow(g: &'c mut Checker<'a>, instance: Instance) -> ir::Flow {
        let Some(decl) = g.flows.get(instance.flow) else { return ir::Flow::empty(Span::default()) };
        let (file, ast, signature, test) = (decl.file, decl.ast, decl.signature.clone(), decl.test);
        let errors = g.errors;
        let mut checker = Self::new(g, file);
        let cap = instance.cap.as_ref().map(|cap| cap.to_vec());
        let arguments = checker.g.argument_names(&instance);
        checker.instance = Some(instance);
        checker.signature = Some(signature.clone());
        checker.mocks = test.then(Vec::new);
        let params = checker.parameters(ast, &signature);
        let recursion = ast.recursive.as_ref().and_then(|bound| checker.recursion_bound(bound));
        let policy = checker.policy(ast.with.as_ref(), Owner::Flow);
        let at = ast.result.as_ref().map_or(ast.name.span, |written| written.span);
        let body = match &signature.result {
            Some(Type::Unit) => checker.block(&ast.body, Want::Discard),
            Some(result) => checker.block(&ast.body, Want::Type(result, Why::Result(at))),
            None => checker.block(&ast.body, Want::Any),
        };
        if checker.g.errors == errors && !checker.g.is_broken(file) {
            checker.unused_lets();
        }
        ir::Flow {
            name: signature.name.clone(),
            arguments,
            docs: ast.docs.clone(),
            params,
            result: signature.result.clone().unwrap_or(Type::Unit),
            policy,
            cap,
            body: body.unwrap_or_else(|| ir::Block::empty(ast.body.span)),
            bindings: checker.bindings,
            mocks: checker.mocks,
            recursion,
            span: ast.name.span,
        }
    }

    fn parameters(&mut self, ast: &grammar::ast::Flow, signature: &Signature) -> Vec<ir::Param> {
        let mut params = Vec::new();
        for (index, (written, param)) in ast.params.iter().zip(&signature.params).enumerate() {
            if param.generic.is_some() {
                self.bind(&written.name, None, Origin::Generic(index));
                continue;
            }
            let binding = self.bind(&written.name, param.ty.as_ref(), Origin::Parameter);
            let default = if let Default::Some(default) = &param.default { Some(default.clone()) } else { None };
            params.push(ir::Param { binding, default, docs: written.docs.clone() });
        }
        params
    }

    /// Checks the default of a parameter.
    pub(super) fn check_default(&mut self, written: &Expr, ty: Option<&Type>, at: Span) -> Option<ir::Expr> {
        match ty {
            Some(ty) => self.check(written, ty, Why::Declared(at)),
            None => {
                self.expr(written, Want::Any);
                None
            }
        }
    }

    // Names in scope.

    /// Binds a name. A type of none is one that is not known because of an error.
    pub(super) fn bind(&mut self, name: &Ident, ty: Option<&Type>, origin: Origin) -> BindingId {
        let shared: Name = Arc::from(&*name.name);
        let folded = match folded(&shared) {
            Cow::Borrowed(_) => shared.clone(),
            Cow::Owned(folded) => Arc::from(folded),
        };
        if let Some(first) = self.scope.get(&folded).and_then(|first| self.bindings.get(*first))
            && &*name.name != "_"
        {
            let diagnostic = if first.name == shared {
                say::shadowed(&shared, name.span, first.span)
            } else {
                self.refused.insert(shared.clone());
                say::case_only(&shared, &first.name, name.span, first.span)
            };
            self.g.report(diagnostic);
        }
        let id = self.bindings.push(ir::Binding { name: shared, ty: ty.cloned().unwrap_or(Type::Unit), span: name.span });
        self.locals.push(Local { known: ty.is_some(), used: false, origin });
        // Where an earlier one has the same name, which was reported, that one stays.
        if let std::collections::hash_map::Entry::Vacant(entry) = self.scope.entry(folded.clone()) {
            entry.insert(id);
            self.visible.push(folded);
        }
        id
    }

    /// Runs `check` in a scope of its own.
    pub(super) fn scoped<R>(&mut self, check: impl FnOnce(&mut Self) -> R) -> R {
        let mark = self.visible.len();
        let result = check(self);
        for name in self.visible.drain(mark..) {
            self.scope.remove(&name);
        }
        result
    }

    /// Runs `check` in a scope that sees nothing of the one around it.
    pub(super) fn apart<R>(&mut self, check: impl FnOnce(&mut Self) -> R) -> R {
        let visible = std::mem::take(&mut self.visible);
        self.hidden = std::mem::take(&mut self.scope);
        let result = check(self);
        self.scope = std::mem::take(&mut self.hidden);
        self.visible = visible;
        result
    }

    /// Where a name is bound that is not seen because of [`Self::apart`].
    pub(super) fn hidden(&self, name: &str) -> Option<Span> {
        let binding = self.bindings.get(*self.hidden.get(&*folded(name))?)?;
        (&*binding.name == name).then_some(binding.span)
    }

    /// The binding of a name.
    pub(super) fn find(&self, name: &str) -> Option<BindingId> {
        let id = *self.scope.get(&*folded(name))?;
        (&*self.bindings.get(id)?.name == name).then_some(id)
    }

    /// Whether a name, or one that differs from it by case only, is bound.
    pub(super) fn is_taken(&self, name: &str) -> bool {
        self.scope.contains_key(&*folded(name))
    }

    /// Whether a name is unknown only because its binding was refused.
    pub(super) fn is_refused(&self, name: &str) -> bool {
        self.refused.contains(name)
    }

    /// Where a name is bound behind `at`, in a block around it.
    pub(super) fn bound_later(&self, name: &Ident) -> Option<Span> {
        const MOST: usize = 10_000;
        let later = self.lets.iter().rev().take(MOST).filter(|later| later.span.start > name.span.start);
        later.filter(|later| later.name == name.name).map(|later| later.span).next_back()
    }

    /// Where a name was bound in a block that has ended.
    pub(super) fn ended(&self, name: &str) -> Option<Span> {
        const MOST: usize = 10_000;
        let latest = self.bindings.values().rev().take(MOST);
        latest.filter(|binding| &*binding.name == name).map(|binding| binding.span).next()
    }

    /// Counts a binding as used and gives it; the type is none when it is not known.
    pub(super) fn use_binding(&mut self, id: BindingId) -> Option<Type> {
        let local = self.locals.get_mut(cranelift_entity::EntityRef::index(id))?;
        local.used = true;
        let known = local.known;
        self.bindings.get(id).filter(|_| known).map(|binding| binding.ty.clone())
    }

    /// The type of a binding; none when it is not known.
    pub(super) fn type_of(&self, id: BindingId) -> Option<&Type> {
        let known = self.locals.get(cranelift_entity::EntityRef::index(id)).is_some_and(|local| local.known);
        self.bindings.get(id).filter(|_| known).map(|binding| &binding.ty)
    }

    /// Where and how a name was bound.
    pub(super) fn origin(&self, id: BindingId) -> Option<(Span, Origin)> {
        let local = self.locals.get(cranelift_entity::EntityRef::index(id))?;
        Some((self.bindings.get(id)?.span, local.origin))
    }

    /// The place among the parameters of a component or flow parameter.
    pub(super) fn generic_index(&self, name: &str) -> Option<usize> {
        match self.origin(self.find(name)?)?.1 {
            Origin::Generic(index) => Some(index),
            _ => None,
        }
    }

    /// Of the flow that is checked.
    pub(super) fn signature(&self) -> Option<&Signature> {
        self.signature.as_deref()
    }

    /// Names in scope, for suggestions.
    pub(super) fn names_in_scope(&self) -> Vec<Name> {
        const MOST: usize = 300;
        let latest = self.visible.iter().rev().take(MOST);
        latest.filter_map(|name| self.bindings.get(*self.scope.get(name)?)).map(|binding| binding.name.clone()).collect()
    }

    fn unused_lets(&mut self) {
        let unused = self.locals.iter().zip(self.bindings.values());
        let found: Vec<_> = unused
            .filter(|(local, binding)| !local.used && local.origin == Origin::PureLet && !binding.name.starts_with('_'))
            .map(|(_, binding)| say::unused_let(&binding.name, binding.span))
            .collect();
        self.g.diagnostics.extend(found);
    }

    // Where things may stand.

    /// Runs `check` where only pure expressions can stand.
    pub(super) fn pure<R>(&mut self, place: Place, check: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.place.replace(place);
        let result = check(self);
        self.place = outer;
        result
    }

    /// Reports a step or a form with steps where only pure expressions can stand.
    pub(super) fn refuse_step(&mut self, what: &str, at: Span) {
        if let Some(place) = self.place {
            self.g.report(calls::step_here(what, place.what(), place.help(), at));
        }
    }

    /// Runs `check` in the body of a form that runs it more than once.
    pub(super) fn repeated<R>(&mut self, form: &'static str, check: impl FnOnce(&mut Self) -> R) -> R {
        let outer = self.repeated.replace(form);
        let result = check(self);
        self.repeated = outer;
        result
    }

    /// Runs `check` without saying anything, to learn a type. None inside of another trial, which keeps the work in bounds.
    pub(super) fn trial<R>(&mut self, check: impl FnOnce(&mut Self) -> Option<R>) -> Option<R> {
        if self.trial {
            return None;
        }
        let before = (self.g.diagnostics.len(), self.g.errors, self.steps, self.too_deep);
        let locals = self.locals.len();
        self.trial = true;
        let result = check(self);
        self.trial = false;
        // What it bound is bound again when it counts, and only then can be unused.
        self.locals.iter_mut().skip(locals).for_each(|local| local.origin = Origin::Other);
        self.g.diagnostics.truncate(before.0);
        (self.g.errors, self.steps, self.too_deep) = (before.1, before.2, before.3);
        result
    }

    /// Goes `levels` deeper, unless that is too deep.
    pub(super) fn enter(&mut self, levels: usize, at: Span) -> bool {
        if self.depth + levels > MAX_DEPTH {
            if !self.too_deep {
                self.too_deep = true;
                self.g.report(types::too_deep(at));
            }
            return false;
        }
        self.depth += levels;
        true
    }

    /// Whether this is not directly in the body of the flow.
    pub(super) const fn is_nested(&self) -> bool {
        self.depth > 1
    }

    /// Comes back from [`Self::enter`].
    pub(super) fn leave(&mut self, levels: usize) {
        self.depth = self.depth.saturating_sub(levels);
    }

    // Blocks and statements.

    /// Checks a block in a scope of its own. None: the type of its value is not known.
    pub(super) fn block(&mut self, block: &Block, want: Want<'_>) -> Option<ir::Block> {
        if !self.enter(1, block.span) {
            return None;
        }
        let checked = self.scoped(|flow| flow.open_block(block, want));
        self.leave(1);
        checked
    }

    /// Checks a block in the scope around it.
    pub(super) fn open_block(&mut self, block: &Block, want: Want<'_>) -> Option<ir::Block> {
        let mark = self.lets.len();
        self.lets.extend(block.statements.iter().filter_map(|statement| match &statement.kind {
            StatementKind::Let { name, .. } => Some(name.clone()),
            _ => None,
        }));
        let checked = self.statements(block, want);
        self.lets.truncate(mark);
        checked
    }

    fn statements(&mut self, block: &Block, want: Want<'_>) -> Option<ir::Block> {
        let mut statements = Vec::with_capacity(block.statements.len());
        let mut known = true;
        let mut ended = false;
        let mut ty = None;
        for (index, statement) in block.statements.iter().enumerate() {
            if ended {
                self.g.report(forms::unreachable_statement(statement.span));
                break;
            }
            let last = index + 1 == block.statements.len();
            match &statement.kind {
                StatementKind::Expr(value) if last => match self.value(value, want) {
                    Some(checked) => {
                        ty = checked.1;
                        statements.push(checked.0);
                    }
                    None => known = false,
                },
                StatementKind::Error { .. } if last => {
                    self.statement(statement);
                    known = false;
                }
                _ => {
                    statements.extend(self.statement(statement));
                    ended = matches!(statement.kind, StatementKind::Return(_));
                }
            }
        }
        if !known {
            return None;
        }
        let ty = match (want, ty) {
            (_, Some(ty)) => ty,
            (Want::Type(wanted, _), None) if ended => wanted.clone(),
            (Want::Type(wanted, _), None) if *wanted != Type::Unit => {
                let at = block.statements.last().map_or(block.span, |last| last.span);
                self.g.report(types::missing_value(&wanted.to_string(), at));
                wanted.clone()
            }
            _ => Type::Unit,
        };
        Some(ir::Block { statements, ty, span: block.span })
    }
}

/// A constant.
pub(super) const fn constant(value: Value, ty: Type, span: Span) -> ir::Expr {
    ir::Expr { kind: ir::ExprKind::Const(value), ty, span }
}

/// A name in the form in which names are compared.
fn folded(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) }
}
