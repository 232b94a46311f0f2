//! From the typed tree to a frozen plan.
//!
//! # Steps
//!
//! 1. The flows are taken callees first, so that what a call may do is known where it stands. With recursion they are
//!    lowered into tables that are thrown away until no summary changes any more.
//! 2. [`flow`] goes through each flow once. Steps inside expressions are lifted to nodes of the region;
//!    to the right of `and`, `or`, `??` and in the arms of `if` and `match` they become child regions.
//! 3. Each region is an editable [`graph`](crate::graph) until all of it is there, and is then [frozen](crate::freeze).
//! 4. Of a test, `mocks` become patterns and expressions beside the graph.
//! 5. [`policy`](crate::policy) says which `with` applies to what.

#![expect(clippy::indexing_slicing, reason = "tables are indexed by typed ids that come from them; side tables grow")]

pub(crate) mod diagnostics;
mod expr;
pub(crate) mod facts;
mod flow;
mod form;
mod hooks;
mod idle;
pub(crate) mod invariants;
mod messages;
mod mocks;
mod step;
#[cfg(test)]
mod tests;
mod undo;
pub(crate) mod walk;

pub(crate) use facts::holds_folder;

use cranelift_entity::{EntityRef, PrimaryMap, SecondaryMap};
use grammar::Diagnostic;

use crate::freeze::Tables;
use crate::ir::{Flow, Program};
use crate::lower::flow::{FlowLowering, Summary};
use crate::plan::{Budget, Derived, FlowId, FlowPlan, ParamPlan, Plan, Region};

/// A plan, and what should be said about it all the same.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) plan: Plan,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Lowers a checked program.
///
/// # Errors
/// Circles of waiting steps, and policies that widen what is set around them; with the warnings.
pub(crate) fn lower(program: &Program) -> Result<Lowered, Vec<Diagnostic>> {
    let mut report = Vec::new();
    let mut tables = Tables::default();
    let mut summaries: SecondaryMap<FlowId, Summary> = SecondaryMap::new();
    let mut plans: SecondaryMap<FlowId, Option<FlowPlan>> = SecondaryMap::new();
    let mut mocks = Vec::new();
    let order = callees_first(program, &mut report);
    if program.flows.values().any(|flow| flow.recursion.is_some()) {
        settle(program, &order, &mut summaries);
    }
    for id in order {
        let Some(flow) = program.flows.get(id) else { continue };
        let lowering = FlowLowering::new(program, flow, &summaries, &mut tables, &mut report);
        let (plan, summary, of_flow) = lowering.run();
        if id == program.entry {
            mocks = of_flow;
        }
        summaries[id] = summary;
        plans[id] = Some(plan);
    }
    let hooks = hooks::hooks(program, &mut report);
    if report.iter().any(|diagnostic| diagnostic.severity == grammar::Severity::Error) {
        return Err(report);
    }
    let mut flows = PrimaryMap::with_capacity(program.flows.len());
    for (id, flow) in &program.flows {
        let plan = plans[id].take();
        flows.push(plan.unwrap_or_else(|| empty(flow, &mut tables)));
    }
    let plan = Plan {
        entry: program.entry,
        components: program.components.clone(),
        functions: program.functions.clone(),
        roles: program.roles.clone(),
        plans: program.plans.clone(),
        flows,
        regions: tables.regions,
        nodes: tables.nodes,
        successors: tables.successors,
        classes: program.classes.clone(),
        hooks,
        files: program.files.clone(),
        mocks,
        derived: Derived::default(),
    };
    Ok(Lowered { plan, warnings: report })
}

/// Finds out what flows that call each other may do: nothing at first, then what each does with what was found before,
/// until nothing is new. What a summary holds only grows.
fn settle(program: &Program, order: &[FlowId], summaries: &mut SecondaryMap<FlowId, Summary>) {
    for (id, flow) in &program.flows {
        summaries[id] = Summary::of_nothing(flow.params.len());
    }
    let mut changed = true;
    while changed {
        changed = false;
        for id in order {
            let Some(flow) = program.flows.get(*id) else { continue };
            let (mut tables, mut report) = (Tables::default(), Vec::new());
            let (_, summary, _) = FlowLowering::new(program, flow, summaries, &mut tables, &mut report).run();
            changed |= !summary.says_the_same(&summaries[*id]);
            summaries[*id] = summary;
        }
    }
}

/// Keeps ids dense should a flow have been left out.
fn empty(flow: &Flow, tables: &mut Tables) -> FlowPlan {
    let end = tables.nodes.len() as u32;
    let result = crate::plan::Expr::Const(catalog::Value::Unit);
    let body = tables.regions.push(Region { inputs: flow.params.len() as u32, nodes: end..end, result });
    FlowPlan {
        name: flow.title(),
        docs: flow.docs.clone(),
        params: params(flow, &[]),
        result: flow.result.clone(),
        body,
        deadline: None,
        parallel: None,
        budget: Budget::default(),
        recursion: flow.recursion,
        span: flow.span,
    }
}

/// The parameters of a flow; defaults are filled in by [`flow`].
fn params(flow: &Flow, access: &[Option<crate::plan::FolderAccess>]) -> Vec<ParamPlan> {
    let bound = flow.params.iter().map(|param| (param, flow.bindings.get(param.binding)));
    let with_access = bound.zip(access.iter().copied().chain(std::iter::repeat(None)));
    let plan = with_access.map(|((param, binding), access)| ParamPlan {
        name: binding.map_or_else(|| "".into(), |binding| binding.name.clone()),
        ty: binding.map_or(catalog::Type::Unit, |binding| binding.ty.clone()),
        default: None,
        access: binding.and_then(|binding| access.filter(|_| binding.ty == catalog::Type::Dir)),
        docs: param.docs.clone(),
    });
    plan.collect()
}

/// All flows, each after those that it calls, as far as they do not call it. Reports circles without a bound.
fn callees_first(program: &Program, report: &mut Vec<Diagnostic>) -> Vec<FlowId> {
    #[derive(Clone, Copy, Default, PartialEq)]
    enum Mark {
        #[default]
        New,
        Open,
        Done,
    }
    let mut callees: SecondaryMap<FlowId, Vec<FlowId>> = SecondaryMap::new();
    for (id, flow) in &program.flows {
        facts::callees(&flow.body, &mut |callee| callees[id].push(callee));
        callees[id].sort_unstable();
        callees[id].dedup();
    }
    let mut marks: SecondaryMap<FlowId, Mark> = SecondaryMap::new();
    let mut order = Vec::with_capacity(program.flows.len());
    for root in program.flows.keys() {
        // A chain of calls can be as long as there are flows, so the stack is our own.
        let mut stack = vec![(root, 0)];
        while let Some((flow, next)) = stack.pop() {
            if next == 0 {
                if marks[flow] != Mark::New {
                    continue;
                }
                marks[flow] = Mark::Open;
            }
            let Some(callee) = callees[flow].get(next).copied() else {
                marks[flow] = Mark::Done;
                order.push(flow);
                continue;
            };
            stack.push((flow, next + 1));
            match marks[callee] {
                Mark::New => stack.push((callee, 0)),
                Mark::Open => {
                    let from = stack.iter().position(|(open, _)| *open == callee).unwrap_or(0);
                    let mut circle = stack.iter().skip(from).filter_map(|(flow, _)| program.flows.get(*flow));
                    let bounded = circle.any(|flow| flow.recursion.is_some());
                    if let Some(flow) = program.flows.get(callee).filter(|_| !bounded) {
                        report.push(diagnostics::recursion(&flow.name, flow.span));
                    }
                }
                Mark::Done => {}
            }
        }
    }
    debug_assert!(order.iter().all(|flow| flow.index() < program.flows.len() || program.flows.get(*flow).is_none()));
    order
}
