//! Hooks: the calls of their handlers, outside of all flows.

use cranelift_entity::SecondaryMap;
use grammar::Diagnostic;

use crate::freeze::Tables;
use crate::ir::{self, Program};
use crate::lower::flow::FlowLowering;
use crate::plan::{HookPlan, NodeKind};

/// The hooks of a program in order.
pub(crate) fn hooks(program: &Program, report: &mut Vec<Diagnostic>) -> Vec<HookPlan> {
    program.hooks.iter().filter_map(|hook| lowered(program, hook, report)).collect()
}

fn lowered(program: &Program, hook: &ir::Hook, report: &mut Vec<Diagnostic>) -> Option<HookPlan> {
    // A handler's settings are evaluated as in a flow without parameters.
    let nowhere = ir::Flow::empty(hook.span);
    let (summaries, mut tables) = (SecondaryMap::new(), Tables::default());
    let mut lowering = FlowLowering::new(program, &nowhere, &summaries, &mut tables, report);
    let own = lowering.layers.len();
    lowering.enter(&hook.policy);
    let built = lowering.call(hook.called, Vec::new(), &hook.through, own, (&hook.name, hook.span));
    let NodeKind::Call(call) = built.kind else { return None };
    Some(HookPlan {
        phase: hook.phase,
        event: hook.event,
        target: hook.target.clone(),
        call: *call,
        inputs: hook.inputs.clone(),
        verdict: hook.verdict,
        span: hook.span,
    })
}
