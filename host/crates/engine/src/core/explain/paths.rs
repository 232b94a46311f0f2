//! The paths that runs of a plan can have, with `[*]` for each item, iteration, arm or pair.

use lang::plan::{NodeKind, Plan, RegionId};

/// The paths of the nodes of a plan, in the order of the plan; at most so many.
#[must_use]
pub fn plan_paths(plan: &Plan, most: usize) -> Vec<String> {
    let mut paths = Vec::new();
    let Some(flow) = plan.flows.get(plan.entry) else { return paths };
    paths.push(flow.name.to_string());
    // Breadth first: calls of a flow inside itself come ever deeper.
    let mut open = std::collections::VecDeque::from([(flow.body, flow.name.to_string())]);
    while let Some((region, path)) = open.pop_front() {
        let Some(shape) = plan.regions.get(region) else { continue };
        for id in shape.nodes.clone().map(lang::plan::NodeId::from_u32) {
            let Some(node) = plan.nodes.get(id) else { continue };
            if paths.len() >= most {
                return paths;
            }
            let path = format!("{path}/{}", node.name);
            paths.push(path.clone());
            let flow = if let NodeKind::Flow { flow, .. } = &node.kind { plan.flows.get(*flow) } else { None };
            open.extend(flow.map(|flow| (flow.body, path.clone())));
            open.extend(children(&node.kind).into_iter().map(|(role, region)| (region, format!("{path}{role}"))));
            open.extend(node.undo.as_ref().map(|undo| (undo.child.region, format!("{path}.undo"))));
        }
    }
    paths
}

/// The regions that a node may open, with what its path gets for each.
pub(super) fn children(kind: &NodeKind) -> Vec<(&'static str, RegionId)> {
    match kind {
        NodeKind::Map { body, .. } | NodeKind::Fold { body, .. } | NodeKind::Tree { body, .. } => vec![("[*]", body.region)],
        NodeKind::Loop { until, body, exhausted, .. } => {
            let mut all = vec![("[*]", body.region), (".until[*]", until.region)];
            all.extend(exhausted.as_ref().map(|exhausted| (".else", exhausted.region)));
            all
        }
        NodeKind::Try { body, handler } => vec![("", body.region), (".catch", handler.region)],
        NodeKind::Race { arms, .. } => arms.iter().map(|arm| ("[*]", arm.region)).collect(),
        _ => kind.children().map(|child| ("", child.region)).collect(),
    }
}
