//! Structured nodes: what follows when a child ends.

use std::collections::VecDeque;

use catalog::{Type, Value};
use lang::plan::{Child, NodeKind};

use super::State;
use super::model::{ActivityId, Form, Role, TreeForm};
use super::region::RegionResult;
use super::vault::Resident;
use crate::core::bugs::Bug;
use crate::core::values::{ListValue, evaluate_u32, failure, failure_value, list, ok};
use crate::event::Failure;
use catalog::FailureKind;

/// So many children of a map or tree are open at once when nothing else is said. It bounds memory, not work.
const WINDOW: u32 = 1024;

/// The children that the forms below open.
enum Which {
    Body,
    Until,
    Exhausted,
    Handler,
}

impl State {
    /// A child of a node has ended.
    pub(super) fn child_done(&mut self, id: ActivityId, role: Role, result: RegionResult) {
        let Some(activity) = self.activities.get(id) else { return };
        if activity.stopping.is_some() {
            if activity.children.is_empty() {
                self.activity_stopped(id);
            }
            return;
        }
        match (&activity.form, result) {
            (Form::Map(_), result) => self.map_child_done(id, role, result),
            (Form::Race(_), result) => self.arm_done(id, role, result),
            (Form::Try, Err(failed)) if role == Role::Body => {
                self.open_part(id, Which::Handler, Role::Handler, [failure_value(&failed.failure)]);
            }
            (Form::Tree(_), Err(failed)) => self.stop_and_fail(id, failed.failure, failed.path),
            (_, Err(failed)) => self.fail(id, failed),
            (Form::Fold(_), Ok(value)) => self.fold_on(id, value),
            (Form::Tree(_), Ok(value)) => self.tree_child_done(id, role, value),
            (Form::Loop(_), Ok(value)) => self.loop_child_done(id, role, value),
            (Form::Flow | Form::Single | Form::Try | Form::Undo(_), Ok(value)) => self.complete(id, value),
            // They have no children.
            (Form::Call(_) | Form::Wait(_) | Form::Emit(_) | Form::Hook(_), Ok(_)) => {}
        }
    }

    /// Opens a child of the node's own plan.
    fn open_part<const N: usize>(&mut self, id: ActivityId, which: Which, role: Role, params: [Value; N]) {
        let plan = self.plan();
        let Some((_, node)) = self.activities.get(id).and_then(|activity| activity.place) else { return };
        let child: Option<&Child> = match (plan.nodes.get(node).map(|node| &node.kind), which) {
            (Some(NodeKind::Map { body, .. } | NodeKind::Fold { body, .. } | NodeKind::Tree { body, .. }), Which::Body)
            | (Some(NodeKind::Loop { body, .. }), Which::Body) => Some(body),
            (Some(NodeKind::Loop { until, .. }), Which::Until) => Some(until),
            (Some(NodeKind::Loop { exhausted, .. }), Which::Exhausted) => exhausted.as_ref(),
            (Some(NodeKind::Try { handler, .. }), Which::Handler) => Some(handler),
            _ => None,
        };
        if let Some(child) = child {
            self.open_child(id, role, child, params);
        }
    }

    /// So many children of a node may be open at once.
    fn window(&self, id: ActivityId) -> Result<usize, Failure> {
        let plan = self.plan();
        let Some((instance, node)) = self.activities.get(id).and_then(|activity| activity.place) else { return Ok(0) };
        let (Some(instance), Some(node)) = (self.instances.get(instance), plan.nodes.get(node)) else { return Ok(0) };
        let parallel = evaluate_u32(node.parallel.as_ref(), &instance.frame)?;
        Ok(parallel.map_or(WINDOW, |limit| limit.clamp(1, WINDOW.max(limit))) as usize)
    }

    /// Opens the first items.
    pub(super) fn map_begin(&mut self, id: ActivityId) -> Result<(), Failure> {
        let window = self.window(id)?;
        let mut opened = 0;
        while opened < window && self.map_open_next(id) {
            opened += 1;
        }
        if opened == 0 {
            self.map_finish(id);
        }
        Ok(())
    }

    /// Opens the next item; false when there is none.
    fn map_open_next(&mut self, id: ActivityId) -> bool {
        let Some(Form::Map(form)) = self.activities.get_mut(id).map(|activity| &mut activity.form) else { return false };
        let Some(item) = form.items.get(form.next) else { return false };
        let index = u32::try_from(form.next).unwrap_or(u32::MAX);
        form.next += 1;
        self.open_part(id, Which::Body, Role::Index(index), [item]);
        true
    }

    fn map_child_done(&mut self, id: ActivityId, role: Role, result: RegionResult) {
        let by_completion = self.bugs.0.has(Bug::MapByCompletion);
        let vault = self.vault.clone();
        let Some(Form::Map(form)) = self.activities.get_mut(id).map(|activity| &mut activity.form) else { return };
        let Role::Index(index) = role else { return };
        let value = match result {
            Ok(value) if form.collect => ok(value),
            Ok(value) => value,
            Err(failed) if form.collect => Value::Result(Err(Some(std::sync::Arc::new(failure_value(&failed.failure))))),
            Err(failed) => {
                self.stop_and_fail(id, failed.failure, failed.path);
                return;
            }
        };
        let value = vault.collect(value, &mut form.resident);
        let place = if by_completion { form.done } else { index as usize };
        if let Some(slot) = form.results.get_mut(place) {
            *slot = Some(value);
        }
        form.done += 1;
        if form.done == form.results.len() {
            self.map_finish(id);
        } else {
            self.map_open_next(id);
        }
    }

    fn map_finish(&mut self, id: ActivityId) {
        let plan = self.plan();
        let Some(activity) = self.activities.get_mut(id) else { return };
        let (Form::Map(form), Some((_, node))) = (&mut activity.form, activity.place) else { return };
        let results = std::mem::take(&mut form.results);
        let ty = plan.nodes.get(node).map_or(&Type::Unit, |node| &node.ty);
        let value = list(results.into_iter().flatten(), ty);
        self.complete(id, value);
    }

    /// Goes on with the next item, or gives the accumulator.
    pub(super) fn fold_on(&mut self, id: ActivityId, acc: Value) {
        let Some(Form::Fold(form)) = self.activities.get_mut(id).map(|activity| &mut activity.form) else { return };
        let Some(item) = form.items.get(form.next) else {
            self.complete(id, acc);
            return;
        };
        let index = u32::try_from(form.next).unwrap_or(u32::MAX);
        form.next += 1;
        self.open_part(id, Which::Body, Role::Index(index), [acc, item]);
    }

    /// Puts the leaves in and opens the first pairs.
    pub(super) fn tree_begin(&mut self, id: ActivityId, items: &ListValue) {
        for index in 0..items.len() {
            let Some(item) = items.get(index) else { continue };
            if self.tree_put(id, 0, u32::try_from(index).unwrap_or(u32::MAX), item) {
                return;
            }
        }
        for _ in 0..WINDOW {
            if !self.tree_open_next(id) {
                break;
            }
        }
    }

    fn tree_open_next(&mut self, id: ActivityId) -> bool {
        let Some(Form::Tree(form)) = self.activities.get_mut(id).map(|activity| &mut activity.form) else { return false };
        let Some((level, index)) = form.ready.pop_front() else { return false };
        let Some(below) = form.levels.get_mut(level as usize - 1) else { return false };
        let mut take = |at: usize| below.get_mut(at).and_then(Option::take);
        let (Some(left), Some(right)) = (take(index as usize * 2), take(index as usize * 2 + 1)) else { return false };
        self.open_part(id, Which::Body, Role::Pair { level, index }, [left, right]);
        true
    }

    fn tree_child_done(&mut self, id: ActivityId, role: Role, value: Value) {
        let Role::Pair { level, index } = role else { return };
        let index = if self.bugs.0.has(Bug::TreeByCompletion) { self.first_empty(id, level).unwrap_or(index) } else { index };
        if !self.tree_put(id, level, index, value) {
            while self.activities.get(id).is_some_and(|activity| activity.children.len() < WINDOW as usize) {
                if !self.tree_open_next(id) {
                    break;
                }
            }
        }
    }

    /// The first place of a level of a tree without a value: where the planted bug puts what comes first.
    fn first_empty(&self, id: ActivityId, level: u32) -> Option<u32> {
        let Some(Form::Tree(form)) = self.activities.get(id).map(|activity| &activity.form) else { return None };
        let empty = form.levels.get(level as usize)?.iter().position(Option::is_none)?;
        u32::try_from(empty).ok()
    }

    /// A value of a tree is there. An odd last one moves up as it is. Gives whether it was the last.
    fn tree_put(&mut self, id: ActivityId, mut level: u32, mut index: u32, value: Value) -> bool {
        let vault = self.vault.clone();
        let Some(Form::Tree(form)) = self.activities.get_mut(id).map(|activity| &mut activity.form) else { return true };
        loop {
            let Some(values) = form.levels.get_mut(level as usize) else { return true };
            if values.len() == 1 {
                self.complete(id, value);
                return true;
            }
            let sibling = (index ^ 1) as usize;
            if sibling >= values.len() {
                (level, index) = (level + 1, index / 2);
                continue;
            }
            if values.get(sibling).is_some_and(Option::is_some) {
                form.ready.push_back((level + 1, index / 2));
            }
            if let Some(slot) = values.get_mut(index as usize) {
                *slot = Some(vault.collect(value, &mut form.resident));
            }
            return false;
        }
    }

    /// Tests before the next iteration.
    pub(super) fn loop_test(&mut self, id: ActivityId) {
        let Some(Form::Loop(form)) = self.activities.get(id).map(|activity| &activity.form) else { return };
        let (iteration, value) = (form.iteration, form.value.clone());
        self.open_part(id, Which::Until, Role::Test(iteration), [value]);
    }

    fn loop_child_done(&mut self, id: ActivityId, role: Role, value: Value) {
        let Some(Form::Loop(form)) = self.activities.get_mut(id).map(|activity| &mut activity.form) else { return };
        match role {
            Role::Test(iteration) => {
                let (current, bound) = (form.value.clone(), form.max);
                match value {
                    Value::Bool(true) => self.complete(id, current),
                    Value::Bool(false) if iteration < bound => {
                        self.open_part(id, Which::Body, Role::Index(iteration), [current]);
                    }
                    Value::Bool(false) => self.loop_exhausted(id, current),
                    _ => {
                        let path = self.path_of_activity(id);
                        self.stop_and_fail(id, failure(FailureKind::Internal, "the plan promises a bool for `until`"), path);
                    }
                }
            }
            Role::Index(iteration) => {
                form.value = value;
                form.iteration = iteration + 1;
                self.loop_test(id);
            }
            _ => self.complete(id, value),
        }
    }

    fn loop_exhausted(&mut self, id: ActivityId, current: Value) {
        let plan = self.plan();
        let node = self.activities.get(id).and_then(|activity| activity.place).and_then(|(_, node)| plan.nodes.get(node));
        if let Some(NodeKind::Loop { exhausted: Some(_), .. }) = node.map(|node| &node.kind) {
            self.open_part(id, Which::Exhausted, Role::Exhausted, [current]);
        } else {
            self.complete(id, current);
        }
    }

    /// The path of a node that has begun.
    pub(super) fn path_of_activity(&self, id: ActivityId) -> std::sync::Arc<str> {
        match self.activities.get(id).and_then(|activity| activity.place) {
            Some((instance, node)) => self.path(instance, node),
            None => self.plan().flows.get(self.plan().entry).map_or_else(|| "".into(), |flow| std::sync::Arc::clone(&flow.name)),
        }
    }
}

/// An empty tree over so many leaves.
pub(super) fn tree_form(leaves: usize) -> Form {
    let mut levels = vec![vec![None; leaves]];
    let mut length = leaves;
    while length > 1 {
        length = length.div_ceil(2);
        levels.push(vec![None; length]);
    }
    Form::Tree(Box::new(TreeForm { levels, ready: VecDeque::new(), resident: Resident::default() }))
}
