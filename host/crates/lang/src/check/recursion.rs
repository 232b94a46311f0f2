//! Flows that call each other in a cycle.

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
        let mut state = vec![Visit::New; self.flows.len()];
        for root in 0..self.flows.len() {
            if state.get(root) == Some(&Visit::New) {
                self.visit(root, &calls, &mut state);
            }
        }
    }

    fn visit(&mut self, root: usize, calls: &[(usize, usize, grammar::Span)], state: &mut [Visit]) {
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
                    let cycle = stack.iter().skip(from).map(|(flow, _)| *flow).chain([*callee]);
                    let names: Vec<&str> =
                        cycle.filter_map(|flow| self.flows.get(flow)).map(|flow| &*flow.ast.name.name).collect();
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
