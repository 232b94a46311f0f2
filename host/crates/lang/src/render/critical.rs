//! What the shape of a plan says before it runs: where it begins and ends, its longest way, how wide it is.

use cranelift_entity::{EntityRef, SecondaryMap};

use crate::plan::{FlowId, Node, NodeId, NodeKind, Plan, RegionId};

/// The nodes of the entry flow that wait for nothing.
#[must_use]
pub fn roots(plan: &Plan) -> Vec<NodeId> {
    entry_nodes(plan).filter(|node| plan.nodes[*node].waits == 0).collect()
}

/// The nodes of the entry flow that nothing waits for.
#[must_use]
pub fn leaves(plan: &Plan) -> Vec<NodeId> {
    entry_nodes(plan).filter(|node| plan.nodes[*node].successors.is_empty()).collect()
}

/// The longest way through the entry flow by number of steps, in order: a structured node is followed by
/// the longest way through its children, each taken once. What is in a called flow counts and is not listed.
#[must_use]
pub fn critical_path(plan: &Plan) -> Vec<NodeId> {
    let lengths = Lengths::new(plan);
    let mut path = Vec::new();
    if let Some(entry) = plan.flows.get(plan.entry) {
        lengths.collect(plan, entry.body, &mut path);
    }
    path
}

/// How many nodes of a region can run at once at most, by their distance from its beginning.
pub(super) fn width(plan: &Plan, region: RegionId) -> usize {
    let mut levels: Vec<usize> = Vec::new();
    let range = plan.regions[region].nodes.clone();
    let mut level = vec![0_usize; range.len()];
    for (position, id) in range.clone().enumerate() {
        let own = level.get(position).copied().unwrap_or(0);
        if levels.len() <= own {
            levels.resize(own + 1, 0);
        }
        if let Some(count) = levels.get_mut(own) {
            *count += 1;
        }
        for later in successors(plan, &plan.nodes[NodeId::new(id as usize)]) {
            if let Some(level) = level.get_mut((later.as_u32() - range.start) as usize) {
                *level = (*level).max(own + 1);
            }
        }
    }
    levels.into_iter().max().unwrap_or(0)
}

/// The nodes that wait for a node.
pub(super) fn successors<'p>(plan: &'p Plan, node: &Node) -> &'p [NodeId] {
    plan.successors.get(node.successors.start as usize..node.successors.end as usize).unwrap_or(&[])
}

/// How many steps are on the longest way through the entry flow.
pub(super) fn critical_steps(plan: &Plan) -> u64 {
    let lengths = Lengths::new(plan);
    plan.flows.get(plan.entry).map_or(0, |entry| lengths.region[entry.body].0)
}

fn entry_nodes(plan: &Plan) -> impl Iterator<Item = NodeId> + '_ {
    let body = plan.flows.get(plan.entry).map(|flow| flow.body);
    body.into_iter().flat_map(|body| plan.nodes_of(body)).map(|(node, _)| node)
}

/// The lengths of longest ways, in steps.
struct Lengths {
    /// Of each region, and the node that its longest way ends in.
    region: SecondaryMap<RegionId, (u64, Option<NodeId>)>,
    /// The node before each one on its longest way.
    before: SecondaryMap<NodeId, Option<NodeId>>,
}

impl Lengths {
    fn new(plan: &Plan) -> Self {
        let mut lengths = Self { region: SecondaryMap::new(), before: SecondaryMap::new() };
        for region in bottom_up(plan) {
            lengths.measure(plan, region);
        }
        lengths
    }

    fn measure(&mut self, plan: &Plan, region: RegionId) {
        let range = plan.regions[region].nodes.clone();
        let mut reach = vec![0_u64; range.len()];
        let mut longest = (0, None);
        for (position, id) in range.clone().enumerate() {
            let id = NodeId::new(id as usize);
            let node = &plan.nodes[id];
            let end = reach.get(position).copied().unwrap_or(0).saturating_add(self.weight(plan, &node.kind));
            if longest.1.is_none() || end > longest.0 {
                longest = (end, Some(id));
            }
            for later in successors(plan, node) {
                if let Some(reach) = reach.get_mut((later.as_u32() - range.start) as usize)
                    && (end > *reach || self.before[*later].is_none())
                {
                    *reach = end;
                    self.before[*later] = Some(id);
                }
            }
        }
        self.region[region] = longest;
    }

    /// How many steps follow each other in a node.
    fn weight(&self, plan: &Plan, kind: &NodeKind) -> u64 {
        match kind {
            NodeKind::Call(_) => 1,
            NodeKind::Flow { flow, .. } => plan.flows.get(*flow).map_or(0, |flow| self.region[flow.body].0),
            _ => self.ways(kind).into_iter().map(|region| self.region[region].0).fold(0, u64::saturating_add),
        }
    }

    /// The children that a longest way goes through one after another.
    fn ways(&self, kind: &NodeKind) -> Vec<RegionId> {
        let all: Vec<RegionId> = kind.children().map(|child| child.region).collect();
        match kind {
            NodeKind::If { .. } | NodeKind::Match { .. } | NodeKind::Race { .. } => {
                all.into_iter().rev().max_by_key(|region| self.region[*region].0).into_iter().collect()
            }
            _ => all,
        }
    }

    fn collect(&self, plan: &Plan, region: RegionId, path: &mut Vec<NodeId>) {
        let mut nodes: Vec<NodeId> = Vec::new();
        let mut next = self.region[region].1;
        while let Some(node) = next {
            nodes.push(node);
            next = self.before[node];
        }
        for node in nodes.into_iter().rev() {
            path.push(node);
            for child in self.ways(&plan.nodes[node].kind) {
                self.collect(plan, child, path);
            }
        }
    }
}

/// All regions, each after those that are in it and those of the flows that it calls.
fn bottom_up(plan: &Plan) -> Vec<RegionId> {
    let mut seen: SecondaryMap<RegionId, bool> = SecondaryMap::new();
    let mut order = Vec::with_capacity(plan.regions.len());
    let flows: Vec<FlowId> = plan.flows.keys().collect();
    for flow in flows {
        let mut stack = vec![(plan.flows[flow].body, false)];
        while let Some((region, done)) = stack.pop() {
            if done {
                order.push(region);
                continue;
            }
            if std::mem::replace(&mut seen[region], true) {
                continue;
            }
            stack.push((region, true));
            for (node, _) in plan.nodes_of(region) {
                let kind = &plan.nodes[node].kind;
                stack.extend(kind.children().map(|child| (child.region, false)));
                if let NodeKind::Flow { flow, .. } = kind
                    && let Some(flow) = plan.flows.get(*flow)
                {
                    stack.push((flow.body, false));
                }
            }
        }
    }
    order
}
