//! Waits and messages: each becomes a node that is a gate.

use crate::graph::Facts;
use crate::ir::{self, ExprKind, Policy};
use crate::lower::form::Built;
use crate::plan::{Effect, Expr, NodeKind, WaitPlan};

/// The node of a wait or an `emit`; `first` and `second` are its operands, as far as it has any.
pub(crate) fn node(base: &ir::Expr, first: Expr, second: Expr) -> Built {
    let ty = base.ty.clone();
    let (kind, name, effect) = match &base.kind {
        ExprKind::Signal(name) => (NodeKind::Wait(WaitPlan::Signal { name: name.clone(), ty }), name.clone(), Effect::Pure),
        ExprKind::Message(_) => (NodeKind::Wait(WaitPlan::Message { topic: first, ty }), "message".into(), Effect::Pure),
        ExprKind::Emit { .. } => (NodeKind::Emit { topic: first, value: second }, "emit".into(), Effect::Effectful),
        _ => (NodeKind::Wait(WaitPlan::Time(first)), "wait".into(), Effect::Pure),
    };
    let facts = Facts { effect, gate: true, ..Facts::NONE };
    Built { kind, name, facts, after: Vec::new(), deadline: None }
}

/// What bounds a wait or an `emit`: there is one attempt only, so `timeout` and `deadline` mean the same.
pub(crate) fn bounds<'p>(policies: &[&'p Policy]) -> Vec<&'p ir::Expr> {
    policies.iter().flat_map(|policy| [policy.timeout.as_ref(), policy.deadline.as_ref()]).flatten().collect()
}
