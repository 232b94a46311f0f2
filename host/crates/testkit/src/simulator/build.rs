//! Plans made by hand: regions of nodes that find out themselves what they wait for.

use catalog::{Digest, Name, Type, Value};
use cranelift_entity::PrimaryMap;
use grammar::Span;
use lang::plan::{
    Backoff, Budget, CallPlan, Child, ComponentId, ComponentRef, Derived, Expr, FlowId, FlowPlan, FunctionId, FunctionRef, Grant,
    Node, NodeId, NodeKind, Operator, PLAN_SOURCE, ParamPlan, Plan, PlanId, PlanRef, Region, RegionId, RoleId, RoleRef, Rules,
    Slot, Target, UndoPlan, WaitPlan,
};

/// A region that is being made.
#[derive(Debug, Default)]
pub struct RegionDraft {
    inputs: u32,
    nodes: Vec<NodeDraft>,
}

#[derive(Debug)]
struct NodeDraft {
    name: Name,
    kind: NodeKind,
    after: Vec<Slot>,
    policy: NodePolicy,
}

/// What a node may have beside its kind.
#[derive(Clone, Debug)]
pub struct NodePolicy {
    /// Of the node.
    pub deadline: Option<Expr>,
    /// Of the node.
    pub parallel: Option<Expr>,
    /// Of a structured node.
    pub budget: Budget,
    /// What it gives.
    pub ty: Type,
    /// What takes it back.
    pub undo: Option<UndoPlan>,
}

impl Default for NodePolicy {
    fn default() -> Self {
        Self { deadline: None, parallel: None, budget: Budget::default(), ty: Type::U64, undo: None }
    }
}

impl RegionDraft {
    /// A region with so many inputs.
    #[must_use]
    pub const fn new(inputs: u32) -> Self {
        Self { inputs, nodes: Vec::new() }
    }

    /// How many inputs it has.
    #[must_use]
    pub const fn inputs(&self) -> u32 {
        self.inputs
    }

    /// Adds a node that also waits for `after`. Gives the slot of its value.
    pub fn node(&mut self, name: &str, kind: NodeKind, after: &[Slot], policy: NodePolicy) -> Slot {
        let slot = Slot(self.inputs + u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(NodeDraft { name: name.into(), kind, after: after.to_vec(), policy });
        slot
    }

    /// Adds a node without anything special.
    pub fn add(&mut self, name: &str, kind: NodeKind) -> Slot {
        self.node(name, kind, &[], NodePolicy::default())
    }
}

/// A plan that is being made.
#[derive(Debug)]
pub struct PlanBuilder {
    components: PrimaryMap<ComponentId, ComponentRef>,
    functions: PrimaryMap<FunctionId, FunctionRef>,
    roles: PrimaryMap<RoleId, RoleRef>,
    plans: PrimaryMap<PlanId, PlanRef>,
    flows: PrimaryMap<FlowId, FlowPlan>,
    regions: PrimaryMap<RegionId, Region>,
    nodes: PrimaryMap<NodeId, Node>,
    successors: Vec<NodeId>,
}

impl Default for PlanBuilder {
    fn default() -> Self {
        let mut components = PrimaryMap::new();
        components.push(ComponentRef { source: "fake.wasm".to_owned(), digest: Digest([7; 32]) });
        Self {
            components,
            functions: PrimaryMap::new(),
            roles: PrimaryMap::new(),
            plans: PrimaryMap::new(),
            flows: PrimaryMap::new(),
            regions: PrimaryMap::new(),
            nodes: PrimaryMap::new(),
            successors: Vec::new(),
        }
    }
}

impl PlanBuilder {
    /// A function of the one component; its parameters are whatever it is called with.
    pub fn function(&mut self, name: &str, output: Type) -> FunctionId {
        self.function_of(name, &[], output)
    }

    /// A function with parameters.
    pub fn function_of(&mut self, name: &str, params: &[(&str, Type)], output: Type) -> FunctionId {
        self.functions.push(FunctionRef {
            component: ComponentId::from_u32(0),
            interface: None,
            wit_name: name.to_owned(),
            params: params.iter().map(|(name, ty)| ((*name).into(), ty.clone())).collect(),
            result: output.clone(),
            output,
        })
    }

    /// A role; its parameters are whatever it is asked.
    pub fn role(&mut self, name: &str, output: Type) -> RoleId {
        self.roles.push(RoleRef { name: name.into(), params: Vec::new(), result: output.clone(), output })
    }

    /// A plan that the plan runs, which is given its text and a number.
    pub fn plan(&mut self) -> PlanId {
        let params = vec![(PLAN_SOURCE.into(), Type::String), ("n".into(), Type::U64)];
        self.plans.push(PlanRef { params, from: "main.flow".to_owned() })
    }

    /// Freezes a region.
    pub fn region(&mut self, draft: RegionDraft, result: Expr) -> RegionId {
        let (id, start) = (self.regions.next_key(), self.nodes.next_key().as_u32());
        let count = u32::try_from(draft.nodes.len()).unwrap_or(u32::MAX);
        let waits: Vec<Vec<u32>> = draft.nodes.iter().map(|node| predecessors(node, draft.inputs)).collect();
        let mut followers = vec![Vec::new(); draft.nodes.len()];
        for (follower, waits) in (0_u32..).zip(&waits) {
            for before in waits {
                if let Some(followers) = followers.get_mut(*before as usize) {
                    followers.push(NodeId::from_u32(start + follower));
                }
            }
        }
        for ((node, waits), followers) in draft.nodes.into_iter().zip(&waits).zip(&followers) {
            let from = u32::try_from(self.successors.len()).unwrap_or(u32::MAX);
            self.successors.extend(followers);
            let to = u32::try_from(self.successors.len()).unwrap_or(u32::MAX);
            self.nodes.push(Node {
                kind: node.kind,
                region: id,
                name: node.name,
                span: Span::default(),
                waits: u32::try_from(waits.len()).unwrap_or(u32::MAX),
                successors: from..to,
                deadline: node.policy.deadline,
                parallel: node.policy.parallel,
                budget: node.policy.budget,
                ty: node.policy.ty,
                undo: node.policy.undo.map(Box::new),
            });
        }
        self.regions.push(Region { inputs: draft.inputs, nodes: start..start + count, result })
    }

    /// A flow whose parameters are all `u64`.
    pub fn flow(&mut self, name: &str, params: &[&str], body: RegionId) -> FlowId {
        self.flow_of(name, params.iter().map(|name| (Name::from(*name), Type::U64)).collect(), body)
    }

    /// A flow.
    pub fn flow_of(&mut self, name: &str, params: Vec<(Name, Type)>, body: RegionId) -> FlowId {
        let param = |(name, ty)| ParamPlan { name, ty, default: None, access: None, docs: Vec::new() };
        self.flows.push(FlowPlan {
            name: name.into(),
            docs: Vec::new(),
            params: params.into_iter().map(param).collect(),
            result: Type::U64,
            body,
            deadline: None,
            parallel: None,
            budget: Budget::default(),
            recursion: None,
            span: Span::default(),
        })
    }

    /// The id of the flow that is made next, for its own body.
    #[must_use]
    pub fn next_flow(&self) -> FlowId {
        self.flows.next_key()
    }

    /// Changes a flow.
    pub fn flow_mut(&mut self, flow: FlowId) -> Option<&mut FlowPlan> {
        self.flows.get_mut(flow)
    }

    /// The plan.
    #[must_use]
    pub fn finish(self, entry: FlowId) -> Plan {
        Plan {
            entry,
            components: self.components,
            functions: self.functions,
            roles: self.roles,
            plans: self.plans,
            flows: self.flows,
            regions: self.regions,
            nodes: self.nodes,
            successors: self.successors,
            classes: Vec::new(),
            hooks: Vec::new(),
            files: Vec::new(),
            mocks: Vec::new(),
            derived: Derived::default(),
        }
    }
}

/// A pure call without a policy.
#[must_use]
pub fn call(function: FunctionId, args: Vec<Expr>) -> CallPlan {
    CallPlan {
        name: "step".into(),
        target: Target::Function(function),
        args,
        grants: Vec::new(),
        idempotent: false,
        retry: None,
        backoff: Backoff::None,
        timeout: None,
        class: None,
        memory: None,
        fuel: None,
        rules: Rules::default(),
    }
}

/// A step of a call.
#[must_use]
pub fn step(function: FunctionId, args: Vec<Expr>) -> NodeKind {
    NodeKind::Call(Box::new(call(function, args)))
}

/// A `u64`.
#[must_use]
pub const fn number(n: u64) -> Expr {
    Expr::Const(Value::U64(n))
}

/// A `u32`.
#[must_use]
pub const fn count(n: u32) -> Expr {
    Expr::Const(Value::U32(n))
}

/// A duration in milliseconds.
#[must_use]
pub const fn wait(milliseconds: u64) -> Expr {
    Expr::Const(Value::Duration(milliseconds * 1_000_000))
}

/// A list of `u64`.
#[must_use]
pub fn numbers(items: impl IntoIterator<Item = u64>) -> Expr {
    Expr::Const(Value::list(items.into_iter().map(Value::U64)))
}

/// A slot's value.
#[must_use]
pub const fn slot(slot: Slot) -> Expr {
    Expr::Slot(slot)
}

/// `value % divisor == rest`.
#[must_use]
pub fn remainder_is(value: Expr, divisor: u64, rest: u64) -> Expr {
    let remainder = Expr::Binary(Operator::Rem, Box::new(value), Box::new(number(divisor)));
    Expr::Binary(Operator::Eq, Box::new(remainder), Box::new(number(rest)))
}

fn predecessors(node: &NodeDraft, inputs: u32) -> Vec<u32> {
    let mut slots = node.after.clone();
    for child in node.kind.children().chain(node.policy.undo.iter().map(|undo| &undo.child)) {
        slots.extend(&child.captures);
    }
    expressions(&node.kind, &mut |expr| walk(expr, &mut slots));
    let budget = node.policy.budget.exprs().flatten();
    for expr in node.policy.deadline.iter().chain(&node.policy.parallel).chain(budget) {
        walk(expr, &mut slots);
    }
    let mut nodes: Vec<u32> = slots.into_iter().filter_map(|slot| slot.0.checked_sub(inputs)).collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

fn expressions(kind: &NodeKind, visit: &mut dyn FnMut(&Expr)) {
    match kind {
        NodeKind::Call(call) => {
            let policy = [&call.retry, &call.timeout, &call.memory, &call.fuel, &call.rules.priority, &call.rules.key];
            call.args.iter().chain(policy.into_iter().flatten()).for_each(&mut *visit);
            for grant in &call.grants {
                if let Grant::Folder(_, expr) = grant {
                    visit(expr);
                }
            }
        }
        NodeKind::Flow { args, .. } => args.iter().for_each(visit),
        NodeKind::Value(expr) | NodeKind::Return(expr) | NodeKind::If { condition: expr, .. } => visit(expr),
        NodeKind::Match { subject: expr, .. } | NodeKind::Map { list: expr, .. } | NodeKind::Tree { list: expr, .. } => {
            visit(expr)
        }
        NodeKind::Fold { init, list, .. } => [init, list].into_iter().for_each(visit),
        NodeKind::Loop { init, max, .. } => [init, max].into_iter().for_each(visit),
        NodeKind::Require { condition, message, details } => [condition, message].into_iter().chain(details).for_each(visit),
        NodeKind::Race { wanted, .. } => wanted.iter().for_each(visit),
        NodeKind::Wait(WaitPlan::Time(expr) | WaitPlan::Message { topic: expr, .. }) => visit(expr),
        NodeKind::Emit { topic, value } => [topic, value].into_iter().for_each(visit),
        NodeKind::Try { .. } | NodeKind::Block { .. } | NodeKind::Wait(WaitPlan::Signal { .. }) => {}
    }
}

/// The slots of an expression of the forms that hand-made plans use.
fn walk(expr: &Expr, slots: &mut Vec<Slot>) {
    match expr {
        Expr::Slot(slot) => slots.push(*slot),
        Expr::Binary(_, a, b) | Expr::And(a, b) | Expr::Or(a, b) | Expr::Index(a, b) | Expr::Coalesce(a, b) => {
            walk(a, slots);
            walk(b, slots);
        }
        Expr::If(a, b, c) => [a, b, c].into_iter().for_each(|expr| walk(expr, slots)),
        Expr::Not(a) | Expr::Neg(a) | Expr::Some(a) | Expr::Field(a, _) | Expr::TupleField(a, _) | Expr::Convert(a, _) => {
            walk(a, slots)
        }
        Expr::List(_, items) | Expr::Tuple(items) | Expr::Text(items) | Expr::Library(_, items) => {
            items.iter().for_each(|item| walk(item, slots));
        }
        _ => {}
    }
}

/// A child that captures these slots.
#[must_use]
pub fn child(region: RegionId, captures: &[Slot]) -> Child {
    Child { region, captures: captures.to_vec() }
}

/// `main()` maps this many items over a step `work`, which the test may change.
pub fn fan(items: u64, change: impl FnOnce(&mut CallPlan)) -> Plan {
    let mut builder = PlanBuilder::default();
    let function = builder.function("work", Type::U64);
    let mut work = call(function, vec![slot(Slot(0))]);
    change(&mut work);
    let mut body = RegionDraft::new(1);
    let made = body.add("work", NodeKind::Call(Box::new(work)));
    let body = builder.region(body, slot(made));
    let mut main = RegionDraft::new(0);
    let kind = NodeKind::Map { list: numbers(0..items), body: child(body, &[]), collect: false };
    let form = main.node("map", kind, &[], NodePolicy { ty: Type::list(Type::U64), ..NodePolicy::default() });
    let main = builder.region(main, slot(form));
    let entry = builder.flow("main", &[], main);
    builder.finish(entry)
}
