//! What is not done by a component: questions to roles, plans that runs make, steps that a human decides about, and
//! handlers around steps.
//!
//! The names: `…_a` asks a role, `…_g` runs a plan, `e7` fails until a human has decided.

use catalog::{Name, Type, Value};
use grammar::Span;
use lang::plan::{Budget, Expr, HookEvent, HookInput, HookPhase, HookPlan, HookTarget, HookVerdict, NodeKind, Slot, Target};

use super::Generator;
use crate::simulator::build::{NodePolicy, PlanBuilder, RegionDraft, call, child, count, number, slot, wait};

impl Generator {
    /// A question to a role: what an agent does, nobody knows, so it is not simply asked again.
    pub(super) fn question(&mut self, draft: &mut RegionDraft, a: Slot) -> Slot {
        let mut plan = call(catalog_function(), vec![slot(a)]);
        plan.target = Target::Role(self.role);
        self.steps += self.weight;
        let mut name = self.name("s");
        name.push_str("_a");
        let retries = self.random.u32(..3);
        if retries > 0 {
            plan.retry = Some(count(retries));
            name.push_str(&format!("_r{retries}"));
        }
        draft.add(&name, NodeKind::Call(Box::new(plan)))
    }

    /// A step whose attempts stand for runs of plans, and one that uses what it gives.
    pub(super) fn planned(&mut self, draft: &mut RegionDraft, a: Slot) -> Slot {
        let target = self.builder.plan();
        let mut plan = call(catalog_function(), vec![Expr::Const(Value::string("flow main() -> u64 { 1 }")), slot(a)]);
        plan.target = Target::Plan(target);
        self.steps += self.weight;
        let mut name = self.name("s");
        name.push_str("_g");
        let retries = self.random.u32(..3);
        if retries > 0 {
            plan.retry = Some(count(retries));
            name.push_str(&format!("_r{retries}"));
        }
        let budget = Budget { steps: Some(number(5)), fuel: Some(number(1_000_000)), time: Some(wait(1_000_000_000)) };
        let policy = NodePolicy { budget, ty: Type::Json, ..NodePolicy::default() };
        let made = draft.node(&name, NodeKind::Call(Box::new(plan)), &[], policy);
        self.join(draft, made)
    }

    /// A step that nothing takes when it fails.
    pub(super) fn escalated(&mut self, draft: &mut RegionDraft, a: Slot) -> Slot {
        if !self.escalates {
            return self.question(draft, a);
        }
        let kind = self.step(vec![slot(a)]);
        let name = self.name("e");
        draft.add(&name, kind)
    }

    /// A block without anything in it: its deadline takes a number of a timer.
    pub(super) fn short_block(&mut self, draft: &mut RegionDraft) {
        let body = self.builder.region(RegionDraft::new(0), number(1));
        let policy = NodePolicy { deadline: Some(wait(1_000_000_000)), ..NodePolicy::default() };
        draft.node("racyblock", NodeKind::Block { body: child(body, &[]) }, &[], policy);
    }
}

fn catalog_function() -> lang::plan::FunctionId {
    lang::plan::FunctionId::from_u32(0)
}

/// Two handlers are asked before each step and one before each attempt; others are told afterwards.
pub(super) fn hooks(builder: &mut PlanBuilder) -> Vec<HookPlan> {
    let guard = builder.function_of("guard", &[("about", Type::String)], Type::Bool);
    let told = builder.function_of("told", &[("about", Type::String)], Type::U64);
    let hook = |phase, event, input| {
        let before = phase == HookPhase::Before;
        let mut handler = call(if before { guard } else { told }, Vec::new());
        handler.name = Name::from(if before { "guard" } else { "told" });
        handler.retry = Some(count(1));
        let verdict = if before { HookVerdict::Bool } else { HookVerdict::Nothing };
        HookPlan { phase, event, target: HookTarget::All, call: handler, inputs: vec![input], verdict, span: Span::default() }
    };
    vec![
        hook(HookPhase::Before, HookEvent::Step, HookInput::Args),
        hook(HookPhase::Before, HookEvent::Step, HookInput::Key),
        hook(HookPhase::Before, HookEvent::Attempt, HookInput::Path),
        hook(HookPhase::Before, HookEvent::Message, HookInput::Message),
        hook(HookPhase::Before, HookEvent::Run, HookInput::Input),
        hook(HookPhase::After, HookEvent::Attempt, HookInput::Path),
        hook(HookPhase::After, HookEvent::Step, HookInput::Outcome),
        hook(HookPhase::After, HookEvent::Message, HookInput::Topic),
        hook(HookPhase::After, HookEvent::Run, HookInput::Flow),
    ]
}
