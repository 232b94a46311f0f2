//! The editable graph of one region, before it is frozen.
//!
//! Nodes are added in the order of the source; each waits for what it reads and for what the gates,
//! `seq` and `phase` before it demand. Gates are nodes themselves, so k steps before and m steps
//! after one give k + m edges. Slots are provisional here: an input has its final number, the result
//! of a node is [`node_slot`] of its index, until [`crate::freeze`] knows the order.

use std::collections::HashMap;

use catalog::{Name, Type};
use grammar::Span;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::ir::BindingId;
use crate::lower::walk;
use crate::plan::{Budget, Effect, Expr, NodeKind, Slot, UndoPlan};

/// Marks a provisional slot that is a node's result.
const NODE: u32 = 1 << 31;

/// The provisional slot of a node's result.
pub(crate) fn node_slot(node: NodeIndex) -> Slot {
    Slot(NODE | node.index() as u32)
}

/// The node whose result a provisional slot is; none for an input.
pub(crate) fn node_of(slot: Slot) -> Option<NodeIndex> {
    (slot.0 & NODE != 0).then(|| NodeIndex::new((slot.0 & !NODE) as usize))
}

/// A node before it is frozen. Its child regions are frozen already.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) kind: NodeKind,
    pub(crate) name: Name,
    pub(crate) span: Span,
    pub(crate) deadline: Option<Expr>,
    pub(crate) parallel: Option<Expr>,
    pub(crate) budget: Budget,
    pub(crate) ty: Type,
    pub(crate) undo: Option<Box<UndoPlan>>,
    /// Whether a later node waits for it.
    followed: bool,
}

impl Draft {
    pub(crate) fn new(kind: NodeKind, name: Name, span: Span, ty: Type) -> Self {
        Self { kind, name, span, deadline: None, parallel: None, budget: Budget::default(), ty, undo: None, followed: false }
    }

    /// The expressions of its policy.
    pub(crate) fn policy(&self) -> impl Iterator<Item = &Option<Expr>> {
        [&self.deadline, &self.parallel].into_iter().chain(self.budget.exprs())
    }
}

/// Boxed, because drafts are large and the graph moves them when it grows.
pub(crate) type Drafts = DiGraph<Box<Draft>, ()>;

/// What of a node matters for the order of the nodes around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// The most that running it may do.
    pub(crate) effect: Effect,
    /// Whether a `return` in it may end the flow.
    pub(crate) returns: bool,
    /// Whether an expression or `require` of the flow's own may fail in it.
    pub(crate) risky: bool,
    /// Whether it waits or sends: a gate, wherever it stands in a form.
    pub(crate) gate: bool,
}

impl Facts {
    /// Of what runs nothing and cannot fail.
    pub(crate) const NONE: Self = Self { effect: Effect::Pure, returns: false, risky: false, gate: false };

    /// Of two together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            effect: self.effect.max(other.effect),
            returns: self.returns || other.returns,
            risky: self.risky || other.risky,
            gate: self.gate || other.gate,
        }
    }
}

/// How a node orders those around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    /// Not at all.
    No,
    /// Waits for the steps before it that are not pure, and goes before those after it.
    Effects,
    /// Waits for all nodes before it, and goes before those after it that are not pure.
    Phase,
}

/// The graph of a region that is being built.
#[derive(Debug)]
pub(crate) struct RegionGraph {
    /// Tells it from other regions of the flow.
    pub(crate) serial: u32,
    /// Its nodes; an edge goes from a node to one that waits for it.
    pub(crate) nodes: Drafts,
    /// Parameters.
    params: u32,
    /// Provisional slots of the region around it, in the order of the inputs that follow the parameters.
    pub(crate) captures: Vec<Slot>,
    capture_index: HashMap<Slot, Slot>,
    /// How often each name was used.
    names: HashMap<Name, u32>,
    /// `after` whose name was not bound yet.
    pub(crate) pending: Vec<(NodeIndex, BindingId)>,
    /// All of its nodes together.
    pub(crate) facts: Facts,
    /// The last gate.
    gate: Option<NodeIndex>,
    /// The nodes since then that are not pure.
    effects: Vec<NodeIndex>,
    /// The first node since the last phase, that one included.
    phase_start: usize,
    /// Whether it is the body of a `seq`.
    sequence: bool,
    /// The end of the last statement of a `seq`.
    tail: Option<NodeIndex>,
    /// The first node of the current statement of a `seq` if it runs anything.
    statement: Option<usize>,
}

impl RegionGraph {
    /// An empty region.
    pub(crate) fn new(serial: u32, params: u32, sequence: bool) -> Self {
        Self {
            serial,
            nodes: DiGraph::new(),
            params,
            captures: Vec::new(),
            capture_index: HashMap::new(),
            names: HashMap::new(),
            pending: Vec::new(),
            facts: Facts::NONE,
            gate: None,
            effects: Vec::new(),
            phase_start: 0,
            sequence,
            tail: None,
            statement: None,
        }
    }

    /// How many inputs the frame begins with.
    pub(crate) fn inputs(&self) -> u32 {
        self.params + self.captures.len() as u32
    }

    /// The input that holds what is in `outer` of the region around it.
    pub(crate) fn capture(&mut self, outer: Slot) -> Slot {
        let next = Slot(self.inputs());
        let slot = *self.capture_index.entry(outer).or_insert(next);
        if slot == next {
            self.captures.push(outer);
        }
        slot
    }

    /// `name`, or `name#2` when it is taken.
    pub(crate) fn unique(&mut self, name: &Name) -> Name {
        let uses = self.names.entry(name.clone()).or_insert(0);
        *uses += 1;
        if *uses == 1 { name.clone() } else { format!("{name}#{uses}").into() }
    }

    /// Adds a node; it waits for what it reads and what the order of the region demands.
    pub(crate) fn add(&mut self, mut draft: Draft, facts: Facts, gate: Gate) -> NodeIndex {
        draft.name = self.unique(&draft.name);
        let mut before = Vec::new();
        walk::node_slots(&draft.kind, draft.policy(), &mut |slot| before.extend(node_of(slot)));
        walk::undo_slots(draft.undo.as_deref(), &mut |slot| before.extend(node_of(slot)));
        let node = NodeIndex::new(self.nodes.node_count());
        self.order(node, facts, gate, &mut before);
        let node = self.nodes.add_node(Box::new(draft));
        before.sort_unstable();
        before.dedup();
        for earlier in before {
            self.precede(earlier, node);
        }
        self.facts = self.facts.and(facts);
        node
    }

    fn order(&mut self, node: NodeIndex, facts: Facts, gate: Gate, before: &mut Vec<NodeIndex>) {
        if self.statement.is_some() {
            before.extend(self.tail);
        }
        let runs_ahead = facts.effect == Effect::Pure && !facts.risky;
        match gate {
            Gate::No => {
                if !runs_ahead {
                    before.extend(self.gate);
                }
                if facts.effect != Effect::Pure {
                    self.effects.push(node);
                }
                return;
            }
            Gate::Effects => {
                before.extend(self.gate);
                before.append(&mut self.effects);
            }
            Gate::Phase => {
                before.extend((self.phase_start..node.index()).map(NodeIndex::new));
                self.phase_start = node.index();
                self.effects.clear();
            }
        }
        self.gate = Some(node);
    }

    /// Makes `later` wait for `earlier`.
    pub(crate) fn precede(&mut self, earlier: NodeIndex, later: NodeIndex) {
        if let Some(draft) = self.nodes.node_weight_mut(earlier) {
            draft.followed = true;
            self.nodes.add_edge(earlier, later, ());
        }
    }

    /// Whether its statements wait for each other.
    pub(crate) fn is_sequence(&self) -> bool {
        self.sequence
    }

    /// Begins a statement; `runs` when there is anything in it that `seq` orders.
    pub(crate) fn begin_statement(&mut self, runs: bool) {
        self.statement = (self.sequence && runs).then(|| self.nodes.node_count());
    }

    /// Ends a statement. Where several nodes are the last of it, one that joins them is added, so that
    /// the next statement waits for one.
    pub(crate) fn end_statement(&mut self, join: &Name, span: Span) {
        let Some(first) = self.statement else { return };
        let mut ends = (first..self.nodes.node_count()).map(NodeIndex::new).filter(|node| !self.is_followed(*node));
        let (one, more) = (ends.next(), ends.next());
        if let (Some(one), Some(other)) = (one, more) {
            let rest: Vec<NodeIndex> = [one, other].into_iter().chain(ends).collect();
            let nothing = NodeKind::Value(Expr::Const(catalog::Value::Unit));
            let joined = self.add(Draft::new(nothing, join.clone(), span, Type::Unit), Facts::NONE, Gate::No);
            rest.into_iter().for_each(|end| self.precede(end, joined));
            self.tail = Some(joined);
        } else if one.is_some() {
            self.tail = one;
        }
        self.statement = None;
    }

    fn is_followed(&self, node: NodeIndex) -> bool {
        self.nodes.node_weight(node).is_some_and(|draft| draft.followed)
    }
}
