//! Expressions: pure ones become plan expressions, steps in them are lifted to nodes.

use catalog::{Name, Type, Value};

use crate::eval;
use crate::graph::Draft;
use crate::ir::{self, BindingId, Block, ExprKind, Statement};
use crate::lower::flow::{Adding, FlowLowering};
use crate::lower::form::gate_of;
use crate::lower::{diagnostics, facts, walk};
use crate::plan::{Arm, Child, Expr, NodeKind, Pattern, Slot};

/// Expressions nested deeper than this are refused, so that no walk over a plan runs out of stack.
const MOST_DEPTH: u32 = 600;

/// Which short-circuit operator a branch comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shortcut {
    And,
    Or,
    Coalesce,
}

impl<'p> FlowLowering<'p, '_> {
    /// The value of an expression over the current region's frame. `hint` names the node that it ends in.
    pub(crate) fn expr(&mut self, expr: &'p ir::Expr, hint: Option<&Name>) -> Expr {
        if self.depth >= MOST_DEPTH {
            self.report.push(diagnostics::too_deep(expr.span));
            return Expr::Const(Value::Unit);
        }
        self.depth += 1;
        let lowered = self.expr_within(expr, hint);
        self.depth -= 1;
        lowered
    }

    fn boxed(&mut self, expr: &'p ir::Expr) -> Box<Expr> {
        Box::new(self.expr(expr, None))
    }

    fn payload(&mut self, expr: Option<&'p ir::Expr>) -> Option<Box<Expr>> {
        expr.map(|expr| self.boxed(expr))
    }

    pub(crate) fn exprs(&mut self, exprs: &'p [ir::Expr]) -> Vec<Expr> {
        exprs.iter().map(|expr| self.expr(expr, None)).collect()
    }

    fn expr_within(&mut self, expr: &'p ir::Expr, hint: Option<&Name>) -> Expr {
        match &expr.kind {
            ExprKind::Const(value) => Expr::Const(value.clone()),
            ExprKind::Binding(binding) => self.resolve(*binding),
            ExprKind::Field(base, name) => Expr::Field(self.boxed(base), name.clone()),
            ExprKind::TupleField(base, index) => Expr::TupleField(self.boxed(base), *index),
            ExprKind::Index(list, index) => Expr::Index(self.boxed(list), self.boxed(index)),
            ExprKind::Not(operand) => Expr::Not(self.boxed(operand)),
            ExprKind::Neg(operand) => Expr::Neg(self.boxed(operand)),
            ExprKind::Binary(operator, left, right) => Expr::Binary(*operator, self.boxed(left), self.boxed(right)),
            ExprKind::And(left, right) => self.shortcut(Shortcut::And, expr, left, right, hint),
            ExprKind::Or(left, right) => self.shortcut(Shortcut::Or, expr, left, right, hint),
            ExprKind::Coalesce(left, right) => self.shortcut(Shortcut::Coalesce, expr, left, right, hint),
            ExprKind::List(items) => Expr::List(item_type(&expr.ty), self.exprs(items)),
            ExprKind::Tuple(items) => Expr::Tuple(self.exprs(items)),
            ExprKind::Record(fields) => {
                Expr::Record(fields.iter().map(|(name, value)| (name.clone(), self.expr(value, None))).collect())
            }
            ExprKind::Variant(name, payload) => Expr::Variant(name.clone(), self.payload(payload.as_deref())),
            ExprKind::Some(value) => Expr::Some(self.boxed(value)),
            ExprKind::Ok(value) => Expr::Ok(self.payload(value.as_deref())),
            ExprKind::Err(value) => Expr::Err(self.payload(value.as_deref())),
            ExprKind::Text(parts) => Expr::Text(self.exprs(parts)),
            ExprKind::Convert(value) => Expr::Convert(self.boxed(value), expr.ty.clone()),
            ExprKind::Library(function, args) => {
                let mut args = self.exprs(args);
                // An empty list does not tell the type of its sum.
                args.extend(eval::of_nothing(*function, &expr.ty).map(Expr::Const));
                Expr::Library(*function, args)
            }
            ExprKind::Comprehension { binding, list, condition, element } => {
                let list = self.boxed(list);
                self.with_local(*binding, |this| {
                    let condition = this.payload(condition.as_deref());
                    let (element, ty) = (this.boxed(element), element.ty.clone());
                    Expr::Comprehension { list, condition, element, ty }
                })
            }
            ExprKind::SortBy { list, binding, key } => {
                let list = self.boxed(list);
                self.with_local(*binding, |this| Expr::SortBy(list, this.boxed(key)))
            }
            ExprKind::If { condition, then, otherwise } if simple_blocks([then].into_iter().chain(otherwise)) => {
                let condition = self.boxed(condition);
                let then = Box::new(self.inline(&then.statements));
                let otherwise = otherwise.as_ref().map_or(Expr::Const(Value::Unit), |block| self.inline(&block.statements));
                Expr::If(condition, then, Box::new(otherwise))
            }
            ExprKind::Match { subject, arms } if simple_blocks(arms.iter().map(|arm| &arm.body)) => {
                self.inline_match(subject, arms)
            }
            _ if self.locals > 0 => {
                self.report.push(diagnostics::misplaced_step(expr.span));
                Expr::Const(Value::Unit)
            }
            _ => self.form(expr, hint),
        }
    }

    fn with_local(&mut self, binding: BindingId, f: impl FnOnce(&mut Self) -> Expr) -> Expr {
        self.bind_local(binding, self.locals);
        self.locals += 1;
        let expr = f(self);
        self.locals -= 1;
        expr
    }

    /// A block of pure statements as one expression: a `let` is a match with one arm, so that its value is computed once.
    fn inline(&mut self, statements: &'p [Statement]) -> Expr {
        let Some((first, rest)) = statements.split_first() else { return Expr::Const(Value::Unit) };
        match first {
            Statement::Value(expr) => self.expr(expr, None),
            Statement::Let(binding, expr) => {
                let value = self.expr(expr, None);
                if walk::is_trivial(&value) {
                    self.bind(*binding, value);
                    return self.inline(rest);
                }
                let rest = self.with_local(*binding, |this| this.inline(rest));
                Expr::Match(Box::new(value), vec![(Pattern::Bind, None, rest)])
            }
            Statement::Do(expr) => {
                let value = self.expr(expr, None);
                let rest = self.inline(rest);
                if walk::cannot_fail(&value) { rest } else { Expr::Match(Box::new(value), vec![(Pattern::Any, None, rest)]) }
            }
            Statement::Require { span, .. } | Statement::Return(_, span) => {
                self.report.push(diagnostics::misplaced_step(*span));
                Expr::Const(Value::Unit)
            }
        }
    }

    fn inline_match(&mut self, subject: &'p ir::Expr, arms: &'p [ir::Arm]) -> Expr {
        let subject = self.boxed(subject);
        let outer = self.locals;
        let mut lowered = Vec::with_capacity(arms.len());
        for arm in arms {
            let (pattern, bound) = pattern(&arm.pattern);
            self.bind_locals(&bound);
            let guard = arm.guard.as_ref().map(|guard| self.expr(guard, None));
            lowered.push((pattern, guard, self.inline(&arm.body.statements)));
            self.locals = outer;
        }
        Expr::Match(subject, lowered)
    }

    fn bind_locals(&mut self, bindings: &[BindingId]) {
        for binding in bindings {
            self.bind_local(*binding, self.locals);
            self.locals += 1;
        }
    }

    /// A pattern whose names become locals.
    pub(crate) fn bind_pattern(&mut self, written: &ir::Pattern) -> Pattern {
        let (pattern, bound) = pattern(written);
        self.bind_locals(&bound);
        pattern
    }

    /// The pattern and guard of an arm whose body is a region, and what the pattern binds.
    pub(crate) fn guarded(&mut self, arm: &'p ir::Arm) -> (Pattern, Option<Expr>, Vec<BindingId>) {
        let (pattern, bound) = pattern(&arm.pattern);
        let outer = self.locals;
        self.bind_locals(&bound);
        let guard = arm.guard.as_ref().map(|guard| self.expr(guard, None));
        self.locals = outer;
        (pattern, guard, bound)
    }

    /// `and`, `or`, `??`: the right side becomes a branch when it runs anything.
    fn shortcut(
        &mut self,
        which: Shortcut,
        whole: &'p ir::Expr,
        left: &'p ir::Expr,
        right: &'p ir::Expr,
        hint: Option<&Name>,
    ) -> Expr {
        // `a ?? b` with two options is an option: it gives `a` itself.
        let stays_option = whole.ty == left.ty;
        let left = self.expr(left, None);
        if facts::is_simple(right) {
            let (left, right) = (Box::new(left), self.boxed(right));
            return match which {
                Shortcut::And => Expr::And(left, right),
                Shortcut::Or => Expr::Or(left, right),
                Shortcut::Coalesce if stays_option => {
                    let present = Expr::Local(self.locals);
                    Expr::Match(left, vec![(Pattern::None, None, *right), (Pattern::Bind, None, present)])
                }
                Shortcut::Coalesce => Expr::Coalesce(left, right),
            };
        }
        if self.locals > 0 {
            self.report.push(diagnostics::misplaced_step(right.span));
            return left;
        }
        let branch = self.expr_child(0, None, right);
        let (facts, after) = (branch.facts, branch.after);
        let (kind, word) = match which {
            Shortcut::And => {
                let shortcut = self.const_child(0, Expr::Const(Value::Bool(false)));
                (NodeKind::If { condition: left, then: branch.child, otherwise: Some(shortcut.child) }, "and")
            }
            Shortcut::Or => {
                let shortcut = self.const_child(0, Expr::Const(Value::Bool(true)));
                (NodeKind::If { condition: left, then: shortcut.child, otherwise: Some(branch.child) }, "or")
            }
            Shortcut::Coalesce => {
                let present = self.const_child(1, Expr::Slot(Slot(0)));
                let arms = if stays_option {
                    vec![arm(Pattern::None, branch.child), arm(Pattern::Bind, present.child)]
                } else {
                    vec![arm(Pattern::Some(Box::new(Pattern::Bind)), present.child), arm(Pattern::None, branch.child)]
                };
                (NodeKind::Match { subject: left, arms }, "else")
            }
        };
        let name = hint.cloned().unwrap_or_else(|| word.into());
        let draft = Draft::new(kind, name, whole.span, whole.ty.clone());
        self.add(Adding { draft, facts, gate: gate_of(facts), after })
    }
}

fn arm(pattern: Pattern, body: Child) -> Arm {
    Arm { pattern, guard: None, body }
}

fn simple_blocks<'b>(blocks: impl IntoIterator<Item = &'b Block>) -> bool {
    blocks.into_iter().all(facts::is_simple_block)
}

fn item_type(list: &Type) -> Type {
    match list {
        Type::List(item) => (**item).clone(),
        _ => Type::Unit,
    }
}

/// A pattern, and what it binds in the order written.
fn pattern(pattern: &ir::Pattern) -> (Pattern, Vec<BindingId>) {
    let mut bound = Vec::new();
    let pattern = pattern_into(pattern, &mut bound);
    (pattern, bound)
}

fn pattern_into(pattern: &ir::Pattern, bound: &mut Vec<BindingId>) -> Pattern {
    let mut boxed = |inner: &Option<Box<ir::Pattern>>| inner.as_ref().map(|inner| Box::new(pattern_into(inner, bound)));
    match pattern {
        ir::Pattern::Any => Pattern::Any,
        ir::Pattern::Bind(binding) => {
            bound.push(*binding);
            Pattern::Bind
        }
        ir::Pattern::Literal(value) => Pattern::Literal(value.clone()),
        ir::Pattern::Variant(name, inner) => Pattern::Variant(name.clone(), boxed(inner)),
        ir::Pattern::Enum(name) => Pattern::Enum(name.clone()),
        ir::Pattern::None => Pattern::None,
        ir::Pattern::Some(inner) => Pattern::Some(Box::new(pattern_into(inner, bound))),
        ir::Pattern::Ok(inner) => Pattern::Ok(boxed(inner)),
        ir::Pattern::Err(inner) => Pattern::Err(boxed(inner)),
        ir::Pattern::Tuple(members) => Pattern::Tuple(members.iter().map(|member| pattern_into(member, bound)).collect()),
        ir::Pattern::Record(fields) => {
            Pattern::Record(fields.iter().map(|(name, field)| (name.clone(), pattern_into(field, bound))).collect())
        }
    }
}
