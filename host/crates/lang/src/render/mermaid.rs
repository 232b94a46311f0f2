//! A plan as a Mermaid flowchart.

use super::critical::successors;
use super::names;
use crate::plan::{Node, NodeKind, Plan, RegionId};

pub(super) fn mermaid(plan: &Plan) -> String {
    let mut lines = vec!["flowchart TD".to_owned()];
    for flow in plan.flows.values() {
        region(plan, flow.body, &format!("flow {}", flow.name), 1, &mut lines);
    }
    for (id, node) in &plan.nodes {
        lines.extend(successors(plan, node).iter().map(|later| format!("    {id} --> {later}")));
        for (child, role, _) in names::children(node) {
            lines.push(format!("    {id} -. {} .-> {}", text(&role), child.region));
        }
    }
    lines.join("\n") + "\n"
}

fn region(plan: &Plan, id: RegionId, title: &str, depth: usize, lines: &mut Vec<String>) {
    let indent = "    ".repeat(depth);
    lines.push(format!("{indent}subgraph {id}[{}]", text(title)));
    if plan.regions[id].nodes.is_empty() {
        lines.push(format!("{indent}    {id}_empty[{}]", text("no nodes")));
    }
    for (node_id, _) in plan.nodes_of(id) {
        let node = &plan.nodes[node_id];
        lines.push(format!("{indent}    {node_id}{}", shape(plan, node)));
        for (child, role, _) in names::children(node) {
            region(plan, child.region, &format!("{} of {}", role, node.name), depth + 1, lines);
        }
    }
    lines.push(format!("{indent}end"));
}

fn shape(plan: &Plan, node: &Node) -> String {
    let label = text(&format!("{}: {}", node.name, names::kind(plan, node)));
    match &node.kind {
        NodeKind::Call(_) => format!("[{label}]"),
        NodeKind::Flow { .. } => format!("[[{label}]]"),
        NodeKind::Value(_) => format!("({label})"),
        NodeKind::If { .. } | NodeKind::Match { .. } | NodeKind::Require { .. } => format!("{{{label}}}"),
        NodeKind::Return(_) => format!("([{label}])"),
        NodeKind::Wait(_) | NodeKind::Emit { .. } => format!(">{label}]"),
        _ => format!("[/{label}/]"),
    }
}

/// A quoted text; whatever could mean something to Mermaid or HTML is written as an entity.
fn text(raw: &str) -> String {
    let mut quoted = String::from("\"");
    for char in raw.chars() {
        if char.is_alphanumeric() || " .,:_-".contains(char) {
            quoted.push(char);
        } else {
            quoted.push_str(&format!("#{};", u32::from(char)));
        }
    }
    quoted.push('"');
    quoted
}
