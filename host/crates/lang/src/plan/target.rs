//! What a step calls: a component's function, whoever has a role, or a plan that is made while the run goes on.

use catalog::{Name, Type};

use super::{FunctionId, Plan, PlanId, RoleId};

/// A role that the plan asks: whoever answers for it has these types.
#[derive(Clone, Debug, PartialEq)]
pub struct RoleRef {
    /// Its name, by which an agent is found.
    pub name: Name,
    /// Names with types.
    pub params: Vec<(Name, Type)>,
    /// What an agent returns.
    pub result: Type,
    /// What the step gives: `result` with a top-level `result<t, e>` unwrapped to `t`.
    pub output: Type,
}

/// A plan that a step compiles and runs: the text of a flow file, with values for the parameters of its entry flow.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanRef {
    /// The text, then what is given to the flow: names with types.
    pub params: Vec<(Name, Type)>,
    /// The path of the file that the step stands in, as [`Plan::files`] has it. Not in the digest.
    pub from: String,
}

/// The name of the first parameter of each [`PlanRef`]; no parameter of a flow can be called like this.
pub const PLAN_SOURCE: &str = "run plan";

/// What a step calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A component's function.
    Function(FunctionId),
    /// Whoever has this role.
    Role(RoleId),
    /// A plan that is made while the run goes on.
    Plan(PlanId),
}

impl Plan {
    /// What a step that calls this gives.
    #[must_use]
    pub fn output_of(&self, target: Target) -> Option<&Type> {
        match target {
            Target::Function(function) => self.functions.get(function).map(|function| &function.output),
            Target::Role(role) => self.roles.get(role).map(|role| &role.output),
            Target::Plan(plan) => self.plans.is_valid(plan).then_some(&Type::Json),
        }
    }

    /// The parameters of a target.
    #[must_use]
    pub fn params_of(&self, target: Target) -> &[(Name, Type)] {
        match target {
            Target::Function(function) => self.functions.get(function).map_or(&[], |function| &function.params),
            Target::Role(role) => self.roles.get(role).map_or(&[], |role| &role.params),
            Target::Plan(plan) => self.plans.get(plan).map_or(&[], |plan| &plan.params),
        }
    }

    /// What a target is called: the function as its WIT says, the role, or `run plan`.
    #[must_use]
    pub fn name_of(&self, target: Target) -> &str {
        match target {
            Target::Function(function) => self.functions.get(function).map_or("", |function| &function.wit_name),
            Target::Role(role) => self.roles.get(role).map_or("", |role| &role.name),
            Target::Plan(_) => PLAN_SOURCE,
        }
    }
}
