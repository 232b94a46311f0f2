//! `hook` items: around what, and whether the handler takes what there is to tell and gives what decides.

use catalog::{Name, Type, VariantType};
use grammar::ast::{Expr, Hook, HookTarget, Item};
use grammar::{Ident, Span};

use super::Checker;
use super::flow::FlowChecker;
use super::names::Target;
use super::owner::Owner;
use crate::diagnostics::hooks as say;
use crate::ir;
use crate::plan::{self, HookEvent, HookInput, HookPhase, HookVerdict};
use crate::sessions::{self, SessionEvent, is_of_session, path_of};

/// What a hook calls.
struct Handler {
    called: plan::Target,
    /// As written.
    name: Name,
    params: Vec<(Name, Type)>,
    output: Type,
    /// The policy of the `use` that it goes through.
    through: ir::Policy,
}

impl<'a> Checker<'a> {
    /// Checks the hooks of all files and gives those of the root file: a library cannot hook into the runs of others.
    pub(super) fn check_hooks(&mut self) -> Vec<ir::Hook> {
        let loaded = self.loaded;
        let mut hooks = Vec::new();
        for (file, loaded) in loaded.files.iter().enumerate() {
            for item in &loaded.ast.items {
                if let Item::Hook(hook) = item
                    && !is_of_session(hook)
                    && let Some(checked) = self.check_hook(file, hook)
                    && file == 0
                {
                    hooks.push(checked);
                }
            }
        }
        hooks
    }

    fn check_hook(&mut self, file: usize, hook: &'a Hook) -> Option<ir::Hook> {
        let policy = FlowChecker::detached(self, file, |flow| flow.policy(hook.with.as_ref(), Owner::Hook));
        let when = self.when(hook);
        let handler = self.handler(file, &hook.handler);
        let (phase, event) = when?;
        let target = match &hook.target {
            None => Some(plan::HookTarget::All),
            Some(target) => self.hook_target(file, event, target, hook.event.span),
        };
        let handler = handler?;
        let inputs = self.hook_inputs(&handler, phase, event, hook.handler.span);
        let verdict = self.hook_verdict(&handler, phase, event, hook.handler.span);
        let (target, inputs, verdict) = (target?, inputs?, verdict?);
        let Handler { called, name, through, .. } = handler;
        Some(ir::Hook { phase, event, target, called, inputs, verdict, policy, through, name, span: hook.span })
    }

    /// What is called when a session is opened or closed, and gives nothing back: what its flow gives. None when something is wrong.
    pub(super) fn check_session_hook(&mut self, file: usize, hook: &'a Hook) -> Option<Type> {
        let before = self.errors;
        FlowChecker::detached(self, file, |flow| flow.policy(hook.with.as_ref(), Owner::Hook));
        let event = SessionEvent::of(&hook.event.name);
        if event.is_none() {
            let close = self.suggestions.closest(&hook.event.name, SESSION_EVENTS);
            self.report(say::unknown_event(&hook.event.name, close.as_deref(), &SESSION_EVENTS, hook.event.span));
        }
        if let Some(target) = &hook.target {
            self.report(say::session_target(target_span(target).unwrap_or(hook.event.span)));
        }
        let handler = self.handler(file, &hook.handler)?;
        if !matches!(handler.called, plan::Target::Function(_)) {
            self.report(say::session_role(&handler.name, hook.handler.span));
        }
        for (name, ty) in &handler.params {
            if !sessions::INPUTS.contains(&&**name) {
                let when = format!("at the {} of a session", event.map_or("start", SessionEvent::name));
                self.report(say::unknown_input(&handler.name, name, &when, &sessions::INPUTS, hook.handler.span));
            } else if *ty != Type::String {
                self.report(say::input_type(&handler.name, name, "string", &ty.to_string(), hook.handler.span));
            }
        }
        (self.errors == before).then(|| handler.output.clone())
    }

    fn when(&mut self, hook: &Hook) -> Option<(HookPhase, HookEvent)> {
        let phase = match &*hook.phase.name {
            "before" => HookPhase::Before,
            "after" => HookPhase::After,
            other => {
                self.report(say::unknown_phase(other, hook.phase.span));
                return None;
            }
        };
        let event = match &*hook.event.name {
            "run" => HookEvent::Run,
            "step" => HookEvent::Step,
            "attempt" => HookEvent::Attempt,
            "message" => HookEvent::Message,
            other => {
                let close = self.suggestions.closest(other, EVENTS);
                self.report(say::unknown_event(other, close.as_deref(), &EVENTS, hook.event.span));
                return None;
            }
        };
        Some((phase, event))
    }

    /// The function that `component.function` or `component.interface.function` names, or a role.
    fn handler(&mut self, file: usize, handler: &'a Expr) -> Option<Handler> {
        let path = path_of(handler);
        let (alias, interface, function) = match path.as_slice() {
            [role] => return self.role_handler(file, role, handler.span),
            [alias, function] => (*alias, None, *function),
            [alias, interface, function] => (*alias, Some(*interface), *function),
            _ => {
                self.report(say::not_a_handler(handler.span));
                return None;
            }
        };
        match self.lookup(file, &alias.name).map(|found| found.target) {
            Some(Target::Use(index)) => {
                let step = self.step(index, interface, function)?;
                Some(Handler {
                    called: plan::Target::Function(step.id),
                    name: step.name.clone(),
                    params: step.signature.params.clone(),
                    output: step.output.clone(),
                    through: self.uses.get(index).map(|item| item.policy.clone()).unwrap_or_default(),
                })
            }
            Some(Target::Broken) => None,
            Some(_) => {
                self.report(say::not_a_handler(handler.span));
                None
            }
            None => {
                self.unknown_alias(file, alias);
                None
            }
        }
    }

    /// Whoever has a role.
    fn role_handler(&mut self, file: usize, role: &Ident, at: Span) -> Option<Handler> {
        let index = match self.lookup(file, &role.name).map(|found| found.target) {
            Some(Target::Role(index)) => index,
            Some(Target::Broken) => return None,
            _ => {
                self.report(say::not_a_handler(at));
                return None;
            }
        };
        let (id, _) = self.role_id(index)?;
        let role = self.plan_roles.get(id)?;
        Some(Handler {
            called: plan::Target::Role(id),
            name: Name::clone(&role.name),
            params: role.params.clone(),
            output: role.output.clone(),
            through: ir::Policy::default(),
        })
    }

    fn hook_target(&mut self, file: usize, event: HookEvent, target: &HookTarget, at: Span) -> Option<plan::HookTarget> {
        let of_steps = matches!(event, HookEvent::Step | HookEvent::Attempt);
        match target {
            HookTarget::All => Some(plan::HookTarget::All),
            HookTarget::Component(alias) if of_steps => {
                let index = self.component_alias(file, alias)?;
                let component = self.uses.get(index)?.component?;
                self.component_ids.get(&component.component.digest).copied().map(plan::HookTarget::Component)
            }
            HookTarget::Function(alias, function) if of_steps => {
                let index = self.component_alias(file, alias)?;
                self.step(index, None, function).map(|step| plan::HookTarget::Function(step.id))
            }
            HookTarget::Topic(topic) if event == HookEvent::Message => {
                self.check_topic_pattern(topic);
                Some(plan::HookTarget::Topic(topic.value.as_ref().into()))
            }
            HookTarget::Name(name) if event == HookEvent::Run => {
                let found = self.lookup(file, &name.name).map(|found| found.target);
                if !matches!(found, Some(Target::Flow(_) | Target::Broken)) {
                    let known = self.files.get(file).map(|names| names.all(|target| matches!(target, Target::Flow(_))));
                    let close = self.suggestions.closest(&name.name, known.unwrap_or_default());
                    self.report(crate::diagnostics::triggers::unknown_flow(&name.name, close.as_deref(), name.span));
                    return None;
                }
                Some(plan::HookTarget::Flow(name.name.as_ref().into()))
            }
            other => {
                self.report(say::wrong_target(event_name(event), target_span(other).unwrap_or(at), at));
                None
            }
        }
    }

    fn component_alias(&mut self, file: usize, alias: &Ident) -> Option<usize> {
        match self.lookup(file, &alias.name).map(|found| found.target) {
            Some(Target::Use(index)) => Some(index),
            Some(Target::Broken) => None,
            _ => {
                self.unknown_alias(file, alias);
                None
            }
        }
    }

    /// What each parameter of the handler gets; parameters are told apart by their names.
    fn hook_inputs(&mut self, handler: &Handler, phase: HookPhase, event: HookEvent, at: Span) -> Option<Vec<HookInput>> {
        let known: Vec<&str> =
            HookInput::ALL.iter().filter(|(_, input)| input.is_told(phase, event)).map(|(name, _)| *name).collect();
        let mut inputs = Vec::new();
        for (name, ty) in &handler.params {
            let input = HookInput::ALL
                .iter()
                .find(|(known, input)| **known == **name && input.is_told(phase, event))
                .map(|(_, input)| *input);
            let wanted = if input == Some(HookInput::Number) { Type::U32 } else { Type::String };
            match input {
                Some(input) if *ty == wanted => inputs.push(input),
                Some(_) => self.report(say::input_type(&handler.name, name, &wanted.to_string(), &ty.to_string(), at)),
                None => {
                    let when = format!("{} {}", phase_name(phase), say::one(event_name(event)));
                    self.report(say::unknown_input(&handler.name, name, &when, &known, at));
                }
            }
        }
        (inputs.len() == handler.params.len()).then_some(inputs)
    }

    fn hook_verdict(&mut self, handler: &Handler, phase: HookPhase, event: HookEvent, at: Span) -> Option<HookVerdict> {
        if phase == HookPhase::After {
            return Some(HookVerdict::Nothing);
        }
        let fits = match &handler.output {
            Type::Unit => return Some(HookVerdict::Nothing),
            Type::Bool => return Some(HookVerdict::Bool),
            Type::Enum(cases) => cases.cases.iter().all(|case| matches!(&**case, "allow" | "veto")),
            Type::Variant(cases) => is_verdict(cases, event),
            _ => false,
        };
        if !fits {
            self.report(say::verdict(&handler.name, &handler.output.to_string(), event != HookEvent::Attempt, at));
            return None;
        }
        Some(HookVerdict::Cases)
    }
}

const EVENTS: [&str; 4] = ["run", "step", "attempt", "message"];

const SESSION_EVENTS: [&str; 2] = [SessionEvent::Start.name(), SessionEvent::End.name()];

const fn event_name(event: HookEvent) -> &'static str {
    match event {
        HookEvent::Run => "run",
        HookEvent::Step => "step",
        HookEvent::Attempt => "attempt",
        HookEvent::Message => "message",
    }
}

const fn phase_name(phase: HookPhase) -> &'static str {
    match phase {
        HookPhase::Before => "before",
        HookPhase::After => "after",
    }
}

/// Whether the cases are those of a verdict. Attempts have the arguments of their step, so they cannot be rewritten.
fn is_verdict(variant: &VariantType, event: HookEvent) -> bool {
    variant.cases.iter().all(|(case, payload)| match (&**case, payload) {
        ("allow", None) | ("veto", None | Some(Type::String)) => true,
        ("rewrite", Some(Type::String)) => event != HookEvent::Attempt,
        _ => false,
    })
}

/// Where a target stands; `*` has no place.
fn target_span(target: &HookTarget) -> Option<Span> {
    match target {
        HookTarget::All => None,
        HookTarget::Component(name) | HookTarget::Name(name) => Some(name.span),
        HookTarget::Function(alias, function) => Some(alias.span.to(function.span)),
        HookTarget::Topic(topic) => Some(topic.span),
    }
}
