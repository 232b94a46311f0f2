//! What differs between two plans: nodes by their paths, and what is declared beside them.

use std::collections::BTreeMap;

use super::names::{self, Frame};
use crate::lower::walk;
use crate::plan::{CallPlan, Expr, FlowPlan, HookPlan, HookTarget, Node, NodeId, NodeKind, Plan, RegionId, Slot, Target};

/// Something that is not the same in two plans.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// A node by its path, each item and iteration written `[]`; or `flow NAME`, `class NAME`, `hook N`.
    pub path: String,
    /// What happened to it.
    pub what: What,
}

/// What happened to a node or declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Only the new plan has it.
    Added {
        /// What it is.
        kind: String,
    },
    /// Only the old plan has it.
    Removed {
        /// What it was.
        kind: String,
    },
    /// It has another name, and nothing else is different.
    Renamed {
        /// The path that it had.
        from: String,
    },
    /// Both have it, with differences.
    Changed(Vec<Field>),
}

/// A part that is different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Which: `kind`, `component`, `arguments`, `waits for`, `grants`, `type`, or a policy key.
    pub name: String,
    /// In the old plan; empty: it had none.
    pub old: String,
    /// In the new plan; empty: it has none.
    pub new: String,
}

/// What differs, in the order of the new plan, then what is gone.
#[must_use]
pub fn difference(old: &Plan, new: &Plan) -> Vec<Change> {
    let mut names = Names::default();
    let (old, new) = (Shapes::of(old, &mut names), Shapes::of(new, &mut names));
    let mut changes = Vec::new();
    for (path, shape) in &new.all {
        match old.find(path) {
            Some(before) => {
                let fields = shape.differs_from(before);
                if !fields.is_empty() {
                    changes.push(Change { path: path.clone(), what: What::Changed(fields) });
                }
            }
            None => changes.push(Change { path: path.clone(), what: What::Added { kind: shape.kind.clone() } }),
        }
    }
    for (path, shape) in old.all.iter().filter(|(path, _)| new.find(path).is_none()) {
        let renamed = changes.iter_mut().find(|change| {
            let same = new.find(&change.path).is_some_and(|other| other.differs_from(shape).is_empty());
            matches!(change.what, What::Added { .. }) && same && parent(&change.path) == parent(path)
        });
        match renamed {
            Some(change) => change.what = What::Renamed { from: path.clone() },
            None => changes.push(Change { path: path.clone(), what: What::Removed { kind: shape.kind.clone() } }),
        }
    }
    changes
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// A node or declaration, as far as it is compared.
struct Shape {
    kind: String,
    parts: BTreeMap<String, Part>,
}

/// What is shown, and what is compared: the first may be cut.
struct Part {
    shown: String,
    exact: String,
}

impl Shape {
    fn new(kind: String) -> Self {
        let parts = BTreeMap::from([("kind".to_owned(), Part { shown: kind.clone(), exact: kind.clone() })]);
        Self { kind, parts }
    }

    fn part(&mut self, name: &str, shown: String, exact: String) {
        self.parts.insert(name.to_owned(), Part { shown, exact });
    }

    fn text(&mut self, name: &str, text: String) {
        if !text.is_empty() {
            self.part(name, text.clone(), text);
        }
    }

    fn differs_from(&self, before: &Self) -> Vec<Field> {
        let keys: std::collections::BTreeSet<&String> = self.parts.keys().chain(before.parts.keys()).collect();
        let field = |name: &String| {
            let (old, new) = (before.parts.get(name), self.parts.get(name));
            let same = old.map(|part| &part.exact) == new.map(|part| &part.exact);
            let shown = |part: Option<&Part>| part.map_or_else(String::new, |part| part.shown.clone());
            (!same).then(|| Field { name: name.clone(), old: shown(old), new: shown(new) })
        };
        keys.into_iter().filter_map(field).collect()
    }
}

/// Numbers for names, so that expressions of two plans can be compared: slots are counted otherwise in each.
#[derive(Default)]
struct Names(BTreeMap<String, u32>);

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(name.to_owned()).or_insert(next)
    }

    fn exact(&mut self, expr: &Expr, frame: &Frame, inputs: u32) -> String {
        let mut expr = expr.clone();
        walk::slots_mut(&mut expr, &mut |slot| {
            let name = frame.get(slot.0 as usize).map_or("", String::as_str);
            let name = if slot.0 < inputs { format!("in {name}") } else { name.to_owned() };
            *slot = Slot(self.number(&name));
        });
        format!("{expr:?}")
    }
}

/// All that is in a plan, in its order.
struct Shapes<'p, 'n> {
    plan: &'p Plan,
    names: &'n mut Names,
    before: cranelift_entity::SecondaryMap<NodeId, Vec<NodeId>>,
    all: Vec<(String, Shape)>,
    places: BTreeMap<String, usize>,
}

/// What is in a plan, by path.
struct Found {
    all: Vec<(String, Shape)>,
    places: BTreeMap<String, usize>,
}

impl Found {
    fn find(&self, path: &str) -> Option<&Shape> {
        self.places.get(path).and_then(|place| self.all.get(*place)).map(|(_, shape)| shape)
    }
}

impl<'p, 'n> Shapes<'p, 'n> {
    fn of(plan: &'p Plan, names: &'n mut Names) -> Found {
        let before = names::predecessors(plan);
        let mut shapes = Self { plan, names, before, all: Vec::new(), places: BTreeMap::new() };
        let entry = plan.flows.iter().filter(|(id, _)| *id == plan.entry);
        let others = plan.flows.iter().filter(|(id, _)| *id != plan.entry);
        for (_, flow) in entry.chain(others) {
            shapes.flow(flow);
        }
        for class in &plan.classes {
            let mut shape = Shape::new("class".to_owned());
            shape.text("limits", format!("{class:?}"));
            shapes.add(format!("class {}", class.name), shape);
        }
        for (index, hook) in plan.hooks.iter().enumerate() {
            let shape = shapes.hook(hook);
            shapes.add(format!("hook {}", index + 1), shape);
        }
        Found { all: shapes.all, places: shapes.places }
    }

    fn add(&mut self, path: String, shape: Shape) {
        self.places.insert(path.clone(), self.all.len());
        self.all.push((path, shape));
    }

    fn flow(&mut self, flow: &FlowPlan) {
        let frame: Frame = flow.params.iter().map(|param| param.name.to_string()).collect();
        let inputs = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let mut shape = Shape::new("flow".to_owned());
        let params: Vec<String> = flow.params.iter().map(|param| format!("{}: {}", param.name, param.ty)).collect();
        shape.text("parameters", params.join(", "));
        shape.text("type", flow.result.to_string());
        shape.text("recursive", flow.recursion.map_or_else(String::new, |bound| format!("max {bound}")));
        for (key, value) in [("deadline", &flow.deadline), ("parallel", &flow.parallel)] {
            if let Some(value) = value {
                shape.part(key, names::expr(value, &frame), self.names.exact(value, &frame, inputs));
            }
        }
        shape.text("budget", names::budget(&flow.budget, &frame).unwrap_or_default());
        let owner = format!("flow {}", flow.name);
        self.add(owner.clone(), shape);
        let body = names::frame(self.plan, flow.body, frame);
        self.region(flow.body, (&owner, ""), &flow.name, &body);
    }

    fn hook(&mut self, hook: &HookPlan) -> Shape {
        let mut shape = Shape::new(format!("hook {}", hook.call.name));
        let target = match &hook.target {
            HookTarget::Component(component) => {
                self.plan.components.get(*component).map(|of| of.source.clone()).unwrap_or_default()
            }
            HookTarget::Function(function) => self.plan.name_of(Target::Function(*function)).to_owned(),
            other => format!("{other:?}"),
        };
        shape.text("around", format!("{:?} {:?} {target} {:?}", hook.phase, hook.event, hook.inputs));
        self.call(&mut shape, &hook.call, &Frame::new(), 0);
        shape
    }

    /// What is in a region; its value belongs to the node or flow that opens it.
    fn region(&mut self, region: RegionId, (owner, mark): (&str, &str), around: &str, frame: &Frame) {
        let Some(shape) = self.plan.regions.get(region) else { return };
        let (shown, exact) = (names::expr(&shape.result, frame), self.names.exact(&shape.result, frame, shape.inputs));
        if let Some((_, owner)) = self.places.get(owner).and_then(|place| self.all.get_mut(*place)) {
            owner.part(format!("gives {mark}").trim_end(), shown, exact);
        }
        for (id, _) in self.plan.nodes_of(region) {
            self.node(id, around, frame, shape.inputs);
        }
    }

    fn node(&mut self, id: NodeId, around: &str, frame: &Frame, inputs: u32) {
        let plan = self.plan;
        let node = &plan.nodes[id];
        let path = format!("{around}/{}", node.name);
        let mut shape = Shape::new(names::kind(plan, node));
        shape.text("type", node.ty.to_string());
        let mut waits: Vec<&str> = self.before[id].iter().map(|before| &*plan.nodes[*before].name).collect();
        waits.sort_unstable();
        shape.text("waits for", waits.join(", "));
        self.kind(&mut shape, node, frame, inputs);
        for (key, value) in names::policy(node, frame) {
            shape.text(key, value);
        }
        self.add(path.clone(), shape);
        for (child, role, params) in names::children(node) {
            let mark = mark(&role);
            let names = names::inputs(child, params, frame);
            let frame = names::frame(plan, child.region, names);
            self.region(child.region, (&path, &mark), &format!("{path}{mark}"), &frame);
        }
    }

    /// What a node is about: its own expressions.
    fn kind(&mut self, shape: &mut Shape, node: &Node, frame: &Frame, inputs: u32) {
        let mut one =
            |name: &str, value: &Expr| shape.part(name, names::expr(value, frame), self.names.exact(value, frame, inputs));
        match &node.kind {
            NodeKind::Call(call) => self.call(shape, call, frame, inputs),
            NodeKind::Flow { args, .. } => {
                let exact: Vec<String> = args.iter().map(|arg| self.names.exact(arg, frame, inputs)).collect();
                let shown: Vec<String> = args.iter().map(|arg| names::expr(arg, frame)).collect();
                shape.part("arguments", shown.join(", "), exact.join(", "));
            }
            NodeKind::Value(value) | NodeKind::Return(value) => one("value", value),
            NodeKind::If { condition, .. } => one("condition", condition),
            NodeKind::Require { condition, message, .. } => {
                one("condition", condition);
                one("message", message);
            }
            NodeKind::Match { subject, arms } => {
                one("subject", subject);
                let patterns: Vec<String> = arms.iter().map(|arm| format!("{:?} {}", arm.pattern, arm.guard.is_some())).collect();
                shape.text("patterns", patterns.join(", "));
            }
            NodeKind::Map { list, .. } | NodeKind::Tree { list, .. } => one("list", list),
            NodeKind::Fold { init, list, .. } => {
                one("first", init);
                one("list", list);
            }
            NodeKind::Loop { init, max, .. } => {
                one("first", init);
                one("max", max);
            }
            NodeKind::Wait(_) | NodeKind::Emit { .. } | NodeKind::Race { .. } => {
                shape.text("about", names::about(&node.kind, frame).unwrap_or_default());
            }
            NodeKind::Try { .. } | NodeKind::Block { .. } => {}
        }
    }

    fn call(&mut self, shape: &mut Shape, call: &CallPlan, frame: &Frame, inputs: u32) {
        if let Target::Function(function) = call.target
            && let Some(function) = self.plan.functions.get(function)
            && let Some(component) = self.plan.components.get(function.component)
        {
            shape.text("component", component.digest.to_string());
            shape.text("interface", function.interface.clone().unwrap_or_default());
        }
        let exact: Vec<String> = call.args.iter().map(|arg| self.names.exact(arg, frame, inputs)).collect();
        let shown: Vec<String> = call.args.iter().map(|arg| names::expr(arg, frame)).collect();
        if !exact.is_empty() {
            shape.part("arguments", shown.join(", "), exact.join(", "));
        }
        shape.text("grants", names::grants(call, frame).join(", "));
    }
}

/// What tells the child regions of a node apart in a path.
fn mark(role: &str) -> String {
    match role {
        "each" | "pair" => "[]".to_owned(),
        "until" => ".until[]".to_owned(),
        "exhausted" => ".else".to_owned(),
        "catch" => ".catch".to_owned(),
        "undo" | "undo always" => ".undo".to_owned(),
        "then" | "try" | "body" => String::new(),
        other => other.strip_prefix("arm [").map_or_else(|| format!(" ({other})"), |index| format!("[{index}")),
    }
}
