//! Which values a node depends on.

use std::collections::BTreeSet;

use super::{NodeId, Plan, Slot};
use crate::lower::walk;

impl Plan {
    /// The slots of its region that a node reads: for itself, its policy, what it opens and what takes it back.
    #[must_use]
    pub fn reads(&self, node: NodeId) -> BTreeSet<Slot> {
        let mut found = BTreeSet::new();
        if let Some(node) = self.nodes.get(node) {
            let policy = [&node.deadline, &node.parallel].into_iter().chain(node.budget.exprs());
            walk::node_slots(&node.kind, policy, &mut |slot| {
                found.insert(slot);
            });
            walk::undo_slots(node.undo.as_deref(), &mut |slot| {
                found.insert(slot);
            });
        }
        found
    }
}
