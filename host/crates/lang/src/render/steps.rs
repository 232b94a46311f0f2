//! The steps of a plan with what each is granted.

use super::names::{self, Frame};
use crate::plan::{FlowId, NodeId, NodeKind, Plan, RegionId, Target};

/// A step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    /// Where it is: the flow's name, then the names of what it is in.
    pub(crate) path: String,
    /// The function, as WIT writes it.
    pub(crate) function: String,
    /// The source of its component.
    pub(crate) component: String,
    /// What it is granted, as an `allow` writes it, with names where it stands.
    pub(crate) grants: Vec<String>,
}

/// All steps that a run of the plan can come to, those of called flows under the name of their flow.
pub(crate) fn steps(plan: &Plan) -> Vec<Step> {
    let mut walk = Walk { plan, steps: Vec::new(), flows: vec![plan.entry] };
    let mut next = 0;
    while let Some(id) = walk.flows.get(next) {
        let flow = &plan.flows[*id];
        let inputs = flow.params.iter().map(|param| param.name.to_string()).collect();
        walk.region(flow.body, &flow.name, inputs);
        next += 1;
    }
    walk.steps
}

struct Walk<'p> {
    plan: &'p Plan,
    steps: Vec<Step>,
    /// The entry and the flows that are called, each once, in the order in which they are met.
    flows: Vec<FlowId>,
}

impl Walk<'_> {
    fn region(&mut self, id: RegionId, path: &str, inputs: Vec<String>) {
        let frame = names::frame(self.plan, id, inputs);
        for (node, _) in self.plan.nodes_of(id) {
            self.node(node, path, &frame);
        }
    }

    fn node(&mut self, id: NodeId, around: &str, frame: &Frame) {
        let node = &self.plan.nodes[id];
        let path = format!("{around}/{}", node.name);
        // What an agent is granted, its host decides.
        if let NodeKind::Call(call) = &node.kind
            && let Target::Function(function) = call.target
        {
            let function = &self.plan.functions[function];
            let component = self.plan.components[function.component].source.clone();
            let grants = names::grants(call, frame);
            self.steps.push(Step { path: path.clone(), function: function.wit_name.clone(), component, grants });
        }
        if let NodeKind::Flow { flow, .. } = &node.kind
            && !self.flows.contains(flow)
        {
            self.flows.push(*flow);
        }
        for (child, role, params) in names::children(node) {
            let path = names::path(&path, &role);
            self.region(child.region, &path, names::inputs(child, params, frame));
        }
    }
}
