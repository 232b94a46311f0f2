//! Hooks of another plan: what a run makes of a text is looked at by the hooks of the program that the run came from.

use catalog::Digest;
use grammar::Span;

use super::{ComponentId, FunctionId, HookEvent, HookPlan, HookTarget, Plan, Target};

impl Plan {
    /// Puts the hooks around steps and attempts of `from` before its own. Gives how many there are; those around what this
    /// plan never calls are left out.
    pub fn adopt_hooks(&mut self, from: &Self) -> usize {
        let around_steps = from.hooks.iter().filter(|hook| matches!(hook.event, HookEvent::Step | HookEvent::Attempt));
        let adopted: Vec<HookPlan> = around_steps.filter_map(|hook| self.adopted(hook, from)).collect();
        let count = adopted.len();
        self.hooks.splice(..0, adopted);
        self.forget_derived();
        count
    }

    fn adopted(&mut self, hook: &HookPlan, from: &Self) -> Option<HookPlan> {
        let target = match &hook.target {
            HookTarget::Component(component) => HookTarget::Component(self.component(from.components.get(*component)?.digest)?),
            HookTarget::Function(function) => HookTarget::Function(self.same_function(*function, from)?),
            other => other.clone(),
        };
        let mut call = hook.call.clone();
        call.target = match hook.call.target {
            Target::Function(handler) => Target::Function(self.add_function(handler, from)?),
            Target::Role(role) => Target::Role(self.roles.push(from.roles.get(role)?.clone())),
            Target::Plan(_) => return None,
        };
        // Places are in files that this plan does not have.
        Some(HookPlan { target, call, span: Span::default(), ..hook.clone() })
    }

    fn component(&self, digest: Digest) -> Option<ComponentId> {
        self.components.iter().find(|(_, component)| component.digest == digest).map(|(id, _)| id)
    }

    /// The function of this plan that is one of another plan.
    fn same_function(&self, function: FunctionId, from: &Self) -> Option<FunctionId> {
        let wanted = from.functions.get(function)?;
        let component = self.component(from.components.get(wanted.component)?.digest)?;
        let same = self.functions.iter().find(|(_, known)| {
            known.component == component && known.interface == wanted.interface && known.wit_name == wanted.wit_name
        });
        same.map(|(id, _)| id)
    }

    fn add_function(&mut self, function: FunctionId, from: &Self) -> Option<FunctionId> {
        if let Some(known) = self.same_function(function, from) {
            return Some(known);
        }
        let mut added = from.functions.get(function)?.clone();
        let component = from.components.get(added.component)?;
        added.component = match self.component(component.digest) {
            Some(known) => known,
            None => self.components.push(component.clone()),
        };
        Some(self.functions.push(added))
    }
}
