//! From a path back to its node.

use lang::plan::{Node, NodeKind, Plan, RegionId};

/// The node that a path of a run of this plan names, such as `main/profiles[3]/text.profile`. The first part is the entry flow.
#[must_use]
pub fn place<'p>(plan: &'p Plan, path: &str) -> Option<&'p Node> {
    let (_, rest) = path.split_once('/')?;
    within(plan, plan.flows.get(plan.entry)?.body, rest)
}

fn within<'p>(plan: &'p Plan, region: RegionId, path: &str) -> Option<&'p Node> {
    for (id, _) in plan.nodes_of(region) {
        let Some(node) = plan.nodes.get(id) else { continue };
        match path.strip_prefix(&*node.name) {
            Some("") => return Some(node),
            // What tells the node's children apart stands before the slash.
            Some(rest) if rest.starts_with(['/', '[', '.']) => {
                let found = rest.split_once('/').and_then(|(_, rest)| {
                    let body = match &node.kind {
                        NodeKind::Flow { flow, .. } => plan.flows.get(*flow).map(|flow| flow.body),
                        _ => None,
                    };
                    let undo = node.undo.iter().map(|undo| undo.child.region);
                    let children = node.kind.children().map(|child| child.region).chain(undo);
                    body.into_iter().chain(children).find_map(|region| within(plan, region, rest))
                });
                if found.is_some() {
                    return found;
                }
            }
            _ => {}
        }
    }
    None
}
