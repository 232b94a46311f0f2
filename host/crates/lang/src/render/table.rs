//! A plan as a table: each node on a line, in topological order, then what the shape says.

use std::fmt::Write as _;

use cranelift_entity::SecondaryMap;

use super::critical::{critical_path, critical_steps, leaves, roots, width};
use super::names::{self, Frame};
use crate::plan::{FlowPlan, FolderAccess, NodeId, NodeKind, Plan, RegionId};

const HEAD: [&str; 7] = ["node", "in", "path", "kind", "waits for", "grants", "policy"];

/// A line of the table.
type Row = [String; 7];

pub(super) fn table(plan: &Plan) -> String {
    let mut text = String::new();
    let before = names::predecessors(plan);
    let entry = plan.flows.iter().filter(|(id, _)| *id == plan.entry);
    let others = plan.flows.iter().filter(|(id, _)| *id != plan.entry);
    for (_, flow) in entry.chain(others) {
        text.push_str(&signature(flow));
        let mut rows = Rows { plan, before: &before, rows: Vec::new() };
        let inputs = flow.params.iter().map(|param| param.name.to_string()).collect();
        rows.region(flow.body, &flow.name, "", inputs);
        layout(&rows.rows, &mut text);
        text.push('\n');
    }
    text.push_str(&summary(plan));
    text
}

fn signature(flow: &FlowPlan) -> String {
    let params: Vec<String> =
        flow.params.iter().map(|param| format!("{}: {}{}", param.name, param.ty, access(param.access))).collect();
    let frame: Frame = flow.params.iter().map(|param| param.name.to_string()).collect();
    let limits = [("deadline", &flow.deadline), ("parallel", &flow.parallel)];
    let limits = limits.into_iter().filter_map(|(key, value)| Some(format!("{key}: {}", names::expr(value.as_ref()?, &frame))));
    let budget = names::budget(&flow.budget, &frame).map(|budget| format!("budget: {budget}"));
    let limits: Vec<String> = limits.chain(budget).collect();
    let bound = flow.recursion.map(|bound| format!(" recursive max {bound}")).unwrap_or_default();
    let with = if limits.is_empty() { String::new() } else { format!(" with {{ {} }}", limits.join(", ")) };
    format!("flow {}({}) -> {}{bound}{with}\n", flow.name, params.join(", "), flow.result)
}

const fn access(access: Option<FolderAccess>) -> &'static str {
    match access {
        None => "",
        Some(FolderAccess::Read) => " (read)",
        Some(FolderAccess::ReadWrite) => " (read_write)",
    }
}

struct Rows<'p> {
    plan: &'p Plan,
    before: &'p SecondaryMap<NodeId, Vec<NodeId>>,
    rows: Vec<Row>,
}

impl Rows<'_> {
    fn region(&mut self, region: RegionId, path: &str, role: &str, inputs: Vec<String>) {
        let frame = names::frame(self.plan, region, inputs);
        for (id, _) in self.plan.nodes_of(region) {
            self.node(id, path, role, &frame);
        }
    }

    fn node(&mut self, id: NodeId, around: &str, role: &str, frame: &Frame) {
        let node = &self.plan.nodes[id];
        let path = format!("{around}/{}", node.name);
        let waits: Vec<&str> = self.before[id].iter().map(|before| &*self.plan.nodes[*before].name).collect();
        let grants = match &node.kind {
            NodeKind::Call(call) => names::grants(call, frame).join(", "),
            _ => String::new(),
        };
        let policy: Vec<String> = names::policy(node, frame).into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
        let kind = match &node.kind {
            NodeKind::Value(value) | NodeKind::Return(value) => {
                format!("{} {}", names::word(&node.kind), names::expr(value, frame))
            }
            NodeKind::Require { condition, .. } => format!("require {}", names::expr(condition, frame)),
            kind => match names::about(kind, frame) {
                Some(about) => format!("{} {about}", names::word(kind)),
                None => names::kind(self.plan, node),
            },
        };
        self.rows.push([id.to_string(), role.to_owned(), path.clone(), kind, waits.join(", "), grants, policy.join(", ")]);
        for (child, role, params) in names::children(node) {
            let path = names::path(&path, &role);
            self.region(child.region, &path, &role, names::inputs(child, params, frame));
        }
    }
}

fn layout(rows: &[Row], text: &mut String) {
    let head = HEAD.map(str::to_owned);
    let mut widths = [0_usize; 7];
    for row in std::iter::once(&head).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    // A column in which nothing stands is left out.
    let shown = |column: usize| rows.iter().any(|row| row.get(column).is_some_and(|cell| !cell.is_empty()));
    let shown: Vec<bool> = (0..HEAD.len()).map(shown).collect();
    for row in std::iter::once(&head).chain(rows).filter(|_| !rows.is_empty()) {
        let mut line = String::from(" ");
        for ((cell, width), _) in row.iter().zip(widths).zip(&shown).filter(|(_, shown)| **shown) {
            // Writing to a string cannot fail.
            let _written = write!(line, " {cell:width$} ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

fn summary(plan: &Plan) -> String {
    let count = |wanted: fn(&NodeKind) -> bool| plan.nodes.values().filter(|node| wanted(&node.kind)).count();
    let steps = count(|kind| matches!(kind, NodeKind::Call(_)));
    let widest = plan.regions.keys().map(|region| width(plan, region)).max().unwrap_or(0);
    let list = |nodes: &[NodeId]| {
        let names: Vec<&str> = nodes.iter().map(|node| &*plan.nodes[*node].name).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let path: Vec<&str> = critical_path(plan).into_iter().map(|node| &*plan.nodes[node].name).collect();
    let lines = [
        [
            counted(plan.flows.len(), "flow"),
            counted(plan.regions.len(), "region"),
            counted(plan.nodes.len(), "node"),
            counted(plan.successors.len(), "edge"),
        ]
        .join(", "),
        format!(
            "{} of {} in {}",
            counted(steps, "step"),
            counted(plan.functions.len(), "function"),
            counted(plan.components.len(), "component")
        ),
        format!("roots: {}", list(&roots(plan))),
        format!("leaves: {}", list(&leaves(plan))),
        format!(
            "longest path: {}: {}",
            counted(usize::try_from(critical_steps(plan)).unwrap_or(usize::MAX), "step"),
            if path.is_empty() { "none".to_owned() } else { path.join(" → ") }
        ),
        format!("widest: {} at once in one region", counted(widest, "node")),
        format!("digest: {}", plan.digest()),
    ];
    lines.join("\n") + "\n"
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
