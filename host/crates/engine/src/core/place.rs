//! Where the nodes of a path stand in a plan, and what can only come after them.

use std::collections::BTreeSet;

use lang::plan::{NodeId, NodeKind, Plan, RegionId};

use super::state::Role;

/// A node, or one of the regions that it opens, by the nodes around it from the entry flow on. Empty: the whole run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place(Vec<Part>);

/// A node, and what of it is meant; none: all of it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    node: NodeId,
    role: Option<Role>,
}

impl Place {
    /// All places that a path may mean: the arms of a choice may have nodes of the same name.
    pub(super) fn find(plan: &Plan, path: &str) -> Vec<Self> {
        let Some(flow) = plan.flows.get(plan.entry) else { return Vec::new() };
        let mut found = Vec::new();
        match path.strip_prefix(&*flow.name) {
            Some("") => found.push(Self(Vec::new())),
            Some(rest) => {
                if let Some(rest) = rest.strip_prefix('/') {
                    find_in(plan, flow.body, rest, &mut Vec::new(), &mut found);
                }
            }
            None => {}
        }
        found
    }

    /// Its nodes from the entry flow on, each with what of it is meant.
    pub(super) fn parts(&self) -> impl Iterator<Item = (NodeId, Option<Role>)> + '_ {
        self.0.iter().map(|part| (part.node, part.role))
    }

    /// Whether it is in what takes something back.
    pub(super) fn is_undo(&self) -> bool {
        self.0.iter().any(|part| part.role == Some(Role::Undo))
    }
}

/// All that follows from places by data or order, and what is in them.
pub(super) struct After<'p> {
    plan: &'p Plan,
    /// Each with the nodes that follow each of its parts.
    sources: Vec<(Place, Vec<BTreeSet<NodeId>>)>,
}

impl<'p> After<'p> {
    pub(super) fn new(plan: &'p Plan, places: impl IntoIterator<Item = Place>) -> Self {
        let with_later = |place: Place| {
            let later = place.0.iter().map(|part| later(plan, part.node)).collect();
            (place, later)
        };
        Self { plan, sources: places.into_iter().map(with_later).collect() }
    }

    /// Whether a place is in one of the sources, or waits for one, however indirectly.
    pub(super) fn contains(&self, place: &Place) -> bool {
        self.sources.iter().any(|(source, later)| self.follows(source, later, place))
    }

    fn follows(&self, source: &Place, later: &[BTreeSet<NodeId>], place: &Place) -> bool {
        let mut parts = place.0.iter();
        for (own, later) in source.0.iter().zip(later) {
            let Some(other) = parts.next() else { return false };
            if own.node != other.node {
                return later.contains(&other.node);
            }
            match (own.role, other.role) {
                (None, _) => return true,
                (own, other) if own == other => {}
                (Some(own_role), Some(other_role)) => return self.role_follows(own.node, own_role, other_role),
                (Some(_), None) => return false,
            }
        }
        true
    }

    /// Whether a region of a node only opens after another one of it.
    fn role_follows(&self, node: NodeId, role: Role, other: Role) -> bool {
        opens_after(self.plan.nodes.get(node).map(|node| &node.kind), role, other)
    }
}

/// Whether a node of this kind only opens the region `other` after the region `role`.
pub(super) fn opens_after(kind: Option<&NodeKind>, role: Role, other: Role) -> bool {
    match (kind, role, other) {
        (_, _, Role::Undo) => true,
        (Some(NodeKind::Fold { .. }), Role::Index(own), Role::Index(other)) => other > own,
        (Some(NodeKind::Loop { .. }), own, other) => turn(other) > turn(own),
        (Some(NodeKind::Try { .. }), Role::Body, Role::Handler) => true,
        (Some(NodeKind::Tree { .. }), Role::Pair { level, index }, Role::Pair { level: above, index: joined }) => {
            above > level && index.checked_shr(above - level).unwrap_or(0) == joined
        }
        _ => false,
    }
}

/// When a region of a loop is opened.
const fn turn(role: Role) -> (u64, bool) {
    match role {
        Role::Test(index) => (index as u64, false),
        Role::Index(index) => (index as u64, true),
        Role::Exhausted => (u64::MAX, true),
        _ => (0, false),
    }
}

/// The nodes of a region that wait for a node, however indirectly.
fn later(plan: &Plan, node: NodeId) -> BTreeSet<NodeId> {
    let (mut found, mut open) = (BTreeSet::new(), vec![node]);
    while let Some(next) = open.pop() {
        let Some(range) = plan.nodes.get(next).map(|node| node.successors.start as usize..node.successors.end as usize) else {
            continue;
        };
        open.extend(plan.successors.get(range).unwrap_or_default().iter().copied().filter(|later| found.insert(*later)));
    }
    found
}

fn find_in(plan: &Plan, region: RegionId, rest: &str, around: &mut Vec<Part>, found: &mut Vec<Place>) {
    if plan.regions.get(region).is_none() {
        return;
    }
    for (node, _) in plan.nodes_of(region) {
        let Some(after) = plan.nodes.get(node).and_then(|shape| rest.strip_prefix(&*shape.name)) else { continue };
        if after.is_empty() {
            found.push(with(around, Part { node, role: None }));
            continue;
        }
        let Some((role, after)) = role_of(after) else { continue };
        for child in opened(plan, node, role) {
            let part = Part { node, role: Some(role) };
            if after.is_empty() {
                let place = with(around, part);
                if !found.contains(&place) {
                    found.push(place);
                }
            } else if let Some(inner) = after.strip_prefix('/') {
                around.push(part);
                find_in(plan, child, inner, around, found);
                around.pop();
            }
        }
    }
}

fn with(around: &[Part], part: Part) -> Place {
    Place(around.iter().copied().chain([part]).collect())
}

/// The regions that a node opens in this role.
fn opened(plan: &Plan, node: NodeId, role: Role) -> Vec<RegionId> {
    let Some(node) = plan.nodes.get(node) else { return Vec::new() };
    match (&node.kind, role) {
        (_, Role::Undo) => node.undo.iter().map(|undo| undo.child.region).collect(),
        (NodeKind::Flow { flow, .. }, Role::Body) => plan.flows.get(*flow).map(|flow| flow.body).into_iter().collect(),
        (NodeKind::If { then, otherwise, .. }, Role::Body) => {
            std::iter::once(then).chain(otherwise).map(|child| child.region).collect()
        }
        (NodeKind::Match { arms, .. }, Role::Body) => arms.iter().map(|arm| arm.body.region).collect(),
        (NodeKind::Block { body } | NodeKind::Try { body, .. }, Role::Body) => vec![body.region],
        (NodeKind::Try { handler, .. }, Role::Handler) => vec![handler.region],
        (NodeKind::Map { body, .. } | NodeKind::Fold { body, .. } | NodeKind::Loop { body, .. }, Role::Index(_)) => {
            vec![body.region]
        }
        (NodeKind::Loop { until, .. }, Role::Test(_)) => vec![until.region],
        (NodeKind::Loop { exhausted, .. }, Role::Exhausted) => exhausted.iter().map(|child| child.region).collect(),
        (NodeKind::Tree { body, .. }, Role::Pair { .. }) => vec![body.region],
        (NodeKind::Race { arms, .. }, Role::Index(index)) => arms.get(index as usize).map(|arm| arm.region).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// What follows a node's name in a path, and the rest.
fn role_of(text: &str) -> Option<(Role, &str)> {
    if text.starts_with('/') {
        return Some((Role::Body, text));
    }
    for (word, role) in [(".catch", Role::Handler), (".else", Role::Exhausted), (".undo", Role::Undo)] {
        if let Some(rest) = text.strip_prefix(word) {
            return Some((role, rest));
        }
    }
    let (test, text) = match text.strip_prefix(".until") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (inside, rest) = text.strip_prefix('[')?.split_once(']')?;
    let role = match inside.split_once('.') {
        Some((level, index)) if !test => Role::Pair { level: level.parse().ok()?, index: index.parse().ok()? },
        Some(_) => return None,
        None if test => Role::Test(inside.parse().ok()?),
        None => Role::Index(inside.parse().ok()?),
    };
    Some((role, rest))
}
