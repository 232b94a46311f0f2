//! From the editable graph of a region to dense tables.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use cranelift_entity::{EntityRef, PrimaryMap};
use grammar::Diagnostic;
use petgraph::Direction;
use petgraph::algo::tarjan_scc;
use petgraph::graph::NodeIndex;

use crate::graph::{Draft, Drafts, RegionGraph, node_of};
use crate::lower::{diagnostics, walk};
use crate::plan::{Expr, Node, NodeId, NodeKind, Region, RegionId, Slot};

/// The tables of a plan that regions are frozen into.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) regions: PrimaryMap<RegionId, Region>,
    pub(crate) nodes: PrimaryMap<NodeId, Node>,
    pub(crate) successors: Vec<NodeId>,
}

/// What stands in a side table for a node that is left out.
const DROPPED: u32 = u32::MAX;

impl Tables {
    /// Freezes a region whose frame begins with so many inputs.
    ///
    /// # Errors
    /// When nodes wait for each other in a circle.
    pub(crate) fn freeze(&mut self, graph: RegionGraph, inputs: u32, result: Expr) -> Result<RegionId, Diagnostic> {
        let dropped = unused(&graph.nodes, &result);
        let order = topological(&graph.nodes).ok_or_else(|| cycle(&graph.nodes))?;
        let order: Vec<NodeIndex> = order.into_iter().filter(|node| !is_set(&dropped, *node)).collect();
        let mut rank = vec![DROPPED; graph.nodes.node_count()];
        for (position, node) in order.iter().enumerate() {
            if let Some(slot) = rank.get_mut(node.index()) {
                *slot = position as u32;
            }
        }
        let edges = Edges::new(&graph.nodes, &order, &rank);
        let region = self.regions.next_key();
        let start = self.nodes.len() as u32;
        let final_slot = |slot: &mut Slot| {
            if let Some(node) = node_of(*slot) {
                *slot = Slot(inputs + rank.get(node.index()).copied().unwrap_or(DROPPED));
            }
        };
        let mut drafts: Vec<Option<Box<Draft>>> =
            graph.nodes.into_nodes_edges().0.into_iter().map(|node| Some(node.weight)).collect();
        self.nodes.reserve(order.len());
        for (position, node) in order.iter().enumerate() {
            let Some(mut draft) = drafts.get_mut(node.index()).and_then(Option::take) else { continue };
            let policy = [&mut draft.deadline, &mut draft.parallel].into_iter().chain(draft.budget.exprs_mut());
            walk::node_slots_mut(&mut draft.kind, policy, &mut |slot| final_slot(slot));
            draft.undo.iter_mut().flat_map(|undo| &mut undo.child.captures).for_each(final_slot);
            let first = self.successors.len() as u32;
            self.successors.extend(edges.after(position).iter().map(|later| NodeId::new((start + later) as usize)));
            self.nodes.push(Node {
                kind: draft.kind,
                region,
                name: draft.name,
                span: draft.span,
                waits: edges.waits.get(position).copied().unwrap_or(0),
                successors: first..self.successors.len() as u32,
                deadline: draft.deadline,
                parallel: draft.parallel,
                budget: draft.budget,
                ty: draft.ty,
                undo: draft.undo,
            });
        }
        let mut result = result;
        walk::slots_mut(&mut result, &mut |slot| final_slot(slot));
        Ok(self.regions.push(Region { inputs, nodes: start..self.nodes.len() as u32, result }))
    }
}

/// The edges of a region by position, without doubles.
struct Edges {
    waits: Vec<u32>,
    starts: Vec<usize>,
    targets: Vec<u32>,
}

impl Edges {
    fn new(nodes: &Drafts, order: &[NodeIndex], rank: &[u32]) -> Self {
        let mut edges = Self { waits: vec![0; order.len()], starts: Vec::with_capacity(order.len() + 1), targets: Vec::new() };
        for node in order {
            let first = edges.targets.len();
            edges.starts.push(first);
            let later = nodes.neighbors(*node).filter_map(|later| rank.get(later.index()).copied());
            let mut later: Vec<u32> = later.filter(|position| *position != DROPPED).collect();
            later.sort_unstable();
            later.dedup();
            for position in &later {
                if let Some(waits) = edges.waits.get_mut(*position as usize) {
                    *waits += 1;
                }
            }
            edges.targets.append(&mut later);
        }
        edges.starts.push(edges.targets.len());
        edges
    }

    fn after(&self, position: usize) -> &[u32] {
        let range = self.starts.get(position).zip(self.starts.get(position + 1));
        range.and_then(|(start, end)| self.targets.get(*start..*end)).unwrap_or(&[])
    }
}

fn is_set(flags: &[bool], node: NodeIndex) -> bool {
    flags.get(node.index()).copied().unwrap_or(false)
}

/// The pure expressions that nothing reads or waits for and that cannot fail.
fn unused(nodes: &Drafts, result: &Expr) -> Vec<bool> {
    let mut uses = vec![0_u32; nodes.node_count()];
    let mut count = |slot: Slot| {
        if let Some(uses) = node_of(slot).and_then(|node| uses.get_mut(node.index())) {
            *uses += 1;
        }
    };
    walk::slots(result, &mut count);
    for draft in nodes.node_weights() {
        walk::node_slots(&draft.kind, draft.policy(), &mut count);
        walk::undo_slots(draft.undo.as_deref(), &mut count);
    }
    let mut dropped = vec![false; nodes.node_count()];
    for node in nodes.node_indices().rev() {
        let Some(NodeKind::Value(value)) = nodes.node_weight(node).map(|draft| &draft.kind) else { continue };
        let read = uses.get(node.index()).is_some_and(|uses| *uses > 0);
        let ordered = nodes.neighbors(node).any(|later| !is_set(&dropped, later));
        if read || ordered || !walk::cannot_fail(value) {
            continue;
        }
        walk::slots(value, &mut |slot| {
            if let Some(uses) = node_of(slot).and_then(|node| uses.get_mut(node.index())) {
                *uses = uses.saturating_sub(1);
            }
        });
        if let Some(flag) = dropped.get_mut(node.index()) {
            *flag = true;
        }
    }
    dropped
}

/// The nodes in an order in which each follows what it waits for, and that of the source otherwise. None
/// when there is a cycle.
fn topological(nodes: &Drafts) -> Option<Vec<NodeIndex>> {
    // Only `after` a name that is bound later makes an edge against the order of the source.
    let forward = nodes.raw_edges().iter().all(|edge| edge.source() < edge.target());
    if forward {
        return Some(nodes.node_indices().collect());
    }
    let mut waits: Vec<usize> =
        nodes.node_indices().map(|node| nodes.neighbors_directed(node, Direction::Incoming).count()).collect();
    let ready = waits.iter().enumerate().filter(|(_, waits)| **waits == 0);
    let mut ready: BinaryHeap<Reverse<usize>> = ready.map(|(node, _)| Reverse(node)).collect();
    let mut order = Vec::with_capacity(waits.len());
    while let Some(Reverse(node)) = ready.pop() {
        let node = NodeIndex::new(node);
        order.push(node);
        for later in nodes.neighbors(node) {
            if let Some(waits) = waits.get_mut(later.index()) {
                *waits -= 1;
                if *waits == 0 {
                    ready.push(Reverse(later.index()));
                }
            }
        }
    }
    (order.len() == nodes.node_count()).then_some(order)
}

/// Names a shortest circle.
fn cycle(nodes: &Drafts) -> Diagnostic {
    let knots = tarjan_scc(nodes);
    let knot = knots.iter().filter(|knot| knot.len() > 1).min_by_key(|knot| knot.len());
    let start = match knot {
        Some(knot) => knot.iter().copied().min(),
        None => nodes.node_indices().find(|node| nodes.contains_edge(*node, *node)),
    };
    let path = start.map(|start| circle(nodes, start)).unwrap_or_default();
    let path: Vec<(&str, grammar::Span)> =
        path.into_iter().filter_map(|node| nodes.node_weight(node)).map(|draft| (&*draft.name, draft.span)).collect();
    diagnostics::cycle(&path)
}

/// The nodes of a shortest way from `start` back to it, each waiting for the next.
fn circle(nodes: &Drafts, start: NodeIndex) -> Vec<NodeIndex> {
    let mut came_from: Vec<Option<NodeIndex>> = vec![None; nodes.node_count()];
    let mut seen = BTreeSet::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for earlier in nodes.neighbors_directed(node, Direction::Incoming) {
            if earlier == start {
                let mut path = vec![node];
                while let Some(before) = path.last().and_then(|node| came_from.get(node.index()).copied().flatten()) {
                    path.push(before);
                }
                path.reverse();
                return path;
            }
            if seen.insert(earlier) {
                if let Some(from) = came_from.get_mut(earlier.index()) {
                    *from = Some(node);
                }
                queue.push_back(earlier);
            }
        }
    }
    vec![start]
}
