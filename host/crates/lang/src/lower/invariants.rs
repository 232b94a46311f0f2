//! What holds of every plan.

use cranelift_entity::{EntityRef, SecondaryMap};

use crate::lower::walk;
use crate::plan::{Child, Expr, NodeId, NodeKind, Pattern, Plan, RegionId, Slot, Target};

/// Checks that a plan is whole: ids and slots exist, edges stay in their region and go forward, `waits`
/// counts them, each region belongs to one owner and gets as many inputs as it expects.
///
/// # Errors
/// The first thing that does not hold, for the developer of whatever made the plan.
pub fn check_plan(plan: &Plan) -> Result<(), String> {
    ensure(plan.flows.is_valid(plan.entry), || format!("the entry {} does not exist", plan.entry))?;
    let mut owners: SecondaryMap<RegionId, u32> = SecondaryMap::new();
    for (id, flow) in &plan.flows {
        own(plan, &mut owners, flow.body)?;
        let inputs = plan.regions[flow.body].inputs;
        ensure(inputs as usize == flow.params.len(), || {
            format!("{id} has {} parameters and {inputs} inputs", flow.params.len())
        })?;
        for expr in walk::flow_exprs(flow) {
            in_frame(expr, inputs, 0).map_err(|slot| format!("the policy of {id} reads {slot:?}, which is no parameter"))?;
        }
        for default in flow.params.iter().filter_map(|param| param.default.as_ref()) {
            in_frame(default, 0, 0).map_err(|slot| format!("a default of {id} reads {slot:?}"))?;
        }
    }
    let mut incoming: SecondaryMap<NodeId, u32> = SecondaryMap::with_capacity(plan.nodes.len());
    let mut next = 0;
    for (id, region) in &plan.regions {
        let range = region.nodes.clone();
        ensure(range.start == next && range.end >= next, || format!("the nodes of {id} do not follow those before"))?;
        next = range.end;
        let frame = region.inputs + (range.end - range.start);
        in_frame(&region.result, frame, 0).map_err(|slot| format!("the result of {id} reads {slot:?} of {frame}"))?;
        for node in range.map(|node| NodeId::new(node as usize)) {
            check_node(plan, id, node, &mut incoming, &mut owners)?;
        }
    }
    ensure(next as usize == plan.nodes.len(), || "there are nodes that no region has".to_owned())?;
    for (id, node) in &plan.nodes {
        let counted = incoming[id];
        ensure(node.waits == counted, || format!("{id} waits for {} and has {counted} edges", node.waits))?;
    }
    let ownerless = plan.regions.keys().find(|region| owners[*region] != 1);
    ownerless.map_or(Ok(()), |region| Err(format!("{region} has {} owners", owners[region])))
}

fn check_node(
    plan: &Plan,
    region: RegionId,
    id: NodeId,
    incoming: &mut SecondaryMap<NodeId, u32>,
    owners: &mut SecondaryMap<RegionId, u32>,
) -> Result<(), String> {
    let node = plan.nodes.get(id).ok_or_else(|| format!("{id} of {region} does not exist"))?;
    ensure(node.region == region, || format!("{id} is in {region} and says {}", node.region))?;
    let range = plan.regions[region].nodes.clone();
    let successors = plan.successors.get(node.successors.start as usize..node.successors.end as usize);
    let successors = successors.ok_or_else(|| format!("the successors of {id} are out of range"))?;
    for pair in successors.windows(2) {
        ensure(pair.first() < pair.last(), || format!("the successors of {id} are not in order, or one stands twice"))?;
    }
    for later in successors {
        ensure(*later > id && range.contains(&later.as_u32()), || format!("{id} is waited for by {later}"))?;
        incoming[*later] += 1;
    }
    check_reads(plan, id, reads_of(plan, id))?;
    let undo = node.undo.iter().map(|undo| (&undo.child, undo.params() as usize));
    for (child, params) in children(&node.kind).into_iter().chain(undo) {
        own(plan, owners, child.region)?;
        let inputs = plan.regions[child.region].inputs as usize;
        ensure(inputs == params + child.captures.len(), || format!("{} of {id} has {inputs} inputs", child.region))?;
    }
    match &node.kind {
        NodeKind::Call(call) => {
            let params = match call.target {
                Target::Function(function) => {
                    let found = plan.functions.get(function).ok_or_else(|| format!("{id} calls what does not exist"))?;
                    ensure(plan.components.is_valid(found.component), || format!("{function} has no component"))?;
                    found.params.len()
                }
                Target::Role(role) => plan.roles.get(role).ok_or_else(|| format!("{id} asks nobody"))?.params.len(),
                Target::Plan(of) => plan.plans.get(of).ok_or_else(|| format!("{id} runs no plan"))?.params.len(),
            };
            ensure(params == call.args.len(), || format!("{id} has {} arguments", call.args.len()))?;
            ensure(call.rules.cache.is_none() || call.cacheable(), || format!("{id} has effects and is cached"))?;
            ensure(call.rules.rate.is_none_or(|rate| rate.count > 0), || format!("{id} may never start"))?;
            let runs_plan = matches!(call.target, Target::Plan(_));
            ensure(node.budget.is_empty() != runs_plan, || format!("{id} is a call; only one that runs a plan has a budget"))
        }
        NodeKind::Flow { flow, args } => {
            let callee = plan.flows.get(*flow).ok_or_else(|| format!("{id} calls {flow}, which does not exist"))?;
            ensure(callee.params.len() == args.len(), || format!("{id} has {} arguments", args.len()))
        }
        _ => Ok(()),
    }
}

/// The slots that a node reads.
fn reads_of(plan: &Plan, id: NodeId) -> Vec<Slot> {
    let node = &plan.nodes[id];
    let mut read = Vec::new();
    let policy = [&node.deadline, &node.parallel].into_iter().chain(node.budget.exprs());
    walk::node_slots(&node.kind, policy, &mut |slot| read.push(slot));
    walk::undo_slots(node.undo.as_deref(), &mut |slot| read.push(slot));
    read
}

/// What a node reads is in the frame, comes before it, and it waits for it.
fn check_reads(plan: &Plan, id: NodeId, mut read: Vec<Slot>) -> Result<(), String> {
    let region = &plan.regions[plan.nodes[id].region];
    read.sort_unstable();
    read.dedup();
    for slot in read.into_iter().filter(|slot| slot.0 >= region.inputs) {
        let earlier = NodeId::new((region.nodes.start + (slot.0 - region.inputs)) as usize);
        ensure(earlier < id, || format!("{id} reads {slot:?}, which comes no earlier"))?;
        let range = plan.nodes[earlier].successors.clone();
        let after = plan.successors.get(range.start as usize..range.end as usize).unwrap_or(&[]);
        ensure(after.binary_search(&id).is_ok(), || format!("{id} reads the result of {earlier} and does not wait for it"))?;
    }
    Ok(())
}

/// The children of a node, each with the number of its parameters.
fn children(kind: &NodeKind) -> Vec<(&Child, usize)> {
    match kind {
        NodeKind::Match { arms, .. } => arms.iter().map(|arm| (&arm.body, bound_by(&arm.pattern))).collect(),
        NodeKind::Fold { body, .. } | NodeKind::Tree { body, .. } => vec![(body, 2)],
        NodeKind::Map { .. } | NodeKind::Loop { .. } => kind.children().map(|child| (child, 1)).collect(),
        NodeKind::Try { body, handler } => vec![(body, 0), (handler, 1)],
        _ => kind.children().map(|child| (child, 0)).collect(),
    }
}

/// How many values a pattern binds.
pub(crate) fn bound_by(pattern: &Pattern) -> usize {
    match pattern {
        Pattern::Any | Pattern::Literal(_) | Pattern::Enum(_) | Pattern::None => 0,
        Pattern::Bind => 1,
        Pattern::Variant(_, inner) | Pattern::Ok(inner) | Pattern::Err(inner) => inner.as_deref().map_or(0, bound_by),
        Pattern::Some(inner) => bound_by(inner),
        Pattern::Tuple(members) => members.iter().map(bound_by).sum(),
        Pattern::Record(fields) => fields.iter().map(|(_, field)| bound_by(field)).sum(),
    }
}

/// The first slot or local that is out of range.
fn in_frame(expr: &Expr, frame: u32, locals: u32) -> Result<(), Slot> {
    match expr {
        Expr::Slot(slot) if slot.0 >= frame => Err(*slot),
        Expr::Local(local) if *local >= locals => Err(Slot(*local)),
        Expr::Comprehension { list, condition, element, .. } => {
            in_frame(list, frame, locals)?;
            condition.iter().try_for_each(|condition| in_frame(condition, frame, locals + 1))?;
            in_frame(element, frame, locals + 1)
        }
        Expr::SortBy(list, key) => {
            in_frame(list, frame, locals)?;
            in_frame(key, frame, locals + 1)
        }
        Expr::Match(subject, arms) => {
            in_frame(subject, frame, locals)?;
            arms.iter().try_for_each(|(pattern, guard, value)| {
                let inner = locals + bound_by(pattern) as u32;
                guard.iter().try_for_each(|guard| in_frame(guard, frame, inner))?;
                in_frame(value, frame, inner)
            })
        }
        _ => {
            let mut found = Ok(());
            walk::parts(expr, &mut |part| {
                if found.is_ok() {
                    found = in_frame(part, frame, locals);
                }
            });
            found
        }
    }
}

fn own(plan: &Plan, owners: &mut SecondaryMap<RegionId, u32>, region: RegionId) -> Result<(), String> {
    ensure(plan.regions.is_valid(region), || format!("{region} does not exist"))?;
    owners[region] += 1;
    Ok(())
}

fn ensure(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
