//! Walks over the expressions of a plan.

use crate::plan::{
    Arm, Backoff, Cache, CallPlan, Expr, FlowPlan, Grant, LibraryFunction, NodeKind, Operator, Rules, Slot, UndoPlan, WaitPlan,
};

/// The parts of an expression, shared or to be changed: the patterns take the reference's own kind.
macro_rules! visit_parts {
    ($expr:ident, $f:ident) => {
        match $expr {
            Expr::Const(_) | Expr::Slot(_) | Expr::Local(_) => {}
            Expr::Field(a, _) | Expr::TupleField(a, _) | Expr::Not(a) | Expr::Neg(a) | Expr::Some(a) | Expr::Convert(a, _) => {
                $f(a);
            }
            Expr::Index(a, b)
            | Expr::Binary(_, a, b)
            | Expr::And(a, b)
            | Expr::Or(a, b)
            | Expr::Coalesce(a, b)
            | Expr::SortBy(a, b) => {
                $f(a);
                $f(b);
            }
            Expr::If(a, b, c) => {
                $f(a);
                $f(b);
                $f(c);
            }
            Expr::Match(subject, arms) => {
                $f(subject);
                for (_, guard, value) in arms {
                    guard.into_iter().for_each(&mut *$f);
                    $f(value);
                }
            }
            Expr::List(_, items) | Expr::Tuple(items) | Expr::Text(items) | Expr::Library(_, items) => {
                items.into_iter().for_each($f);
            }
            Expr::Record(fields) => fields.into_iter().for_each(|(_, value)| $f(value)),
            Expr::Variant(_, payload) | Expr::Ok(payload) | Expr::Err(payload) => {
                payload.into_iter().for_each(|value| $f(value));
            }
            Expr::Comprehension { list, condition, element, .. } => {
                $f(list);
                condition.into_iter().for_each(|value| $f(value));
                $f(element);
            }
        }
    };
}

/// Calls `f` with each direct part of an expression.
pub(crate) fn parts<'e>(expr: &'e Expr, f: &mut dyn FnMut(&'e Expr)) {
    visit_parts!(expr, f);
}

/// Calls `f` with each direct part of an expression, to change it.
pub(crate) fn parts_mut(expr: &mut Expr, f: &mut dyn FnMut(&mut Expr)) {
    visit_parts!(expr, f);
}

/// Calls `f` with each slot that an expression reads, as often as it stands there.
pub(crate) fn slots(expr: &Expr, f: &mut dyn FnMut(Slot)) {
    match expr {
        Expr::Slot(slot) => f(*slot),
        _ => parts(expr, &mut |part| slots(part, f)),
    }
}

/// Calls `f` with each slot that an expression reads, to change it.
pub(crate) fn slots_mut(expr: &mut Expr, f: &mut dyn FnMut(&mut Slot)) {
    match expr {
        Expr::Slot(slot) => f(slot),
        _ => parts_mut(expr, &mut |part| slots_mut(part, f)),
    }
}

/// The expressions of a node's kind, shared or to be changed.
macro_rules! visit_node {
    ($kind:ident, $f:ident $(, $mut:tt)?) => {
        match $kind {
            NodeKind::Call(call) => {
                let CallPlan { args, grants, backoff, retry, timeout, memory, fuel, rules, .. } = & $($mut)? **call;
                let Rules { priority, key, cache, artifact, .. } = rules;
                args.into_iter().for_each(&mut *$f);
                for grant in grants {
                    if let Grant::Folder(_, dir) = grant {
                        $f(dir);
                    }
                }
                match backoff {
                    Backoff::None => {}
                    Backoff::Constant(first) | Backoff::Exponential { first, max: None } => $f(first),
                    Backoff::Exponential { first, max: Some(max) } => {
                        $f(first);
                        $f(max);
                    }
                }
                [retry, timeout, memory, fuel, priority, key, artifact].into_iter().flatten().for_each(&mut *$f);
                if let Some(Cache { ttl: Some(ttl) }) = cache {
                    $f(ttl);
                }
            }
            NodeKind::Flow { args, .. } => args.into_iter().for_each(&mut *$f),
            NodeKind::Value(value) | NodeKind::Return(value) => $f(value),
            NodeKind::If { condition, .. } => $f(condition),
            NodeKind::Match { subject, arms } => {
                $f(subject);
                for Arm { guard, .. } in arms {
                    guard.into_iter().for_each(&mut *$f);
                }
            }
            NodeKind::Map { list, .. } | NodeKind::Tree { list, .. } => $f(list),
            NodeKind::Fold { init: a, list: b, .. } | NodeKind::Loop { init: a, max: b, .. } => {
                $f(a);
                $f(b);
            }
            NodeKind::Race { wanted, .. } => wanted.into_iter().for_each(&mut *$f),
            NodeKind::Try { .. } | NodeKind::Block { .. } | NodeKind::Wait(WaitPlan::Signal { .. }) => {}
            NodeKind::Wait(WaitPlan::Time(expr) | WaitPlan::Message { topic: expr, .. }) => $f(expr),
            NodeKind::Emit { topic, value } => {
                $f(topic);
                $f(value);
            }
            NodeKind::Require { condition, message, details } => {
                $f(condition);
                $f(message);
                details.into_iter().for_each(&mut *$f);
            }
        }
    };
}

/// The expressions of a node over the frame of its region: those of its kind, and its policy.
pub(crate) fn node_exprs<'n>(
    kind: &'n NodeKind,
    policy: impl IntoIterator<Item = &'n Option<Expr>>,
    f: &mut dyn FnMut(&'n Expr),
) {
    visit_node!(kind, f);
    policy.into_iter().flatten().for_each(f);
}

/// The same expressions, to change them.
pub(crate) fn node_exprs_mut<'n>(
    kind: &mut NodeKind,
    policy: impl IntoIterator<Item = &'n mut Option<Expr>>,
    f: &mut dyn FnMut(&mut Expr),
) {
    visit_node!(kind, f, mut);
    policy.into_iter().flatten().for_each(f);
}

/// Each slot that a node reads, with the captures of its children, to change it.
pub(crate) fn node_slots_mut<'n>(
    kind: &mut NodeKind,
    policy: impl IntoIterator<Item = &'n mut Option<Expr>>,
    f: &mut dyn FnMut(&mut Slot),
) {
    node_exprs_mut(kind, policy, &mut |expr| slots_mut(expr, f));
    captures_mut(kind, f);
}

fn captures_mut(kind: &mut NodeKind, f: &mut dyn FnMut(&mut Slot)) {
    if let NodeKind::Race { arms, .. } = kind {
        return arms.iter_mut().flat_map(|arm| &mut arm.captures).for_each(f);
    }
    let (fixed, arms) = match kind {
        NodeKind::If { then, otherwise, .. } => ([Some(then), otherwise.as_mut(), None], None),
        NodeKind::Match { arms, .. } => ([None, None, None], Some(arms)),
        NodeKind::Map { body, .. } | NodeKind::Fold { body, .. } | NodeKind::Tree { body, .. } | NodeKind::Block { body } => {
            ([Some(body), None, None], None)
        }
        NodeKind::Loop { until, body, exhausted, .. } => ([Some(until), Some(body), exhausted.as_mut()], None),
        NodeKind::Try { body, handler } => ([Some(body), Some(handler), None], None),
        NodeKind::Race { .. }
        | NodeKind::Call(_)
        | NodeKind::Flow { .. }
        | NodeKind::Value(_)
        | NodeKind::Require { .. }
        | NodeKind::Wait(_)
        | NodeKind::Emit { .. }
        | NodeKind::Return(_) => ([None, None, None], None),
    };
    let children = fixed.into_iter().flatten().chain(arms.into_iter().flatten().map(|arm| &mut arm.body));
    children.flat_map(|child| &mut child.captures).for_each(f);
}

/// Each slot that a node reads, with the captures of its children.
pub(crate) fn node_slots<'n>(kind: &'n NodeKind, policy: impl IntoIterator<Item = &'n Option<Expr>>, f: &mut dyn FnMut(Slot)) {
    node_exprs(kind, policy, &mut |expr| slots(expr, f));
    kind.children().flat_map(|child| &child.captures).for_each(|slot| f(*slot));
}

/// Each slot that the compensation of a node captures.
pub(crate) fn undo_slots(undo: Option<&UndoPlan>, f: &mut dyn FnMut(Slot)) {
    undo.into_iter().flat_map(|undo| &undo.child.captures).for_each(|slot| f(*slot));
}

/// The expressions of a flow itself, over the inputs of its body.
pub(crate) fn flow_exprs(flow: &FlowPlan) -> impl Iterator<Item = &Expr> {
    [&flow.deadline, &flow.parallel].into_iter().chain(flow.budget.exprs()).flatten()
}

/// Whether nothing but the caps on size and work can make an expression fail.
pub(crate) fn cannot_fail(expr: &Expr) -> bool {
    let itself = match expr {
        Expr::Index(..) | Expr::Neg(_) | Expr::SortBy(..) => false,
        Expr::Binary(operator, ..) => {
            !matches!(operator, Operator::Add | Operator::Sub | Operator::Mul | Operator::Div | Operator::Rem)
        }
        Expr::Convert(_, ty) => *ty == catalog::Type::Json,
        Expr::Library(function, args) => {
            matches!(
                function,
                LibraryFunction::Len
                    | LibraryFunction::Join
                    | LibraryFunction::Contains
                    | LibraryFunction::Json
                    | LibraryFunction::String
                    | LibraryFunction::Lower
                    | LibraryFunction::Upper
                    | LibraryFunction::Trim
                    | LibraryFunction::Concat
                    | LibraryFunction::Reverse
                    | LibraryFunction::ToF64
                    | LibraryFunction::StartsWith
                    | LibraryFunction::EndsWith
            ) || matches!((function, &**args), (LibraryFunction::Min | LibraryFunction::Max, [_, _]))
        }
        _ => true,
    };
    let mut safe = itself;
    if safe {
        parts(expr, &mut |part| safe = safe && cannot_fail(part));
    }
    safe
}

/// Whether a name for the expression can stand for it without a node: a constant, a slot, or a member of one.
pub(crate) fn is_trivial(expr: &Expr) -> bool {
    match expr {
        Expr::Const(_) | Expr::Slot(_) => true,
        Expr::Field(base, _) | Expr::TupleField(base, _) => is_trivial(base),
        _ => false,
    }
}
