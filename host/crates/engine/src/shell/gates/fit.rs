//! Steps that can never run here because they need more than the host has, found before the run starts.

use std::collections::BTreeSet;

use catalog::Value;
use lang::plan::{CallPlan, Expr, NodeId, NodeKind, Plan, RegionId, Target};

use super::Gates;
use crate::core::Wishes;
use crate::shell::EngineConfig;

impl Gates {
    /// The first step that every run of the plan comes to and that can never run here, and why. What only some runs come
    /// to, or whose failure something takes, is found when it is to run.
    pub(in crate::shell) fn never_fits(&self, config: &EngineConfig, plan: &Plan) -> Option<String> {
        self.places.host.as_ref()?;
        if plan.nodes.values().any(|node| matches!(node.kind, NodeKind::Return(_))) {
            return None;
        }
        let calls = certain(plan);
        calls.into_iter().find_map(|(name, call)| {
            let memory = match &call.memory {
                None => plan.classes.iter().find(|class| Some(&class.name) == call.class.as_ref()).and_then(|class| class.memory),
                Some(Expr::Const(Value::U64(memory))) => Some(*memory),
                Some(_) => return None,
            };
            let limits = config.limits_of(Wishes { memory, ..Wishes::default() }, call.class.as_ref());
            let why = self.places.never_fits(limits.memory, call.class.as_ref())?;
            Some(format!("the step `{name}` can never run: {why}"))
        })
    }
}

/// The calls that every run comes to, and whose failures nothing takes.
fn certain(plan: &Plan) -> Vec<(&str, &CallPlan)> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    let mut open: Vec<RegionId> = plan.flows.get(plan.entry).map(|flow| flow.body).into_iter().collect();
    while let Some(id) = open.pop() {
        let Some(region) = plan.regions.get(id).filter(|_| seen.insert(id)) else { continue };
        for node in region.nodes.clone().filter_map(|index| plan.nodes.get(NodeId::from_u32(index))) {
            match &node.kind {
                NodeKind::Call(call) if !matches!(call.target, Target::Plan(_)) => found.push((&*node.name, &**call)),
                NodeKind::Block { body } => open.push(body.region),
                NodeKind::Flow { flow, .. } => open.extend(plan.flows.get(*flow).map(|flow| flow.body)),
                _ => {}
            }
        }
    }
    found
}
