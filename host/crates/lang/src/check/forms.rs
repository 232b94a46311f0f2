//! Structured forms, and what is attached to steps and forms.

use std::sync::Arc;

use catalog::{Type, Value, failure_type};
use grammar::ast::{Block, Expr, ExprKind, MatchArm, Postfix, StatementKind, With};
use grammar::{Ident, Span};

use super::expr::node;
use super::flow::{FlowChecker, Origin};
use super::generics::Generic;
use super::names::Target;
use super::owner::Owner;
use super::patterns::bound_names;
use super::place::Place;
use super::shapes::{collects, diverges, impure_form};
use super::undo::Undo;
use super::why::{Want, Why, broken, converts};
use super::{exhaustive, library};
use crate::diagnostics::{forms as say, types};
use crate::ir;

/// A `map` with what belongs to it.
struct MapForm<'e> {
    name: &'e Ident,
    list: &'e Expr,
    with: Option<&'e With>,
    body: &'e Block,
    span: Span,
}

impl FlowChecker<'_, '_> {
    /// Checks a structured form.
    pub(super) fn form(&mut self, written: &Expr, want: Want<'_>) -> Option<ir::Expr> {
        let span = written.span;
        if let Some(word) = impure_form(written) {
            self.refuse_step(word, span);
        }
        match &written.kind {
            ExprKind::If { arms, otherwise } => self.if_form(arms, otherwise.as_ref(), span, want),
            ExprKind::Match { subject, arms } => self.match_form(subject, arms, span, want),
            ExprKind::Map { name, list, with, body } => {
                let collect = with.as_ref().is_some_and(collects);
                self.map_form(&MapForm { name, list, with: with.as_ref(), body, span }, collect, want)
            }
            ExprKind::Fold { acc, init, name, list, with, body } => {
                let checked = self.fold_form((acc, init), (name, list), body, span, want);
                self.with_policy(checked, with.as_ref(), Owner::Block)
            }
            ExprKind::Tree { left, right, list, with, body } => {
                let checked = self.tree_form((left, right), list, body, span);
                self.with_policy(checked, with.as_ref(), Owner::Block)
            }
            ExprKind::Loop { name, init, until, max, with, body } => {
                let checked = self.loop_form((name, init), until, max.as_deref(), body, span, want);
                self.with_policy(checked, with.as_ref(), Owner::Block)
            }
            ExprKind::Seq { with, body } => {
                let checked = self.block(body, want);
                let checked = checked.map(|body| node_of(body, span, ir::ExprKind::Seq));
                self.with_policy(checked, with.as_ref(), Owner::Block)
            }
            ExprKind::Phase { name, with, body } => {
                let checked = self.block(body, want);
                let name = Arc::from(&*name.name);
                let checked = checked.map(|body| node_of(body, span, |body| ir::ExprKind::Phase(name, body)));
                self.with_policy(checked, with.as_ref(), Owner::Block)
            }
            ExprKind::Try { with, body, binding, handler } => {
                let checked = self.try_form(body, binding.as_ref(), handler, span, want);
                self.with_policy(checked, with.as_ref(), Owner::Block)
            }
            ExprKind::Postfix(base, postfix) => self.postfix(base, postfix, span, want),
            ExprKind::Race { with, arms } => {
                let checked = self.race_form(arms, None, span, want);
                self.with_policy(checked, with.as_ref(), Owner::Block)
            }
            ExprKind::Any { count, with, arms } => {
                let checked = self.race_form(arms, Some(count), span, want);
                self.with_policy(checked, with.as_ref(), Owner::Block)
            }
            ExprKind::Wait(time) => self.wait_time(time, span),
            ExprKind::Signal(name, ty) => self.wait_signal(name, ty.as_ref(), span),
            ExprKind::Message(topic, ty) => self.wait_message(topic, ty.as_ref(), span),
            ExprKind::Emit { topic, value } => self.emit(topic, value, span),
            ExprKind::Ask(name, args) => self.ask(name, args, span),
            ExprKind::RunPlan(args) => self.run_plan(args, span),
            // All others are dispatched before.
            _ => None,
        }
    }

    /// Puts a form under its own policy.
    fn with_policy(&mut self, checked: Option<ir::Expr>, with: Option<&With>, owner: Owner) -> Option<ir::Expr> {
        let Some(with) = with else { return checked };
        let policy = self.policy(Some(with), owner);
        let checked = checked?;
        let (ty, span) = (checked.ty.clone(), checked.span);
        Some(node(ir::ExprKind::With(Box::new(checked), Box::new(policy)), ty, span))
    }

    // Choices.

    fn if_form(&mut self, arms: &[(Expr, Block)], otherwise: Option<&Block>, span: Span, want: Want<'_>) -> Option<ir::Expr> {
        // The tree that this gives is as deep as there are arms.
        if !self.enter(arms.len(), span) {
            return None;
        }
        let conditions: Vec<Option<ir::Expr>> =
            arms.iter().map(|(condition, _)| self.check(condition, &Type::Bool, Why::Condition("if"))).collect();
        self.constant_conditions(arms, otherwise);
        let mut bodies: Vec<(&Block, Vec<&str>)> = arms.iter().map(|(_, body)| (body, Vec::new())).collect();
        bodies.extend(otherwise.map(|body| (body, Vec::new())));
        let wanted = matches!(want, Want::Type(ty, _) if *ty != Type::Unit);
        let inner = if otherwise.is_none() && !wanted { Want::Discard } else { want };
        let (mut checked, ty) =
            self.arms(&bodies, inner, |flow, arm, want| bodies.get(arm).and_then(|(body, _)| flow.block(body, want)));
        self.leave(arms.len());
        if let (None, Want::Type(ty, _)) = (otherwise, want)
            && *ty != Type::Unit
        {
            self.g.report(types::missing_else(&ty.to_string(), span));
            return Some(broken(ty.clone(), span));
        }
        let ty = ty?;
        let mut rest = if otherwise.is_some() { Some(checked.pop().flatten()) } else { None };
        for (condition, body) in conditions.into_iter().zip(checked).rev() {
            let (Some(condition), Some(then), Some(otherwise)) = (condition, body, transposed(rest)) else {
                rest = Some(None);
                continue;
            };
            let at = condition.span.to(span);
            let whole = node(ir::ExprKind::If { condition: Box::new(condition), then, otherwise }, ty.clone(), at);
            rest = Some(Some(block_of(whole)));
        }
        let Some(Some(block)) = rest else { return Some(broken(ty, span)) };
        match block.statements.into_iter().next() {
            Some(ir::Statement::Value(whole) | ir::Statement::Do(whole)) => Some(ir::Expr { span, ..whole }),
            _ => None,
        }
    }

    /// Warns of branches that a constant condition keeps from running.
    fn constant_conditions(&mut self, arms: &[(Expr, Block)], otherwise: Option<&Block>) {
        for (index, (condition, body)) in arms.iter().enumerate() {
            let rest = arms.get(index + 1).map(|(_, body)| body).or(otherwise);
            match condition.kind {
                ExprKind::Bool(false) => self.g.report(say::unreachable_branch(false, body.span, condition.span)),
                ExprKind::Bool(true) => {
                    if let Some(rest) = rest {
                        self.g.report(say::unreachable_branch(true, rest.span, condition.span));
                    }
                    return;
                }
                _ => {}
            }
        }
    }

    fn match_form(&mut self, subject: &Expr, arms: &[MatchArm], span: Span, want: Want<'_>) -> Option<ir::Expr> {
        let subject = self.expr(subject, Want::Any);
        let bodies: Vec<(&Block, Vec<&str>)> = arms.iter().map(|arm| (&arm.body, bound_names(&arm.pattern))).collect();
        let mut heads: Vec<Option<(ir::Pattern, Option<ir::Expr>)>> = arms.iter().map(|_| None).collect();
        let (checked, ty) = self.arms(&bodies, want, |flow, index, want| {
            let arm = arms.get(index)?;
            flow.scoped(|flow| {
                let pattern = match &subject {
                    Some(subject) => flow.pattern(&arm.pattern, &subject.ty, subject.span),
                    None => {
                        flow.bind_all(&arm.pattern);
                        None
                    }
                };
                let guard = arm
                    .guard
                    .as_ref()
                    .map(|guard| flow.pure(Place::Guard, |flow| flow.check(guard, &Type::Bool, Why::Condition("if"))));
                if let (Some(slot), Some(pattern)) = (heads.get_mut(index), pattern)
                    && !matches!(guard, Some(None))
                {
                    *slot = Some((pattern, guard.flatten()));
                }
                flow.block(&arm.body, want)
            })
        });
        let whole = heads.into_iter().collect::<Option<Vec<_>>>();
        let (Some(subject), Some(heads)) = (subject, whole) else { return ty.map(|ty| broken(ty, span)) };
        self.coverage(&subject, arms, &heads);
        let ty = ty?;
        let Some(checked) = checked.into_iter().collect::<Option<Vec<_>>>() else { return Some(broken(ty, span)) };
        let arms = heads.into_iter().zip(checked).map(|((pattern, guard), body)| ir::Arm { pattern, guard, body }).collect();
        Some(node(ir::ExprKind::Match { subject: Box::new(subject), arms }, ty, span))
    }

    /// Whether the arms cover everything, and whether each is reached.
    fn coverage(&mut self, subject: &ir::Expr, arms: &[MatchArm], heads: &[(ir::Pattern, Option<ir::Expr>)]) {
        let heads: Vec<(&ir::Pattern, bool)> = heads.iter().map(|(pattern, guard)| (pattern, guard.is_some())).collect();
        let coverage = exhaustive::coverage(&subject.ty, &heads);
        for arm in coverage.unreachable.iter().filter_map(|index| arms.get(*index)) {
            self.g.report(say::unreachable_arm(arm.pattern.span));
        }
        if let Some(missing) = coverage.missing {
            self.g.report(say::not_exhaustive(&missing, subject.span));
        }
    }

    /// Checks bodies that must give one type. What is wanted decides it, or else the body that says most about it.
    pub(super) fn arms(
        &mut self,
        bodies: &[(&Block, Vec<&str>)],
        want: Want<'_>,
        mut check: impl FnMut(&mut Self, usize, Want<'_>) -> Option<ir::Block>,
    ) -> (Vec<Option<ir::Block>>, Option<Type>) {
        if !matches!(want, Want::Any) {
            let checked = (0..bodies.len()).map(|index| check(self, index, want)).collect();
            return (checked, Some(want.hint().cloned().unwrap_or(Type::Unit)));
        }
        let ending = bodies.iter().enumerate().filter(|(_, (body, _))| !diverges(body));
        let leader =
            ending.min_by_key(|(_, (body, names))| self.block_weakness(body, names)).map(|(index, (body, _))| (index, body.span));
        let Some((leader, at)) = leader else {
            let checked = (0..bodies.len()).map(|index| check(self, index, Want::Any)).collect();
            return (checked, Some(Type::Unit));
        };
        let mut first = check(self, leader, Want::Any);
        let ty = first.as_ref().map(|block| block.ty.clone());
        let at = bodies.get(leader).and_then(|(body, _)| body.statements.last()).map_or(at, |last| last.span);
        let mut checked = Vec::with_capacity(bodies.len());
        for index in 0..bodies.len() {
            let want = ty.as_ref().map_or(Want::Any, |ty| Want::Type(ty, Why::Arm(at)));
            checked.push(if index == leader { first.take() } else { check(self, index, want) });
        }
        (checked, ty)
    }

    fn block_weakness(&self, block: &Block, names: &[&str]) -> u8 {
        let Some(StatementKind::Expr(value)) = block.statements.last().map(|last| &last.kind) else { return 0 };
        let lets = block.statements.iter().filter_map(|statement| match &statement.kind {
            StatementKind::Let { name, .. } => Some(&*name.name),
            _ => None,
        });
        let names: Vec<&str> = names.iter().copied().chain(lets).collect();
        self.weakness_among(value, &names)
    }

    fn try_form(&mut self, body: &Block, name: Option<&Ident>, handler: &Block, span: Span, want: Want<'_>) -> Option<ir::Expr> {
        let failure = failure_type();
        let fallback = Ident { name: "_".into(), span: handler.span };
        let mut bound = None;
        let bodies = [(body, Vec::new()), (handler, name.map(|name| &*name.name).into_iter().collect())];
        let (checked, ty) = self.arms(&bodies, want, |flow, index, want| {
            if index == 0 {
                return flow.block(body, want);
            }
            flow.scoped(|flow| {
                bound = Some(flow.bind(name.unwrap_or(&fallback), Some(&failure), Origin::Other));
                flow.block(handler, want)
            })
        });
        let ty = ty?;
        let mut checked = checked.into_iter();
        let (Some(Some(body)), Some(Some(handler)), Some(binding)) = (checked.next(), checked.next(), bound) else {
            return Some(broken(ty, span));
        };
        Some(node(ir::ExprKind::Try { body, binding, handler }, ty, span))
    }

    // Repetition.

    fn map_form(&mut self, form: &MapForm<'_>, collect: bool, want: Want<'_>) -> Option<ir::Expr> {
        let list = self.expr(form.list, Want::Any);
        let item = self.item_type("map", list.as_ref());
        let inner = match want {
            Want::Discard => Want::Discard,
            _ => want.part(|ty| match ty {
                Type::List(item) if !collect => Some(&**item),
                Type::List(item) => {
                    if let Type::Result(Some(ok), _) = &**item {
                        Some(&**ok)
                    } else {
                        None
                    }
                }
                _ => None,
            }),
        };
        let (binding, body) = self.scoped(|flow| {
            let binding = flow.bind(form.name, item.as_ref(), Origin::Other);
            (binding, flow.repeated("map", |flow| flow.block(form.body, inner)))
        });
        let policy = form.with.map(|with| self.policy(Some(with), Owner::Map));
        let body = body?;
        let result = if collect {
            let ok = if body.ty == Type::Unit { None } else { Some(Arc::new(body.ty.clone())) };
            Type::Result(ok, Some(Arc::new(failure_type())))
        } else {
            body.ty.clone()
        };
        let (ty, span) = (Type::list(result), form.span);
        let (Some(list), Some(_)) = (list, item) else { return Some(broken(ty, span)) };
        let checked = node(ir::ExprKind::Map { binding, list: Box::new(list), body }, ty.clone(), span);
        Some(match policy {
            Some(policy) => node(ir::ExprKind::With(Box::new(checked), Box::new(policy)), ty, span),
            None => checked,
        })
    }

    fn fold_form(
        &mut self,
        acc: (&Ident, &Expr),
        item: (&Ident, &Expr),
        body: &Block,
        span: Span,
        want: Want<'_>,
    ) -> Option<ir::Expr> {
        let list = self.expr(item.1, Want::Any);
        let item_ty = self.item_type("reduce", list.as_ref());
        let items = (item.0, item_ty.as_ref());
        let init = self.first_value(acc, Some(items), body, want);
        let ty = init.as_ref().map(|init| init.ty.clone());
        let (bindings, body) = self.scoped(|flow| {
            let acc = flow.bind(acc.0, ty.as_ref(), Origin::Other);
            let binding = flow.bind(item.0, item_ty.as_ref(), Origin::Other);
            ((acc, binding), flow.next_value("reduce", body, init.as_ref()))
        });
        let ty = ty?;
        let (Some(init), Some(list), Some(_), Some(body)) = (init, list, item_ty, body) else { return Some(broken(ty, span)) };
        let kind = ir::ExprKind::Fold { acc: bindings.0, init: Box::new(init), binding: bindings.1, list: Box::new(list), body };
        Some(node(kind, ty, span))
    }

    /// The first value of a loop or fold, whose type all later ones have. A number literal takes the type that the body gives.
    fn first_value(
        &mut self,
        value: (&Ident, &Expr),
        item: Option<(&Ident, Option<&Type>)>,
        body: &Block,
        want: Want<'_>,
    ) -> Option<ir::Expr> {
        if let Want::Type(ty, why) = want {
            return self.check(value.1, ty, why);
        }
        let ty =
            if matches!(self.weakness(value.1), 1 | 2) { self.trial(|flow| flow.given_type(value.0, item, body)) } else { None };
        match ty {
            Some(ty) if ty.is_number() => self.expr(value.1, Want::Type(&ty, Why::Plain)),
            _ => self.expr(value.1, Want::Any),
        }
    }

    /// What a body gives when the type of its value is not known yet.
    fn given_type(&mut self, value: &Ident, item: Option<(&Ident, Option<&Type>)>, body: &Block) -> Option<Type> {
        self.scoped(|flow| {
            flow.bind(value, None, Origin::Other);
            if let Some((name, ty)) = item {
                flow.bind(name, ty, Origin::Other);
            }
            flow.repeated("loop", |flow| flow.block(body, Want::Any)).map(|body| body.ty)
        })
    }

    /// A body that gives the next value.
    fn next_value(&mut self, form: &'static str, body: &Block, init: Option<&ir::Expr>) -> Option<ir::Block> {
        self.repeated(form, |flow| match init {
            Some(init) => flow.block(body, Want::Type(&init.ty, Why::Accumulator(init.span))),
            None => flow.block(body, Want::Any),
        })
    }

    fn tree_form(&mut self, names: (&Ident, &Ident), list: &Expr, body: &Block, span: Span) -> Option<ir::Expr> {
        let list = self.expr(list, Want::Any);
        let item = self.item_type("reduce", list.as_ref());
        let at = list.as_ref().map_or(span, |list| list.span);
        let (bindings, body) = self.scoped(|flow| {
            let left = flow.bind(names.0, item.as_ref(), Origin::Other);
            let right = flow.bind(names.1, item.as_ref(), Origin::Other);
            let body = flow.repeated("reduce", |flow| match &item {
                Some(item) => flow.block(body, Want::Type(item, Why::First(at))),
                None => flow.block(body, Want::Any),
            });
            ((left, right), body)
        });
        let ty = item?;
        let (Some(list), Some(body)) = (list, body) else { return Some(broken(ty, span)) };
        Some(node(ir::ExprKind::Tree { left: bindings.0, right: bindings.1, list: Box::new(list), body }, ty, span))
    }

    fn loop_form(
        &mut self,
        value: (&Ident, &Expr),
        until: &Expr,
        max: Option<&Expr>,
        body: &Block,
        span: Span,
        want: Want<'_>,
    ) -> Option<ir::Expr> {
        let init = self.first_value(value, None, body, want);
        let bound = match max {
            Some(max) => self.check(max, &Type::U32, Why::Setting("max")),
            None => {
                self.g.report(say::loop_without_bound(value.0.span));
                None
            }
        };
        self.at_least_one("`max`", bound.as_ref());
        let ty = init.as_ref().map(|init| init.ty.clone());
        let (binding, until, body) = self.scoped(|flow| {
            let binding = flow.bind(value.0, ty.as_ref(), Origin::Other);
            let until = flow.check(until, &Type::Bool, Why::Condition("until"));
            (binding, until, flow.next_value("loop", body, init.as_ref()))
        });
        let ty = ty?;
        let (Some(init), Some(until), Some(max), Some(body)) = (init, until, bound, body) else { return Some(broken(ty, span)) };
        let kind = ir::ExprKind::Loop { binding, init: Box::new(init), until: Box::new(until), max: Box::new(max), body };
        Some(node(kind, ty, span))
    }

    /// Reports a literal zero.
    pub(super) fn at_least_one(&mut self, what: &str, checked: Option<&ir::Expr>) {
        if let Some(ir::Expr { kind: ir::ExprKind::Const(Value::U32(0) | Value::U64(0) | Value::Duration(0)), span, .. }) =
            checked
        {
            self.g.report(say::zero_bound(what, *span));
        }
    }

    // What is attached.

    fn postfix(&mut self, base: &Expr, postfix: &Postfix, span: Span, want: Want<'_>) -> Option<ir::Expr> {
        let word = match postfix {
            Postfix::With(_) => "with",
            Postfix::Else(_) => "else",
            Postfix::After(_) => "after",
            Postfix::Undo { .. } => "undo",
        };
        let before = (self.steps, self.g.errors);
        let named = self.named.take();
        let hand_on = |written: &Expr| named.clone().filter(|_| matches!(written.kind, ExprKind::Postfix(..)));
        self.named = hand_on(base);
        let checked = match (postfix, &base.kind) {
            (Postfix::With(with), ExprKind::Map { name, list, with: own, body }) if collects(with) => {
                self.map_form(&MapForm { name, list, with: own.as_ref(), body, span: base.span }, true, want)
            }
            _ => self.expr(base, want),
        };
        if !self.attachable(base, self.steps > before.0) && self.g.errors == before.1 {
            self.g.report(say::attached(word, base.span));
        }
        match postfix {
            Postfix::With(with) => {
                let owner = self.owner(base);
                let policy = self.policy(Some(with), owner);
                let checked = checked?;
                let ty = checked.ty.clone();
                Some(node(ir::ExprKind::With(Box::new(checked), Box::new(policy)), ty, span))
            }
            Postfix::Else(fallback) => {
                self.named = hand_on(fallback);
                self.rescue(checked, fallback, span, want)
            }
            Postfix::After(names) => self.after(checked, names, span),
            Postfix::Undo { always, compensation } => {
                let undo = Undo { base, always: *always, compensation, named };
                self.undo(checked, undo, span)
            }
        }
    }

    fn rescue(&mut self, checked: Option<ir::Expr>, fallback: &Expr, span: Span, want: Want<'_>) -> Option<ir::Expr> {
        let Some(checked) = checked else {
            self.visit(fallback);
            return None;
        };
        let ty = checked.ty.clone();
        let other = match want {
            Want::Discard => self.expr(fallback, Want::Discard),
            // A conversion stands around the whole, so that the step itself is what is rescued.
            Want::Type(wanted, why) if ty != *wanted && converts(&ty, wanted, why) => {
                self.check(fallback, &ty, Why::Fallback(checked.span))
            }
            Want::Type(wanted, why) => {
                let first = self.coerce(checked, wanted, why);
                let Some(other) = self.check(fallback, wanted, why) else { return Some(broken(wanted.clone(), span)) };
                return Some(node(ir::ExprKind::Rescue(Box::new(first), Box::new(other)), wanted.clone(), span));
            }
            Want::Any if ty == Type::Unit => self.expr(fallback, Want::Discard),
            Want::Any => self.check(fallback, &ty, Why::Fallback(checked.span)),
        };
        let Some(other) = other else { return Some(broken(ty, span)) };
        let ty = if other.ty == ty { ty } else { Type::Unit };
        Some(node(ir::ExprKind::Rescue(Box::new(checked), Box::new(other)), ty, span))
    }

    fn after(&mut self, checked: Option<ir::Expr>, names: &[Ident], span: Span) -> Option<ir::Expr> {
        let mut bindings = Vec::new();
        for name in names {
            match self.find(&name.name) {
                Some(_) if self.refuse_generic(name) => {}
                Some(binding) => {
                    self.use_binding(binding);
                    bindings.push(binding);
                }
                None => {
                    let known = self.names_in_scope();
                    let close = self.g.suggestions.closest(&name.name, &known);
                    let diagnostic = say::after_expression(&[&name.name], name.span);
                    self.g.report(match close {
                        Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
                        None => diagnostic,
                    });
                }
            }
        }
        let checked = checked?;
        let ty = checked.ty.clone();
        Some(node(ir::ExprKind::After(Box::new(checked), bindings), ty, span))
    }

    /// Whether something can be attached: steps and structured forms.
    pub(super) fn attachable(&self, written: &Expr, has_steps: bool) -> bool {
        match &written.kind {
            ExprKind::Error => true,
            ExprKind::Call(callee, _) => self.is_step(callee),
            ExprKind::If { .. } | ExprKind::Match { .. } => has_steps,
            ExprKind::Postfix(base, _) => self.attachable(base, has_steps),
            _ => impure_form(written).is_some(),
        }
    }

    /// Whether a call of this is a step or a flow. Unknown names count: they are reported themselves.
    fn is_step(&self, callee: &Expr) -> bool {
        let is_type = |name: &Ident| {
            self.g
                .files
                .get(self.file)
                .and_then(|names| names.get(&name.name))
                .is_some_and(|found| matches!(found.target, Target::Type(_)))
        };
        match &callee.kind {
            ExprKind::Name(name) => !library::is_reserved(&name.name) && !is_type(name),
            ExprKind::Field(base, _) => !matches!(&base.kind, ExprKind::Name(name) if is_type(name)),
            _ => true,
        }
    }

    /// What a `with` after an expression belongs to.
    fn owner(&mut self, written: &Expr) -> Owner {
        match &written.kind {
            ExprKind::Call(callee, _) => match &callee.kind {
                ExprKind::Name(name) if self.names_flow(name) => Owner::Call,
                ExprKind::Name(_) => Owner::Block,
                _ => Owner::Step,
            },
            ExprKind::Map { .. } => Owner::Map,
            ExprKind::Wait(_) | ExprKind::Signal(..) | ExprKind::Message(..) => Owner::Wait,
            ExprKind::Emit { .. } => Owner::Emit,
            ExprKind::Ask(..) => Owner::Ask,
            ExprKind::RunPlan(_) => Owner::Plan,
            ExprKind::Postfix(base, _) => self.owner(base),
            _ => Owner::Block,
        }
    }

    /// Whether a name is that of a flow, or of a parameter that takes one.
    fn names_flow(&mut self, name: &Ident) -> bool {
        let parameter = matches!(self.generic(&name.name), Some((_, Generic::Flow(_))));
        parameter || matches!(self.g.lookup(self.file, &name.name).map(|found| found.target), Some(Target::Flow(_)))
    }
}

fn node_of(body: ir::Block, span: Span, kind: impl FnOnce(ir::Block) -> ir::ExprKind) -> ir::Expr {
    let ty = body.ty.clone();
    node(kind(body), ty, span)
}

fn block_of(value: ir::Expr) -> ir::Block {
    let (ty, span) = (value.ty.clone(), value.span);
    let statement = if ty == Type::Unit { ir::Statement::Do(value) } else { ir::Statement::Value(value) };
    ir::Block { statements: vec![statement], ty, span }
}

/// The outer none: it was not written. The inner none: an error that was reported.
#[expect(clippy::option_option, reason = "absent, broken and present are three things")]
pub(super) fn transposed<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    match part {
        None => Some(None),
        Some(part) => part.map(Some),
    }
}
