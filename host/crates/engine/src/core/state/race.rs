//! Races: the first successes in the order of events decide, and the node ends when the other arms have ended.

use catalog::{FailureKind, Value};
use lang::plan::{Child, Expr, NodeId};

use super::State;
use super::model::{ActivityId, Cause, Failed, Form, InstanceId, RaceForm, Role};
use super::region::RegionResult;
use crate::core::bugs::Bug;
use crate::core::values::{evaluate_u32, failure, list};
use crate::event::Failure;

impl State {
    /// Opens all arms.
    pub(super) fn begin_race(
        &mut self,
        id: InstanceId,
        node: NodeId,
        arms: &[Child],
        wanted: Option<&Expr>,
    ) -> Result<(), Failure> {
        let wanted = evaluate_u32(wanted, self.frame(id))?.unwrap_or(1);
        if wanted == 0 || wanted as usize > arms.len() {
            let message = format!("`any {wanted} of` has {} arms: the number is from 1 to {}", arms.len(), arms.len());
            return Err(failure(FailureKind::Calculation, message));
        }
        let form = RaceForm { won: vec![None; arms.len()], winners: 0, failures: 0, wanted, decided: None };
        if let Some(activity) = self.begin_form(id, node, Form::Race(Box::new(form)))? {
            for (index, arm) in (0..).zip(arms) {
                self.open_child(activity, Role::Index(index), arm, []);
            }
        }
        Ok(())
    }

    /// An arm has ended: of one that is not wanted any more only that it has.
    pub(super) fn arm_done(&mut self, id: ActivityId, role: Role, result: RegionResult) {
        let Some(Form::Race(form)) = self.activities.get_mut(id).map(|activity| &mut activity.form) else { return };
        if let (None, Role::Index(index)) = (&form.decided, role) {
            match result {
                Ok(value) => {
                    if let Some(slot) = form.won.get_mut(index as usize) {
                        *slot = Some(value);
                    }
                    form.winners += 1;
                    if form.winners == form.wanted {
                        self.race_won(id);
                    }
                }
                Err(failed) => {
                    form.failures += 1;
                    if (form.won.len() as u64) < u64::from(form.failures) + u64::from(form.wanted) {
                        self.race_lost(id, *failed);
                    }
                }
            }
        }
        self.end_race(id);
    }

    fn race_won(&mut self, id: ActivityId) {
        let plan = self.plan();
        let Some(activity) = self.activities.get_mut(id) else { return };
        let (Form::Race(form), Some((_, node))) = (&mut activity.form, activity.place) else { return };
        let won = std::mem::take(&mut form.won).into_iter().flatten();
        let value = match plan.nodes.get(node).map(|node| (&node.kind, &node.ty)) {
            Some((lang::plan::NodeKind::Race { wanted: Some(_), .. }, ty)) => list(won, ty),
            _ => won.last().unwrap_or(Value::Unit),
        };
        if self.bugs.0.has(Bug::RaceKeepsLosers) {
            self.complete(id, value);
            return;
        }
        self.decide_race(id, Ok(value));
    }

    fn race_lost(&mut self, id: ActivityId, last: Failed) {
        let Some(Form::Race(form)) = self.activities.get(id).map(|activity| &activity.form) else { return };
        let (failures, arms) = (form.failures, form.won.len());
        let message = if failures as usize == arms {
            format!("all {arms} arms failed, the last with: {}", last.failure.message)
        } else {
            format!("{failures} of {arms} arms failed and {} must succeed, the last with: {}", form.wanted, last.failure.message)
        };
        let failure = Failure { message, ..last.failure };
        self.decide_race(id, Err(Box::new(Failed { failure, path: last.path })));
    }

    /// Stops the arms that are left.
    fn decide_race(&mut self, id: ActivityId, decided: RegionResult) {
        let Some(activity) = self.activities.get_mut(id) else { return };
        if let Form::Race(form) = &mut activity.form {
            form.decided = Some(decided);
        }
        let left = activity.children.iter().map(|arm| (*arm, Cause::Unwanted)).collect();
        self.close(left);
    }

    /// Ends a race that is decided and whose arms have ended.
    fn end_race(&mut self, id: ActivityId) {
        let Some(activity) = self.activities.get_mut(id).filter(|activity| activity.children.is_empty()) else { return };
        let Form::Race(form) = &mut activity.form else { return };
        match form.decided.take() {
            Some(Ok(value)) => self.complete(id, value),
            Some(Err(failed)) => self.fail(id, failed),
            None => {}
        }
    }
}
