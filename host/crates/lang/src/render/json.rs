//! A plan as JSON, complete, for tools.

use serde_json::{Map, Value as Json, json};

use super::critical::{critical_path, leaves, roots, successors};
use super::names::{self, Frame};
use crate::plan::{FlowId, FolderAccess, HookTarget, NodeId, NodeKind, Plan, RegionId, Target};

pub(super) fn json(plan: &Plan) -> String {
    let mut walk = Walk { plan, nodes: Vec::new(), regions: Vec::new() };
    for (id, flow) in &plan.flows {
        let inputs = flow.params.iter().map(|param| param.name.to_string()).collect();
        walk.region(flow.body, &flow.name, inputs, &json!({ "flow": id.to_string() }));
    }
    let ids = |nodes: Vec<NodeId>| nodes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let document = json!({
        "digest": plan.digest().to_string(),
        "semantics": crate::plan::SEMANTICS_VERSION,
        "entry": plan.entry.to_string(),
        "files": plan.files,
        "components": plan.components.iter().map(|(id, component)| json!({
            "id": id.to_string(), "source": component.source, "digest": component.digest.to_string(),
        })).collect::<Vec<_>>(),
        "functions": plan.functions.iter().map(|(id, function)| json!({
            "id": id.to_string(),
            "component": function.component.to_string(),
            "interface": function.interface,
            "name": function.wit_name,
            "params": function.params.iter().map(|(name, ty)| json!({ "name": &**name, "type": ty.to_string() })).collect::<Vec<_>>(),
            "result": function.result.to_string(),
            "output": function.output.to_string(),
        })).collect::<Vec<_>>(),
        "roles": plan.roles.iter().map(|(id, role)| json!({
            "id": id.to_string(),
            "name": &*role.name,
            "params": role.params.iter().map(|(name, ty)| json!({ "name": &**name, "type": ty.to_string() })).collect::<Vec<_>>(),
            "result": role.result.to_string(),
        })).collect::<Vec<_>>(),
        "classes": plan.classes.iter().map(|class| json!({
            "name": &*class.name, "parallel": class.parallel, "memory": class.memory, "fuel": class.fuel, "timeout_ns": class.timeout,
        })).collect::<Vec<_>>(),
        "hooks": plan.hooks.iter().map(|hook| json!({
            "phase": format!("{:?}", hook.phase).to_lowercase(),
            "event": format!("{:?}", hook.event).to_lowercase(),
            "target": target(plan, &hook.target),
            "handler": &*hook.call.name,
        })).collect::<Vec<_>>(),
        "flows": plan.flows.keys().map(|id| flow(plan, id)).collect::<Vec<_>>(),
        "regions": walk.regions,
        "nodes": walk.nodes,
        "roots": ids(roots(plan)),
        "leaves": ids(leaves(plan)),
        "critical_path": ids(critical_path(plan)),
    });
    format!("{document:#}\n")
}

/// What a hook is called around; null for all.
fn target(plan: &Plan, target: &HookTarget) -> Json {
    match target {
        HookTarget::All => Json::Null,
        HookTarget::Component(id) => json!({ "component": id.to_string() }),
        HookTarget::Function(id) => json!({ "function": id.to_string(), "name": plan.functions[*id].wit_name }),
        HookTarget::Topic(topic) => json!({ "topic": &**topic }),
        HookTarget::Flow(flow) => json!({ "flow": &**flow }),
        HookTarget::Step(step) => json!({ "step": &**step }),
    }
}

fn flow(plan: &Plan, id: FlowId) -> Json {
    let flow = &plan.flows[id];
    let frame: Frame = flow.params.iter().map(|param| param.name.to_string()).collect();
    let params = flow.params.iter().map(|param| {
        json!({
            "name": &*param.name,
            "type": param.ty.to_string(),
            "default": param.default.as_ref().map(|default| names::expr(default, &Vec::new())),
            "access": param.access.map(|access| match access {
                FolderAccess::Read => "read",
                FolderAccess::ReadWrite => "read_write",
            }),
            "docs": param.docs,
        })
    });
    json!({
        "id": id.to_string(),
        "name": &*flow.name,
        "docs": flow.docs,
        "params": params.collect::<Vec<_>>(),
        "result": flow.result.to_string(),
        "body": flow.body.to_string(),
        "deadline": flow.deadline.as_ref().map(|deadline| names::expr(deadline, &frame)),
        "recursion": flow.recursion,
        "parallel": flow.parallel.as_ref().map(|parallel| names::expr(parallel, &frame)),
        "budget": names::budget(&flow.budget, &frame),
    })
}

struct Walk<'p> {
    plan: &'p Plan,
    nodes: Vec<Json>,
    regions: Vec<Json>,
}

impl Walk<'_> {
    fn region(&mut self, id: RegionId, path: &str, inputs: Vec<String>, owner: &Json) {
        let region = &self.plan.regions[id];
        let frame = names::frame(self.plan, id, inputs);
        self.regions.push(json!({
            "id": id.to_string(),
            "owner": owner,
            "inputs": frame.get(..region.inputs as usize).unwrap_or(&frame),
            "nodes": self.plan.nodes_of(id).map(|(node, _)| node.to_string()).collect::<Vec<_>>(),
            "result": names::expr(&region.result, &frame),
        }));
        for (node, _) in self.plan.nodes_of(id) {
            self.node(node, path, &frame);
        }
    }

    fn node(&mut self, id: NodeId, around: &str, frame: &Frame) {
        let node = &self.plan.nodes[id];
        let path = format!("{around}/{}", node.name);
        let mut fields = Map::new();
        let mut set = |key: &str, value: Json| fields.insert(key.to_owned(), value);
        set("id", json!(id.to_string()));
        set("path", json!(path));
        set("name", json!(&*node.name));
        set("kind", json!(names::word(&node.kind)));
        set("region", json!(node.region.to_string()));
        set("type", json!(node.ty.to_string()));
        set("waits", json!(node.waits));
        set("successors", json!(successors(self.plan, node).iter().map(ToString::to_string).collect::<Vec<_>>()));
        set("span", json!({ "file": node.span.file.0, "start": node.span.start, "end": node.span.end }));
        let policy = names::policy(node, frame).into_iter().map(|(key, value)| (key.to_owned(), json!(value)));
        set("policy", Json::Object(policy.collect()));
        match &node.kind {
            NodeKind::Call(call) => {
                match call.target {
                    Target::Function(function) => set("function", json!(function.to_string())),
                    Target::Role(role) => set("role", json!(role.to_string())),
                    Target::Plan(plan) => set("plan", json!(plan.to_string())),
                };
                set("args", json!(call.args.iter().map(|arg| names::expr(arg, frame)).collect::<Vec<_>>()));
                set("grants", json!(names::grants(call, frame)));
            }
            NodeKind::Flow { flow, args } => {
                set("flow", json!(flow.to_string()));
                set("args", json!(args.iter().map(|arg| names::expr(arg, frame)).collect::<Vec<_>>()));
            }
            kind => {
                if let Some(about) = names::about(kind, frame) {
                    set("about", json!(about));
                }
            }
        }
        let children = names::children(node);
        let listed = children.iter().map(|(child, role, _)| json!({ "role": role, "region": child.region.to_string() }));
        set("children", json!(listed.collect::<Vec<_>>()));
        self.nodes.push(Json::Object(fields));
        for (child, role, params) in children {
            let path = names::path(&path, &role);
            let owner = json!({ "node": id.to_string(), "role": role });
            self.region(child.region, &path, names::inputs(child, params, frame), &owner);
        }
    }
}
