//! Flows that call each other in a cycle: each cycle needs a flow that says how deep it may go.

use grammar::ast::{Expr, ExprKind};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use std::collections::BTreeSet;

use super::Checker;
use super::flow::FlowChecker;
use crate::diagnostics::{arms, names as say};

/// The greatest bound of `recursive`. What runs at the deepest level has a path with as many parts, and each event carries one.
const MOST_DEPTH: u32 = 1000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Open,
    Done,
}

impl Checker<'_> {
    /// Reports each call that closes a cycle in which no flow is `recursive`, and each `recursive` outside of all
    /// cycles. Without recursion: chains of flows can be long.
    pub(super) fn check_recursion(&mut self) {
        let mut calls = std::mem::take(&mut self.flow_calls);
        calls.sort_unstable_by_key(|(caller, callee, at)| (*caller, *callee, at.start));
        calls.dedup_by_key(|(caller, callee, _)| (*caller, *callee));
        self.needless_recursion(&calls);
        let is_bounded = |node: usize| self.flows.get(self.flow_of(node)).is_some_and(|flow| flow.ast.recursive.is_some());
        calls.retain(|(caller, callee, _)| !is_bounded(*caller) && !is_bounded(*callee));
        let nodes = self.flows.len() + self.generic_nodes.len();
        let mut state = vec![Visit::New; nodes];
        let mut reported = BTreeSet::new();
        for root in 0..nodes {
            if state.get(root) == Some(&Visit::New) {
                self.visit(root, &calls, &mut state, &mut reported);
            }
        }
    }

    /// Says which flows have a bound and never come back to themselves.
    fn needless_recursion(&mut self, calls: &[(usize, usize, grammar::Span)]) {
        if self.errors > 0 || self.flows.iter().all(|flow| flow.ast.recursive.is_none()) {
            return;
        }
        let edges = calls.iter().map(|(caller, callee, _)| (*caller as u32, *callee as u32));
        let graph: DiGraph<(), ()> = DiGraph::from_edges(edges);
        let mut circular = vec![false; self.flows.len()];
        for knot in kosaraju_scc(&graph) {
            let lone = if let [only] = &*knot { !graph.contains_edge(*only, *only) } else { false };
            for flow in knot.iter().filter(|_| !lone) {
                if let Some(slot) = circular.get_mut(self.flow_of(flow.index())) {
                    *slot = true;
                }
            }
        }
        let needless = self.flows.iter().zip(&circular).filter(|(_, circular)| !**circular);
        let needless = needless.filter_map(|(flow, _)| Some((&flow.ast.name, flow.ast.recursive.as_ref()?)));
        let found: Vec<_> = needless.map(|(name, bound)| arms::needless_recursion(&name.name, name.span, bound.span)).collect();
        self.diagnostics.extend(found);
    }

    /// The flow that calls or is called as a node.
    fn flow_of(&self, node: usize) -> usize {
        node.checked_sub(self.flows.len()).map_or(node, |generic| self.generic_nodes.get(generic).copied().unwrap_or(node))
    }

    fn visit(
        &mut self,
        root: usize,
        calls: &[(usize, usize, grammar::Span)],
        state: &mut [Visit],
        reported: &mut BTreeSet<Vec<usize>>,
    ) {
        let first = |flow: usize| calls.partition_point(|(caller, _, _)| *caller < flow);
        let mut stack = vec![(root, first(root))];
        while let Some((flow, next)) = stack.last_mut() {
            let (current, call) = (*flow, *next);
            *next += 1;
            set(state, current, Visit::Open);
            let Some((_, callee, at)) = calls.get(call).filter(|(caller, _, _)| *caller == current) else {
                set(state, current, Visit::Done);
                stack.pop();
                continue;
            };
            match state.get(*callee) {
                Some(Visit::New) => stack.push((*callee, first(*callee))),
                Some(Visit::Open) => {
                    let from = stack.iter().position(|(flow, _)| flow == callee).unwrap_or(0);
                    let cycle: Vec<usize> = stack.iter().skip(from).map(|(node, _)| self.flow_of(*node)).collect();
                    let mut key = cycle.clone();
                    key.sort_unstable();
                    // Instances of generic flows repeat the cycle of their flows.
                    if !reported.insert(key) {
                        continue;
                    }
                    let names = cycle.iter().chain(cycle.first()).filter_map(|flow| self.flows.get(*flow));
                    let names: Vec<&str> = names.map(|flow| &*flow.ast.name.name).collect();
                    let diagnostic = say::recursion(&names, *at);
                    self.report(diagnostic);
                }
                _ => {}
            }
        }
    }
}

impl FlowChecker<'_, '_> {
    /// The bound of `recursive`, which is a literal: it belongs to the program, not to a run.
    pub(super) fn recursion_bound(&mut self, written: &Expr) -> Option<u32> {
        let bound = match written.kind {
            ExprKind::Error => return None,
            ExprKind::Int(bound) => u32::try_from(bound).ok().filter(|bound| (1..=MOST_DEPTH).contains(bound)),
            _ => None,
        };
        if bound.is_none() {
            self.g.report(arms::recursion_bound(MOST_DEPTH, written.span));
        }
        bound
    }
}

fn set(state: &mut [Visit], index: usize, visit: Visit) {
    if let Some(slot) = state.get_mut(index) {
        *slot = visit;
    }
}
