//! Lowers what is written by hand, and looks at the plan.

use catalog::{Digest, Type};
use cranelift_entity::{EntityRef, PrimaryMap};
use grammar::Diagnostic;

use super::write::Write;
use crate::ir::{Flow, Program, Statement};
use crate::lower::invariants::check_plan;
use crate::lower::{Lowered, lower};
use crate::plan::{ComponentRef, FlowId, FunctionRef, NodeId, Plan, RegionId};
use crate::render::{Format, render};

const MOST_ARGS: usize = 4;

pub(super) fn program(flows: Vec<Flow>) -> Program {
    let mut components = PrimaryMap::new();
    let component = components.push(ComponentRef { source: "p.wasm".into(), digest: Digest([7; 32]) });
    let mut functions = PrimaryMap::new();
    for args in 0..MOST_ARGS {
        functions.push(FunctionRef {
            component,
            interface: None,
            wit_name: format!("f{args}"),
            params: (0..args).map(|arg| (format!("a{arg}").into(), Type::S64)).collect(),
            result: Type::S64,
            output: Type::S64,
        });
    }
    Program {
        imports: std::collections::BTreeMap::new(),
        entry: FlowId::new(0),
        flows: flows.into_iter().collect(),
        components,
        functions,
        roles: PrimaryMap::new(),
        plans: PrimaryMap::new(),
        classes: Vec::new(),
        hooks: Vec::new(),
        files: vec!["main.flow".into()],
    }
}

pub(super) fn lowered(flows: Vec<Flow>) -> Lowered {
    let lowered = lower(&program(flows)).expect("the program lowers");
    check_plan(&lowered.plan).expect("the plan is whole");
    for format in [Format::Table, Format::Mermaid, Format::Dot, Format::Json] {
        assert!(render(&lowered.plan, format).ends_with('\n'));
    }
    lowered
}

pub(super) fn plan(write: Write, statements: Vec<Statement>) -> Plan {
    lowered(vec![write.flow("main", statements)]).plan
}

pub(super) fn errors(write: Write, statements: Vec<Statement>) -> Vec<Diagnostic> {
    lower(&program(vec![write.flow("main", statements)])).expect_err("the program does not lower")
}

pub(super) fn codes(diagnostics: &[Diagnostic]) -> Vec<&str> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

pub(super) fn body(plan: &Plan) -> RegionId {
    plan.flows[plan.entry].body
}

pub(super) fn find(plan: &Plan, name: &str) -> NodeId {
    let mut found = plan.nodes.iter().filter(|(_, node)| &*node.name == name).map(|(id, _)| id);
    let node = found.next().unwrap_or_else(|| panic!("no node `{name}` in\n{}", render(plan, Format::Table)));
    assert!(found.next().is_none(), "several nodes `{name}`");
    node
}

pub(super) fn waits(plan: &Plan, name: &str) -> Vec<String> {
    let wanted = find(plan, name);
    let before = plan
        .nodes
        .iter()
        .filter(|(_, node)| plan.successors[node.successors.start as usize..node.successors.end as usize].contains(&wanted));
    before.map(|(_, node)| node.name.to_string()).collect()
}

pub(super) fn names(plan: &Plan, region: RegionId) -> Vec<String> {
    plan.nodes_of(region).map(|(node, _)| plan.nodes[node].name.to_string()).collect()
}
