//! Who answers for the roles of a plan: agents of the configuration, kept with the run's program.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use bus::Agent;
use bus::nats::{HookRule, Served};
use catalog::{Component, Digest, Function, Name, Type};
use engine::permit::Permit;
use engine::ports::{Callee, GrantedCapability};
use lang::plan::{Plan, RoleRef};

use crate::config::{Config, RoleConfig};
use crate::exit::{Exit, Problem};
use crate::world::load_component;

/// The agents of a plan's roles, and the components that they need.
#[derive(Default)]
pub(crate) struct RoleAgents {
    pub(crate) agents: BTreeMap<Name, Agent>,
    pub(crate) bytes: BTreeMap<Digest, Arc<[u8]>>,
    /// As they are stored with the run.
    pub(crate) stored: Vec<StoredRole>,
    /// What the operator puts around the run, handled by whoever listens.
    pub(crate) hooks: Vec<HookRule>,
}

/// An agent as it is kept with the program of a run.
#[derive(Clone, Debug)]
pub(crate) struct StoredRole {
    pub(crate) role: String,
    pub(crate) digest: Digest,
    /// `function` or `interface.function`.
    pub(crate) function: String,
    pub(crate) allow: Vec<String>,
}

impl RoleAgents {
    /// Finds the agents that the configuration names for the roles of a plan. A role without one is left out: asking it
    /// fails while the flow runs, where the flow can take the failure.
    pub(crate) fn configured(config: &Config, plan: &Plan) -> Result<Self, Problem> {
        let mut found = Self::default();
        found.add_configured(config, plan)?;
        Ok(found)
    }

    /// The agents that a run was started with, and for roles that had none those of the configuration.
    pub(crate) fn resumed(
        config: &Config,
        plan: &Plan,
        stored: Vec<StoredRole>,
        bytes_of: impl Fn(Digest) -> Result<Vec<u8>, Problem>,
    ) -> Result<Self, Problem> {
        let mut found = Self::default();
        for stored in stored {
            let Some(role) = plan.roles.values().find(|role| *role.name == *stored.role) else { continue };
            let bytes: Arc<[u8]> = bytes_of(stored.digest)?.into();
            let component = catalog::decode(&bytes).map_err(|error| problem(&stored.role, &error.to_string()))?;
            found.add(role, &component, bytes, stored)?;
        }
        found.add_configured(config, plan)?;
        Ok(found)
    }

    fn add_configured(&mut self, config: &Config, plan: &Plan) -> Result<(), Problem> {
        for role in plan.roles.values() {
            if self.agents.contains_key(&role.name) {
                continue;
            }
            let Some(RoleConfig { component: path, function, allow }) = config.roles.get(&*role.name) else { continue };
            let path = config.folder.join(path);
            let (component, bytes) = load(&role.name, &path)?;
            let (function, allow) = (function.clone(), allow.clone());
            let stored = StoredRole { role: role.name.to_string(), digest: component.digest, function, allow };
            self.add(role, &component, bytes, stored)?;
        }
        Ok(())
    }

    fn add(&mut self, role: &RoleRef, component: &Component, bytes: Arc<[u8]>, stored: StoredRole) -> Result<(), Problem> {
        let grants = stored.allow.iter().map(|text| grant(&role.name, text)).collect::<Result<_, _>>()?;
        let function = Arc::new(callee(role, component, &stored.function)?);
        self.agents.insert(role.name.clone(), Agent { function, grants });
        self.bytes.insert(component.digest, bytes);
        self.stored.push(stored);
        Ok(())
    }
}

fn load(role: &str, path: &Path) -> Result<(Arc<Component>, Arc<[u8]>), Problem> {
    load_component(path).map_err(|error| {
        let at = format!("it was looked for at `{}`; its path is relative to the configuration file", path.display());
        problem(role, &error.message).help(at)
    })
}

fn problem(role: &str, what: &str) -> Problem {
    Problem::new(Exit::Plugin, format!("the agent of the role `{role}` cannot be used: {what}"))
}

/// The function that answers, if its types are those of the role.
fn callee(role: &RoleRef, component: &Component, name: &str) -> Result<Callee, Problem> {
    let callee = function(&role.name, component, name)?;
    let types = |params: &[(Name, Type)]| params.iter().map(|(_, ty)| ty.clone()).collect::<Vec<_>>();
    let gives = callee.result == role.result || unwrapped(&callee.result) == role.result;
    if types(&callee.params) != types(&role.params) || !gives {
        let wanted = catalog::Signature { params: role.params.clone(), result: role.result.clone() };
        let found = catalog::Signature { params: callee.params, result: callee.result };
        let what = format!("`{name}` is `{found}`, the role is `{wanted}`");
        return Err(problem(&role.name, &what).help("parameters and result must have the same types in the same order"));
    }
    Ok(callee)
}

/// The function of a component that answers for a role.
fn function(role: &str, component: &Component, name: &str) -> Result<Callee, Problem> {
    let written = name.replace('-', "_");
    let (interface, short) = match written.rsplit_once('.') {
        Some((interface, short)) => (Some(interface), short),
        None => (None, written.as_str()),
    };
    let found: Vec<&Function> = component.find(interface, short).collect();
    let function = match found.as_slice() {
        [function] => *function,
        [] => {
            let known: Vec<String> = component.functions.iter().map(|function| format!("`{}`", function.name)).collect();
            return Err(
                problem(role, &format!("it exports no function `{name}`")).help(format!("it exports {}", known.join(", ")))
            );
        }
        _ => {
            let what = format!("`{name}` can mean more than one function");
            return Err(problem(role, &what).help("write `function = \"interface.function\"`"));
        }
    };
    let signature = function.signature.as_ref().map_err(|refusal| problem(role, &refusal.0))?;
    Ok(Callee {
        component: component.digest,
        interface: function.interface.clone(),
        wit_name: function.wit_name.clone(),
        params: signature.params.clone(),
        result: signature.result.clone(),
    })
}

/// An agent for whoever asks from outside.
pub(crate) struct Offer {
    pub(crate) served: Served,
    /// Of its component.
    pub(crate) bytes: Arc<[u8]>,
}

/// All agents of the configuration.
pub(crate) fn offered(config: &Config) -> Result<Vec<Offer>, Problem> {
    let offer = |(role, agent): (&String, &RoleConfig)| {
        let (component, bytes) = load(role, &config.folder.join(&agent.component))?;
        let grants = agent.allow.iter().map(|text| grant(role, text)).collect::<Result<_, _>>()?;
        let function = Arc::new(function(role, &component, &agent.function)?);
        Ok(Offer { served: Served { role: role.as_str().into(), agent: Agent { function, grants } }, bytes })
    };
    config.roles.iter().map(offer).collect()
}

/// What a call gives: a top-level result is unwrapped.
fn unwrapped(result: &Type) -> Type {
    match result {
        Type::Result(Some(ok), _) => (**ok).clone(),
        Type::Result(None, _) => Type::Unit,
        other => other.clone(),
    }
}

/// A capability of the configuration: what the operator writes there, the operator permits.
fn grant(role: &str, text: &str) -> Result<GrantedCapability, Problem> {
    let permit = Permit::from_str(text).map_err(|error| Problem::usage(format!("`allow` of the role `{role}`: {error}")))?;
    let refused = |help: &str| {
        Err(Problem::usage(format!("`allow` of the role `{role}`: `{text}` cannot be granted to an agent")).help(help))
    };
    match permit {
        Permit::Http(name) | Permit::Env(name) if &*name == "*" => refused("name each host and each variable"),
        Permit::Http(host) => Ok(GrantedCapability::Http(host)),
        Permit::Env(name) => Ok(GrantedCapability::Env(name)),
        Permit::Clock => Ok(GrantedCapability::Clock),
        Permit::Random => Ok(GrantedCapability::Random),
        Permit::Mail(..) => refused("what an agent sends and asks would be of no run"),
        Permit::Folder(..) => refused("a role has no `dir` parameter through which a folder could be named"),
    }
}
