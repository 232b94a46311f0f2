//! Compensations: closed regions that are kept beside the node whose effect they take back.

use crate::graph::Facts;
use crate::ir::{BindingId, Block};
use crate::lower::flow::FlowLowering;
use crate::plan::UndoPlan;

/// What is attached with `undo`, before the node is placed.
pub(crate) struct Compensation<'p> {
    pub(crate) binding: Option<BindingId>,
    pub(crate) always: bool,
    pub(crate) body: &'p Block,
}

impl<'p> FlowLowering<'p, '_> {
    /// Lowers a compensation in the region that its node goes into, outside of the node's own policy. What it may do
    /// counts as done by the node, so that the order of effects is the order that they are taken back in.
    pub(crate) fn undo(&mut self, undo: &Compensation<'p>, facts: &mut Facts, after: &mut Vec<BindingId>) -> Box<UndoPlan> {
        self.open(if undo.always { 0 } else { 1 }, false);
        if let Some(binding) = undo.binding {
            self.bind_input(binding, 0);
        }
        let result = self.block(undo.body);
        let closed = self.close(result);
        facts.effect = facts.effect.max(closed.facts.effect);
        after.extend(closed.after);
        Box::new(UndoPlan { child: closed.child, always: undo.always })
    }
}
