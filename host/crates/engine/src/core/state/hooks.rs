//! Hooks: handlers that are asked before events and told after them.
//!
//! Each call of a handler is a step of its own, journaled, limited and tried again like others, so what a handler said is known
//! after a crash as well. An event waits for the handlers before it, one after the other; the run only ends when those after its
//! events have been told.

use std::sync::Arc;

use catalog::{FailureKind, RecordType, Type, Value};
use lang::plan::{
    HookEvent, HookInput, HookPhase, HookPlan, HookTarget, HookVerdict, NodeId, Plan, TRIAL, Target, topics_within,
};

use super::State;
use super::model::{Activity, ActivityId, Failed, Form, HookForm, InstanceId, Status, Subject, Task};
use super::region::RegionResult;
use crate::core::bugs::Bug;
use crate::core::values::{failure, failure_value, ok};
use crate::event::{Failure, Payload, RunOutcome, TaskId};

/// What a run's hooks have under way.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    /// The input, while handlers are asked whether the run may begin.
    input: Option<Vec<Value>>,
    /// The handlers before the run that have agreed, as a place in the plan's hooks.
    agreed: usize,
    /// Calls that no region waits for.
    loose: Vec<ActivityId>,
    /// How the run ends when all handlers have been told.
    ending: Option<RunOutcome>,
}

/// What a handler said.
enum Verdict {
    Allow,
    Veto(String),
    Rewrite(Arc<str>),
}

/// What there is to tell.
#[derive(Default)]
struct Told<'t> {
    path: Option<&'t str>,
    step: Option<&'t str>,
    args: Option<(Target, &'t [Value])>,
    number: u32,
    outcome: Option<&'t Value>,
    topic: Option<&'t str>,
    message: Option<&'t str>,
    input: Option<&'t [Value]>,
}

impl State {
    // Before.

    /// Asks whether the run may begin with this input, then opens the entry flow.
    pub(super) fn begin_run(&mut self, input: Vec<Value>) {
        let plan = self.plan();
        let flow = plan.flows.get(plan.entry).map_or("", |flow| &flow.name);
        let Some(hook) = next(&plan, HookPhase::Before, HookEvent::Run, self.hooks.agreed, |target| of_run(target, flow)) else {
            self.open_root(input);
            return;
        };
        self.hooks.agreed = hook + 1;
        let told = Told { input: Some(&input), ..Told::default() };
        let args = self.arguments(&plan, hook, &told);
        self.hooks.input = Some(input);
        self.call_hook(None, hook, Subject::Run, format!("{flow}.before[{hook}]").into(), args);
    }

    /// Whether all handlers have agreed to the next attempt of a step; else the next one is asked.
    pub(super) fn ask_before(&mut self, id: TaskId) -> bool {
        let plan = self.plan();
        if plan.hooks.is_empty() {
            return true;
        }
        let bugs = self.bugs.0;
        let Some(task) = self.tasks.get_mut(&id).filter(|task| !task.is_hook) else { return true };
        if task.asked.number != task.number {
            task.asked.number = task.number;
            task.asked.attempt = 0;
        }
        let (called, name) = (task.target, Arc::clone(&task.name));
        let asked = &mut task.asked;
        let fits = |target: &HookTarget| of_step(&plan, target, called, &name);
        let hook = if let Some(hook) = next(&plan, HookPhase::Before, HookEvent::Step, asked.step, fits) {
            asked.step = hook + 1;
            hook
        } else if let Some(hook) = next(&plan, HookPhase::Before, HookEvent::Attempt, asked.attempt, fits) {
            asked.attempt = hook + 1;
            hook
        } else {
            return true;
        };
        if hook > 0 && bugs.has(Bug::HandlerSkipped) {
            return true;
        }
        task.status = Status::Asking;
        let (activity, number, of_attempt) = (task.activity, task.number, plan.hooks.get(hook).map(|hook| hook.event));
        let told =
            Told { path: Some(&task.path), step: Some(&task.name), args: Some((called, &task.args)), number, ..Told::default() };
        let path = match of_attempt {
            Some(HookEvent::Attempt) => format!("{}.before[{hook}.{number}]", task.path),
            _ => format!("{}.before[{hook}]", task.path),
        };
        let args = arguments(&plan, &self.id.0, hook, &told);
        let place = self.activities.get(activity).and_then(|activity| activity.place);
        self.call_hook(place, hook, Subject::Step(id), path.into(), args);
        false
    }

    /// Whether some handler is still to be asked about a message.
    pub(super) fn is_to_be_asked(&self, id: TaskId) -> bool {
        let Some(emit) = self.emits.get(&id) else { return false };
        let fits = |target: &HookTarget| of_message(target, &emit.message.topic);
        next(&self.program.0, HookPhase::Before, HookEvent::Message, emit.asked, fits).is_some()
    }

    /// Whether all handlers have agreed to a message; else the next one is asked.
    pub(super) fn ask_to_send(&mut self, id: TaskId) -> bool {
        let plan = self.plan();
        let Some(emit) = self.emits.get_mut(&id) else { return false };
        let topic = Arc::clone(&emit.message.topic);
        let fits = |target: &HookTarget| of_message(target, &topic);
        let Some(hook) = next(&plan, HookPhase::Before, HookEvent::Message, emit.asked, fits) else { return true };
        emit.asked = hook + 1;
        let told = Told { path: Some(&emit.path), topic: Some(&topic), message: Some(&emit.message.payload), ..Told::default() };
        let args = arguments(&plan, &self.id.0, hook, &told);
        let (activity, path) = (emit.activity, format!("{}.before[{hook}]", emit.path));
        let place = self.activities.get(activity).and_then(|activity| activity.place);
        self.call_hook(place, hook, Subject::Message(id), path.into(), args);
        false
    }

    // After.

    /// Tells how an attempt of a step ended, and when that was its last, how the step did.
    pub(super) fn tell_step(&mut self, id: TaskId, result: Result<&Value, &Failure>, last: bool) {
        let plan = self.plan();
        let Some(task) = self.tasks.get(&id).filter(|task| !task.is_hook && !plan.hooks.is_empty()) else { return };
        let (called, path, name, number) = (task.target, Arc::clone(&task.path), Arc::clone(&task.name), task.number);
        let args = task.args.clone();
        let outcome = outcome(result);
        let told = Told {
            path: Some(&path),
            step: Some(&name),
            args: Some((called, &args)),
            number,
            outcome: Some(&outcome),
            ..Told::default()
        };
        let fits = |target: &HookTarget| of_step(&plan, target, called, &name);
        self.tell(&plan, HookEvent::Attempt, fits, &told, |hook| format!("{path}.after[{hook}.{number}]"));
        if last {
            self.tell(&plan, HookEvent::Step, fits, &told, |hook| format!("{path}.after[{hook}]"));
        }
    }

    /// Tells that the bus has a message.
    pub(super) fn tell_sent(&mut self, path: &str, topic: &str, message: &str) {
        let plan = self.plan();
        let told = Told { path: Some(path), topic: Some(topic), message: Some(message), ..Told::default() };
        let fits = |target: &HookTarget| of_message(target, topic);
        self.tell(&plan, HookEvent::Message, fits, &told, |hook| format!("{path}.after[{hook}]"));
    }

    /// The run has ended, as soon as all handlers have been told.
    pub(super) fn end(&mut self, outcome: RunOutcome) {
        if self.outcome.is_some() || self.hooks.ending.is_some() {
            return;
        }
        self.root = None;
        let plan = self.plan();
        let flow = plan.flows.get(plan.entry).map_or("", |flow| &flow.name);
        if !plan.hooks.is_empty() {
            let result = outcome_of_run(&outcome);
            let told = Told { outcome: Some(&result), ..Told::default() };
            self.tell(&plan, HookEvent::Run, |target| of_run(target, flow), &told, |hook| format!("{flow}.after[{hook}]"));
        }
        self.hooks.ending = Some(outcome);
        self.end_when_told();
    }

    /// Whether the run is at its end but for handlers that are being told.
    pub(super) const fn is_ending(&self) -> bool {
        self.hooks.ending.is_some()
    }

    /// Whether handlers are asked whether the run may begin.
    pub(super) const fn is_asking(&self) -> bool {
        self.hooks.input.is_some()
    }

    /// Whether handlers are asked whether the run may begin; then nothing is wanted of them any more.
    pub(super) fn stop_asking(&mut self) -> bool {
        if self.hooks.input.take().is_none() {
            return false;
        }
        for id in std::mem::take(&mut self.hooks.loose) {
            self.stop_loose(id);
        }
        true
    }

    fn end_when_told(&mut self) {
        if self.hooks.loose.is_empty()
            && let Some(outcome) = self.hooks.ending.take()
        {
            self.outcome = Some(outcome.clone());
            self.commands.push(super::Command::End(outcome));
        }
    }

    fn tell(
        &mut self,
        plan: &Plan,
        event: HookEvent,
        fits: impl Fn(&HookTarget) -> bool,
        told: &Told<'_>,
        path: impl Fn(usize) -> String,
    ) {
        let mut from = 0;
        while let Some(hook) = next(plan, HookPhase::After, event, from, &fits) {
            from = hook + 1;
            let args = self.arguments(plan, hook, told);
            self.call_hook(None, hook, Subject::Told, path(hook).into(), args);
        }
    }

    // The calls.

    fn arguments(&self, plan: &Plan, hook: usize, told: &Told<'_>) -> Vec<Value> {
        arguments(plan, &self.id.0, hook, told)
    }

    /// Calls a handler. Where a region waits for the event, the call is in it.
    fn call_hook(
        &mut self,
        place: Option<(InstanceId, NodeId)>,
        hook: usize,
        subject: Subject,
        path: Arc<str>,
        args: Vec<Value>,
    ) {
        let plan = self.plan();
        let Some(call) = plan.hooks.get(hook).map(|hook| &hook.call) else { return };
        let id = TaskId(self.next_task);
        let form = Form::Hook(Box::new(HookForm { task: id, hook, subject }));
        let activity = match place {
            Some((instance, node)) => self.add_activity(instance, node, form),
            None => Some(self.activities.insert(Activity::loose(form))),
        };
        let Some(activity) = activity else { return };
        self.next_task += 1;
        if place.is_none() {
            self.hooks.loose.push(activity);
        }
        match self.task_of(call, &[], args, (activity, path.clone())) {
            Ok(task) => {
                // What a handler does is for the one who registered it to make repeatable.
                self.tasks.insert(id, Task { is_hook: true, repeatable: true, ..task });
                self.start(id);
            }
            Err(failure) => self.fail(activity, Box::new(Failed { failure, path })),
        }
    }

    /// A call of a handler has ended.
    pub(super) fn hook_done(&mut self, id: ActivityId, form: &HookForm, result: RegionResult) {
        self.hooks.loose.retain(|loose| *loose != id);
        let plan = self.plan();
        let Some(hook) = plan.hooks.get(form.hook) else { return };
        match form.subject {
            Subject::Told => self.end_when_told(),
            Subject::Run => self.run_answered(hook, verdict(hook, result)),
            Subject::Step(task) => self.step_answered(task, hook, verdict(hook, result)),
            Subject::Message(task) => self.message_answered(task, hook, verdict(hook, result)),
        }
    }

    fn run_answered(&mut self, hook: &HookPlan, verdict: Verdict) {
        let Some(input) = self.hooks.input.take() else { return };
        let plan = self.plan();
        let Some(flow) = plan.flows.get(plan.entry) else { return };
        let input = match verdict {
            Verdict::Allow => Ok(input),
            Verdict::Veto(reason) => Err(reason),
            Verdict::Rewrite(text) => {
                rewritten(&text, flow.params.iter().map(|param| (Arc::clone(&param.name), param.ty.clone())).collect())
            }
        };
        match input {
            Ok(input) => self.begin_run(input),
            Err(reason) => {
                let failure = refused(hook, &reason);
                self.end(RunOutcome::Failed { failure, path: Arc::clone(&flow.name) });
            }
        }
    }

    fn step_answered(&mut self, id: TaskId, hook: &HookPlan, verdict: Verdict) {
        let plan = self.plan();
        let Some(task) = self.tasks.get_mut(&id).filter(|task| task.status == Status::Asking) else { return };
        let (activity, path) = (task.activity, Arc::clone(&task.path));
        let args = match verdict {
            Verdict::Allow => Ok(None),
            Verdict::Veto(reason) => Err(reason),
            Verdict::Rewrite(text) => rewritten(&text, plan.params_of(task.target).to_vec()).map(Some),
        };
        match args {
            Ok(args) => {
                if let Some(args) = args {
                    task.args = args;
                }
                task.status = Status::Ready;
                self.start(id);
            }
            Err(reason) => {
                let failure = refused(hook, &reason);
                self.tell_step(id, Err(&failure), true);
                self.forget_task(id);
                self.fail(activity, Box::new(Failed { failure, path }));
            }
        }
    }

    fn message_answered(&mut self, id: TaskId, hook: &HookPlan, verdict: Verdict) {
        let Some(emit) = self.emits.get_mut(&id) else { return };
        let (activity, path, of) = (emit.activity, Arc::clone(&emit.path), emit.of);
        let reason = match verdict {
            Verdict::Allow => None,
            Verdict::Veto(reason) => Some(reason),
            Verdict::Rewrite(text) => match catalog::json::parse_document(&text) {
                Ok(document) => {
                    emit.message.payload = document.to_string().into();
                    None
                }
                Err(error) => Some(format!("what it makes of the message is no JSON: {error}")),
            },
        };
        match reason {
            None => self.send_when_agreed(id),
            Some(reason) => match of {
                Some(step) => self.refuse_with_others(step, refused(hook, &reason)),
                None => {
                    self.emits.remove(&id);
                    self.fail(activity, Box::new(Failed { failure: refused(hook, &reason), path }));
                }
            },
        }
    }
}

/// The next hook from `from` on that is called around the event.
fn next(plan: &Plan, phase: HookPhase, event: HookEvent, from: usize, fits: impl Fn(&HookTarget) -> bool) -> Option<usize> {
    let hooks = plan.hooks.iter().enumerate().skip(from);
    let mut fitting = hooks.filter(|(_, hook)| hook.phase == phase && hook.event == event && fits(&hook.target));
    fitting.next().map(|(index, _)| index)
}

fn of_step(plan: &Plan, target: &HookTarget, called: Target, name: &str) -> bool {
    match target {
        // What a test asks of itself is no step of the flow.
        _ if is_of_test(plan, called) => false,
        HookTarget::All => true,
        HookTarget::Component(component) => match called {
            Target::Function(function) => plan.functions.get(function).is_some_and(|of| of.component == *component),
            Target::Role(_) | Target::Plan(_) => false,
        },
        HookTarget::Function(wanted) => called == Target::Function(*wanted),
        HookTarget::Step(pattern) => topics_within(pattern, name),
        HookTarget::Topic(_) | HookTarget::Flow(_) => false,
    }
}

fn is_of_test(plan: &Plan, called: Target) -> bool {
    let Target::Function(function) = called else { return false };
    let component = plan.functions.get(function).and_then(|function| plan.components.get(function.component));
    component.is_some_and(|component| component.digest == TRIAL)
}

fn of_run(target: &HookTarget, flow: &str) -> bool {
    match target {
        HookTarget::All => true,
        HookTarget::Flow(wanted) => **wanted == *flow,
        _ => false,
    }
}

fn of_message(target: &HookTarget, topic: &str) -> bool {
    match target {
        HookTarget::All => true,
        HookTarget::Topic(pattern) => topics_within(pattern, topic),
        _ => false,
    }
}

/// What a handler is given, in the order of its parameters.
fn arguments(plan: &Plan, run: &str, hook: usize, told: &Told<'_>) -> Vec<Value> {
    let Some(hook) = plan.hooks.get(hook) else { return Vec::new() };
    let flow = plan.flows.get(plan.entry);
    let text = |text: Option<&str>| Value::string(text.unwrap_or_default());
    let one = |input: &HookInput| match input {
        HookInput::Run => Value::string(run),
        HookInput::Flow => text(flow.map(|flow| &*flow.name)),
        HookInput::Input => {
            let names = flow.iter().flat_map(|flow| flow.params.iter().map(|param| Arc::clone(&param.name)));
            object(names, told.input.unwrap_or_default())
        }
        HookInput::Path => text(told.path),
        HookInput::Step => text(told.step),
        HookInput::Args => {
            let (params, args) = told.args.map_or((&[][..], &[][..]), |(called, args)| (plan.params_of(called), args));
            let names = params.iter().map(|(name, _)| Arc::clone(name));
            object(names, args)
        }
        HookInput::Key => Value::string(format!("{run}/{}", told.path.unwrap_or_default())),
        HookInput::Number => Value::U32(told.number),
        HookInput::Outcome => told.outcome.map_or_else(|| Value::string(""), document),
        HookInput::Topic => text(told.topic),
        HookInput::Message => text(told.message),
    };
    hook.inputs.iter().map(one).collect()
}

/// A JSON object as a text.
fn object(names: impl Iterator<Item = Arc<str>>, values: &[Value]) -> Value {
    document(&Value::record(names.zip(values.iter().cloned())))
}

fn document(value: &Value) -> Value {
    let mut text = String::new();
    catalog::json::write_json(value, &mut text);
    Value::string(text)
}

fn outcome(result: Result<&Value, &Failure>) -> Value {
    match result {
        Ok(value) => ok(value.clone()),
        Err(failure) => Value::Result(Err(Some(Arc::new(failure_value(failure))))),
    }
}

fn outcome_of_run(outcome: &RunOutcome) -> Value {
    match outcome {
        RunOutcome::Succeeded(Payload::Value(value)) => ok(value.clone()),
        RunOutcome::Succeeded(Payload::Text(_)) => ok(Value::Unit),
        RunOutcome::Failed { failure, .. } => self::outcome(Err(failure)),
        RunOutcome::Cancelled => self::outcome(Err(&failure(FailureKind::Error, "the run was cancelled"))),
    }
}

/// What a handler's result means; one that fails refuses, unless it is told otherwise.
fn verdict(hook: &HookPlan, result: RegionResult) -> Verdict {
    let value = match result {
        Ok(value) => value,
        Err(_) if hook.verdict == HookVerdict::Lenient => return Verdict::Allow,
        Err(failed) => return Verdict::Veto(failed.failure.message),
    };
    match (hook.verdict, value) {
        (HookVerdict::Nothing, _) | (HookVerdict::Bool, Value::Bool(true)) => Verdict::Allow,
        (HookVerdict::Bool, _) => Verdict::Veto("it said no".to_owned()),
        (HookVerdict::Cases | HookVerdict::Lenient, Value::Enum(case)) if &*case == "allow" => Verdict::Allow,
        (HookVerdict::Cases | HookVerdict::Lenient, Value::Variant(case, payload)) => match (&*case, payload.as_deref()) {
            ("allow", _) => Verdict::Allow,
            ("rewrite", Some(Value::String(text))) => Verdict::Rewrite(Arc::clone(text)),
            (_, Some(Value::String(reason))) => Verdict::Veto(reason.to_string()),
            _ => Verdict::Veto("it said no".to_owned()),
        },
        (HookVerdict::Cases | HookVerdict::Lenient, _) => Verdict::Veto("it said no".to_owned()),
    }
}

/// Values for these parameters out of an object.
fn rewritten(text: &str, params: Vec<(Arc<str>, Type)>) -> Result<Vec<Value>, String> {
    let names: Vec<Arc<str>> = params.iter().map(|(name, _)| Arc::clone(name)).collect();
    let ty = Type::Record(Arc::new(RecordType { name: None, fields: params }));
    let value =
        catalog::json::parse(text, &ty).map_err(|error| format!("what it makes of the arguments does not fit: {error}"))?;
    Ok(names.iter().filter_map(|name| value.field(name).cloned()).collect())
}

fn refused(hook: &HookPlan, reason: &str) -> Failure {
    failure(FailureKind::Permission, format!("`{}` refused it: {reason}", hook.call.name))
}
