//! Steps and structured forms: each becomes a node.

use catalog::{Name, Type, Value};
use grammar::Span;

use crate::graph::{Draft, Facts, Gate};
use crate::ir::{self, BindingId, ExprKind, Policy};
use crate::lower::flow::{Adding, Closed, FlowLowering};
use crate::lower::undo::Compensation;
use crate::lower::{diagnostics, messages};
use crate::plan::{Arm, Budget, Child, Effect, Expr, NodeKind, PLAN_SOURCE, Target};
use crate::policy::Limit;

/// A form whose operands are lowered and which is not placed yet: what it reads is lifted to the region
/// that it is written in, also where the node itself goes into the body of a `try`.
pub(crate) struct Prepared<'p> {
    base: &'p ir::Expr,
    ty: &'p Type,
    /// Its own, outermost first.
    policies: Vec<&'p Policy>,
    after: Vec<BindingId>,
    undo: Option<Compensation<'p>>,
    head: Head<'p>,
}

enum Head<'p> {
    /// Arguments, conditions, lists, … in the order of the form.
    Operands(Vec<Expr>),
    /// `form else fallback`.
    Rescue(Box<Prepared<'p>>, &'p ir::Expr),
}

/// What [`FlowLowering::kind`] finds out about a node.
pub(crate) struct Built {
    pub(crate) kind: NodeKind,
    pub(crate) name: Name,
    pub(crate) facts: Facts,
    pub(crate) after: Vec<BindingId>,
    pub(crate) deadline: Option<Expr>,
}

/// How a node with these facts orders the others: where a `return` may end the flow, and where the flow waits or
/// sends, later effects wait.
pub(crate) fn gate_of(facts: Facts) -> Gate {
    if facts.returns || facts.gate { Gate::Effects } else { Gate::No }
}

impl<'p> FlowLowering<'p, '_> {
    /// Adds the node of a step or structured form and gives its result.
    pub(crate) fn form(&mut self, expr: &'p ir::Expr, hint: Option<&Name>) -> Expr {
        let prepared = self.prepare(expr);
        self.place(prepared, hint, false)
    }

    fn prepare(&mut self, expr: &'p ir::Expr) -> Prepared<'p> {
        let mut base = expr;
        let (mut policies, mut after, mut undo) = (Vec::new(), Vec::new(), None);
        loop {
            match &base.kind {
                ExprKind::With(inner, policy) => {
                    policies.push(&**policy);
                    base = inner;
                }
                ExprKind::After(inner, names) => {
                    after.extend_from_slice(names);
                    base = inner;
                }
                ExprKind::Undo { base: inner, binding, always, compensation } => {
                    undo = Some(Compensation { binding: *binding, always: *always, body: compensation });
                    base = inner;
                }
                _ => break,
            }
        }
        let head = match &base.kind {
            ExprKind::Rescue(inner, fallback) => Head::Rescue(Box::new(self.prepare(inner)), fallback),
            _ => Head::Operands(self.operands(base)),
        };
        Prepared { base, ty: &expr.ty, policies, after, undo, head }
    }

    fn operands(&mut self, base: &'p ir::Expr) -> Vec<Expr> {
        match &base.kind {
            ExprKind::Call { args, .. }
            | ExprKind::Flow { args, .. }
            | ExprKind::Ask { args, .. }
            | ExprKind::RunPlan { args, .. } => self.exprs(args),
            ExprKind::If { condition, .. } => vec![self.expr(condition, None)],
            ExprKind::Match { subject, .. } => vec![self.expr(subject, None)],
            ExprKind::Map { list, .. } | ExprKind::Tree { list, .. } => vec![self.expr(list, None)],
            ExprKind::Fold { init, list, .. } => vec![self.expr(init, None), self.expr(list, None)],
            ExprKind::Race { wanted, .. } => wanted.iter().map(|wanted| self.expr(wanted, None)).collect(),
            ExprKind::Loop { init, max, .. } => vec![self.expr(init, None), self.expr(max, None)],
            ExprKind::Wait(operand) | ExprKind::Message(operand) => vec![self.expr(operand, None)],
            ExprKind::Emit { topic, value } => vec![self.expr(topic, None), self.expr(value, None)],
            _ => Vec::new(),
        }
    }

    /// Adds the node; `rescued` when an `else` takes its failures.
    fn place(&mut self, prepared: Prepared<'p>, hint: Option<&Name>, rescued: bool) -> Expr {
        let own = self.layers.len();
        for policy in &prepared.policies {
            self.enter(policy);
        }
        let Prepared { base, ty, policies, mut after, undo, head } = prepared;
        let built = match head {
            Head::Rescue(inner, fallback) => self.rescue(*inner, fallback),
            Head::Operands(operands) => self.kind(base, operands, own, rescued),
        };
        let own_limits = |limit: Limit| policies.iter().filter_map(move |policy| limit.of(policy));
        let is_call = matches!(built.kind, NodeKind::Call(_));
        let deadline = match &built.kind {
            NodeKind::Call(_) => built.deadline,
            NodeKind::Wait(_) | NodeKind::Emit { .. } => self.least(messages::bounds(&policies).into_iter()),
            _ => self.least(own_limits(Limit::Deadline)),
        };
        let parallel = if is_call { None } else { self.least(own_limits(Limit::Parallel)) };
        let budget = self.budget_of(&built.kind, &policies, base.span);
        self.layers.truncate(own);
        after.extend(built.after);
        let gate = if matches!(base.kind, ExprKind::Phase(..)) { Gate::Phase } else { gate_of(built.facts) };
        let mut facts = built.facts;
        let undo = undo.map(|undo| self.undo(&undo, &mut facts, &mut after));
        let name = hint.cloned().unwrap_or(built.name);
        let mut draft = Draft::new(collecting(built.kind, &policies), name, base.span, ty.clone());
        draft.deadline = deadline;
        draft.parallel = parallel;
        draft.budget = budget;
        draft.undo = undo;
        self.add(Adding { draft, facts, gate, after })
    }

    /// What all in the node may use together. A plan that is made at run time must have a bound.
    fn budget_of(&mut self, kind: &NodeKind, policies: &[&'p Policy], at: Span) -> Budget {
        match kind {
            NodeKind::Call(call) if !matches!(call.target, Target::Plan(_)) => Budget::default(),
            NodeKind::Call(_) => {
                let budget = self.budget(policies);
                if budget.is_empty() {
                    self.report.push(diagnostics::plan_budget(at));
                }
                budget
            }
            _ => self.budget(policies),
        }
    }

    /// `form else fallback`: a `try` around the one node.
    fn rescue(&mut self, mut inner: Prepared<'p>, fallback: &'p ir::Expr) -> Built {
        let open = self.open_regions();
        self.open(0, false);
        self.bring_prepared(&mut inner, open);
        let result = self.place(inner, None, true);
        let body = self.close(result);
        let handler = self.expr_child(1, None, fallback);
        self.attempt(body, handler)
    }

    fn attempt(&mut self, body: Closed, handler: Closed) -> Built {
        built("try", [body, handler], |[body, handler]| NodeKind::Try { body, handler })
    }

    fn bring_prepared(&mut self, prepared: &mut Prepared<'p>, open: usize) {
        match &mut prepared.head {
            Head::Operands(operands) => {
                for operand in operands {
                    let outer = std::mem::replace(operand, Expr::Const(Value::Unit));
                    *operand = self.bring(outer, open);
                }
            }
            Head::Rescue(inner, _) => self.bring_prepared(inner, open),
        }
    }

    fn kind(&mut self, base: &'p ir::Expr, operands: Vec<Expr>, own: usize, rescued: bool) -> Built {
        let mut operands = operands.into_iter();
        let mut operand = || operands.next().unwrap_or(Expr::Const(Value::Unit));
        match &base.kind {
            ExprKind::Call { function, through, name, args } => {
                let built = self.call(Target::Function(*function), operands.collect(), through, own, (name, base.span));
                self.warn_of_folders(*function, args, &built, name);
                built
            }
            ExprKind::Ask { role, through, .. } => {
                let name = self.program.roles.get(*role).map_or_else(|| "ask".into(), |role| role.name.clone());
                self.call(Target::Role(*role), operands.collect(), through, own, (&name, base.span))
            }
            ExprKind::RunPlan { plan, through, .. } => {
                let built = self.call(Target::Plan(*plan), operands.collect(), through, own, (&PLAN_SOURCE.into(), base.span));
                // A part of a path has no space.
                Built { name: "plan".into(), ..built }
            }
            ExprKind::Flow { flow, args } => self.flow_call(*flow, operands.collect(), args, base.span),
            ExprKind::If { then, otherwise, .. } => self.branch(operand(), then, otherwise.as_ref()),
            ExprKind::Match { arms, .. } => self.choice(operand(), base, arms),
            ExprKind::Map { binding, list, body } => {
                self.trace(*binding, list);
                let body = self.child(&[*binding], body, false);
                built("map", [body], |[body]| NodeKind::Map { list: operand(), body, collect: false })
            }
            ExprKind::Fold { acc, binding, list, body, .. } => {
                self.trace(*acc, base);
                self.trace(*binding, list);
                let body = self.child(&[*acc, *binding], body, false);
                built("reduce", [body], |[body]| NodeKind::Fold { init: operand(), list: operand(), body })
            }
            ExprKind::Tree { left, right, body, .. } => {
                self.trace(*left, base);
                self.trace(*right, base);
                let body = self.child(&[*left, *right], body, false);
                built("reduce", [body], |[body]| NodeKind::Tree { list: operand(), body })
            }
            ExprKind::Loop { .. } => {
                let (init, max) = (operand(), operand());
                self.repeat(base, init, max, rescued)
            }
            ExprKind::Seq(body) => {
                let body = self.child(&[], body, true);
                built("seq", [body], |[body]| NodeKind::Block { body })
            }
            ExprKind::Phase(name, body) => {
                let body = self.child(&[], body, false);
                built(name, [body], |[body]| NodeKind::Block { body })
            }
            ExprKind::Try { body, binding, handler } => {
                let body = self.child(&[], body, false);
                let handler = self.child(&[*binding], handler, false);
                self.attempt(body, handler)
            }
            ExprKind::Race { arms, wanted } => {
                let wanted = wanted.is_some().then(operand);
                self.race(arms, wanted)
            }
            ExprKind::Wait(_) | ExprKind::Signal(_) | ExprKind::Message(_) | ExprKind::Emit { .. } => {
                messages::node(base, operand(), operand())
            }
            _ => {
                let body = self.expr_child(0, None, base);
                built("block", [body], |[body]| NodeKind::Block { body })
            }
        }
    }

    fn branch(&mut self, condition: Expr, then: &'p ir::Block, otherwise: Option<&'p ir::Block>) -> Built {
        let then = self.child(&[], then, false);
        match otherwise {
            Some(otherwise) => {
                let otherwise = self.child(&[], otherwise, false);
                let kind = |[then, otherwise]: [Child; 2]| NodeKind::If { condition, then, otherwise: Some(otherwise) };
                built("if", [then, otherwise], kind)
            }
            None => built("if", [then], |[then]| NodeKind::If { condition, then, otherwise: None }),
        }
    }

    fn choice(&mut self, subject: Expr, base: &'p ir::Expr, arms: &'p [ir::Arm]) -> Built {
        let mut facts = Facts::NONE;
        let mut after = Vec::new();
        let mut lowered = Vec::with_capacity(arms.len());
        for arm in arms {
            let (pattern, guard, bound) = self.guarded(arm);
            if let ExprKind::Match { subject, .. } = &base.kind {
                bound.iter().for_each(|binding| self.trace(*binding, subject));
            }
            let body = self.child(&bound, &arm.body, false);
            facts = facts.and(body.facts);
            after.extend(body.after);
            lowered.push(Arm { pattern, guard, body: body.child });
        }
        Built { kind: NodeKind::Match { subject, arms: lowered }, name: "match".into(), facts, after, deadline: None }
    }

    fn race(&mut self, arms: &'p [ir::Block], wanted: Option<Expr>) -> Built {
        let name = if wanted.is_some() { "any" } else { "race" };
        let (mut facts, mut after) = (Facts::NONE, Vec::new());
        let arms = arms.iter().map(|arm| {
            let arm = self.child(&[], arm, false);
            facts = facts.and(arm.facts);
            after.extend(arm.after);
            arm.child
        });
        let kind = NodeKind::Race { arms: arms.collect(), wanted };
        Built { kind, name: name.into(), facts, after, deadline: None }
    }

    fn repeat(&mut self, base: &'p ir::Expr, init: Expr, max: Expr, rescued: bool) -> Built {
        let ExprKind::Loop { binding, until, body, .. } = &base.kind else {
            return built("loop", [], |[]| NodeKind::Value(init));
        };
        self.trace(*binding, base);
        let until = self.expr_child(1, Some(*binding), until);
        let body = self.child(&[*binding], body, false);
        if !rescued {
            return built("loop", [until, body], |[until, body]| NodeKind::Loop { init, until, body, max, exhausted: None });
        }
        let exhausted = self.exhausted(base.span);
        built("loop", [until, body, exhausted], |[until, body, exhausted]| NodeKind::Loop {
            init,
            until,
            body,
            max,
            exhausted: Some(exhausted),
        })
    }

    /// At the bound, a loop with an `else` fails, so that its fallback runs once and in one place.
    fn exhausted(&mut self, span: Span) -> Closed {
        self.open(1, false);
        let kind = NodeKind::Require {
            condition: Expr::Const(Value::Bool(false)),
            message: Expr::Const(Value::string("the loop reached its bound and the `until` does not hold")),
            details: None,
        };
        let facts = Facts { risky: true, ..Facts::NONE };
        let draft = Draft::new(kind, "exhausted".into(), span, Type::Unit);
        self.add(Adding { draft, facts, gate: Gate::Effects, after: Vec::new() });
        self.close(Expr::Const(Value::Unit))
    }
}

/// A structured node of these children.
fn built<const N: usize>(name: &str, children: [Closed; N], kind: impl FnOnce([Child; N]) -> NodeKind) -> Built {
    let mut facts = Facts { effect: Effect::Pure, ..Facts::NONE };
    let mut after = Vec::new();
    let children = children.map(|closed| {
        facts = facts.and(closed.facts);
        after.extend(closed.after);
        closed.child
    });
    Built { kind: kind(children), name: name.into(), facts, after, deadline: None }
}

/// A map as its `on_error` says.
fn collecting(kind: NodeKind, policies: &[&Policy]) -> NodeKind {
    match kind {
        NodeKind::Map { list, body, .. } => {
            let collect = policies.iter().rev().find_map(|policy| policy.collect).unwrap_or(false);
            NodeKind::Map { list, body, collect }
        }
        other => other,
    }
}
