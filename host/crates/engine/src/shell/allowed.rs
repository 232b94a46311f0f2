//! What a plan may do that a run has made: no more than its step allows. It is decided before anything of it runs.

use std::sync::Arc;

use catalog::{FailureKind, Name, Type, Value};
use lang::plan::{CallPlan, Grant, NodeKind, ParamPlan, Plan, Target, WaitPlan};

use crate::event::Failure;
use crate::permit::{self, Permit};
use crate::ports::GrantedCapability;

/// Whether all that a plan does is within what its step is granted. The first hooks are those of the caller.
///
/// # Errors
/// A failure of kind `permission` that says what is not.
pub(super) fn check(plan: &Plan, adopted: usize, granted: &[GrantedCapability]) -> Result<(), Failure> {
    for node in plan.nodes.values() {
        match &node.kind {
            NodeKind::Call(call) => check_call(call, granted)?,
            NodeKind::Emit { .. } => {
                return Err(refused("the plan emits messages, which a plan made at run time may not do".into()));
            }
            NodeKind::Wait(WaitPlan::Message { .. }) => {
                return Err(refused("the plan waits for messages, which a plan made at run time may not do".into()));
            }
            _ => {}
        }
    }
    plan.hooks.iter().skip(adopted).try_for_each(|hook| check_call(&hook.call, granted))
}

fn check_call(call: &CallPlan, granted: &[GrantedCapability]) -> Result<(), Failure> {
    if matches!(call.target, Target::Role(_)) {
        let message = format!("the plan asks the role `{}`, which a plan made at run time may not do", call.name);
        return Err(refused(message));
    }
    if let Some(mail) = call.grants.iter().find(|grant| matches!(grant, Grant::Mail(..))) {
        let message = format!("the plan grants `{}` to `{}`, which a plan made at run time may not do", show(mail), call.name);
        return Err(refused(message));
    }
    let wider = call.grants.iter().find(|grant| !covered(grant, granted));
    match wider {
        None => Ok(()),
        Some(grant) => Err(wider_grant(&show(grant), &call.name, granted)),
    }
}

/// Whether a grant is within what the step is granted. Folders are looked at where they come in, as input.
fn covered(grant: &Grant, granted: &[GrantedCapability]) -> bool {
    let wanted = match grant {
        Grant::Folder(..) => return true,
        Grant::Http(host) => GrantedCapability::Http(Arc::clone(host)),
        Grant::Env(name) => GrantedCapability::Env(Arc::clone(name)),
        Grant::Clock => GrantedCapability::Clock,
        Grant::Random => GrantedCapability::Random,
        // Messages and answers would be those of another run.
        Grant::Mail(..) => return false,
    };
    permit::covers_grant(granted, &wanted)
}

fn show(grant: &Grant) -> String {
    match grant {
        Grant::Folder(..) => "a folder".to_owned(),
        Grant::Http(host) => format!("http \"{host}\""),
        Grant::Env(name) => format!("env \"{name}\""),
        Grant::Clock => "clock".to_owned(),
        Grant::Random => "random".to_owned(),
        Grant::Mail(of, subject) => of.written(subject),
    }
}

fn wider_grant(wanted: &str, whom: &str, granted: &[GrantedCapability]) -> Failure {
    let allowed: Vec<String> = granted.iter().map(|grant| Permit::of(grant).to_string()).collect();
    let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    refused(format!("the plan grants `{wanted}` to `{whom}`, and the step that runs it is allowed {allowed}"))
}

fn refused(message: String) -> Failure {
    Failure { kind: FailureKind::Permission, message, details: None, retry_after: None }
}

/// The input of a plan's flow, out of what is given by name.
///
/// # Errors
/// `invalid-input` where names or types do not fit, `permission` where a folder is not the step's.
pub(super) fn input(
    plan: &Plan,
    given: &[(&Name, &Value)],
    granted: &[GrantedCapability],
) -> Result<Vec<(String, Value)>, Failure> {
    let Some(flow) = plan.flows.get(plan.entry) else { return Err(invalid("the plan has no flow to start".into())) };
    let unknown = given.iter().find(|(name, _)| flow.params.iter().all(|param| param.name != **name));
    if let Some((name, _)) = unknown {
        let known: Vec<String> = flow.params.iter().map(|param| format!("`{}: {}`", param.name, param.ty)).collect();
        let known = if known.is_empty() { "no parameters".to_owned() } else { known.join(", ") };
        return Err(invalid(format!("the plan's flow `{}` has no parameter `{name}`; it has {known}", flow.name)));
    }
    let one = |param: &ParamPlan| {
        let value = match (given.iter().find(|(name, _)| **name == param.name), &param.default) {
            (Some((_, value)), _) => argument(param, value, granted)?,
            (None, Some(default)) => lang::eval::eval(default, &[]).map_err(|error| invalid(error.message))?,
            (None, None) => {
                let message =
                    format!("the plan's flow `{}` takes `{}: {}`, which it is not given", flow.name, param.name, param.ty);
                return Err(invalid(message));
            }
        };
        Ok((param.name.to_string(), value))
    };
    flow.params.iter().map(one).collect()
}

/// A value for a parameter: its JSON form read as the parameter's type.
fn argument(param: &ParamPlan, value: &Value, granted: &[GrantedCapability]) -> Result<Value, Failure> {
    if let (Type::Dir, Value::Dir(path)) = (&param.ty, value) {
        let fits = |grant: &GrantedCapability| match grant {
            GrantedCapability::Folder { host_path, access } => {
                host_path == path && param.access.is_none_or(|asked| asked <= *access)
            }
            _ => false,
        };
        // A folder below it would do by its name, and may be a link to anywhere.
        if granted.iter().any(fits) {
            return Ok(value.clone());
        }
        let message = format!(
            "the plan takes the folder `{path}` as `{}`, and the step that runs it does not allow so much there",
            param.name
        );
        return Err(refused(message));
    }
    let fits_not = |error: String| invalid(format!("the parameter `{}: {}` of the plan's flow: {error}", param.name, param.ty));
    match (&param.ty, value) {
        (Type::Dir, _) => Err(fits_not("a folder is only given as a parameter of type `dir`".to_owned())),
        (_, Value::Dir(_)) => Err(fits_not("it is given a folder".to_owned())),
        (ty, value) => {
            let mut text = String::new();
            catalog::json::write_json(value, &mut text);
            catalog::json::parse(&text, ty).map_err(|error| fits_not(error.to_string()))
        }
    }
}

fn invalid(message: String) -> Failure {
    Failure { kind: FailureKind::InvalidInput, message, details: None, retry_after: None }
}
