//! Flows that call each other in a cycle.

use std::collections::BTreeSet;

use super::Checker;
use crate::diagnostics::names as say;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Open,
    Done,
}

impl Checker<'_> {
    /// Reports each call that closes a cycle. Without recursion: chains of flows can be long.
    pub(super) fn check_recursion(&mut self) {
        let mut calls = std::mem::take(&mut self.flow_calls);
        calls.sort_unstable_by_key(|(caller, callee, at)| (*caller, *callee, at.start));
        calls.dedup_by_key(|(caller, callee, _)| (*caller, *callee));
        let nodes = self.flows.len() + self.generic_nodes.len();
        let mut state = vec![Visit::New; nodes];
        let mut reported = BTreeSet::new();
        for root in 0..nodes {
            if state.get(root) == Some(&Visit::New) {
                self.visit(root, &calls, &mut state, &mut reported);
            }
        }
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

fn set(state: &mut [Visit], index: usize, visit: Visit) {
    if let Some(slot) = state.get_mut(index) {
        *slot = visit;
    }
}
