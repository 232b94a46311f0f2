//! One flow: regions, names and statements.

use std::collections::{BTreeMap, BTreeSet};

use catalog::{Name, Type, Value};
use cranelift_entity::SecondaryMap;
use grammar::{Diagnostic, Span};

use crate::eval::fold;
use crate::freeze::Tables;
use crate::graph::{Draft, Facts, Gate, RegionGraph, node_of, node_slot};
use crate::ir::{self, BindingId, Block, Flow, Program, Statement};
use crate::lower::{diagnostics, facts, idle, params, walk};
use crate::plan::{Child, Effect, Expr, FlowId, FlowPlan, FolderAccess, MailUse, MockPlan, NodeKind, Region, RegionId, Slot};
use crate::policy::{Layers, Limit};

/// What callers of a flow must know of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    /// Whether some step of it is not pure.
    pub(crate) effect: Option<Effect>,
    /// Whether an expression or `require` of it may fail.
    pub(crate) risky: bool,
    /// Whether it waits or sends.
    pub(crate) gate: bool,
    /// What its steps are granted, and where.
    pub(crate) grants: BTreeMap<GrantKey, Span>,
    /// For each parameter the widest access that a step is granted through it.
    pub(crate) access: Vec<Option<FolderAccess>>,
}

impl Summary {
    /// Of a flow with so many parameters that does nothing.
    pub(crate) fn of_nothing(params: usize) -> Self {
        Self { effect: Some(Effect::Pure), access: vec![None; params], ..Self::default() }
    }

    /// Whether callers learn the same from both; where a grant stands does not count.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        self.effect == other.effect
            && self.risky == other.risky
            && self.access == other.access
            && self.grants.keys().eq(other.grants.keys())
    }
}

/// A grant as a caller sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum GrantKey {
    /// Of the folder in the n-th parameter.
    Folder(FolderAccess, u32),
    Http(Name),
    Env(Name),
    Clock,
    Random,
    Mail(MailUse, Name),
}

/// Where a binding's value is.
#[derive(Clone, Debug, Default)]
enum Home {
    #[default]
    Unbound,
    /// A local of the expression that is being lowered.
    Local(u32),
    /// In the region `serial`, which was opened as the `depth`-th of the stack.
    At { depth: usize, serial: u32, expr: Expr },
}

/// A closed child region.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) child: Child,
    pub(crate) facts: Facts,
    /// What nodes in it come `after` that is not bound in it.
    pub(crate) after: Vec<BindingId>,
}

/// A node to be added.
#[derive(Debug)]
pub(crate) struct Adding {
    pub(crate) draft: Draft,
    pub(crate) facts: Facts,
    pub(crate) gate: Gate,
    pub(crate) after: Vec<BindingId>,
}

/// The lowering of one flow. `'p` is the program, `'t` what is built over all flows.
#[derive(Debug)]
pub(crate) struct FlowLowering<'p, 't> {
    pub(crate) program: &'p Program,
    pub(crate) flow: &'p Flow,
    pub(crate) summaries: &'t SecondaryMap<FlowId, Summary>,
    tables: &'t mut Tables,
    pub(crate) report: &'t mut Vec<Diagnostic>,
    /// The regions that are open, the flow's body first.
    stack: Vec<RegionGraph>,
    homes: SecondaryMap<BindingId, Home>,
    /// For bindings that may hold folders: the parameters that these come from.
    pub(crate) origins: SecondaryMap<BindingId, Vec<u32>>,
    pub(crate) layers: Layers<'p>,
    /// Locals in scope of the expression that is being lowered.
    pub(crate) locals: u32,
    /// How deep the expression that is being lowered is nested.
    pub(crate) depth: u32,
    serials: u32,
    /// The places of calls whose results nothing uses.
    pub(crate) idle: BTreeSet<Span>,
    pub(crate) summary: Summary,
}

impl<'p, 't> FlowLowering<'p, 't> {
    pub(crate) fn new(
        program: &'p Program,
        flow: &'p Flow,
        summaries: &'t SecondaryMap<FlowId, Summary>,
        tables: &'t mut Tables,
        report: &'t mut Vec<Diagnostic>,
    ) -> Self {
        Self {
            program,
            flow,
            summaries,
            tables,
            report,
            stack: Vec::new(),
            homes: SecondaryMap::with_capacity(flow.bindings.len()),
            origins: SecondaryMap::new(),
            layers: Layers::new(&flow.bindings, flow.cap.as_deref()),
            locals: 0,
            depth: 0,
            serials: 0,
            idle: idle::idle_calls(flow),
            summary: Summary { access: vec![None; flow.params.len()], ..Summary::default() },
        }
    }

    /// Lowers the flow.
    pub(crate) fn run(mut self) -> (FlowPlan, Summary, Vec<MockPlan>) {
        let mocks = self.mocks();
        let defaults: Vec<Option<Expr>> = self.defaults();
        self.open(self.flow.params.len() as u32, self.flow.mocks.is_some());
        for (index, param) in self.flow.params.iter().enumerate() {
            self.bind_input(param.binding, index as u32);
            if facts::holds_folder(&self.type_of(param.binding)) {
                self.origins[param.binding].push(index as u32);
            }
        }
        self.enter(&self.flow.policy);
        let policy = &self.flow.policy;
        let deadline = self.least(Limit::Deadline.of(policy).into_iter());
        let parallel = self.least(Limit::Parallel.of(policy).into_iter());
        let budget = self.budget(&[policy]);
        let result = self.block(&self.flow.body);
        let closed = self.close(result);
        self.summary.effect = Some(closed.facts.effect);
        self.summary.risky = closed.facts.risky;
        self.summary.gate = closed.facts.gate;
        self.report_unbound(&closed.after);
        let mut params = params(self.flow, &self.summary.access);
        for (param, default) in params.iter_mut().zip(defaults) {
            param.default = default;
        }
        let plan = FlowPlan {
            name: self.flow.title(),
            docs: self.flow.docs.clone(),
            params,
            result: self.flow.result.clone(),
            body: closed.child.region,
            deadline,
            parallel,
            budget,
            recursion: self.flow.recursion,
            span: self.flow.span,
        };
        (plan, self.summary, mocks)
    }

    fn defaults(&mut self) -> Vec<Option<Expr>> {
        let flow = self.flow;
        flow.params.iter().map(|param| param.default.as_ref().map(|default| self.expr(default, None))).collect()
    }

    fn report_unbound(&mut self, after: &[BindingId]) {
        for binding in after {
            if let (Home::Unbound, Some(bound)) = (&self.homes[*binding], self.flow.bindings.get(*binding)) {
                self.report.push(diagnostics::out_of_scope(&bound.name, bound.span));
            }
        }
    }

    /// The type of a binding.
    pub(crate) fn type_of(&self, binding: BindingId) -> Type {
        self.flow.bindings.get(binding).map_or(Type::Unit, |binding| binding.ty.clone())
    }

    /// Enters a policy and reports where it widens those around it.
    pub(crate) fn enter(&mut self, policy: &'p ir::Policy) {
        let origins = &self.origins;
        self.layers.enter(policy, &|a, b| same_folder(origins, a, b), self.report);
    }

    /// Opens a region inside the current one.
    pub(crate) fn open(&mut self, params: u32, sequence: bool) {
        self.stack.push(RegionGraph::new(self.serials, params, sequence));
        self.serials += 1;
    }

    /// Closes the current region and freezes it.
    pub(crate) fn close(&mut self, mut result: Expr) -> Closed {
        fold(&mut result);
        let depth = self.stack.len().saturating_sub(1);
        let Some(mut graph) = self.stack.pop() else {
            // Nothing is closed that was not opened.
            let region = self.empty_region(0);
            return Closed { child: Child { region, captures: Vec::new() }, facts: Facts::NONE, after: Vec::new() };
        };
        let mut outside = Vec::new();
        for (node, binding) in std::mem::take(&mut graph.pending) {
            match &self.homes[binding] {
                Home::At { depth: at, serial, expr } if *at == depth && *serial == graph.serial => {
                    walk::slots(expr, &mut |slot| {
                        if let Some(earlier) = node_of(slot) {
                            graph.precede(earlier, node);
                        }
                    });
                }
                _ => outside.push(binding),
            }
        }
        let mut facts = graph.facts;
        facts.risky |= !walk::cannot_fail(&result);
        let captures = std::mem::take(&mut graph.captures);
        let inputs = graph.inputs() + captures.len() as u32;
        let region = match self.tables.freeze(graph, inputs, result) {
            Ok(region) => region,
            Err(diagnostic) => {
                self.report.push(diagnostic);
                self.empty_region(inputs)
            }
        };
        Closed { child: Child { region, captures }, facts, after: outside }
    }

    fn empty_region(&mut self, inputs: u32) -> RegionId {
        let end = self.tables.nodes.len() as u32;
        self.tables.regions.push(Region { inputs, nodes: end..end, result: Expr::Const(Value::Unit) })
    }

    /// A child region of one block.
    pub(crate) fn child(&mut self, params: &[BindingId], block: &'p Block, sequence: bool) -> Closed {
        self.open(params.len() as u32, sequence);
        for (index, param) in params.iter().enumerate() {
            self.bind_input(*param, index as u32);
        }
        let result = self.block(block);
        self.close(result)
    }

    /// A child region of one expression. Without a binding its parameters are there and cannot be named.
    pub(crate) fn expr_child(&mut self, params: u32, binding: Option<BindingId>, expr: &'p ir::Expr) -> Closed {
        self.open(params, false);
        if let Some(binding) = binding {
            self.bind_input(binding, 0);
        }
        let result = self.expr(expr, None);
        self.close(result)
    }

    /// A child region without nodes.
    pub(crate) fn const_child(&mut self, params: u32, result: Expr) -> Closed {
        self.open(params, false);
        self.close(result)
    }

    /// How many regions are open.
    pub(crate) fn open_regions(&self) -> usize {
        self.stack.len()
    }

    /// Binds a name to an input of the current region.
    pub(crate) fn bind_input(&mut self, binding: BindingId, input: u32) {
        self.bind(binding, Expr::Slot(Slot(input)));
    }

    /// Binds a name to a local.
    pub(crate) fn bind_local(&mut self, binding: BindingId, local: u32) {
        self.homes[binding] = Home::Local(local);
    }

    /// Binds a name to an expression over the current region's frame.
    pub(crate) fn bind(&mut self, binding: BindingId, expr: Expr) {
        let depth = self.stack.len().saturating_sub(1);
        let serial = self.stack.last().map_or(0, |region| region.serial);
        self.homes[binding] = Home::At { depth, serial, expr };
    }

    /// The value of a name in the current region, captured where it is bound further out.
    pub(crate) fn resolve(&mut self, binding: BindingId) -> Expr {
        match &self.homes[binding] {
            Home::Local(local) => return Expr::Local(*local),
            Home::At { depth, serial, expr } if self.stack.get(*depth).is_some_and(|region| region.serial == *serial) => {
                let (depth, expr) = (*depth, expr.clone());
                return self.bring(expr, depth + 1);
            }
            _ => {}
        }
        if let Some(bound) = self.flow.bindings.get(binding) {
            self.report.push(diagnostics::out_of_scope(&bound.name, bound.span));
        }
        Expr::Const(Value::Unit)
    }

    /// Makes an expression over the frame of the region that was current when `open` regions were open
    /// one over the frame of the current region, by capturing what it reads.
    pub(crate) fn bring(&mut self, mut expr: Expr, open: usize) -> Expr {
        let within = self.stack.get_mut(open..).unwrap_or(&mut []);
        if !within.is_empty() {
            walk::slots_mut(&mut expr, &mut |slot| *slot = within.iter_mut().fold(*slot, |slot, region| region.capture(slot)));
        }
        expr
    }

    /// Adds a node to the current region and gives its result.
    pub(crate) fn add(&mut self, adding: Adding) -> Expr {
        let Adding { mut draft, mut facts, gate, after } = adding;
        let policy = [&mut draft.deadline, &mut draft.parallel].into_iter().chain(draft.budget.exprs_mut());
        walk::node_exprs_mut(&mut draft.kind, policy, &mut fold);
        walk::node_exprs(&draft.kind, [], &mut |expr| facts.risky |= !walk::cannot_fail(expr));
        let Some(region) = self.stack.last_mut() else { return Expr::Const(Value::Unit) };
        let node = region.add(draft, facts, gate);
        region.pending.extend(after.into_iter().map(|binding| (node, binding)));
        Expr::Slot(node_slot(node))
    }

    /// A node for the value of a pure expression.
    fn value_node(&mut self, value: Expr, name: Name, span: Span, ty: Type) -> Expr {
        let draft = Draft::new(NodeKind::Value(value), name, span, ty);
        self.add(Adding { draft, facts: Facts::NONE, gate: Gate::No, after: Vec::new() })
    }

    /// Lowers statements into the current region and gives the block's value.
    pub(crate) fn block(&mut self, block: &'p Block) -> Expr {
        let mut result = Expr::Const(Value::Unit);
        let join: Name = "join".into();
        let last = block.statements.len().saturating_sub(1);
        for (index, statement) in block.statements.iter().enumerate() {
            let sequence = self.stack.last().is_some_and(RegionGraph::is_sequence);
            if sequence && let Some(region) = self.stack.last_mut() {
                region.begin_statement(!facts::is_simple_statement(statement));
            }
            match statement {
                Statement::Return(expr, _) if self.stack.len() == 1 && index == last => result = self.expr(expr, None),
                Statement::Value(expr) => result = self.expr(expr, None),
                _ => self.statement(statement),
            }
            if sequence && let Some(region) = self.stack.last_mut() {
                region.end_statement(&join, block.span);
            }
        }
        result
    }

    fn statement(&mut self, statement: &'p Statement) {
        match statement {
            Statement::Let(binding, expr) => self.bind_let(*binding, expr),
            Statement::Do(expr) | Statement::Value(expr) => {
                let value = self.expr(expr, None);
                if !walk::cannot_fail(&value) {
                    self.value_node(value, "value".into(), expr.span, expr.ty.clone());
                }
            }
            Statement::Require { condition, message, assert, span } => {
                let (condition, details) = if *assert { self.asserted(condition) } else { (self.expr(condition, None), None) };
                let message = self.expr(message, None);
                let name = if *assert { "assert" } else { "require" };
                let draft = Draft::new(NodeKind::Require { condition, message, details }, name.into(), *span, Type::Unit);
                let facts = Facts { risky: true, ..Facts::NONE };
                self.add(Adding { draft, facts, gate: Gate::Effects, after: Vec::new() });
            }
            Statement::Return(expr, span) => {
                let value = self.expr(expr, None);
                let draft = Draft::new(NodeKind::Return(value), "return".into(), *span, expr.ty.clone());
                let facts = Facts { returns: true, ..Facts::NONE };
                self.add(Adding { draft, facts, gate: Gate::Effects, after: Vec::new() });
            }
        }
    }

    fn bind_let(&mut self, binding: BindingId, expr: &'p ir::Expr) {
        let Some(bound) = self.flow.bindings.get(binding) else { return };
        let mut value = self.expr(expr, Some(&bound.name));
        fold(&mut value);
        let value = match value {
            value if walk::is_trivial(&value) => value,
            value => self.value_node(value, bound.name.clone(), expr.span, expr.ty.clone()),
        };
        self.trace(binding, expr);
        self.bind(binding, value);
    }

    /// Notes which parameters' folders a name may hold that gets its value from `expr`.
    pub(crate) fn trace(&mut self, binding: BindingId, expr: &ir::Expr) {
        if facts::holds_folder(&self.type_of(binding)) {
            let mut origins = std::mem::take(&mut self.origins[binding]);
            origins.extend(self.folders_of(expr));
            origins.sort_unstable();
            origins.dedup();
            self.origins[binding] = origins;
        }
    }

    /// The parameters whose folders an expression may give.
    pub(crate) fn folders_of(&self, expr: &ir::Expr) -> Vec<u32> {
        let mut params = Vec::new();
        facts::bindings(expr, &mut |binding| params.extend_from_slice(&self.origins[binding]));
        params.sort_unstable();
        params.dedup();
        params
    }
}

/// Whether `inner` surely holds a folder that `outer` holds.
pub(crate) fn same_folder(origins: &SecondaryMap<BindingId, Vec<u32>>, outer: BindingId, inner: BindingId) -> bool {
    outer == inner || (origins[outer].len() == 1 && origins[outer] == origins[inner])
}
