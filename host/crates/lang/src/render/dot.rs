//! A plan for Graphviz.

use super::critical::successors;
use super::names;
use crate::plan::{Node, NodeKind, Plan, RegionId};
use crate::quote::quoted;

pub(super) fn dot(plan: &Plan) -> String {
    let mut lines = vec![
        "digraph plan {".to_owned(),
        "    compound=true;".to_owned(),
        "    node [shape=box, fontname=\"sans-serif\"];".to_owned(),
    ];
    for flow in plan.flows.values() {
        region(plan, flow.body, &format!("flow {}", flow.name), 1, &mut lines);
    }
    for (id, node) in &plan.nodes {
        lines.extend(successors(plan, node).iter().map(|later| format!("    {id} -> {later};")));
        for (child, role, _) in names::children(node) {
            let (region, role) = (child.region, quoted(&role));
            lines.push(format!("    {id} -> {region} [style=dashed, label={role}, lhead=cluster_{region}];"));
        }
    }
    lines.push("}".to_owned());
    lines.join("\n") + "\n"
}

fn region(plan: &Plan, id: RegionId, title: &str, depth: usize, lines: &mut Vec<String>) {
    let indent = "    ".repeat(depth);
    lines.push(format!("{indent}subgraph cluster_{id} {{"));
    lines.push(format!("{indent}    label={};", quoted(title)));
    // An edge needs a node at its end, also where the region has none.
    lines.push(format!("{indent}    {id} [shape=point, style=invis];"));
    for (node_id, _) in plan.nodes_of(id) {
        let node = &plan.nodes[node_id];
        let label = quoted(&format!("{}: {}", node.name, names::kind(plan, node)));
        lines.push(format!("{indent}    {node_id} [label={label}, shape={}];", shape(node)));
        for (child, role, _) in names::children(node) {
            region(plan, child.region, &format!("{role} of {}", node.name), depth + 1, lines);
        }
    }
    lines.push(format!("{indent}}}"));
}

const fn shape(node: &Node) -> &'static str {
    match &node.kind {
        NodeKind::Call(_) => "box",
        NodeKind::Flow { .. } => "box3d",
        NodeKind::Value(_) => "ellipse",
        NodeKind::If { .. } | NodeKind::Match { .. } | NodeKind::Require { .. } => "diamond",
        NodeKind::Return(_) => "oval",
        NodeKind::Wait(_) | NodeKind::Emit { .. } => "cds",
        _ => "folder",
    }
}
