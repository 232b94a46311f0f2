//! Hooks that an operator puts around runs: programs anywhere handle them, and no flow speaks of them.

use std::sync::Arc;

use catalog::{Name, Type, Value, VariantType};
use grammar::Span;

use super::{
    Backoff, CallPlan, Expr, HookEvent, HookInput, HookPhase, HookPlan, HookTarget, HookVerdict, Plan, RoleRef, Rules, Target,
};

/// A hook whose handler is whoever has a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutsideHook {
    /// The role; flows cannot write it.
    pub role: Name,
    /// When.
    pub phase: HookPhase,
    /// Around what.
    pub event: HookEvent,
    /// Around which: steps as they are written, topics, or the flow of a run; `*` stands for one token, `>` at the end for one or more.
    /// None: all.
    pub on: Option<Name>,
    /// How long the handler may take, in nanoseconds.
    pub timeout: u64,
    /// Whether what it stands before goes on when the handler does not answer or fails.
    pub lenient: bool,
}

impl Plan {
    /// Puts these hooks before the plan's own, in their order.
    pub fn add_outside_hooks(&mut self, hooks: &[OutsideHook]) {
        if hooks.is_empty() {
            return;
        }
        let added: Vec<HookPlan> = hooks.iter().map(|hook| self.outside(hook)).collect();
        self.hooks.splice(..0, added);
        self.forget_derived();
    }

    fn outside(&mut self, hook: &OutsideHook) -> HookPlan {
        let told: Vec<(&str, HookInput)> =
            HookInput::ALL.into_iter().filter(|(_, input)| input.is_told(hook.phase, hook.event)).collect();
        let ty = |input| if input == HookInput::Number { Type::U32 } else { Type::String };
        let params = told.iter().map(|(name, input)| (Name::from(*name), ty(*input))).collect();
        let result = if hook.phase == HookPhase::Before { verdict() } else { Type::Unit };
        let role = RoleRef { name: Arc::clone(&hook.role), params, output: result.clone(), result };
        let target = match (&hook.on, hook.event) {
            (None, _) => HookTarget::All,
            (Some(on), HookEvent::Run) => HookTarget::Flow(Arc::clone(on)),
            (Some(on), HookEvent::Message) => HookTarget::Topic(Arc::clone(on)),
            (Some(on), HookEvent::Step | HookEvent::Attempt) => HookTarget::Step(Arc::clone(on)),
        };
        let call = CallPlan {
            name: Arc::clone(&hook.role),
            target: Target::Role(self.roles.push(role)),
            args: Vec::new(),
            grants: Vec::new(),
            idempotent: true,
            retry: None,
            backoff: Backoff::None,
            timeout: Some(Expr::Const(Value::Duration(hook.timeout))),
            class: None,
            memory: None,
            fuel: None,
            rules: Rules::default(),
        };
        let verdict = match (hook.phase, hook.lenient) {
            (HookPhase::After, _) => HookVerdict::Nothing,
            (HookPhase::Before, false) => HookVerdict::Cases,
            (HookPhase::Before, true) => HookVerdict::Lenient,
        };
        let inputs = told.into_iter().map(|(_, input)| input).collect();
        HookPlan { phase: hook.phase, event: hook.event, target, call, inputs, verdict, span: Span::default() }
    }
}

fn verdict() -> Type {
    let case = |name: &str, carries| (Name::from(name), carries);
    let cases = vec![case("allow", None), case("veto", Some(Type::String)), case("rewrite", Some(Type::String))];
    Type::Variant(Arc::new(VariantType { name: None, cases }))
}
