//! What a step calls: a component's function, or whoever has a role.

use catalog::{Name, Type};

use super::{FunctionId, Plan, RoleId};

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

/// What a step calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// A component's function.
    Function(FunctionId),
    /// Whoever has this role.
    Role(RoleId),
}

impl Plan {
    /// What a step that calls this gives.
    #[must_use]
    pub fn output_of(&self, target: Target) -> Option<&Type> {
        match target {
            Target::Function(function) => self.functions.get(function).map(|function| &function.output),
            Target::Role(role) => self.roles.get(role).map(|role| &role.output),
        }
    }

    /// The parameters of a target.
    #[must_use]
    pub fn params_of(&self, target: Target) -> &[(Name, Type)] {
        match target {
            Target::Function(function) => self.functions.get(function).map_or(&[], |function| &function.params),
            Target::Role(role) => self.roles.get(role).map_or(&[], |role| &role.params),
        }
    }

    /// What a target is called: the function as its WIT says, or the role.
    #[must_use]
    pub fn name_of(&self, target: Target) -> &str {
        match target {
            Target::Function(function) => self.functions.get(function).map_or("", |function| &function.wit_name),
            Target::Role(role) => self.roles.get(role).map_or("", |role| &role.name),
        }
    }
}
