//! How much follows a node: the longest way from it to the end of the run, in steps. Steps with more behind them go first.

use std::collections::VecDeque;

use super::{NodeId, NodeKind, Plan, RegionId};

/// Flows inside each other are followed so deep.
const DEEPEST: u32 = 64;

/// The ranks of a plan's nodes.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    by_node: Vec<u32>,
}

impl Ranks {
    /// Of a plan. What a loop or a map does is counted once.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut ranks = Self { by_node: vec![0; plan.nodes.len()] };
        let mut known = vec![None; plan.regions.len()];
        let mut ranked = vec![false; plan.regions.len()];
        let mut open = VecDeque::from_iter(plan.flows.get(plan.entry).map(|flow| (flow.body, 0)));
        while let Some((region, after)) = open.pop_front() {
            let Some(shape) = plan.regions.get(region) else { continue };
            match ranked.get_mut(region.as_u32() as usize) {
                Some(done) if !*done => *done = true,
                _ => continue,
            }
            for id in shape.nodes.clone().rev().map(NodeId::from_u32) {
                let Some(node) = plan.nodes.get(id) else { continue };
                let mut tail = after;
                let successors = plan.successors.get(node.successors.start as usize..node.successors.end as usize);
                for next in successors.unwrap_or_default() {
                    tail = tail.max(ranks.get(*next).saturating_add(length(plan, *next, &mut known, 0)));
                }
                if let Some(place) = ranks.by_node.get_mut(id.as_u32() as usize) {
                    *place = tail;
                }
                open.extend(inside(plan, id).into_iter().map(|region| (region, tail)));
            }
        }
        ranks
    }

    /// So many steps follow this node at the most.
    pub(super) fn get(&self, node: NodeId) -> u32 {
        self.by_node.get(node.as_u32() as usize).copied().unwrap_or(0)
    }
}

/// The regions that a node opens.
fn inside(plan: &Plan, id: NodeId) -> Vec<RegionId> {
    match plan.nodes.get(id).map(|node| &node.kind) {
        Some(NodeKind::Flow { flow, .. }) => plan.flows.get(*flow).map(|flow| flow.body).into_iter().collect(),
        Some(kind) => kind.children().map(|child| child.region).collect(),
        None => Vec::new(),
    }
}

/// How many steps are on the longest way through a node.
fn length(plan: &Plan, id: NodeId, known: &mut Vec<Option<u32>>, depth: u32) -> u32 {
    if let Some(NodeKind::Call(_) | NodeKind::Emit { .. }) = plan.nodes.get(id).map(|node| &node.kind) {
        return 1;
    }
    inside(plan, id).into_iter().map(|region| longest(plan, region, known, depth + 1)).max().unwrap_or(0)
}

fn longest(plan: &Plan, region: RegionId, known: &mut Vec<Option<u32>>, depth: u32) -> u32 {
    let index = region.as_u32() as usize;
    if let Some(Some(length)) = known.get(index) {
        return *length;
    }
    let Some(shape) = plan.regions.get(region).filter(|_| depth < DEEPEST) else { return 0 };
    // A flow inside itself adds nothing.
    if let Some(place) = known.get_mut(index) {
        *place = Some(0);
    }
    let start = shape.nodes.start;
    let mut ways = vec![0; shape.nodes.len()];
    let mut most = 0;
    for id in shape.nodes.clone().rev().map(NodeId::from_u32) {
        let Some(node) = plan.nodes.get(id) else { continue };
        let successors = plan.successors.get(node.successors.start as usize..node.successors.end as usize).unwrap_or_default();
        let tail = successors.iter().filter_map(|next| ways.get(next.as_u32().saturating_sub(start) as usize)).max();
        let way = tail.copied().unwrap_or(0) + length(plan, id, known, depth);
        if let Some(place) = ways.get_mut(id.as_u32().saturating_sub(start) as usize) {
            *place = way;
        }
        most = most.max(way);
    }
    if let Some(place) = known.get_mut(index) {
        *place = Some(most);
    }
    most
}
