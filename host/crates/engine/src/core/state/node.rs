//! What a node does when it is ready.

use catalog::{FailureKind, Value};
use lang::eval;
use lang::plan::{Arm, Expr, FlowId, NodeId, NodeKind, RegionId};

use super::State;
use super::budget::Bounds;
use super::model::{ActivityId, Cause, FoldForm, Form, InstanceId, LoopForm, MapForm, Role};
use super::vault::Resident;
use crate::core::values::{
    ListValue, evaluate, evaluate_bool, evaluate_duration, evaluate_held, evaluate_u32, failure, failure_of,
};
use crate::event::Failure;

impl State {
    /// A node has all that it waits for.
    pub(super) fn begin_node(&mut self, id: InstanceId, node: NodeId) {
        match self.instances.get(id) {
            Some(instance) if instance.closing.is_none() => {}
            _ => return,
        }
        if let Err(failure) = self.try_begin(id, node) {
            self.fail_node(id, node, failure);
        }
    }

    /// Evaluates an expression over the frame of a region.
    pub(super) fn eval_in(&self, id: InstanceId, expr: &Expr) -> Result<Value, Failure> {
        let frame = self.instances.get(id).map_or(&[][..], |instance| &instance.frame);
        evaluate(expr, frame)
    }

    /// The same for a value that stays in frames.
    fn held_in(&self, id: InstanceId, expr: &Expr) -> Result<Value, Failure> {
        evaluate_held(expr, self.frame(id))
    }

    pub(super) fn frame(&self, id: InstanceId) -> &[Option<Value>] {
        self.instances.get(id).map_or(&[], |instance| &instance.frame)
    }

    fn try_begin(&mut self, id: InstanceId, node: NodeId) -> Result<(), Failure> {
        let plan = self.plan();
        let Some(shape) = plan.nodes.get(node) else { return Ok(()) };
        match &shape.kind {
            NodeKind::Value(expr) => {
                let value = self.held_in(id, expr)?;
                self.node_done(id, node, value);
            }
            NodeKind::Require { condition, message, details } => {
                self.begin_require(id, node, condition, (message, details.as_ref()))?;
            }
            NodeKind::Return(expr) => {
                let value = self.held_in(id, expr)?;
                if let Some(flow) = self.flow_around(id) {
                    self.keep_for_flow(id, flow);
                    self.close(vec![(flow, Cause::Returned(value))]);
                }
            }
            NodeKind::Call(call) => self.begin_call(id, node, call)?,
            NodeKind::Wait(wait) => self.begin_wait(id, node, wait)?,
            NodeKind::Emit { topic, value } => self.begin_emit(id, node, topic, value)?,
            NodeKind::Flow { flow, args } => {
                let args = args.iter().map(|arg| self.held_in(id, arg)).collect::<Result<Vec<_>, _>>()?;
                self.check_recursion(id, *flow)?;
                if let (Some(shape), Some(activity)) = (plan.flows.get(*flow), self.begin_form(id, node, Form::Flow)?) {
                    self.open_flow(activity, *flow, shape.body, args);
                }
            }
            NodeKind::If { condition, then, otherwise } => {
                let child = if evaluate_bool(condition, self.frame(id))? { Some(then) } else { otherwise.as_ref() };
                match child {
                    Some(child) => {
                        if let Some(activity) = self.begin_form(id, node, Form::Single)? {
                            self.open_child(activity, Role::Body, child, []);
                        }
                    }
                    None => self.node_done(id, node, Value::Unit),
                }
            }
            NodeKind::Match { subject, arms } => self.begin_match(id, node, subject, arms)?,
            NodeKind::Block { body } => {
                if let Some(activity) = self.begin_form(id, node, Form::Single)? {
                    self.open_child(activity, Role::Body, body, []);
                }
            }
            NodeKind::Try { body, .. } => {
                if let Some(activity) = self.begin_form(id, node, Form::Try)? {
                    self.open_child(activity, Role::Body, body, []);
                }
            }
            NodeKind::Race { arms, wanted } => self.begin_race(id, node, arms, wanted.as_ref())?,
            NodeKind::Map { list, collect, .. } => self.begin_map(id, node, list, *collect)?,
            NodeKind::Fold { init, list, .. } => {
                let (value, items) = (self.held_in(id, init)?, ListValue::evaluate(list, self.frame(id))?);
                if let Some(activity) = self.begin_form(id, node, Form::Fold(Box::new(FoldForm { items, next: 0 })))? {
                    self.fold_on(activity, value);
                }
            }
            NodeKind::Tree { list, .. } => self.begin_tree(id, node, list)?,
            NodeKind::Loop { init, max, .. } => {
                let value = self.held_in(id, init)?;
                let max = evaluate_u32(Some(max), self.frame(id))?.unwrap_or(0);
                let form = Form::Loop(Box::new(LoopForm { value, iteration: 0, max }));
                if let Some(activity) = self.begin_form(id, node, form)? {
                    self.loop_test(activity);
                }
            }
        }
        Ok(())
    }

    fn begin_require(
        &mut self,
        id: InstanceId,
        node: NodeId,
        condition: &Expr,
        told: (&Expr, Option<&Expr>),
    ) -> Result<(), Failure> {
        if evaluate_bool(condition, self.frame(id))? {
            self.node_done(id, node, Value::Unit);
            return Ok(());
        }
        let mut failure = match self.eval_in(id, told.0)? {
            Value::String(text) => failure(FailureKind::Logic, &*text),
            caught => failure_of(&caught),
        };
        if let Some(Ok(Value::Json(details))) = told.1.map(|details| self.eval_in(id, details)) {
            failure.details = Some(details);
        }
        Err(failure)
    }

    fn begin_match(&mut self, id: InstanceId, node: NodeId, subject: &Expr, arms: &[Arm]) -> Result<(), Failure> {
        let subject = self.held_in(id, subject)?;
        let (index, bound) = eval::matches(arms, &subject, self.frame(id)).map_err(|error| failure(error.kind, error.message))?;
        let Some(arm) = arms.get(index) else { return Ok(()) };
        if let Some(activity) = self.begin_form(id, node, Form::Single)? {
            self.open_child(activity, Role::Body, &arm.body, bound);
        }
        Ok(())
    }

    fn begin_map(&mut self, id: InstanceId, node: NodeId, list: &Expr, collect: bool) -> Result<(), Failure> {
        let items = ListValue::evaluate(list, self.frame(id))?;
        let form = MapForm { results: vec![None; items.len()], items, next: 0, done: 0, collect, resident: Resident::default() };
        if let Some(activity) = self.begin_form(id, node, Form::Map(Box::new(form)))? {
            self.map_begin(activity)?;
        }
        Ok(())
    }

    fn begin_tree(&mut self, id: InstanceId, node: NodeId, list: &Expr) -> Result<(), Failure> {
        let items = ListValue::evaluate(list, self.frame(id))?;
        if items.len() == 0 {
            return Err(failure(
                FailureKind::Logic,
                "the list to reduce is empty; write `else` after the `reduce` to give a value for it",
            ));
        }
        if let Some(activity) = self.begin_form(id, node, super::form::tree_form(items.len()))? {
            self.tree_begin(activity, &items);
        }
        Ok(())
    }

    /// A structured node has begun: its deadline runs and its limit holds. The policy is over the frame around it.
    pub(super) fn begin_form(&mut self, id: InstanceId, node: NodeId, form: Form) -> Result<Option<ActivityId>, Failure> {
        let plan = self.plan();
        let Some(shape) = plan.nodes.get(node) else { return Ok(None) };
        let deadline = evaluate_duration(shape.deadline.as_ref(), self.frame(id))?;
        let parallel = evaluate_u32(shape.parallel.as_ref(), self.frame(id))?;
        let budget = Bounds::evaluate(&shape.budget, self.frame(id))?;
        let is_map = matches!(form, Form::Map(_));
        let Some(activity) = self.add_activity(id, node, form) else { return Ok(None) };
        if let (Some(limit), false) = (parallel, is_map) {
            self.add_scope(activity, limit);
        }
        if let Some(deadline) = deadline {
            self.set_deadline(activity, deadline);
        }
        if let Some(budget) = budget {
            self.add_budget(activity, budget);
        }
        Ok(Some(activity))
    }

    /// Opens a flow's body; its own deadline and limit are over the arguments.
    pub(super) fn open_flow(&mut self, activity: ActivityId, flow: FlowId, body: RegionId, args: Vec<Value>) {
        let plan = self.plan();
        let Some(shape) = plan.flows.get(flow) else { return };
        let frame: Vec<Option<Value>> = args.into_iter().map(Some).collect();
        let policy = evaluate_duration(shape.deadline.as_ref(), &frame)
            .and_then(|deadline| Ok((deadline, evaluate_u32(shape.parallel.as_ref(), &frame)?)))
            .and_then(|(deadline, parallel)| Ok((deadline, parallel, Bounds::evaluate(&shape.budget, &frame)?)));
        match policy {
            Ok((deadline, parallel, budget)) => {
                if let Some(limit) = parallel {
                    self.add_scope(activity, limit);
                }
                if let Some(deadline) = deadline {
                    self.set_deadline(activity, deadline);
                }
                if let Some(budget) = budget {
                    self.add_budget(activity, budget);
                }
                self.open_region(activity, Role::Body, body, frame);
            }
            Err(failure) => {
                let path = self.path_of_activity(activity);
                self.stop_and_fail(activity, failure, path);
            }
        }
    }
}
