//! From a path to the node that it names, as far as the run has come.

use lang::plan::{NodeId, NodeKind, RegionId};

use super::paths::children;
use super::{Condition, Explained};
use crate::core::state::{InstanceId, State};

/// A path that names nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// As far as the path leads.
    pub known: String,
    /// The names that may follow there.
    pub names: Vec<String>,
}

/// Where a path leads.
enum Place {
    /// To a node of an open region.
    Node(InstanceId, NodeId),
    /// To an open region.
    Region(InstanceId),
    /// To what is not open, in this node of an open region.
    Closed(Option<(InstanceId, NodeId)>),
}

impl State {
    /// How it stands with the node at a path.
    pub(crate) fn standing_at(&self, path: &str) -> Result<Explained, Missing> {
        let plan = self.plan();
        let segments: Vec<&str> = path.split('/').collect();
        let flow = plan.flows.get(plan.entry);
        let (Some(flow), Some((first, rest))) = (flow, segments.split_first()) else {
            return Err(Missing { known: String::new(), names: Vec::new() });
        };
        if **first != *flow.name {
            return Err(Missing { known: String::new(), names: vec![flow.name.to_string()] });
        }
        if rest.is_empty() {
            return Ok(self.standing_of_run());
        }
        let place = self.walk(flow.body, self.root_instance(), None, rest)?;
        Ok(match place {
            Place::Node(instance, node) => self.standing_of_node(instance, node),
            Place::Region(instance) => self.standing_of_region(instance, path),
            Place::Closed(owner) => {
                let standing = Explained::of(path.into(), Condition::Absent);
                match owner.map(|(instance, node)| self.standing_of_node(instance, node)) {
                    Some(around) if around.condition != Condition::Done => standing.with_causes(vec![around]),
                    _ => standing,
                }
            }
        })
    }

    /// The path of the node that takes a failure of the node at this path, and what it is; none when nothing does.
    pub(crate) fn catcher(&self, path: &str) -> Option<(String, &'static str)> {
        let plan = self.plan();
        let flow = plan.flows.get(plan.entry)?;
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let way = self.way(flow.body, &segments)?;
        let mut taken = None;
        let mut known = flow.name.to_string();
        for ((node, role), segment) in way.iter().zip(&segments) {
            let name = plan.nodes.get(*node).map_or("", |node| &node.name);
            let here = format!("{known}/{name}");
            let inner = way.last().is_some_and(|(last, _)| last != node);
            match plan.nodes.get(*node).map(|node| &node.kind) {
                Some(NodeKind::Try { .. }) if inner && role.is_empty() => taken = Some((here, "`else` or `catch`")),
                Some(NodeKind::Map { collect: true, .. }) if inner => taken = Some((here, "`on_error: collect`")),
                Some(NodeKind::Race { .. }) if inner => taken = Some((here, "other arms")),
                _ => {}
            }
            known = format!("{known}/{segment}");
        }
        taken
    }

    /// The node that a path leads to, whether it is open or not; none for the run itself and for what is not in the plan.
    pub(crate) fn node_at(&self, path: &str) -> Option<NodeId> {
        let plan = self.plan();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        self.way(plan.flows.get(plan.entry)?.body, &segments)?.last().map(|(node, _)| *node)
    }

    /// The nodes that a path leads through, each with what follows its name.
    fn way<'s>(&self, region: RegionId, segments: &[&'s str]) -> Option<Vec<(NodeId, &'s str)>> {
        let Some((segment, rest)) = segments.split_first() else { return Some(Vec::new()) };
        let (node, role) = self.node_named(region, segment)?;
        if rest.is_empty() {
            return Some(vec![(node, role)]);
        }
        let mut below = self.regions_of(node, role).into_iter().find_map(|region| self.way(region, rest))?;
        below.insert(0, (node, role));
        Some(below)
    }

    /// Follows what is left of a path from a region. `owner` is the innermost node around it that is in an open region.
    fn walk(
        &self,
        region: RegionId,
        instance: Option<InstanceId>,
        owner: Option<(InstanceId, NodeId)>,
        segments: &[&str],
    ) -> Result<Place, Missing> {
        let plan = self.plan();
        let Some((segment, rest)) = segments.split_first() else { return Ok(Place::Closed(owner)) };
        let Some((node, role)) = self.node_named(region, segment) else {
            return Err(Missing { known: String::new(), names: self.names_in(region) });
        };
        let owner = instance.map_or(owner, |instance| Some((instance, node)));
        if role.is_empty() && rest.is_empty() {
            return Ok(instance.map_or(Place::Closed(owner), |instance| Place::Node(instance, node)));
        }
        let open = instance.and_then(|instance| self.open_child_of(instance, node, role));
        if rest.is_empty() {
            return Ok(open.map_or(Place::Closed(owner), Place::Region));
        }
        let mut missing = None;
        for region in self.regions_of(node, role) {
            let open = open.filter(|open| self.region_of(*open) == Some(region));
            match self.walk(region, open, owner, rest) {
                Ok(place) => return Ok(place),
                Err(Missing { known, names }) => {
                    let known = if known.is_empty() { (*segment).to_owned() } else { format!("{segment}/{known}") };
                    missing.get_or_insert(Missing { known, names });
                }
            }
        }
        let name = plan.nodes.get(node).map(|node| node.name.to_string()).unwrap_or_default();
        Err(missing.unwrap_or(Missing { known: name, names: Vec::new() }))
    }

    /// The node of a region whose name a part of a path begins with, and the rest of the part.
    fn node_named<'s>(&self, region: RegionId, segment: &'s str) -> Option<(NodeId, &'s str)> {
        let plan = self.plan();
        let nodes = plan.regions.get(region)?.nodes.clone().map(NodeId::from_u32);
        let fits = |id: NodeId| {
            let rest = segment.strip_prefix(&*plan.nodes.get(id)?.name)?;
            let is_role = ["[", ".until[", ".catch", ".else", ".undo"].iter().any(|role| rest.starts_with(role));
            (rest.is_empty() || is_role).then_some((id, rest))
        };
        nodes.filter_map(fits).min_by_key(|(_, rest)| rest.len())
    }

    fn names_in(&self, region: RegionId) -> Vec<String> {
        let plan = self.plan();
        let nodes = plan.regions.get(region).map(|region| region.nodes.clone()).unwrap_or_default().map(NodeId::from_u32);
        nodes.filter_map(|id| plan.nodes.get(id)).map(|node| node.name.to_string()).collect()
    }

    /// The regions that a node may open in this role.
    fn regions_of(&self, node: NodeId, role: &str) -> Vec<RegionId> {
        let plan = self.plan();
        let Some(node) = plan.nodes.get(node) else { return Vec::new() };
        if role == ".undo" {
            return node.undo.iter().map(|undo| undo.child.region).collect();
        }
        if let (NodeKind::Flow { flow, .. }, "") = (&node.kind, role) {
            return plan.flows.get(*flow).map(|flow| flow.body).into_iter().collect();
        }
        let plain = |text: &str| text.split('[').next().unwrap_or_default().to_owned();
        let same = |known: &str| plain(known) == plain(role) && known.contains('[') == role.contains('[');
        children(&node.kind).into_iter().filter(|(known, _)| same(known)).map(|(_, region)| region).collect()
    }
}
